"""Rates: the cases everybody argues about, and what must hold of all of them."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.statistics import Judged, Tally, independence_note, judge_rate, worst_of
from pytest_spiral.rules.statistics.arguments import exact
from pytest_spiral.rules.statistics.zones import Counts

BAR = Fraction("0.95")
ORDER = {Verdict.FAIL: 0, Verdict.INCONCLUSIVE: 1, Verdict.PASS: 2}


def judge(successes, samples, planned=None, **changes):
    bar = {"at_least": BAR, "confidence": BAR, **changes}
    return judge_rate(successes, samples, planned=planned, **bar)


@pytest.mark.parametrize(
    ("successes", "samples", "verdict", "reason"),
    [
        (59, 59, "pass", None),
        (58, 58, "inconclusive", "point-only"),
        (20, 20, "inconclusive", "point-only"),
        (58, 59, "inconclusive", "point-only"),
        (92, 93, "pass", None),
        (91, 92, "inconclusive", "point-only"),
        (122, 124, "pass", None),
        (121, 123, "inconclusive", "point-only"),
        (150, 153, "pass", None),
        (149, 152, "inconclusive", "point-only"),
        (177, 181, "pass", None),
        (176, 180, "inconclusive", "point-only"),
        (203, 208, "pass", None),
        (202, 207, "inconclusive", "point-only"),
        (202, 208, "inconclusive", "point-only"),
        (228, 234, "pass", None),
        (227, 233, "inconclusive", "point-only"),
        (962, 1000, "pass", None),
        (961, 1000, "inconclusive", "point-only"),
        (950, 1000, "inconclusive", "point-only"),
        (949, 1000, "inconclusive", "point-short"),
        (938, 1000, "inconclusive", "point-short"),
        (937, 1000, "fail", None),
        (91, 100, "inconclusive", "point-short"),
        (90, 100, "fail", None),
        (17, 20, "inconclusive", "point-short"),
        (16, 20, "fail", None),
        (0, 1, "inconclusive", "point-short"),
        (0, 2, "fail", None),
        (3, 3, "inconclusive", "point-only"),
        (9537, 10_000, "pass", None),
        (9536, 10_000, "inconclusive", "point-only"),
        (9464, 10_000, "inconclusive", "point-short"),
        (9463, 10_000, "fail", None),
        (95_114, 100_000, "pass", None),
        (95_113, 100_000, "inconclusive", "point-only"),
        (94_886, 100_000, "inconclusive", "point-short"),
        (94_885, 100_000, "fail", None),
    ],
)
def test_a_full_plan_is_judged_by_its_exact_tails(successes, samples, verdict, reason):
    judged = judge(successes, samples, planned=samples)
    assert (judged.verdict, judged.reason, judged.more_needed) == (verdict, reason, None)
    assert judge(successes, samples) == replace(judged, planned=None)


@pytest.mark.parametrize(
    ("bar", "confidence", "most", "samples"),
    [
        ("0.99", "0.95", 0, 299),
        ("0.99", "0.95", 1, 473),
        ("0.9", "0.95", 0, 29),
        ("0.9", "0.9", 0, 22),
        ("0.95", "0.99", 0, 90),
        ("0.999", "0.95", 0, 2995),
        ("0.5", "0.95", 0, 5),
    ],
)
def test_the_smallest_plan_of_other_bars_is_known_too(bar, confidence, most, samples):
    known = {"at_least": Fraction(bar), "confidence": Fraction(confidence)}
    assert judge_rate(samples - most, samples, **known).verdict is Verdict.PASS
    assert judge_rate(samples - 1 - most, samples - 1, **known).verdict is Verdict.INCONCLUSIVE


def test_a_tie_of_tail_and_risk_passes_and_does_not_fail():
    tie = judge_rate(2, 2, at_least=Fraction("0.8"), confidence=Fraction("0.36"))
    assert (tie.verdict, tie.lower) == (Verdict.PASS, 0.8)
    opposite = judge(0, 1)
    assert opposite.verdict is Verdict.INCONCLUSIVE
    assert opposite.upper == pytest.approx(0.95, abs=1e-15)


@pytest.mark.parametrize(
    ("successes", "samples", "planned", "expected"),
    [
        (20, 20, 59, ("inconclusive", "incomplete", 39, ("point-only",))),
        (58, 58, 59, ("inconclusive", "incomplete", 1, ("point-only",))),
        (100, 100, 208, ("inconclusive", "incomplete", 108, ())),
        (3, 20, 208, ("fail", None, None, ())),
        (4, 20, 208, ("inconclusive", "cannot-pass", 188, ())),
        (14, 20, 208, ("inconclusive", "cannot-pass", 188, ())),
        (15, 20, 208, ("inconclusive", "incomplete", 188, ("point-short",))),
        (19, 20, 59, ("inconclusive", "cannot-pass", 39, ())),
        (33, 40, 59, ("fail", None, None, ())),
        (40, 40, 20, ("invalid", "more-than-planned", None, ())),
        (5, 6, 208, ("inconclusive", "incomplete", 202, ("point-short",))),
        (203, 203, 208, ("inconclusive", "incomplete", 5, ())),
        (207, 207, 208, ("inconclusive", "incomplete", 1, ())),
        (10, 10, 20, ("inconclusive", "cannot-pass", 10, ())),
    ],
)
def test_a_plan_that_is_not_full_waits_unless_nothing_can_change_it(successes, samples, planned, expected):
    judged = judge(successes, samples, planned)
    assert (judged.verdict, judged.reason, judged.more_needed, judged.qualifiers) == expected


@pytest.mark.parametrize(
    ("successes", "lost", "verdict", "reason"),
    [
        (59, 0, "pass", None),
        (58, 1, "inconclusive", "point-only"),
        (57, 2, "inconclusive", "point-only"),
        (0, 59, "inconclusive", "point-short"),
        (52, 0, "fail", None),
        (51, 1, "fail", None),
        (52, 1, "inconclusive", "point-short"),
    ],
)
def test_lost_samples_count_against_a_pass_and_never_for_a_fail(successes, lost, verdict, reason):
    judged = judge(successes, 59, lost=lost)
    assert (judged.verdict, judged.reason) == (verdict, reason)


@pytest.mark.parametrize(
    ("failures", "samples", "verdict", "reason"),
    [
        (0, 59, "pass", None),
        (0, 58, "inconclusive", "point-only"),
        (1, 93, "pass", None),
        (5, 208, "pass", None),
        (10, 100, "fail", None),
        (9, 100, "inconclusive", "point-short"),
    ],
)
def test_at_most_is_at_least_seen_from_the_other_side(failures, samples, verdict, reason):
    judged = judge_rate(failures, samples, at_most=Fraction("0.05"), confidence=BAR)
    mirror = judge(samples - failures, samples)
    assert (judged.verdict, judged.reason) == (verdict, reason) == (mirror.verdict, mirror.reason)
    assert judged.upper == pytest.approx(1 - mirror.lower, abs=1e-15)
    assert judged.lower == pytest.approx(1 - mirror.upper, abs=1e-15)
    assert judged.adverse_bound == judged.upper


def test_lost_samples_count_as_hits_against_an_upper_limit():
    limit = {"at_most": Fraction("0.05"), "confidence": BAR}
    assert judge_rate(0, 59, **limit).verdict is Verdict.PASS
    assert judge_rate(0, 59, lost=1, **limit).reason == "point-only"
    assert judge_rate(10, 100, lost=0, **limit).verdict is Verdict.FAIL
    assert judge_rate(9, 100, lost=1, **limit).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("counts", "planned", "lost", "verdict", "reason"),
    [
        ((19, 20), None, 0, "pass", None),
        ((18, 20), None, 0, "fail", None),
        ((19, 19), 20, 0, "inconclusive", "incomplete"),
        ((10, 12), 20, 0, "fail", None),
        ((18, 20), 20, 1, "inconclusive", "lost-samples"),
        ((17, 20), 20, 1, "fail", None),
        ((18, 19), 20, 0, "inconclusive", "incomplete"),
    ],
)
def test_without_confidence_the_plain_figure_counts_and_says_so(counts, planned, lost, verdict, reason):
    judged = judge_rate(*counts, at_least=BAR, confidence=None, planned=planned, lost=lost)
    assert (judged.verdict, judged.reason) == (verdict, reason)
    assert "simple-acceptance" in judged.qualifiers


def test_an_empty_population_is_invalid():
    judged = judge(0, 0, planned=59)
    assert (judged.verdict, judged.reason, judged.more_needed) == (Verdict.INVALID, "empty", 59)


def test_a_rate_of_everything_is_never_proven_by_samples_and_refuted_by_one():
    assert judge_rate(10_000, 10_000, at_least=Fraction(1), confidence=BAR).reason == "point-only"
    assert judge_rate(9_999, 10_000, at_least=Fraction(1), confidence=BAR).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"successes": 5, "samples": 4}, "more than 4"),
        ({"successes": -1, "samples": 4}, "successes must not be negative"),
        ({"successes": 0, "samples": -4}, "samples must not be negative"),
        ({"successes": 3, "samples": 4, "lost": 2}, "lost"),
        ({"successes": 3, "samples": 4, "lost": -1}, "lost"),
        ({"successes": 3, "samples": 4, "planned": 0}, "at least one sample"),
        ({"successes": 3, "samples": 4, "at_least": Fraction(0)}, "cannot be judged"),
        ({"successes": 3, "samples": 4, "at_least": Fraction(2)}, "cannot be judged"),
        ({"successes": 3, "samples": 4, "at_least": 0.95}, "exact fraction"),
        ({"successes": 3, "samples": 4, "confidence": 0.95}, "exact fraction"),
        ({"successes": 3, "samples": 4, "confidence": Fraction(1)}, "between 0 and 1"),
        ({"successes": 3, "samples": 4, "confidence": Fraction(0)}, "between 0 and 1"),
    ],
)
def test_nonsense_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        judge_rate(**{"at_least": BAR, "confidence": BAR, **arguments})


SHARES = st.fractions(min_value=Fraction(1, 100), max_value=Fraction(99, 100), max_denominator=100)
CONFIDENCES = st.sampled_from([Fraction("0.5"), Fraction("0.8"), Fraction("0.95"), Fraction("0.999")])


@st.composite
def results(draw):
    samples = draw(st.integers(1, 60))
    successes = draw(st.integers(0, samples))
    planned = draw(st.none() | st.integers(samples, 80))
    lost = draw(st.integers(0, min(3, samples - successes)))
    return successes, samples, planned, lost


@given(results(), SHARES, CONFIDENCES)
@settings(max_examples=120, deadline=None)
def test_one_more_failure_never_improves_the_verdict(result, share, confidence):
    successes, samples, planned, lost = result
    better = judge(successes, samples, planned, at_least=share, confidence=confidence, lost=lost)
    if successes:
        worse = judge(successes - 1, samples, planned, at_least=share, confidence=confidence, lost=lost)
        assert ORDER[worse.verdict] <= ORDER[better.verdict]
        assert worse.lower <= better.lower
        assert worse.upper <= better.upper
    if lost:
        failed = judge(successes, samples, planned, at_least=share, confidence=confidence, lost=lost - 1)
        found = judge(successes + 1, samples, planned, at_least=share, confidence=confidence, lost=lost - 1)
        assert better.verdict in {failed.verdict, found.verdict, Verdict.INCONCLUSIVE}
        assert better.verdict is not Verdict.PASS or failed.verdict is Verdict.PASS
        assert better.verdict is not Verdict.FAIL or found.verdict is Verdict.FAIL


@given(results(), SHARES, CONFIDENCES)
@settings(max_examples=120, deadline=None)
def test_verdict_bounds_and_reason_never_contradict_each_other(result, share, confidence):
    successes, samples, planned, lost = result
    judged = judge(successes, samples, planned, at_least=share, confidence=confidence, lost=lost)
    if judged.verdict is Verdict.PASS:
        assert exact(judged.lower) >= share
        assert samples == (planned or samples)
    elif judged.verdict is Verdict.FAIL:
        assert exact(judged.upper) < share
    elif judged.more_needed is None and confidence > Fraction(1, 2):
        assert exact(judged.lower) < share <= exact(judged.upper)
        assert (judged.value >= share) is (judged.reason == "point-only")
    assert judged.lower <= judged.value <= judged.upper or confidence == Fraction(1, 2)


@given(results(), SHARES)
@settings(max_examples=25, deadline=None)
def test_taking_samples_away_from_a_plan_never_makes_it_pass(result, share):
    successes, samples, planned, _ = result
    whole = planned or samples
    full = judge(successes, samples, whole, at_least=share)
    assert samples == whole or full.verdict is not Verdict.PASS
    for fewer in {1, samples // 2, samples - 1} - {0, whole}:
        part = judge(min(successes, fewer), fewer, whole, at_least=share)
        assert part.verdict is not Verdict.PASS


@pytest.mark.parametrize(("failures", "note"), [(0, True), (4, True), (5, False), (50, False)])
def test_few_failures_are_said_to_be_taken_as_independent(failures, note):
    assert bool(independence_note(failures)) is note


def test_tallies_are_pooled_by_their_counts():
    assert Tally.pooled([Tally(20, 20), Tally(38, 39)]) == Tally(58, 59)


@pytest.mark.parametrize("counts", [(1, 0), (-1, 4), (5, 4), (0, 0)])
def test_a_tally_of_nonsense_is_refused(counts):
    with pytest.raises(ValueError, match="no tally"):
        Tally(*counts)


@pytest.mark.parametrize("counts", [(2, 1, 3), (-1, 1, 3), (1, 4, 3)])
def test_counts_of_nonsense_are_refused(counts):
    with pytest.raises(ValueError, match="make no sense"):
        Counts(*counts)


@pytest.mark.parametrize(
    "fields",
    [
        {"verdict": Verdict.PASS, "reason": "point-only"},
        {"verdict": Verdict.INCONCLUSIVE},
        {"verdict": Verdict.INVALID},
        {"verdict": Verdict.NOT_RUN, "reason": ""},
        {"verdict": Verdict.PASS, "lower": float("nan")},
        {"verdict": Verdict.PASS, "value": float("nan")},
    ],
)
def test_a_result_that_cannot_be_is_refused(fields):
    with pytest.raises(ValueError, match=r"reason|not a number"):
        Judged(**fields)


@pytest.mark.parametrize(
    ("verdicts", "worst"),
    [
        (["pass", "fail", "invalid"], "fail"),
        (["inconclusive", "invalid", "not-run"], "invalid"),
        (["inconclusive", "not-run"], "not-run"),
        (["pass", "environment-limited"], "environment-limited"),
        (["pass", "inapplicable"], "pass"),
    ],
)
def test_the_worst_of_several_results_counts(verdicts, worst):
    listed = [Judged(Verdict(word), None if word in ("pass", "fail") else "because") for word in verdicts]
    assert worst_of(listed).verdict == worst
    assert worst_of(reversed(listed)).verdict == worst


def test_there_is_no_worst_of_nothing():
    with pytest.raises(ValueError, match="nothing"):
        worst_of([])
