"""Rates: the share of hits among samples, against a bar."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from pytest_spiral.rules.statistics.arguments import (
    DISPLAY_CONFIDENCE,
    alpha_of,
    check_counts,
    limit_of,
)
from pytest_spiral.rules.statistics.bounds import lower_share, settled, upper_share
from pytest_spiral.rules.statistics.judged import Direction, Judged, Qualifier
from pytest_spiral.rules.statistics.zones import Bar, Counts, find_zone, refuse_population

FEWEST_FAILURES_FOR_DEPENDENCE = 5


@dataclass(frozen=True, slots=True)
class Tally:
    """The hits and samples of one run or attempt; ValueError unless 0 <= successes <= samples and there is one."""

    successes: int
    samples: int

    def __post_init__(self) -> None:
        if not 0 <= self.successes <= self.samples or self.samples == 0:
            raise ValueError(f"{self.successes} of {self.samples} is no tally")

    @classmethod
    def pooled(cls, tallies: Iterable["Tally"]) -> "Tally":
        """All of them together; ValueError where there is none."""
        listed = list(tallies)
        return cls(sum(one.successes for one in listed), sum(one.samples for one in listed))


def judge_rate(  # noqa: PLR0913 - named parts of one limit and its plan
    successes: int,
    samples: int,
    *,
    at_least: Fraction | None = None,
    at_most: Fraction | None = None,
    confidence: Fraction | None,
    planned: int | None = None,
    lost: int = 0,
) -> Judged:
    """Judge `successes` hits among `samples` against `at_least` or `at_most`, by Clopper and Pearson (1934).

    `confidence` is one-sided, None for a plain comparison. `planned` is the fixed number of samples; None where
    what is there is all there is. `lost` of the samples were announced and never reported: they count against a
    pass and never for a fail. `lower` and `upper` are bounds of the share, at 95 % where `confidence` is None.

    ValueError for negative or impossible counts, and for a bar outside (0, 1].
    """
    direction, limit = limit_of(at_least, at_most)
    check_counts(successes=successes, samples=samples, lost=lost)
    if successes + lost > samples:
        raise ValueError(f"{successes} successes and {lost} lost samples are more than {samples}")
    bar = Bar(limit if direction is Direction.AT_LEAST else 1 - limit, confidence)
    if not 0 < bar.share <= 1:
        raise ValueError(f"every rate is {direction} {limit}, or none: it cannot be judged")
    refused = refuse_population(samples, planned)
    if refused is not None:
        return refused
    good = successes if direction is Direction.AT_LEAST else samples - successes - lost
    counts = Counts(good, good + lost, samples)
    zone = find_zone(bar, counts, planned)
    lower, upper = _bounds(bar, counts, direction, limit)
    return Judged(
        zone.verdict,
        zone.reason,
        zone.qualifiers,
        value=Fraction(successes, samples),
        lower=lower,
        upper=upper,
        limit=limit,
        direction=direction,
        samples=samples,
        planned=planned,
        more_needed=zone.more_needed,
    )


def independence_note(failures: int) -> tuple[str, ...]:
    """The qualifier of a rate with so few failures that their dependence cannot be seen, or nothing."""
    return (Qualifier.INDEPENDENCE_ASSUMED,) if failures < FEWEST_FAILURES_FOR_DEPENDENCE else ()


def _bounds(bar: Bar, counts: Counts, direction: Direction, limit: Fraction) -> tuple[float, float]:
    """Bounds of the share of hits: of the good samples for `>=`, of the others for `<=`."""
    alpha = alpha_of(bar.confidence or DISPLAY_CONFIDENCE)
    lower = lower_share(counts.good, counts.samples, alpha)
    upper = upper_share(counts.best, counts.samples, alpha)
    if direction is Direction.AT_MOST:
        lower, upper = 1.0 - upper, 1.0 - lower
    if bar.confidence is None:
        return lower, upper
    proven = bar.proven_by(counts.good, counts.samples)
    refuted = bar.refuted_by(counts.best, counts.samples)
    return settled((lower, upper), limit, direction, proven=proven, refuted=refuted)
