"""The summary that stands at the end of a run's terminal output: every gate, every criterion, every reason."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from pytest_spiral.model.evidence import BundleStart
from pytest_spiral.model.gate import GateCard, Plan
from pytest_spiral.model.judgement import CriterionVerdict, GateDecision, Judgement, LimitVerdict, StageDecision
from pytest_spiral.model.verdict import Decision, Verdict
from pytest_spiral.render import words
from pytest_spiral.render.figures import counted
from pytest_spiral.render.layout import GAP, Line, Piece, cells, padded, row, rule, shortened, uncoloured

_INDENT: Final = 6
_BESIDE_INDENT: Final = 4
_DECISION_WIDTH: Final = 14  # CONDITIONAL GO, the longest
_NAME_WIDTH: Final = 24
_NARROW: Final = 34  # cells of body below which it moves to lines of its own
_LIMITS_SHOWN: Final = 4


@dataclass(frozen=True, slots=True)
class _Frame:
    """What every part of the summary needs: the judgement, and the widths of its columns."""

    judgement: Judgement
    plan: Plan
    cards: words.Cards
    width: int
    label: int
    columns: int


def render_summary(  # noqa: PLR0913, PLR0917 - the whole run goes into its summary
    judgement: Judgement,
    plan: Plan,
    cards: Sequence[GateCard],
    start: BundleStart,
    path: str,
    sealed: str,
    width: int,
    colour: bool,
) -> list[Line]:
    """Render the summary of a run as lines of at most `width` cells, unless one word is longer.

    `path` is the bundle's folder as `spiral verify` takes it, `sealed` says how it was sealed, such as `sealed,
    E0: hashes only`. Without `colour` no span has a style.
    """
    frame = _frame(judgement, plan, cards, width)
    lines = [rule(f"spiral: {words.scope_words(judgement)}", width)]
    if judgement.watermark:
        lines += row([], [Piece(f"WHAT-IF: {judgement.watermark}", "red bold")], width, 1)
    for gate in words.gate_ids(judgement, plan):
        lines += _gate_lines(gate, frame)
    for stage in judgement.stages:
        lines += _stage_lines(stage, frame)
    if len(judgement.stages) != 1:
        lines += _overall_lines(frame)
    lines += _tail_lines(frame, start, path, sealed)
    return lines if colour else uncoloured(lines)


def criterion_lines(verdict: CriterionVerdict, name: str, target: str, width: int, columns: int) -> list[Line]:
    """Render one criterion: its name, its verdict, the figures of its headline limit, and each reason.

    The verdict and what follows it stand from cell `columns` on, or on lines of their own where that is narrow.
    """
    shown, rest = _shown_limits(verdict)
    several = len({limit.where for limit in verdict.limits}) > 1
    figures = [[Piece(text) for text in words.limit_words(limit, where=several)] for limit in shown]
    said = {qualifier for limit in shown for qualifier in limit.qualifiers}
    beside = ", ".join(one for one in verdict.qualifiers if one not in said and one != "waived")
    reason = words.reason_words(verdict)
    word, style = words.verdict_words(verdict, target), words.verdict_style(verdict)
    if not figures:
        told = f"{word}: {reason}" if reason and verdict.verdict is not Verdict.PASS else word
        return _body(name, [[Piece(told, style), Piece(beside)]], width, columns)
    rows = [[Piece(word, style), *figures[0]], *figures[1:]]
    rows[-1] += [Piece(rest), Piece(beside)]
    if verdict.verdict is not Verdict.PASS:
        rows.append([Piece(reason)])
    return _body(name, rows, width, columns)


def criterion_columns(names: Iterable[str], indent: int) -> int:
    """Say from which cell on verdicts stand: after the widest name, within reason."""
    return indent + min(max(map(cells, names), default=0), _NAME_WIDTH) + len(GAP)


def _frame(judgement: Judgement, plan: Plan, cards: Sequence[GateCard], width: int) -> _Frame:
    labels = [f"{gate.id} {gate.title}" for gate in judgement.gates]
    labels += [_stage_label(stage, judgement) for stage in judgement.stages]
    return _Frame(
        judgement=judgement,
        plan=plan,
        cards=words.Cards(tuple(cards)),
        width=width,
        label=min(max(map(cells, labels), default=0), width - _DECISION_WIDTH - 5),
        columns=criterion_columns((name.partition(".")[2] for name in words.criterion_ids(judgement, plan)), _INDENT),
    )


def _gate_lines(gate: str, frame: _Frame) -> list[Line]:
    judgement = frame.judgement
    verdicts = {verdict.id: verdict for verdict in judgement.criteria if verdict.gate == gate}
    decision = next((one for one in judgement.gates if one.id == gate), None)
    title = decision.title if decision else frame.cards.gate(gate).title
    counts = words.count_words(verdicts.values())
    lines = _decided(f"{gate} {title}".rstrip(), decision.decision if decision else None, counts, frame)
    if decision and decision.capped:
        lines += row([], [_cap(decision)], frame.width, _BESIDE_INDENT)
    for name in words.criterion_ids(judgement, frame.plan):
        if name.partition(".")[0] == gate:
            lines += _criterion(name, verdicts.get(name), frame)
    return lines


def _cap(decision: GateDecision) -> Piece:
    return Piece(f"capped at CONDITIONAL GO: {'; '.join(decision.capped)}", "yellow")


def _criterion(name: str, verdict: CriterionVerdict | None, frame: _Frame) -> list[Line]:
    word = name.partition(".")[2] or name
    if verdict is None:
        missing = Piece("no verdict: registered in the bar and missing from the judgement", "red")
        return _body(word, [[missing]], frame.width, frame.columns)
    return criterion_lines(verdict, word, frame.judgement.target, frame.width, frame.columns)


def _stage_lines(stage: StageDecision, frame: _Frame) -> list[Line]:
    judgement = frame.judgement
    if judgement.partial:
        return _undecided(_stage_label(stage, judgement), frame)
    stages = {gate.id: gate.stage for gate in judgement.gates}
    debts = [debt for debt in judgement.debts if stages.get(debt.criterion.partition(".")[0]) == stage.id]
    weakest = f"weakest link {stage.weakest}" if stage.weakest else ""
    told = "; ".join(part for part in (words.debt_words(debts), weakest) if part)
    return _decided(_stage_label(stage, judgement), stage.decision, told, frame)


def _overall_lines(frame: _Frame) -> list[Line]:
    judgement = frame.judgement
    label = f"all gates on {judgement.target}" if judgement.target else "all gates"
    if judgement.partial:
        return _undecided(label, frame)
    return _decided(label, judgement.decision, words.debt_words(judgement.debts), frame)


def _label(label: str, frame: _Frame) -> Piece:
    return Piece(f" {padded(shortened(label, frame.label), frame.label)}{GAP}", "bold")


def _undecided(label: str, frame: _Frame) -> list[Line]:
    words_of_it = Piece(words.partial_words(frame.judgement), words.decision_style(None))
    return row([_label(label, frame)], [words_of_it], frame.width, 1 + frame.label + len(GAP))


def _decided(label: str, decision: Decision | None, told: str, frame: _Frame) -> list[Line]:
    """A line with a decision; what is told beside it moves below where too little room is left."""
    lead = [_label(label, frame), Piece(words.decision_words(decision), words.decision_style(decision))]
    beside = 1 + frame.label + len(GAP) + _DECISION_WIDTH + len(GAP)
    if frame.width - beside >= cells(told):
        return row(lead, [Piece(told)], frame.width, beside)
    return [*row(lead, [], frame.width, 0), *row([], [Piece(told)], frame.width, _BESIDE_INDENT)]


def _tail_lines(frame: _Frame, start: BundleStart, path: str, sealed: str) -> list[Line]:
    judgement = frame.judgement
    signatures = [Piece(f"signed: {judgement.signed}"), Piece(f"log: {judgement.log}")]
    faults = "red bold" if start.target.faults else ""
    rows = [
        ("target", [Piece(words.target_words(start), faults)]),
        ("evidence", [Piece(path, "bold"), Piece(sealed)]),
        ("standing", [Piece(words.standing_words(judgement, start)), *signatures]),
        ("check it", [Piece(f"spiral verify {path}", "bold")]),
    ]
    indent = 1 + max(len(label) for label, _ in rows) + 2
    return [line for label, body in rows for line in row([Piece(f" {label}")], body, frame.width, indent)]


def _body(name: str, rows: Sequence[Sequence[Piece]], width: int, columns: int) -> list[Line]:
    lead = [Piece(" " * _INDENT + name)]
    filled = [[piece for piece in pieces if piece.text] for pieces in rows]
    filled = [pieces for pieces in filled if pieces]
    if width - columns < _NARROW:
        below = [line for pieces in filled for line in row([], pieces, width, _INDENT + 2)]
        return [*row(lead, [], width, 0), *below]
    first = row(lead, filled[0], width, columns)
    return [*first, *(line for pieces in filled[1:] for line in row([], pieces, width, columns))]


def _shown_limits(verdict: CriterionVerdict) -> tuple[list[LimitVerdict], str]:
    """The limits whose figures are worth a line: all that do not hold, or else the closest; what the rest are."""
    if verdict.verdict in {Verdict.INVALID, Verdict.NOT_RUN, Verdict.INAPPLICABLE} or not verdict.limits:
        return [], ""
    ordered = words.by_concern(verdict.limits)
    broken = [limit for limit in ordered if limit.verdict is not Verdict.PASS]
    shown = broken[:_LIMITS_SHOWN] or ordered[:1]
    rest = ordered[len(shown) :]
    if not rest:
        return shown, ""
    if all(limit.verdict is Verdict.PASS for limit in rest):
        return shown, counted(len(rest), "more limit holds", "more limits hold")
    return shown, f"and {counted(len(rest), 'more limit')}"


def _stage_label(stage: StageDecision, judgement: Judgement) -> str:
    on = f" on {judgement.target}" if judgement.target else ""
    return f"{words.stage_words(stage.id)}{on}".strip()
