"""A ledger as lines: its entries, its check, its attempts, and what moved of the bar."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from pytest_spiral.ledger.fsck import Fsck
from pytest_spiral.model.entry import (
    Adopted,
    AttemptOpened,
    AttemptSealed,
    Entry,
)
from pytest_spiral.render.figures import counted
from pytest_spiral.render.layout import Line, Piece, row, rule
from pytest_spiral.rules.attempts import Attempt, tell_attempts, tell_drafts
from pytest_spiral.rules.bar import Move

_COURSE_STYLE: Final = {"loosened": "red bold", "changed": "yellow", "tightened": "green"}
_SHORT: Final = len("sha256:") + 12
_ENTRY_INDENT: Final = 43


def render_entries(entries: Iterable[Entry], runs: Mapping[str, str], width: int) -> list[Line]:
    """Render entries, one a row; `runs` has the name of each nonce's run."""
    lines: list[Line] = []
    for entry in entries:
        lead = [Piece(f"{entry.seq:>7}  {_moment(entry.wall)}  {entry.kind:<12}")]
        lines += row(lead, [Piece(_words(entry, runs))], width, _ENTRY_INDENT)
    return lines


def render_fsck(name: str, found: Fsck, width: int) -> list[Line]:
    """Render what a check of a ledger came to."""
    lines = [rule(f"spiral ledger fsck {name}", width)]
    told = ", ".join(f"{count} {kind}" for kind, count in found.kinds.items())
    lines += row([Piece(" entries")], [Piece(told or "none")], width, 10)
    if found.head is not None:
        lines += row([Piece(" head")], [Piece(f"{found.head.seq} {found.head.digest}")], width, 10)
    if found.backward:
        times = counted(found.backward, "time", "times")
        lines += row([Piece(" clocks")], [Piece(f"run back {times} (told, and no fault)", "yellow")], width, 10)
    for one in found.findings:
        lines += row([Piece(f" {one.code} ", "red")], [Piece(one.sentence)], width, 10)
    word = Piece("NOT TO BE TRUSTED", "red bold") if found.findings else Piece("whole", "green bold")
    return [*lines, *row([Piece(" ")], [word], width, 2)]


def render_status(campaigns: Mapping[tuple[str, str], Sequence[Attempt]], width: int) -> list[Line]:
    """Render the attempts of every criterion on every target, then the runs that came to no end."""
    lines: list[Line] = []
    for target in dict.fromkeys(target for target, _ in campaigns):
        lines.append(rule(f"attempts on {target or 'no target'}", width))
        for (where, name), attempts in campaigns.items():
            if where == target:
                lines += row([Piece(f" {name}")], [_tally(name, attempts)], width, 34)
    runs = {one.opened.nonce: one for attempts in campaigns.values() for one in attempts}
    for one in sorted((one for one in runs.values() if one.abandoned), key=lambda one: one.seq):
        said = f"opened at entry {one.seq}, {_moment(one.wall)}, not sealed by its deadline"
        lines += row([Piece(" abandoned ", "red")], [Piece(f"{one.opened.run}: {said}")], width, 11)
    return lines or row([], [Piece("no run is registered here yet")], width, 1)


def render_moves(moves: Sequence[Move], criteria: int, new: int, width: int) -> list[Line]:
    """Render what moved of the bar, as given: loosened first."""
    lines: list[Line] = []
    for move in moves:
        field = f" {move.field}" if move.field else ""
        lead = [Piece(f" {move.course:<10}", _COURSE_STYLE[move.course]), Piece(f" {move.criterion}{field}")]
        lines += row(lead, [Piece(f"{_short(move.before)} -> {_short(move.after)}")], width, 44)
    loosened = sum(one.course == "loosened" for one in moves)
    told = f"{counted(len(moves), 'thing', 'things')} moved, {loosened} loosened" if moves else "nothing moved"
    unregistered = f"; {new} of {criteria} criteria were never registered by a release run" if new else ""
    return [*lines, *row([], [Piece(f"{told}{unregistered}")], width, 1)]


def _tally(name: str, attempts: Sequence[Attempt]) -> Piece:
    counting = [one for one in attempts if not one.opened.draft]
    told = tell_attempts([one.word(name) for one in counting])
    return Piece(f"{told}{tell_drafts(len(attempts) - len(counting))}", "" if counting else "yellow")


def _moment(wall: int) -> str:
    return datetime.fromtimestamp(wall // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _short(text: str) -> str:
    return f"{text[:_SHORT]}..." if text.startswith("sha256:") else text


def _words(entry: Entry, runs: Mapping[str, str]) -> str:
    """The entry in a few words."""
    record = entry.record
    draft = " (draft)" if getattr(record, "draft", False) else ""
    if isinstance(record, AttemptOpened):
        return f"{record.run}: {counted(len(record.criteria), 'criterion', 'criteria')}{draft}"
    if isinstance(record, AttemptSealed):
        return f"{runs.get(record.nonce, record.nonce)}: {record.decision or 'no decision'}{draft}"
    if isinstance(record, Adopted):
        return f"part {record.part} of {record.parts} of a branch from entry {record.fork}"
    fields = [f"{name} {getattr(record, name)}" for name in record.__struct_fields__ if name in _TOLD]
    nonce = getattr(record, "nonce", "")
    return "; ".join([runs[nonce]] if nonce in runs else []) + draft or "; ".join(fields)


_TOLD: Final = ("principal", "criterion", "what", "name", "keyid", "status", "reason", "bytes", "format")
