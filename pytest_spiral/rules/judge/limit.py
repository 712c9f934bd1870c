"""Judging one limit on one population."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypedDict

import msgspec

from pytest_spiral.model.gate import Criterion, Limit
from pytest_spiral.model.judgement import LimitVerdict
from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.criteria import CONFIDENT, confidence_of
from pytest_spiral.rules.judge.comparison import judge_pairs, judge_series
from pytest_spiral.rules.judge.population import (
    Population,
    PopulationError,
    block_sizes,
    both_sides,
    counted,
    events,
    failures,
    items,
    never_came,
    numbers,
    open_loop,
    outcomes,
    same,
)
from pytest_spiral.rules.judge.sentences import limit_note, limit_sentence
from pytest_spiral.rules.limits import COMPARED, bound_of
from pytest_spiral.rules.statistics import (
    Judged,
    Reason,
    Timing,
    independence_note,
    judge_count,
    judge_count_rate,
    judge_elapsed,
    judge_equality,
    judge_extreme,
    judge_failures,
    judge_mean,
    judge_quantile_values,
    judge_rate,
    judge_sequence,
)
from pytest_spiral.rules.statistics.arguments import is_failed
from pytest_spiral.rules.statistics.zones import refuse_population
from pytest_spiral.rules.units import Quantity, convert, parse_quantity

_PICTURE_POINTS = 200
_UNPLANNED = ("count", "count-rate", "duration")


@dataclass(frozen=True, slots=True)
class Case:
    """A limit to be judged: its criterion, the population, and whether time passed on a clock that nobody sets."""

    criterion: Criterion
    limit: Limit
    population: Population
    trusted: bool


def judge_limit(criterion: Criterion, limit: Limit, population: Population, *, trusted: bool) -> LimitVerdict:
    """Judge a limit on a population; what cannot be judged is invalid and says why.

    `trusted` says that durations were taken on a clock that nobody sets.
    """
    try:
        judged = judged_of(criterion, limit, population, trusted=trusted)
    except PopulationError as error:
        return unjudgeable(limit, error, population)
    return limit_verdict(criterion, limit, judged, population)


def judged_of(criterion: Criterion, limit: Limit, population: Population, *, trusted: bool) -> Judged:
    """What a limit's statistic says of a population; PopulationError for samples that cannot be judged."""
    return _judge_of(limit)(Case(criterion, limit, population, trusted))


def unjudgeable(limit: Limit, error: PopulationError, population: Population) -> LimitVerdict:
    """Samples that cannot be judged as they stand are invalid, and say why."""
    return LimitVerdict(
        limit=limit.text,
        statistic=limit.statistic,
        verdict=Verdict.INVALID,
        reason=error.reason,
        sentence=str(error),
        unit=limit.unit or "",
        where=population.where,
    )


def _judge_of(limit: Limit) -> Callable[[Case], Judged]:
    if limit.statistic not in _JUDGES:
        raise PopulationError("unknown-statistic", f"no rule judges {limit.statistic}")
    return _JUDGES[limit.statistic]


def limit_verdict(criterion: Criterion, limit: Limit, judged: Judged, population: Population) -> LimitVerdict:
    """The figures of a judged limit, as the summary keeps them."""
    samples = population.first.samples
    compared = population.measurements if limit.statistic in COMPARED else (population.first,)
    unlost = (*_UNPLANNED, "equal", *COMPARED)
    lost = 0 if limit.statistic in unlost else never_came(population.first, criterion, limit)
    qualifiers = tuple(judged.qualifiers) + _marginal(criterion, limit, judged)
    shown = LimitVerdict(
        limit=limit.text,
        statistic=limit.statistic,
        verdict=judged.verdict,
        reason=str(judged.reason or ""),
        value=_finite(judged.value),
        lower=_finite(judged.lower),
        upper=_finite(judged.upper),
        bound=_finite(judged.limit),
        unit=_unit(limit),
        samples=(judged.samples or 0) - lost,
        planned=None if limit.statistic in _UNPLANNED else _shown_plan(criterion, limit, lost),
        warm_up=sum(one.warm for one in samples),
        failed=sum(failures(one for one in side.samples if not one.warm) for side in compared),
        margin=_margin(judged) if criterion.sequential is None else None,
        confidence=criterion.confidence or "" if limit.statistic in CONFIDENT else "",
        where=population.where,
        qualifiers=qualifiers,
        picture=_picture(limit, population),
    )
    note = limit_note(criterion, limit, judged, population)
    return msgspec.structs.replace(shown, sentence=limit_sentence(shown, judged), note=note)


def _unit(limit: Limit) -> str:
    """Shares are shown as shares of 1, whatever the bound is written in."""
    return "1" if limit.statistic in ("rate", "mean") else limit.unit or ""


def _finite(number: Any) -> float | int | None:
    if number is None or (isinstance(number, float) and not math.isfinite(number)):
        return None
    if isinstance(number, Fraction) and number.denominator == 1:
        return int(number)
    return number if isinstance(number, int) else float(number)


def _margin(judged: Judged) -> float | int | None:
    if judged.limit is None or judged.direction is None:
        return None
    figure = judged.adverse_bound if judged.adverse_bound is not None else judged.value
    if figure is None or not math.isfinite(figure):
        return None
    distance = Fraction(figure) - judged.limit
    return _finite(distance if judged.direction == ">=" else -distance)


def _marginal(criterion: Criterion, limit: Limit, judged: Judged) -> tuple[str, ...]:
    """`marginal`: inside the limit, and outside the inner one that the margin draws."""
    if criterion.margin is None or judged.verdict is not Verdict.PASS or limit.unit is None:
        return ()
    margin = _margin(judged)
    wanted = parse_quantity(criterion.margin)
    unit = _unit(limit)
    return ("marginal",) if margin is not None and margin < convert(wanted.number, wanted.unit, unit) else ()


def _picture(limit: Limit, population: Population) -> tuple[float, ...]:
    """At most 200 values, sorted, evenly picked, in the limit's unit; empty where the statistic is not one of numbers."""
    if limit.statistic not in ("quantile", "min", "max", "mean") or limit.unit is None:
        return ()
    found = numbers((one for one in population.first.samples if not one.warm), population.first, _unit(limit))
    values = sorted(float(one) for one in found if not is_failed(one))
    if len(values) <= _PICTURE_POINTS:
        return tuple(values)
    step = (len(values) - 1) / (_PICTURE_POINTS - 1)
    return tuple(values[round(at * step)] for at in range(_PICTURE_POINTS))


def _planned(criterion: Criterion, limit: Limit, samples: int, lost: int) -> int | None:
    """The fixed plan, or what was announced beyond it; a census takes all there are, and at least as many as declared."""
    plan = criterion.plan_of(limit)
    return max(plan or 0, samples + lost) if criterion.census or lost else plan


def _shown_plan(criterion: Criterion, limit: Limit, lost: int) -> int | None:
    """What the population is told to be short of: with lost samples, what was announced."""
    plan = criterion.plan_of(limit)
    return plan if plan is None or not lost else plan + lost


class _Side(TypedDict, total=False):
    """The bound on the side that the comparison names."""

    at_least: Fraction
    at_most: Fraction


def _directed(limit: Limit, bound: Fraction) -> _Side:
    return {"at_least": bound} if limit.comparison == ">=" else {"at_most": bound}


def _quantile(case: Case) -> Judged:
    criterion, limit, population = case.criterion, case.limit, case.population
    measurement = population.first
    samples, lost = counted(measurement, criterion, limit), never_came(measurement, criterion, limit)
    unit = limit.unit or ""
    timed = any(one.ns is not None for one in samples)
    resolution = convert(Fraction(measurement.resolution_ns), "ns", unit) if timed else Fraction(0)
    blocks = block_sizes(samples, measurement) if criterion.blocks else None
    judged = judge_quantile_values(
        numbers(samples, measurement, unit),
        Fraction(Decimal(limit.quantile or "0")),
        **_directed(limit, bound_of(limit)),
        confidence=confidence_of(criterion),
        planned=_planned(criterion, limit, len(samples), lost),
        lost=lost,
        timing=Timing(resolution, blocks, criterion.sampling == "open-loop", open_loop(samples)),
    )
    return _in_blocks(criterion, judged, len({one.block for one in samples if one.block is not None}))


def _in_blocks(criterion: Criterion, judged: Judged, blocks: int) -> Judged:
    """A pass needs the declared number of blocks of fresh connections."""
    if criterion.blocks <= blocks or judged.verdict is not Verdict.PASS:
        return judged
    return replace(judged, verdict=Verdict.INCONCLUSIVE, reason=Reason.TOO_FEW_BLOCKS)


def _rate(case: Case) -> Judged:
    criterion, limit, population = case.criterion, case.limit, case.population
    hits, total = outcomes(counted(population.first, criterion, limit), population.first)
    lost = never_came(population.first, criterion, limit)
    if criterion.sequential is not None:
        return _sequential(case, parse_quantity(criterion.sequential), lost)
    judged = judge_rate(
        hits,
        total + lost,
        **_directed(limit, bound_of(limit, "1")),
        confidence=confidence_of(criterion),
        planned=_planned(criterion, limit, total, lost),
        lost=lost,
    )
    if judged.verdict is Verdict.INVALID:
        return judged
    failed = hits if limit.comparison == "<=" else total - hits
    return replace(judged, qualifiers=(*judged.qualifiers, *independence_note(failed)))


def _sequential(case: Case, design: Quantity, lost: int) -> Judged:
    """A rate judged after every sample, in the order taken; the declared samples are the most that there may be."""
    criterion, limit, population = case.criterion, case.limit, case.population
    samples = counted(population.first, criterion, limit)
    most = _planned(criterion, limit, len(samples), lost)
    refused = refuse_population(len(samples) + lost, most)
    if refused is not None:
        return refused
    judged = judge_sequence(
        [one.ok is True for one in samples],
        at_least=bound_of(limit, "1"),
        design=convert(design.number, design.unit, "1"),
        confidence=confidence_of(criterion) or Fraction(0),
        lost=lost,
        most=most,
    )
    failed = sum(one.ok is not True for one in samples)
    return replace(judged, qualifiers=(*judged.qualifiers, *independence_note(failed)))


def _mean(case: Case) -> Judged:
    criterion, limit, population = case.criterion, case.limit, case.population
    samples, lost = counted(population.first, criterion, limit), never_came(population.first, criterion, limit)
    return judge_mean(
        numbers(samples, population.first, "1"),
        **_directed(limit, bound_of(limit, "1")),
        confidence=confidence_of(criterion),
        planned=_planned(criterion, limit, len(samples), lost),
        lost=lost,
    )


def _failures(case: Case) -> Judged:
    criterion, limit, population = case.criterion, case.limit, case.population
    samples, lost = counted(population.first, criterion, limit), never_came(population.first, criterion, limit)
    return judge_failures(
        failures(samples),
        len(samples) + lost,
        at_most=bound_of(limit),
        planned=_planned(criterion, limit, len(samples), lost),
        lost=lost,
    )


def _count(case: Case) -> Judged:
    criterion, limit, population = case.criterion, case.limit, case.population
    declared = parse_quantity(criterion.exposure or "")
    samples = counted(population.first, criterion, limit)
    if not samples:
        return Judged(Verdict.INVALID, Reason.EMPTY, limit=bound_of(limit))
    total, exposure = events(samples, population.first)
    per = convert(Fraction(1), "h", declared.unit) if declared.unit in ("s", "min", "h", "ms") else Fraction(1)
    return judge_count(total, at_most=bound_of(limit), exposure=exposure, declared_exposure=declared.number, per=per)


def _count_rate(case: Case) -> Judged:
    """Events per exposure. Exposure beyond what was declared proves nothing: counting on is no way to a pass."""
    criterion, limit, population = case.criterion, case.limit, case.population
    declared = parse_quantity(criterion.exposure or "")
    samples = counted(population.first, criterion, limit)
    if not samples:
        return Judged(Verdict.INVALID, Reason.EMPTY, limit=bound_of(limit))
    total, measured = events(samples, population.first)
    each = convert(Fraction(1), limit.unit or "", f"per {declared.unit}")  # the limit's own exposure, in units declared
    taken, planned = measured * each, declared.number * each

    def judge(exposure: Fraction, of: Fraction) -> Judged:
        return judge_count_rate(
            total, at_most=bound_of(limit), exposure=exposure, declared_exposure=of, confidence=confidence_of(criterion)
        )

    judged = judge(min(taken, planned), planned)
    if taken > planned and judged.verdict is Verdict.FAIL:
        judged = judge(taken, taken)
        if judged.verdict is not Verdict.FAIL:
            judged = replace(judged, verdict=Verdict.INCONCLUSIVE, reason=judged.reason or Reason.POINT_ONLY)
    if judged.verdict is Verdict.INVALID:
        return judged
    return replace(judged, shown=(("count", total), ("exposure", measured)))


def _extreme(case: Case) -> Judged:
    criterion, limit, population = case.criterion, case.limit, case.population
    measurement = population.first
    samples, lost = counted(measurement, criterion, limit), never_came(measurement, criterion, limit)
    unit = limit.unit or ""
    timed = any(one.ns is not None for one in samples)
    return judge_extreme(
        numbers(samples, measurement, unit),
        **_directed(limit, bound_of(limit)),
        planned=_planned(criterion, limit, len(samples), lost),
        lost=lost,
        resolution=convert(Fraction(measurement.resolution_ns), "ns", unit) if timed else Fraction(0),
    )


def _duration(case: Case) -> Judged:
    criterion, limit, population = case.criterion, case.limit, case.population
    measurement = population.first
    found = numbers(counted(measurement, criterion, limit), measurement, limit.unit or "")
    if len(found) != 1 or not math.isfinite(found[0]):
        raise PopulationError("no-single-duration", f"{measurement.name} is one duration, and {len(found)} were taken")
    uncertainty = convert(Fraction(measurement.resolution_ns), "ns", limit.unit or "s")
    trusted = case.trusted and measurement.clock != "virtual"
    return judge_elapsed(found[0], uncertainty, **_directed(limit, bound_of(limit)), trusted=trusted)


def _equal(case: Case) -> Judged:
    criterion, limit, population = case.criterion, case.limit, case.population
    left, right = (items(counted(one, criterion, limit), one) for one in both_sides(limit, population))
    if not left and not right:
        return Judged(Verdict.INVALID, Reason.EMPTY)
    names, both = set(left) | set(right), set(left) & set(right)
    plan = criterion.plan_of(limit)
    if plan is not None and len(names) > plan and not criterion.census:
        return Judged(Verdict.INVALID, Reason.MORE_THAN_PLANNED, samples=len(names), planned=plan)
    equal = sum(same(left[name], right[name]) for name in both)
    listed = max(len(names), plan or 0, *(one.planned for one in population.measurements))
    return judge_equality(listed, equal=equal, unequal=len(both) - equal, missing=listed - len(both))


def _pairs(case: Case) -> Judged:
    return judge_pairs(case.criterion, case.limit, case.population, _declared(case.criterion))


def _series(case: Case) -> Judged:
    return judge_series(case.criterion, case.limit, case.population, _declared(case.criterion))


def _declared(criterion: Criterion) -> Fraction:
    confidence = confidence_of(criterion)
    if confidence is None:
        raise PopulationError("no-confidence", f"{criterion.id} compares by an interval, and declares no confidence")
    return confidence


_JUDGES: dict[str, Callable[[Case], Judged]] = {
    "quantile": _quantile,
    "rate": _rate,
    "mean": _mean,
    "failures": _failures,
    "count": _count,
    "count-rate": _count_rate,
    "min": _extreme,
    "max": _extreme,
    "duration": _duration,
    "equal": _equal,
    "equivalence": _pairs,
    "regression": _series,
}
