"""Two sides that are one."""

import pytest

TRUE = {"a": 1, "b": 2, "c": 3}
WRONG = {"a": 1, "b": 2, "c": 4}


@pytest.fixture
def parity(bench):
    """Equal sides, guarded by a control with a fault in the first of them; what both say under the fault is to come."""
    bench.criterion("S1.parity", "equal(rest, grpc)", samples=3).control("S1.parity", fault="rest.wrong")
    for name in ("rest", "grpc"):
        bench.measure("S1.parity", name, bench.items(TRUE))
    return bench


def under_fault(bench, rest, grpc):
    if rest is not None:
        bench.under_fault("rest", bench.items(rest), of="S1.parity", fault="rest.wrong")
    if grpc is not None:
        if rest is None:
            bench.under_fault("grpc", bench.items(grpc), of="S1.parity", fault="rest.wrong")
        else:
            bench.measure("S1.parity", "grpc", bench.items(grpc), control="S1.control", test="test_control")
    return bench


@pytest.mark.parametrize(
    ("rest", "grpc"),
    [(WRONG, WRONG), (TRUE, TRUE), ({}, {}), (TRUE, None), (WRONG, None), (None, TRUE)],
    ids=["both-asked-rest", "both-asked-grpc", "nobody-asked", "grpc-left-out", "wrong-alone", "rest-left-out"],
)
def test_a_copy_does_not_fail_under_the_fault_of_one_side(parity, rest, grpc):
    under_fault(parity, rest, grpc)
    assert parity.verdict("S1.control") == ("fail", "control-did-not-fail")
    assert parity.verdict("S1.parity") == ("invalid", "control-did-not-fail")
    assert parity.decision() in ("NO-GO", "NOT-EVALUABLE")


def test_without_its_control_the_gate_is_no_go(parity):
    assert parity.verdict("S1.control") == ("not-run", "no-tests")
    assert parity.decision() == "NO-GO"


def test_a_control_with_another_fault_guards_nothing(parity):
    parity.under_fault("rest", parity.items(WRONG), of="S1.parity", fault="memory.wrong")
    parity.measure("S1.parity", "grpc", parity.items(TRUE), control="S1.control", test="test_control")
    assert parity.verdict("S1.control") == ("invalid", "control-differs")


@pytest.mark.parametrize("names", [("rest",), ("grpc",), ("rest", "rest"), ("grpc", "other")])
def test_one_side_is_no_comparison(bench, names):
    bench.criterion("S1.parity", "equal(rest, grpc)", samples=3)
    for name in names:
        bench.measure("S1.parity", name, bench.items(TRUE))
    verdict, reason = bench.verdict("S1.parity")
    assert verdict == "invalid"
    assert reason in ("one-sided", "measured-twice")


def test_an_item_twice_on_one_side_is_no_list(bench):
    bench.criterion("S1.parity", "equal(rest, grpc)", samples=3)
    bench.measure("S1.parity", "rest", [*bench.items(TRUE), *bench.items({"a": 1})])
    bench.measure("S1.parity", "grpc", bench.items(TRUE))
    assert bench.verdict("S1.parity") == ("invalid", "item-twice")


@pytest.mark.parametrize(
    ("one", "other"), [(1, 1.5), (1, "1"), (1, True), (None, 0), ([1, 2], [2, 1]), ({}, []), ("a", "A")]
)
def test_what_looks_alike_is_not_equal(bench, one, other):
    bench.criterion("S1.parity", "equal(rest, grpc)", samples=1)
    bench.measure("S1.parity", "rest", bench.items({"a": one})).measure("S1.parity", "grpc", bench.items({"a": other}))
    assert bench.verdict("S1.parity")[0] == "fail"


@pytest.mark.sound
def test_two_sides_of_which_one_breaks_are_a_comparison(parity):
    under_fault(parity, WRONG, TRUE)
    assert parity.verdict("S1.control") == ("pass", "")
    assert parity.verdict("S1.parity") == ("pass", "")
    assert parity.decision() == "GO"
