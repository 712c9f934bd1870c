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
_NO_GATE: Final = "no gate in scope: no selected test claims a criterion. Name a stage (-m) or a gate (--spiral-gates)."


@dataclass(frozen=True, slots=True)
class _Frame:
    """What every part of the summary needs: the judgement, and the widths of its columns."""

    judgement: Judgement
    plan: Plan
    cards: words.Cards
    width: int
    label: int
    columns: int
    beside: bool


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
    frame = _frame(judgement, plan, words.Cards(tuple(cards)), width)
    lines = [rule(f"spiral: {words.scope_words(judgement)}", width)]
    if judgement.watermark:
        lines += row([], [Piece(f"WHAT-IF: {judgement.watermark}", "red bold")], width, 1)
    if not judgement.gates:
        lines += row([], [Piece(_NO_GATE, "yellow")], width, 1)
    for gate in judgement.gates:
        lines += _gate_lines(gate, frame)
    for stage in judgement.stages:
        lines += _stage_lines(stage, frame)
    if len(judgement.stages) != 1:
        lines += _overall_lines(frame)
    lines += _tail_lines(frame, start, path, sealed)
    return lines if colour else uncoloured(lines)


def criterion_lines(  # noqa: PLR0913 - one criterion, and where its columns stand
    verdict: CriterionVerdict, name: str, target: str, width: int, columns: int, *, fault: str = ""
) -> list[Line]:
    """Render one criterion: its name, its verdict, the figures of its headline limit, and each reason.

    The verdict and what follows it stand from cell `columns` on, or on lines of their own where that is narrow.
    `fault` is what a control was run under: its figures are those of the faulty target.
    """
    shown, rest = _shown_limits(verdict)
    several = len({limit.where for limit in verdict.limits}) > 1
    figures = [_figures(limit, fault, where=several) for limit in shown]
    said = {qualifier for limit in shown for qualifier in limit.qualifiers}
    beside = ", ".join(one for one in verdict.qualifiers if one not in said and one != "waived")
    reason = "" if verdict.verdict is Verdict.PASS else words.reason_words(verdict, beside=shown)
    word, style = words.verdict_words(verdict, target), words.verdict_style(verdict)
    if not figures:
        told = [
            Piece(f"{word}: {reason}" if reason else word, style),
            Piece(beside),
            Piece(words.attempt_words(verdict)),
        ]
        return _body(name, [told], width, columns)
    rows = [[Piece(word, style), *figures[0]], *figures[1:]]
    rows[-1] += [Piece(rest), Piece(beside), Piece(words.attempt_words(verdict))]
    if reason.startswith("["):
        rows[0].append(Piece(reason))
        reason = ""
    return _body(name, [*rows, [Piece(reason)]], width, columns)


def criterion_columns(names: Iterable[str], indent: int) -> int:
    """Say from which cell on verdicts stand: after the widest name, within reason."""
    return indent + min(max(map(cells, names), default=0), _NAME_WIDTH) + len(GAP)


def _frame(judgement: Judgement, plan: Plan, cards: words.Cards, width: int) -> _Frame:
    labels = [f"{gate.id} {gate.title}" for gate in judgement.gates]
    labels += [_stage_label(stage, judgement) for stage in judgement.stages]
    labels += [] if len(judgement.stages) == 1 else [_overall_label(judgement)]
    label = min(max(map(cells, labels), default=0), width - _DECISION_WIDTH - 5)
    told = [_counts(gate, judgement) for gate in judgement.gates]
    told += [_stage_words(stage, judgement) for stage in judgement.stages]
    names = (name.partition(".")[2] for name in words.criterion_ids(judgement, plan))
    return _Frame(
        judgement=judgement,
        plan=plan,
        cards=cards,
        width=width,
        label=label,
        columns=criterion_columns(names, _INDENT),
        beside=_told_from(label) + max(map(cells, told), default=0) <= width,
    )


def _told_from(label: int) -> int:
    """The cell from which on something is told beside a decision."""
    return 1 + label + len(GAP) + _DECISION_WIDTH + len(GAP)


def _counts(gate: GateDecision, judgement: Judgement) -> str:
    return words.count_words(verdict for verdict in judgement.criteria if verdict.gate == gate.id)


def _stage_words(stage: StageDecision, judgement: Judgement) -> str:
    stages = {gate.id: gate.stage for gate in judgement.gates}
    debts = [debt for debt in judgement.debts if stages.get(debt.criterion.partition(".")[0]) == stage.id]
    weakest = f"weakest link {stage.weakest}" if stage.weakest else ""
    return "; ".join(part for part in (words.debt_words(debts), weakest) if part)


def _gate_lines(gate: GateDecision, frame: _Frame) -> list[Line]:
    verdicts = {verdict.id: verdict for verdict in frame.judgement.criteria if verdict.gate == gate.id}
    lines = _decided(f"{gate.id} {gate.title}".rstrip(), gate.decision, _counts(gate, frame.judgement), frame)
    for told in _cautions(gate, frame.cards):
        lines += row([], [Piece(told, "yellow")], frame.width, _BESIDE_INDENT)
    left_out = []
    for name in words.criterion_ids(frame.judgement, frame.plan):
        if name.partition(".")[0] != gate.id:
            continue
        if frame.judgement.partial and name in verdicts and verdicts[name].reason == "deselected":
            left_out.append(name.partition(".")[2])
        else:
            lines += _criterion(name, verdicts.get(name), frame)
    if left_out:
        lines += row([Piece(" " * _INDENT)], [Piece(f"deselected: {', '.join(left_out)}")], frame.width, _INDENT)
    return lines


def _cautions(gate: GateDecision, cards: words.Cards) -> list[str]:
    """What a reader must know of a gate beside its decision: why it is capped, why nothing proves that it can fail."""
    without = cards.gate(gate.id).no_control
    told = [f"capped at CONDITIONAL GO: {'; '.join(gate.capped)}"] if gate.capped else []
    return [*told, f"no control: {without}"] if without else told


def _criterion(name: str, verdict: CriterionVerdict | None, frame: _Frame) -> list[Line]:
    word = name.partition(".")[2] or name
    if verdict is None:
        missing = Piece("no verdict: registered in the bar and missing from the judgement", "red")
        return _body(word, [[missing]], frame.width, frame.columns)
    control = words.control_of(name, frame.plan)
    fault = control.fault if control else ""
    return criterion_lines(verdict, word, frame.judgement.target, frame.width, frame.columns, fault=fault)


def _stage_lines(stage: StageDecision, frame: _Frame) -> list[Line]:
    label = _stage_label(stage, frame.judgement)
    if frame.judgement.partial:
        return _undecided(label, frame)
    return _decided(label, stage.decision, _stage_words(stage, frame.judgement), frame)


def _overall_lines(frame: _Frame) -> list[Line]:
    judgement = frame.judgement
    label = _overall_label(judgement)
    if judgement.partial:
        return _undecided(label, frame)
    return _decided(label, judgement.decision, words.debt_words(judgement.debts), frame)


def _overall_label(judgement: Judgement) -> str:
    label = f"gate {judgement.gates[0].id}" if len(judgement.gates) == 1 else "all gates"
    return f"{label} on {judgement.target}" if judgement.target else label


def _label(label: str, frame: _Frame) -> Piece:
    return Piece(f" {padded(shortened(label, frame.label), frame.label)}{GAP}", "bold")


def _undecided(label: str, frame: _Frame) -> list[Line]:
    words_of_it = Piece(words.partial_words(frame.judgement), words.decision_style(None))
    return row([_label(label, frame)], [words_of_it], frame.width, 1 + frame.label + len(GAP))


def _decided(label: str, decision: Decision | None, told: str, frame: _Frame) -> list[Line]:
    """A line with a decision, and what is told of it: beside it where that has room on every such line, else below."""
    lead = [_label(label, frame), Piece(words.decision_words(decision), words.decision_style(decision))]
    if frame.beside:
        return row(lead, [Piece(told)], frame.width, _told_from(frame.label))
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
    if judgement.recovered:
        rows.insert(0, ("recovered", [Piece(judgement.recovered, "red bold")]))
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


def _figures(limit: LimitVerdict, fault: str, *, where: bool) -> list[Piece]:
    first, *rest = words.limit_words(limit, where=where)
    return [Piece(f"under {fault}: {first}" if fault else first), *map(Piece, rest)]


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
