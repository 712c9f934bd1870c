"""Judging controls: a check that must fail, and what it says of the check where it does not."""

import pytest

NOT_RUN, INVALID, FAIL, PASS = "not-run", "invalid", "fail", "pass"


@pytest.fixture
def guarded(bench):
    """A criterion that passes, and a control of it that has not run yet."""
    bench.criterion("S1.works", "failures(work) <= 0", samples=3).control("S1.works")
    return bench.measure("S1.works", "work", bench.hits(3))


def test_a_control_that_fails_under_its_fault_passes(works):
    assert works.verdict("S1.control") == (PASS, "")
    assert works.verdict("S1.works") == (PASS, "")
    assert [one.verdict for one in works.judged("S1.control").limits] == [FAIL]
    assert works.decision() == "GO"


def test_a_control_that_does_not_fail_makes_what_it_guards_invalid(guarded):
    guarded.under_fault("work", guarded.hits(3), of="S1.works")
    assert guarded.verdict("S1.control") == (FAIL, "control-did-not-fail")
    assert guarded.judged("S1.control").sentence == "s.broken was not found out: S1.works came out as pass"
    shown = guarded.judged("S1.works")
    assert (shown.verdict, shown.original, shown.reason) == (INVALID, PASS, "control-did-not-fail")
    assert "its control S1.control did not fail" in shown.sentence
    assert guarded.decision() == "NO-GO"


@pytest.mark.parametrize(
    ("declared", "under_fault", "plain", "found"),
    [
        ("fail", (2, 1), {}, PASS),
        ("fail", (2, 0), {}, FAIL),
        ("inconclusive", (2, 0), {}, FAIL),
        ("inconclusive", (3, 0), {}, FAIL),
        ("invalid", (4, 0), {}, PASS),
        ("invalid", (0, 0), {}, FAIL),
        ("invalid", (3, 0), {}, FAIL),
        ("fail", (4, 0), {}, FAIL),
    ],
)
def test_a_fault_is_found_out_by_the_declared_verdict_and_not_by_missing_samples(
    bench, declared, under_fault, plain, found
):
    bench.criterion("S1.works", "failures(work) <= 0", samples=3).control("S1.works", verdict=declared)
    bench.measure("S1.works", "work", bench.hits(3)).under_fault("work", bench.hits(*under_fault), of="S1.works")
    assert bench.judged("S1.control").verdict == found
    assert bench.judged("S1.works").verdict == (PASS if found == PASS else INVALID)


@pytest.mark.parametrize(("bad", "found"), [(3, PASS), (0, FAIL)])
def test_a_bound_that_a_fault_opens_is_found_out_as_inconclusive(bench, bad, found):
    bench.criterion("S1.works", "rate(work) >= 95 %", samples=59, confidence="0.95")
    bench.control("S1.works", verdict="inconclusive").measure("S1.works", "work", bench.hits(59))
    bench.under_fault("work", bench.hits(59 - bad, bad), of="S1.works")
    assert bench.judged("S1.control").verdict == found


def test_an_item_that_a_fault_takes_away_is_found_out_as_not_run(bench):
    bench.criterion("S1.works", "equal(rest, grpc)", samples=2).control("S1.works", verdict="not-run")
    for name in ("rest", "grpc"):
        bench.measure("S1.works", name, bench.items({"a": 1, "b": 2}))
    bench.under_fault("rest", bench.items({"a": 1, "b": 2}), of="S1.works")
    bench.measure("S1.works", "grpc", bench.items({"a": 1}), control="S1.control", test="test_control")
    assert bench.verdict("S1.control") == (PASS, "")


def test_one_side_alone_is_no_fault_found_out(bench):
    bench.criterion("S1.works", "equal(rest, grpc)", samples=2).control("S1.works", verdict="invalid")
    for name in ("rest", "grpc"):
        bench.measure("S1.works", name, bench.items({"a": 1, "b": 2}))
    bench.under_fault("rest", bench.items({"a": 1, "b": 2}), of="S1.works")
    assert bench.verdict("S1.control") == (FAIL, "control-did-not-fail")


def test_one_limit_of_several_that_finds_the_fault_is_enough(bench):
    bench.criterion("S1.works", "failures(work) <= 0", "max(offset) <= 45 ms", samples=2).control("S1.works")
    bench.measure("S1.works", "work", bench.hits(2)).measure("S1.works", "offset", bench.values(1, 2), unit="ms")
    bench.under_fault("work", bench.hits(2), of="S1.works")
    bench.measure(
        "S1.works", "offset", bench.values(1, 99), unit="ms", control="S1.control", test="test_control"
    )  # fmt: skip
    assert bench.verdict("S1.control") == (PASS, "")


def test_what_is_measured_under_the_fault_does_not_count_for_what_is_guarded(works):
    assert [one.samples for one in works.judged("S1.works").limits] == [3]


def test_a_control_that_no_test_claims_is_not_run(guarded):
    assert guarded.verdict("S1.control") == (NOT_RUN, "no-tests")
    assert guarded.verdict("S1.works") == (PASS, "")
    assert guarded.decision() == "NO-GO"


@pytest.mark.parametrize("opened", [False, True])
def test_a_control_that_never_measured_under_its_fault_is_not_run(guarded, opened):
    guarded.ran("test_control", "S1.control")
    if opened:
        guarded.under_fault("work", (), of="S1.works")
        del guarded.records["measurements"][-1]
    assert guarded.verdict("S1.control") == (NOT_RUN, "control-not-run")
    assert guarded.judged("S1.control").sentence == "nothing of S1.works was measured under s.broken"


@pytest.mark.parametrize(("field", "other"), [("fault", "s.other"), ("of", "S1.other")])
def test_a_control_that_ran_with_another_fault_is_invalid(guarded, field, other):
    guarded.under_fault("work", guarded.hits(2, 1), **{"of": "S1.works", field: other})
    if field == "of":
        guarded.records["measurements"][-1] = type(guarded.records["measurements"][-1])(
            file="f.jsonl", name="work", unit="", test=guarded.node("test_control"), criteria=("S1.works",),
            samples=guarded.records["measurements"][-1].samples, control="S1.control",
        )  # fmt: skip
    assert guarded.verdict("S1.control") == (INVALID, "control-differs")


def test_a_measurement_in_no_block_is_under_no_fault(guarded):
    guarded.under_fault("work", guarded.hits(2, 1), of="S1.works")
    guarded.measure("S1.works", "work", guarded.hits(2, 1), control="S1.control", test="test_other")
    assert guarded.verdict("S1.control") == (INVALID, "control-unopened")


@pytest.mark.parametrize("raised", [None, "KeyError"])
def test_a_block_that_did_not_come_to_its_end_is_invalid(guarded, raised):
    guarded.under_fault("work", guarded.hits(2, 1), of="S1.works", raised=raised)
    assert guarded.verdict("S1.control") == (INVALID, "control-broken")


def test_every_block_of_a_test_must_be_closed(guarded):
    guarded.under_fault("work", guarded.hits(2, 1), of="S1.works")
    guarded.add("controls_opened", guarded.records["controls_opened"][0])
    assert guarded.verdict("S1.control") == (INVALID, "control-broken")


def test_a_control_measured_twice_in_one_block_is_invalid(guarded):
    guarded.under_fault("work", guarded.hits(2, 1), of="S1.works")
    guarded.measure("S1.works", "work", guarded.hits(2, 1), control="S1.control", test="test_control")
    assert guarded.verdict("S1.control") == (INVALID, "measured-twice")


def test_samples_of_a_control_must_be_whole_too(guarded):
    guarded.under_fault("work", guarded.hits(2, 1), of="S1.works")
    kept = guarded.records["measurements"][-1]
    told = {name: getattr(kept, name) for name in kept.__struct_fields__}
    guarded.records["measurements"][-1] = type(kept)(**{**told, "samples": kept.samples[1:]})
    assert guarded.verdict("S1.control") == (INVALID, "samples-order")


@pytest.mark.parametrize(
    ("raised", "verdict"), [("assertion", FAIL), ("error", INVALID), ("skip", NOT_RUN), ("crash", NOT_RUN)]
)
def test_a_controls_own_end_counts(guarded, raised, verdict):
    guarded.ran("test_control", "S1.control", raised=raised)
    guarded.under_fault("work", guarded.hits(2, 1), of="S1.works")
    assert guarded.judged("S1.control").verdict == verdict


@pytest.mark.parametrize("raised", ["", "assertion", "error", "skip"])
def test_a_fault_that_was_not_found_out_is_told_however_its_test_ended(guarded, raised):
    guarded.ran("test_control", "S1.control", raised=raised)
    guarded.under_fault("work", guarded.hits(3), of="S1.works")
    assert guarded.verdict("S1.control") == (FAIL, "control-did-not-fail")
    assert guarded.verdict("S1.works") == (INVALID, "control-did-not-fail")


# advisory


def advisory(bench, *, control="advisory", guarded="blocker", samples=(3, 0)):
    """A criterion that passes with a control of other weight."""
    bench.criterion("S1.works", "failures(work) <= 0", samples=3, level=guarded)
    bench.control("S1.works", level=control).measure("S1.works", "work", bench.hits(3))
    return bench.under_fault("work", bench.hits(*samples), of="S1.works") if samples else bench


@pytest.mark.parametrize(
    ("samples", "works", "decision"),
    [((2, 1), PASS, "GO"), ((3, 0), INVALID, "NOT-EVALUABLE"), (None, INVALID, "NOT-EVALUABLE")],
)
def test_an_advisory_control_of_a_blocker_must_pass_for_it(bench, samples, works, decision):
    advisory(bench, samples=samples)
    assert bench.judged("S1.works").verdict == works
    assert bench.decision() == decision


@pytest.mark.parametrize(("samples", "works"), [((2, 1), PASS), ((3, 0), INVALID), (None, PASS)])
def test_a_control_of_an_advisory_criterion_makes_it_invalid_where_it_did_not_fail(bench, samples, works):
    advisory(bench, guarded="advisory", samples=samples)
    assert bench.judged("S1.works").verdict == works


def test_a_control_of_a_criterion_that_is_not_there_is_not_run(bench):
    bench.criterion("S1.works", "failures(work) <= 0", samples=3).control("S1.gone")
    bench.measure("S1.works", "work", bench.hits(3)).under_fault("work", bench.hits(2, 1), of="S1.gone")
    assert bench.verdict("S1.control") == (NOT_RUN, "control-not-run")
