"""Marks and calls that turn red tests into quiet ones."""

import pytest


@pytest.mark.parametrize(
    ("marks", "last", "verdict", "reason"),
    [
        ("@pytest.mark.xfail", "assert False", "fail", ""),
        ("@pytest.mark.xfail", "1 / 0", "invalid", "raised-after-measuring"),
        ("@pytest.mark.xfail(run=False)", "pass", "not-run", "skipped"),
        ("@pytest.mark.skip", "pass", "not-run", "skipped"),
        ("", "pytest.skip('later')", "not-run", "skipped"),
        ("", "pytest.xfail('known')", "not-run", "skipped"),
    ],
)
def test_a_quiet_end_is_no_pass(play, verify, marks, last, verdict, reason):
    ran = play(marks=marks, last=last, samples=(1, 1, 1))
    (criterion,) = ran.summary["criteria"]
    assert criterion["verdict"] == verdict
    assert not reason or criterion["reason"] == reason
    assert ran.status == 1
    answer = verify(ran.folder)
    assert (answer.status, answer.second_status, answer.codes) == (1, 1, set())


def test_samples_count_whatever_the_test_is_marked(play):
    ran = play(marks="@pytest.mark.xfail", samples=(1, 0, 1))
    assert (ran.status, ran.verdict) == (1, "fail")


@pytest.mark.sound
def test_a_plain_pass_is_one(play, verify):
    ran = play()
    assert (ran.status, ran.verdict, verify(ran.folder).status) == (0, "pass", 0)
