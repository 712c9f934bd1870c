"""Comparisons: two transports that must answer alike, and a new version that must not be slower."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import NamedTuple

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
from pytest_spiral.rules.statistics.tails import Binomial, compare_lower_tail, compare_upper_tail
from pytest_spiral.rules.statistics.zones import refuse_population

_HALF = Fraction(1, 2)
_EXACT = Fraction(0)
_Extended = Fraction | float
"""A fraction, or an infinity where there is no bound or a call failed."""


def judge_equivalence(  # noqa: PLR0913 - named parts of one plan
    differences: Sequence[Number],
    *,
    margin: Fraction,
    confidence: Fraction,
    planned: int | None = None,
    lost: int = 0,
    resolution: Fraction = _EXACT,
) -> Judged:
    """Judge that the median of paired differences lies within -margin … margin.

    Two one-sided tests (Schuirmann 1987) by order statistics, each at the confidence: the interval x_(s) … x_(r) of the
    median must lie inside the margin for a pass, wholly outside for a fail. So "no significant difference" is no
    pass. `lost` pairs (of which a call failed) widen the interval at both ends, and so do pairs that the plan still
    lacks. `resolution` is how far off a difference may be: counted against a pass and against a fail. A difference
    that is not finite makes the population invalid.

    ValueError unless the margin is a positive exact fraction.
    """
    allowed = check_exact("margin", margin)
    check_counts(lost=lost)
    if allowed <= 0:
        raise ValueError(f"a margin of equivalence is positive, got {margin}")
    samples = len(differences) + lost
    refused = refuse_population(samples, planned) or _coarse(resolution, allowed, samples)
    if refused is None and not all(math.isfinite(difference) for difference in differences):
        refused = Judged(Verdict.INVALID, Reason.NOT_A_NUMBER, samples=samples)
    if refused is not None:
        return replace(refused, limit=allowed)
    missing = 0 if planned is None else planned - samples
    side = _Side.of([exact(one) for one in differences], _HALF, confidence, lost + missing)
    zone = _Zone(-allowed, allowed, resolution, bounded=_two_sided(side.ranks))
    verdict, reason = zone.judge(side.lower, side.upper, missing)
    return Judged(
        verdict,
        reason,
        value=_median(sorted(exact(one) for one in differences)) if differences else None,
        lower=_lower_figure(side.lower),
        upper=_upper_figure(side.upper),
        limit=allowed,
        samples=samples,
        planned=planned,
        more_needed=missing or None,
        ranks=side.ranks,
    )


def judge_no_regression(  # noqa: PLR0913 - named parts of one plan
    candidate: Sequence[Number],
    baseline: Sequence[Number],
    *,
    margin: Fraction,
    quantile: Fraction,
    confidence: Fraction,
    planned: int | None = None,
    resolution: Fraction = _EXACT,
) -> Judged:
    """Judge that a quantile has not grown by more than the margin from the baseline to the candidate.

    U(candidate) - L(baseline) <= margin passes, L(candidate) - U(baseline) > margin fails, each bound an order
    statistic at 1 - alpha / 2 (Bonferroni). `math.inf` is a failed call; NaN or minus infinity makes a population
    invalid. A failed call of the candidate is infinitely slow. One of the baseline says nothing: taken for slow, it
    would let any candidate pass. Samples that the plan of each side still lacks may be anything. `resolution` is how
    far off a difference may be. `ranks` are the candidate's, `shown` has the baseline's.

    ValueError unless the margin is an exact fraction and not negative.
    """
    allowed, quantile = check_exact("margin", margin), check_inside("quantile", quantile)
    if allowed < 0:
        raise ValueError(f"a margin is not negative, got {margin}")
    each, fewest = 1 - alpha_of(confidence) / 2, min(len(candidate), len(baseline))
    refused = refuse_population(fewest, None) or refuse_population(max(len(candidate), len(baseline)), planned)
    refused = refused or _coarse(resolution, allowed, len(candidate))
    if refused is None and any(math.isnan(one) or one == -math.inf for one in [*candidate, *baseline]):
        refused = Judged(Verdict.INVALID, Reason.NOT_A_NUMBER, samples=len(candidate))
    if refused is not None:
        return replace(refused, limit=allowed, direction=Direction.AT_MOST)
    slow, old = ([one if one == math.inf else exact(one) for one in values] for values in (candidate, baseline))
    answered = [one for one in old if one != math.inf]
    lacking = [0 if planned is None else planned - len(values) for values in (slow, old)]
    new_side = _Side.of(slow, quantile, each, lacking[0])
    old_side = _Side.of(answered, quantile, each, lacking[1] + len(old) - len(answered))
    lower, upper = (
        _less(new_side.lower, old_side.upper, -math.inf),
        _less(new_side.upper, old_side.lower, math.inf),
    )
    bounded = new_side.ranks.upper is not None and old_side.ranks.lower is not None
    zone = _Zone(-math.inf, allowed, resolution, bounded=bounded)
    verdict, reason = zone.judge(lower, upper, max(lacking))
    return Judged(
        verdict,
        reason,
        value=_less(_estimate(slow, quantile), _estimate(old, quantile), math.inf),
        lower=_lower_figure(lower),
        upper=_upper_figure(upper),
        limit=allowed,
        direction=Direction.AT_MOST,
        samples=fewest if planned is not None else len(candidate),
        planned=planned,
        more_needed=max(lacking) or None,
        ranks=new_side.ranks,
        shown=(
            ("baseline_samples", len(baseline)),
            ("baseline_lower_rank", old_side.ranks.lower),
            ("baseline_upper_rank", old_side.ranks.upper),
        ),
    )


class Controlled(NamedTuple):
    """A regression judged, and its two controls: the baseline against itself, and that with twice the margin added."""

    judged: Judged
    same: Verdict
    shifted: Verdict


def judge_no_regression_controlled(  # noqa: PLR0913 - named parts of one plan
    candidate: Sequence[Number],
    baseline: Sequence[Number],
    *,
    margin: Fraction,
    quantile: Fraction,
    confidence: Fraction,
    planned: int | None = None,
    resolution: Fraction = _EXACT,
) -> Controlled:
    """Judge as `judge_no_regression`, and let a pass stand only beside its controls (statistics.md, rule 15).

    The baseline's even samples against its odd ones must pass (A/A), and with twice the margin added must not
    (A/A + 2Δ). Else a pass says nothing of what was measured: it becomes inconclusive, `control`. A fail stays one.
    """
    judge = partial(judge_no_regression, margin=margin, quantile=quantile, confidence=confidence, resolution=resolution)
    judged = judge(candidate, baseline, planned=planned)
    same = judge(baseline[::2], baseline[1::2]).verdict
    shifted = judge([one + 2 * margin for one in baseline[::2]], baseline[1::2]).verdict
    controlled = same is Verdict.PASS and shifted is not Verdict.PASS
    if judged.verdict is Verdict.PASS and not controlled:
        judged = replace(judged, verdict=Verdict.INCONCLUSIVE, reason=Reason.CONTROL)
    return Controlled(judged, same, shifted)


def comparable(samples: int, quantile: Fraction | None, confidence: Fraction) -> bool:
    """Whether so many samples of either side can prove anything: pairs where there is no quantile, else two series.

    A series' baseline is cut in two for its controls, and either half needs its bound.
    """
    alpha = alpha_of(confidence)
    if quantile is None:
        return _is_bounded_above(samples, _HALF, alpha) and _is_bounded_below(samples, _HALF, alpha)
    even, odd = (samples + 1) // 2, samples // 2
    return _is_bounded_above(even, quantile, alpha / 2) and _is_bounded_below(odd, quantile, alpha / 2)


@dataclass(frozen=True, slots=True)
class _Side:
    """The bounds of a quantile of one side of a comparison."""

    lower: _Extended
    upper: _Extended
    ranks: Ranks

    @classmethod
    def of(cls, values: Sequence[_Extended], quantile: Fraction, confidence: Fraction, unknown: int) -> "_Side":
        """Of these values and so many unknown ones, which may be as small or as large as can be."""
        ordered = sorted(values)
        ranks = quantile_ranks(len(ordered) + unknown, quantile, confidence)
        return cls(
            _at([*[-math.inf] * unknown, *ordered], ranks.lower, -math.inf),
            _at([*ordered, *[math.inf] * unknown], ranks.upper, math.inf),
            ranks,
        )


@dataclass(frozen=True, slots=True)
class _Zone:
    """Where an interval must lie, and how far off its ends may be; `bounded`: there were samples enough for a pass."""

    least: _Extended
    most: _Extended
    resolution: Fraction
    bounded: bool

    def judge(self, lower: _Extended, upper: _Extended, missing: int) -> tuple[Verdict, Reason | None]:
        """Inside, wholly outside, or neither; a plan that is not full passes nothing, and may have failed already."""
        if lower > self.most + self.resolution or upper < self.least - self.resolution:
            return Verdict.FAIL, None
        if missing:
            return Verdict.INCONCLUSIVE, Reason.INCOMPLETE
        if not self.bounded:
            return Verdict.INCONCLUSIVE, Reason.TOO_FEW
        if not (self.least <= lower and upper <= self.most):
            return Verdict.INCONCLUSIVE, Reason.MARGIN_NOT_PROVEN
        if self.least <= lower - self.resolution and upper + self.resolution <= self.most:
            return Verdict.PASS, None
        return Verdict.INCONCLUSIVE, Reason.RESOLUTION


def _coarse(resolution: Fraction, margin: Fraction, samples: int) -> Judged | None:
    """A clock that is off by over a tenth of the margin tells nothing of it."""
    if resolution < 0:
        raise ValueError(f"a resolution is not negative, got {resolution}")
    return Judged(Verdict.INVALID, Reason.COARSE_TIMER, samples=samples) if resolution * 10 > margin else None


def _estimate(values: Sequence[_Extended], quantile: Fraction) -> _Extended:
    return sorted(values)[math.ceil(quantile * len(values)) - 1]


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


def _two_sided(ranks: Ranks) -> bool:
    return ranks.lower is not None and ranks.upper is not None


def _is_bounded_above(samples: int, quantile: Fraction, alpha: Fraction) -> bool:
    """Whether the largest of so many samples bounds a quantile, as in `quantile_ranks`."""
    return samples > 0 and compare_upper_tail(Binomial(samples, quantile), samples, alpha) <= 0


def _is_bounded_below(samples: int, quantile: Fraction, alpha: Fraction) -> bool:
    """Whether the smallest of so many samples bounds a quantile, as in `quantile_ranks`."""
    return samples > 0 and compare_lower_tail(Binomial(samples, quantile), 0, alpha) < 0


def _lower_figure(bound: _Extended) -> float | None:
    return float_below(Fraction(bound)) if math.isfinite(bound) else None


def _upper_figure(bound: _Extended) -> float | None:
    return float_above(Fraction(bound)) if math.isfinite(bound) else None
