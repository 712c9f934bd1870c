"""Judging: a pure function from the bar and the evidence to verdicts, decisions and debts."""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from pytest_spiral.model.attestation import Level
from pytest_spiral.model.evidence import Evidence
from pytest_spiral.model.gate import Gate, GateCard, Plan
from pytest_spiral.model.judgement import CriterionVerdict, Debt, GateDecision, Judgement, StageDecision
from pytest_spiral.model.trust import TrustRoot
from pytest_spiral.model.verdict import Decision, Verdict
from pytest_spiral.rules.combine import Standing, combine, combine_stage
from pytest_spiral.rules.examination import needs_no_test
from pytest_spiral.rules.judge.context import make_context
from pytest_spiral.rules.judge.criterion import judge_criterion
from pytest_spiral.rules.judge.finding import Finding, overruled
from pytest_spiral.rules.judge.recovery import demote_recovered, recovery_words
from pytest_spiral.rules.statistics import WORST_FIRST, Qualifier

__all__ = ["judge", "scope_of"]

_CAPPING = frozenset({str(Qualifier.SIMPLE_ACCEPTANCE), str(Qualifier.BAR_MOVED)})
_ALL_PROVEN: Final[Mapping[str, str]] = MappingProxyType({})
_ALL_FRESH: Final[Mapping[str, str]] = MappingProxyType({})
_HOPEFUL: Final = (Verdict.PASS, Verdict.ENVIRONMENT_LIMITED, Verdict.INCONCLUSIVE)


def judge(
    evidence: Evidence,
    unproven: Mapping[str, str] = _ALL_PROVEN,
    level: Level = "E0",
    stale: Mapping[str, str] = _ALL_FRESH,
    trust: TrustRoot | None = None,
) -> Judgement:
    """Judge everything in scope.

    `unproven` has criteria that the bar's selftest could not prove, or could not make to fail, each with the reason:
    they are invalid unless something worse is known of them. `level` is the level of assurance that was proven of the
    evidence: what a run writes of itself is judged at E0, since nobody has signed it yet. `stale` has criteria of which
    an input has changed since, each with what changed: they count as not run. `trust` says whose signatures on examined
    documents count. What a run writes of itself knows of neither. Pure: the same evidence gives the same value, byte
    for byte once written canonically, on any machine at any time.
    """
    context = make_context(evidence, level, trust)
    gates = scope_of(evidence)
    verdicts = _guarded([judge_criterion(one, context) for gate in gates for one in gate.criteria], evidence.plan)
    verdicts = [_unproven(one, unproven[one.id]) if one.id in unproven else one for one in verdicts]
    verdicts = demote_recovered(verdicts, evidence)
    verdicts = [_stale(one, stale[one.id]) if one.id in stale else one for one in verdicts]
    partial = bool(evidence.bundle.scope.narrowed)
    decisions = tuple(_decide(gate, verdicts, evidence, partial=partial) for gate in gates)
    whole = () if evidence.bundle.scope.gates else gates  # a stage is decided by all of its gates or not at all
    stages = _stages(whole, decisions, verdicts, partial=partial)
    decision = None if partial else combine_stage([*_not_there(evidence), *_decided(decisions)])
    return Judgement(
        run=evidence.bundle.run,
        plan=evidence.bundle.plan,
        rules=evidence.plan.rules,
        target=evidence.bundle.target.name,
        partial=partial,
        decision=decision,
        permission=decision.permission if decision else 0,
        criteria=tuple(verdicts),
        gates=decisions,
        stages=stages,
        debts=_debts(verdicts, evidence),
        counts=_counts(str(one.verdict) for one in verdicts),
        tests=_counts(one.raised or "passed" for one in evidence.tests),
        log="local" if context.history is not None and not context.history.faults else "none",
        recovered=recovery_words(evidence),
    )


def scope_of(evidence: Evidence) -> tuple[Gate, ...]:
    """The gates that this run set out to decide: those named, else those of which the inventory or a record tells.

    Of a gate of nothing but documents no test tells, so that it is in every run that names no other.
    """
    scope, plan = evidence.bundle.scope, evidence.plan
    if scope.gates or scope.stages:
        return tuple(
            gate
            for gate in plan.gates
            if (not scope.gates or gate.id in scope.gates) and (not scope.stages or gate.stage in scope.stages)
        )
    claimed = {name.partition(".")[0] for name in _told(evidence)}
    return tuple(gate for gate in plan.gates if gate.id in claimed or needs_no_test(gate))


def _told(evidence: Evidence) -> Iterator[str]:
    """Every criterion that a selected test or any record names: taking one of them away takes no gate out of scope."""
    for item in evidence.inventory.items:
        yield from item.criteria if item.selected else ()
    yield from (name for one in evidence.tests for name in one.criteria)
    yield from (name for one in evidence.measurements for name in one.criteria)
    yield from (name for one in evidence.runs_opened for name in one.criteria)
    yield from (one.control for one in evidence.controls_opened)


def _not_there(evidence: Evidence) -> tuple[Decision, ...]:
    """A stage or gate that was named, and of which the plan has nothing, can be decided on nothing."""
    scope, plan = evidence.bundle.scope, evidence.plan
    missing = set(scope.gates) - {gate.id for gate in plan.gates}
    missing |= set(scope.stages) - {gate.stage for gate in plan.gates}
    return (Decision.NOT_EVALUABLE,) if missing else ()


def _decided(decisions: Iterable[GateDecision]) -> list[Decision]:
    return [one.decision for one in decisions if one.decision is not None]


def _guarded(verdicts: list[CriterionVerdict], plan: Plan) -> list[CriterionVerdict]:
    """A control that did not fail makes the criterion it guards invalid: its check was shown to be blind."""
    found = {one.id: one for one in verdicts}
    blind: dict[str, CriterionVerdict] = {}
    for one in verdicts:
        rule = plan.criterion(one.id).control
        if rule is not None and rule.of in found and _is_blind(one, found[rule.of]):
            blind[rule.of] = one
    return [_invalid(one, blind[one.id]) if one.id in blind else one for one in verdicts]


def _is_blind(control: CriterionVerdict, guarded: CriterionVerdict) -> bool:
    """Whether the control shows nothing; one that is advisory blocks nothing by itself, so it must pass."""
    if control.level == "advisory" and guarded.level == "blocker":
        return control.verdict is not Verdict.PASS
    return control.reason == "control-did-not-fail"


def _invalid(one: CriterionVerdict, control: CriterionVerdict) -> CriterionVerdict:
    sentence = f"its control {control.id} did not fail, so this check could not have failed: {control.sentence}"
    return overruled(one, Finding(Verdict.INVALID, "control-did-not-fail", sentence))


def _unproven(one: CriterionVerdict, why: str) -> CriterionVerdict:
    """A check that no evidence can pass, or that lets a defect through, proves nothing."""
    if one.verdict not in _HOPEFUL:
        return one
    sentence = f"the selftest of its bar does not hold: {why}"
    return overruled(one, Finding(Verdict.INVALID, "unproven", sentence), original=True)


def _stale(one: CriterionVerdict, why: str) -> CriterionVerdict:
    """What was shown of other bytes shows nothing of these; what was invalid stays so."""
    marked = msgspec.structs.replace(one, qualifiers=(*one.qualifiers, str(Qualifier.STALE)))
    if one.verdict in (Verdict.INVALID, Verdict.NOT_RUN, Verdict.INAPPLICABLE):
        return marked
    return overruled(marked, Finding(Verdict.NOT_RUN, "stale", why))


def _blockers(gate: Gate, verdicts: Iterable[CriterionVerdict]) -> list[CriterionVerdict]:
    return [one for one in verdicts if one.gate == gate.id and one.level == "blocker"]


def _decide(gate: Gate, verdicts: list[CriterionVerdict], evidence: Evidence, *, partial: bool) -> GateDecision:
    blockers = _blockers(gate, verdicts)
    capped = tuple(one.id for one in blockers if _CAPPING & set(one.qualifiers))
    cards: dict[str, GateCard] = {card.id: card for card in evidence.bundle.gates}
    card = cards.get(gate.id)
    decision = None if partial else combine(map(_standing, blockers), capped=bool(capped))
    return GateDecision(
        id=gate.id,
        title=card.title if card else "",
        owner=card.owner if card else "",
        stage=gate.stage,
        decision=decision,
        capped=capped,
    )


def _standing(one: CriterionVerdict) -> Standing:
    """A pass below the fidelity asked for is a pass, on a lesser subject; anything else is what it is."""
    below = one.verdict is Verdict.ENVIRONMENT_LIMITED and one.original is Verdict.PASS
    return Standing(one.original if below else one.verdict, below_fidelity=below)


def _stages(
    gates: tuple[Gate, ...], decisions: tuple[GateDecision, ...], verdicts: list[CriterionVerdict], *, partial: bool
) -> tuple[StageDecision, ...]:
    found = []
    for stage in dict.fromkeys(gate.stage for gate in gates if gate.stage):
        own = _decided(one for one in decisions if one.stage == stage)
        blockers = [one for gate in gates if gate.stage == stage for one in _blockers(gate, verdicts)]
        standing = [one for one in blockers if one.verdict not in (Verdict.PASS, Verdict.INAPPLICABLE)]
        weakest = min(standing, key=lambda one: WORST_FIRST.index(one.verdict), default=None)
        decision: Decision | None = None if partial else combine_stage(own)
        found.append(StageDecision(id=stage, decision=decision, weakest=weakest.id if weakest else ""))
    return tuple(found)


def _debts(verdicts: list[CriterionVerdict], evidence: Evidence) -> tuple[Debt, ...]:
    """A blocker not judged for lack of environment is owed: by whom, until which gate, since when."""
    cards = {one.id: one for card in evidence.bundle.gates for one in card.criteria}
    return tuple(
        Debt(
            criterion=one.id,
            requirement=one.requirement or f"fidelity {one.fidelity}",
            cause=one.cause or "environment",
            evidence=one.sentence,
            owner=cards[one.id].owner if one.id in cards else "",
            due=cards[one.id].due if one.id in cards else "",
            since=evidence.bundle.opened,
        )
        for one in verdicts
        if one.verdict is Verdict.ENVIRONMENT_LIMITED and one.level == "blocker"
    )


def _counts(words: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for word in words:
        found[word] = found.get(word, 0) + 1
    return dict(sorted(found.items()))
