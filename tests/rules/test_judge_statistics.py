"""Judging, statistic by statistic: where each limit passes, fails, stays open, and what cannot be judged at all."""

import msgspec
import pytest

from pytest_spiral.model.gate import Limit

PASS, FAIL, OPEN, INVALID = "pass", "fail", "inconclusive", "invalid"


def judged(bench, limit, taken, *, unit="", **fields):
    """The verdict and reason of a criterion with one limit, on one measurement."""
    said = {key: fields.pop(key) for key in ("clock", "resolution_ns", "planned", "closed", "raised") if key in fields}
    name = limit.partition("(")[2].partition(")")[0]
    bench.criterion("S1.it", limit, **fields).measure("S1.it", name, taken, unit=unit, **said)
    return bench.verdict("S1.it")


# rate


@pytest.mark.parametrize(
    ("limit", "good", "bad", "samples", "verdict", "reason"),
    [
        ("rate(boot) >= 95 %", 59, 0, 59, PASS, ""),
        ("rate(boot) >= 95 %", 203, 5, 208, PASS, ""),
        ("rate(boot) >= 95 %", 202, 6, 208, OPEN, "point-only"),
        ("rate(boot) >= 95 %", 58, 1, 59, OPEN, "point-only"),
        ("rate(boot) >= 95 %", 54, 5, 59, OPEN, "point-short"),
        ("rate(boot) >= 95 %", 50, 9, 59, FAIL, "fail"),
        ("rate(boot) >= 95 %", 58, 0, 59, OPEN, "incomplete"),
        ("rate(boot) >= 95 %", 57, 1, 59, OPEN, "cannot-pass"),
        ("rate(boot) >= 95 %", 30, 20, 59, FAIL, "fail"),
        ("rate(boot) >= 95 %", 60, 0, 59, INVALID, "more-than-planned"),
        ("rate(boot) >= 95 %", 0, 0, 59, INVALID, "empty"),
        ("rate(late) <= 5 %", 0, 59, 59, PASS, ""),
        ("rate(late) <= 5 %", 1, 58, 59, OPEN, "point-only"),
        ("rate(late) <= 5 %", 9, 50, 59, FAIL, "fail"),
    ],
)
def test_a_rate_is_judged_by_its_bound_at_the_full_plan(bench, limit, good, bad, samples, verdict, reason):
    assert judged(bench, limit, bench.hits(good, bad), samples=samples, confidence="0.95") == (verdict, reason)


def test_a_call_that_failed_is_a_miss_of_a_rate(bench):
    taken = [*bench.hits(58), {"failed": "no answer"}]
    assert judged(bench, "rate(boot) >= 95 %", taken, samples=59, confidence="0.95") == (OPEN, "point-only")


@pytest.mark.parametrize(("bad", "assumed"), [(4, True), (5, False)])
def test_few_failures_say_that_independence_is_assumed(bench, bad, assumed):
    judged(bench, "rate(boot) >= 95 %", bench.hits(208 - bad, bad), samples=208, confidence="0.95")
    assert ("independence assumed" in bench.figures("S1.it").note) is assumed


@pytest.mark.parametrize(("good", "verdict"), [(95, PASS), (94, FAIL)])
def test_without_confidence_a_rate_is_compared_plainly_and_says_so(bench, good, verdict):
    fields = {"confidence": "none", "confidence_reason": "a first look"}
    assert judged(bench, "rate(boot) >= 95 %", bench.hits(good, 100 - good), samples=100, **fields)[0] == verdict
    assert bench.judged("S1.it").qualifiers == ("simple-acceptance",) + (("independence assumed",) if good > 95 else ())


# quantile


@pytest.mark.parametrize(
    ("slow", "samples", "verdict", "reason"),
    [
        (0, 59, PASS, ""),
        (1, 100, PASS, ""),
        (2, 100, OPEN, "point-only"),
        (6, 100, OPEN, "point-short"),
        (10, 100, FAIL, "fail"),
        (0, 58, OPEN, "too-few-for-any-bound"),
    ],
)
def test_a_quantile_is_judged_by_the_rank_of_its_bound(bench, slow, samples, verdict, reason):
    taken = bench.values(*[4.5] * (samples - slow), *[130.0] * slow)
    fields = {"samples": samples, "confidence": "0.95", "unit": "ms"}
    assert judged(bench, "p95(search) <= 120 ms", taken, **fields) == (verdict, reason)


@pytest.mark.parametrize(("failed", "verdict"), [(1, PASS), (10, FAIL)])
def test_a_failed_call_is_infinitely_slow(bench, failed, verdict):
    taken = [*bench.timed(*[4.5] * (100 - failed)), *[{"failed": "timeout"}] * failed]
    assert judged(bench, "p95(search) <= 120 ms", taken, samples=100, confidence="0.95")[0] == verdict
    figures = bench.figures("S1.it")
    assert (figures.failed, figures.samples) == (failed, 100)
    assert figures.upper == (None if failed > 1 else 4.5)


def test_a_quantile_from_below_wants_nearly_all_samples_above(bench):
    fields = {"samples": 59, "confidence": "0.95", "unit": "Hz"}
    assert judged(bench, "p95(rate-of-frames) >= 10 Hz", bench.values(*[20.0] * 59), **fields)[0] == PASS


@pytest.mark.parametrize(
    ("taken", "unit", "value"),
    [((0.0045,), "s", 4.5), ((4_500_000,), "ns", 4.5), ((4.5,), "ms", 4.5)],
)
def test_values_are_converted_to_the_limits_unit(bench, taken, unit, value):
    judged(bench, "p50(search) <= 120 ms", bench.values(*taken * 10), samples=10, confidence="0.95", unit=unit)
    assert bench.figures("S1.it").value == value
    assert bench.figures("S1.it").unit == "ms"


@pytest.mark.parametrize(("resolution", "verdict", "reason"), [(1, PASS, ""), (13_000_000, INVALID, "coarse-timer")])
def test_a_timer_that_is_too_coarse_tells_nothing(bench, resolution, verdict, reason):
    fields = {"samples": 59, "confidence": "0.95", "resolution_ns": resolution}
    assert judged(bench, "p95(search) <= 120 ms", bench.timed(*[4.5] * 59), **fields) == (verdict, reason)


def test_a_resolution_that_alone_decides_leaves_it_open(bench):
    fields = {"samples": 59, "confidence": "0.95", "resolution_ns": 11_000_000}
    assert judged(bench, "p95(search) <= 120 ms", bench.timed(*[115] * 59), **fields) == (OPEN, "resolution")


@pytest.mark.parametrize(("loop", "verdict", "reason"), [("sent", PASS, ""), ("timed", INVALID, "closed-loop")])
def test_a_promise_of_response_time_wants_an_open_loop(bench, loop, verdict, reason):
    fields = {"samples": 59, "confidence": "0.95", "sampling": "open-loop"}
    assert judged(bench, "p95(search) <= 120 ms", getattr(bench, loop)(*[4.5] * 59), **fields) == (verdict, reason)


def stalled(*, open_loop):
    """Response times in ms of 1,000 calls, one every 50 ms, to one server of 1 ms that stands still for 10 s once."""
    free, times = 0, []
    for due in range(0, 50_000, 50):
        begin = max(due, free) if open_loop else due
        done = (20_000 if 10_000 <= begin < 20_000 else begin) + 1
        times.append(done - due)
        free = done
        if not open_loop and done > 20_000 > due:  # whoever waits for the answer asks nothing meanwhile
            return [*times, *[1] * (1000 - len(times))]
    return times


def test_one_stall_in_a_thousand_open_loop_queries_is_seen_in_the_p95(bench, make_bench):
    fields = {"samples": 1000, "confidence": "0.95", "sampling": "open-loop"}
    assert judged(bench, "p95(search) <= 120 ms", bench.sent(*stalled(open_loop=True)), **fields) == (FAIL, "fail")
    assert bench.figures("S1.it").value > 5000
    hidden = make_bench()
    closed = hidden.timed(*stalled(open_loop=False))
    assert judged(hidden, "p95(search) <= 120 ms", closed, **fields) == (INVALID, "closed-loop")


def test_the_control_a_closed_loop_hides_the_stall(bench):
    closed = bench.timed(*stalled(open_loop=False))
    fields = {"samples": 1000, "confidence": "0.95", "sampling": "closed-loop"}
    assert judged(bench, "p95(search) <= 120 ms", closed, **fields) == (PASS, "")
    assert "service time" in bench.figures("S1.it").note


@pytest.mark.parametrize("forgotten", ["intended", "sent", "done"])
def test_one_call_off_the_schedule_is_no_open_loop(bench, forgotten):
    taken = bench.sent(*[4.5] * 59)
    del taken[-1][forgotten]
    fields = {"samples": 59, "confidence": "0.95", "sampling": "open-loop"}
    assert judged(bench, "p95(search) <= 120 ms", taken, **fields) == (INVALID, "closed-loop")


@pytest.mark.parametrize(("sampling", "note"), [("open-loop", "response time"), ("closed-loop", "service time")])
def test_a_latency_says_which_time_it_is(bench, sampling, note):
    judged(bench, "p95(search) <= 120 ms", bench.sent(*[4.5] * 59), samples=59, confidence="0.95", sampling=sampling)
    assert note in bench.figures("S1.it").note


@pytest.mark.parametrize(
    "wrong",
    [
        {"ns": 5, "intended": 0, "sent": 1, "done": 6},
        {"ns": 5, "intended": 2, "sent": 1, "done": 7},
        {"ns": 5, "intended": 1, "sent": 7, "done": 6},
        {"ns": -5},
    ],
)
def test_times_that_do_not_add_up_are_no_evidence(bench, wrong):
    fields = {"samples": 59, "confidence": "0.95"}
    taken = [*bench.timed(*[4.5] * 58), wrong]
    assert judged(bench, "p95(search) <= 120 ms", taken, **fields) == (INVALID, "time-order")


# blocks of fresh connections


def in_blocks(bench, sizes, slow_blocks=0):
    return [
        one
        for at, size in enumerate(sizes)
        for one in bench.timed(*[130 if at < slow_blocks else 4.5] * size, block=at)
    ]


@pytest.mark.parametrize(
    ("sizes", "slow_blocks", "verdict", "reason"),
    [
        ([5] * 20, 0, PASS, ""),
        ([100], 0, OPEN, "too-few-blocks"),
        ([5] * 20, 20, FAIL, "fail"),
        ([5] * 20, 5, OPEN, "too-few-independent"),
        ([50] * 20, 0, PASS, ""),
        ([5, 6] + [5] * 17 + [4], 0, PASS, ""),
    ],
)
def test_a_latency_wants_its_blocks(bench, sizes, slow_blocks, verdict, reason):
    fields = {"samples": sum(sizes), "confidence": "0.95", "blocks": 20}
    assert judged(bench, "p95(search) <= 120 ms", in_blocks(bench, sizes, slow_blocks), **fields) == (verdict, reason)


def test_more_blocks_than_dependence_needs_are_still_wanted_where_declared(bench):
    fields = {"samples": 100, "confidence": "0.95", "blocks": 25}
    taken = in_blocks(bench, [5] * 20)
    assert judged(bench, "p95(search) <= 120 ms", taken, **fields) == (OPEN, "too-few-blocks")
    assert bench.figures("S1.it").sentence == "fewer blocks of fresh connections than declared"


def test_samples_that_say_no_block_stand_in_none(bench):
    fields = {"samples": 100, "confidence": "0.95", "blocks": 20}
    assert judged(bench, "p95(search) <= 120 ms", bench.timed(*[4.5] * 100), **fields) == (OPEN, "too-few-blocks")


def test_a_block_that_is_gone_back_to_was_no_fresh_connection(bench):
    fields = {"samples": 100, "confidence": "0.95", "blocks": 20}
    taken = [*in_blocks(bench, [5] * 19), *bench.timed(*[4.5] * 5, block=0)]
    assert judged(bench, "p95(search) <= 120 ms", taken, **fields) == (INVALID, "blocks-mixed")


def test_samples_that_hang_together_are_worth_fewer(bench):
    sizes = [50] * 20
    judged(bench, "p50(search) <= 120 ms", in_blocks(bench, sizes, 9), samples=1000, confidence="0.95", blocks=20)
    figures = bench.figures("S1.it")
    assert figures.verdict == OPEN
    assert "dependent" in figures.qualifiers
    assert "independent samples" in figures.note


# mean


@pytest.mark.parametrize(
    ("scores", "verdict", "reason"),
    [
        ([1.0] * 500, PASS, ""),
        ([0.96] * 400, OPEN, "point-only"),
        ([0.9] * 1000, FAIL, "fail"),
        ([0.94] * 200, OPEN, "point-short"),
        ([1.0] * 499 + [1.5], INVALID, "out-of-range"),
        ([1.0] * 499 + [-0.5], INVALID, "out-of-range"),
        ([], INVALID, "empty"),
    ],
)
def test_a_mean_is_judged_by_its_bound(bench, scores, verdict, reason):
    fields = {"samples": len(scores) or 500, "confidence": "0.95", "unit": "1"}
    assert judged(bench, "mean(recall) >= 95 %", bench.values(*scores), **fields) == (verdict, reason)


def test_a_mean_of_percents_is_a_share(bench):
    judged(bench, "mean(recall) >= 95 %", bench.values(*[100] * 500), samples=500, confidence="0.95", unit="%")
    figures = bench.figures("S1.it")
    assert (figures.verdict, figures.value, figures.bound, figures.unit) == (PASS, 1, 0.95, "1")


# failures


@pytest.mark.parametrize(
    ("taken", "census", "verdict", "reason"),
    [
        ((10, 0), False, PASS, ""),
        ((9, 1), False, FAIL, "fail"),
        ((9, 0), False, OPEN, "incomplete"),
        ((5, 1), False, FAIL, "fail"),
        ((11, 0), False, INVALID, "more-than-planned"),
        ((0, 0), False, INVALID, "empty"),
        ((11, 0), True, PASS, ""),
        ((9, 0), True, OPEN, "incomplete"),
        ((10, 1), True, FAIL, "fail"),
    ],
)
def test_failures_are_counted_over_the_whole_plan(bench, taken, census, verdict, reason):
    assert judged(bench, "failures(query) <= 0", bench.hits(*taken), samples=10, census=census) == (verdict, reason)


def test_failures_up_to_the_bound_are_allowed(bench):
    assert judged(bench, "failures(query) <= 1", bench.hits(9, 1), samples=10) == (PASS, "")


def test_an_incomplete_plan_says_how_many_more(bench):
    judged(bench, "failures(query) <= 0", bench.hits(7), samples=10)
    assert bench.judged("S1.it").sentence == "inconclusive (incomplete), 3 more"


# count


@pytest.mark.parametrize(
    ("pairs", "verdict", "reason"),
    [
        ([(0, 20)], PASS, ""),
        ([(0, 10), (0, 10)], PASS, ""),
        ([(0, 30)], PASS, ""),
        ([(1, 20)], FAIL, "fail"),
        ([(1, 2)], FAIL, "fail"),
        ([(0, 19.5)], OPEN, "incomplete"),
        ([(0, 0)], INVALID, "empty"),
        ([], INVALID, "empty"),
    ],
)
def test_a_count_is_kept_over_the_declared_exposure(bench, pairs, verdict, reason):
    assert judged(bench, "count(dropouts) <= 0", bench.counts(*pairs), exposure="20 s") == (verdict, reason)


@pytest.mark.parametrize(
    ("exposure", "pair", "note"),
    [
        ("20 s", (0, 20), "0 in 20 s shows at most 539 an hour"),
        ("2 h", (0, 2), "0 in 2 h shows at most 1.5 an hour"),
        ("1000 items", (0, 1000), "0 in 1000 items shows at most 0.003 per items"),
    ],
)
def test_a_clean_count_says_what_it_shows(bench, exposure, pair, note):
    judged(bench, "count(dropouts) <= 0", bench.counts(pair), exposure=exposure)
    assert bench.figures("S1.it").note == note


# least and greatest


@pytest.mark.parametrize(
    ("limit", "numbers", "verdict", "reason"),
    [
        ("max(offset) <= 45 ms", [45, 1, -200], PASS, ""),
        ("max(offset) <= 45 ms", [45.1, 1, -200], FAIL, "fail"),
        ("max(offset) <= 45 ms", [45.1], FAIL, "fail"),
        ("max(offset) <= 45 ms", [1, 2], OPEN, "incomplete"),
        ("max(offset) <= 45 ms", [1, 2, 3, 4], INVALID, "more-than-planned"),
        ("max(offset) <= 45 ms", [], INVALID, "empty"),
        ("min(offset) >= -125 ms", [-125, 1, 200], PASS, ""),
        ("min(offset) >= -125 ms", [-126, 1, 200], FAIL, "fail"),
    ],
)
def test_every_value_must_hold(bench, limit, numbers, verdict, reason):
    assert judged(bench, limit, bench.values(*numbers), samples=3, unit="ms") == (verdict, reason)


def test_a_failed_call_breaks_a_greatest_and_a_least(bench, make_bench):
    taken = [*bench.values(1, 2), {"failed": "no answer"}]
    assert judged(bench, "max(offset) <= 45 ms", taken, samples=3, unit="ms")[0] == FAIL
    assert judged(make_bench(), "min(offset) >= 0 ms", taken, samples=3, unit="ms")[0] == FAIL


def test_a_coarse_timer_counts_against_a_greatest_value(bench, make_bench):
    fields = {"samples": 3, "resolution_ns": 4_000_000}
    assert judged(bench, "max(call) <= 45 ms", bench.timed(1, 2, 43), **fields) == (OPEN, "resolution")
    assert bench.figures("S1.it").note == ""
    fields["resolution_ns"] = 5_000_000
    assert judged(make_bench(), "max(call) <= 45 ms", bench.timed(1, 2, 3), **fields) == (INVALID, "coarse-timer")


# duration


@pytest.mark.parametrize(
    ("hours", "said", "facts", "verdict", "reason"),
    [
        ([48.5], {"clock": "monotonic"}, {"clock.trusted": True}, PASS, ""),
        ([48], {"clock": "monotonic"}, {"clock.trusted": True}, PASS, ""),
        ([47.9], {"clock": "monotonic"}, {"clock.trusted": True}, FAIL, "fail"),
        ([48.5], {"clock": "monotonic"}, {"clock.trusted": False}, "environment-limited", "virtual-clock"),
        ([48.5], {"clock": "monotonic"}, {}, "environment-limited", "virtual-clock"),
        ([48.5], {"clock": "virtual"}, {"clock.trusted": True}, "environment-limited", "virtual-clock"),
        ([47.9], {"clock": "virtual"}, {"clock.trusted": False}, FAIL, "fail"),
        ([48], {"clock": "monotonic", "resolution_ns": 10**9}, {"clock.trusted": True}, OPEN, "resolution"),
        ([48, 49], {}, {"clock.trusted": True}, INVALID, "no-single-duration"),
        ([], {}, {"clock.trusted": True}, INVALID, "no-single-duration"),
    ],
)
def test_a_duration_wants_a_clock_that_nobody_sets(bench, hours, said, facts, verdict, reason):
    bench.on("sandbox", "sandbox", **facts)
    assert judged(bench, "duration(window) >= 48 h", bench.values(*hours), unit="h", **said) == (verdict, reason)


def test_this_machines_own_clock_is_trusted(bench):
    assert judged(bench, "duration(window) >= 48 h", bench.timed(48.5 * 3_600_000), clock="monotonic")[0] == PASS


def test_a_failed_duration_is_none(bench):
    taken = [{"failed": "gone"}]
    assert judged(bench, "duration(window) >= 48 h", taken, unit="h") == (INVALID, "no-single-duration")


# equal


def compared(bench, left, right, **fields):
    bench.criterion("S1.it", "equal(rest, grpc)", **fields)
    for name, side in (("rest", left), ("grpc", right)):
        if side is not None:
            bench.measure("S1.it", name, bench.items(side) if isinstance(side, dict) else side)
    return bench.verdict("S1.it")


@pytest.mark.parametrize(
    ("left", "right", "census", "verdict", "reason"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1.0}, False, PASS, ""),
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, False, FAIL, "fail"),
        ({"a": 1, "b": True}, {"a": 1, "b": 1}, False, FAIL, "fail"),
        ({"a": 1, "b": "2"}, {"a": 1, "b": 2}, False, FAIL, "fail"),
        ({"a": 1, "b": None}, {"a": 1, "b": 0}, False, FAIL, "fail"),
        ({"a": 1, "b": {"x": 1, "y": 2}}, {"a": 1, "b": {"y": 2, "x": 1}}, False, PASS, ""),
        ({"a": 1, "b": {"x": None}}, {"a": 1, "b": {}}, False, FAIL, "fail"),
        ({"a": 1, "b": {"x": 1}}, {"a": 1, "b": {"x": True}}, False, FAIL, "fail"),
        ({"a": 1, "b": {"x": 1}}, {"a": 1, "b": ["x"]}, False, FAIL, "fail"),
        ({"a": 1, "b": [1, 2]}, {"a": 1, "b": [2, 1]}, False, FAIL, "fail"),
        ({"a": 1, "b": [1]}, {"a": 1, "b": [1, 1]}, False, FAIL, "fail"),
        ({"a": 1}, {"a": 1}, False, "not-run", "missing-part"),
        ({"a": 1, "b": 2}, {"a": 1}, False, "not-run", "missing-part"),
        ({"a": 1, "b": 2}, {"a": 1, "c": 2}, False, INVALID, "more-than-planned"),
        ({"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 2, "c": 3}, False, INVALID, "more-than-planned"),
        ({"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 2, "c": 3}, True, PASS, ""),
        ({"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 2, "c": 4}, True, FAIL, "fail"),
        ({"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 2, "d": 3}, True, "not-run", "missing-part"),
        ({"a": 1}, {"a": 1}, True, "not-run", "missing-part"),
        ({}, {}, True, INVALID, "empty"),
        ({"a": 1, "b": 2}, None, False, INVALID, "one-sided"),
    ],
)
def test_two_sides_agree_item_by_item_or_not(bench, left, right, census, verdict, reason):
    assert compared(bench, left, right, samples=2, census=census) == (verdict, reason)
    assert verdict != PASS or bench.figures("S1.it").note == ""


def test_items_that_differ_are_named(bench):
    sides = dict.fromkeys("abcde", 1)
    compared(bench, sides, dict.fromkeys(sides, 2), samples=5)
    assert bench.figures("S1.it").note == "differing: a, b, c and 2 more"


def test_an_item_of_the_warm_up_is_not_listed_twice(bench):
    for name, seen in (("rest", 1), ("grpc", 2)):
        taken = [{"item": "a", "seen": 0, "warm": True}, {"item": "a", "seen": seen}]
        bench.measure("S1.it", name, taken)
    bench.criterion("S1.it", "equal(rest, grpc)", samples=1, warm_up=1)
    assert bench.verdict("S1.it") == (FAIL, "fail")
    assert bench.figures("S1.it").note == "differing: a"


def test_a_side_that_lists_an_item_twice_is_no_list(bench):
    twice = [{"item": "a", "seen": 1}, {"item": "a", "seen": 1}]
    assert compared(bench, twice, {"a": 1, "b": 1}, samples=2) == (INVALID, "item-twice")


def test_a_side_without_items_is_no_list(bench):
    assert compared(bench, [{"ok": True}], {"a": 1}, samples=1) == (INVALID, "wrong-kind")


# what no rule judges


@pytest.mark.parametrize(
    ("limit", "unit", "sample", "fields", "reason"),
    [
        ("p95(search) <= 120 ms", "MB", {"value": 1}, {"samples": 1, "confidence": "0.95"}, "wrong-unit"),
        ("p95(search) <= 120 ms", "", {"value": 1}, {"samples": 1, "confidence": "0.95"}, "wrong-unit"),
        ("p95(search) <= 120 ms", "msec", {"value": 1}, {"samples": 1, "confidence": "0.95"}, "wrong-unit"),
        ("p95(search) <= 120 ms", "ms", {"ok": True}, {"samples": 1, "confidence": "0.95"}, "wrong-kind"),
        ("rate(search) >= 95 %", "", {"value": 1}, {"samples": 1, "confidence": "0.95"}, "wrong-kind"),
        ("mean(search) >= 95 %", "ms", {"value": 1}, {"samples": 1, "confidence": "0.95"}, "wrong-unit"),
        ("max(search) <= 5 MB", "B", {"ns": 1}, {"samples": 1}, "wrong-unit"),
        ("min(search) >= 10000 items", "shards", {"value": 20_000}, {"samples": 1}, "wrong-unit"),
        ("duration(search) >= 1 h", "MB", {"value": 1}, {}, "wrong-unit"),
        ("count(search) <= 0", "", {"value": 0}, {"exposure": "1 s"}, "wrong-kind"),
        ("count(search) <= 0", "", {"count": 0}, {"exposure": "1 s"}, "wrong-kind"),
    ],
)
def test_samples_of_another_kind_or_unit_are_never_a_pass(bench, limit, unit, sample, fields, reason):
    assert judged(bench, limit, [sample], unit=unit, **fields) == (INVALID, reason)
    assert not bench.figures("S1.it").picture


def test_a_statistic_that_no_rule_judges_is_invalid(bench):
    limit = Limit(text="count-rate(a) <= 1", statistic="all-pass", measurements=("a",), comparison="<=", bound="1")
    msgspec.structs.force_setattr(limit, "statistic", "median")
    bench.criterion("S1.it", samples=1)
    bench.criteria[0] = type(bench.criteria[0])(id="S1.it", limits=(limit,), samples=1)
    bench.measure("S1.it", "a", bench.counts((0, 1)))
    assert bench.verdict("S1.it") == (INVALID, "unknown-statistic")


# warm-up, order, plan


@pytest.mark.parametrize(
    ("warm", "declared", "verdict", "reason"),
    [
        (5, 5, PASS, ""),
        (4, 5, INVALID, "warm-up-differs"),
        (5, 0, INVALID, "warm-up-differs"),
        (0, 5, INVALID, "warm-up-differs"),
    ],
)
def test_warm_up_is_as_long_as_declared_and_left_out(bench, warm, declared, verdict, reason):
    taken = [*bench.timed(*[900] * warm, warm=True), *bench.timed(*[4.5] * 59)]
    fields = {"samples": 59, "confidence": "0.95", "warm_up": declared}
    assert judged(bench, "p95(search) <= 120 ms", taken, **fields) == (verdict, reason)


def test_warm_up_is_counted_and_failures_in_it_are_none(bench):
    taken = [*bench.hits(0, 3, warm=True), *bench.hits(10)]
    judged(bench, "failures(query) <= 0", taken, samples=10, warm_up=3)
    figures = bench.figures("S1.it")
    assert (figures.verdict, figures.warm_up, figures.samples, figures.failed) == (PASS, 3, 10, 0)


def test_a_bad_sample_cannot_be_called_warm_up_afterwards(bench):
    taken = [*bench.hits(10), *bench.hits(0, 1, warm=True)]
    assert judged(bench, "failures(query) <= 0", taken, samples=10, warm_up=1) == (INVALID, "warm-up-late")


def test_warm_up_comes_first_in_each_block(bench):
    taken = [
        one for at in range(5) for one in (*bench.hits(0, 1, warm=True, block=at), *bench.hits(2, block=at))
    ]  # fmt: skip
    assert judged(bench, "failures(query) <= 0", taken, samples=10, warm_up=5) == (PASS, "")


def test_a_limit_with_a_plan_of_its_own_has_no_warm_up(bench):
    bench.criterion("S1.it", "failures(query) <= 0", ("min(items) >= 10 items", 1), samples=10, warm_up=2)
    bench.measure("S1.it", "query", [*bench.hits(2, warm=True), *bench.hits(10)])
    bench.measure("S1.it", "items", bench.values(12), unit="items")
    assert bench.verdict("S1.it") == (PASS, "")
    assert [one.planned for one in bench.judged("S1.it").limits] == [10, 1]


@pytest.mark.parametrize("numbers", [(1, 2), (0, 2), (0, 0), (1, 0)])
def test_samples_that_are_missing_or_out_of_order_are_no_evidence(bench, numbers):
    bench.criterion("S1.it", "failures(query) <= 0", samples=2)
    bench.measure("S1.it", "query", [{"ok": True}] * 2)
    (kept,) = bench.records["measurements"]
    samples = tuple(type(kept.samples[0])(n=n, ok=True) for n in numbers)
    bench.records["measurements"] = [type(kept)(**{**_fields(kept), "samples": samples})]
    assert bench.verdict("S1.it") == (INVALID, "samples-order")


def _fields(value):
    return {name: getattr(value, name) for name in value.__struct_fields__}


# figures


@pytest.mark.parametrize(
    ("margin", "marginal"),
    [("10 ms", False), ("115.5 ms", False), ("115.6 ms", True), ("0.2 s", True), (None, False)],
)
def test_a_pass_inside_the_margin_is_marginal_and_a_pass(bench, margin, marginal):
    fields = {"samples": 59, "confidence": "0.95", "margin": margin, "unit": "ms"}
    assert judged(bench, "p95(search) <= 120 ms", bench.values(*[4.5] * 59), **fields) == (PASS, "")
    assert bench.judged("S1.it").qualifiers == (("marginal",) if marginal else ())


def test_a_fail_is_not_marginal(bench):
    fields = {"samples": 59, "confidence": "0.95", "margin": "10 ms", "unit": "ms"}
    assert judged(bench, "p95(search) <= 120 ms", bench.values(*[125] * 59), **fields) == (FAIL, "fail")
    assert bench.judged("S1.it").qualifiers == ()


def test_a_judged_limit_has_all_its_figures(bench):
    judged(bench, "p95(search) <= 120 ms", bench.values(*range(1, 101)), samples=100, confidence="0.95", unit="ms")
    figures = bench.figures("S1.it")
    assert (figures.value, figures.upper, figures.bound, figures.unit, figures.margin) == (95, 99, 120, "ms", 21)
    assert (figures.samples, figures.planned, figures.confidence, figures.where) == (100, 100, "0.95", "test_it")
    assert figures.picture == tuple(map(float, range(1, 101)))


def test_a_picture_has_200_points_at_most_from_the_least_to_the_greatest(bench):
    judged(bench, "p95(search) <= 120 ms", bench.values(*range(1000)), samples=1000, confidence="0.95", unit="ms")
    picture = bench.figures("S1.it").picture
    assert (len(picture), picture[0], picture[-1], list(picture)) == (200, 0, 999, sorted(picture))


def test_the_worst_of_several_limits_counts(bench):
    bench.criterion("S1.it", "max(offset) <= 45 ms", "min(offset) >= -125 ms", samples=3)
    bench.measure("S1.it", "offset", bench.values(-130, 0, 40), unit="ms")
    assert [one.verdict for one in bench.judged("S1.it").limits] == [PASS, FAIL]
    assert bench.verdict("S1.it") == (FAIL, "fail")


def test_the_worst_of_several_tests_counts(bench):
    bench.criterion("S1.it", "failures(query) <= 0", samples=2)
    bench.measure("S1.it", "query", bench.hits(2), test="test_a")
    bench.measure("S1.it", "query", bench.hits(1, 1), test="test_b")
    assert [(one.where, one.verdict) for one in bench.judged("S1.it").limits] == [("test_a", PASS), ("test_b", FAIL)]
    assert bench.verdict("S1.it") == (FAIL, "fail")


def test_every_limit_must_be_fed(bench):
    bench.criterion("S1.it", "failures(query) <= 0", "max(offset) <= 45 ms", samples=2)
    bench.measure("S1.it", "query", bench.hits(2))
    assert bench.verdict("S1.it") == ("not-run", "not-delivered")
    assert bench.judged("S1.it").sentence == "no test delivered offset for max(offset) <= 45 ms"


def test_a_name_measured_twice_in_one_block_is_no_population(bench):
    bench.criterion("S1.it", "failures(query) <= 0", samples=2)
    bench.measure("S1.it", "query", bench.hits(2)).measure("S1.it", "query", bench.hits(2))
    assert bench.verdict("S1.it") == (INVALID, "measured-twice")


# samples that were announced and never came


@pytest.mark.parametrize(
    ("limit", "unit", "good", "fields"),
    [
        ("rate(work) >= 95 %", "", "hits", {"confidence": "0.95"}),
        ("p95(work) <= 120 ms", "ms", "values", {"confidence": "0.95"}),
        ("mean(work) >= 50 %", "1", "values", {"confidence": "0.95"}),
        ("failures(work) <= 0", "", "hits", {}),
        ("failures(work) <= 0", "", "hits", {"census": True}),
        ("max(work) <= 45 ms", "ms", "values", {}),
        ("min(work) >= 1 ms", "ms", "values", {"census": True}),
    ],
)
@pytest.mark.parametrize(("announced", "verdict"), [(0, PASS), (59, PASS), (100, OPEN)])
def test_samples_announced_beyond_the_plan_that_never_came_forbid_a_pass(
    make_bench, limit, unit, good, fields, announced, verdict
):
    bench = make_bench()
    taken = bench.hits(59) if good == "hits" else bench.values(*[1] * 59)
    found = judged(bench, limit, taken, unit=unit, samples=59, planned=announced, **fields)
    assert found[0] == verdict
    figures = bench.figures("S1.it")
    assert (figures.samples, figures.planned) == (59, 100 if verdict == OPEN else 59)


@pytest.mark.parametrize("announced", [0, 10, 20, 1000])
def test_samples_that_never_came_soften_no_fail(bench, announced):
    assert judged(bench, "failures(work) <= 0", bench.hits(9, 1), samples=10, planned=announced) == (FAIL, "fail")


def test_samples_that_never_came_could_decide(bench):
    assert judged(bench, "failures(work) <= 0", bench.hits(10), samples=10, planned=12) == (OPEN, "lost-samples")
    assert bench.judged("S1.it").sentence == "announced samples never came, and they could decide"


def test_a_census_that_took_more_than_announced_has_lost_nothing(bench):
    assert judged(bench, "failures(work) <= 0", bench.hits(12), samples=10, planned=11, census=True) == (PASS, "")


def test_an_item_that_was_announced_and_never_listed_is_missing(bench):
    bench.criterion("S1.it", "equal(rest, grpc)", samples=2, census=True)
    for name in ("rest", "grpc"):
        bench.measure("S1.it", name, bench.items({"a": 1, "b": 2}), planned=3)
    assert bench.verdict("S1.it") == ("not-run", "missing-part")


@pytest.mark.parametrize(
    ("limit", "sample", "fields"),
    [
        ("count(work) <= 0", {"count": 0, "exposure": 20}, {"exposure": "20 s"}),
        ("duration(work) >= 1 ms", {"ns": 10**9}, {}),
    ],
)
def test_a_count_and_a_duration_are_not_announced_by_number(bench, limit, sample, fields):
    assert judged(bench, limit, [sample], planned=5, **fields) == (PASS, "")
