"""The selftest of a bar: made-up evidence that is sound must pass, and with any defect in it must not.

For each criterion of a plan, sound evidence is made up, and from it evidence with one defect each, of a fixed
catalogue. The judge that judges runs judges all of it. What comes of it is a certificate: criteria by defects. It is a
pure function of the plan, so that a verifier can make it again.
"""

from collections.abc import Iterator
from typing import Final

from pytest_spiral.model.gate import Criterion, Plan
from pytest_spiral.model.judgement import CriterionVerdict, Judgement
from pytest_spiral.model.selftest import Certificate, CriterionProof, Miss
from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.canonical import canonical_bytes, digest
from pytest_spiral.rules.judge import judge
from pytest_spiral.rules.selftest import controls, documents, ends, pairs, samples, surroundings, times
from pytest_spiral.rules.selftest.defect import Broken, Defect
from pytest_spiral.rules.selftest.scene import Scene
from pytest_spiral.rules.selftest.sound import MOST_TRIED, VOUCHED, events_of, scaled, size_of, stage, tests_of

DEFECTS: Final[tuple[Defect, ...]] = (
    *samples.DEFECTS,
    *times.DEFECTS,
    *pairs.DEFECTS,
    *ends.DEFECTS,
    *surroundings.DEFECTS,
    *controls.DEFECTS,
    *documents.DEFECTS,
)
"""The catalogue, in the order of the certificate. Changing what one of them makes is a new `CATALOGUE`."""

_MOST_WORK: Final = 40_000
_MOST_CRITERIA: Final = 1_000
_LEAST_WORK: Final = 50
_OWN: Final = frozenset({*(one.id for one in (*ends.DEFECTS, *controls.DEFECTS, *surroundings.DEFECTS))})
"""Defects that apply to a control too, which has no samples of its own but those under its fault."""

_EXAMINED: Final = frozenset(
    {*(one.id for one in documents.DEFECTS), "requirement-unmet", "requirement-unknown", "gate-missing", "narrowed"}
)
"""Defects that apply to a document that a person examines, for which no test has to run."""

_BROKEN: Final = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError)
_BLOCKING: Final = frozenset({Verdict.FAIL, Verdict.INVALID, Verdict.INCONCLUSIVE, Verdict.NOT_RUN})


def selftest(plan: Plan, only: frozenset[str] | None = None) -> Certificate:
    """Try every criterion of a plan, or those named. Pure; some twenty milliseconds a criterion.

    A plan is tried as far as `_MOST_WORK` goes, in its order, so that no plan can keep a verifier busy for long.
    """
    proofs: list[CriterionProof] = []
    work = 0
    chosen = [one for one in plan.criteria() if only is None or one.id in only]
    for one in chosen[:_MOST_CRITERIA]:
        own = _work(one, plan)
        fits = work + own <= _MOST_WORK
        work += own if fits else 0
        proofs.append(prove(one, plan) if fits else _untried(one, "trying it would take longer than a verifier waits"))
    proofs += [_untried(one, f"only {_MOST_CRITERIA:,} criteria are") for one in chosen[_MOST_CRITERIA:]]
    return Certificate(
        plan=digest(canonical_bytes(plan)),
        rules=plan.rules,
        defects=tuple(one.card for one in DEFECTS),
        criteria=tuple(proofs),
    )


def _work(criterion: Criterion, plan: Plan) -> int:
    """How much trying a criterion takes, in samples judged for each defect and limit."""
    bar = scaled(_measured(criterion, plan))[0]
    if criterion.planned or size_of(bar) > MOST_TRIED:
        return 0
    each = (size_of(bar) + bar.warm_up + _LEAST_WORK) * bar.consecutive * max(1, len(bar.limits)) ** 2
    return each * (tests_of(bar) if len(bar.limits) > 1 else 1)


def prove(criterion: Criterion, plan: Plan) -> CriterionProof:
    """Try one criterion of a plan with every defect of the catalogue."""
    if criterion.planned:
        return CriterionProof(id=criterion.id, state="waits", sentence="planned, so nothing judges it yet")
    bar, how = scaled(_measured(criterion, plan))
    if size_of(bar) > MOST_TRIED or events_of(bar) > MOST_TRIED:
        what = "samples" if size_of(bar) > MOST_TRIED else "events"
        return _untried(criterion, f"it takes more than {MOST_TRIED:,} {what} to be proven")
    try:
        scene = stage(criterion, plan)
        judgement = judge(scene.evidence, level=VOUCHED, trust=scene.trust)
    except _BROKEN as error:  # UnsoundError among them; of the others, none is expected, and none may end a run
        return CriterionProof(id=criterion.id, state="unsound", scaled=how, sentence=f"{str(error).removesuffix('.')}.")
    verdict = _verdict(judgement, criterion)
    if verdict.original is not Verdict.PASS or (criterion.level == "blocker" and not judgement.permission):
        sentence = f"sound evidence comes out as {verdict.original} ({verdict.reason}): {verdict.sentence}"
        return CriterionProof(id=criterion.id, state="unsound", scaled=how, sentence=sentence)
    note = "" if verdict.verdict is Verdict.PASS else f"at best {verdict.verdict}: {verdict.sentence}"
    return _try_all(scene, how, note)


def _measured(criterion: Criterion, plan: Plan) -> Criterion:
    """The criterion whose samples are made up: for a control, the one that it guards."""
    rule = criterion.control
    if rule is None:
        return criterion
    return next((one for one in plan.criteria() if one.id == rule.of), criterion)


def _untried(criterion: Criterion, why: str) -> CriterionProof:
    return CriterionProof(id=criterion.id, state="untried", sentence=f"not tried: {why}")


def _try_all(scene: Scene, how: str, note: str) -> CriterionProof:
    caught: list[str] = []
    missed: list[Miss] = []
    tried = 0
    for defect in DEFECTS:
        outcomes = [_judged(defect, broken, scene) for broken in _variants(defect, scene)]
        misses = [one for one in outcomes if one is not None]
        tried += len(outcomes)
        missed += misses
        if outcomes and not misses:
            caught.append(defect.id)
    return CriterionProof(
        id=scene.criterion.id,
        state="blind" if missed else "proven",
        sentence=f"{len(missed)} of {tried} pieces of defective evidence came through" if missed else note,
        scaled=how,
        tried=tried,
        caught=tuple(caught),
        missed=tuple(missed),
    )


def _variants(defect: Defect, scene: Scene) -> Iterator[Broken]:
    only = _EXAMINED if scene.criterion.method == "examine" else _OWN if scene.criterion.control is not None else None
    if only is None or defect.id in only:
        yield from defect.make(scene)


def _judged(defect: Defect, broken: Broken, scene: Scene) -> Miss | None:
    """None where the defect was caught: no more is left of a pass, and of a permission, than it leaves.

    A judge that breaks on what it should refuse has not caught it.
    """
    criterion = scene.criterion
    try:
        judgement = judge(broken.evidence, level=VOUCHED, trust=scene.trust)
    except _BROKEN as error:
        return Miss(defect=defect.id, where=broken.where, verdict=f"{type(error).__name__}: {error}")
    verdict = _verdict(judgement, criterion)
    limited = defect.leaves == "condition" and verdict.verdict is Verdict.ENVIRONMENT_LIMITED
    stands = defect.leaves in ("no-decision", "cap") or limited or verdict.verdict in _expected(defect, criterion)
    if stands and judgement.permission <= int(limited or defect.leaves == "cap"):
        return None
    shown = f"{verdict.verdict}, {judgement.decision}"
    return Miss(defect=defect.id, where=broken.where, verdict=shown)


def _expected(defect: Defect, criterion: Criterion) -> frozenset[Verdict]:
    """Verdicts that catch a defect: the one that the rules name for it; in a row of runs a broken one breaks the row."""
    if defect.verdict is None or criterion.consecutive > 1:
        return _BLOCKING
    return frozenset({defect.verdict})


def _verdict(judgement: Judgement, criterion: Criterion) -> CriterionVerdict:
    return next(one for one in judgement.criteria if one.id == criterion.id)
