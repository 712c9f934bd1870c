"""Elapsed time: a duration with its uncertainty, on a clock that is trusted or not."""

from fractions import Fraction

from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.statistics.arguments import exact, float_above, float_below, limit_of
from pytest_spiral.rules.statistics.judged import Direction, Judged, Number, Reason


def judge_elapsed(
    measured: Number,
    uncertainty: Number,
    *,
    at_least: Fraction | None = None,
    at_most: Fraction | None = None,
    trusted: bool,
) -> Judged:
    """Judge a duration m of uncertainty u (resolution plus declared clock error), all in the unit of the limit.

    `at_least` t passes where m - u >= t and fails where m + u < t; `at_most` t passes where m + u <= t and fails where
    m - u > t. On a clock that is not trusted a pass becomes environment-limited; a fail stays a fail.

    ValueError unless both are finite and the uncertainty is not negative.
    """
    direction, limit = limit_of(at_least, at_most)
    middle, spread = exact(measured), exact(uncertainty)
    if spread < 0:
        raise ValueError(f"an uncertainty is not negative, got {uncertainty}")
    low, high = middle - spread, middle + spread
    if direction is Direction.AT_LEAST:
        passes, fails = low >= limit, high < limit
    else:
        passes, fails = high <= limit, low > limit
    verdict, reason = Verdict.INCONCLUSIVE, Reason.RESOLUTION
    if passes and not trusted:
        verdict, reason = Verdict.ENVIRONMENT_LIMITED, Reason.VIRTUAL_CLOCK
    decided = fails or (passes and trusted)
    return Judged(
        (Verdict.FAIL if fails else Verdict.PASS) if decided else verdict,
        None if decided else reason,
        value=measured,
        lower=float_below(low),
        upper=float_above(high),
        limit=limit,
        direction=direction,
    )
