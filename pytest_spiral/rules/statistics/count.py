"""Counts: events and failed samples, judged exactly, and events per exposure, judged by their bound."""

from dataclasses import dataclass
from fractions import Fraction

from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.statistics.arguments import (
    DISPLAY_CONFIDENCE,
    alpha_of,
    check_counts,
    check_exact,
    exact,
    float_above,
    float_below,
    limit_of,
)
from pytest_spiral.rules.statistics.bounds import lower_mean, lower_share, settled, upper_mean, upper_share
from pytest_spiral.rules.statistics.judged import Direction, Judged, Number, Qualifier, Reason
from pytest_spiral.rules.statistics.tails import Poisson, compare_lower_tail, compare_upper_tail
from pytest_spiral.rules.statistics.zones import Zone, refuse_population


def judge_count(  # noqa: PLR0913 - named parts of one limit and its plan
    count: int,
    *,
    at_most: Fraction | int | None = None,
    at_least: Fraction | int | None = None,
    exposure: Number,
    declared_exposure: Number,
    per: Fraction | int = 1,
    confidence: Fraction = DISPLAY_CONFIDENCE,
) -> Judged:
    """Judge a count that must keep its limit over the whole declared exposure; no confidence enters the verdict.

    `at_most` fails as soon as it is exceeded, `at_least` passes as soon as it is reached; else a short exposure is
    incomplete, and `more_needed` says how much is left. Beside the verdict stands what the count shows as a rate:
    `lower_rate` and `upper_rate` (Garwood 1936) are events per `per` units of exposure, so 3600 gives an hourly figure
    for seconds.

    ValueError for a negative count or exposure, and unless the declared exposure is positive.
    """
    direction, limit = limit_of(at_least, at_most)
    check_counts(count=count)
    measured, declared = _exposures(exposure, declared_exposure)
    if measured == 0:
        return Judged(Verdict.INVALID, Reason.EMPTY, value=count, limit=limit, direction=direction)
    zone = _count_zone(count, direction, limit, full=measured >= declared)
    alpha, unit = alpha_of(confidence), Fraction(per) / measured
    return Judged(
        zone.verdict,
        zone.reason,
        value=count,
        limit=limit,
        direction=direction,
        more_needed=declared - measured if zone.reason else None,
        shown=(
            ("exposure", measured),
            ("lower_rate", float_below(Fraction(lower_mean(count, alpha)) * unit)),
            ("upper_rate", float_above(Fraction(upper_mean(count, alpha)) * unit)),
        ),
    )


def judge_failures(  # noqa: PLR0913 - named parts of one limit and its plan
    failures: int,
    samples: int,
    *,
    at_most: Fraction | int = 0,
    planned: int | None = None,
    lost: int = 0,
    confidence: Fraction = DISPLAY_CONFIDENCE,
) -> Judged:
    """Judge how many of the samples failed: a count whose exposure is the samples.

    `lost` of the samples never reported: they count against a pass and not for a fail. `lower_rate` and `upper_rate`
    are what the count shows of the failure rate (Clopper and Pearson 1934).

    ValueError for negative or impossible counts.
    """
    limit = check_exact("at_most", at_most)
    check_counts(failures=failures, samples=samples, lost=lost)
    if failures + lost > samples:
        raise ValueError(f"{failures} failures and {lost} lost samples are more than {samples}")
    refused = refuse_population(samples, planned)
    if refused is not None:
        return refused
    missing = 0 if planned is None else planned - samples
    zone = _count_zone(failures, Direction.AT_MOST, limit, full=missing == 0)
    if zone.verdict is Verdict.PASS and failures + lost > limit:
        zone = Zone(Verdict.INCONCLUSIVE, Reason.LOST_SAMPLES)
    alpha = alpha_of(confidence)
    return Judged(
        zone.verdict,
        zone.reason,
        value=failures,
        limit=limit,
        direction=Direction.AT_MOST,
        samples=samples,
        planned=planned,
        more_needed=missing if zone.reason == Reason.INCOMPLETE else None,
        shown=(
            ("lower_rate", lower_share(failures, samples, alpha)),
            ("upper_rate", upper_share(failures + lost, samples, alpha)),
        ),
    )


def judge_count_rate(  # noqa: PLR0913 - named parts of one limit and its plan
    count: int,
    *,
    at_most: Fraction | int | None = None,
    at_least: Fraction | int | None = None,
    exposure: Number,
    confidence: Fraction | None,
    declared_exposure: Number | None = None,
) -> Judged:
    """Judge events per unit of exposure by the exact Poisson bounds (Garwood 1936).

    The upper bound chi2(1 - alpha; 2 c + 2) / 2T has to be at most `at_most`; the lower one chi2(alpha; 2 c) / 2T at
    least `at_least`. `confidence` None compares the plain figure. While the exposure is short of the declared one the
    result is incomplete, unless even no further event could avoid a fail, or could give a pass.

    ValueError for a negative count or exposure, and unless limit and declared exposure are positive.
    """
    direction, limit = limit_of(at_least, at_most)
    check_counts(count=count)
    measured, declared = _exposures(exposure, exposure if declared_exposure is None else declared_exposure)
    if limit <= 0:
        raise ValueError(f"a rate of events is limited by a positive number, got {limit}")
    if measured == 0:
        return Judged(Verdict.INVALID, Reason.EMPTY, limit=limit, direction=direction)
    rate = _EventRate(direction, limit, confidence)
    zone = rate.zone(count, measured, declared)
    lower, upper = rate.bounds(count, measured)
    return Judged(
        zone.verdict,
        zone.reason,
        zone.qualifiers,
        value=count / measured,
        lower=lower,
        upper=upper,
        limit=limit,
        direction=direction,
        more_needed=declared - measured if measured < declared and zone.reason else None,
        shown=(("count", count), ("exposure", measured)),
    )


@dataclass(frozen=True, slots=True)
class _EventRate:
    """The bar for a number of events per unit of exposure."""

    direction: Direction
    limit: Fraction
    confidence: Fraction | None

    def holds(self, count: int, exposure: Fraction) -> bool:
        """Whether the plain figure is at or inside the limit."""
        allowed = self.limit * exposure
        return count >= allowed if self.direction is Direction.AT_LEAST else count <= allowed

    def proven(self, count: int, exposure: Fraction) -> bool:
        """Whether the bound is at or inside the limit."""
        if self.confidence is None:
            return self.holds(count, exposure)
        at_limit, alpha = Poisson(self.limit * exposure), alpha_of(self.confidence)
        if self.direction is Direction.AT_MOST:
            return compare_lower_tail(at_limit, count, alpha) <= 0
        return compare_upper_tail(at_limit, count, alpha) <= 0

    def refuted(self, count: int, exposure: Fraction) -> bool:
        """Whether the opposite bound is outside the limit."""
        if self.confidence is None:
            return not self.holds(count, exposure)
        at_limit, alpha = Poisson(self.limit * exposure), alpha_of(self.confidence)
        if self.direction is Direction.AT_MOST:
            return compare_upper_tail(at_limit, count, alpha) < 0
        return compare_lower_tail(at_limit, count, alpha) < 0

    def zone(self, count: int, measured: Fraction, declared: Fraction) -> Zone:
        """Where the count stands. A completion adds exposure, and for `<=` at best no event."""
        marks = () if self.confidence is not None else (Qualifier.SIMPLE_ACCEPTANCE,)
        point = Reason.POINT_ONLY if self.holds(count, measured) else Reason.POINT_SHORT
        if measured >= declared:
            proven, refuted = self.proven(count, measured), self.refuted(count, measured)
            if proven != refuted:
                return Zone(Verdict.PASS if proven else Verdict.FAIL, None, marks)
            return Zone(Verdict.INCONCLUSIVE, point, marks)
        if self.direction is Direction.AT_MOST and not self.proven(count, declared):
            if self.refuted(count, declared):
                return Zone(Verdict.FAIL, None, marks)
            return Zone(Verdict.INCONCLUSIVE, Reason.CANNOT_PASS, marks)
        so_far = () if self.proven(count, measured) else (point,)
        return Zone(Verdict.INCONCLUSIVE, Reason.INCOMPLETE, (*marks, *so_far))

    def bounds(self, count: int, exposure: Fraction) -> tuple[float, float]:
        """Lower and upper bound of the rate, agreeing with `proven` and `refuted`."""
        alpha = alpha_of(self.confidence or DISPLAY_CONFIDENCE)
        lower = float_below(Fraction(lower_mean(count, alpha)) / exposure)
        upper = float_above(Fraction(upper_mean(count, alpha)) / exposure)
        if self.confidence is None:
            return lower, upper
        proven, refuted = self.proven(count, exposure), self.refuted(count, exposure)
        return settled((lower, upper), self.limit, self.direction, proven=proven, refuted=refuted)


def _exposures(exposure: Number, declared: Number) -> tuple[Fraction, Fraction]:
    measured, wanted = exact(exposure), exact(declared)
    if measured < 0 or wanted < 0 or (wanted == 0 and measured != 0):
        raise ValueError(f"an exposure of {exposure} where {declared} was declared makes no sense")
    return measured, wanted


def _count_zone(count: int, direction: Direction, limit: Fraction, *, full: bool) -> Zone:
    holds = count >= limit if direction is Direction.AT_LEAST else count <= limit
    if direction is Direction.AT_LEAST and holds:
        return Zone(Verdict.PASS)
    if direction is Direction.AT_MOST and not holds:
        return Zone(Verdict.FAIL)
    if not full:
        return Zone(Verdict.INCONCLUSIVE, Reason.INCOMPLETE)
    return Zone(Verdict.PASS if holds else Verdict.FAIL)
