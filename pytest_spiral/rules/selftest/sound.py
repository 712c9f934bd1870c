"""Sound evidence, made up: everything that a criterion declares is delivered, and every figure is inside its limit."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any, Final

import msgspec

from pytest_spiral.model.attestation import Level
from pytest_spiral.model.evidence import BundleStart, Evidence, Inventory, InventoryItem, Scope, TargetCard
from pytest_spiral.model.examination import SIGNOFF, Examination, ExaminationStatement
from pytest_spiral.model.fidelity import Fidelity
from pytest_spiral.model.gate import Criterion, Gate, Limit, Plan
from pytest_spiral.model.measurement import Measurement, Sample
from pytest_spiral.model.profile import Fact, profile_of
from pytest_spiral.model.record import (
    Attached,
    Challenge,
    ControlClosed,
    ControlOpened,
    DocumentSeen,
    RunClosed,
    RunOpened,
    SubjectSeen,
    Test,
)
from pytest_spiral.model.trust import ED25519, TrustedKey, TrustRoot
from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.criteria import criterion_faults
from pytest_spiral.rules.judge import judge
from pytest_spiral.rules.limits import bound_of
from pytest_spiral.rules.selftest.facts import STATED, facts_for
from pytest_spiral.rules.selftest.recipes import UnsoundError, recipes_of
from pytest_spiral.rules.selftest.scene import Recipe, Scene, failed
from pytest_spiral.rules.selftest.tails import too_many
from pytest_spiral.rules.times import told
from pytest_spiral.rules.units import UnitError, decimal_text, parse_quantity

MOST_SAMPLES: Final = 100
"""A plan of more samples is made as small as this, or as small as it can still be proven: the rules are the same."""

VOUCHED: Final[Level] = "E3"
"""The level at which made-up evidence is judged: a pass that lacks a signature only would hide that it is one."""

MOST_TRIED: Final = 5_000
"""A plan that takes more samples, or events, to be proven at all is not tried: it would take longer than the run."""

_MOST_EACH: Final = 10
"""As many samples, and as many tests, where each of a number of bound tests takes samples too."""

_MOST_WARM: Final = 20
_MOST_BLOCKS: Final = 40
_MOST_RUNS: Final = 4
_FILE: Final = "selftest.py"
_NONCE: Final = "5e1f7e57"
_KEYID: Final = f"SHA256:{'A' * 43}"


def scaled(criterion: Criterion) -> tuple[Criterion, str]:
    """The criterion with a plan small enough to be tried many times, and how it was made so (empty: it was not)."""
    bar = msgspec.structs.replace(
        criterion,
        warm_up=min(criterion.warm_up, _MOST_WARM),
        blocks=min(criterion.blocks, _MOST_BLOCKS),
        consecutive=min(criterion.consecutive, _MOST_RUNS),
    )
    most = _MOST_EACH if tests_of(bar) > 1 and len(bar.limits) > 1 else MOST_SAMPLES
    while most < min(size_of(bar), 2 * MOST_TRIED):
        smaller = _with_plan(bar, most)
        if not any(criterion_faults(smaller)) and (_can_fail(smaller) or not _can_fail(bar)):
            bar = smaller
            break
        most *= 2
    bar = _over_less(bar)
    changes = [
        f"{what} {now} for {was}"
        for what, now, was in (
            ("samples", size_of(bar), size_of(criterion)),
            ("warm-up", bar.warm_up, criterion.warm_up),
            ("blocks", bar.blocks, criterion.blocks),
            ("runs", bar.consecutive, criterion.consecutive),
            ("exposure", bar.exposure, criterion.exposure),
        )
        if now != was
    ]
    return bar, ", ".join(changes)


def size_of(criterion: Criterion) -> int:
    """How many samples its largest limit takes, in one run."""
    return max((criterion.plan_of(limit) or 0 for limit in criterion.limits), default=0)


def events_of(criterion: Criterion) -> Fraction:
    """How many events a rate of them comes to at its limit, over the exposure; the largest.

    0 where the exposure is not of the kind that the limit is per: that is a fault of its own.
    """
    try:
        exposure = parse_quantity(criterion.exposure or "0")
        rates = [bound_of(one, f"per {exposure.unit}") for one in criterion.limits if one.statistic == "count-rate"]
    except UnitError:
        return Fraction(0)
    return max(rates, default=Fraction(0)) * exposure.number


def _over_less(bar: Criterion) -> Criterion:
    """The criterion with its events counted over less, in powers of ten, where very many would come and less will do."""
    smaller = bar
    while events_of(smaller) > MOST_TRIED:
        exposure = parse_quantity(smaller.exposure or "0")
        less = f"{decimal_text(exposure.number / 10)} {exposure.unit}"
        smaller = msgspec.structs.replace(smaller, exposure=less)
    return bar if any(criterion_faults(smaller)) else smaller


def _with_plan(criterion: Criterion, most: int) -> Criterion:
    limits = tuple(
        msgspec.structs.replace(one, samples=None if one.samples is None else min(one.samples, most))
        for one in criterion.limits
    )
    samples = None if criterion.samples is None else min(criterion.samples, most)
    return msgspec.structs.replace(criterion, limits=limits, samples=samples)


def _can_fail(criterion: Criterion) -> bool:
    """Whether each limit on failures is on fewer than there are samples: a smaller plan must not be kept always."""
    return all(bound_of(one) < (criterion.plan_of(one) or 1) for one in criterion.limits if one.statistic == "failures")


def stage(criterion: Criterion, plan: Plan) -> Scene:
    """Sound evidence of a criterion of a plan, with that of its controls; raises UnsoundError where none can be made."""
    if criterion.method == "examine":
        return _stage_examined(criterion)
    if criterion.control is not None:
        return _stage_control(criterion, plan)
    guards = [one for one in plan.criteria() if one.control is not None and one.control.of == criterion.id]
    return replace(_stage_plain(scaled(criterion)[0]), controls=tuple(_stage_control(one, plan) for one in guards))


def _stage_plain(bar: Criterion) -> Scene:
    recipes = recipes_of(bar)
    tests = [f"{_FILE}::test_{at}" for at in range(tests_of(bar))]
    runs = [f"main-{at + 1}" for at in range(bar.consecutive)] if bar.consecutive > 1 else [""]
    samples = {name: recipe.samples() for name, recipe in recipes.items()}
    evidence = _evidence(
        (bar,),
        inventory=Inventory(items=tuple(InventoryItem(id=test, criteria=(bar.id,)) for test in tests)),
        tests=tuple(Test(id=test, criteria=(bar.id,)) for test in tests),
        measurements=tuple(
            _measurement(recipe, f"{bar.id}/{at}-{run}-{recipe.name}", test, run, bar.id, samples[recipe.name])
            for at, test in enumerate(tests)
            for run in runs
            for recipe in recipes.values()
        ),
        runs_opened=tuple(RunOpened(run=run, test=tests[0], criteria=(bar.id,)) for run in runs if run),
        runs_closed=tuple(RunClosed(run=run, outcome="closed") for run in runs if run),
    )
    return Scene(bar, evidence, recipes)


def _stage_examined(criterion: Criterion) -> Scene:
    """A document that lies there as its signer has signed it, and a trust root that knows their key."""
    name, signer = criterion.document or "", criterion.signer or ""
    kept = Attached(path="attachments/examined", name=name, media_type="", bytes=0, sha256=f"sha256:{'0' * 64}")
    statement = ExaminationStatement(
        criterion=criterion.id,
        document=name,
        bytes=kept.bytes,
        sha256=kept.sha256,
        signer=signer,
        examined=told(0),
    )
    seen = DocumentSeen(
        criterion=criterion.id,
        document=name,
        path=kept.path,
        bytes=kept.bytes,
        sha256=kept.sha256,
        statement="made up",
        signature="made up",
    )
    key = TrustedKey(keyid=_KEYID, kind=ED25519, public="", principals=(signer,), roles=(SIGNOFF,))
    evidence = _evidence(
        (criterion,),
        inventory=Inventory(),
        attached=(kept,),
        examinations=(Examination(seen=seen, statement=statement, keyid=_KEYID),),
    )
    return Scene(criterion, evidence, trust=TrustRoot(keys=(key,)))


def tests_of(bar: Criterion) -> int:
    """How many tests claim it: as many as its `all-pass` declares, else one."""
    planned = [bar.plan_of(limit) or 1 for limit in bar.limits if limit.statistic == "all-pass"]
    return planned[0] if planned else 1


def _measurement(  # noqa: PLR0913, PLR0917 - a measurement is described by that much
    recipe: Recipe, file: str, test: str, run: str, criterion: str, samples: tuple[Sample, ...]
) -> Measurement:
    return Measurement(
        file=f"{file}.jsonl",
        name=recipe.name,
        unit=recipe.unit,
        test=test,
        criteria=(criterion,),
        samples=samples,
        run=run,
        planned=recipe.size,
        clock="monotonic" if recipe.kind == "timed" else "none",
    )


def _evidence(criteria: tuple[Criterion, ...], **records: Any) -> Evidence:
    """A finished run whose target, subjects and machine are what the criteria ask for."""
    facts = _facts(criteria)
    target = TargetCard(
        name="made-up",
        fidelity=max((Fidelity(one.fidelity or "sandbox") for one in criteria), key=lambda level: level.rank),
        facts={"clock.trusted": True, **_stated(facts)},
    )
    plan = Plan(gates=(Gate(id=criteria[0].gate, stage="", criteria=criteria),))
    machine = {one.name: one for one in facts if not one.name.startswith(STATED)}
    start = BundleStart(
        run="selftest",
        nonce=_NONCE,
        opened=0,
        plan="",
        target=target,
        scope=Scope(gates=(criteria[0].gate,)),
        profile=profile_of("selftest", machine),
        argv=(),
    )
    subjects = dict.fromkeys(name for one in criteria for name in one.subjects)
    seen = tuple(one for name in subjects for one in _seen(name, target.fidelity))
    return Evidence(bundle=start, plan=plan, subjects=seen, **records)


def _facts(criteria: Iterable[Criterion]) -> tuple[Fact, ...]:
    wanted = " and ".join(f"({one.requires})" for one in criteria if one.requires)
    facts = facts_for(wanted or None, "met")
    if facts is None:
        raise UnsoundError(f"no facts were found that meet {wanted}")
    return facts


def _stated(facts: Iterable[Fact]) -> dict[str, bool | int | float | str]:
    return {one.name: one.value for one in facts if one.name.startswith(STATED) and one.value is not None}


def _seen(name: str, registered: Fidelity) -> Iterator[SubjectSeen]:
    item = f"challenge-{_NONCE}"
    answers = {"item": item, "found": [f"item {_NONCE}"], "audited": [item]}
    for when in ("start", "end"):
        yield SubjectSeen(
            subject=name,
            when=when,
            identity=f"{name}-1",
            version="1",
            digest=f"sha256:{'0' * 64}",
            registered=registered,
            challenge=Challenge(kind="nonce-item", nonce=_NONCE, answers=answers),
        )


def _stage_control(criterion: Criterion, plan: Plan) -> Scene:
    """A guarded criterion that passes, and beside it its control, whose fault is found out as declared."""
    rule = criterion.control
    guarded = next((one for one in plan.criteria() if rule is not None and one.id == rule.of), None)
    if rule is None or guarded is None:
        raise UnsoundError("the criterion that it controls is not in the plan")
    base = _stage_plain(scaled(guarded)[0])
    for samples in _faulty(base):
        scene = under_fault(criterion, base, samples)
        if all(one.original is Verdict.PASS for one in judge(scene.evidence, level=VOUCHED).criteria):
            return scene
    raise UnsoundError(f"nothing measured under {rule.fault} was found that makes {rule.of} come out as {rule.verdict}")


def under_fault(criterion: Criterion, base: Scene, measurements: Iterable[Measurement]) -> Scene:
    """The guarded criterion's evidence, and a control block in which these were measured."""
    rule = criterion.control
    if rule is None:
        raise UnsoundError(f"{criterion.id} is no control")
    test = f"{_FILE}::test_control"
    taken = tuple(
        msgspec.structs.replace(one, file=f"control/{one.name}.jsonl", test=test, run="", control=criterion.id)
        for one in measurements
    )
    known = base.evidence
    evidence = _evidence(
        (base.criterion, criterion),
        inventory=Inventory(items=(*known.inventory.items, InventoryItem(id=test, criteria=(criterion.id,)))),
        tests=(*known.tests, Test(id=test, criteria=(criterion.id,))),
        measurements=(*known.measurements, *taken),
        runs_opened=known.runs_opened,
        runs_closed=known.runs_closed,
        controls_opened=(ControlOpened(control=criterion.id, of=rule.of, fault=rule.fault, test=test),),
        controls_closed=(ControlClosed(control=criterion.id, test=test),),
    )
    return Scene(criterion, evidence, base.recipes)


def population(scene: Scene, limit: Limit) -> tuple[Measurement, ...]:
    """The sound measurements of the last run that feed a limit."""
    whole = [one for one in scene.evidence.measurements if one.name in limit.measurements and not one.control]
    return tuple(one for one in whole if (one.test, one.run) == (whole[-1].test, whole[-1].run))


def _faulty(base: Scene) -> Iterator[tuple[Measurement, ...]]:
    """What may be measured under a fault, plain failures first: one of them must come out as the control declares."""
    for limit, recipe, _ in base.fed():
        first, *others = population(base, limit)
        whole = [one for one in first.samples if not one.warm]
        few = too_many(base.criterion, limit, len(whole))
        for changed in (
            {one.n: recipe.spoilt(one, limit, far=True) for one in whole},
            {one.n: recipe.spoilt(one, limit) for one in whole[:few]},
            {one.n: failed(one) for one in whole[:1]},
            {one.n: msgspec.structs.replace(one, block=0) for one in whole},
        ):
            samples = tuple(changed.get(one.n, one) for one in first.samples)
            yield (msgspec.structs.replace(first, samples=samples), *others)
        yield (first, *(msgspec.structs.replace(one, samples=one.samples[:-1]) for one in others))
        yield (msgspec.structs.replace(first, name=first.name, unit="things", clock="virtual"), *others)
