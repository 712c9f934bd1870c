"""Plans that are judged after every sample, events per exposure, and runs that are judged together: by the real judge."""

import random
from fractions import Fraction

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_spiral.model.gate import Criterion, Gate, Plan
from pytest_spiral.rules.bar import bar_of, what_moved
from pytest_spiral.rules.criteria import criterion_faults
from pytest_spiral.rules.limits import parse_limit
from pytest_spiral.rules.selftest import prove
from pytest_spiral.rules.statistics.sequential import judge_sequence, smallest_sequential

PASS, FAIL, OPEN, INVALID = "pass", "fail", "inconclusive", "invalid"
BAR, BUILT, SURE = Fraction("0.95"), Fraction("0.99"), Fraction("0.95")
SETTINGS = settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])


# sequential plans


@pytest.fixture
def plan(bench):
    """Boots that may go on to 400, built for 99 %."""
    return bench.criterion("S1.it", "rate(boot) >= 95 %", samples=400, confidence="0.95", sequential="99 %")


def words(text):
    """`g72 b1`: seventy-two good ones, then a bad one."""
    return [{"ok": one[0] == "g"} for one in text.split() for _ in range(int(one[1:]))]


@pytest.mark.parametrize(
    ("taken", "verdict", "reason"),
    [
        ("g73", PASS, ""),  # ln 20 / ln(0.99 / 0.95) = 72.6
        ("g72", OPEN, "continue"),
        ("b1 g73", OPEN, "continue"),
        ("b1 g111", OPEN, "continue"),
        ("b1 g112", PASS, ""),
        ("b5", OPEN, "continue"),
        ("b6", FAIL, "fail"),  # 1.8 ^ 6 = 34, 1.8 ^ 5 = 19
        ("b6 g390", FAIL, "fail"),  # what was reached stands
        ("g390 b6", PASS, ""),
        ("g200 b4", OPEN, "continue"),
        ("g73 b1", OPEN, "continue"),  # a pass holds at the end or not at all
        ("g380 b20", OPEN, "plan-spent"),
        ("g401", INVALID, "more-than-planned"),
    ],
)
def test_a_sequential_plan_is_judged_whenever_one_looks(plan, taken, verdict, reason):
    plan.measure("S1.it", "boot", words(taken))
    assert plan.verdict("S1.it") == (verdict, reason)


def test_the_control_the_same_samples_of_a_fixed_plan_are_incomplete(bench):
    bench.criterion("S1.it", "rate(boot) >= 95 %", samples=400, confidence="0.95")
    bench.measure("S1.it", "boot", words("g73"))
    assert bench.verdict("S1.it") == (OPEN, "incomplete")


def test_lost_samples_count_against_a_pass_and_never_for_a_fail(bench):
    bench.criterion("S1.it", "rate(boot) >= 95 %", samples=100, confidence="0.95", sequential="99 %")
    bench.measure("S1.it", "boot", words("g90"), planned=106)
    assert bench.verdict("S1.it") == (OPEN, "lost-samples")


def test_a_sequential_plan_tells_how_far_it_has_come(plan):
    plan.measure("S1.it", "boot", words("g60"))
    assert plan.figures("S1.it").note == "E 11.9 for a pass, 0.0757 for a fail, 20 decides; independence assumed"


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"sequential": "95 %"}, "sequential"),
        ({"sequential": "100 %"}, "sequential"),
        ({"sequential": "99 s"}, "sequential"),
        ({"sequential": "99 %", "samples": 72}, "samples"),
        ({"sequential": "99 %", "consecutive": 2}, "sequential"),
        ({"sequential": "99 %", "margin": "1 %"}, "margin"),
        ({"sequential": "99 %", "confidence": "none", "confidence_reason": "why"}, "sequential"),
        ({"sequential": "99 %", "limits": "rate(boot) <= 5 %"}, "sequential"),
        ({"sequential": "99 %", "limits": "failures(boot) <= 5", "confidence": None}, "sequential"),
        ({"sequential": "99 %", "limits": "p95(boot) <= 2 s"}, "sequential"),
        ({"sequential": "99 %", "limits": "count-rate(gap) <= 2 per h", "exposure": "10 h"}, "sequential"),
        ({"combine": "pooled"}, "combine"),
        ({"combine": "pooled", "consecutive": 2, "limits": "p95(boot) <= 2 s"}, "combine"),
        ({"combine": "pooled", "consecutive": 2, "samples": 29}, "samples"),
        ({"limits": "count-rate(gap) <= 2 per h", "samples": None}, "limit"),
        ({"limits": "count-rate(gap) <= 2 per h", "samples": None, "exposure": "1 h"}, "exposure"),
        ({"limits": "count-rate(gap) <= 2 per h", "samples": None, "exposure": "9 requests"}, "exposure"),
    ],
)
def test_a_bar_that_cannot_be_judged_so_is_none_and_says_at_which_key(fields, key):

    whole = {"limits": "rate(boot) >= 95 %", "samples": 400, "confidence": "0.95", **fields}
    one = Criterion(id="S1.it", **{**whole, "limits": (parse_limit(whole["limits"]),)})
    faults = list(criterion_faults(one))
    assert [fault.key for fault in faults][:1] == [key]
    assert all(fault.remedy for fault in faults)


def test_events_per_exposure_and_a_rate_are_one_criterion():
    """The samples are the rate's plan, and say nothing of how long events are counted."""
    limits = tuple(map(parse_limit, ("rate(boot) >= 95 %", "count-rate(gap) <= 2 per h")))
    one = Criterion(id="S1.it", limits=limits, samples=400, exposure="10 h", confidence="0.95")
    assert list(criterion_faults(one)) == []
    (fault,) = criterion_faults(msgspec.structs.replace(one, exposure="1 h"))
    assert fault.key == "exposure"
    assert prove(one, Plan(gates=(Gate(id="S1", stage="", criteria=(one,)),))).state == "proven"


@given(
    taken=st.lists(st.booleans(), max_size=60),
    bar=st.fractions(Fraction(1, 2), Fraction(9, 10)),
    over=st.fractions(Fraction(1, 20), Fraction(19, 20)),
)
@SETTINGS
def test_every_look_is_judged_exactly(taken, bar, over):
    """The oracle looks after every sample, in whole fractions."""
    bar, over = bar.limit_denominator(50), over.limit_denominator(20)
    design = bar + (1 - bar) * over
    mirror, e_pass, e_fail, failed = 2 * bar - design, Fraction(1), Fraction(1), False
    for hit in taken:
        e_pass *= design / bar if hit else (1 - design) / (1 - bar)
        e_fail *= mirror / bar if hit else (1 - mirror) / (1 - bar)
        failed = failed or e_fail >= 20
    expected = FAIL if failed else PASS if e_pass >= 20 else OPEN
    assert judge_sequence(taken, at_least=bar, design=design, confidence=SURE).verdict == expected


def test_the_smallest_sequential_plan_decides_and_one_fewer_does_not():
    least = smallest_sequential(BAR, BUILT, SURE)
    assert least == 73
    for samples, verdict in ((least, PASS), (least - 1, OPEN)):
        judged = judge_sequence([True] * samples, at_least=BAR, design=BUILT, confidence=SURE)
        assert judged.verdict == verdict


def test_looking_after_every_boot_keeps_the_risk():
    """At the bar itself at most 5 % of campaigns pass, however often one looks; a peeked fixed plan passes far more."""
    chance, campaigns, passed = random.Random(7), 400, 0
    for _ in range(campaigns):
        taken = [chance.random() < 0.95 for _ in range(300)]
        hits, best = 0, Fraction(0)
        for number, hit in enumerate(taken, start=1):
            hits += hit
            best = max(best, (BUILT / BAR).__float__() ** hits * (0.01 / 0.05) ** (number - hits))
        passed += best >= 20
        if best < 20:
            assert judge_sequence(taken, at_least=BAR, design=BUILT, confidence=SURE).verdict != PASS
    assert passed <= 35  # the 99.9 % quantile of Bin(400, 0.05)


# events per exposure


@pytest.mark.parametrize(
    ("events", "hours", "verdict", "reason"),
    [
        (0, 10, PASS, ""),
        (12, 10, PASS, ""),  # chi2(0.95; 26) / 20 = 1.944
        (13, 10, OPEN, "point-only"),  # chi2(0.95; 28) / 20 = 2.067
        (14, 10, OPEN, "point-only"),
        (21, 10, OPEN, "point-short"),
        (29, 10, FAIL, "fail"),
        (0, 9.9, OPEN, "incomplete"),
        (29, 1, FAIL, "fail"),
        (15, 1, OPEN, "cannot-pass"),
        (14, 1000, OPEN, "point-only"),  # counting on is no way to a pass
        (29, 1000, OPEN, "point-only"),
        (0, 0, INVALID, "empty"),
        (-1, 10, INVALID, "wrong-kind"),
    ],
)
def test_events_per_exposure_are_judged_over_what_was_declared(bench, events, hours, verdict, reason):
    bench.criterion("S1.it", "count-rate(gap) <= 2 per h", exposure="10 h", confidence="0.95")
    bench.measure("S1.it", "gap", bench.counts((events, hours)))
    assert bench.verdict("S1.it") == (verdict, reason)


@given(events=st.integers(0, 40))
@SETTINGS
def test_events_over_the_whole_exposure_are_judged_by_garwoods_bounds(make_bench, events):
    stats = pytest.importorskip("scipy.stats")
    upper = stats.chi2.ppf(0.95, 2 * events + 2) / 20
    lower = stats.chi2.ppf(0.05, 2 * events) / 20 if events else 0
    bench = make_bench()
    bench.criterion("S1.it", "count-rate(gap) <= 2 per h", exposure="10 h", confidence="0.95")
    bench.measure("S1.it", "gap", bench.counts((events, 10)))
    assert bench.verdict("S1.it")[0] == (PASS if upper <= 2 else FAIL if lower > 2 else OPEN)
    assert bench.figures("S1.it").upper == pytest.approx(upper)


@pytest.mark.parametrize(("bound", "exposure"), [("2 per h", "600 min"), ("48 per d", "36000 s")])
def test_one_bar_in_other_units_is_the_same(bench, bound, exposure):
    bench.criterion("S1.it", f"count-rate(gap) <= {bound}", exposure=exposure, confidence="0.95")
    bench.measure("S1.it", "gap", bench.counts((3, float(exposure.split()[0]))))
    assert bench.verdict("S1.it") == (PASS, "")
    other = type(bench)().criterion("S1.it", "count-rate(gap) <= 2 per h", exposure="10 h", confidence="0.95")
    assert bar_of(bench.criteria[0]) == bar_of(other.criteria[0])
    third = type(bench)().criterion("S1.it", "count-rate(gap) <= 2 per min", exposure="10 h", confidence="0.95")
    assert bar_of(bench.criteria[0]) != bar_of(third.criteria[0])


# runs that are judged together


def rehearse(bench, *runs, process="main"):
    for number, text in enumerate(runs, start=1):
        run = f"{process}-{number}"
        bench.run(run, "S1.row", outcome="abandoned" if text == "abandoned" else "closed")
        if text not in ("abandoned", "empty"):
            bench.measure("S1.row", "boot", words(text), run=run)
    return bench


@pytest.fixture
def pooled(bench):
    return bench.criterion(
        "S1.row", "rate(boot) >= 95 %", samples=40, confidence="0.95", consecutive=2, combine="pooled"
    )


@pytest.mark.parametrize(
    ("runs", "verdict", "reason"),
    [
        (("g40", "g40"), PASS, ""),  # 80 of 80 prove it, 40 of 40 do not
        (("g39 b1", "g40"), OPEN, "point-only"),
        (("g37 b3", "g40"), OPEN, "run-below-bar"),
        (("g20 b20", "g40"), FAIL, "fail"),
        (("g40",), OPEN, "row-short"),
        (("g40", "g39"), OPEN, "row-short"),
        (("g40", "abandoned"), OPEN, "row-short"),
        (("abandoned", "g40", "g40"), OPEN, "row-hunted"),  # the first runs, and those only
        (("g39 b1", "g40", "g40"), OPEN, "row-hunted"),
        (("g40", "g40", "g40"), PASS, ""),
        (("g40", "g40", "g20 b20"), FAIL, "fail"),  # later ones can only worsen it
        (("g40", "empty"), OPEN, "row-short"),
        (("g41", "g40"), OPEN, "row-short"),
    ],
)
def test_the_first_runs_are_judged_together(pooled, runs, verdict, reason):
    rehearse(pooled, *runs)
    found = pooled.verdict("S1.row")
    assert found[0] == verdict
    assert verdict != OPEN or found[1] == reason


def test_a_run_below_the_bar_is_not_made_up_for_by_the_others(bench):
    bench.criterion("S1.row", "rate(boot) >= 95 %", samples=100, confidence="0.95", consecutive=4, combine="pooled")
    rehearse(bench, "g94 b6", "g100", "g100", "g100")
    assert bench.verdict("S1.row") == (OPEN, "run-below-bar")


def test_the_control_each_of_those_runs_alone_proves_nothing(bench):
    bench.criterion("S1.row", "rate(boot) >= 95 %", samples=59, confidence="0.95", consecutive=2)
    rehearse(bench, "g58 b1", "g59")
    assert bench.verdict("S1.row") == (OPEN, "run-not-proven")


def test_runs_of_two_processes_have_no_first_ones(pooled):
    rehearse(pooled, "g40", "g40")
    rehearse(pooled, "g40", process="gw0")
    assert pooled.verdict("S1.row")[0] == OPEN


def test_two_runs_of_two_processes_are_all_there_are(pooled):
    rehearse(pooled, "g40")
    rehearse(pooled, "g40", process="gw0")
    assert pooled.verdict("S1.row") == (PASS, "")


def test_a_pooled_row_shows_its_denominators(pooled):
    rehearse(pooled, "g40", "g40")
    figures = pooled.figures("S1.row")
    assert (figures.samples, figures.planned, figures.note) == (80, 80, "80 of 80 in the first 2 runs together")
    assert figures.lower == pytest.approx(0.05 ** (1 / 80), abs=1e-9)


@pytest.mark.parametrize(
    ("before", "after", "course"),
    [
        ({"consecutive": 2}, {"consecutive": 2, "combine": "pooled"}, "loosened"),
        ({"consecutive": 2, "combine": "pooled"}, {"consecutive": 2}, "tightened"),
        ({"inputs": ("a.py", "b.py")}, {"inputs": ("a.py",)}, "loosened"),
        ({}, {"inputs": ("a.py",)}, "tightened"),
        ({}, {"sequential": "99 %"}, "changed"),
        ({"sequential": "99 %"}, {"sequential": "98 %"}, "changed"),
        ({"sequential": "99 %"}, {"sequential": "0.990"}, None),
    ],
)
def test_a_bar_that_moves_says_which_way(before, after, course):

    one, other = (
        Criterion(id="S1.it", limits=(parse_limit("rate(boot) >= 95 %"),), samples=400, confidence="0.95", **fields)
        for fields in (before, after)
    )
    assert [move.course for move in what_moved([one], [other])] == ([course] if course else [])
