"""Tails and bounds, against exact sums and against an independent library."""

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binom, chi2, poisson

from pytest_spiral.rules.statistics import tails
from pytest_spiral.rules.statistics.arguments import exact, float_above, float_below, limit_of
from pytest_spiral.rules.statistics.bounds import lower_mean, lower_share, settled, upper_mean, upper_share
from pytest_spiral.rules.statistics.judged import Direction
from pytest_spiral.rules.statistics.tails import (
    MOST_EXACT_SAMPLES,
    Binomial,
    Poisson,
    compare_lower_tail,
    compare_upper_tail,
    lower_tail,
    upper_tail,
)

SHARES = st.fractions(min_value=Fraction(1, 1000), max_value=Fraction(999, 1000), max_denominator=1000)
RISKS = st.sampled_from([Fraction(1, 1000), Fraction(1, 100), Fraction(1, 20), Fraction(1, 10), Fraction(1, 2)])
A_TWENTIETH = Fraction(1, 20)


def summed_tail(samples: int, share: Fraction, rank: int) -> Fraction:
    """P(X >= rank), term by term."""
    terms = (
        math.comb(samples, at) * share**at * (1 - share) ** (samples - at) for at in range(max(rank, 0), samples + 1)
    )
    return sum(terms, start=Fraction(0))


@st.composite
def counts(draw, most):
    samples = draw(st.integers(1, most))
    return draw(st.integers(0, samples)), samples


@given(counts(30), SHARES, st.fractions(min_value=Fraction(1, 999), max_value=Fraction(998, 999)))
@settings(max_examples=150)
def test_comparing_a_tail_agrees_with_summing_it_exactly(count, share, risk):
    rank, samples = count
    upper = summed_tail(samples, share, rank)
    lower = 1 - summed_tail(samples, share, rank + 1)
    assert compare_upper_tail(Binomial(samples, share), rank, risk) == (upper > risk) - (upper < risk)
    assert compare_lower_tail(Binomial(samples, share), rank, risk) == (lower > risk) - (lower < risk)


@given(counts(30), SHARES)
@settings(max_examples=100)
def test_a_tail_that_ties_with_the_risk_is_a_tie_and_not_a_rounding(count, share):
    rank, samples = count
    tail = summed_tail(samples, share, rank)
    if 0 < tail < 1:
        assert compare_upper_tail(Binomial(samples, share), rank, tail) == 0
        assert compare_lower_tail(Binomial(samples, share), rank - 1, 1 - tail) == 0
        hair = Fraction(1, 10**300)
        assert compare_upper_tail(Binomial(samples, share), rank, tail + hair) == -1
        assert compare_upper_tail(Binomial(samples, share), rank, tail - hair) == 1


# Far from the mode


@st.composite
def distributions(draw):
    if draw(st.booleans()):
        return Binomial(draw(st.integers(1, 3_000)), draw(SHARES))
    return Poisson(draw(st.fractions(min_value=Fraction(1, 50), max_value=3_000, max_denominator=50)))


@given(distributions(), st.floats(-40, 40), st.integers(1, 600), st.booleans())
@example(Poisson(Fraction(100)), -10.0, 3, False)
@example(Poisson(Fraction(100)), 40.0, 3, True)
@example(Binomial(10, Fraction(1, 2)), 4.0, 3, True)
@settings(max_examples=300)
def test_what_a_plain_bound_tells_is_what_the_sum_tells(distribution, deviations, bits, one_minus):
    """Ranks up to 40 standard deviations away, against thresholds down to 2^-600 and as near to 1."""
    spread = math.sqrt(distribution.mode + 1)
    rank = max(1, round(distribution.mode + deviations * spread))
    assume(distribution.certain_tail(rank) is None)
    threshold = Fraction(1, 1 << bits)
    told = tails._far_out(distribution, rank, 1 - threshold if one_minus else threshold)
    if told is not None:
        above, below, slack = tails._masses(distribution, rank, 1200)
        low, high = Fraction(above, above + below + slack), Fraction(above + slack, above + slack + below)
        wanted = 1 - threshold if one_minus else threshold
        assert (low > wanted) if told == 1 else (high < wanted)


@pytest.mark.parametrize("risk", [Fraction(1, 20), Fraction(1, 10**300)])
def test_far_from_the_mode_nothing_is_summed(monkeypatch, risk):
    """A plan on billions of events is looked at in no time; the sum would take seconds."""

    def walk(step, start, stride, *, far_from, bits):
        raise AssertionError(f"{bits} bits are summed from {start} on, for {far_from}")

    monkeypatch.setattr(tails, "_walk", walk)
    mean = 86_400_000_000
    for distribution in (Poisson(Fraction(mean)), Binomial(2 * mean, Fraction(1, 2))):
        for rank in (0, mean // 2, mean - 40_000_000):
            assert compare_lower_tail(distribution, rank, risk) == -1
            assert compare_upper_tail(distribution, rank, risk) == 1
        for rank in (mean + 40_000_000, mean * 3 // 2):
            assert compare_lower_tail(distribution, rank, risk) == 1
            assert compare_upper_tail(distribution, rank, risk) == -1
    with pytest.raises(AssertionError, match="are summed"):
        compare_lower_tail(Poisson(Fraction(mean)), mean - 100_000, risk)


def test_a_tie_in_thousands_of_samples_is_found_too():
    assert compare_upper_tail(Binomial(9_999, Fraction(1, 2)), 5_000, Fraction(1, 2)) == 0
    assert compare_upper_tail(Binomial(9_999, Fraction(1, 2)), 5_001, Fraction(1, 2)) == -1
    assert compare_upper_tail(Binomial(9_999, Fraction(1, 2)), 4_999, Fraction(1, 2)) == 1


def test_a_tie_too_large_to_sum_speaks_against_every_claim():
    samples = MOST_EXACT_SAMPLES * 5 + 1
    middle = (samples + 1) // 2
    coin = Binomial(samples, Fraction(1, 2))
    assert compare_upper_tail(coin, middle, Fraction(1, 2)) == 1
    assert compare_lower_tail(coin, middle - 1, Fraction(1, 2)) == 1


def test_a_poisson_tail_is_never_a_fraction_that_could_tie():
    assert Poisson(Fraction(3)).exact_tail(2) is None


@pytest.mark.parametrize(
    ("distribution", "rank", "tail"),
    [
        (Binomial(5, Fraction(1, 2)), 0, 1),
        (Binomial(5, Fraction(1, 2)), -3, 1),
        (Binomial(5, Fraction(1, 2)), 6, 0),
        (Binomial(5, Fraction(1)), 5, 1),
        (Binomial(5, Fraction(1)), 6, 0),
        (Binomial(5, Fraction(0)), 1, 0),
        (Binomial(5, Fraction(0)), 0, 1),
        (Poisson(Fraction(0)), 1, 0),
        (Poisson(Fraction(0)), 0, 1),
        (Poisson(Fraction(7)), 0, 1),
    ],
)
def test_a_certain_tail_is_exactly_zero_or_one(distribution, rank, tail):
    assert upper_tail(distribution, rank) == tail
    assert lower_tail(distribution, rank - 1) == 1 - tail
    assert compare_upper_tail(distribution, rank, Fraction(1, 2)) == (1 if tail else -1)
    assert compare_lower_tail(distribution, rank - 1, Fraction(1, 2)) == (-1 if tail else 1)


@given(counts(1000), SHARES)
@settings(max_examples=150)
def test_binomial_tails_agree_with_the_library(count, share):
    rank, samples = count
    law = Binomial(samples, share)
    assert upper_tail(law, rank) == pytest.approx(binom.sf(rank - 1, samples, float(share)), rel=1e-9, abs=1e-15)
    assert lower_tail(law, rank) == pytest.approx(binom.cdf(rank, samples, float(share)), rel=1e-9, abs=1e-15)


@given(st.integers(0, 500), st.fractions(min_value=Fraction(1, 100), max_value=500, max_denominator=100))
@settings(max_examples=100)
def test_poisson_tails_agree_with_the_library(rank, mean):
    law = Poisson(mean)
    assert upper_tail(law, rank) == pytest.approx(poisson.sf(rank - 1, float(mean)), rel=1e-9, abs=1e-15)
    assert lower_tail(law, rank) == pytest.approx(poisson.cdf(rank, float(mean)), rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("rank", [94_700, 94_886, 95_000, 95_114, 95_300, 0, 100_000])
def test_tails_of_a_hundred_thousand_samples_agree_with_the_library(rank):
    law = Binomial(100_000, Fraction(19, 20))
    assert upper_tail(law, rank) == pytest.approx(binom.sf(rank - 1, 100_000, 0.95), rel=1e-9, abs=1e-15)


@given(counts(1000), RISKS)
@example((0, 1), A_TWENTIETH)
@example((1, 1), A_TWENTIETH)
@settings(max_examples=60, deadline=None)
def test_bounds_of_a_share_agree_with_the_library(count, risk):
    successes, samples = count
    lower, upper = lower_share(successes, samples, risk), upper_share(successes, samples, risk)
    failures = samples - successes
    assert lower == pytest.approx(beta.ppf(float(risk), successes, failures + 1) if successes else 0.0, abs=1e-9)
    assert upper == pytest.approx(beta.ppf(1 - float(risk), successes + 1, failures) if failures else 1.0, abs=1e-9)


@given(counts(200), RISKS)
@settings(max_examples=60, deadline=None)
def test_bounds_of_a_share_err_outwards_by_one_step_at_most(count, risk):
    successes, samples = count
    lower, upper = lower_share(successes, samples, risk), upper_share(successes, samples, risk)
    step = Fraction(1, 2**53)

    def tail_above(share):
        return compare_upper_tail(Binomial(samples, share), successes, risk)

    def tail_below(share):
        return compare_lower_tail(Binomial(samples, share), successes, risk)

    assert successes == 0 or (tail_above(Fraction(lower)) <= 0 < tail_above(Fraction(lower) + step))
    assert successes == samples or (tail_below(Fraction(upper)) <= 0 < tail_below(Fraction(upper) - step))


@pytest.mark.parametrize("successes", [3, 50_000, 95_114, 100_000])
def test_bounds_of_a_share_of_a_hundred_thousand_agree_with_the_library(successes):
    failures = 100_000 - successes
    assert lower_share(successes, 100_000, A_TWENTIETH) == pytest.approx(
        beta.ppf(0.05, successes, failures + 1), abs=1e-12
    )
    expected = beta.ppf(0.95, successes + 1, failures) if failures else 1.0
    assert upper_share(successes, 100_000, A_TWENTIETH) == pytest.approx(expected, abs=1e-12)


@given(st.integers(0, 300), RISKS)
@example(0, A_TWENTIETH)
@settings(max_examples=30, deadline=None)
def test_bounds_of_a_count_agree_with_the_library(count, risk):
    lower = chi2.ppf(float(risk), 2 * count) / 2 if count else 0.0
    assert lower_mean(count, risk) == pytest.approx(lower, rel=1e-9)
    assert upper_mean(count, risk) == pytest.approx(chi2.ppf(1 - float(risk), 2 * count + 2) / 2, rel=1e-9)


@given(st.integers(0, 100), RISKS)
@settings(max_examples=30, deadline=None)
def test_bounds_of_a_count_err_outwards_by_a_few_steps_at_most(count, risk):
    lower, upper = Fraction(lower_mean(count, risk)), Fraction(upper_mean(count, risk))
    assert compare_lower_tail(Poisson(upper), count, risk) <= 0
    assert compare_lower_tail(Poisson(upper - 3 * Fraction(math.ulp(upper))), count, risk) > 0
    if count:
        assert compare_upper_tail(Poisson(lower), count, risk) <= 0
        assert compare_upper_tail(Poisson(lower + Fraction(count, 2**51)), count, risk) > 0


def test_the_upper_bound_of_no_event_is_the_float_above_the_logarithm():
    upper = upper_mean(0, A_TWENTIETH)
    assert Decimal(math.nextafter(upper, 0)) < Decimal(20).ln() < Decimal(upper)


@pytest.mark.parametrize("risk", [Fraction(1, 2), Fraction(7, 10), Fraction(999, 1000)])
@pytest.mark.parametrize("count", [1, 2, 40])
def test_bounds_of_a_count_hold_for_a_risk_over_one_half_too(count, risk):
    assert lower_mean(count, risk) == pytest.approx(chi2.ppf(float(risk), 2 * count) / 2, rel=1e-9)
    assert upper_mean(count, risk) == pytest.approx(chi2.ppf(1 - float(risk), 2 * count + 2) / 2, rel=1e-9)


@pytest.mark.parametrize("direction", list(Direction))
@pytest.mark.parametrize("limit", [Fraction("0.95"), Fraction("0.8"), Fraction(1, 3), Fraction("0.1")])
@pytest.mark.parametrize("proven", [True, False])
def test_a_bound_on_the_limit_is_moved_to_the_side_of_the_verdict(direction, limit, proven):
    bounds = (float(limit), float(limit))
    lower, upper = settled(bounds, limit, direction, proven=proven, refuted=not proven)
    if direction is Direction.AT_LEAST:
        assert (exact(lower) >= limit) is proven
        assert (exact(upper) < limit) is not proven
    else:
        assert (exact(upper) <= limit) is proven
        assert (exact(lower) > limit) is not proven
    assert abs(lower - bounds[0]) <= math.ulp(1.0)


@given(st.fractions())
def test_directed_floats_enclose_the_number_tightly(number):
    below, above = float_below(number), float_above(number)
    assert Fraction(below) <= number <= Fraction(above)
    assert above in {below, math.nextafter(below, math.inf)}


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_counts_as_it_is_written(number):
    assert exact(number) == Fraction(repr(number))
    assert float(exact(number)) == number


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_has_no_exact_value(number):
    with pytest.raises(ValueError, match="finite"):
        exact(number)


@pytest.mark.parametrize(
    "limits", [{"at_least": None, "at_most": None}, {"at_least": Fraction(1), "at_most": Fraction(1)}]
)
def test_a_limit_has_exactly_one_direction(limits):
    with pytest.raises(ValueError, match="exactly one"):
        limit_of(**limits)


@pytest.mark.parametrize("limits", [{"at_least": 0.95, "at_most": None}, {"at_least": None, "at_most": 0.05}])
def test_a_limit_that_went_through_binary_floating_point_is_refused(limits):
    with pytest.raises(ValueError, match="exact fraction"):
        limit_of(**limits)
