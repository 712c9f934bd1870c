"""Quantiles by counts and by values, and samples that depend on each other."""

import math
import random
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.statistics import (
    Dependence,
    Direction,
    Timing,
    estimate_dependence,
    judge_quantile,
    judge_quantile_dependent,
    judge_quantile_values,
    quantile_ranks,
)

P95 = Fraction("0.95")
ORDER = {Verdict.FAIL: 0, Verdict.INCONCLUSIVE: 1, Verdict.PASS: 2}


def judge_values(values, limit=100, **changes):
    asked = {"at_most": Fraction(limit), "confidence": P95, **changes}
    return judge_quantile_values(values, asked.pop("quantile", P95), **asked)


@pytest.mark.parametrize(
    ("samples", "quantile", "ranks"),
    [
        (58, "0.95", (56, 52, None)),
        (59, "0.95", (57, 53, 59)),
        (93, "0.95", (89, 85, 92)),
        (100, "0.95", (95, 91, 99)),
        (1000, "0.95", (950, 938, 962)),
        (10_000, "0.95", (9500, 9464, 9537)),
        (298, "0.99", (296, 292, None)),
        (299, "0.99", (297, 293, 299)),
        (100, "0.5", (50, 42, 59)),
        (5, "0.5", (3, 1, 5)),
        (4, "0.5", (2, None, None)),
        (1, "0.5", (1, None, None)),
        (1, "0.99", (1, 1, None)),
        (1, "0.95", (1, None, None)),
        (1, "0.05", (1, None, 1)),
        (2, "0.01", (1, None, 1)),
        (2, "0.04", (1, None, 2)),
    ],
)
def test_the_ranks_of_a_quantile_are_those_of_the_tables(samples, quantile, ranks):
    assert quantile_ranks(samples, Fraction(quantile), P95) == ranks


@given(st.integers(1, 1000), st.sampled_from(["0.5", "0.9", "0.95", "0.99"]), st.sampled_from(["0.9", "0.95", "0.99"]))
@settings(max_examples=60, deadline=None)
def test_ranks_agree_with_the_library(samples, quantile, confidence):
    ranks = quantile_ranks(samples, Fraction(quantile), Fraction(confidence))
    below = binom.cdf(range(-1, samples), samples, float(quantile))  # P(Bin <= rank - 1) at [rank]
    upper = [rank for rank in range(1, samples + 1) if below[rank] >= float(confidence) - 1e-12]
    lower = [rank for rank in range(1, samples + 1) if below[rank] < 1 - float(confidence) - 1e-12]
    assert ranks.upper == (min(upper) if upper else None)
    assert ranks.lower == (max(lower) if lower else None)
    assert ranks.estimate == math.ceil(Fraction(quantile) * samples)


@pytest.mark.parametrize(("samples", "quantile"), [(0, "0.5"), (10, "0"), (10, "1")])
def test_ranks_of_nothing_are_refused(samples, quantile):
    with pytest.raises(ValueError, match=r"needs a sample|between 0 and 1"):
        quantile_ranks(samples, Fraction(quantile), P95)


@pytest.mark.parametrize(
    ("within", "samples", "planned", "verdict", "reason"),
    [
        (59, 59, 59, "pass", None),
        (58, 58, 58, "inconclusive", "too-few-for-any-bound"),
        (58, 59, 59, "inconclusive", "point-only"),
        (50, 58, 58, "fail", None),
        (99, 100, 100, "pass", None),
        (98, 100, 100, "inconclusive", "point-only"),
        (94, 100, 100, "inconclusive", "point-short"),
        (90, 100, 100, "fail", None),
        (962, 1000, 1000, "pass", None),
        (937, 1000, 1000, "fail", None),
        (9537, 10_000, None, "pass", None),
        (9536, 10_000, None, "inconclusive", "point-only"),
        (50, 50, 100, "inconclusive", "incomplete"),
        (48, 50, 100, "inconclusive", "cannot-pass"),
        (40, 50, 100, "fail", None),
        (101, 101, 100, "invalid", "more-than-planned"),
        (0, 0, 100, "invalid", "empty"),
        (30, 30, 58, "inconclusive", "cannot-pass"),
    ],
)
def test_a_quantile_is_judged_by_how_many_are_within_its_limit(within, samples, planned, verdict, reason):
    judged = judge_quantile(within, samples, P95, confidence=P95, planned=planned)
    assert (judged.verdict, judged.reason) == (verdict, reason)


def test_lost_samples_are_not_within_for_a_pass_and_within_for_a_fail():
    assert judge_quantile(58, 59, P95, confidence=P95, lost=1).reason == "point-only"
    assert judge_quantile(90, 100, P95, confidence=P95, lost=0).verdict is Verdict.FAIL
    assert judge_quantile(90, 100, P95, confidence=P95, lost=1).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(("within", "lost"), [(5, 0), (3, 2), (-1, 0)])
def test_counts_that_cannot_be_are_refused(within, lost):
    with pytest.raises(ValueError, match=r"more than 4|negative"):
        judge_quantile(within, 4, P95, confidence=P95, lost=lost)


@pytest.mark.parametrize(
    ("limit", "verdict", "reason"),
    [
        (100, "pass", None),
        (99, "pass", None),
        (98, "inconclusive", "point-only"),
        (95, "inconclusive", "point-only"),
        (94, "inconclusive", "point-short"),
        (91, "inconclusive", "point-short"),
        (90, "fail", None),
    ],
)
def test_values_are_bounded_by_their_order_statistics(limit, verdict, reason):
    values = list(range(1, 101))
    random.Random(7).shuffle(values)
    judged = judge_values(values, limit)
    assert (judged.verdict, judged.reason) == (verdict, reason)
    assert (judged.value, judged.lower, judged.upper) == (95, 91.0, 99.0)


@pytest.mark.parametrize(
    ("limit", "verdict"), [(1, "pass"), (2, "pass"), (3, "inconclusive"), (10, "inconclusive"), (11, "fail")]
)
def test_a_quantile_from_below_is_the_mirror_of_one_from_above(limit, verdict):
    judged = judge_quantile_values(range(1, 101), Fraction("0.05"), at_least=Fraction(limit), confidence=P95)
    assert judged.verdict == verdict
    assert (judged.value, judged.lower, judged.upper) == (5, 2.0, 10.0)
    counted = judge_quantile(101 - limit, 100, Fraction("0.05"), confidence=P95, direction=Direction.AT_LEAST)
    assert (counted.verdict, counted.ranks) == (judged.verdict, judged.ranks)


@pytest.mark.parametrize("failed", [1, 2])
def test_a_failed_call_is_infinitely_slow_whatever_the_direction(failed):
    calls = [1.0] * (100 - failed) + [math.inf] * failed
    verdict = Verdict.PASS if failed == 1 else Verdict.INCONCLUSIVE
    assert judge_values(calls).verdict is verdict
    slow = judge_quantile_values(calls, Fraction("0.05"), at_least=Fraction(1), confidence=P95)
    assert slow.verdict is verdict


def test_an_upper_bound_on_a_failed_call_is_infinite_and_a_lower_one_is_none():
    calls = [1.0] * 98 + [math.inf] * 2
    assert judge_values(calls).upper == math.inf
    mirrored = judge_quantile_values(calls, Fraction("0.05"), at_least=Fraction(1), confidence=P95)
    assert mirrored.lower is None


def test_lost_values_are_at_the_bad_end_for_a_pass_and_at_the_good_end_for_a_fail():
    assert judge_values([1.0] * 99, lost=1).verdict is Verdict.PASS
    assert judge_values([1.0] * 98, lost=2).verdict is Verdict.INCONCLUSIVE
    assert judge_values([1.0] * 90 + [200.0] * 10).verdict is Verdict.FAIL
    open_result = judge_values([1.0] * 90 + [200.0] * 9, lost=1)
    assert (open_result.verdict, open_result.samples) == (Verdict.INCONCLUSIVE, 100)


@pytest.mark.parametrize(
    ("value", "resolution", "verdict", "reason"),
    [
        ("119.5", "0", "pass", None),
        ("119.5", "0.5", "pass", None),
        ("119.5", "1", "inconclusive", "resolution"),
        ("120.5", "1", "inconclusive", "resolution"),
        ("121.5", "1", "fail", None),
        ("10", "12", "pass", None),
        ("10", "12.01", "invalid", "coarse-timer"),
        ("500", "12.01", "invalid", "coarse-timer"),
    ],
)
def test_the_timers_resolution_speaks_against_every_claim(value, resolution, verdict, reason):
    judged = judge_values([float(value)] * 59, 120, timing=Timing(resolution=Fraction(resolution)))
    assert (judged.verdict, judged.reason) == (verdict, reason)
    if verdict != "invalid":
        assert judged.upper == float(value) + float(resolution)


@pytest.mark.parametrize(
    ("response_time", "open_loop", "verdict"),
    [(True, False, "invalid"), (True, True, "pass"), (False, False, "pass"), (False, True, "pass")],
)
def test_a_closed_loop_cannot_show_a_response_time(response_time, open_loop, verdict):
    timing = Timing(response_time=response_time, open_loop=open_loop)
    assert judge_values([1.0] * 59, timing=timing).verdict == verdict


@pytest.mark.parametrize(
    ("values", "reason"),
    [([], "empty"), ([1.0, math.nan], "not-a-number"), ([1.0, -math.inf], "not-a-number")],
)
def test_values_that_are_no_values_make_the_population_invalid(values, reason):
    judged = judge_values(values)
    assert (judged.verdict, judged.reason) == (Verdict.INVALID, reason)


def test_a_value_on_the_limit_counts_as_it_is_written():
    assert judge_values([0.1] * 59, Fraction("0.1")).verdict is Verdict.PASS
    assert judge_values([0.30000000000000004] * 59, Fraction("0.3")).verdict is Verdict.FAIL


def test_without_confidence_the_estimate_is_compared_plainly():
    values = range(1, 101)
    assert judge_values(values, 95, confidence=None).verdict is Verdict.PASS
    assert judge_values(values, 94, confidence=None).verdict is Verdict.FAIL
    assert judge_values(values, 95, confidence=None).qualifiers == ("simple-acceptance",)
    below = {"quantile": Fraction("0.05"), "at_most": None, "confidence": None}
    assert judge_values(values, at_least=Fraction(5), **below).verdict is Verdict.PASS
    assert judge_values(values, at_least=Fraction(6), **below).verdict is Verdict.FAIL


VALUES = st.lists(st.sampled_from([1.0, 5.0, 10.0, 20.0, math.inf]), min_size=1, max_size=80)


@given(VALUES, st.sampled_from(["0.5", "0.9"]), st.sampled_from(list(Direction)), st.integers(0, 3), st.randoms())
@settings(max_examples=120, deadline=None)
def test_a_worse_value_never_improves_the_verdict_and_order_changes_nothing(values, quantile, direction, lost, chance):
    limit = {"at_most": Fraction(10)} if direction is Direction.AT_MOST else {"at_least": Fraction(10)}

    def judged(these):
        return judge_quantile_values(these, Fraction(quantile), confidence=P95, lost=lost, **limit)

    before = judged(values)
    assert judged(chance.sample(values, len(values))) == before
    worse = [*values[1:], math.inf]
    assert ORDER[judged(worse).verdict] <= ORDER[before.verdict]


@given(VALUES, st.sampled_from(["0.5", "0.9"]), st.sampled_from(list(Direction)), st.integers(0, 3))
@settings(max_examples=120, deadline=None)
def test_the_bounds_of_values_agree_with_the_verdict(values, quantile, direction, lost):
    limit = {"at_most": Fraction(10)} if direction is Direction.AT_MOST else {"at_least": Fraction(10)}
    judged = judge_quantile_values(values, Fraction(quantile), confidence=P95, lost=lost, **limit)
    holds, broken = judged.adverse_bound, judged.lower if direction is Direction.AT_MOST else judged.upper
    sign = 1 if direction is Direction.AT_MOST else -1
    assert (judged.verdict is Verdict.PASS) is (holds is not None and sign * holds <= sign * 10)
    if broken is not None:
        assert (judged.verdict is Verdict.FAIL) is (sign * broken > sign * 10)
    elif not any(value == math.inf for value in values):
        assert judged.verdict is not Verdict.FAIL


def test_a_burst_is_worth_few_samples_and_spread_exceedances_are_worth_all():
    burst = [1.0 if 400 <= number < 450 else 0.0 for number in range(1000)]
    spread = [1.0 if number % 20 == 0 else 0.0 for number in range(1000)]
    assert estimate_dependence(burst, P95, [50] * 20).value == Fraction(1000, 19)
    assert estimate_dependence(spread, P95, [50] * 20).value == 1


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_the_sum_of_autocorrelations_is_that_of_the_definition(seed):
    chance = random.Random(seed)
    values, slow = [], False
    for _ in range(300):
        slow = chance.random() < (0.6 if slow else 0.04)
        values.append(chance.random() + (5 if slow else 0))
    values[0], values[-2:] = 9.0, [9.5, 9.6]  # the ends weigh in the sums over shifted samples
    cut = sorted(values)[math.ceil(P95 * 300) - 1]
    marks = [Fraction(value > cut) - Fraction(15, 300) for value in values]
    rho = [sum(marks[i] * marks[i + lag] for i in range(300 - lag)) for lag in range(299)]
    pairs = [rho[lag] + rho[lag + 1] for lag in range(0, 298, 2)]
    positive = pairs[: next(at for at, pair in enumerate(pairs) if pair <= 0)]
    expected = max(Fraction(1), 2 * sum(positive) / rho[0] - 1)
    assert estimate_dependence(values, P95, [300]).acf == expected > 1


def test_two_samples_are_enough_to_estimate_from():
    assert estimate_dependence([1.0, 0.0], Fraction(1, 2), [1, 1]) == Dependence(Fraction(2), block=Fraction(2))


def test_blocks_of_different_sizes_are_weighed():
    values = [1.0] * 10 + [0.0] * 190
    equal = estimate_dependence(values, P95, [10] * 20)
    uneven = estimate_dependence(values, P95, [10] + [19] * 10)
    assert equal.block == Fraction(10 * (Fraction(95, 100) ** 2 + 19 * Fraction(5, 100) ** 2), 19) / (P95 * (1 - P95))
    assert uneven.block == (10 * Fraction(95, 100) ** 2 + 190 * Fraction(5, 100) ** 2) / 10 / (P95 * (1 - P95))


def test_where_no_sample_stands_out_independence_is_only_assumed():
    constant = estimate_dependence([7.0] * 100, P95, [5] * 20)
    assert not constant.estimated
    judged = judge_values([7.0] * 100, timing=Timing(blocks=(5,) * 20))
    assert (judged.verdict, judged.qualifiers) == (Verdict.PASS, ("independence assumed",))


def test_ties_at_the_quantile_are_marked_from_below():
    values = [9.0] * 10 + [1.0] * 90
    assert estimate_dependence(values, P95, [10] * 10).value > 5


@pytest.mark.parametrize("blocks", [[50] * 19, [50] * 21, []])
def test_blocks_that_do_not_add_up_are_refused(blocks):
    values = [float(number) for number in range(1000)]
    with pytest.raises(ValueError, match="do not fit"):
        estimate_dependence(values, P95, blocks)
    with pytest.raises(ValueError, match="do not fit"):
        judge_values(values, timing=Timing(blocks=tuple(blocks)))


@pytest.mark.parametrize(
    ("over", "effect", "verdict", "reason"),
    [
        (20, 4, "pass", None),
        (20, 10, "inconclusive", "too-few-independent"),
        (0, 20, "inconclusive", "too-few-independent"),
        (45, 2, "inconclusive", "point-only"),
        (60, 2, "inconclusive", "point-short"),
        (200, 4, "fail", None),
        (63, 1, "fail", None),
        (63, 4, "inconclusive", "too-few-independent"),
        (30, 1000, "inconclusive", "too-few-independent"),
        (30, 5000, "inconclusive", "too-few-independent"),
    ],
)
def test_dependent_samples_are_judged_at_their_effective_number(over, effect, verdict, reason):
    judged = judge_quantile_dependent(over, 1000, P95, confidence=P95, dependence=Dependence(Fraction(effect)))
    assert (judged.verdict, judged.reason) == (verdict, reason)
    assert judged.figure("samples_effective") == 1000 // effect
    assert (judged.figure("lower_share_effective") is None) is (effect > 1000)
    assert ("dependent" in judged.qualifiers) is (effect > 1)


def test_dependent_samples_of_nothing_are_invalid_and_of_nonsense_refused():
    independent = Dependence(Fraction(1))
    assert judge_quantile_dependent(0, 0, P95, confidence=P95, dependence=independent).reason == "empty"
    with pytest.raises(ValueError, match="more than 3"):
        judge_quantile_dependent(4, 3, P95, confidence=P95, dependence=independent)


def test_a_design_effect_below_one_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        Dependence(Fraction(9, 10))


def test_values_in_blocks_pass_only_with_blocks_enough_and_without_bursts():
    scattered = [200.0 if number % 40 == 7 else 1.0 for number in range(1000)]
    burst = [200.0 if number < 25 else 1.0 for number in range(1000)]
    twenty, nineteen = Timing(blocks=(50,) * 20), Timing(blocks=(50,) * 18 + (100,))
    assert judge_values(scattered).verdict is judge_values(burst).verdict is Verdict.PASS
    assert judge_values(scattered, timing=twenty).verdict is Verdict.PASS
    assert judge_values(scattered, timing=nineteen).reason == "too-few-blocks"
    assert judge_values(burst, timing=twenty).reason == "too-few-independent"
    assert judge_values(burst, timing=twenty).figure("samples_effective") < 59


def test_a_timing_that_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="resolution"):
        Timing(resolution=Fraction(-1))
    with pytest.raises(ValueError, match="block"):
        Timing(blocks=(5, 0))
