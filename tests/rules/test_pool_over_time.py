"""Sequential plans, event rates and pooled rows over several sessions, by the ledger."""

import pytest

from pytest_spiral.model.entry import AttemptCollected, AttemptSealed
from pytest_spiral.rules.judge import judge

from .test_attempts import PREV, Desk
from .test_pool import Pool, hits, words


@pytest.fixture
def sequential(make_bench):
    """The bar 80 %, built for 95 %: 18 good ones in a row decide."""
    return lambda plan=100: Pool(make_bench, "rate(work) >= 80 %", plan, sequential="95 %")


@pytest.mark.parametrize(
    ("before", "own", "found"),
    [
        ([(10, 0)], (8, 0), ("pass", "")),
        ([(10, 0)], (7, 0), ("inconclusive", "continue")),
        ([(6, 0), (6, 0)], (6, 0), ("pass", "")),
        ([(10, 0)], (7, 1), ("inconclusive", "continue")),
        ([(0, 6)], (80, 0), ("fail", "fail")),  # 1.75 ^ 6 = 29: it was reached at the sixth, whatever came after
        ([(0, 4)], (50, 0), ("pass", "")),
        ([(0, 5)], (0, 1), ("fail", "fail")),
        ([(18, 0)], (18, 0), ("pass", "")),
        ([(18, 0)], (16, 2), ("pass", "")),
        ([(18, 0)], (5, 3), ("inconclusive", "continue")),
    ],
)
def test_a_session_goes_on_where_the_last_one_stopped(sequential, before, own, found):
    pool = sequential()
    for good, bad in before:
        # by itself only the first bad ones fail; the ledger has what each session said
        pool.then(hits(good, bad), "pass" if (good, bad) == (18, 0) else "inconclusive")
    assert words(pool.own(hits(*own))) == found


def test_a_full_plan_that_has_not_decided_is_spent(sequential):
    pool = sequential(plan=40).then(hits(26, 4))
    assert words(pool.own(hits(8, 2)))[0] == "inconclusive"
    assert words(pool.then(hits(8, 2)).own(hits(40))) == ("inconclusive", "plan-spent")


def test_what_was_measured_after_the_plan_can_take_a_pass_away(sequential):
    good = sequential(plan=40).then(hits(40), "pass")
    assert words(good.own(hits(30))) == ("pass", "")
    assert words(sequential(plan=40).then(hits(40), "pass").own(hits(26, 9)))[0] in ("inconclusive", "fail")


def test_a_session_that_is_not_carried_counts_against_a_pass(sequential):
    assert words(sequential().then(hits(10), carry=False).own(hits(18))) == ("inconclusive", "attempt-missing")


def test_the_control_without_the_key_the_same_sessions_are_incomplete(make_bench):
    pool = Pool(make_bench, "rate(work) >= 80 %", 100).then(hits(10))
    assert words(pool.own(hits(8))) == ("inconclusive", "incomplete")


def among(bench, *earlier):
    """The judged criterion of a release run after others, each by its word."""
    desk = Desk(bench)
    for number, word in enumerate(earlier):
        nonce = f"earlier-{number}"
        desk.add(desk.opened(nonce, plan=desk.evidence.bundle.plan))
        desk.add(AttemptCollected(nonce=nonce, inventory=PREV))
        desk.add(AttemptSealed(nonce=nonce, manifest=PREV, runs={"S1.it": (word,)}))
    return judge(desk.own().told()).criteria[0]


def row(make_bench):
    bench = make_bench()
    bench.criterion("S1.it", "rate(x) >= 80 %", samples=12, confidence="0.95", consecutive=2, combine="pooled")
    for run in ("main-1", "main-2"):
        bench.run(run, "S1.it").measure("S1.it", "x", bench.hits(12), run=run)
    return bench


@pytest.mark.parametrize(
    ("earlier", "found"),
    [
        ((), ("pass", "")),
        (("pass",), ("pass", "")),
        (("inconclusive",), ("inconclusive", "row-hunted")),
        (("pass", "inconclusive"), ("inconclusive", "row-hunted")),
        (("fail",), ("fail", "worst-attempt")),
        (("invalid",), ("invalid", "worst-attempt")),
    ],
)
def test_a_pooled_row_gets_no_second_session(make_bench, earlier, found):
    assert words(among(row(make_bench), *earlier)) == found


def test_the_ledger_gets_one_word_for_a_pooled_row(make_bench):
    assert among(row(make_bench)).runs == ("pass",)


@pytest.mark.parametrize(
    ("earlier", "found"),
    [((), ("pass", "")), (("inconclusive",), ("inconclusive", "plan-spent")), (("fail",), ("fail", "worst-attempt"))],
)
def test_an_event_rate_is_judged_once(make_bench, earlier, found):
    bench = make_bench().criterion("S1.it", "count-rate(x) <= 2 per h", exposure="10 h", confidence="0.95")
    assert words(among(bench.measure("S1.it", "x", bench.counts((3, 10))), *earlier)) == found
