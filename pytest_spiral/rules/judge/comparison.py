"""Judging how far two measurements are apart: pairs by their median difference, series by a quantile of each."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from pytest_spiral.model.gate import Criterion, Limit
from pytest_spiral.model.measurement import Measurement, Sample
from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.judge.population import (
    Population,
    PopulationError,
    both_sides,
    counted,
    numbers,
    open_loop,
)
from pytest_spiral.rules.limits import bound_of
from pytest_spiral.rules.statistics import (
    Direction,
    Judged,
    Qualifier,
    Reason,
    judge_equivalence,
    judge_no_regression_controlled,
)
from pytest_spiral.rules.turns import Call, pairing_fault, series_fault
from pytest_spiral.rules.units import convert, dimension


class _Side(NamedTuple):
    """One of the two measurements: its samples without warm-up, and their figures in the limit's unit."""

    measurement: Measurement
    samples: tuple[Sample, ...]
    values: list[Fraction | float]


def judge_pairs(criterion: Criterion, limit: Limit, population: Population, confidence: Fraction) -> Judged:
    """Two one-sided tests on the differences of the i-th samples of both measurements, warm-up left out.

    A pair of which a call failed is lost. What comes of it is told as a distance: of the interval its upper bound is
    the farther end and its lower bound the nearer one, so that `<=` means what it says. `shown` has the interval with
    its signs. PopulationError for samples that cannot be paired, and for pairs of times that were not taken in turn.
    """
    one, other = sides = _sides(criterion, limit, population)
    plan = _plan(criterion, limit, sides)
    if plan is not None and max(len(side.values) for side in sides) > plan:
        raise PopulationError(
            str(Reason.MORE_THAN_PLANNED), "more samples than were declared, so that they make no pairs"
        )
    pairs = list(zip(one.values, other.values, strict=False))
    whole = [pair for pair in pairs if math.inf not in pair]
    judged = judge_equivalence(
        [Fraction(new) - Fraction(old) for new, old in whole],
        margin=bound_of(limit),
        confidence=confidence,
        planned=plan,
        lost=len(pairs) - len(whole),
        resolution=_resolution(limit, sides),
    )
    if judged.verdict is not Verdict.INVALID and _is_time(limit):
        calls = zip(_calls(one), _calls(other), strict=False)
        timed = [(new, old) for new, old in calls if new is not None and old is not None]
        _refuse(pairing_fault(timed, one.measurement.name))
    return _independent(_as_distance(judged))


def judge_series(criterion: Criterion, limit: Limit, population: Population, confidence: Fraction) -> Judged:
    """No regression of a quantile from the second measurement to the first, with both controls.

    `shown` has whether the controls passed: A/A, which must, and A/A + 2Δ, which must not. PopulationError for two
    series of times that did not take turns, and for a closed loop where an open one is declared.
    """
    one, other = sides = _sides(criterion, limit, population)
    judged, same, shifted = judge_no_regression_controlled(
        one.values,
        other.values,
        margin=bound_of(limit),
        quantile=Fraction(Decimal(limit.quantile or "0")),
        confidence=confidence,
        planned=_plan(criterion, limit, sides),
        resolution=_resolution(limit, sides),
    )
    if judged.verdict is not Verdict.INVALID and criterion.sampling == "open-loop":
        closed = [side.measurement.name for side in sides if not open_loop(side.samples)]
        if closed:
            waited = f"a promise of response time needs an open loop, and calls of {closed[0]} waited for each other"
            raise PopulationError(str(Reason.CLOSED_LOOP), waited)
    if judged.verdict is not Verdict.INVALID and _is_time(limit):
        new, old = ([call.sent for call in _calls(side) if call is not None] for side in sides)
        _refuse(series_fault(new, old, (one.measurement.name, other.measurement.name)))
    passed = (("same_passes", int(same is Verdict.PASS)), ("shifted_passes", int(shifted is Verdict.PASS)))
    return _independent(replace(judged, shown=(*judged.shown, *passed)))


def _sides(criterion: Criterion, limit: Limit, population: Population) -> tuple[_Side, _Side]:
    def side(measurement: Measurement) -> _Side:
        samples = counted(measurement, criterion, limit)
        return _Side(measurement, samples, numbers(samples, measurement, limit.unit or ""))

    first, second = both_sides(limit, population)
    return side(first), side(second)


def _plan(criterion: Criterion, limit: Limit, sides: Iterable[_Side]) -> int | None:
    """How many samples either side owes: the plan, or what was announced beyond it and did not come."""
    plan, taken = criterion.plan_of(limit), list(sides)
    if plan is None or any(len(side.samples) > plan for side in taken):
        return plan
    return max(plan, *(side.measurement.planned for side in taken))


def _resolution(limit: Limit, sides: Iterable[_Side]) -> Fraction:
    """How far off a difference may be: each of its two times by its own clock's resolution."""
    timed = [side.measurement for side in sides if any(sample.ns is not None for sample in side.samples)]
    return convert(Fraction(sum(one.resolution_ns for one in timed)), "ns", limit.unit or "") if timed else Fraction(0)


def _is_time(limit: Limit) -> bool:
    return dimension(limit.unit or "1") == dimension("s")


def _calls(side: _Side) -> Iterator[Call | None]:
    """When each call was sent and done; None for one that failed without having been timed."""
    for one in side.samples:
        if one.sent is not None and one.done is not None:
            yield Call(one.sent, one.done)
        elif one.failed is not None:
            yield None
        else:
            untold = f"sample {one.n} of {side.measurement.name} does not say when it was taken"
            raise PopulationError("no-times", f"{untold}, so that nobody can tell whether the sides took turns")


def _refuse(fault: str) -> None:
    if fault:
        raise PopulationError("not-interleaved", fault.removesuffix("."))


def _as_distance(judged: Judged) -> Judged:
    """The interval of a difference as that of how far it is from none."""
    low, high = (-math.inf if judged.lower is None else judged.lower), judged.upper
    ends = (("median", judged.value), ("low", judged.lower), ("high", judged.upper))
    high = math.inf if high is None else high
    farther = max(-low, high)
    return replace(
        judged,
        direction=Direction.AT_MOST,
        value=None if judged.value is None else max(judged.value, -judged.value),
        lower=max(0.0, low, -high),
        upper=None if math.isinf(farther) else farther,
        shown=ends,
    )


def _independent(judged: Judged) -> Judged:
    """Both kinds take their samples as independent, and say so."""
    if judged.verdict is Verdict.INVALID:
        return judged
    return replace(judged, qualifiers=(*judged.qualifiers, Qualifier.INDEPENDENCE_ASSUMED))
