"""Ranks of the order statistics that estimate a quantile and bound it."""

import math
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache

from pytest_spiral.rules.statistics.arguments import DISPLAY_CONFIDENCE, alpha_of, check_inside
from pytest_spiral.rules.statistics.judged import Direction, Ranks
from pytest_spiral.rules.statistics.tails import Binomial, compare_lower_tail, compare_upper_tail


@lru_cache(maxsize=256)  # one plan is judged again and again, and its ranks stay the same
def quantile_ranks(samples: int, quantile: Fraction, confidence: Fraction) -> Ranks:
    """The ranks that estimate and bound a quantile, free of any assumption on the distribution.

    The estimate is x_(ceil(q n)). The upper bound is x_(r) with r = min{r: P(Bin(n, q) <= r - 1) >= 1 - alpha}, the
    lower one x_(s) with s = max{s: P(Bin(n, q) <= s - 1) < alpha}; None where no rank from 1 to n is such.
    ValueError unless there is a sample and both numbers lie between 0 and 1.
    """
    alpha, quantile = alpha_of(confidence), check_inside("quantile", quantile)
    if samples < 1:
        raise ValueError(f"a quantile needs a sample, got {samples}")
    within = Binomial(samples, quantile)
    too_low = _count_while(lambda rank: compare_upper_tail(within, rank, alpha) > 0, samples)
    lower = _count_while(lambda rank: compare_lower_tail(within, rank - 1, alpha) < 0, samples)
    upper = too_low + 1
    return Ranks(math.ceil(quantile * samples), lower or None, upper if upper <= samples else None)


def directed_ranks(samples: int, quantile: Fraction, confidence: Fraction | None, direction: Direction) -> Ranks:
    """The ranks beside a limit: those of `quantile_ranks`, for `>=` counted from above.

    Counted so, they agree with the verdict even where a tail ties with the risk. At 95 % where `confidence` is None.
    """
    confidence = confidence or DISPLAY_CONFIDENCE
    if direction is Direction.AT_MOST:
        return quantile_ranks(samples, quantile, confidence)
    above = quantile_ranks(samples, 1 - quantile, confidence)
    return Ranks(
        math.ceil(quantile * samples),
        None if above.upper is None else samples + 1 - above.upper,
        None if above.lower is None else samples + 1 - above.lower,
    )


def _count_while(holds: Callable[[int], bool], end: int) -> int:
    """How many of 1 … end hold, where all that hold come first."""
    low, high = 0, end + 1
    while high - low > 1:
        middle = (low + high) // 2
        if holds(middle):
            low = middle
        else:
            high = middle
    return low
