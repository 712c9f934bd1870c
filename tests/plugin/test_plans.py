"""A fixed plan of samples: too few do not decide, and more than planned do not help."""

import pytest

RATE = 'first-attempt\nlimit = "rate(boots) >= 95 %"\nsamples = 59\nconfidence = 0.95'
TEST = """
@pytest.mark.criterion("S1.first-attempt")
def test_boots(spiral):
    with spiral.measure("boots") as m:
        for _ in range({boots}):
            m.hit()
"""


def boot(lab, boots, *way):
    lab.gates(RATE)
    lab.test(TEST.format(boots=boots))
    ran = lab.run(*way)
    one = ran.criterion("S1.first-attempt")
    return ran, str(one.verdict), one.reason


def test_20_boots_of_a_plan_of_59_do_not_decide(lab, way):
    ran, verdict, reason = boot(lab, 20, *way)
    assert (verdict, reason, ran.decision, ran.status) == ("inconclusive", "incomplete", "NO-GO", 1)
    assert "39 more" in ran.out


def test_a_plan_that_is_full_decides(lab, way):
    assert boot(lab, 59, *way)[1] == "pass"


@pytest.mark.parametrize("boots", [60, 118])
def test_boots_beyond_the_plan_do_not_pass(lab, boots):
    ran, verdict, reason = boot(lab, boots)
    assert (verdict, reason) == ("invalid", "more-than-planned")
    assert ran.status == 1
