"""Comparisons: two transports that must answer alike, and a new version that must not be slower."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.statistics.arguments import (
    alpha_of,
    check_counts,
    check_exact,
    check_inside,
    exact,
    float_above,
    float_below,
)
from pytest_spiral.rules.statistics.judged import Direction, Judged, Number, Ranks, Reason
from pytest_spiral.rules.statistics.ranks import quantile_ranks
from pytest_spiral.rules.statistics.zones import refuse_population

_HALF = Fraction(1, 2)
_Extended = Fraction | float
"""A fraction, or an infinity where there is no bound or a call failed."""


def judge_equivalence(
    differences: Sequence[Number],
    *,
    margin: Fraction,
    confidence: Fraction,
    planned: int | None = None,
    lost: int = 0,
) -> Judged:
    """Judge that the median of paired differences lies within -margin … margin.

    Two one-sided tests (Schuirmann 1987) by order statistics, each at the confidence: the interval x_(s) … x_(r) of the
    median must lie inside the margin for a pass, wholly outside for a fail. So "no significant difference" is no
    pass. `lost` pairs (of which a call failed) widen the interval at both ends. A difference that is not finite
    makes the population invalid.

    ValueError unless the margin is a positive exact fraction.
    """
    allowed = check_exact("margin", margin)
    check_counts(lost=lost)
    if allowed <= 0:
        raise ValueError(f"a margin of equivalence is positive, got {margin}")
    samples = len(differences) + lost
    refused = refuse_population(samples, planned)
    if refused is None and not all(math.isfinite(difference) for difference in differences):
        refused = Judged(Verdict.INVALID, Reason.NOT_A_NUMBER, samples=samples)
    if refused is not None:
        return replace(refused, limit=allowed)
    ordered = sorted(exact(difference) for difference in differences)
    ranks = quantile_ranks(samples, _HALF, confidence)
    lower = _at([*[-math.inf] * lost, *ordered], ranks.lower, -math.inf)
    upper = _at([*ordered, *[math.inf] * lost], ranks.upper, math.inf)
    missing = 0 if planned is None else planned - samples
    verdict, reason = _against(lower, upper, -allowed, allowed, bounded=_two_sided(ranks))
    if missing:
        verdict, reason = Verdict.INCONCLUSIVE, Reason.INCOMPLETE
    return Judged(
        verdict,
        reason,
        value=_median(ordered) if ordered else None,
        lower=_lower_figure(lower),
        upper=_upper_figure(upper),
        limit=allowed,
        samples=samples,
        planned=planned,
        more_needed=missing or None,
        ranks=ranks,
    )


def judge_no_regression(
    candidate: Sequence[Number],
    baseline: Sequence[Number],
    *,
    margin: Fraction,
    quantile: Fraction,
    confidence: Fraction,
) -> Judged:
    """Judge that a quantile has not grown by more than the margin from the baseline to the candidate.

    U(candidate) - L(baseline) <= margin passes, L(candidate) - U(baseline) > margin fails, each bound an order
    statistic at 1 - alpha / 2 (Bonferroni). `math.inf` is a failed call; NaN or minus infinity makes a population
    invalid. `ranks` are the candidate's, `shown` has the baseline's.

    ValueError unless the margin is an exact fraction and not negative.
    """
    allowed, quantile = check_exact("margin", margin), check_inside("quantile", quantile)
    if allowed < 0:
        raise ValueError(f"a margin is not negative, got {margin}")
    each = 1 - alpha_of(confidence) / 2
    refused = refuse_population(min(len(candidate), len(baseline)), None)
    if refused is None and any(math.isnan(one) or one == -math.inf for one in [*candidate, *baseline]):
        refused = Judged(Verdict.INVALID, Reason.NOT_A_NUMBER, samples=len(candidate))
    if refused is not None:
        return replace(refused, limit=allowed, direction=Direction.AT_MOST)
    new, old = _Side.of(candidate, quantile, each), _Side.of(baseline, quantile, each)
    lower, upper = _less(new.lower, old.upper, -math.inf), _less(new.upper, old.lower, math.inf)
    bounded = new.ranks.upper is not None and old.ranks.lower is not None
    verdict, reason = _against(lower, upper, -math.inf, allowed, bounded=bounded)
    return Judged(
        verdict,
        reason,
        value=_less(new.estimate, old.estimate, math.inf),
        lower=_lower_figure(lower),
        upper=_upper_figure(upper),
        limit=allowed,
        direction=Direction.AT_MOST,
        samples=len(candidate),
        ranks=new.ranks,
        shown=(
            ("baseline_samples", len(baseline)),
            ("baseline_lower_rank", old.ranks.lower),
            ("baseline_upper_rank", old.ranks.upper),
        ),
    )


@dataclass(frozen=True, slots=True)
class _Side:
    """A quantile of one side of a comparison, with its bounds."""

    estimate: _Extended
    lower: _Extended
    upper: _Extended
    ranks: Ranks

    @classmethod
    def of(cls, values: Sequence[Number], quantile: Fraction, confidence: Fraction) -> "_Side":
        ordered = sorted(value if value == math.inf else exact(value) for value in values)
        ranks = quantile_ranks(len(ordered), quantile, confidence)
        return cls(
            ordered[ranks.estimate - 1],
            _at(ordered, ranks.lower, -math.inf),
            _at(ordered, ranks.upper, math.inf),
            ranks,
        )


def _median(ordered: Sequence[Fraction]) -> Fraction:
    """The middle value, or the mean of the two middle ones."""
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def _at(ordered: Sequence[_Extended], rank: int | None, otherwise: float) -> _Extended:
    return otherwise if rank is None else ordered[rank - 1]


def _less(one: _Extended, other: _Extended, unknown: float) -> _Extended:
    """One less the other; `unknown` for the difference of two equal infinities."""
    if one == other and math.isinf(one):
        return unknown
    return one - other


def _against(
    lower: _Extended, upper: _Extended, least: _Extended, most: _Extended, *, bounded: bool
) -> tuple[Verdict, Reason | None]:
    """Inside least … most, wholly outside, or neither; `bounded` says that there were samples enough for a pass."""
    if lower > most or upper < least:
        return Verdict.FAIL, None
    if bounded and least <= lower and upper <= most:
        return Verdict.PASS, None
    return Verdict.INCONCLUSIVE, Reason.MARGIN_NOT_PROVEN if bounded else Reason.TOO_FEW


def _two_sided(ranks: Ranks) -> bool:
    return ranks.lower is not None and ranks.upper is not None


def _lower_figure(bound: _Extended) -> float | None:
    return float_below(Fraction(bound)) if math.isfinite(bound) else None


def _upper_figure(bound: _Extended) -> float | None:
    return float_above(Fraction(bound)) if math.isfinite(bound) else None
