"""Equivalence, regression, strata and waivers."""

import itertools
import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.statistics import (
    Direction,
    Judged,
    Ranks,
    WaivedFigures,
    cover,
    judge_equality,
    judge_equivalence,
    judge_failures,
    judge_no_regression,
    judge_quantile_values,
    judge_rate,
    judge_strata,
)

BAR = Fraction("0.95")


def equivalence(differences, margin=500, **changes):
    return judge_equivalence(differences, margin=Fraction(margin), confidence=BAR, **changes)


LINE = [20.0 * number - 1010 for number in range(1, 101)]


@pytest.mark.parametrize(
    ("differences", "margin", "verdict", "reason"),
    [
        (LINE, 500, "pass", None),
        (LINE, 170, "pass", None),
        (LINE, Fraction("169.9"), "inconclusive", "margin-not-proven"),
        ([one + 1000 for one in LINE], 500, "fail", None),
        ([one - 1000 for one in LINE], 500, "fail", None),
        ([one + 670 for one in LINE], 500, "inconclusive", "margin-not-proven"),
        ([one + 671 for one in LINE], 500, "fail", None),
        ([0.0] * 4, 500, "inconclusive", "too-few-for-any-bound"),
        ([0.0] * 5, 500, "pass", None),
        ([], 500, "invalid", "empty"),
        ([1.0, math.nan], 500, "invalid", "not-a-number"),
        ([1.0, math.inf], 500, "invalid", "not-a-number"),
    ],
)
def test_equivalence_needs_the_whole_interval_inside_the_margin(differences, margin, verdict, reason):
    judged = equivalence(differences, margin)
    assert (judged.verdict, judged.reason) == (verdict, reason)


def test_the_controls_of_a_comparison_behave():
    """A/A passes, A/A shifted by twice the margin does not."""
    assert equivalence(LINE, 200).verdict is Verdict.PASS
    assert equivalence([one + 400 for one in LINE], 200).verdict is Verdict.FAIL


def test_lost_pairs_widen_the_interval_at_both_ends():
    whole, with_lost = equivalence(LINE), equivalence(LINE, lost=10)
    assert with_lost.lower < whole.lower
    assert with_lost.upper > whole.upper
    all_lost = equivalence([0.0] * 50, lost=60)
    assert (all_lost.verdict, all_lost.lower, all_lost.upper) == (Verdict.INCONCLUSIVE, None, None)
    assert equivalence([], lost=100).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("planned", "expected"),
    [
        (100, ("pass", None, None)),
        (101, ("inconclusive", "incomplete", 1)),
        (99, ("invalid", "more-than-planned", None)),
    ],
)
def test_a_comparison_is_judged_when_its_plan_is_full(planned, expected):
    judged = equivalence(LINE, planned=planned)
    assert (judged.verdict, judged.reason, judged.more_needed) == expected


def test_a_resolution_is_not_negative():
    with pytest.raises(ValueError, match="a resolution is not negative"):
        equivalence(LINE, resolution=Fraction(-1))


@pytest.mark.parametrize("margin", [0, -5])
def test_a_margin_of_equivalence_is_positive(margin):
    with pytest.raises(ValueError, match="positive"):
        equivalence(LINE, margin)


def regression(candidate, baseline, margin=1000):
    return judge_no_regression(candidate, baseline, margin=Fraction(margin), quantile=BAR, confidence=BAR)


BASE = [10.0 * number for number in range(1, 1001)]


@pytest.mark.parametrize(
    ("shift", "margin", "verdict", "reason"),
    [
        (500, 1000, "pass", None),
        (500, 780, "pass", None),
        (500, 779, "inconclusive", "margin-not-proven"),
        (0, 0, "inconclusive", "margin-not-proven"),
        (-300, 0, "pass", None),
        (2000, 1000, "fail", None),
        (2000, 1720, "inconclusive", "margin-not-proven"),
        (2000, 1719, "fail", None),
    ],
)
def test_no_regression_needs_the_upper_bound_of_the_difference(shift, margin, verdict, reason):
    judged = regression([one + shift for one in BASE], BASE, margin)
    assert (judged.verdict, judged.reason) == (verdict, reason)
    assert judged.ranks == Ranks(950, 936, 964)


@pytest.mark.parametrize(
    ("candidate", "baseline", "verdict", "reason"),
    [
        ([1.0] * 50, [1.0] * 50, "inconclusive", "too-few-for-any-bound"),
        ([], BASE, "invalid", "empty"),
        (BASE, [], "invalid", "empty"),
        ([math.nan], BASE, "invalid", "not-a-number"),
        (BASE, [-math.inf], "invalid", "not-a-number"),
        ([1.0] * 900 + [math.inf] * 100, [1.0] * 1000, "fail", None),
        ([1.0] * 960 + [math.inf] * 40, [1.0] * 1000, "inconclusive", "margin-not-proven"),
        ([1.0] * 990 + [math.inf] * 10, [1.0] * 1000, "pass", None),
        ([1.0] * 900 + [math.inf] * 100, [1.0] * 900 + [math.inf] * 100, "inconclusive", "margin-not-proven"),
    ],
)
def test_a_regression_with_few_failed_or_no_samples(candidate, baseline, verdict, reason):
    judged = regression(candidate, baseline)
    assert (judged.verdict, judged.reason) == (verdict, reason)


def test_a_negative_margin_is_refused():
    with pytest.raises(ValueError, match="negative"):
        regression(BASE, BASE, -1)


@given(st.lists(st.integers(-50, 50), min_size=5, max_size=60), st.integers(1, 60), st.randoms())
@settings(max_examples=80, deadline=None)
def test_a_wider_margin_never_hurts_and_order_changes_nothing(differences, margin, chance):
    narrow, wide = equivalence(differences, margin), equivalence(differences, margin + 1)
    order = {Verdict.FAIL: 0, Verdict.INCONCLUSIVE: 1, Verdict.PASS: 2}
    assert order[narrow.verdict] <= order[wide.verdict]
    assert equivalence(chance.sample(differences, len(differences)), margin) == narrow
    mirrored = equivalence([-one for one in differences], margin)
    assert mirrored.verdict is narrow.verdict


def rate(successes, samples, **changes):
    return judge_rate(successes, samples, **{"at_least": BAR, "confidence": BAR, **changes})


STRATA = {"good": rate(9500, 9500), "bad": rate(100, 500), "open": rate(58, 59), "better": rate(9501, 9501)}


def test_the_worst_stratum_counts_in_whatever_order_they_come():
    for names in itertools.permutations(STRATA):
        judged = judge_strata({name: STRATA[name] for name in names})
        assert (judged.verdict, judged.reason, judged.value) == (Verdict.FAIL, "strata-judged-apart", Fraction(1, 5))


@pytest.mark.parametrize(
    ("names", "verdict", "reason", "value"),
    [
        (["good", "open"], "inconclusive", "point-only", Fraction(58, 59)),
        (["better", "good"], "pass", None, 1),
        (["bad"], "fail", None, Fraction(1, 5)),
    ],
)
def test_strata_are_judged_apart(names, verdict, reason, value):
    judged = judge_strata({name: STRATA[name] for name in names})
    assert (judged.verdict, judged.reason, judged.value) == (verdict, reason, value)


def test_of_strata_that_pass_the_one_with_the_worst_bound_is_shown():
    assert judge_strata({"a": rate(500, 500), "b": rate(59, 59)}).samples == 59
    below = {"at_least": None, "at_most": 1 - BAR}
    assert judge_strata({"a": rate(0, 500, **below), "b": rate(0, 59, **below)}).samples == 59
    assert judge_strata({"b": judge_failures(0, 9), "a": judge_failures(0, 10)}).samples == 10


def test_no_strata_have_no_worst():
    with pytest.raises(ValueError, match="no strata"):
        judge_strata({})


def waived(successes, samples, **changes):
    accepted = rate(successes, samples, **changes)
    return WaivedFigures(accepted.value, accepted.adverse_bound)


@pytest.mark.parametrize(
    ("observed", "reason"),
    [
        (rate(56, 60), None),
        (rate(57, 60), None),
        (rate(282, 300), None),
        (rate(14, 15), "worse-bound"),
        (rate(275, 300), "worse-value"),
        (rate(260, 300), "worse-value"),
        (rate(70, 100), "worse-value"),
        (rate(20, 20, planned=59), "incomplete"),
        (rate(19, 20, planned=59), "cannot-pass"),
        (rate(10, 30, planned=59), "incomplete"),
        (rate(59, 59), "verdict-pass"),
        (rate(0, 0), "verdict-invalid"),
        (judge_equality(3, equal=2, unequal=0, missing=1), "verdict-not-run"),
    ],
)
def test_a_waiver_covers_what_is_no_worse_in_value_and_bound(observed, reason):
    coverage = cover(waived(56, 60), observed)
    assert (coverage.covered, coverage.reason) == (reason is None, reason)


def test_a_waiver_never_covers_a_plan_that_is_not_full_whatever_failed_so_far():
    assert cover(waived(1, 60), rate(10, 30, planned=59)).reason == "incomplete"
    assert cover(waived(1, 60), rate(10, 30, planned=30)).covered
    assert cover(waived(1, 60), rate(10, 30)).covered


def test_a_waiver_of_an_upper_limit_looks_at_the_upper_bound():
    below = {"at_least": None, "at_most": Fraction("0.05")}
    accepted = waived(4, 60, **below)
    assert cover(accepted, rate(4, 60, **below)).covered
    assert cover(accepted, rate(18, 300, **below)).covered
    assert cover(accepted, rate(1, 15, **below)).reason == "worse-bound"
    assert cover(accepted, rate(5, 60, **below)).reason == "worse-value"


def test_a_waiver_of_a_count_has_no_bound_to_compare():
    accepted = WaivedFigures(3, None)
    assert cover(accepted, judge_failures(3, 1000)).covered
    assert cover(accepted, judge_failures(4, 1000)).reason == "worse-value"
    assert cover(accepted, rate(56, 60)).reason == "no-figure"
    assert cover(waived(56, 60), judge_failures(3, 1000)).reason == "no-figure"


def test_a_waiver_cannot_be_held_against_a_figure_that_is_not_there():
    nothing = Judged(Verdict.FAIL, direction=Direction.AT_LEAST)
    assert cover(WaivedFigures(1, None), nothing).reason == "no-figure"


def test_a_failed_call_is_worse_than_any_figure_that_was_waived():
    slow = judge_quantile_values([1.0] * 90 + [200.0] * 10, BAR, at_most=Fraction(100), confidence=BAR)
    failed = judge_quantile_values([1.0] * 90 + [math.inf] * 10, BAR, at_most=Fraction(100), confidence=BAR)
    assert cover(WaivedFigures(slow.value, slow.upper), slow).covered
    assert cover(WaivedFigures(slow.value, slow.upper), failed).reason == "worse-value"
    assert cover(WaivedFigures(failed.value, failed.upper), failed).covered
    assert cover(WaivedFigures(failed.value, failed.upper), slow).covered
