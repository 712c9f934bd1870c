"""Every worked case of the golden file, through the public functions."""

import ast
import json
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules import statistics
from pytest_spiral.rules.combine import Standing, combine
from pytest_spiral.rules.statistics import Dependence, Judged, Tally, Timing, WaivedFigures
from pytest_spiral.rules.statistics.characteristic import (
    chance_of_best,
    chance_of_missing,
    chance_of_passing,
    chance_of_row,
    chance_when_peeking,
)
from pytest_spiral.rules.statistics.plan import (
    most_false_passes,
    smallest_samples,
    smallest_samples_for_quantile,
    smallest_samples_to_see,
    smallest_spot_check,
)

GOLDEN = Path(__file__).resolve().parents[2].parent / "shared/reference/golden_statistics.json"
NUMBER_OF_ROWS = 211

pytestmark = pytest.mark.skipif(not GOLDEN.is_file(), reason=f"{GOLDEN.name} is not beside the project")

Row = dict[str, Any]


def rows() -> list[Row]:
    """All rows, or one that is only there to be skipped."""
    if not GOLDEN.is_file():
        return [{"id": "absent", "kind": "absent"}]
    return json.loads(GOLDEN.read_text(encoding="utf-8"))["rows"]


def exact(text: str) -> Fraction:
    return Fraction(text)


# Handlers: each judges one row and asserts all that the row states.

HANDLERS: dict[str, Callable[[Row], None]] = {}


def handles(kind: str) -> Callable[[Callable[[Row], None]], Callable[[Row], None]]:
    def register(handler: Callable[[Row], None]) -> Callable[[Row], None]:
        HANDLERS[kind] = handler
        return handler

    return register


def near(expected: float) -> Any:
    return pytest.approx(expected, rel=1e-9, abs=1e-9)


def assert_result(judged: Judged, row: Row) -> None:
    assert judged.verdict == row["verdict"]
    assert judged.reason == row["reason"]
    assert list(judged.qualifiers) == row["qualifiers"]


def assert_bounds(judged: Judged, row: Row) -> None:
    for side in ("lower", "upper"):
        if side in row["bound"]:
            expected, found = row["bound"][side], getattr(judged, side)
            assert found is None if expected is None else found == near(expected)


def assert_ranks(judged: Judged, row: Row) -> None:
    assert judged.ranks is not None
    assert judged.ranks.lower == row["bound"]["lower_rank"]
    assert judged.ranks.upper == row["bound"]["upper_rank"]


@handles("rate")
def rate(row: Row) -> None:
    given = row["inputs"]
    judged = statistics.judge_rate(
        given["successes"],
        given["samples"],
        at_least=exact(given["at_least"]),
        confidence=exact(given["confidence"]),
        planned=given["plan_samples"],
        lost=given.get("successes_best_case", given["successes"]) - given["successes"],
    )
    assert_result(judged, row)
    assert_bounds(judged, row)
    assert float(judged.value) == near(row["statistic"]["value"])


@handles("simple-acceptance")
def simple_acceptance(row: Row) -> None:
    given = row["inputs"]
    assert given["confidence"] == "none"
    judged = statistics.judge_rate(
        given["successes"], given["samples"], at_least=exact(given["at_least"]), confidence=None
    )
    assert_result(judged, row)
    assert_bounds(judged, row)
    assert float(judged.value) == near(row["statistic"]["value"])


def stall(*, open_loop: bool) -> list[float]:
    """Latencies in ms of one server with 1 ms service that stands still from 50 s to 60 s, requests every 10 ms."""
    latencies, free = [], 0.0
    for number in range(10_000):
        intended = number * 10.0
        sent = intended if open_loop else max(intended, free)
        begin = max(sent, free)
        done = (60_000.0 if 50_000.0 <= begin < 60_000.0 else begin) + 1.0
        free = done
        latencies.append(done - intended if open_loop else done - sent)
    return latencies


def values_of(given: Row) -> list[float]:
    if given["values"].startswith("x_i"):
        return [float(number) for number in range(1, 101)]
    count, value = re.fullmatch(r"(\d+) x ([\d.]+) ms", given["values"]).groups()
    return [float(value)] * int(count)


@handles("quantile")
def quantile(row: Row) -> None:
    given = row["inputs"]
    bar = {"quantile": exact(given["quantile"]), "confidence": exact(given["confidence"])}
    if "scenario" in given:
        open_loop = "closed-loop" not in row["id"]
        latencies = stall(open_loop=open_loop)
        assert sum(latency <= 120 for latency in latencies) == given["within_limit"]
        timing = Timing(response_time=True, open_loop=open_loop)
        judged = statistics.judge_quantile_values(latencies, at_most=Fraction(120), timing=timing, **bar)
    elif "values" in given:
        timing = Timing(resolution=Fraction(given.get("resolution", 0)))
        limit = Fraction(given["at_most"])
        judged = statistics.judge_quantile_values(values_of(given), at_most=limit, timing=timing, **bar)
        if "value" in row["statistic"]:
            assert judged.value == row["statistic"]["value"]
        assert_bounds(judged, row)
    else:
        judged = statistics.judge_quantile(given["within_limit"], given["samples"], **bar)
    assert_result(judged, row)
    if judged.verdict is Verdict.INVALID:
        ranks = statistics.quantile_ranks(given["samples"], **bar)
    else:
        assert_ranks(judged, row)
        ranks = judged.ranks
    assert ranks.estimate == row["statistic"]["rank"]
    assert (ranks.lower, ranks.upper) == (row["bound"]["lower_rank"], row["bound"]["upper_rank"])


def marked(given: Row) -> list[float]:
    """1000 values whose top 5 percent stand where the row says."""
    text = given["top_5_percent_at"]
    if ".." in text and "," not in text:
        first, last = map(int, re.findall(r"\d+", text))
        high = set(range(first, last + 1))
    else:
        high = set(range(0, 981, 20))
    values = [float(number in high) for number in range(given["samples"])]
    assert sum(values) == given["samples"] * 0.05
    return values


@handles("quantile-dependent")
def quantile_dependent(row: Row) -> None:
    given = row["inputs"]
    bar = {"quantile": exact(given["quantile"]), "confidence": exact(given["confidence"])}
    if "top_5_percent_at" in given:
        blocks = [given["samples"] // given["blocks"]] * given["blocks"]
        dependence = statistics.estimate_dependence(marked(given), bar["quantile"], blocks)
        assert float(dependence.acf) == near(row["statistic"]["acf"])
        assert float(dependence.block) == near(row["statistic"]["block"])
    else:
        dependence = Dependence(Fraction(given["design_effect"]))
    assert float(dependence.value) == near(row["statistic"]["value"])
    judged = statistics.judge_quantile_dependent(given["over_limit"], given["samples"], dependence=dependence, **bar)
    assert_result(judged, row)
    assert judged.figure("samples_effective") == row["bound"]["n_eff"]
    assert judged.figure("over_limit_effective") == row["bound"]["over_limit_eff"]
    assert judged.figure("lower_share_effective") == near(row["bound"]["lower_at_n_eff"])


@handles("count")
def count(row: Row) -> None:
    given = row["inputs"]
    if given["unit"] == "queries":
        judged = statistics.judge_failures(
            given["count"],
            given["exposure"],
            at_most=given["at_most"],
            planned=given["declared_exposure"],
        )
        assert judged.figure("upper_rate") == near(row["bound"]["upper_rate"])
    else:
        judged = statistics.judge_count(
            given["count"],
            at_most=given["at_most"],
            exposure=given["exposure"],
            declared_exposure=given["declared_exposure"],
            per=3600,
        )
        assert judged.figure("upper_rate") == near(row["bound"]["upper_per_hour"])
        assert judged.figure("lower_rate") == near(row["bound"].get("lower_per_hour", 0.0))
    assert_result(judged, row)
    assert judged.value == row["statistic"]["value"]


@handles("count-rate")
def count_rate(row: Row) -> None:
    given = row["inputs"]
    judged = statistics.judge_count_rate(
        given["count"],
        at_most=given["at_most_per_hour"],
        exposure=given["hours"],
        confidence=exact(given["confidence"]),
    )
    assert_result(judged, row)
    assert_bounds(judged, row)
    assert float(judged.value) == near(row["statistic"]["value"])


@handles("equality")
def equality(row: Row) -> None:
    judged = statistics.judge_equality(**row["inputs"])
    assert_result(judged, row)
    assert judged.value == row["statistic"]["value"]


@handles("elapsed")
def elapsed(row: Row) -> None:
    given = row["inputs"]
    judged = statistics.judge_elapsed(
        given["measured_s"],
        given["uncertainty_s"],
        at_least=Fraction(given["at_least_s"]),
        trusted=given["clock"] == "trusted",
    )
    assert_result(judged, row)
    assert_bounds(judged, row)


@handles("consecutive")
def consecutive(row: Row) -> None:
    given = row["inputs"]
    at_least, confidence = exact(given["at_least"]), exact(given["confidence"])
    tallies = [None if run == "abandoned" else Tally(*run) for run in given["runs"]]
    shape = {"consecutive": given["consecutive"], "attempts": given["attempts"]}
    if given["combine"] == "pooled":
        judged = statistics.judge_consecutive_pooled(tallies, at_least=at_least, confidence=confidence, **shape)
        assert judged.lower == near(row["bound"]["pooled_lower"])
    else:
        runs = [
            run and statistics.judge_rate(run.successes, run.samples, at_least=at_least, confidence=confidence)
            for run in tallies
        ]
        judged = statistics.judge_consecutive_each(runs, alpha=1 - confidence, **shape)
        assert judged.lower == near(row["bound"]["worst_lower"])
        assert float(judged.figure("false_row")) == near(row["bound"]["false_row"])
    assert_result(judged, row)
    assert list(judged.row) == row["statistic"]["value"]


@handles("campaign-fixed")
def campaign_fixed(row: Row) -> None:
    given = row["inputs"]
    judged = statistics.judge_campaign(
        [Tally(*attempt) for attempt in given["attempts"]],
        planned=given["plan_samples"],
        at_least=exact(given["at_least"]),
        confidence=exact(given["confidence"]),
    )
    assert_result(judged, row)
    assert_bounds(judged, row)
    assert float(judged.value) == near(row["statistic"]["value"])


@handles("rate-sequential")
def rate_sequential(row: Row) -> None:
    given = row["inputs"]
    judged = statistics.judge_rate_sequential(
        given["successes"],
        given["failures"],
        at_least=exact(given["at_least"]),
        design=exact(given["design"]),
        confidence=exact(given["confidence"]),
    )
    assert_result(judged, row)
    assert judged.figure("e_pass") == near(row["statistic"]["value"])
    assert judged.figure("e_fail") == near(row["bound"]["e_fail"])
    assert judged.figure("threshold") == row["bound"]["threshold"]


def series(text: str) -> list[float]:
    """Numbers written out, or as a line in i: `d_i = 20 i - 1010, i = 1 .. 100`."""
    line = re.fullmatch(r"\w_i = (\d+) i(?: ([+-]) (\d+))?, i = 1 \.\. (\d+)", text)
    if line is None:
        return list(map(float, ast.literal_eval(f"[{text}]")))
    slope, sign, shift, end = line.groups()
    offset = int(f"{sign}{shift}") if shift else 0
    return [float(int(slope) * number + offset) for number in range(1, int(end) + 1)]


@handles("equivalence")
def equivalence(row: Row) -> None:
    given = row["inputs"]
    differences = series(given["paired_differences"])
    assert len(differences) == given["pairs"]
    judged = statistics.judge_equivalence(
        differences, margin=Fraction(given["margin"]), confidence=exact(given["confidence"])
    )
    assert_result(judged, row)
    assert_ranks(judged, row)
    assert_bounds(judged, row)
    assert float(judged.value) == near(row["statistic"]["value"])


@handles("non-inferiority")
def non_inferiority(row: Row) -> None:
    given = row["inputs"]
    judged = statistics.judge_no_regression(
        series(given["candidate"]),
        series(given["baseline"]),
        margin=Fraction(given["margin"]),
        quantile=exact(given["quantile"]),
        confidence=exact(given["confidence"]),
    )
    assert_result(judged, row)
    assert_ranks(judged, row)
    assert_bounds(judged, row)
    assert float(judged.value) == near(row["statistic"]["value"])


@handles("mean-score")
def mean_score(row: Row) -> None:
    given = row["inputs"]
    values = [float(query["recall"]) for query in given["queries"] for _ in range(query["count"])]
    judged = statistics.judge_mean(values, at_least=exact(given["at_least"]), confidence=exact(given["confidence"]))
    assert_result(judged, row)
    assert_bounds(judged, row)
    assert float(judged.value) == near(row["statistic"]["value"])
    assert float(judged.figure("variance")) == near(row["statistic"]["variance"])


@handles("merge")
def merge(row: Row) -> None:
    given = row["inputs"]
    bar = {"at_least": exact(given["quantile"]), "confidence": exact(given["confidence"])}
    strata = {
        stratum["profile"]: statistics.judge_rate(stratum["within"], stratum["samples"], **bar)
        for stratum in given["strata"]
    }
    judged = statistics.judge_strata(strata)
    pool = Tally.pooled(Tally(stratum["within"], stratum["samples"]) for stratum in given["strata"])
    pooled = statistics.judge_rate(pool.successes, pool.samples, **bar)
    assert pooled.verdict is Verdict.PASS
    assert pooled.lower == near(row["bound"]["pooled_lower"])
    assert float(pooled.value) == near(row["statistic"]["value"])
    assert judged.figure("A.lower") == near(row["bound"]["A_lower"])
    assert judged.figure("B.upper") == near(row["bound"]["B_upper"])
    assert_result(judged, row)


@handles("waiver")
def waiver(row: Row) -> None:
    given = row["inputs"]
    bar = {"at_least": Fraction("0.95"), "confidence": exact(given["confidence"])}
    accepted = statistics.judge_rate(given["waived"]["successes"], given["waived"]["samples"], **bar)
    observed = statistics.judge_rate(
        given["observed"]["successes"],
        given["observed"]["samples"],
        planned=given["observed"].get("plan_samples"),
        **bar,
    )
    coverage = statistics.cover(WaivedFigures(accepted.value, accepted.lower), observed)
    assert ("waived" if coverage.covered else "not-waived") == row["verdict"]
    if row["reason"] is not None:
        assert coverage.reason == row["reason"]
    assert accepted.lower == near(row["bound"]["waived_lower"])
    assert observed.lower == near(row["bound"]["observed_lower"])
    assert float(observed.value) == near(row["statistic"]["value"])


@handles("decision")
def decision(row: Row) -> None:
    given = row["inputs"]
    blockers = [
        Standing(Verdict.FAIL, waived=True) if word == "waived" else Verdict(word)
        for word in given["verdicts_of_blockers"]
    ]
    found = combine(
        blockers,
        integrity=given["bundle_integrity"],
        capped=given["capped"],
        debt_overdue=given["debt_overdue"],
    )
    assert found == row["verdict"]
    assert found.permission == row["bound"]["permission"]


@handles("plan")
def plan(row: Row) -> None:
    given, expected = row["inputs"], row["statistic"]["value"]
    if "failures" in given:
        bar, confidence = exact(given["at_least"]), exact(given["confidence"])
        samples = smallest_samples(bar, confidence, failures=given["failures"])
        for size, name in ((samples, "lower"), (samples - 1, "lower_at_n_minus_1")):
            hits = size - given["failures"]
            judged = statistics.judge_rate(hits, size, at_least=bar, confidence=confidence)
            assert judged.lower == near(row["bound"][name])
    elif "quantile" in given:
        samples = smallest_samples_for_quantile(exact(given["quantile"]), exact(given["confidence"]))
    elif "altered" in given:
        samples = smallest_spot_check(given["samples"], given["altered"], exact(given["chance_of_finding"]))
    elif "defect_rate" in given:
        rate = exact(str(given["defect_rate"]))
        samples = smallest_samples_to_see(rate, exact(given["chance_of_missing"]))
        assert chance_of_missing(rate, 1000) == near(row["bound"]["missed_at_1000"])
        assert chance_of_missing(rate, 100) == near(row["bound"]["missed_at_100"])
    else:
        samples = most_false_passes(given["campaigns"], exact(given["alpha"]), Fraction("0.999"))
    assert samples == expected


@handles("operating-characteristic")
def operating_characteristic(row: Row) -> None:
    given, rule = row["inputs"], row["inputs"]["rule"]
    rate, bar, confidence = given["true_rate"], Fraction("0.95"), Fraction("0.95")
    if "most_boots" in given:
        chance = chance_when_peeking(bar, confidence, rate, given["most_boots"])
    elif "runs" in given:
        chance = chance_of_best(chance_of_passing(59, 0, rate), given["runs"])
    else:
        first, second = map(int, re.findall(r"\d+", rule))
        samples, failures = (second, second - first) if "point figure" in rule else (first, second)
        chance = chance_of_passing(samples, failures, rate)
        row_chance = chance_of_row(chance, given["consecutive"])
        assert row_chance == near(row["bound"]["row_of_3_first_try"])
        if "attempts" in given:
            somewhere = chance_of_row(chance, given["consecutive"], given["attempts"])
            assert somewhere == near(row["bound"]["row_of_3_somewhere_in_10"])
    assert chance == near(row["statistic"]["value"])


def test_the_golden_file_is_whole_and_every_kind_has_a_handler():
    listed = rows()
    assert len(listed) == NUMBER_OF_ROWS
    assert len({row["id"] for row in listed}) == NUMBER_OF_ROWS
    assert {row["kind"] for row in listed} == set(HANDLERS)


@pytest.mark.parametrize("row", rows(), ids=lambda row: row["id"])
def test_a_golden_row_is_reproduced(row):
    HANDLERS[row["kind"]](row)


@pytest.mark.parametrize("kind", sorted({row["kind"] for row in rows()}))
def test_a_row_with_another_verdict_is_found_out(kind):
    """The control: every handler refuses a row of its kind that states a wrong result."""
    row = next(row for row in rows() if row["kind"] == kind)
    statistic = row["statistic"] and {**row["statistic"], "value": -7}
    with pytest.raises((AssertionError, TypeError)):
        HANDLERS[kind]({**row, "verdict": "something else", "statistic": statistic})
