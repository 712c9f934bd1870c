"""Exact one-sided bounds of a share and of a mean count, found by bisection on their tails.

A bound is a float that errs outwards: a lower bound is never above the true one, an upper bound never below. Verdicts
do not rest on these figures but on the tail at the limit; `settled` keeps the two from contradicting each other.
"""

import math
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import Final

from pytest_spiral.rules.statistics.arguments import exact, float_above, float_below
from pytest_spiral.rules.statistics.judged import Direction
from pytest_spiral.rules.statistics.tails import Binomial, Poisson, compare_lower_tail, compare_upper_tail

_REMEMBERED: Final = 4096
"""Bounds that are kept: the same few counts come again and again, and each costs a bisection over exact sums."""

_GRID = 1 << 53  # multiples of 2^-53 below 1 are floats, and so are their differences from 1


@lru_cache(maxsize=_REMEMBERED)
def lower_share(successes: int, samples: int, alpha: Fraction) -> float:
    """Lower one-sided Clopper-Pearson (1934) bound of a share: the largest p with P(Bin(n, p) >= k) <= alpha."""
    if successes == 0:
        return 0.0

    def holds(at: int) -> bool:
        return compare_upper_tail(Binomial(samples, Fraction(at, _GRID)), successes, alpha) <= 0

    return _last(holds, _GRID) / _GRID


def upper_share(successes: int, samples: int, alpha: Fraction) -> float:
    """Upper one-sided Clopper-Pearson (1934) bound of a share: the smallest p with P(Bin(n, p) <= k) <= alpha."""
    return 1.0 - lower_share(samples - successes, samples, alpha)


@lru_cache(maxsize=_REMEMBERED)
def lower_mean(count: int, alpha: Fraction) -> float:
    """Lower one-sided Garwood (1936) bound of a Poisson mean: chi-squared quantile (alpha; 2 c) / 2."""
    if count == 0:
        return 0.0
    scale = Fraction(count, _GRID)  # the bound lies below the count, for any risk up to one half
    if compare_upper_tail(Poisson(Fraction(count)), count, alpha) <= 0:
        scale = _scale(lambda mean: compare_upper_tail(Poisson(mean), count, alpha) > 0, count)

    def holds(at: int) -> bool:
        return compare_upper_tail(Poisson(at * scale), count, alpha) <= 0

    return float_below(_last(holds, _GRID) * scale)


@lru_cache(maxsize=_REMEMBERED)
def upper_mean(count: int, alpha: Fraction) -> float:
    """Upper one-sided Garwood (1936) bound of a Poisson mean: chi-squared quantile (1 - alpha; 2 c + 2) / 2."""
    scale = _scale(lambda mean: compare_lower_tail(Poisson(mean), count, alpha) <= 0, count + 1)

    def too_low(at: int) -> bool:
        return compare_lower_tail(Poisson(at * scale), count, alpha) > 0

    return float_above((_last(too_low, _GRID) + 1) * scale)


def settled(
    bounds: tuple[float, float], limit: Fraction, direction: Direction, *, proven: bool, refuted: bool
) -> tuple[float, float]:
    """Lower and upper bound, moved by their own rounding error where they would contradict the verdict.

    `proven` says that the bound that has to clear the limit does, `refuted` that the other one does not, both by
    exact tails. Bounds and limit are compared as they are written.
    """
    lower, upper = bounds
    if direction is Direction.AT_LEAST:
        return _agreeing(lower, limit, reaches=proven), _agreeing(upper, limit, reaches=not refuted)
    return -_agreeing(-lower, -limit, reaches=not refuted), -_agreeing(-upper, -limit, reaches=proven)


def _agreeing(bound: float, limit: Fraction, *, reaches: bool) -> float:
    """The bound, or the float next to the limit that is at or above it as `reaches` says."""
    if reaches == (exact(bound) >= limit):
        return bound
    at_limit = float(limit)
    if reaches == (exact(at_limit) >= limit):
        return at_limit
    return math.nextafter(at_limit, math.inf if reaches else -math.inf)


def _scale(reached: Callable[[Fraction], bool], start: int) -> Fraction:
    """A grid on which the wanted mean has a place: `start` doubled until it is reached, over 2^53."""
    top = Fraction(start)
    while not reached(top):
        top *= 2
    return top / _GRID


def _last(holds: Callable[[int], bool], end: int) -> int:
    """The last place in 0 … end - 1 where the condition holds; it holds at 0 and, once false, stays false."""
    low, high = 0, end
    while high - low > 1:
        middle = (low + high) // 2
        if holds(middle):
            low = middle
        else:
            high = middle
    return low
