"""Plans, and the chance that a system of a given quality gets through a rule."""

import itertools
import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, hypergeom

from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.statistics import judge_rate
from pytest_spiral.rules.statistics.characteristic import (
    chance_of_all,
    chance_of_best,
    chance_of_missing,
    chance_of_passing,
    chance_of_row,
    chance_when_peeking,
)
from pytest_spiral.rules.statistics.plan import (
    most_failures,
    most_false_passes,
    smallest_samples,
    smallest_samples_for_quantile,
    smallest_samples_to_see,
    smallest_spot_check,
)

BAR = Fraction("0.95")


@pytest.mark.parametrize(
    ("failures", "samples"), [(0, 59), (1, 93), (2, 124), (3, 153), (4, 181), (5, 208), (6, 234), (7, 260)]
)
def test_the_smallest_plans_are_those_of_the_tables(failures, samples):
    assert smallest_samples(BAR, BAR, failures=failures) == samples
    assert most_failures(BAR, BAR, samples) == failures
    assert most_failures(BAR, BAR, samples - 1) == (failures - 1 if failures else None)


@given(
    st.fractions(min_value=Fraction(1, 10), max_value=Fraction(99, 100), max_denominator=100),
    st.sampled_from(["0.8", "0.95"]),
    st.integers(0, 4),
)
@settings(max_examples=40, deadline=None)
def test_a_smallest_plan_passes_and_one_sample_less_does_not(bar, confidence, failures):
    asked = {"at_least": bar, "confidence": Fraction(confidence)}
    samples = smallest_samples(bar, Fraction(confidence), failures=failures)
    assert judge_rate(samples - failures, samples, **asked).verdict is Verdict.PASS
    if samples > failures + 1:
        assert judge_rate(samples - 1 - failures, samples - 1, **asked).verdict is not Verdict.PASS


@pytest.mark.parametrize(
    ("quantile", "samples"), [("0.5", 5), ("0.9", 29), ("0.95", 59), ("0.99", 299), ("0.999", 2995)]
)
def test_a_quantile_needs_samples_enough_for_any_bound(quantile, samples):
    assert smallest_samples_for_quantile(Fraction(quantile), BAR) == samples


@pytest.mark.parametrize(("failures", "samples"), [(0, 1), (1, 3), (2, 5)])
def test_a_low_bar_needs_hardly_any_samples(failures, samples):
    assert smallest_samples(Fraction(1, 10) if failures else Fraction(1, 100), BAR, failures=failures) == samples


@pytest.mark.parametrize(("samples", "altered", "chance"), [(200, 10, "0.95"), (1000, 50, "0.95"), (40, 1, "0.5")])
def test_a_spot_check_is_the_smallest_that_finds(samples, altered, chance):
    taken = smallest_spot_check(samples, altered, Fraction(chance))
    assert hypergeom.pmf(0, samples, altered, taken) <= 1 - float(chance) + 1e-12
    assert hypergeom.pmf(0, samples, altered, taken - 1) > 1 - float(chance)


@pytest.mark.parametrize(("samples", "altered", "taken"), [(10, 10, 1), (10, 1, 10), (1, 1, 1), (10, 6, 3)])
def test_a_spot_check_of_few_samples(samples, altered, taken):
    assert smallest_spot_check(samples, altered, Fraction("0.95")) == taken


def test_a_defect_shows_in_enough_samples():
    assert smallest_samples_to_see(Fraction(1, 100), Fraction(1, 1000)) == 688
    assert chance_of_missing(0.01, 688) <= 0.001 < chance_of_missing(0.01, 687)


def test_a_simulation_may_show_so_many_false_passes():
    allowed = most_false_passes(2000, Fraction("0.05"), Fraction("0.999"))
    assert allowed == binom.ppf(0.999, 2000, 0.05) == 131


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: smallest_samples(Fraction(1), BAR), "between 0 and 1"),
        (lambda: smallest_samples(BAR, BAR, failures=-1), "negative"),
        (lambda: most_failures(BAR, BAR, 0), "at least one sample"),
        (lambda: smallest_spot_check(10, 0, BAR), "cannot be looked for"),
        (lambda: smallest_spot_check(10, 11, BAR), "cannot be looked for"),
        (lambda: most_false_passes(0, BAR, BAR), "at least one campaign"),
        (lambda: chance_of_passing(0, 0, 0.5), "at least one sample"),
        (lambda: chance_of_passing(5, -1, 0.5), "negative"),
        (lambda: chance_of_passing(5, 0, 1.5), "between 0 and 1"),
        (lambda: chance_of_row(0.5, 0), "at least one run"),
    ],
)
def test_a_plan_of_nonsense_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@given(st.integers(1, 400), st.integers(0, 20), st.integers(0, 100))
@settings(max_examples=60, deadline=None)
def test_the_chance_of_passing_agrees_with_the_library(samples, failures, percent):
    expected = binom.cdf(failures, samples, 1 - percent / 100)
    assert chance_of_passing(samples, failures, percent / 100) == pytest.approx(expected, abs=1e-12)


def test_plans_of_the_same_bar_let_a_good_system_through_very_differently():
    assert chance_of_row(chance_of_passing(59, 0, 0.99), 3) == pytest.approx(0.1688, abs=1e-4)
    assert chance_of_row(chance_of_passing(208, 5, 0.99), 3) == pytest.approx(0.9440, abs=1e-4)
    assert chance_of_all([0.987] * 8) == pytest.approx(0.90, abs=1e-3)
    assert chance_of_all([]) == 1.0


def enumerated_row(chance, consecutive, attempts):
    total = 0.0
    for runs in itertools.product([False, True], repeat=attempts):
        if any(all(runs[at : at + consecutive]) for at in range(attempts - consecutive + 1)):
            total += math.prod(chance if passed else 1 - chance for passed in runs)
    return total


@pytest.mark.parametrize("consecutive", [1, 2, 3])
@pytest.mark.parametrize("attempts", [1, 3, 6])
@pytest.mark.parametrize("chance", [0.0, 0.3, 0.95, 1.0])
def test_the_chance_of_a_row_is_that_of_all_its_ways(chance, consecutive, attempts):
    expected = enumerated_row(chance, consecutive, attempts)
    assert chance_of_row(chance, consecutive, attempts) == pytest.approx(expected, abs=1e-12)


def enumerated_peeking(bar, confidence, rate, most):
    """The chance of a pass at any look, by all sequences of hits and misses."""
    passing = {
        (hits, end)
        for end in range(1, most + 1)
        for hits in range(end + 1)
        if judge_rate(hits, end, at_least=bar, confidence=confidence).verdict is Verdict.PASS
    }
    return sum(
        math.prod(rate if hit else 1 - rate for hit in hits)
        for hits in itertools.product([0, 1], repeat=most)
        if any((sum(hits[:end]), end) in passing for end in range(1, most + 1))
    )


def test_the_risk_of_peeking_is_that_of_all_sequences():
    bar, confidence = Fraction("0.6"), Fraction("0.8")
    assert most_failures(bar, confidence, 9) == 1
    expected = enumerated_peeking(bar, confidence, 0.6, 9)
    assert chance_when_peeking(bar, confidence, 0.6, 9) == pytest.approx(expected, abs=1e-12)
    assert expected > chance_of_passing(4, 0, 0.6)


def test_a_plan_too_small_to_pass_cannot_be_peeked_at():
    assert chance_when_peeking(BAR, BAR, 0.95, 58) == 0.0


@pytest.mark.parametrize(("runs", "percent"), [(1, 4.85), (2, 9.46), (14, 50.14)])
def test_keeping_the_best_run_inflates_the_risk(runs, percent):
    assert 100 * chance_of_best(chance_of_passing(59, 0, 0.95), runs) == pytest.approx(percent, abs=0.01)
