"""Rows of runs, campaigns with a fixed plan, and sequential plans."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.statistics import (
    Judged,
    Tally,
    judge_campaign,
    judge_consecutive_each,
    judge_consecutive_pooled,
    judge_count,
    judge_rate,
    judge_rate_sequential,
)

BAR = Fraction("0.95")
ALPHA = Fraction("0.05")
ORDER = {Verdict.FAIL: 0, Verdict.INCONCLUSIVE: 1, Verdict.PASS: 2}


def run(successes, samples):
    return judge_rate(successes, samples, at_least=BAR, confidence=BAR)


CLEAN, OPEN, SHORT, BAD = run(59, 59), run(58, 59), run(20, 20), run(50, 59)


@pytest.mark.parametrize(
    ("runs", "attempts", "verdict", "reason", "more"),
    [
        ([CLEAN] * 3, None, "pass", None, None),
        ([CLEAN, OPEN, CLEAN], None, "inconclusive", "run-not-proven", 2),
        ([OPEN, CLEAN, CLEAN, CLEAN], None, "pass", None, None),
        ([BAD, CLEAN, CLEAN, CLEAN], None, "pass", None, None),
        ([CLEAN, None, CLEAN, CLEAN], None, "inconclusive", "row-short", 1),
        ([CLEAN, CLEAN], None, "inconclusive", "row-short", 1),
        ([], None, "inconclusive", "row-short", 3),
        ([CLEAN, BAD], None, "fail", None, None),
        ([None, BAD, None], None, "fail", None, None),
        ([CLEAN] * 3, 402, "pass", None, None),
        ([CLEAN] * 3, 403, "inconclusive", "row-hunted", None),
        ([SHORT] * 3, None, "inconclusive", "run-not-proven", 3),
        ([CLEAN, CLEAN, None], None, "inconclusive", "row-short", 3),
    ],
)
def test_each_of_the_last_runs_must_pass_alone(runs, attempts, *, verdict, reason, more):
    judged = judge_consecutive_each(runs, consecutive=3, attempts=attempts, alpha=ALPHA)
    assert (judged.verdict, judged.reason, judged.more_needed) == (verdict, reason, more)


@pytest.mark.parametrize("verdict", ["invalid", "not-run", "environment-limited", "inapplicable"])
def test_a_run_without_a_sound_result_of_its_own_breaks_the_row(verdict):
    broken = Judged(Verdict(verdict), "because")
    judged = judge_consecutive_each([CLEAN, broken, CLEAN, CLEAN], consecutive=3, alpha=ALPHA)
    assert (judged.reason, judged.row) == ("row-short", ("broken", "pass", "pass"))


def test_runs_of_counts_make_a_row_without_any_confidence():
    silent = judge_count(0, at_most=0, exposure=10, declared_exposure=10)
    noisy = judge_count(1, at_most=0, exposure=10, declared_exposure=10)
    assert judge_consecutive_each([silent, silent], consecutive=2, alpha=None).verdict is Verdict.PASS
    assert judge_consecutive_each([silent, noisy], consecutive=2, alpha=None).verdict is Verdict.FAIL
    assert judge_consecutive_each([silent, silent], consecutive=2, alpha=None).figure("false_row") is None


def test_a_row_keeps_the_qualifiers_of_its_runs():
    plain = judge_rate(20, 20, at_least=BAR, confidence=None)
    judged = judge_consecutive_each([plain, plain], consecutive=2, alpha=None)
    assert (judged.verdict, judged.qualifiers) == (Verdict.PASS, ("simple-acceptance",))


@pytest.mark.parametrize(("consecutive", "attempts", "message"), [(0, None, "at least one run"), (3, 2, "more than 2")])
def test_a_row_of_nonsense_is_refused(consecutive, attempts, message):
    with pytest.raises(ValueError, match=message):
        judge_consecutive_each([CLEAN] * 3, consecutive=consecutive, attempts=attempts, alpha=ALPHA)


RUNS = st.lists(st.sampled_from([CLEAN, OPEN, BAD, None]), max_size=6)


@given(RUNS, st.integers(1, 3))
@settings(max_examples=100)
def test_a_row_passes_exactly_where_its_last_runs_all_pass(runs, consecutive):
    judged = judge_consecutive_each(runs, consecutive=consecutive, alpha=ALPHA)
    last = runs[-consecutive:]
    whole = len(last) == consecutive and all(one is CLEAN for one in last)
    assert judged.verdict is not Verdict.PASS or whole
    assert (judged.verdict is Verdict.FAIL) is (BAD in last)
    if whole and judged.verdict is not Verdict.PASS:
        assert judged.reason == "row-hunted"
    worse = [None if one is CLEAN else one for one in runs]
    assert judge_consecutive_each(worse, consecutive=consecutive, alpha=ALPHA).verdict is not Verdict.PASS


def pooled(*runs, **changes):
    tallies = [run and Tally(*run) for run in runs]
    return judge_consecutive_pooled(tallies, consecutive=3, at_least=BAR, confidence=BAR, **changes)


@pytest.mark.parametrize(
    ("runs", "verdict", "reason"),
    [
        ([(20, 20)] * 3, "pass", None),
        ([(19, 20), (20, 20), (20, 20)], "inconclusive", "point-only"),
        ([(57, 59), (59, 59), (59, 59)], "pass", None),
        ([(56, 59), (59, 59), (59, 59)], "inconclusive", "run-below-bar"),
        ([(50, 59), (50, 59), (59, 59)], "fail", None),
        ([(50, 59), (59, 59), (59, 59), (59, 59)], "inconclusive", "row-hunted"),
        ([(50, 59), (50, 59), (59, 59), (59, 59), (59, 59)], "fail", None),
        ([(59, 59), None, (59, 59)], "inconclusive", "row-short"),
        ([None, (59, 59), (59, 59), (59, 59)], "inconclusive", "row-hunted"),
        ([(59, 59), (59, 59)], "inconclusive", "row-short"),
        ([], "inconclusive", "row-short"),
        ([(59, 59)] * 4, "pass", None),
        ([(59, 59), (59, 59), (59, 59), (46, 59)], "inconclusive", "attempts-disagree"),
        ([(59, 59), (59, 59), (59, 59), (10, 59)], "fail", None),
    ],
)
def test_pooled_runs_are_judged_once_over_the_first_row(runs, verdict, reason):
    judged = pooled(*runs)
    assert (judged.verdict, judged.reason) == (verdict, reason)


def test_a_pooled_run_below_its_plan_breaks_the_row():
    assert pooled((59, 59), (59, 59), (59, 59), planned=59).verdict is Verdict.PASS
    assert pooled((59, 59), (58, 58), (59, 59), planned=59).reason == "row-short"


def test_a_pooled_row_of_which_only_the_end_is_known_is_no_first_row():
    assert pooled((59, 59), (59, 59), (59, 59), attempts=4).reason == "row-hunted"


def campaign(*attempts, planned=59, **changes):
    limit = changes or {"at_least": BAR}
    return judge_campaign([Tally(*one) for one in attempts], planned=planned, confidence=BAR, **limit)


@pytest.mark.parametrize(
    ("attempts", "expected"),
    [
        ([], ("invalid", "empty", ())),
        ([(20, 20)], ("inconclusive", "incomplete", ("point-only",))),
        ([(20, 20), (19, 20)], ("inconclusive", "cannot-pass", ())),
        ([(20, 20), (20, 30)], ("fail", None, ())),
        ([(20, 20), (39, 39)], ("pass", None, ())),
        ([(20, 20), (38, 39)], ("inconclusive", "plan-spent", ("point-only",))),
        ([(20, 20), (33, 39)], ("inconclusive", "plan-spent", ("point-short",))),
        ([(20, 20), (32, 39)], ("fail", None, ())),
        ([(58, 59), (34, 34)], ("inconclusive", "plan-spent", ("point-only",))),
        ([(58, 59), (500, 500)], ("inconclusive", "plan-spent", ("point-only",))),
        ([(58, 59), (40, 59)], ("fail", None, ())),
        ([(59, 59), (50, 59)], ("inconclusive", "attempts-disagree", ("flaky",))),
        ([(59, 59), (40, 59)], ("fail", None, ("flaky",))),
        ([(59, 59), (57, 59)], ("pass", None, ())),
        ([(50, 59), (59, 59)], ("fail", None, ("flaky",))),
        ([(50, 59), (5000, 5000)], ("fail", None, ("flaky",))),
        ([(50, 59), (55, 59)], ("fail", None, ())),
        ([(20, 20), (40, 40)], ("invalid", "more-than-planned", ())),
        ([(60, 60)], ("invalid", "more-than-planned", ())),
    ],
)
def test_a_plan_is_judged_once_and_later_attempts_only_worsen_it(attempts, expected):
    judged = campaign(*attempts)
    assert (judged.verdict, judged.reason, judged.qualifiers) == expected


def test_a_standing_pass_shows_the_figures_of_its_plan_and_the_pooled_ones_beside():
    judged = campaign((59, 59), (57, 59))
    assert (judged.value, judged.samples) == (1, 59)
    assert judged.figure("pooled_value") == Fraction(116, 118)


def test_a_campaign_against_an_upper_limit_is_the_mirror():
    judged = campaign((0, 20), (0, 39), at_most=Fraction("0.05"))
    assert judged.verdict is Verdict.PASS


@given(st.lists(st.tuples(st.integers(0, 4), st.just(20)), min_size=3, max_size=6))
@settings(max_examples=25, deadline=None)
def test_a_later_attempt_never_improves_a_spent_plan(failures):
    attempts = [(samples - failed, samples) for failed, samples in failures]
    verdicts = [campaign(*attempts[:end], planned=60).verdict for end in range(3, len(attempts) + 1)]
    first = ORDER[verdicts[0]]
    assert all(ORDER[verdict] <= first for verdict in verdicts)


def sequential(successes, failures, design="0.99"):
    return judge_rate_sequential(successes, failures, at_least=BAR, design=Fraction(design), confidence=BAR)


@pytest.mark.parametrize(
    ("successes", "failures", "verdict"),
    [
        (0, 0, "inconclusive"),
        (72, 0, "inconclusive"),
        (73, 0, "pass"),
        (111, 1, "inconclusive"),
        (112, 1, "pass"),
        (150, 2, "inconclusive"),
        (151, 2, "pass"),
        (59, 0, "inconclusive"),
        (0, 5, "inconclusive"),
        (0, 6, "fail"),
        (81, 11, "inconclusive"),
        (81, 12, "fail"),
        (99_000, 1_000, "pass"),
        (91_000, 9_000, "fail"),
        (10_000_000, 0, "pass"),
    ],
)
def test_a_sequential_plan_decides_where_the_e_value_reaches_its_threshold(successes, failures, verdict):
    judged = sequential(successes, failures)
    assert judged.verdict == verdict
    assert judged.reason == ("continue" if verdict == "inconclusive" else None)


def test_a_sequential_result_counts_all_its_samples():
    judged = sequential(111, 1)
    assert (judged.samples, judged.value) == (112, Fraction(111, 112))
    assert (sequential(0, 0).samples, sequential(0, 0).value) == (0, None)


def test_an_e_value_on_its_threshold_passes():
    judged = judge_rate_sequential(2, 0, at_least=Fraction(1, 2), design=Fraction(3, 4), confidence=1 - Fraction(4, 9))
    assert judged.figure("e_pass") == 2.25
    assert judged.figure("threshold") == Fraction(9, 4)
    assert judged.verdict is Verdict.PASS


def test_figures_of_a_long_run_stay_finite():
    assert sequential(10_000_000, 0).figure("e_pass") == pytest.approx(1.7976931348623157e308)


@given(st.integers(0, 300), st.integers(0, 30))
@settings(max_examples=60, deadline=None)
def test_e_values_are_the_exact_products(successes, failures):
    passing = Fraction(99, 95) ** successes * Fraction(1, 5) ** failures
    failing = Fraction(91, 95) ** successes * Fraction(9, 5) ** failures
    judged = sequential(successes, failures)
    assert (judged.verdict is Verdict.PASS) is (passing >= 20)
    assert (judged.verdict is Verdict.FAIL) is (failing >= 20 > passing)
    assert judged.figure("e_pass") == pytest.approx(float(passing), rel=1e-12)


@pytest.mark.parametrize(
    ("at_least", "design"), [("0.95", "0.95"), ("0.95", "0.9"), ("0.4", "0.9"), ("0.95", "1"), ("0", "0.5")]
)
def test_a_design_that_cannot_be_told_from_the_bar_is_refused(at_least, design):
    with pytest.raises(ValueError, match=r"design|between 0 and 1"):
        judge_rate_sequential(1, 1, at_least=Fraction(at_least), design=Fraction(design), confidence=BAR)


def test_negative_counts_are_refused():
    with pytest.raises(ValueError, match="failures must not be negative"):
        sequential(1, -1)
