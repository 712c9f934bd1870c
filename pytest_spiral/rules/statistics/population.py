"""A population of values with its failed and lost samples: counts within a limit, and order statistics."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from pytest_spiral.rules.statistics.arguments import exact, float_below, is_failed, place_of
from pytest_spiral.rules.statistics.judged import Direction, Number, Ranks
from pytest_spiral.rules.statistics.zones import Counts


@dataclass(frozen=True, slots=True)
class Population:
    """Finite values in rising order, and how many calls `failed` and how many samples were `lost`.

    A failed call is on the bad side of every limit. A lost sample is on the bad side where a pass is in question
    (pessimistic) and on the good side where a fail is (optimistic). `direction` says which side is the good one.
    """

    finite: tuple[Number, ...]
    failed: int
    lost: int
    direction: Direction

    @classmethod
    def of(cls, values: Sequence[Number], lost: int, direction: Direction) -> "Population":
        """The population of values in any order, `math.inf` for a failed call."""
        finite = tuple(sorted((value for value in values if not is_failed(value)), key=place_of))
        return cls(finite, len(values) - len(finite), lost, direction)

    @property
    def samples(self) -> int:
        """All samples, failed and lost ones too."""
        return len(self.finite) + self.failed + self.lost

    def counts(self, limit: Fraction, unit: Fraction = Fraction(0)) -> Counts:
        """How many values are at or inside the limit, a timer of resolution `unit` speaking against every claim."""
        return Counts(self._within(limit, unit), self._within(limit, -unit) + self.lost, self.samples)

    def _within(self, limit: Fraction, shift: Fraction) -> int:
        """How many finite values are at or inside the limit, each moved by `shift` towards its bad side."""
        if self.direction is Direction.AT_MOST:
            return bisect_right(self.finite, limit - shift, key=exact)
        return len(self.finite) - bisect_left(self.finite, limit + shift, key=exact)

    def pessimistic(self, rank: int) -> Number:
        """The order statistic of that rank, counted from 1, with lost samples on the bad side."""
        bad = self.failed + self.lost
        return self._at(rank, 0, bad) if self.direction is Direction.AT_MOST else self._at(rank, bad, 0)

    def optimistic(self, rank: int) -> Number:
        """The order statistic of that rank, counted from 1, with lost samples on the good side."""
        if self.direction is Direction.AT_MOST:
            return self._at(rank, self.lost, self.failed)
        return self._at(rank, self.failed, self.lost)

    def bounds(self, ranks: Ranks, resolution: Fraction) -> tuple[float | None, float | None]:
        """The values at the bounding ranks, moved outwards by the resolution; None where there is no bound.

        The bound that has to clear the limit is pessimistic, the other one optimistic. An upper bound is infinite
        where it falls on a failed call.
        """
        for_lower, for_upper = self.optimistic, self.pessimistic
        if self.direction is Direction.AT_LEAST:
            for_lower, for_upper = for_upper, for_lower
        lower = -math.inf if ranks.lower is None else _below(for_lower(ranks.lower), resolution)
        upper = None if ranks.upper is None else _above(for_upper(ranks.upper), resolution)
        return None if lower == -math.inf else lower, upper

    def _at(self, rank: int, before: int, after: int) -> Number:
        if rank <= before:
            return -math.inf
        return math.inf if rank > self.samples - after else self.finite[rank - before - 1]


def _below(value: Number, by: Fraction) -> float:
    """The value less `by`, as a float that is not above it as written."""
    if value in {math.inf, -math.inf}:
        return float(value)
    moved = exact(value) - by
    nearest = float(moved)
    return nearest if exact(nearest) <= moved else float_below(moved)


def _above(value: Number, by: Fraction) -> float:
    """The value and `by`, as a float that is not below it as written."""
    return -_below(-value, by)
