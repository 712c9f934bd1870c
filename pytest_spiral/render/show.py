"""One screen on one criterion, and one on why a gate is not GO: what stands in the way, and what to run next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pytest_spiral.errors import UseError
from pytest_spiral.model.evidence import BundleStart
from pytest_spiral.model.gate import Criterion, GateCard, Plan
from pytest_spiral.model.judgement import CriterionVerdict, Debt, GateDecision, Judgement
from pytest_spiral.model.verdict import Decision, Verdict
from pytest_spiral.render import words
from pytest_spiral.render.figures import confidence_text, counted
from pytest_spiral.render.layout import Line, Piece, row, rule, uncoloured

_INDENT: Final = 14
_TESTS_SHOWN: Final = 5
_HOLDS: Final = frozenset({Verdict.PASS, Verdict.INAPPLICABLE})
_STEPS: Final[Mapping[Verdict, str]] = {
    Verdict.FAIL: "mend what it measures, then run",
    Verdict.INVALID: "mend how it is measured, then run",
    Verdict.INCONCLUSIVE: "take the samples that are missing, then run",
    Verdict.NOT_RUN: "run",
    Verdict.ENVIRONMENT_LIMITED: "where it is met, run",
    Verdict.PASS: "to repeat it, run",
    Verdict.INAPPLICABLE: "to repeat it, run",
}


@dataclass(frozen=True, slots=True)
class _Scene:
    """What a screen is made of."""

    judgement: Judgement
    plan: Plan
    cards: words.Cards
    start: BundleStart | None
    width: int
    path: str
    files: Mapping[str, Sequence[str]]

    @property
    def where(self) -> str:
        """The target, as a title says it."""
        return f" on {self.judgement.target}" if self.judgement.target else ""


def render_criterion(  # noqa: PLR0913 - what a bundle holds, and how to show it
    judgement: Judgement,
    plan: Plan,
    cards: Sequence[GateCard],
    name: str,
    *,
    start: BundleStart | None = None,
    width: int = 80,
    colour: bool = True,
    path: str = "",
    files: Mapping[str, Sequence[str]] | None = None,
) -> list[Line]:
    """Render all that is known of one criterion: promise, verdict, every limit, tests, samples, the next command.

    `path` is the bundle's folder as commands take it, `files` the sample files of each criterion, relative to it.
    UseError where the bundle judges no criterion of that name.
    """
    scene = _Scene(judgement, plan, words.Cards(tuple(cards)), start, width, path, files or {})
    verdict = _verdict(scene, name)
    lines = [rule(f"{name}{scene.where}", width), *_criterion(scene, verdict)]
    lines += [*_fields(_target(scene), width), *_next([verdict], scene)]
    return lines if colour else uncoloured(lines)


def render_why(  # noqa: PLR0913 - what a bundle holds, and how to show it
    judgement: Judgement,
    plan: Plan,
    cards: Sequence[GateCard],
    selector: str,
    *,
    start: BundleStart | None = None,
    width: int = 80,
    colour: bool = True,
    path: str = "",
    files: Mapping[str, Sequence[str]] | None = None,
) -> list[Line]:
    """Render why a stage, a gate or a criterion is not GO: worst first, with figures, evidence and the next command.

    Arguments as of `render_criterion`. UseError where the bundle knows no stage, gate or criterion of that name.
    """
    if "." in selector:
        return render_criterion(
            judgement, plan, cards, selector, start=start, width=width, colour=colour, path=path, files=files
        )
    scene = _Scene(judgement, plan, words.Cards(tuple(cards)), start, width, path, files or {})
    lines = [rule(f"why {selector}{scene.where}", width), *_why(scene, _gates(scene, selector))]
    return lines if colour else uncoloured(lines)


def _why(scene: _Scene, gates: Sequence[GateDecision]) -> list[Line]:
    verdicts = [one for one in scene.judgement.criteria if one.gate in {gate.id for gate in gates}]
    in_the_way = sorted(
        (one for one in verdicts if one.verdict not in _HOLDS),
        key=lambda one: (one.level != "blocker", words.WORST_FIRST.index(one.verdict)),
    )
    lines: list[Line] = []
    for gate in gates:
        lines += _head(gate, [one for one in verdicts if one.gate == gate.id], scene)
    gone = _missing(gates, scene)
    lines += gone
    for verdict in in_the_way:
        lines += [Line(), *_criterion(scene, verdict)]
    if not in_the_way and not gone:
        lines += row([], [Piece("Nothing stands in the way.", "green")], scene.width, 1)
    return [*lines, *_next(in_the_way, scene)]


def _verdict(scene: _Scene, name: str) -> CriterionVerdict:
    found = [one for one in scene.judgement.criteria if one.id == name]
    if not found:
        known = ", ".join(one.id for one in scene.judgement.criteria if one.gate == name.partition(".")[0])
        raise UseError(f"this bundle judges no criterion {name}" + (f"; it judges {known}" if known else ""))
    return found[0]


def _gates(scene: _Scene, selector: str) -> list[GateDecision]:
    found = [gate for gate in scene.judgement.gates if selector in {gate.id, gate.stage}]
    if not found:
        known = ", ".join(gate.id for gate in scene.judgement.gates) or "none"
        raise UseError(f"this bundle decides no gate or stage {selector}; its gates are {known}")
    return found


def _head(gate: GateDecision, verdicts: Sequence[CriterionVerdict], scene: _Scene) -> list[Line]:
    """A gate's decision, what it promises, what it rests on, and what was to be decided before it."""
    card = scene.cards.gate(gate.id)
    decision = Piece(words.decision_words(gate.decision), words.decision_style(gate.decision))
    lines = row([Piece(f" {gate.id} {gate.title}   ", "bold"), decision], [], scene.width, 0)
    told = [
        ("promise", [Piece(card.objective)]),
        ("owner", [Piece(gate.owner)]),
        ("criteria", [Piece(words.count_words(verdicts))]),
        ("capped", [Piece("; ".join(gate.capped), "yellow")]),
        ("before it", [_entry(one, scene) for one in card.entry]),
        ("control", [Piece(f"none: {card.no_control}" if card.no_control else "")]),
        *_target(scene),
    ]
    if scene.judgement.partial:
        told.append(("partial", [Piece(words.partial_words(scene.judgement), "yellow bold")]))
    return [*lines, *_fields(told, scene.width)]


def _target(scene: _Scene) -> list[tuple[str, list[Piece]]]:
    """What the run was made on; faults that it was started with stand out."""
    if scene.start is None:
        return []
    return [("target", [Piece(words.target_words(scene.start), "red bold" if scene.start.target.faults else "")])]


def _entry(gate: str, scene: _Scene) -> Piece:
    """What is known of a gate that had to be decided before: it changes no verdict, and says what blocks."""
    found = next((one for one in scene.judgement.gates if one.id == gate), None)
    if found is None:
        return Piece(f"{gate} not in this run")
    passed = found.decision in {Decision.GO, Decision.CONDITIONAL_GO}
    return Piece(f"{gate} {words.decision_words(found.decision)}", "" if passed else "red")


def _missing(gates: Sequence[GateDecision], scene: _Scene) -> list[Line]:
    judged = {one.id for one in scene.judgement.criteria}
    asked = [one for gate in scene.plan.gates if gate.id in {one.id for one in gates} for one in gate.criteria]
    gone = [one.id for one in asked if one.id not in judged]
    if not gone:
        return []
    told = f"registered in the bar and missing from the judgement: {', '.join(gone)}"
    return _fields([("no verdict", [Piece(told, "red")])], scene.width)


def _criterion(scene: _Scene, verdict: CriterionVerdict) -> list[Line]:
    """Everything about one criterion, a field a line."""
    word = words.verdict_words(verdict, scene.judgement.target)
    lead = [Piece(f" {verdict.id}   ", "bold"), Piece(word, words.verdict_style(verdict))]
    told = [
        ("promise", [Piece(scene.cards.criterion(verdict.id).promise)]),
        (
            "why",
            [
                Piece(
                    ""
                    if verdict.verdict is Verdict.PASS
                    else words.reason_words(verdict, beside=verdict.limits, requirement=False)
                )
            ],
        ),
        *_limits(verdict),
        ("beside it", [Piece(", ".join(verdict.qualifiers))]),
        ("attempts", [Piece(verdict.attempts.removeprefix("attempts "))]),
        *_asked(verdict, scene),
        *_owed(verdict, scene),
        *_sources(verdict, scene),
    ]
    return [*row(lead, [], scene.width, 0), *_fields(told, scene.width)]


def _limits(verdict: CriterionVerdict) -> list[tuple[str, list[Piece]]]:
    several = len({limit.where for limit in verdict.limits}) > 1
    fields: list[tuple[str, list[Piece]]] = []
    for limit in words.by_concern(verdict.limits):
        confidence = confidence_text(limit)
        pieces = [Piece(text) for text in words.limit_words(limit, where=several) if text != limit.limit]
        pieces += [Piece(f"at {confidence} confidence")] if confidence else []
        pieces += [Piece(counted(limit.warm_up, "warm-up sample") + " left out")] if limit.warm_up else []
        outcome = limit.verdict.value + (f" [{limit.reason}]" if limit.reason else "")
        fields.append(("limit", [Piece(limit.limit, "bold"), Piece(outcome), *pieces]))
    return fields


def _asked(verdict: CriterionVerdict, scene: _Scene) -> list[tuple[str, list[Piece]]]:
    """What the bar asks of the environment, where that is what is missing."""
    bar = next((one for one in scene.plan.criteria() if one.id == verdict.id), Criterion(id=verdict.id))
    return [
        ("requires", [Piece(verdict.requirement or bar.requires or "")]),
        ("fidelity", [Piece(verdict.fidelity or bar.fidelity or "")]),
        ("control", [Piece(f"must {bar.control.verdict} under {bar.control.fault}" if bar.control else "")]),
    ]


def _owed(verdict: CriterionVerdict, scene: _Scene) -> list[tuple[str, list[Piece]]]:
    debt = next((one for one in scene.judgement.debts if one.criterion == verdict.id), None)
    if debt is None:
        return []
    said = "" if debt.evidence == verdict.sentence else debt.evidence
    probes = [("probe", [Piece(line)]) for line in said.splitlines() if line.strip()]
    return [*probes[:_TESTS_SHOWN], ("owed by", [Piece(_owner(debt, scene))])]


def _owner(debt: Debt, scene: _Scene) -> str:
    due = debt.due or scene.cards.due(debt.criterion)
    return f"{debt.owner or scene.cards.owner(debt.criterion) or 'nobody'}, " + (f"due {due}" if due else "no due gate")


def _sources(verdict: CriterionVerdict, scene: _Scene) -> list[tuple[str, list[Piece]]]:
    """Where to look: the tests, the raw samples, the text of the criterion."""
    card, gate = scene.cards.criterion(verdict.id), scene.cards.gate(verdict.gate)
    files = [f"{scene.path.rstrip('/')}/{one}" if scene.path else one for one in scene.files.get(verdict.id, ())]
    text = gate.source + (f":{card.line}" if card.line else "") if gate.source else ""
    return [
        *_several("test", verdict.tests),
        *_several("document" if words.is_examined(verdict.id, scene.plan) else "samples", files),
        ("text", [Piece(text)]),
    ]


def _several(label: str, names: Sequence[str]) -> list[tuple[str, list[Piece]]]:
    fields = [(label, [Piece(name)]) for name in names[:_TESTS_SHOWN]]
    more = len(names) - _TESTS_SHOWN
    return [*fields, ("", [Piece(f"and {more} more")])] if more > 0 else fields


def _next(verdicts: Sequence[CriterionVerdict], scene: _Scene) -> list[Line]:
    """The command to run next, for the worst of what is left, and how to check what there is."""
    fields = []
    if verdicts:
        worst = verdicts[0]
        gate = next((one for one in scene.judgement.gates if one.id == worst.gate), None)
        own, command = words.next_command(worst, scene.plan, gate.stage if gate else "", scene.path or "BUNDLE")
        lesser = words.needs_fidelity(worst)
        step = own or (f"on a {worst.fidelity} target, run" if lesser else _STEPS[worst.verdict])
        fields.append(("next", [Piece(f"{step}:"), Piece(command, "bold")]))
    if scene.path:
        fields.append(("check it", [Piece(f"spiral verify {scene.path}", "bold")]))
    return [Line(), *_fields(fields, scene.width)] if fields else []


def _fields(fields: Sequence[tuple[str, list[Piece]]], width: int) -> list[Line]:
    """Lines of label and text; a label stands once where the same one follows."""
    lines: list[Line] = []
    before = ""
    for label, pieces in fields:
        body = [piece for piece in pieces if piece.text]
        if body:
            lines += row([Piece("   " + ("" if label == before else label))], body, width, _INDENT)
            before = label
    return lines
