"""Counts, censuses, means and durations."""

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.statistics import (
    Span,
    judge_count,
    judge_count_rate,
    judge_elapsed,
    judge_equality,
    judge_extreme,
    judge_failures,
    judge_mean,
)
from pytest_spiral.rules.statistics.arguments import exact

CONFIDENCE = Fraction("0.95")
ORDER = {Verdict.FAIL: 0, Verdict.INCONCLUSIVE: 1, Verdict.PASS: 2}


@pytest.mark.parametrize(
    ("count", "limit", "exposure", "verdict", "reason", "more"),
    [
        (0, {"at_most": 0}, 20, "pass", None, None),
        (0, {"at_most": 0}, 20.5, "pass", None, None),
        (0, {"at_most": 0}, 19.5, "inconclusive", "incomplete", Fraction(1, 2)),
        (1, {"at_most": 0}, 3, "fail", None, None),
        (2, {"at_most": 2}, 20, "pass", None, None),
        (3, {"at_most": 2}, 20, "fail", None, None),
        (0, {"at_most": 0}, 0, "invalid", "empty", None),
        (5, {"at_least": 5}, 3, "pass", None, None),
        (4, {"at_least": 5}, 20, "fail", None, None),
        (4, {"at_least": 5}, 19, "inconclusive", "incomplete", 1),
    ],
)
def test_a_count_must_keep_its_limit_over_the_declared_exposure(count, limit, exposure, *, verdict, reason, more):
    judged = judge_count(count, exposure=exposure, declared_exposure=20, **limit)
    assert (judged.verdict, judged.reason, judged.more_needed) == (verdict, reason, more)


def test_beside_a_count_stands_what_it_shows():
    judged = judge_count(0, at_most=0, exposure=20, declared_exposure=20, per=3600)
    assert math.floor(judged.figure("upper_rate")) == 539
    assert judged.figure("lower_rate") == 0.0
    by_the_second = judge_count(0, at_most=0, exposure=20, declared_exposure=20)
    assert 3600 * by_the_second.figure("upper_rate") == pytest.approx(judged.figure("upper_rate"))
    with pytest.raises(KeyError):
        judged.figure("no such figure")


@pytest.mark.parametrize(
    "arguments",
    [
        {"count": -1, "exposure": 1, "declared_exposure": 1},
        {"count": 0, "exposure": -1, "declared_exposure": 1},
        {"count": 0, "exposure": 1, "declared_exposure": 0},
        {"count": 0, "exposure": 1, "declared_exposure": -1},
        {"count": 0, "exposure": math.inf, "declared_exposure": 1},
    ],
)
def test_a_count_of_nonsense_is_refused(arguments):
    with pytest.raises(ValueError, match=r"negative|makes no sense|finite"):
        judge_count(**arguments, at_most=0)


@pytest.mark.parametrize(
    ("failures", "samples", "planned", "lost", "expected"),
    [
        (0, 1000, 1000, 0, ("pass", None, None)),
        (0, 1000, None, 0, ("pass", None, None)),
        (1, 1000, 1000, 0, ("fail", None, None)),
        (1, 10, 1000, 0, ("fail", None, None)),
        (0, 999, 1000, 0, ("inconclusive", "incomplete", 1)),
        (0, 1000, 1000, 1, ("inconclusive", "lost-samples", None)),
        (1, 1000, 1000, 1, ("fail", None, None)),
        (0, 1001, 1000, 0, ("invalid", "more-than-planned", None)),
        (0, 0, 1000, 0, ("invalid", "empty", 1000)),
    ],
)
def test_failures_are_counted_over_all_samples(failures, samples, planned, lost, expected):
    judged = judge_failures(failures, samples, planned=planned, lost=lost)
    assert (judged.verdict, judged.reason, judged.more_needed) == expected


def test_more_failures_than_samples_are_refused():
    with pytest.raises(ValueError, match="more than 3"):
        judge_failures(3, 3, lost=1)


@pytest.mark.parametrize(
    ("count", "hours", "limit", "expected"),
    [
        (0, 3, {"at_most": 1}, ("pass", None)),
        (0, 2.99, {"at_most": 1}, ("inconclusive", "point-only")),
        (1, 5, {"at_most": 1}, ("pass", None)),
        (9, 4, {"at_most": 1}, ("fail", None)),
        (3, 2, {"at_most": 1}, ("inconclusive", "point-short")),
        (0, 0, {"at_most": 1}, ("invalid", "empty")),
        (20, 2, {"at_least": 5}, ("pass", None)),
        (12, 2, {"at_least": 5}, ("inconclusive", "point-only")),
        (8, 2, {"at_least": 5}, ("inconclusive", "point-short")),
        (2, 2, {"at_least": 5}, ("fail", None)),
    ],
)
def test_events_per_exposure_are_judged_by_their_bound(count, hours, limit, expected):
    judged = judge_count_rate(count, exposure=hours, confidence=CONFIDENCE, **limit)
    assert (judged.verdict, judged.reason) == expected


@pytest.mark.parametrize(
    ("count", "hours", "limit", "expected"),
    [
        (0, 2, {"at_most": 1}, ("inconclusive", "incomplete", ("point-only",), 3)),
        (0, 4, {"at_most": 1}, ("inconclusive", "incomplete", (), 1)),
        (2, 4, {"at_most": 1}, ("inconclusive", "cannot-pass", (), 1)),
        (10, 4, {"at_most": 1}, ("fail", None, (), None)),
        (1, 2, {"at_least": 5}, ("inconclusive", "incomplete", ("point-short",), 3)),
        (0, 5, {"at_most": 1}, ("pass", None, (), None)),
    ],
)
def test_a_short_exposure_waits_unless_no_completion_helps(count, hours, limit, expected):
    judged = judge_count_rate(count, exposure=hours, declared_exposure=5, confidence=CONFIDENCE, **limit)
    assert (judged.verdict, judged.reason, judged.qualifiers, judged.more_needed) == expected


def test_without_confidence_events_are_compared_plainly():
    for count, verdict in ((2, Verdict.PASS), (3, Verdict.FAIL)):
        judged = judge_count_rate(count, at_most=1, exposure=2, confidence=None)
        assert (judged.verdict, judged.qualifiers) == (verdict, ("simple-acceptance",))


def test_a_rate_of_events_needs_a_positive_limit():
    with pytest.raises(ValueError, match="positive"):
        judge_count_rate(0, at_most=0, exposure=2, confidence=CONFIDENCE)


@given(st.integers(0, 60), st.integers(1, 20), st.sampled_from(["at_most", "at_least"]))
@settings(max_examples=40, deadline=None)
def test_bounds_of_events_agree_with_the_verdict_and_more_events_only_go_one_way(count, hours, direction):
    limit = {direction: Fraction(2)}
    judged = judge_count_rate(count, exposure=hours, confidence=CONFIDENCE, **limit)
    more = judge_count_rate(count + 1, exposure=hours, confidence=CONFIDENCE, **limit)
    if direction == "at_most":
        assert (judged.verdict is Verdict.PASS) is (exact(judged.upper) <= 2)
        assert (judged.verdict is Verdict.FAIL) is (exact(judged.lower) > 2)
        assert ORDER[more.verdict] <= ORDER[judged.verdict]
    else:
        assert (judged.verdict is Verdict.PASS) is (exact(judged.lower) >= 2)
        assert (judged.verdict is Verdict.FAIL) is (exact(judged.upper) < 2)
        assert ORDER[more.verdict] >= ORDER[judged.verdict]


@pytest.mark.parametrize(
    ("listed", "unequal", "missing", "verdict", "reason"),
    [
        (25, 0, 0, "pass", None),
        (25, 1, 0, "fail", None),
        (25, 0, 1, "not-run", "missing-part"),
        (25, 1, 1, "fail", None),
        (25, 0, 25, "not-run", "missing-part"),
        (0, 0, 0, "invalid", "empty"),
    ],
)
def test_every_listed_item_must_agree(listed, unequal, missing, verdict, reason):
    judged = judge_equality(listed, equal=listed - unequal - missing, unequal=unequal, missing=missing)
    assert (judged.verdict, judged.reason, judged.value) == (verdict, reason, unequal)
    assert (judged.samples, judged.planned, judged.more_needed) == (listed - missing, listed, missing or None)


@pytest.mark.parametrize("counts", [(25, 0, 1), (24, 1, 1), (-1, 26, 0)])
def test_a_census_that_does_not_add_up_is_refused(counts):
    equal, unequal, missing = counts
    with pytest.raises(ValueError, match=r"are not 25|negative"):
        judge_equality(25, equal=equal, unequal=unequal, missing=missing)


@pytest.mark.parametrize(
    ("values", "limit", "options", "expected"),
    [
        ([1.0, 45.0], {"at_most": 45}, {}, ("pass", None, 45.0)),
        ([1.0, 45.1], {"at_most": 45}, {}, ("fail", None, 45.1)),
        ([45.0, 90.0], {"at_least": 45}, {}, ("pass", None, 45.0)),
        ([44.9, 90.0], {"at_least": 45}, {}, ("fail", None, 44.9)),
        ([1.0, math.inf], {"at_most": 45}, {}, ("fail", None, math.inf)),
        ([90.0, math.inf], {"at_least": 45}, {}, ("fail", None, math.inf)),
        ([1.0], {"at_most": 45}, {"planned": 2}, ("inconclusive", "incomplete", 1.0)),
        ([46.0], {"at_most": 45}, {"planned": 2}, ("fail", None, 46.0)),
        ([1.0, 2.0, 3.0], {"at_most": 45}, {"planned": 2}, ("invalid", "more-than-planned", None)),
        ([1.0, 2.0], {"at_most": 45}, {"lost": 1}, ("inconclusive", "lost-samples", 2.0)),
        ([46.0, 2.0], {"at_most": 45}, {"lost": 1}, ("fail", None, 46.0)),
        ([], {"at_most": 45}, {"lost": 1}, ("inconclusive", "lost-samples", None)),
        ([], {"at_most": 45}, {}, ("invalid", "empty", None)),
        ([1.0, math.nan], {"at_most": 45}, {}, ("invalid", "not-a-number", None)),
        ([1.0, -math.inf], {"at_most": 45}, {}, ("invalid", "not-a-number", None)),
        ([44.5], {"at_most": 45}, {"resolution": Fraction(1)}, ("inconclusive", "resolution", 44.5)),
        ([45.5], {"at_most": 45}, {"resolution": Fraction(1)}, ("inconclusive", "resolution", 45.5)),
        ([46.5], {"at_most": 45}, {"resolution": Fraction(1)}, ("fail", None, 46.5)),
        ([44.0], {"at_most": 45}, {"resolution": Fraction(1)}, ("pass", None, 44.0)),
        ([44.0], {"at_most": 45}, {"resolution": Fraction(5)}, ("invalid", "coarse-timer", None)),
        ([-125.0, 45.0], {"at_least": -125}, {}, ("pass", None, -125.0)),
        ([-125.5, 45.0], {"at_least": -125}, {}, ("fail", None, -125.5)),
    ],
)
def test_every_value_must_hold(values, limit, options, expected):
    exact_limit = {side: Fraction(number) for side, number in limit.items()}
    judged = judge_extreme(values, **exact_limit, **options)
    assert (judged.verdict, judged.reason, judged.value) == expected


def test_an_extreme_of_nonsense_is_refused():
    with pytest.raises(ValueError, match="resolution"):
        judge_extreme([1.0], at_most=Fraction(1), resolution=Fraction(-1))
    with pytest.raises(ValueError, match="negative"):
        judge_extreme([1.0], at_most=Fraction(1), lost=-1)


def mean(values, limit="0.95", **changes):
    return judge_mean(values, **{"at_least": Fraction(limit), "confidence": CONFIDENCE, **changes})


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1] * 174, ("pass", None)),
        ([1] * 173, ("inconclusive", "point-only")),
        ([1.0] * 908 + [0.5] * 92, ("inconclusive", "point-only")),
        ([1.0] * 960 + [0.5] * 40, ("pass", None)),
        ([0.9] * 700 + [0.8] * 300, ("fail", None)),
        ([0.94] * 300, ("inconclusive", "point-short")),
        ([1], ("inconclusive", "too-few-for-any-bound")),
        ([], ("invalid", "empty")),
        ([1.0, math.nan], ("invalid", "not-a-number")),
        ([1.0, 1.0000001], ("invalid", "out-of-range")),
        ([1.0, -0.1], ("invalid", "out-of-range")),
        ([1.0, math.inf], ("invalid", "out-of-range")),
    ],
)
def test_a_mean_of_scores_is_judged_by_its_empirical_bernstein_bound(values, expected):
    judged = mean(values)
    assert (judged.verdict, judged.reason) == expected


def test_the_bound_of_a_mean_is_that_of_the_theorem():
    values = [Fraction(number % 7, 7) for number in range(500)]
    judged = mean(values, "0.1")
    middle = sum(values) / 500
    variance = sum((value - middle) ** 2 for value in values) / 499
    logarithm = math.log(2 / 0.05)
    width = math.sqrt(2 * variance * logarithm / 500) + 7 * logarithm / (3 * 499)
    assert judged.value == middle
    assert judged.figure("variance") == variance
    assert judged.lower == pytest.approx(float(middle) - width, abs=1e-12)
    assert judged.upper == pytest.approx(float(middle) + width, abs=1e-12)


def test_a_mean_from_another_range_or_direction_is_the_same_question():
    scores = [1.0] * 960 + [0.5] * 40
    plain = mean(scores)
    scaled = judge_mean(
        [10 + 20 * score for score in scores],
        at_least=Fraction(29),
        confidence=CONFIDENCE,
        span=Span(Fraction(10), Fraction(30)),
    )
    turned = judge_mean([1 - score for score in scores], at_most=Fraction("0.05"), confidence=CONFIDENCE)
    assert plain.verdict is scaled.verdict is turned.verdict is Verdict.PASS
    assert scaled.lower == pytest.approx(10 + 20 * plain.lower)
    assert turned.upper == pytest.approx(1 - plain.lower)


@pytest.mark.parametrize(
    ("values", "options", "expected"),
    [
        ([1] * 200, {"planned": 1000}, ("inconclusive", "incomplete", 800)),
        ([1] * 100, {"planned": 173}, ("inconclusive", "cannot-pass", 73)),
        ([0] * 60, {"planned": 1000}, ("inconclusive", "cannot-pass", 940)),
        ([1] * 200, {"planned": 199}, ("invalid", "more-than-planned", None)),
        ([1] * 200, {"lost": 0}, ("pass", None, None)),
        ([1] * 200, {"lost": 2}, ("inconclusive", "point-only", None)),
        ([0.8] * 300, {"lost": 0}, ("fail", None, None)),
        ([0.9] * 300, {"lost": 300}, ("inconclusive", "point-short", None)),
    ],
)
def test_missing_and_lost_scores_keep_a_mean_open(values, options, expected):
    judged = mean(values, **options)
    assert (judged.verdict, judged.reason, judged.more_needed) == expected


@pytest.mark.parametrize(
    ("values", "options", "expected"),
    [
        ([1.0, 0.9], {}, ("pass", None)),
        ([0.949], {}, ("fail", None)),
        ([0.95], {}, ("pass", None)),
        ([0.95], {"planned": 2}, ("inconclusive", "incomplete")),
        ([0.0], {"planned": 2}, ("inconclusive", "cannot-pass")),
        ([1.0, 0.95], {"lost": 1}, ("inconclusive", "lost-samples")),
    ],
)
def test_without_confidence_the_plain_mean_counts(values, options, expected):
    judged = mean(values, confidence=None, **options)
    assert (judged.verdict, judged.reason) == expected
    assert judged.qualifiers[0] == "simple-acceptance"


@given(st.lists(st.sampled_from([0.0, 0.5, 0.9, 1.0]), min_size=1, max_size=300), st.integers(0, 3), st.randoms())
@settings(max_examples=60, deadline=None)
def test_a_worse_score_never_improves_the_verdict_and_order_changes_nothing(values, lost, chance):
    judged = mean(values, "0.5", lost=lost)
    assert mean(chance.sample(values, len(values)), "0.5", lost=lost) == judged
    worse = mean([*values[:-1], 0.0], "0.5", lost=lost)
    assert worse.value <= judged.value
    if judged.lower is not None:
        assert (judged.verdict is Verdict.PASS) is (judged.lower >= 0.5)
        assert (judged.verdict is Verdict.FAIL) is (judged.upper < 0.5)


def test_a_mean_of_nonsense_is_refused():
    with pytest.raises(ValueError, match="limited by"):
        mean([1.0], "1.5")
    with pytest.raises(ValueError, match="range"):
        Span(Fraction(1), Fraction(1))
    with pytest.raises(ValueError, match="negative"):
        mean([1.0], lost=-1)


@pytest.mark.parametrize(
    ("measured", "uncertainty", "limit", "trusted", "expected"),
    [
        (172_800.5, 0.5, {"at_least": 172_800}, True, ("pass", None)),
        (172_800.4, 0.5, {"at_least": 172_800}, True, ("inconclusive", "resolution")),
        (172_799.5, 0.5, {"at_least": 172_800}, True, ("inconclusive", "resolution")),
        (172_799.4, 0.5, {"at_least": 172_800}, True, ("fail", None)),
        (172_801, 0.5, {"at_least": 172_800}, False, ("environment-limited", "virtual-clock")),
        (172_800, 0.5, {"at_least": 172_800}, False, ("inconclusive", "resolution")),
        (172_000, 0.5, {"at_least": 172_800}, False, ("fail", None)),
        (0.3, 0, {"at_least": "0.3"}, True, ("pass", None)),
        (9.5, 0.5, {"at_most": 10}, True, ("pass", None)),
        (9.6, 0.5, {"at_most": 10}, True, ("inconclusive", "resolution")),
        (10.6, 0.5, {"at_most": 10}, True, ("fail", None)),
        (9.5, 0.5, {"at_most": 10}, False, ("environment-limited", "virtual-clock")),
        (10.6, 0.5, {"at_most": 10}, False, ("fail", None)),
    ],
)
def test_a_duration_is_judged_with_its_uncertainty_and_its_clock(measured, uncertainty, limit, trusted, expected):
    exact_limit = {side: Fraction(number) for side, number in limit.items()}
    judged = judge_elapsed(measured, uncertainty, trusted=trusted, **exact_limit)
    assert (judged.verdict, judged.reason) == expected
    assert judged.lower <= measured <= judged.upper


@pytest.mark.parametrize(("measured", "uncertainty"), [(1, -0.5), (math.nan, 0), (math.inf, 0), (1, math.nan)])
def test_a_duration_of_nonsense_is_refused(measured, uncertainty):
    with pytest.raises(ValueError, match=r"negative|finite"):
        judge_elapsed(measured, uncertainty, at_least=Fraction(1), trusted=True)
