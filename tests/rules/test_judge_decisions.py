"""Judging as a whole: scope, decisions of gates and stages, debts, counts, and the same bytes every time."""

import msgspec
import pytest

from pytest_spiral.model.evidence import Scope
from pytest_spiral.rules.canonical import canonical_bytes
from pytest_spiral.rules.enough import enough
from pytest_spiral.rules.judge import judge, scope_of


def gate(bench, name, good=2, bad=0, **fields):
    """A gate with one criterion that wants two clean pieces of work."""
    bench.criterion(f"{name}.works", "failures(work) <= 0", samples=2, **fields)
    if good or bad:
        bench.measure(f"{name}.works", "work", bench.hits(good, bad), test=f"test_{name.lower()}")
    return bench


def outcome(bench):
    """Gate → decision, stage → decision, and the run's."""
    found = bench.judge()
    return {one.id: str(one.decision) for one in (*found.gates, *found.stages)} | {"run": str(found.decision)}


def test_a_run_is_as_good_as_its_worst_gate(bench):
    gate(gate(bench, "S1"), "S2", bad=1, good=1)
    assert outcome(bench) == {"S1": "GO", "S2": "NO-GO", "run": "NO-GO"}
    assert bench.judge().permission == 0


@pytest.mark.parametrize(
    ("second", "decision", "permission", "weakest"),
    [
        ({}, "GO", 2, ""),
        ({"fidelity": "live"}, "CONDITIONAL GO", 1, "S2.works"),
        ({"good": 1, "bad": 1}, "NO-GO", 0, "S2.works"),
        ({"good": 3}, "NOT-EVALUABLE", 0, "S2.works"),
        ({"good": 1}, "NO-GO", 0, "S2.works"),
    ],
)
def test_a_stage_adds_up_its_gates_and_names_its_weakest_link(bench, second, decision, permission, weakest):
    bench.stage = "stage_x"
    gate(gate(bench, "S1"), "S2", **second)
    found = bench.judge()
    assert [(one.id, one.decision, one.weakest) for one in found.stages] == [("stage_x", decision, weakest)]
    assert (found.decision, found.permission) == (decision, permission)


def test_the_weakest_link_is_the_worst_blocker_and_never_an_advisory_one(bench):
    bench.stage = "stage_x"
    gate(gate(gate(bench, "S1", fidelity="live"), "S2", good=1), "S3", good=1, bad=1, level="advisory")
    assert bench.judge().stages[0].weakest == "S2.works"


def test_an_advisory_criterion_blocks_nothing_and_carries_nothing(bench, make_bench):
    gate(bench, "S1").criterion("S1.more", "failures(more) <= 0", samples=1, level="advisory")
    bench.measure("S1.more", "more", bench.hits(0, 1))
    assert outcome(bench) == {"S1": "GO", "run": "GO"}
    assert bench.judge().counts == {"fail": 1, "pass": 1}
    assert outcome(gate(make_bench(), "S1", level="advisory")) == {"S1": "NOT-EVALUABLE", "run": "NOT-EVALUABLE"}


def test_a_gate_on_nothing_but_conditions_is_not_evaluable(bench):
    gate(bench, "S1", good=0, requires="audio.playback").fact("audio.playback", state="absent")
    bench.ran("test_s1", "S1.works", raised="limited", needs=("audio.playback",))
    assert outcome(bench) == {"S1": "NOT-EVALUABLE", "run": "NOT-EVALUABLE"}


def test_a_pass_on_a_lesser_subject_carries_a_condition(bench):
    assert outcome(gate(bench, "S1", fidelity="live"))["S1"] == "CONDITIONAL GO"


def test_simple_acceptance_caps_its_gate(bench):
    bench.criterion("S1.rate", "rate(work) >= 50 %", samples=2, confidence="none", confidence_reason="a first look")
    bench.measure("S1.rate", "work", bench.hits(2))
    found = bench.judge()
    assert found.gates[0].capped == ("S1.rate",)
    assert found.decision == "CONDITIONAL GO"


def test_simple_acceptance_is_told_though_nothing_was_measured(bench):
    bench.criterion("S1.rate", "rate(work) >= 50 %", samples=2, confidence="none", confidence_reason="a first look")
    assert bench.ran("test_it", "S1.rate", raised="skip").judged("S1.rate").qualifiers == ("simple-acceptance",)


def test_time_on_a_clock_that_can_be_set_is_owed_by_the_environment(bench):
    bench.criterion("S1.window", "duration(window) >= 48 h").on("sandbox", "sandbox", **{"clock.trusted": False})
    bench.measure("S1.window", "window", bench.values(50), unit="h")
    (debt,) = bench.judge().debts
    assert (debt.criterion, debt.cause, debt.evidence) == (
        "S1.window", "environment", "the time passed on a clock that can be set",
    )  # fmt: skip


def test_simple_acceptance_of_an_advisory_criterion_caps_nothing(bench):
    gate(bench, "S1").criterion(
        "S1.rate", "rate(more) >= 50 %", samples=2, confidence="none", confidence_reason="a look", level="advisory"
    )
    bench.measure("S1.rate", "more", bench.hits(2))
    assert bench.judge().gates[0].capped == ()
    assert bench.decision() == "GO"


def test_a_planned_gate_is_no_go(bench):
    bench.scope = Scope(gates=("S1",))
    bench.criterion("S1.later", planned=True)
    assert outcome(bench) == {"S1": "NO-GO", "run": "NO-GO"}


# scope


def test_the_scope_is_the_gates_of_selected_tests_where_none_is_named(bench):
    gate(gate(gate(bench, "S1"), "S2", good=0), "S3", good=0).collect("test_s3", "S3.works", selected=False)
    assert [one.id for one in scope_of(bench.evidence())] == ["S1"]
    assert bench.decision() == "GO"


@pytest.mark.parametrize("kind", ["tests", "measurements", "runs_opened", "controls_opened"])
def test_any_record_keeps_its_gate_in_scope(bench, make_bench, kind):
    gate(bench, "S1")
    other = make_bench().criterion("S2.row", "failures(work) <= 0", samples=1).run("main-1", "S2.row", test="test_b")
    other.under_fault("work", other.hits(1), of="S2.row", control="S2.control", test="test_b")
    bench.criterion("S2.row", "failures(work) <= 0", samples=1).control("S2.row", name="S2.control")
    bench.records[kind] = [*bench.records.get(kind, ()), *other.records[kind]]
    assert [one.id for one in scope_of(bench.evidence())] == ["S1", "S2"]
    assert bench.judge().permission == 0


def test_a_named_gate_is_in_scope_though_no_test_claims_it(bench):
    bench.scope = Scope(gates=("S1", "S2"))
    gate(gate(bench, "S1"), "S2", good=0)
    assert outcome(bench) == {"S1": "GO", "S2": "NO-GO", "run": "NO-GO"}


def test_only_named_gates_are_judged(bench):
    bench.stage = "stage_x"
    bench.scope = Scope(gates=("S1",), stages=("stage_x",))
    gate(gate(bench, "S1"), "S2", bad=1)
    assert outcome(bench) == {"S1": "GO", "run": "GO"}  # a stage is decided by all of its gates or not at all


@pytest.mark.parametrize(
    "scope", [Scope(gates=("S1", "S9")), Scope(stages=("stage_x", "stage_y")), Scope(stages=("stage_y",))]
)
def test_what_was_named_and_is_not_there_is_decided_on_nothing(bench, scope):
    bench.stage, bench.scope = "stage_x", scope
    gate(bench, "S1")
    assert str(bench.judge().decision) == "NOT-EVALUABLE"


def test_an_empty_run_decides_nothing(bench):
    assert (bench.decision(), bench.judge().permission) == ("NOT-EVALUABLE", 0)


@pytest.mark.parametrize(("bad", "fine"), [(0, True), (1, False)])
def test_a_partial_run_decides_nothing(bench, bad, fine):
    bench.stage = "stage_x"
    bench.scope = Scope(stages=("stage_x",), narrowed=("-k S1",))
    gate(gate(bench, "S1", good=2 - bad, bad=bad), "S2", good=0)
    found = bench.judge()
    assert (found.partial, found.decision, found.permission) == (True, None, 0)
    assert {one.decision for one in (*found.gates, *found.stages)} == {None}
    assert enough(found, "conditional") is fine
    assert enough(found, "go") is fine


def test_a_partial_run_in_which_nothing_ran_is_not_enough(bench):
    bench.scope = Scope(gates=("S1",), narrowed=("-k nothing",))
    assert not enough(gate(bench, "S1", good=0).judge(), "conditional")


@pytest.mark.parametrize(
    ("fields", "conditional", "go"),
    [({}, True, True), ({"fidelity": "live"}, True, False), ({"bad": 1, "good": 1}, False, False)],
)
def test_a_decision_is_enough_or_not(bench, fields, conditional, go):
    found = gate(bench, "S1", **fields).judge()
    assert (enough(found, "conditional"), enough(found, "go")) == (conditional, go)


def test_what_decided_nothing_is_not_enough(bench):
    found = msgspec.structs.replace(gate(bench, "S1").judge(), decision=None)
    assert not enough(found, "conditional")


# what describes


def test_cards_describe_and_judge_nothing(bench):
    gate(bench, "S1")
    before = bench.judge()
    after = bench.card("S1").judge()
    assert (after.gates[0].title, after.gates[0].owner) == ("A gate", "@s1")
    assert after.criteria == before.criteria


def test_a_condition_of_a_blocker_is_owed(bench):
    gate(bench, "S1", fidelity="live").card("S1")
    bench.criterion("S1.audio", "failures(audio) <= 0", samples=1, requires="audio.playback")
    bench.criterion("S1.more", "failures(more) <= 0", samples=1, requires="audio.playback", level="advisory")
    bench.fact("audio.playback", state="absent")
    for name in ("audio", "more"):
        bench.ran(f"test_{name}", f"S1.{name}", raised="limited", needs=("audio.playback",))
    debts = {one.criterion: one for one in bench.judge().debts}
    assert set(debts) == {"S1.works", "S1.audio"}
    assert (debts["S1.works"].requirement, debts["S1.works"].cause) == ("fidelity live", "environment")
    assert (debts["S1.audio"].requirement, debts["S1.audio"].cause) == ("audio.playback", "hardware")
    assert (debts["S1.works"].owner, debts["S1.works"].due) == ("@s1", "C1")
    assert (debts["S1.audio"].owner, debts["S1.audio"].due) == ("", "")  # its card was not there when it was made
    assert debts["S1.works"].since == bench.evidence().bundle.opened


def test_verdicts_and_tests_are_counted(bench):
    gate(gate(bench, "S1"), "S2", good=1, bad=1)
    bench.ran("test_b", "S2.works", raised="skip")
    found = bench.judge()
    assert found.counts == {"fail": 1, "pass": 1}
    assert found.tests == {"passed": 2, "skip": 1}


def test_judging_again_gives_the_same_bytes(works):
    evidence = works.evidence()
    assert canonical_bytes(judge(evidence)) == canonical_bytes(judge(evidence)) == canonical_bytes(works.judge())
