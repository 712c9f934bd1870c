"""What moved since the last registered bar: the gates files against what the ledger's release runs registered."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from pytest_spiral.model.entry import AttemptOpened, Entry
from pytest_spiral.model.gate import Criterion, Plan
from pytest_spiral.rules.bar import Course, Move, bars_of, in_order, what_moved
from pytest_spiral.rules.canonical import digest
from pytest_spiral.rules.gate_files import GATE_FILES
from pytest_spiral.run.gates import load_gate_files, make_plan


class Bars(NamedTuple):
    """What moved; how many criteria there are now; and how many of them no release run has registered yet."""

    moves: tuple[Move, ...]
    criteria: int
    new: int


def moved_bars(root: Path, reports: Path, entries: Iterable[Entry]) -> Bars:
    """Hold the gates files under `root` against the bar that each criterion had in its last release run.

    How a bar moved is told where a bundle under `reports` still has the plan; else only that it moved. Criteria that
    no release run has registered are counted and are no move. Raises UseError for gates files that cannot be read.
    """
    plan = make_plan(load_gate_files(root, GATE_FILES), (), ())
    last = _last_registered(entries)
    bars = bars_of(plan)
    moved = {name: opened for name, opened in last.items() if bars.get(name) != opened.criteria[name]}
    plans = dict(_plans(reports, {opened.plan for opened in moved.values()}))
    known = [plans[opened.plan].criterion(name) for name, opened in moved.items() if opened.plan in plans]
    names = {one.id for one in known}
    moves = [*what_moved(known, _named(plan, names)), *_unknown(moved, names, plan)]
    return Bars(in_order(moves), len(bars), len(bars.keys() - last.keys()))


def _last_registered(entries: Iterable[Entry]) -> dict[str, AttemptOpened]:
    found: dict[str, AttemptOpened] = {}
    for entry in entries:
        if isinstance(entry.record, AttemptOpened) and not entry.record.draft:
            found.update(dict.fromkeys(entry.record.criteria, entry.record))
    return found


def _named(plan: Plan, names: set[str]) -> list[Criterion]:
    return [one for one in plan.criteria() if one.id in names]


def _plans(reports: Path, wanted: set[str]) -> Iterator[tuple[str, Plan]]:
    """Plans of bundles, by digest; a file that is not what its digest says is no plan."""
    for path in sorted(reports.glob("*/*/plan.json")):
        try:
            data = path.read_bytes()
            if digest(data) in wanted:
                yield digest(data), msgspec.json.decode(data, type=Plan)
        except (OSError, msgspec.MsgspecError):
            continue


def _unknown(moved: dict[str, AttemptOpened], told: set[str], plan: Plan) -> Iterator[Move]:
    bars = bars_of(plan)
    for name, opened in moved.items():
        if name in told:
            continue
        before, after = opened.criteria[name].bar, bars[name].bar if name in bars else "gone"
        course: Course = "changed" if name in bars else "loosened"
        yield Move(criterion=name, course=course, field="", before=before, after=after)
