"""Limits on how far two measurements are apart, from the gates file to the verifier."""

import pytest

from pytest_spiral.run.verify import verify_bundle

ALIKE = """\
alike
limit = "equivalence(new, old) <= 200 ms"
samples = 24
warm_up = 1
confidence = 0.95"""
GROWTH = """\
growth
limit = "p80-regression(new, old) <= 200 ms"
samples = 40
confidence = 0.95"""
HEAD = "import itertools\nimport pytest\n\n"
PAIRED = """\
@pytest.mark.criterion("S1.{word}")
def test_both(spiral):
    with spiral.measure("new", unit="ms") as new, spiral.measure("old", unit="ms") as old:
        sides = (new, old)
        {warm}
        for number in range({count}):
            for side in sides if number % 2 else sides[::-1]:
                with side.timed():
                    sum(range(10))
"""
WARM = """with new.warm_up(), old.warm_up():
            for side in sides:
                with side.timed():
                    sum(range(1000))"""
APART = """\
@pytest.mark.criterion("S1.growth")
def test_one_after_the_other(spiral):
    for name in ("new", "old"):
        with spiral.measure(name, unit="ms") as m:
            for _ in range(40):
                with m.timed():
                    sum(range(10))
"""
VALUES = """\
@pytest.mark.criterion("S1.growth")
def test_figures_of_somebody_elses(spiral):
    for name in ("new", "old"):
        with spiral.measure(name, unit="ms") as m:
            for _ in range(40):
                m.value(1.5)
"""


@pytest.mark.parametrize(
    ("criterion", "test"),
    [
        (ALIKE, PAIRED.format(word="alike", warm=WARM, count=24)),
        (GROWTH, PAIRED.format(word="growth", warm="", count=40)),
    ],
)
def test_two_sides_in_turn_are_compared_and_verified(lab, criterion, test):
    """Everything takes microseconds, and the limit is 200 ms: what is tried is the way, not the machine."""
    lab.gates(criterion)
    lab.test(HEAD + test)
    ran = lab.run()
    assert (ran.status, ran.decision) == (0, "GO"), ran.out
    (limit,) = ran.judgement.criteria[0].limits
    assert limit.lower <= limit.value <= limit.upper <= limit.bound == 200
    assert verify_bundle(ran.bundle).report.outcome == "sound"
    head = limit.limit.partition("(")[0]
    assert f"{head} " in ran.out
    assert "<= 200 ms" in ran.out


@pytest.mark.parametrize(("test", "reason"), [(APART, "not-interleaved"), (VALUES, "no-times")])
def test_sides_that_did_not_take_turns_are_no_comparison(lab, test, reason):
    lab.gates(GROWTH)
    lab.test(HEAD + test)
    ran = lab.run()
    assert (ran.judgement.criteria[0].verdict, ran.judgement.criteria[0].reason) == ("invalid", reason)
    assert ran.status == 1


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ("no-regression(new, old) <= 10 %", "says not of which quantile. Remedy: write it like `p95-regression"),
        ("p95-regression(new, old) <= 10 %", "bounds a difference in %"),
        ("equivalence(new) <= 5 ms", "compares one measurement with nothing"),
        ("equivalence(new, old) <= 5", "has no unit"),
        ("equivalence(new, old) within 5 ms", "is not understood"),
    ],
)
def test_a_slip_of_the_pen_ends_the_run_with_4_and_the_line(lab, limit, said):
    lab.gates(GROWTH.replace("p80-regression(new, old) <= 200 ms", limit))
    lab.test(HEAD + APART)
    ran = lab.run()
    assert ran.status == 4
    assert "gates.toml:" in ran.out
    assert said in " ".join(ran.out.split())


def test_a_plan_that_can_never_prove_it_is_refused_with_what_would_do(lab):
    lab.gates(GROWTH.replace("samples = 40", "samples = 20"))
    lab.test(HEAD + APART)
    ran = lab.run()
    assert ran.status == 4
    assert (
        "20 samples can never prove p80-regression(new, old) <= 200 ms at 0.95. Remedy: take at least 33"
        in " ".join(ran.out.split())
    )
