"""Attempts that fill one plan together: their samples in the ledger's order, judged once, when the plan is full.

Source: statistics.md, rules 1, 8 and 13. Pooled are only attempts that are equal in everything that could matter;
the others are judged apart, and the worst counts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec

from pytest_spiral.model.gate import Criterion, Limit
from pytest_spiral.model.judgement import CriterionVerdict, LimitVerdict
from pytest_spiral.model.measurement import Sample
from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.attempts import Attempt
from pytest_spiral.rules.judge.context import Context
from pytest_spiral.rules.judge.earlier import POOLED, attempts_before, carried, is_pooled, is_that
from pytest_spiral.rules.judge.finding import PASSED, Finding, broken_limits, overruled, worst
from pytest_spiral.rules.judge.limit import judged_of, limit_verdict, unjudgeable
from pytest_spiral.rules.judge.needs import judge_needs
from pytest_spiral.rules.judge.population import (
    Population,
    PopulationError,
    counted,
    is_whole,
    never_came,
    populations,
)
from pytest_spiral.rules.judge.subjects import shown_fidelity
from pytest_spiral.rules.statistics import Judged, Reason, settle_campaign

_KEPT = (Verdict.FAIL, Verdict.INVALID)


@dataclass(frozen=True, slots=True)
class _Part:
    """What one attempt has of one limit: its population, and everything that must be equal for it to be pooled.

    `lost` are the samples that it began or announced and did not take: they count against a pass and never for a fail.
    """

    key: bytes
    population: Population
    lost: int


def pool_attempts(
    shown: CriterionVerdict, criterion: Criterion, context: Context, findings: Sequence[Finding]
) -> CriterionVerdict | None:
    """The verdict of a criterion whose plan earlier attempts have begun to fill; None where there are none.

    `shown` is what this session alone says, with its `findings`. Each limit on a rate, a quantile or a mean is judged
    on the samples of all attempts; one that fails or is invalid by this session alone stays so. An attempt whose
    samples are not here, and one that is judged apart, count against a pass only.
    """
    before = attempts_before(criterion, context) if is_pooled(criterion, context) else ()
    if not before or not shown.limits:
        return None
    known = [(one, carried(criterion, one, context)) for one in before]
    wrong = [one for one, found in known if found is not None and not is_that(criterion, one, found, context)]
    if wrong:
        return _with(shown, [_broken(wrong)], shown.limits)
    contexts = [found.context for _, found in known if found is not None and _met(criterion, found.context)]
    mine = {(one.verdict, one.reason or str(one.verdict), one.sentence) for one in shown.limits}
    outside = [one for one in findings if (one.verdict, one.reason, one.sentence) not in mine]
    outside += _missing([one for one, found in known if found is None])
    limits: list[LimitVerdict] = []
    for limit in {one.text: one for one in criterion.limits}.values():
        told = [one for one in shown.limits if one.limit == limit.text]
        try:
            found, apart = _together(criterion, limit, told, (context, *contexts))
        except PopulationError as error:
            sentence = f"an earlier attempt cannot be judged: {error}"
            found, apart = told, [Finding(Verdict.INVALID, "earlier-unjudgeable", sentence)]
        limits += found
        outside += apart
    return _with(shown, outside, tuple(limits))


def _met(criterion: Criterion, context: Context) -> bool:
    """Whether an attempt was made where the criterion's requirement holds; elsewhere it proves nothing."""
    return criterion.requires is None or judge_needs([criterion.requires], context) is None


def _together(
    criterion: Criterion, limit: Limit, told: list[LimitVerdict], contexts: tuple[Context, ...]
) -> tuple[list[LimitVerdict], list[Finding]]:
    """The verdicts of a limit with the samples of all attempts, and what those say that are judged apart.

    `told` is what this session alone says; of `contexts` the first one is its own, the others are in the ledger's
    order. PopulationError where an earlier attempt's samples cannot be judged as they stand.
    """
    if limit.statistic not in POOLED or criterion.plan_of(limit) is None:
        return told, []
    own, *earlier = ([*_parts(criterion, limit, one)] for one in contexts)
    if len(own) != len(told):
        return told, []  # this session's samples could not be judged, which its own findings say
    trusted = contexts[0].clock_trusted
    limits = [
        verdict
        if verdict.verdict in _KEPT
        else _judge(criterion, limit, [*_alike(part.key, earlier), part], trusted=trusted)
        for part, verdict in zip(own, told, strict=True)
    ]
    keys = dict.fromkeys(one.key for parts in earlier for one in parts)
    others = [key for key in keys if key not in {one.key for one in own}]
    apart = [_judge(criterion, limit, _alike(key, earlier), trusted=trusted) for key in others]
    return limits, [_worse_apart(one) for one in apart if one.verdict is not Verdict.PASS]


def _parts(criterion: Criterion, limit: Limit, context: Context) -> Iterator[_Part]:
    """What one attempt has of a limit, one part for each of its tests."""
    measurements = context.own(criterion)
    for one in measurements:
        if not is_whole(one):
            raise PopulationError("samples-order", f"samples of {one.name} are missing or out of order")
    for population in populations(limit, measurements):
        lost = _lost(criterion, limit, population, ended=_ended(population, context))
        yield _Part(_key(criterion, population, context), population, lost)


def _ended(population: Population, context: Context) -> bool:
    """Whether the measurement and its test came to their end, so that no call was under way when they stopped."""
    first = population.first
    return first.closed and not first.raised and context.came_to_its_end(population.test)


def _lost(criterion: Criterion, limit: Limit, population: Population, *, ended: bool) -> int:
    """What was announced and never came, where fewer than the plan or more were announced; and what was under way.

    A session that announces the plan and takes a part of it leaves the rest to others. One that was cut short has lost
    the call that it was waiting for, which may be why it was cut short; on an open-loop schedule all that were left.
    """
    first, plan = population.first, criterion.plan_of(limit) or 0
    short = first.planned - sum(not one.warm for one in first.samples)
    open_loop = criterion.sampling == "open-loop"
    cut = 0 if ended else max(1, short) if open_loop else 1
    return max(never_came(first, criterion, limit), short if first.planned < plan else 0, cut)


def _key(criterion: Criterion, population: Population, context: Context) -> bytes:
    """Everything beside bar, subject and target that must be equal for samples to be pooled.

    A test's id holds what it was parametrised with, its transport for one.
    """
    start, first = context.evidence.bundle, population.first
    hardware = [(one.name, one.state, one.value, one.unit) for one in start.profile.hardware]
    return msgspec.json.encode(
        {
            "test": population.test,
            "run": population.run,
            "measured": (first.name, first.unit, first.clock),
            "target": start.target,
            "fidelity": shown_fidelity(criterion, context),
            "profile": (start.profile.name, hardware),
            "rules": (context.evidence.plan.rules, start.packages.get("pytest-spiral", "")),
        },
        order="deterministic",
    )


def _alike(key: bytes, attempts: Sequence[Sequence[_Part]]) -> list[_Part]:
    return [one for parts in attempts for one in parts if one.key == key]


def _judge(criterion: Criterion, limit: Limit, parts: Sequence[_Part], *, trusted: bool) -> LimitVerdict:
    """Judge what several attempts measured for one plan, in the ledger's order.

    The first samples fill the plan, which is judged once. Those beyond it come after: they can only worsen the result.
    """
    plan, populations = criterion.plan_of(limit) or 0, [one.population for one in parts]
    pieces = [counted(one.first, criterion, limit) for one in populations]
    lost = sum(one.lost for one in parts)
    samples, cold = _joined(pieces), msgspec.structs.replace(criterion, warm_up=0)  # warm-up was counted and left out
    whole = _population(populations, samples, plan, lost)

    def judge(part: Sequence[Sample], planned: int) -> Judged:
        population = whole if part is samples else _population(populations, part, planned, lost)
        return judged_of(cold, msgspec.structs.replace(limit, samples=planned), population, trusted=trusted)

    try:
        judged, shown = judge(samples[:plan], plan), whole
        if len(samples) > plan:
            first, shown = judged, _population(populations, samples[:plan], plan, lost)
            judged = settle_campaign(first, judge(samples, len(samples)), judge(samples[plan:], len(samples) - plan))
            if judged.reason == Reason.PLAN_SPENT and len(samples) - len(pieces[-1]) < plan:
                judged = replace(judged, reason=first.reason, qualifiers=first.qualifiers)  # judged now, not before
            if criterion.sequential is not None and judged.verdict is Verdict.PASS:
                judged = _still_passing(judged, judge(samples, len(samples)))
            shown = shown if judged.verdict is Verdict.PASS else whole
    except PopulationError as error:
        return unjudgeable(limit, error, whole)
    found = limit_verdict(cold, limit, judged, shown)
    told = f"{len(pieces)} attempts: {' + '.join(str(len(one)) for one in pieces)} samples for a plan of {plan}"
    told += f", {lost} lost" if lost else ""
    return msgspec.structs.replace(found, note="; ".join(one for one in (found.note, told) if one))


def _joined(pieces: Sequence[Sequence[Sample]]) -> tuple[Sample, ...]:
    """The samples of all attempts, numbered anew; blocks of different attempts are different blocks."""
    joined: list[Sample] = []
    blocks: dict[tuple[int, int], int] = {}
    for attempt, piece in enumerate(pieces):
        for one in piece:
            block = None if one.block is None else blocks.setdefault((attempt, one.block), len(blocks))
            joined.append(msgspec.structs.replace(one, n=len(joined), block=block))
    return tuple(joined)


def _population(taken: Sequence[Population], samples: Sequence[Sample], plan: int, lost: int) -> Population:
    """The samples as one measurement, with the coarsest clock among those they were taken with."""
    last = taken[-1]
    measurement = msgspec.structs.replace(
        last.first,
        samples=tuple(samples),
        count=len(samples),
        planned=max(len(samples), plan) + lost if lost else 0,
        resolution_ns=max(one.first.resolution_ns for one in taken),
    )
    return replace(last, measurements=(measurement,))


def _still_passing(first: Judged, pooled: Judged) -> Judged:
    """A sequential plan that passed passes on what was measured after it too, or attempts disagree."""
    if pooled.verdict is Verdict.PASS:
        return first
    return replace(pooled, verdict=Verdict.INCONCLUSIVE, reason=Reason.ATTEMPTS_DISAGREE, planned=first.planned)


def _worse_apart(one: LimitVerdict) -> Finding:
    said = f"{one.verdict} on what cannot be pooled with this run (another profile, fidelity, test, unit or version)"
    sentence = f"{said}: {one.sentence or one.limit}"
    if one.verdict is Verdict.FAIL:
        return Finding(one.verdict, "strata-judged-apart", sentence)
    return Finding(one.verdict, "stratum-not-proven", sentence)


def _missing(attempts: Sequence[Attempt]) -> list[Finding]:
    if not attempts:
        return []
    names = ", ".join(one.opened.run for one in attempts)
    sentence = (
        f"what {names} measured for the same plan is not here: put the bundle under the reports folder, "
        "or recover the run if it was killed"
    )
    return [Finding(Verdict.INCONCLUSIVE, str(Reason.ATTEMPT_MISSING), sentence)]


def _broken(attempts: Sequence[Attempt]) -> Finding:
    names = ", ".join(one.opened.run for one in attempts)
    return Finding(Verdict.INVALID, "earlier-broken", f"what it carries of {names} is not what the ledger registered")


def _with(shown: CriterionVerdict, outside: Sequence[Finding], limits: tuple[LimitVerdict, ...]) -> CriterionVerdict:
    """The verdict by these limits and by what stands beside them."""
    deciding = worst([*outside, *broken_limits(limits)]) or PASSED
    qualifiers = dict.fromkeys([*shown.qualifiers, *(word for one in limits for word in one.qualifiers)])
    pooled = msgspec.structs.replace(shown, qualifiers=tuple(qualifiers), limits=limits)
    return overruled(pooled, deciding, original=True)
