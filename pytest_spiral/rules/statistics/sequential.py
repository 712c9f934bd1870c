"""Rates judged after every sample, by a test that stays valid however often one looks."""

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from fractions import Fraction

from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.statistics.arguments import alpha_of, check_counts, check_inside
from pytest_spiral.rules.statistics.judged import Direction, Judged, Reason
from pytest_spiral.rules.statistics.plan import first_holding

_ARITHMETIC = Context(prec=50, Emax=MAX_EMAX, Emin=MIN_EMIN)
_DOUBT = Decimal("1e-30")  # relative; far above what fifty digits lose in two powers and a product
_NEAR = 1e-6  # of a logarithm: far above what floats lose in a product and a sum


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


def judge_sequence(  # noqa: PLR0913 - named parts of one limit and its plan
    outcomes: Sequence[bool],
    *,
    at_least: Fraction,
    design: Fraction,
    confidence: Fraction,
    lost: int = 0,
    most: int | None = None,
) -> Judged:
    """Judge a sequential plan on its samples in the order taken; `most` is how many there may be in all.

    A fail stands as soon as it was reached, whatever came after: going on would be a second chance. A pass has to hold at
    the end. Both are at least as strict as the first look that decides, so that the risk stays alpha (Ville 1939).
    `lost` samples, announced and never reported, count against a pass and never for a fail. A full plan that has not
    decided is spent. ValueError as for `judge_rate_sequential`.
    """
    hits = sum(outcomes)
    judged = judge_rate_sequential(
        hits, len(outcomes) - hits + lost, at_least=at_least, design=design, confidence=confidence
    )
    threshold, bar = 1 / alpha_of(confidence), Fraction(at_least)
    if any(_reaches(*look, bar, 2 * bar - design, threshold) for look in _worst_looks(outcomes, bar, design)):
        return replace(judged, verdict=Verdict.FAIL, reason=None)
    if judged.verdict is Verdict.PASS:
        return judged
    if judged.verdict is Verdict.FAIL or (
        lost and _passes_with(hits + lost, len(outcomes) - hits, judged, design, confidence)
    ):
        return replace(judged, verdict=Verdict.INCONCLUSIVE, reason=Reason.LOST_SAMPLES)
    spent = most is not None and len(outcomes) + lost >= most
    return replace(judged, planned=most, reason=Reason.PLAN_SPENT if spent else Reason.CONTINUE)


def smallest_sequential(at_least: Fraction, design: Fraction, confidence: Fraction) -> int:
    """How many samples in a row, none of them a failure, pass a sequential plan; ValueError as for judging it."""
    judge_rate_sequential(0, 0, at_least=at_least, design=design, confidence=confidence)
    threshold = 1 / alpha_of(confidence)
    return first_holding(lambda samples: _reaches(samples, 0, at_least, design, threshold), 1)


def _passes_with(hits: int, failed: int, judged: Judged, design: Fraction, confidence: Fraction) -> bool:
    bar = judged.limit or Fraction(0)
    best = judge_rate_sequential(hits, failed, at_least=bar, design=design, confidence=confidence)
    return best.verdict is Verdict.PASS


def _worst_looks(outcomes: Sequence[bool], bar: Fraction, design: Fraction) -> Iterator[tuple[int, int]]:
    """The looks, as (successes, failures), at which E for a fail is highest; one more where another comes near it.

    Logarithms in floats find them, up to far more than their rounding error; what is found is then judged exactly.
    """
    mirror = 2 * bar - design
    gain, loss = math.log((1 - mirror) / (1 - bar)), math.log(mirror / bar)
    hits, highest = 0, -math.inf
    looks: list[tuple[float, int, int]] = []
    for number, hit in enumerate(outcomes, start=1):
        hits += hit
        total = hits * loss + (number - hits) * gain
        if not hit and total > highest - _NEAR:
            looks = [one for one in looks if one[0] > total - _NEAR]
            looks.append((total, hits, number - hits))
            highest = max(highest, total)
    return ((hits, failed) for _, hits, failed in looks)


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
