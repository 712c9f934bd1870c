"""Early stops, event rates, pooled runs and stale inputs, from the gates file through a run to the command line."""

import pytest

SEQUENTIAL = 'boots\nlimit = "rate(boots) >= 95 %"\nsamples = 400\nconfidence = 0.95\nsequential = "99 %"'
BOOTS = """
@pytest.mark.criterion("S1.boots")
def test_boots(spiral):
    with spiral.measure("boots") as m:
        for good in {boots}:
            m.check(good, "it did not come up")
"""
RATE = 'gaps\nlimit = "count-rate(gaps) <= 360 per h"\nexposure = "40 s"\nconfidence = 0.95'
GAPS = """
@pytest.mark.criterion("S1.gaps")
def test_gaps(spiral):
    with spiral.measure("gaps") as m:
        m.count({gaps}, over={over})
"""
ROW = 'row\nlimit = "rate(boots) >= 95 %"\nsamples = 30\nconfidence = 0.95\nconsecutive = 2\ncombine = "pooled"'
RUNS = """
@pytest.mark.criterion("S1.row")
def test_row(spiral):
    for bad in {bad}:
        with spiral.rehearsal():
            with spiral.measure("boots") as m:
                for number in range(30):
                    m.check(number >= bad, "it did not come up")
"""


@pytest.mark.parametrize(
    ("boots", "verdict", "reason"),
    [
        ("[True] * 73", "pass", ""),
        ("[True] * 72", "inconclusive", "continue"),
        ("[False] * 6 + [True] * 300", "fail", "fail"),
    ],
)
def test_a_sequential_plan_stops_where_it_has_decided(lab, boots, verdict, reason):
    lab.gates(SEQUENTIAL)
    lab.test(BOOTS.format(boots=boots))
    one = lab.run().criterion("S1.boots")
    assert (str(one.verdict), one.reason) == (verdict, reason)


@pytest.mark.parametrize(
    ("gaps", "over", "verdict"),
    [
        (0, 40.0, "pass"),
        (1, 40.0, "inconclusive"),
        (12, 40.0, "fail"),
        (0, 39.0, "inconclusive"),
        (1, 4000.0, "inconclusive"),
    ],
)
def test_events_per_exposure_are_judged_by_their_bound(lab, gaps, over, verdict):
    lab.gates(RATE)
    lab.test(GAPS.format(gaps=gaps, over=over))
    assert str(lab.run().criterion("S1.gaps").verdict) == verdict


@pytest.mark.parametrize(
    ("bad", "verdict"), [((0, 0), "pass"), ((0,), "inconclusive"), ((2, 0), "inconclusive"), ((15, 15), "fail")]
)
def test_runs_of_one_session_are_judged_together(lab, bad, verdict):
    lab.gates(ROW)
    lab.test(RUNS.format(bad=bad))
    assert str(lab.run().criterion("S1.row").verdict) == verdict


@pytest.mark.parametrize(
    ("key", "remedy"),
    [
        ('sequential = "94 %"', "name a rate above the limit"),
        ('combine = "pooled"', "remove it"),
        ('inputs = ["../secret"]', "write a path below the root folder"),
    ],
)
def test_a_key_that_makes_no_sense_is_named_with_its_line_and_what_to_do(lab, key, remedy):
    lab.gates(f'boots\nlimit = "rate(boots) >= 95 %"\nsamples = 400\nconfidence = 0.95\n{key}')
    lab.test(BOOTS.format(boots="[True]"))
    ran = lab.run()
    assert ran.status == 4
    assert "gates.toml:" in ran.out
    assert remedy in ran.out
