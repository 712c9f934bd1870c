"""The best of several runs is shown."""

import pytest


def universal(make_bench, good=3):
    bench = make_bench().criterion("S1.works", "failures(work) <= 0", samples=3)
    return bench.measure("S1.works", "work", bench.hits(good, 3 - good))


def planned(make_bench):
    bench = make_bench().criterion("S1.works", "rate(work) >= 90 %", samples=60, confidence="0.95")
    return bench.measure("S1.works", "work", bench.hits(60))


def row(make_bench):
    bench = make_bench().criterion("S1.works", "failures(work) <= 0", samples=3, consecutive=3)
    return bench.measure("S1.works", "work", bench.hits(3))


@pytest.mark.parametrize("kind", [universal, planned])
@pytest.mark.parametrize("word", ["fail", "invalid"])
@pytest.mark.parametrize("then", [[], ["pass"], ["pass", "pass", "pass"]])
def test_a_failure_stands_whatever_came_after_it(desk, make_bench, kind, word, then):
    tries = desk(kind(make_bench)).other(word)
    for after in then:
        tries.other(after)
    found = tries.own().judged("S1.works")
    assert (str(found.verdict), found.reason) == (word, "worst-attempt")


@pytest.mark.parametrize("before", [["inconclusive"], ["inconclusive", "pass"], ["pass", "inconclusive"]])
def test_a_plan_is_not_judged_without_the_attempts_before_it(desk, make_bench, before):
    tries = desk(planned(make_bench))
    for word in before:
        tries.other(word)
    found = tries.own().judged("S1.works")
    assert (str(found.verdict), found.reason) == ("inconclusive", "attempt-missing")


@pytest.mark.parametrize("kind", [universal, planned])
@pytest.mark.parametrize("word", ["fail", "invalid"])
def test_a_later_failure_takes_the_pass_away(desk, make_bench, kind, word):
    found = desk(kind(make_bench)).own().other(word).judged("S1.works")
    assert (str(found.verdict), found.reason) == ("inconclusive", "attempts-disagree")


@pytest.mark.parametrize("before", [[["pass"], []], [["pass", "pass"], []], [["pass"], ["broken"]], [["pass"]]])
def test_a_run_that_came_to_no_end_is_an_attempt(desk, make_bench, before):
    tries = desk(row(make_bench))
    for words in before:
        tries.other(*words)
    found = tries.own().judged("S1.works")
    assert (str(found.verdict), found.reason) == ("inconclusive", "row-short")


def test_a_row_that_chance_gives_is_no_row(desk, make_bench):
    """Of so many tries, two in a row pass by luck: (N - r + 1) alpha^r is above alpha."""
    bench = make_bench().criterion("S1.works", "rate(work) >= 90 %", samples=60, confidence="0.95", consecutive=2)
    tries = desk(bench.measure("S1.works", "work", bench.hits(60)))
    for _ in range(60):
        tries.other("fail")
    found = tries.other("pass").own().judged("S1.works")
    assert (str(found.verdict), found.reason) == ("inconclusive", "row-hunted")


def test_an_earlier_pass_betters_no_failure(desk, make_bench):
    found = desk(universal(make_bench, good=2)).other("pass").other("pass").own().judged("S1.works")
    assert str(found.verdict) == "fail"


def test_real_release_runs_until_one_is_green(released, hold):
    best = released.bundles[-1]
    assert released.decisions == ["NO-GO", "NO-GO", "NO-GO"]
    assert released.verdicts == ["fail", "fail", "fail"]
    assert "attempts 3 of 3: 1 passed, 2 failed" in released.said[-1]
    assert hold(best, kept=released.kept()).status == 1


@pytest.mark.sound
@pytest.mark.parametrize("before", [[], ["pass"]])
def test_what_passed_each_time_passes(desk, make_bench, before):
    tries = desk(universal(make_bench))
    for word in before:
        tries.other(word)
    assert str(tries.own().judged("S1.works").verdict) == "pass"
