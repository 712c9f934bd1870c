"""Claims about nothing."""

import pytest

from pytest_spiral.model.evidence import Scope

LIMITS = [
    ("failures(x) <= 0", {}),
    ("max(x) <= 120 ms", {}),
    ("min(x) >= 0 ms", {}),
    ("count(x) <= 0", {}),
    ("rate(x) >= 1 %", {"confidence": "0.95"}),
    ("p95(x) <= 120 ms", {"confidence": "0.95"}),
    ("mean(x) >= 1 %", {"confidence": "0.95"}),
    ("duration(x) <= 120 s", {}),
    ("equal(x, y)", {"census": True}),
    ("all-pass", {}),
]
NAMES = [limit for limit, _ in LIMITS]
REFUSED = {"not-run", "inconclusive", "invalid", "fail"}


def declared(bench, limit):
    text, more = next(one for one in LIMITS if one[0] == limit)
    fields = {"exposure": "20 s"} if text.startswith("count") else {"samples": 60}
    return bench.criterion("S1.it", text, **fields, **more)


@pytest.mark.parametrize("limit", NAMES)
def test_without_a_test_nothing_passes(bench, limit):
    declared(bench, limit)
    assert bench.judge().permission == 0  # nothing is in scope, and nothing is permitted
    bench.scope = Scope(gates=("S1",))
    assert bench.verdict("S1.it") == ("not-run", "no-tests")
    assert bench.judge().permission == 0


@pytest.mark.parametrize("limit", [name for name in NAMES if name != "all-pass"])
@pytest.mark.parametrize("measures", [(), ("x",), ("x", "y")])
def test_a_test_that_passes_and_measures_nothing_proves_nothing(bench, limit, measures):
    declared(bench, limit).ran("test_it", "S1.it")
    unit = "" if limit.split("(")[0] in ("failures", "rate", "mean", "equal", "count") else "ms"
    for name in measures:
        bench.measure("S1.it", name, (), unit=unit)
    verdict, reason = bench.verdict("S1.it")
    assert verdict in REFUSED
    assert reason
    assert bench.decision() in ("NO-GO", "NOT-EVALUABLE")


@pytest.mark.parametrize("taken", [0, 1, 30, 59])
@pytest.mark.parametrize("limit", ["failures(x) <= 0", "rate(x) >= 1 %"])
def test_fewer_than_planned_never_pass(bench, limit, taken):
    declared(bench, limit).measure("S1.it", "x", bench.hits(taken))
    assert bench.verdict("S1.it")[0] in REFUSED


@pytest.mark.parametrize("missing", [1, 59, 60])
def test_announced_and_never_delivered_is_lost(bench, missing):
    declared(bench, "failures(x) <= 0").measure("S1.it", "x", bench.hits(60 - missing), planned=60)
    assert bench.verdict("S1.it")[0] in REFUSED


def test_two_empty_lists_are_not_equal(bench):
    declared(bench, "equal(x, y)").measure("S1.it", "x", ()).measure("S1.it", "y", ())
    assert bench.verdict("S1.it") == ("invalid", "empty")


def test_a_control_that_measures_nothing_guards_nothing(works):
    works.records["measurements"] = [one for one in works.records["measurements"] if not one.control]
    works.records["controls_opened"], works.records["controls_closed"] = [], []
    assert works.verdict("S1.control") == ("not-run", "control-not-run")
    assert works.decision() == "NO-GO"


@pytest.mark.parametrize("samples", [(), (1,), (1, 1)])
def test_a_real_run_that_measures_too_little_decides_nothing_good(play, verify, samples):
    ran = play(samples=samples)
    assert ran.verdict in REFUSED
    assert ran.status == 1
    assert verify(ran.folder).status == 1


@pytest.mark.sound
def test_all_that_was_planned_passes(bench):
    assert declared(bench, "failures(x) <= 0").measure("S1.it", "x", bench.hits(60)).verdict("S1.it") == ("pass", "")


@pytest.mark.sound
@pytest.mark.parametrize("samples", [(1, 1, 1)])
def test_a_real_run_that_measures_all_passes(play, samples):
    assert play(samples=samples).verdict == "pass"
