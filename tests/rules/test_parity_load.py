"""A mixed load is judged against REST alone, and no pass stands without its two controls."""

from fractions import Fraction

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_spiral.model.parity import Arm
from pytest_spiral.rules.parity import judge_load, judge_load_again
from pytest_spiral.rules.parity.load import LoadTerms

MS = 1_000_000
TERMS = LoadTerms(Fraction(5 * MS), Fraction(95, 100), Fraction(95, 100))


def arm(count, slower=0, failed=0, spread=MS):
    """Response times around 3 ms; the first ones failed."""
    times = [3 * MS + slower + (number * 7919) % 101 * spread // 100 for number in range(count)]
    return Arm(times=(None,) * failed + tuple(times[failed:]), ways={"rest": count})


def judged(baseline, candidate):
    return judge_load("load", TERMS, every_ns=MS, baseline=baseline, candidate=candidate)


@pytest.mark.parametrize(
    ("candidate", "verdict"),
    [
        (arm(400), "pass"),
        (arm(400, slower=2 * MS), "pass"),
        (arm(400, slower=10 * MS), "fail"),
        (arm(400, failed=60), "fail"),
        (arm(400, failed=5), "pass"),  # below the quantile; the criterion that bounds failures is another one
        (arm(30), "inconclusive"),
    ],
)
def test_a_load_is_judged_by_its_quantile(candidate, verdict):
    assert judged(arm(400), candidate).verdict == verdict


def test_the_controls_are_made_of_the_baseline():
    made = judged(arm(400), arm(400))
    assert (made.same, made.shifted) == ("pass", "fail")


def test_without_its_controls_a_pass_is_none():
    few = judged(arm(100), arm(400))  # a half of it is too few to prove anything
    assert (few.verdict, few.reason, few.same) == ("inconclusive", "control", "inconclusive")
    assert few.growth_ms is None
    assert judged(arm(400), arm(400)).growth_ms < 5
    drifting = arm(400, spread=60 * MS)
    assert judged(drifting, arm(400)).verdict in ("pass", "inconclusive")


def test_a_load_is_judged_again_from_its_own_times():
    made = judged(arm(400), arm(400, slower=MS))
    assert judge_load_again(made) == made
    assert judge_load_again(msgspec.structs.replace(made, verdict="fail", same="fail")) == made
    with pytest.raises(ValueError, match="no decimals"):
        judge_load_again(msgspec.structs.replace(made, quantile="most"))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.none() | st.integers(0, 10**9), min_size=1, max_size=200))
def test_whatever_was_measured_a_shifted_copy_of_it_never_passes(times):
    base = Arm(times=tuple(times), ways={"rest": len(times)})
    shifted = Arm(times=tuple(one if one is None else one + 10 * MS for one in times), ways={"rest": len(times)})
    assert judged(base, shifted).verdict != "pass"
