"""How many bad samples are too many, by a sum of its own: what judges is not asked what it should say."""

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from math import comb

from pytest_spiral.model.gate import Criterion, Limit
from pytest_spiral.rules.limits import bound_of


def too_many(criterion: Criterion, limit: Limit, samples: int) -> int:
    """The least number of bad samples among `samples` with which a limit must not pass; at most all of them."""
    return min(samples, max(1, _least(criterion, limit, samples)))


def clearly_too_many(limit: Limit, samples: int) -> int:
    """A number of bad samples with which the plain figure, without any confidence, is on the wrong side."""
    share = good_share(limit)
    return samples if share is None else min(samples, int((1 - share) * samples) + 1)


def good_share(limit: Limit) -> Fraction | None:
    """The share of samples that must be good, for a quantile, a rate or a mean; None for the others."""
    if limit.statistic == "quantile":
        quantile = Fraction(Decimal(limit.quantile or "0"))
        return quantile if limit.comparison == "<=" else 1 - quantile
    if limit.statistic in ("rate", "mean"):
        bound = bound_of(limit, "1")
        return bound if limit.comparison == ">=" else 1 - bound
    return None


def _least(criterion: Criterion, limit: Limit, samples: int) -> int:
    share = good_share(limit)
    if share is None:
        return int(bound_of(limit)) + 1 if limit.statistic == "failures" else 1
    if limit.statistic == "mean" or criterion.confidence in (None, "none"):
        return clearly_too_many(limit, samples)
    alpha = 1 - Fraction(Decimal(criterion.confidence or "0"))
    risk = alpha.numerator * share.denominator**samples
    tails = _weights(samples, share)
    return next((bad for bad, weight in enumerate(tails) if weight * alpha.denominator > risk), samples)


def _weights(samples: int, share: Fraction) -> Iterator[int]:
    """P(at most so many samples are bad), for 0, 1, 2 …, times `denominator ** samples`: each is good with that chance."""
    good, bad = share.numerator, share.denominator - share.numerator
    total = 0
    for count in range(samples + 1):
        total += comb(samples, count) * good ** (samples - count) * bad**count
        yield total
