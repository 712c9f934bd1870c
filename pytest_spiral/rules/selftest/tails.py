"""How many bad samples are too many, by a sum of its own: what judges is not asked what it should say."""

from collections.abc import Iterator
from decimal import MIN_EMIN, Decimal, localcontext
from fractions import Fraction
from math import comb, log

from pytest_spiral.model.gate import Criterion, Limit
from pytest_spiral.rules.limits import bound_of
from pytest_spiral.rules.units import convert, parse_quantity


def too_many(criterion: Criterion, limit: Limit, samples: int) -> int:
    """The least number of bad samples among `samples` with which a limit must not pass; at most all of them."""
    return min(samples, max(1, _least(criterion, limit, samples)))


def clearly_too_many(limit: Limit, samples: int) -> int:
    """A number of bad samples with which the plain figure, without any confidence, is on the wrong side."""
    share = good_share(limit)
    return samples if share is None else min(samples, int((1 - share) * samples) + 1)


def good_share(limit: Limit) -> Fraction | None:
    """The share of samples that must be good: a quantile, a rate, a mean, a difference; None for the others."""
    if limit.statistic == "equivalence":
        return Fraction(1, 2)
    if limit.statistic == "regression":
        return Fraction(Decimal(limit.quantile or "0"))
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
    if criterion.sequential is not None:
        return sequential_looks(criterion, limit, samples)
    if criterion.combine == "pooled":  # the others are good: their number helps, and the plain figure must hold alone
        together = _first_unproven(samples * criterion.consecutive, share, _alpha(criterion))
        return min(together, clearly_too_many(limit, samples))
    if limit.statistic == "mean" or criterion.confidence in (None, "none"):
        return clearly_too_many(limit, samples)
    # Of two series either bound may be off, each at half the risk (Bonferroni).
    return _first_unproven(samples, share, _alpha(criterion) / (2 if limit.statistic == "regression" else 1))


def sequential_looks(criterion: Criterion, limit: Limit, samples: int) -> int:
    """The least number of bad samples with which a sequential plan of so many does not pass, by logarithms."""
    bar, design = bound_of(limit, "1"), _design(criterion)
    gain, loss, wanted = log(design / bar), log((1 - design) / (1 - bar)), -log(_alpha(criterion))
    return next((bad for bad in range(samples) if (samples - bad) * gain + bad * loss < wanted), samples)


def sequential_turn(criterion: Criterion, limit: Limit, samples: int) -> int | None:
    """How many bad samples at the start fail a sequential plan that good ones after them would make pass, if any do."""
    bar, design = bound_of(limit, "1"), _design(criterion)
    mirror, wanted = 2 * bar - design, -log(_alpha(criterion))
    bad = int(wanted / log((1 - mirror) / (1 - bar))) + 1
    return bad if bad < sequential_looks(criterion, limit, samples) else None


def events_too_many(criterion: Criterion, limit: Limit) -> int:
    """The least number of events, over the declared exposure, with which a limit on them must not pass."""
    if limit.statistic != "count-rate" or criterion.exposure is None:
        return int(bound_of(limit)) + 1
    exposure = parse_quantity(criterion.exposure)
    mean = bound_of(limit, f"per {exposure.unit}") * exposure.number
    if criterion.confidence in (None, "none"):
        return int(mean) + 1
    with localcontext(prec=60, Emin=MIN_EMIN):
        expected = Decimal(mean.numerator) / Decimal(mean.denominator)
        alpha, weight, events = 1 - Decimal(criterion.confidence), (-expected).exp(), 0
        total = weight
        while total <= alpha:
            events += 1
            weight = weight * expected / events
            total += weight
    return events


def _design(criterion: Criterion) -> Fraction:
    design = parse_quantity(criterion.sequential or "")
    return convert(design.number, design.unit, "1")


def _alpha(criterion: Criterion) -> Fraction:
    return 1 - Fraction(Decimal(criterion.confidence or "0"))


def _first_unproven(samples: int, share: Fraction, alpha: Fraction) -> int:
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
