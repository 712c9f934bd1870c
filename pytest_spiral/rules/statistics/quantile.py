"""Quantiles: how many samples are within the limit, against how many must be."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.statistics.arguments import check_counts, check_inside, is_number, limit_of
from pytest_spiral.rules.statistics.dependence import Dependence, estimate_dependence, find_dependent_zone
from pytest_spiral.rules.statistics.judged import Direction, Judged, Number, Reason
from pytest_spiral.rules.statistics.population import Population
from pytest_spiral.rules.statistics.ranks import directed_ranks
from pytest_spiral.rules.statistics.zones import Bar, Counts, Shown, Zone, find_zone, refuse_population

LEAST_BLOCKS = 20
"""How many blocks (a fresh connection or process each) it takes to see dependence."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How latencies were timed.

    `resolution` is the timer's, in the unit of the values. `blocks` are the sizes of the blocks of fresh
    connections, in the order taken, None where none were declared. `response_time` says that the limit promises a
    response time, `open_loop` that requests were sent on a schedule and not each after the last answer.
    """

    resolution: Fraction = Fraction(0)
    blocks: tuple[int, ...] | None = None
    response_time: bool = False
    open_loop: bool = False

    def __post_init__(self) -> None:
        if self.resolution < 0:
            raise ValueError(f"a resolution is not negative, got {self.resolution}")
        if self.blocks is not None and any(size < 1 for size in self.blocks):
            raise ValueError("a block has at least one sample")


PLAIN = Timing()
"""Exact values in no particular order: nothing is known about a timer, nothing is promised about a loop."""


def judge_quantile(  # noqa: PLR0913 - named parts of one limit and its plan
    within: int,
    samples: int,
    quantile: Fraction,
    *,
    confidence: Fraction | None,
    planned: int | None = None,
    lost: int = 0,
    direction: Direction = Direction.AT_MOST,
) -> Judged:
    """Judge a quantile by how many of the samples are within its limit.

    Failed and timed-out calls are samples and not within; `lost` samples (announced, never reported) are not within
    for a pass and within for a fail. For `direction` AT_LEAST, within means at or above the limit, and the share that
    must be within is 1 - quantile. `confidence` None compares the estimate plainly. `ranks` are those of the bounds,
    at 95 % where `confidence` is None.

    ValueError for negative or impossible counts, and unless the quantile lies between 0 and 1.
    """
    check_counts(within=within, samples=samples, lost=lost)
    if within + lost > samples:
        raise ValueError(f"{within} samples within and {lost} lost ones are more than {samples}")
    bar = _bar(quantile, confidence, direction)
    refused = refuse_population(samples, planned)
    if refused is not None:
        return replace(refused, direction=direction)
    zone = _zone(bar, Counts(within, within + lost, samples), planned)
    return Judged(
        zone.verdict,
        zone.reason,
        zone.qualifiers,
        direction=direction,
        samples=samples,
        planned=planned,
        more_needed=zone.more_needed,
        ranks=directed_ranks(samples, quantile, confidence, direction),
    )


def judge_quantile_values(  # noqa: PLR0913 - named parts of one limit and its plan
    values: Sequence[Number],
    quantile: Fraction,
    *,
    at_most: Fraction | None = None,
    at_least: Fraction | None = None,
    confidence: Fraction | None,
    planned: int | None = None,
    lost: int = 0,
    timing: Timing = PLAIN,
) -> Judged:
    """Judge a quantile of the values themselves, in the unit of the limit.

    `values` stand in the order taken; a failed or timed-out call is `math.inf` and on the bad side whatever the
    direction. `lost` further samples never reported. With u the timer's resolution, a value x counts as x + u for a
    pass and as x - u for a fail (the other way round for `at_least`); u over a tenth of the limit is invalid. Where
    blocks are declared, a full plan is judged at its effective number of samples (see `dependence`), and fewer than
    20 blocks give no pass. `value` is x_(ceil(q n)); `lower` and `upper` are the order statistics of `ranks`, moved
    outwards by u.

    ValueError for blocks that do not add up, negative counts, and a limit that is no exact fraction.
    """
    direction, limit = limit_of(at_least, at_most)
    check_counts(lost=lost)
    if timing.blocks is not None and sum(timing.blocks) != len(values):
        raise ValueError(f"blocks of {sum(timing.blocks)} samples in all do not fit {len(values)} values")
    bar = _bar(quantile, confidence, direction)
    refused = _refused(values, len(values) + lost, planned, limit, timing)
    if refused is not None:
        return replace(refused, limit=limit, direction=direction)
    population = Population.of(values, lost, direction)
    zone = _resolved_zone(bar, population, limit, timing.resolution, planned)
    shown: Shown = ()
    if timing.blocks is not None and confidence is not None and zone.more_needed is None:
        dependence = estimate_dependence(values, quantile, timing.blocks)
        counts = population.counts(limit, timing.resolution)
        zone, shown = _blocked_zone(bar, zone, counts, dependence, len(timing.blocks))
    ranks = directed_ranks(population.samples, quantile, confidence, direction)
    lower, upper = population.bounds(ranks, timing.resolution)
    return Judged(
        zone.verdict,
        zone.reason,
        zone.qualifiers,
        value=population.pessimistic(ranks.estimate),
        lower=lower,
        upper=upper,
        limit=limit,
        direction=direction,
        samples=population.samples,
        planned=planned,
        more_needed=zone.more_needed,
        ranks=ranks,
        shown=shown,
    )


def _refused(
    values: Sequence[Number], samples: int, planned: int | None, limit: Fraction, timing: Timing
) -> Judged | None:
    """The invalid result of values that cannot be judged, or None."""
    refused = refuse_population(samples, planned)
    if refused is not None:
        return refused
    if not all(map(is_number, values)):
        reason = Reason.NOT_A_NUMBER
    elif timing.response_time and not timing.open_loop:
        reason = Reason.CLOSED_LOOP
    elif timing.resolution * 10 > abs(limit):
        reason = Reason.COARSE_TIMER
    else:
        return None
    return Judged(Verdict.INVALID, reason, samples=samples, planned=planned)


def _resolved_zone(bar: Bar, population: Population, limit: Fraction, unit: Fraction, planned: int | None) -> Zone:
    """The zone with the timer's resolution `unit` against every claim; it says so where that alone leaves it open."""
    zone = _zone(bar, population.counts(limit, unit), planned)
    if zone.is_open and unit > 0 and not _zone(bar, population.counts(limit), planned).is_open:
        return replace(zone, reason=Reason.RESOLUTION)
    return zone


def _blocked_zone(bar: Bar, zone: Zone, counts: Counts, dependence: Dependence, blocks: int) -> tuple[Zone, Shown]:
    """The zone at the effective number of samples, which only takes a pass or a fail away."""
    found, shown = find_dependent_zone(bar, counts, dependence)
    zone = replace(zone, qualifiers=found.qualifiers) if zone.is_open else found
    if zone.verdict is Verdict.PASS and blocks < LEAST_BLOCKS:
        zone = replace(zone, verdict=Verdict.INCONCLUSIVE, reason=Reason.TOO_FEW_BLOCKS)
    return zone, shown


def _bar(quantile: Fraction, confidence: Fraction | None, direction: Direction) -> Bar:
    quantile = check_inside("quantile", quantile)
    if direction is Direction.AT_MOST:
        return Bar(quantile, confidence)
    return Bar(1 - quantile, confidence, strict=True)


def _zone(bar: Bar, counts: Counts, planned: int | None) -> Zone:
    """The zone of the counts; where not even all of the samples could prove the bar, it says so."""
    zone = find_zone(bar, counts, planned)
    if zone.is_open and not bar.proven_by(counts.samples, counts.samples):
        return replace(zone, reason=Reason.TOO_FEW)
    return zone
