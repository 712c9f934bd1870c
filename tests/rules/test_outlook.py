"""What a bar asks for before anything is measured, and who gets through: worked figures, and scipy as the oracle."""

import json
import math
import re
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, poisson

from pytest_spiral.model.gate import Control, Criterion
from pytest_spiral.rules.limits import parse_limit
from pytest_spiral.rules.outlook import criterion_outlook, outlook_of
from pytest_spiral.rules.statistics.characteristic import chance_of_all, chance_of_pooled, sequential_course
from pytest_spiral.rules.statistics.plan import most_events, smallest_exposure

GOLDEN = Path(__file__).resolve().parents[2].parent / "shared/reference/golden_statistics.json"
BAR, BUILT, SURE = Fraction("0.95"), Fraction("0.99"), Fraction("0.95")
SETTINGS = settings(deadline=None, max_examples=40)


def criterion(*limits, word="it", **fields):
    whole = {"confidence": "0.95", **fields} if any("rate(" in one or one[0] == "p" for one in limits) else fields
    return Criterion(id=f"S1.{word}", limits=tuple(map(parse_limit, limits)), **whole)


def boots(samples, runs=1, **fields):
    return criterion("rate(boot) >= 95 %", samples=samples, consecutive=runs, **fields)


def limit_of(one, rate="0.99"):
    return criterion_outlook(one, Fraction(rate)).limits[0]


# worked figures


@pytest.mark.parametrize(
    ("samples", "allowed", "once", "row"), [(59, 0, 0.5527, 0.1688), (93, 1, 0.7616, 0.4418), (208, 5, 0.9810, 0.9440)]
)
def test_a_good_system_and_three_runs_of_boots(samples, allowed, once, row):
    found = limit_of(boots(samples, 3))
    assert (found.least, found.allowed) == (59, allowed)
    assert (found.once, found.chance) == (pytest.approx(once, abs=5e-5), pytest.approx(row, abs=5e-5))
    assert found.at_the_limit < 0.05**3


def test_the_offers_are_the_smallest_plans():
    offers = [(one.samples, one.failures) for one in limit_of(boots(208, 3)).offers]
    assert offers == [(59, 0), (93, 1), (124, 2), (153, 3), (181, 4), (208, 5), (234, 6), (260, 7), (286, 8)]


def test_eight_criteria_that_pass_987_in_a_thousand_times_give_ninety_percent():
    assert chance_of_all([0.987] * 8) == pytest.approx(0.9, abs=1e-3)
    found = outlook_of("S1", [boots(208, word=f"c{at}") for at in range(8)], Fraction("0.99"))
    assert found.chance == pytest.approx(binom.cdf(5, 208, 0.01) ** 8)
    assert len(found.counted) == 8


def test_what_no_share_describes_is_left_out_and_named():
    found = outlook_of(
        "S1",
        [
            boots(59, word="rate"),
            criterion("mean(recall) >= 90 %", word="mean", samples=200, confidence="0.95"),
            criterion("equal(a, b)", word="equal", samples=5),
            criterion("rate(x) >= 95 %", "equal(a, b)", word="both", samples=59),
            criterion("failures(x) <= 0", word="strict", samples=10),
            Criterion(id="S1.control", control=Control(of="S1.rate", fault="f")),
            Criterion(id="S1.later", planned=True),
            boots(59, word="aside", level="advisory"),
        ],
        Fraction("0.99"),
    )
    assert found.counted == ("S1.rate",)
    assert found.strict == ("S1.strict",)
    assert found.left_out == ("S1.mean", "S1.equal", "S1.both", "S1.control", "S1.later")
    assert found.chance == pytest.approx(0.99**59)
    assert found.chance_strict == pytest.approx(0.99**69)
    assert all(one.left_out for one in found.criteria if one.id in found.left_out)


def test_where_nothing_can_be_told_there_is_no_chance():
    found = outlook_of("S1", [criterion("equal(a, b)", samples=5)], Fraction("0.99"))
    assert (found.chance, found.chance_strict, found.counted) == (None, None, ())


@pytest.mark.parametrize("rate", ["-0.1", "1.1"])
def test_a_rate_that_is_none_is_refused(rate):
    with pytest.raises(ValueError, match="between 0 and 1"):
        criterion_outlook(boots(59), Fraction(rate))


# golden values


def golden(pattern):
    if not GOLDEN.exists():
        return []
    return [row for row in json.loads(GOLDEN.read_text())["rows"] if re.fullmatch(pattern, row["id"])]


def test_the_golden_rows_are_there_where_the_file_is():
    if not GOLDEN.exists():
        pytest.skip("golden_statistics.json is not beside the project")
    assert len(golden(r"oc-\d+-\d+-true-.*")) >= 18


@pytest.mark.parametrize("row", golden(r"oc-\d+-\d+-true-.*"), ids=lambda row: row["id"])
def test_an_operating_characteristic_is_the_golden_one(row):
    samples, failures = map(int, re.findall(r"\d+", row["inputs"]["rule"]))
    found = limit_of(boots(samples, row["inputs"]["consecutive"]), str(row["inputs"]["true_rate"]))
    assert found.allowed == failures
    assert found.once == pytest.approx(row["statistic"]["value"], rel=1e-9)
    assert found.chance == pytest.approx(row["bound"]["row_of_3_first_try"], rel=1e-9)


@pytest.mark.parametrize("row", golden(r"plan-quantile-.*"), ids=lambda row: row["id"])
def test_the_least_samples_of_a_quantile_are_the_golden_ones(row):
    named = f"p{float(row['inputs']['quantile']) * 100:g}"
    found = limit_of(criterion(f"{named}(x) <= 5 ms", samples=3000, confidence=row["inputs"]["confidence"]))
    assert found.least == row["statistic"]["value"]


# oracles


@given(samples=st.integers(59, 400), rate=st.fractions(Fraction(8, 10), 1, max_denominator=500), runs=st.integers(1, 4))
@SETTINGS
def test_the_chance_of_a_row_is_a_power_of_a_binomial_tail(samples, rate, runs):
    found = limit_of(boots(samples, runs), str(rate))
    allowed = max(f for f in range(samples) if binom.sf(samples - f - 1, samples, 0.95) <= 0.05)
    assert found.allowed == allowed
    assert found.chance == pytest.approx(binom.cdf(allowed, samples, float(1 - rate)) ** runs, rel=1e-9, abs=1e-12)


@given(st.integers(1, 12), st.integers(1, 3), st.integers(0, 4), st.integers(0, 6), st.integers(0, 20))
@SETTINGS
def test_pooled_runs_are_summed_over_all_ways_to_fail(samples, runs, each, together, twentieths):
    bad, total = 1 - twentieths / 20, 0.0
    from itertools import product

    for ways in product(range(min(each, samples) + 1), repeat=runs):
        if sum(ways) <= together:
            total += math.prod(binom.pmf(one, samples, bad) for one in ways)
    assert chance_of_pooled(samples, runs, each, together, Fraction(twentieths, 20)) == pytest.approx(total, abs=1e-12)


def test_pooled_runs_need_fewer_samples():
    found = limit_of(boots(20, 3, combine="pooled"))
    assert (found.pooled, found.allowed, found.least) == (True, 0, 59)
    assert found.chance == pytest.approx(0.99**60)


@pytest.mark.parametrize("rate", ["0.9", "0.95", "0.97", "0.99", "1"])
def test_a_sequential_plan_goes_as_a_walk_over_every_path_says(rate):
    """The oracle keeps whole fractions for every number of failures."""
    hit, most = Fraction(rate), 120
    alive, passed, failed, taken = {0: Fraction(1)}, Fraction(0), Fraction(0), Fraction(0)
    for number in range(1, most + 1):
        taken += sum(alive.values())
        after = {}
        for bad, weight in alive.items():
            after[bad] = after.get(bad, 0) + weight * hit
            after[bad + 1] = after.get(bad + 1, 0) + weight * (1 - hit)
        alive = {}
        for bad, weight in after.items():
            good = number - bad
            if (BUILT / BAR) ** good * Fraction(1, 5) ** bad >= 20:
                passed += weight
            elif (Fraction("0.91") / BAR) ** good * Fraction(9, 5) ** bad >= 20:
                failed += weight
            else:
                alive[bad] = weight
    found = sequential_course(BAR, BUILT, SURE, hit, most)
    assert found.passes == pytest.approx(float(passed), abs=1e-12)
    assert found.fails == pytest.approx(float(failed), abs=1e-12)
    assert found.samples == pytest.approx(float(taken))


def test_a_sequential_plan_keeps_its_risk_at_the_limit_and_says_how_long_it_takes():
    found = limit_of(boots(1000, sequential="99 %"))
    assert found.least == 73
    assert found.at_the_limit <= 0.05
    assert found.chance > 0.9
    assert 73 < found.expected < 208
    assert [point.chance for point in found.curve] == sorted(point.chance for point in found.curve)


@given(st.integers(1, 400))
@SETTINGS
def test_events_allowed_are_the_most_that_prove(tenths):
    expected = Fraction(tenths, 10)
    allowed = most_events(expected, SURE)
    assert allowed < 0 or poisson.cdf(allowed, tenths / 10) <= 0.05
    assert poisson.cdf(allowed + 1, tenths / 10) > 0.05


def test_events_per_exposure_have_a_picture_and_no_share():
    found = limit_of(criterion("count-rate(gap) <= 2 per h", exposure="10 h", confidence="0.95"))
    assert (found.allowed, found.least, found.chance) == (12, 2, None)
    assert smallest_exposure(Fraction(2), SURE) == 2
    assert [round(point.quality) for point in found.curve] == [2, 5, 10, 15, 20, 25, 30, 40]
    for point in found.curve:
        assert point.chance == pytest.approx(poisson.cdf(12, point.quality), rel=1e-9)


@pytest.mark.parametrize(
    "one",
    [
        boots(208, 3),
        boots(70, 3, combine="pooled"),
        boots(400, sequential="99 %"),
        criterion("p95(x) <= 9 ms", samples=100),
    ],
    ids=["row", "pooled", "sequential", "quantile"],
)
def test_a_better_system_never_gets_through_less_often(one):
    chances = [limit_of(one, str(rate / 1000)).chance for rate in range(900, 1001, 10)]
    assert chances == sorted(chances)
    assert chances[-1] == pytest.approx(1)
