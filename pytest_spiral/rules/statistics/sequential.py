"""Rates judged after every sample, by a test that stays valid however often one looks."""

import math
import sys
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from fractions import Fraction

from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.statistics.arguments import alpha_of, check_counts, check_inside
from pytest_spiral.rules.statistics.judged import Direction, Judged, Reason

_ARITHMETIC = Context(prec=50, Emax=MAX_EMAX, Emin=MIN_EMIN)
_DOUBT = Decimal("1e-30")  # relative; far above what fifty digits lose in two powers and a product


def judge_rate_sequential(
    successes: int, failures: int, *, at_least: Fraction, design: Fraction, confidence: Fraction
) -> Judged:
    """Judge a rate registered as sequential, with the rate `design` that the system is built for.

    E = (p1 / p0)^k ((1 - p1) / (1 - p0))^f with p0 = `at_least` and p1 = `design` grows by chance above 1 / alpha with a
    probability of at most alpha, whatever the number of looks (Wald 1947, Ville 1939). E >= 1 / alpha passes; the same
    with p2 = 2 p0 - p1 fails; else one may go on. `value` is the plain rate (None without samples); `shown` has both
    E values and the threshold.

    ValueError for negative counts, and unless 0 < 2 p0 - p1 and p0 < p1 < 1.
    """
    check_counts(successes=successes, failures=failures)
    bar, built = check_inside("at_least", at_least), check_inside("design", design)
    mirror = 2 * bar - built
    if not 0 < mirror < bar:
        raise ValueError(f"a design rate of {design} does not lie between {at_least} and its mirror's end")
    threshold = 1 / alpha_of(confidence)
    figures = (
        ("e_pass", _float(_e_value(successes, failures, bar, built))),
        ("e_fail", _float(_e_value(successes, failures, bar, mirror))),
        ("threshold", threshold),
    )
    verdict, reason = Verdict.INCONCLUSIVE, Reason.CONTINUE
    if _reaches(successes, failures, bar, built, threshold):
        verdict = Verdict.PASS
    elif _reaches(successes, failures, bar, mirror, threshold):
        verdict = Verdict.FAIL
    samples = successes + failures
    return Judged(
        verdict,
        reason if verdict is Verdict.INCONCLUSIVE else None,
        value=Fraction(successes, samples) if samples else None,
        limit=bar,
        direction=Direction.AT_LEAST,
        samples=samples,
        shown=figures,
    )


def _e_value(successes: int, failures: int, bar: Fraction, other: Fraction) -> Decimal:
    gain, loss = _decimal(other / bar), _decimal((1 - other) / (1 - bar))
    return _ARITHMETIC.multiply(_ARITHMETIC.power(gain, successes), _ARITHMETIC.power(loss, failures))


def _reaches(successes: int, failures: int, bar: Fraction, other: Fraction, threshold: Fraction) -> bool:
    """Whether E >= 1 / alpha; whole powers of fractions where fifty digits leave a doubt."""
    ratio = _ARITHMETIC.divide(_e_value(successes, failures, bar, other), _decimal(threshold))
    if abs(ratio - 1) > _DOUBT:
        return ratio > 1
    return (other / bar) ** successes * ((1 - other) / (1 - bar)) ** failures >= threshold


def _decimal(number: Fraction) -> Decimal:
    return _ARITHMETIC.divide(Decimal(number.numerator), Decimal(number.denominator))


def _float(number: Decimal) -> float:
    """The nearest finite float, for display."""
    nearest = float(number)
    return sys.float_info.max if math.isinf(nearest) else nearest
