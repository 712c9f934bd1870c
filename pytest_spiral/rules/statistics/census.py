"""Census: what must hold for every listed item or every value, so that one counterexample decides."""

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.statistics.arguments import check_counts, is_number, limit_of
from pytest_spiral.rules.statistics.judged import Direction, Judged, Number, Reason
from pytest_spiral.rules.statistics.population import Population
from pytest_spiral.rules.statistics.zones import refuse_population


def judge_equality(listed: int, *, equal: int, unequal: int, missing: int) -> Judged:
    """Judge a list of items that must all agree; it says nothing of an item that is not listed.

    One that does not agree fails the list, one that was not tried leaves it not run. `value` is how many disagree.
    ValueError for negative counts, or counts that do not add up to `listed`.
    """
    check_counts(listed=listed, equal=equal, unequal=unequal, missing=missing)
    if equal + unequal + missing != listed:
        raise ValueError(f"{equal} equal, {unequal} unequal and {missing} missing are not {listed} listed items")
    figures = Judged(
        Verdict.PASS,
        value=unequal,
        limit=Fraction(0),
        direction=Direction.AT_MOST,
        samples=equal + unequal,
        planned=listed,
    )
    if listed == 0:
        return replace(figures, verdict=Verdict.INVALID, reason=Reason.EMPTY)
    if unequal:
        return replace(figures, verdict=Verdict.FAIL, more_needed=missing or None)
    if missing:
        return replace(figures, verdict=Verdict.NOT_RUN, reason=Reason.MISSING_PART, more_needed=missing)
    return figures


def judge_extreme(  # noqa: PLR0913 - named parts of one limit and its plan
    values: Sequence[Number],
    *,
    at_most: Fraction | None = None,
    at_least: Fraction | None = None,
    planned: int | None = None,
    lost: int = 0,
    resolution: Fraction = Fraction(0),
) -> Judged:
    """Judge the largest value against `at_most`, or the smallest against `at_least`: every value must hold.

    `math.inf` is a failed call, on the bad side either way. A value outside the limit fails at once; a short plan is
    incomplete, and `lost` samples (announced, never reported) forbid a pass. The timer's resolution counts against
    every claim, and one over a tenth of the limit is invalid. `value` is the worst value.

    ValueError for negative counts, a negative resolution, and a limit that is no exact fraction.
    """
    direction, limit = limit_of(at_least, at_most)
    check_counts(lost=lost)
    if resolution < 0:
        raise ValueError(f"a resolution is not negative, got {resolution}")
    samples = len(values) + lost
    refused = refuse_population(samples, planned)
    if refused is not None:
        return replace(refused, limit=limit, direction=direction)
    if not all(map(is_number, values)):
        return Judged(Verdict.INVALID, Reason.NOT_A_NUMBER, limit=limit, direction=direction, samples=samples)
    if resolution * 10 > abs(limit):
        return Judged(Verdict.INVALID, Reason.COARSE_TIMER, limit=limit, direction=direction, samples=samples)
    population = Population.of(values, lost, direction)
    verdict, reason = _extreme_verdict(population, limit, resolution, planned)
    return Judged(
        verdict,
        reason,
        value=_worst_value(population),
        limit=limit,
        direction=direction,
        samples=samples,
        planned=planned,
        more_needed=planned - samples if planned is not None and reason == Reason.INCOMPLETE else None,
    )


def _extreme_verdict(
    population: Population, limit: Fraction, resolution: Fraction, planned: int | None
) -> tuple[Verdict, Reason | None]:
    counts = population.counts(limit, resolution)
    if counts.best < counts.samples:
        return Verdict.FAIL, None
    if planned is not None and counts.samples < planned:
        return Verdict.INCONCLUSIVE, Reason.INCOMPLETE
    if counts.good + population.lost < counts.samples:
        return Verdict.INCONCLUSIVE, Reason.RESOLUTION
    if population.lost:
        return Verdict.INCONCLUSIVE, Reason.LOST_SAMPLES
    return Verdict.PASS, None


def _worst_value(population: Population) -> Number | None:
    if population.failed:
        return math.inf
    if not population.finite:
        return None
    return population.finite[-1 if population.direction is Direction.AT_MOST else 0]
