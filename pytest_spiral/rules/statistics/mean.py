"""Means of scores from a known range, such as recall per query."""

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from decimal import Context, Decimal
from fractions import Fraction
from functools import lru_cache

from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.statistics.arguments import (
    DISPLAY_CONFIDENCE,
    alpha_of,
    check_counts,
    exact,
    float_above,
    float_below,
    limit_of,
)
from pytest_spiral.rules.statistics.bounds import settled
from pytest_spiral.rules.statistics.judged import Direction, Judged, Number, Qualifier, Reason
from pytest_spiral.rules.statistics.zones import Zone, refuse_population

_ARITHMETIC = Context(prec=60)
_ROUNDING = Fraction(1, 10**40)  # far above what 60 digits lose; a logarithm of a fraction is irrational: no ties


@dataclass(frozen=True, slots=True)
class Span:
    """The range that every score comes from; the bound of the mean rests on it."""

    low: Fraction = Fraction(0)
    high: Fraction = Fraction(1)

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"a range goes from a lower to a higher number, not {self.low} to {self.high}")

    @property
    def length(self) -> Fraction:
        """High less low."""
        return self.high - self.low


UNIT_SPAN = Span()


def judge_mean(  # noqa: PLR0913 - named parts of one limit and its plan
    values: Sequence[Number],
    *,
    at_least: Fraction | None = None,
    at_most: Fraction | None = None,
    confidence: Fraction | None,
    planned: int | None = None,
    lost: int = 0,
    span: Span = UNIT_SPAN,
) -> Judged:
    """Judge the mean of independent scores from `span`, one a unit (a query, not each of its hits).

    Bounds are mean -/+ (sqrt(2 V ln(2 / alpha) / n) + 7 ln(2 / alpha) / (3 (n - 1))) for a range of length 1, V being
    the variance with n - 1 (Maurer and Pontil 2009, theorem 4). `confidence` None compares the plain mean. `lost`
    further samples never reported: they count as the worst score for a pass and as the best one for a fail; `value`
    counts them as the worst. A score outside the range, or NaN, makes the population invalid.

    ValueError for negative counts, a limit that is no exact fraction, or one outside the range.
    """
    direction, limit = limit_of(at_least, at_most)
    check_counts(lost=lost)
    if not span.low <= limit <= span.high:
        raise ValueError(f"a mean of scores from {span.low} to {span.high} cannot be limited by {limit}")
    counted = Counter(values)  # equal scores are common, and exact numbers are slow
    refused = refuse_population(len(values) + lost, planned) or _refused(counted, len(values), span)
    if refused is not None:
        return replace(refused, limit=limit, direction=direction)
    bar = _MeanBar(direction, limit, confidence, span)
    known = _Scores.of(counted)
    worst, best = known.with_more(lost, bar.bad_end), known.with_more(lost, bar.good_end)
    zone = bar.zone(worst, best, planned)
    lower, upper = bar.bounds(worst, best)
    return Judged(
        zone.verdict,
        zone.reason,
        zone.qualifiers,
        value=worst.mean,
        lower=lower,
        upper=upper,
        limit=limit,
        direction=direction,
        samples=worst.samples,
        planned=planned,
        more_needed=zone.more_needed,
        shown=(("variance", worst.variance if worst.samples > 1 else None),),
    )


@dataclass(frozen=True, slots=True)
class _Scores:
    """Number, sum and sum of squares of scores, exactly."""

    samples: int
    total: Fraction
    squares: Fraction

    @classmethod
    def of(cls, counted: Counter[Number]) -> "_Scores":
        """Those of the values, each with how often it came. Over one denominator they are sums of whole numbers."""
        exactly = [(exact(value), count) for value, count in counted.items()]
        whole = math.lcm(*(value.denominator for value, _ in exactly))
        parts = [(value.numerator * (whole // value.denominator), count) for value, count in exactly]
        total = sum(part * count for part, count in parts)
        squares = sum(part * part * count for part, count in parts)
        return cls(counted.total(), Fraction(total, whole), Fraction(squares, whole * whole))

    def with_more(self, samples: int, score: Fraction) -> "_Scores":
        """These and further samples of one score."""
        return _Scores(self.samples + samples, self.total + score * samples, self.squares + score**2 * samples)

    @property
    def mean(self) -> Fraction:
        return self.total / self.samples

    @property
    def variance(self) -> Fraction:
        """With n - 1, so of at least two samples."""
        return (self.squares - self.total**2 / self.samples) / (self.samples - 1)


@dataclass(frozen=True, slots=True)
class _MeanBar:
    """The limit that a mean has to hold."""

    direction: Direction
    limit: Fraction
    confidence: Fraction | None
    span: Span

    @property
    def good_end(self) -> Fraction:
        return self.span.high if self.direction is Direction.AT_LEAST else self.span.low

    @property
    def bad_end(self) -> Fraction:
        return self.span.low if self.direction is Direction.AT_LEAST else self.span.high

    def depth(self, mean: Fraction) -> Fraction:
        """How far the mean is inside the limit; negative outside."""
        inside = mean - self.limit
        return inside if self.direction is Direction.AT_LEAST else -inside

    def width(self, samples: int, variance: Fraction) -> Fraction:
        """How far the bound is from the mean, within 10^-40."""
        ln = _log_of(self.confidence or DISPLAY_CONFIDENCE)
        root = Fraction(_ARITHMETIC.sqrt(_decimal(2 * variance * ln / samples)))
        return root + 7 * self.span.length * ln / (3 * (samples - 1))

    def proven_by(self, scores: _Scores) -> bool:
        """Whether the bound is at or inside the limit."""
        if self.confidence is None:
            return self.depth(scores.mean) >= 0
        if scores.samples < 2:
            return False
        return self.depth(scores.mean) >= self.width(scores.samples, scores.variance) + _ROUNDING

    def refuted_by(self, scores: _Scores) -> bool:
        """Whether the opposite bound is outside the limit."""
        if self.confidence is None:
            return self.depth(scores.mean) < 0
        if scores.samples < 2:
            return False
        return -self.depth(scores.mean) > self.width(scores.samples, scores.variance) + _ROUNDING

    def zone(self, worst: _Scores, best: _Scores, planned: int | None) -> Zone:
        """Where the scores stand; lost ones count as worst for a pass and as best for a fail."""
        marks = () if self.confidence is not None else (Qualifier.SIMPLE_ACCEPTANCE,)
        missing = 0 if planned is None else planned - worst.samples
        point = Reason.POINT_ONLY if self.depth(worst.mean) >= 0 else Reason.POINT_SHORT
        if missing == 0:
            if self.proven_by(worst):
                return Zone(Verdict.PASS, None, marks)
            if self.refuted_by(best):
                return Zone(Verdict.FAIL, None, marks)
            few = self.confidence is not None and worst.samples < 2
            lost = Reason.LOST_SAMPLES if self.confidence is None else point
            return Zone(Verdict.INCONCLUSIVE, Reason.TOO_FEW if few else lost, marks)
        if self._cannot_pass(worst, missing):
            return Zone(Verdict.INCONCLUSIVE, Reason.CANNOT_PASS, marks, missing)
        so_far = () if self.proven_by(worst) else (point,)
        return Zone(Verdict.INCONCLUSIVE, Reason.INCOMPLETE, (*marks, *so_far), missing)

    def _cannot_pass(self, worst: _Scores, missing: int) -> bool:
        """Whether the best scores for the rest of the plan, and no variance, still leave the bound outside."""
        samples = worst.samples + missing
        mean = (worst.total + missing * self.good_end) / samples
        width = Fraction(0) if self.confidence is None else self.width(samples, Fraction(0))
        return self.depth(mean) < width

    def bounds(self, worst: _Scores, best: _Scores) -> tuple[float | None, float | None]:
        """Lower and upper bound within the range, erring outwards; None of a single score."""
        if worst.samples < 2:
            return None, None
        low, high = (worst, best) if self.direction is Direction.AT_LEAST else (best, worst)
        lower = low.mean - self.width(low.samples, low.variance) - _ROUNDING
        upper = high.mean + self.width(high.samples, high.variance) + _ROUNDING
        lowest, highest = float_below(max(self.span.low, lower)), float_above(min(self.span.high, upper))
        if self.confidence is None:
            return lowest, highest
        proven, refuted = self.proven_by(worst), self.refuted_by(best)
        return settled((lowest, highest), self.limit, self.direction, proven=proven, refuted=refuted)


@lru_cache(maxsize=64)  # a plan has few confidences, and a logarithm of 60 digits takes longer than the rest
def _log_of(confidence: Fraction) -> Fraction:
    """ln(2 / alpha)."""
    return Fraction(_ARITHMETIC.ln(_decimal(2 / alpha_of(confidence))))


def _decimal(number: Fraction) -> Decimal:
    return _ARITHMETIC.divide(Decimal(number.numerator), Decimal(number.denominator))


def _refused(scores: Collection[Number], samples: int, span: Span) -> Judged | None:
    if any(math.isnan(value) for value in scores):
        return Judged(Verdict.INVALID, Reason.NOT_A_NUMBER, samples=samples)
    ends = (min(scores), max(scores)) if scores else ()
    if any(math.isinf(end) or not span.low <= exact(end) <= span.high for end in ends):
        return Judged(Verdict.INVALID, Reason.OUT_OF_RANGE, samples=samples)
    return None
