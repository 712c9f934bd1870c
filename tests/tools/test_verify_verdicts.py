"""The second judge: it comes to the same verdicts from the same records, and says where it has no rule."""

import copy
import json
import random
from fractions import Fraction

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_spiral.evidence.sshsig import check_document
from pytest_spiral.model.entry import LedgerHead
from pytest_spiral.model.evidence import Scope
from pytest_spiral.model.examination import ExaminationStatement
from pytest_spiral.model.measurement import Measurement
from pytest_spiral.model.record import Attached, DocumentSeen
from pytest_spiral.rules.canonical import digest
from pytest_spiral.rules.examination import render_statement
from pytest_spiral.rules.judge import judge
from pytest_spiral.rules.statistics import judge_quantile_values, judge_rate
from pytest_spiral.rules.statistics.dependence import estimate_dependence

from .conftest import armoured, blob_of

KINDS = {
    "tests": "test", "runs_opened": "run-opened", "runs_closed": "run-closed", "controls_opened": "control-opened",
    "controls_closed": "control-closed", "subjects": "subject", "lost": "target-lost", "crashes": "crash",
    "attached": "attached",
}  # fmt: skip
SETTINGS = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="session")
def second_steps(second, verdicts):
    """The steps of the second judge, and what it finds wrong, of evidence and the judgement that a summary would hold."""

    def read(value, kind):
        built = json.loads(msgspec.json.encode(value))
        second.conform(built, kind, kind)
        return built

    def ask(evidence, judgement):
        records = {word: [read(one, word) for one in getattr(evidence, name)] for name, word in KINDS.items()}
        records["fact"] = [{"fact": read(one, "Fact")} for one in evidence.facts]
        records["document"] = [read(one.seen, "document") for one in evidence.examinations]
        documents = {"Bundle": evidence.bundle, "Plan": evidence.plan, "Inventory": evidence.inventory}
        documents = {kind: read(one, kind) for kind, one in documents.items()} | {"Summary": read(judgement, "Summary")}
        measures = {str(at): measure(one) for at, one in enumerate(evidence.measurements)}
        documents["by"] = (second.load, second.verify_ed25519, second.KEY, second.Bad)
        end, walls = {"status": evidence.status, "workers": {}}, {"main": [evidence.bundle.opened]}
        return verdicts.judge(documents, records, measures, end, walls)

    def measure(one: Measurement):
        said = json.loads(msgspec.json.encode(one))
        samples = [read(each, "Sample") for each in one.samples]
        return {**said, "samples": samples, "ranges": [], "closed": {"raised": one.raised} if one.closed else None}

    return ask


@pytest.fixture(scope="session")
def second_judge(second_steps):
    """What the second judge finds wrong, and what it notes of the verdicts."""

    def ask(evidence, judgement):
        steps, wrong = second_steps(evidence, judgement)
        return [sentence for _, _, sentence in wrong], steps[9][1] if steps else ""

    return ask


def agree(second_judge, bench, *, whole=True):
    evidence = bench.evidence()
    wrong, note = second_judge(evidence, judge(evidence))
    assert wrong == []
    assert not whole or "; S1" not in note, note
    return note


# Statistics


@given(samples=st.integers(1, 400), data=st.data())
@SETTINGS
def test_rates_come_out_alike(verdicts, samples, data):
    good, share = data.draw(st.integers(0, samples)), Fraction(data.draw(st.integers(1, 99)), 100)
    planned = data.draw(st.sampled_from([samples, samples + 1, samples * 2]))
    theirs = verdicts.zone((share, Fraction(1, 20), False), good, good, samples, planned)[0]
    ours = judge_rate(good, samples, at_least=share, confidence=Fraction(19, 20), planned=planned)
    assert theirs == ours.verdict


@given(data=st.data())
@SETTINGS
def test_quantiles_in_blocks_come_out_alike(verdicts, data):
    """Latencies that hang together, at their effective number of samples."""
    size, number = data.draw(st.integers(3, 12)), data.draw(st.integers(20, 24))
    chance = random.Random(data.draw(st.integers(0, 10**6)))
    level, values = 100.0, []
    for _ in range(size * number):
        level = 0.8 * level + 0.2 * chance.uniform(60, 140)
        values.append(Fraction(round(level * 1000), 1000))
    share = Fraction(data.draw(st.sampled_from([50, 90, 95])), 100)
    ours = estimate_dependence(values, share, [size] * number)
    assert verdicts.design_effect(values, share, [size] * number) == ours.value


def test_tails_are_exact_where_they_tie(verdicts):
    assert verdicts.tail(10, Fraction(1, 2), 5) == Fraction(638, 1024)
    assert verdicts.tail(3, Fraction(1), 3) == 1
    assert verdicts.tail(3, Fraction(1, 3), 0) == 1
    assert verdicts.tail(3, Fraction(1, 3), 4) == 0


def test_too_many_samples_for_an_exact_tail_are_left(verdicts):
    with pytest.raises(verdicts.Left, match="20,000"):
        verdicts.tail(20_001, Fraction(1, 2), 3)


@pytest.mark.parametrize(
    ("within", "verdict"), [(99, "pass"), (98, "inconclusive"), (92, "inconclusive"), (90, "fail")]
)
def test_a_p95_of_a_hundred_wants_ninety_nine(verdicts, within, verdict):
    values = [Fraction(1)] * within + [Fraction(200)] * (100 - within)
    bar = (Fraction(95, 100), Fraction(1, 20), False)
    assert verdicts.zone(bar, within, within, 100, 100)[0] == verdict
    ours = judge_quantile_values(values, bar[0], at_most=Fraction(120), confidence=Fraction(19, 20), planned=100)
    assert ours.verdict == verdict


# Runs

LIMITS = {
    "rate(x) >= 95 %": ({"samples": 59, "confidence": "0.95"}, lambda lab: lab.hits(59 - lab.bad, lab.bad)),
    "rate(x) <= 5 %": ({"samples": 59, "confidence": "0.95"}, lambda lab: lab.hits(lab.bad, 59 - lab.bad)),
    "failures(x) <= 1": ({"samples": 5}, lambda lab: lab.hits(5 - lab.bad, lab.bad)),
    "p95(x) <= 120 ms": (
        {"samples": 59, "confidence": "0.95"},
        lambda lab: lab.timed(*[90.0] * (59 - lab.bad), *[121.0] * lab.bad),
    ),
    "p90(x) >= 3 ms": (
        {"samples": 60, "confidence": "none", "confidence_reason": "plain"},
        lambda lab: lab.timed(*[9.5] * (60 - lab.bad * 10), *[1.0] * (lab.bad * 10)),
    ),
    "max(x) <= 10 ms": ({"samples": 4}, lambda lab: lab.timed(*[9.0] * (4 - lab.bad), *[11.0] * lab.bad)),
    "min(x) >= 2 MB": ({"samples": 4}, lambda lab: lab.values(*[3000000] * (4 - lab.bad), *[1] * lab.bad)),
    "count(x) <= 2": ({"exposure": "20 s"}, lambda lab: lab.counts((lab.bad, 10), (1, 10 - lab.short))),
    "mean(x) >= 70 %": (
        {"samples": 400, "confidence": "0.95"},
        lambda lab: lab.values(*[1] * (400 - lab.bad * 60), *[0] * (lab.bad * 60)),
    ),
    "duration(x) >= 48 h": ({}, lambda lab: lab.timed(*[172_800_000.0 - lab.bad] * (1 + lab.short))),
}


class Lab:
    """The kit's makers of samples, and how many of them are bad."""

    def __init__(self, bench, bad, short):
        self.bad, self.short = bad, short
        self.hits, self.timed, self.values, self.counts = bench.hits, bench.timed, bench.values, bench.counts


@pytest.mark.parametrize("bad", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("short", [0, 1])
@pytest.mark.parametrize("text", LIMITS)
def test_each_statistic_comes_out_alike(second_judge, make_bench, text, bad, short):
    fields, samples = LIMITS[text]
    bench = make_bench().criterion("S1.it", text, **fields)
    taken = samples(Lab(bench, bad, short))
    kept = taken[: len(taken) - short] if short and "duration" not in text else taken
    unit = {"x) >= 2 MB": "B", "x) >= 70 %": "1"}.get(text[text.index("x") :], "")
    bench.measure("S1.it", "x", kept, unit=unit, clock="monotonic", resolution_ns=1)
    agree(second_judge, bench)


@pytest.mark.parametrize("more", [1, 2, 40])
@pytest.mark.parametrize("text", LIMITS)
def test_samples_that_never_came_come_out_alike(second_judge, make_bench, text, more):
    """Announced beyond the plan: from a full plan and from a short one, good and bad."""
    fields, samples = LIMITS[text]
    unit = {"x) >= 2 MB": "B", "x) >= 70 %": "1"}.get(text[text.index("x") :], "")
    for bad, short in [(0, 0), (1, 0), (4, 0), (0, 1), (1, 2)]:
        taken = samples(Lab(make_bench(), bad, 0))
        planned, kept = len(taken) + more, taken[: len(taken) - min(short, len(taken) - 1)]
        for census in (False, True) if text.startswith(("failures", "max", "min")) else (False,):
            bench = make_bench().criterion("S1.it", text, census=census, **fields)
            bench.measure("S1.it", "x", kept, unit=unit, clock="monotonic", resolution_ns=1, planned=planned)
            agree(second_judge, bench)


def test_a_pass_that_lost_samples_could_undo_is_none(second_judge, bench):
    """The control: twenty samples are good, one was announced and never came."""
    bench.criterion("S1.it", "failures(x) <= 0", samples=20).measure("S1.it", "x", bench.hits(20), planned=21)
    found_out(second_judge, bench, "inconclusive")


def found_out(second_judge, bench, verdict):
    """Both say so, and the second finds a pass that is claimed instead."""
    agree(second_judge, bench)
    evidence = bench.evidence()
    true = judge(evidence)
    assert true.criteria[0].verdict == verdict
    claimed = msgspec.structs.replace(true.criteria[0], verdict="pass", original="pass", reason="", sentence="")
    wrong = second_judge(evidence, msgspec.structs.replace(true, criteria=(claimed, *true.criteria[1:])))[0]
    assert f"found pass for S1.it, expected {verdict}: that is what its samples give" in wrong


@pytest.mark.parametrize("consecutive", [1, 2])
@pytest.mark.parametrize("filled", [(), ("main-1",), ("main-1", "main-2"), ("main-1", "main-3"), ("", "main-1")])
@pytest.mark.parametrize("stray", [False, True])
def test_run_blocks_come_out_alike(second_judge, bench, consecutive, filled, stray):
    """Two are opened: filled or not, beside one that no record opens, and one that is only closed."""
    bench.criterion("S1.it", "failures(x) <= 0", samples=2, consecutive=consecutive)
    bench.ran("test_it", "S1.it").run("main-1", "S1.it").run("main-2", "S1.it")
    for run in filled:
        bench.measure("S1.it", "x", bench.hits(2), run=run)
    if stray:
        bench.run("main-9").records["runs_opened"].pop()
    agree(second_judge, bench)


def test_a_run_block_in_which_only_its_neighbour_was_measured_is_no_pass(second_judge, bench):
    bench.criterion("S1.it", "failures(x) <= 0", samples=2).ran("test_it", "S1.it")
    bench.run("main-1", "S1.it").run("main-2", "S1.it").measure("S1.it", "x", bench.hits(2), run="main-1")
    found_out(second_judge, bench, "not-run")


def test_a_run_block_that_no_record_opens_is_no_pass(second_judge, bench):
    bench.criterion("S1.it", "failures(x) <= 0", samples=2).measure("S1.it", "x", bench.hits(2), run="main-1")
    found_out(second_judge, bench, "invalid")


def test_a_test_that_was_to_run_next_and_was_never_collected_leaves_no_pass(second_judge, bench):
    bench.criterion("S1.it", "failures(x) <= 0", samples=2).criterion("S1.planned", planned=True)
    bench.ran("test_it", "S1.it", next=bench.node("test_gone")).measure("S1.it", "x", bench.hits(2))
    found_out(second_judge, bench, "invalid")


@pytest.mark.parametrize("state", ["present", "absent", "unknown"])
@pytest.mark.parametrize(
    "ends", [("limited", "limited"), ("limited", ""), ("limited", "assertion"), ("limited", "skip")]
)
@pytest.mark.parametrize("text", ["all-pass", "failures(x) <= 0"])
def test_tests_that_were_kept_back_come_out_alike(second_judge, bench, state, ends, text):
    bench.criterion("S1.it", text, samples=2, requires="audio.playback")
    bench.fact("audio.playback", True if state == "present" else None, state=state)
    for at, raised in enumerate(ends):
        needs = ("audio.playback",) if raised == "limited" else ()
        bench.ran(f"test_{at}", "S1.it", raised=raised, needs=needs)
        if text != "all-pass" and not raised:
            bench.measure("S1.it", "x", bench.hits(2), test=f"test_{at}")
    agree(second_judge, bench)


def test_a_control_that_did_not_fail_and_whose_test_did_is_blind(second_judge, bench):
    bench.criterion("S1.it", "failures(x) <= 0", samples=2).control("S1.it").measure("S1.it", "x", bench.hits(2))
    bench.ran("test_control", "S1.control", raised="assertion").under_fault("x", bench.hits(2), of="S1.it")
    found_out(second_judge, bench, "invalid")


@pytest.mark.parametrize(
    ("hits", "told"),
    [
        (None, "0 of 0 controls failed as they must, 1 did not run; selftest not checked"),
        ((0, 2), "1 of 1 controls failed as they must; selftest not checked"),
        ((2, 0), "0 of 1 controls failed as they must; selftest not checked"),
    ],
)
def test_a_control_that_did_not_run_is_told_apart(second_steps, bench, hits, told):
    bench.criterion("S1.it", "failures(x) <= 0", samples=2).control("S1.it").measure("S1.it", "x", bench.hits(2))
    if hits is not None:
        bench.ran("test_control", "S1.control").under_fault("x", bench.hits(*hits), of="S1.it")
    steps, wrong = second_steps(bench.evidence(), judge(bench.evidence()))
    assert (steps[10], wrong) == (["held", told], [])


def test_other_attempts_in_a_ledger_can_make_a_release_worse_and_never_better(second_judge, bench):
    bench.criterion("S1.it", "failures(x) <= 0", samples=3).measure("S1.it", "x", bench.hits(2, 1))
    evidence = bench.evidence()
    place = LedgerHead(id="sha256:" + "0" * 64, seq=1, digest="sha256:" + "0" * 64)
    registered = msgspec.structs.replace(
        evidence, bundle=msgspec.structs.replace(evidence.bundle, mode="release", ledger=place)
    )
    true = judge(evidence)
    wrong, note = second_judge(registered, true)
    assert wrong == []
    assert "; S1.it not checked (its ledger has a say)" in note
    better = msgspec.structs.replace(true.criteria[0], verdict="pass")
    wrong = second_judge(registered, msgspec.structs.replace(true, criteria=(better,)))[0]
    assert "found pass for S1.it, expected fail: that is what its samples give" in wrong


def test_what_the_selftest_says_of_a_bar_is_not_checked_and_no_pass_comes_of_it(second_judge, works):
    evidence = works.evidence()
    why = {"S1.works": "its limit lets a defect through"}
    wrong, note = second_judge(evidence, judge(evidence, why))
    assert wrong == []
    assert "; S1.works not checked (the selftest of its bar)" in note
    worse = msgspec.structs.replace(judge(evidence, why), decision="GO", permission=2)
    assert second_judge(evidence, worse)[0] == [
        "decision: found GO, expected NOT-EVALUABLE", "permission: found 2, expected 0"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ({"a": 1, "b": [1, 2]}, {"a": 1.0, "b": [1, 2.0]}),
        ({"a": 1}, {"a": True}),
        ({"a": 1}, {"a": "1"}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"y": 2, "x": 1}}),
        ({"a": 1}, {"b": 1}),
        ({}, {}),
        ({"a": 1, "b": 1, "c": 1}, {"a": 1, "b": 1, "c": 1}),
    ],
)
def test_comparisons_come_out_alike(second_judge, bench, left, right):
    bench.criterion("S1.it", "equal(x, y)", samples=2)
    bench.measure("S1.it", "x", type(bench).items(left)).measure("S1.it", "y", type(bench).items(right))
    agree(second_judge, bench)


COMPARED = {
    "equivalence(x, y) <= 5 ms": 12,
    "p80-regression(x, y) <= 5 ms": 36,
    "p50-regression(x, y) <= 5 ms": 14,
}


def in_turn(data, size):
    """Two sides of calls, mostly in turn and mostly told: each call slow, failed or odd now and then."""
    moods = [[0], [0, 0, 0, 1], [6], [60], [0, 0, 0, 1, 3, 5, 6, 60, None]]
    slow = [st.sampled_from(data.draw(st.sampled_from(moods))) for _ in range(2)]
    sides, step, clumsy = ([], []), 10**9, data.draw(st.integers(0, 3)) == 0
    for number in range(size):
        for side in (0, 1):
            ms = data.draw(slow[side])
            sent = (2 * number + (1 - side if number % 2 else side)) * step
            took = 1_000_000 + (ms or 0) * 1_000_000
            said = {"failed": "no answer"} if ms is None else {"ns": took}
            sides[side].append(said | {"sent": sent, "done": sent + took})
    if clumsy:
        side, at = data.draw(st.integers(0, 1)), data.draw(st.integers(0, size - 1))
        one, odd = sides[side][at], data.draw(st.sampled_from(["late", "untold", "off", "kind", "order"]))
        if odd == "late":
            for each in sides[side][at:]:
                each |= {"sent": each["sent"] + 100 * step, "done": each["done"] + 100 * step}
        elif odd == "untold":
            sides[side][at] = {key: said for key, said in one.items() if key not in ("sent", "done")}
        elif odd == "off" and "ns" in one:
            one["ns"] += 1
        elif odd == "kind":
            sides[side][at] = {"ok": True}
        else:
            sides[side][0], sides[side][at] = one, sides[side][0]
    return sides


@given(data=st.data())
@SETTINGS
def test_limits_on_differences_come_out_alike(second_judge, make_bench, data):
    text = data.draw(st.sampled_from(list(COMPARED)))
    size = COMPARED[text] + data.draw(st.integers(0, 12))
    bench = make_bench().criterion("S1.it", text, samples=size, confidence=data.draw(st.sampled_from(["0.9", "0.95"])))
    odd = data.draw(st.integers(0, 2)) == 0
    more = data.draw(st.sampled_from([0, 1])) if odd else 0
    resolution = data.draw(st.sampled_from([1, 200_000, 300_000])) if odd else 1
    for name, samples in zip("xy", in_turn(data, size + more), strict=True):
        kept = samples[: len(samples) - (data.draw(st.sampled_from([0, 1, 1, 60])) if odd else 0)]
        announced = data.draw(st.sampled_from([0, size, size + 1])) if odd else size
        if not odd or data.draw(st.integers(0, 9)):
            bench.measure(
                "S1.it", name, kept, unit="ms", clock="monotonic", resolution_ns=resolution, planned=announced
            )
    agree(second_judge, bench)


def test_a_growth_that_is_claimed_not_to_be_is_found(second_judge, bench):
    """The controls: a pair in turn, a series in turn, and a claim of a pass for each that is none."""
    bench.criterion("S1.it", "p80-regression(x, y) <= 5 ms", samples=40, confidence="0.95", sampling="open-loop")
    for side, name in enumerate("xy"):
        calls = [(2 * number + side) * 10**9 for number in range(40)]
        took = 90_000_000 if name == "x" else 1_000_000
        samples = [{"ns": took, "intended": at, "sent": at, "done": at + took} for at in calls]
        bench.measure("S1.it", name, samples, unit="ms", clock="monotonic", resolution_ns=1)
    found_out(second_judge, bench, "fail")


RAISED = ["", "assertion", "error", "skip", "xfail", "limited", "blocked", "lost", "crash", "exit", "timeout"]


@pytest.mark.parametrize("raised", RAISED)
@pytest.mark.parametrize("measured", [True, False])
@pytest.mark.parametrize("state", ["present", "absent", "unknown"])
def test_each_end_of_a_test_comes_out_alike(second_judge, bench, raised, measured, state):
    bench.criterion("S1.it", "failures(x) <= 0", samples=2, requires="audio.playback")
    bench.fact("audio.playback", True if state == "present" else None, state=state)
    bench.ran("test_it", "S1.it", raised=raised)
    if measured:
        bench.measure("S1.it", "x", bench.hits(2))
    agree(second_judge, bench)


@pytest.mark.parametrize("planned", [(), ("S2.a",), ("S2.a", "S2.b")])
@pytest.mark.parametrize("named", [Scope(), Scope(gates=("S1",)), Scope(narrowed=("-k x",))])
def test_a_gate_of_nothing_but_documents_is_in_scope_for_both(second_judge, bench, planned, named):
    bench.criterion("S1.it", "failures(x) <= 0", samples=2).measure("S1.it", "x", bench.hits(2))
    for name in ("S2.a", "S2.b"):
        bench.criterion(name, method="examine", document="a.md", signer="ada", planned=name in planned)
    bench.scope = named
    agree(second_judge, bench)
    gates = {"S1", "S2"} if len(planned) < 2 and not named.gates else {"S1"}
    assert {one.id for one in bench.judge().gates} == gates


@given(data=st.data())
@SETTINGS
def test_documents_come_out_alike(second_judge, make_bench, data):
    """What is asked for, what was found and what was signed of it, each right or wrong in some way."""
    bench, pick = make_bench(), lambda *words: data.draw(st.sampled_from(words))
    mostly = lambda good, *others: pick(*[good] * 6 * len(others), *others)  # noqa: E731
    fields = {
        "fidelity": pick(None, "sandbox", "live"),
        "assurance": pick(None, None, "E1"),
        "level": pick("blocker", "advisory"),
    }
    fields |= {"requires": pick(None, None, "audio.playback"), "planned": mostly(False, True)}
    bench.criterion("S1.notes", method="examine", document="a.md", signer="ada", **fields)
    bench.criterion("S1.it", "failures(x) <= 0", samples=2).measure("S1.it", "x", bench.hits(2))
    state = pick("present", "absent", "unknown")
    bench.fact("audio.playback", True if state == "present" else None, state=state)
    where = mostly({"path": "attachments/a.md", "bytes": 7, "sha256": digest(b"charter")}, {"path": ""})
    for _ in range(mostly(1, 0, 2)):
        said = ExaminationStatement(
            criterion=mostly("S1.notes", "S1.other"),
            document=mostly("a.md", "b.md"),
            bytes=mostly(7, 8),
            sha256=digest(mostly(b"charter", b"other")),
            signer=mostly("ada", "bob"),
            examined=mostly("2026-01-01T00:00:00Z", "2999-01-01T00:00:00Z"),
            rehearsal=pick(False, True),
        )
        text = render_statement(said)
        signature = mostly(armoured(blob_of(text)), armoured(blob_of(b"other")), "")
        seen = {"criterion": "S1.notes", "document": mostly("a.md", "b.md"), **where}
        bench.add("examinations", check_document(DocumentSeen(statement=text.decode(), signature=signature, **seen)))
    for change in mostly(({},), (), ({"bytes": 8},), ({"sha256": digest(b"other")},), ({"path": "attachments/b"},)):
        kept = {"path": "attachments/a.md", "bytes": 7, "sha256": digest(b"charter"), **change}
        bench.add("attached", Attached(name="a.md", media_type="", **kept))
    agree(second_judge, bench)


@given(data=st.data())
@SETTINGS
def test_whole_runs_come_out_alike(second_judge, make_bench, data):
    """Several criteria, tests, subjects, runs, controls and scopes, thrown together."""
    bench, pick = make_bench(), lambda *words: data.draw(st.sampled_from(words))
    bench.stage = pick("", "stage_b")
    bench.on(pick("sandbox", ""), pick("undeclared", "simulated", "sandbox", "staging"))
    level = pick("blocker", "advisory")
    bench.criterion(
        "S1.a",
        "failures(x) <= 0",
        samples=3,
        subjects=pick((), ("memory",)),
        fidelity=pick(None, "live"),
        assurance=pick(None, "E1", "E2"),
    )
    bench.criterion("S1.b", "rate(y) >= 50 %", samples=5, confidence="0.95", consecutive=pick(1, 2), level=level)
    bench.criterion("S2.c", "all-pass", samples=pick(1, 2))
    bench.control("S1.a")
    bench.ran("test_a", "S1.a", raised=pick(*RAISED[:6]))
    bench.measure("S1.a", "x", bench.hits(pick(2, 3), pick(0, 0, 1)), test="test_a", closed=pick(True, True, False))
    for number in range(pick(0, 1, 3)):
        bench.run(f"main-{number}", "S1.b", outcome=pick("closed", "closed", "abandoned"))
        if pick(True, True, True, False):
            run, planned = pick(f"main-{number}", f"main-{number}", f"main-{number}", "gw0-7"), pick(0, 0, 5, 7)
            bench.measure("S1.b", "y", bench.hits(pick(4, 5), pick(0, 1)), run=run, planned=planned)
    bench.ran("test_c", "S2.c", raised=pick(*RAISED), next=pick("", "", "", bench.node("test_gone")))
    if pick(True, False):
        bench.ran("test_c2", "S2.c", raised=pick(*RAISED), needs=("tool.git",))
    if pick(True, True, False):
        bench.under_fault("x", bench.hits(2, pick(0, 1)), of="S1.a", fault=pick("s.broken", "s.broken", "s.other"))
    if pick(True, False):
        bench.seen("memory", *pick((), ("start",), ("end",)), digest=pick("sha256:" + "0" * 64, "sha256:" + "1" * 64))
    if pick(True, False, False):
        bench.crash(pick("test_a", ""))
    bench.status = pick("finished", "finished", "interrupted")
    bench.errors = pick((), (), ("broken.py",))
    evidence = bench.evidence()
    assert second_judge(evidence, judge(evidence))[0] == []


def test_a_better_verdict_than_the_samples_give_is_found(second_judge, make_bench):
    """The control of all of the above: each of seven verdicts claimed to be a pass."""
    for raised, samples in [("", (2, 1)), ("", (2, 0)), ("skip", (3, 0)), ("error", (3, 0)), ("assertion", (3, 0))]:
        bench = make_bench().criterion("S1.it", "failures(x) <= 0", samples=3)
        bench.ran("test_it", "S1.it", raised=raised).measure("S1.it", "x", bench.hits(*samples))
        evidence = bench.evidence()
        true = judge(evidence)
        assert true.criteria[0].verdict != "pass" or (raised, samples) == ("", (3, 0))
        claimed = msgspec.structs.replace(true.criteria[0], verdict="pass", original="pass", reason="", sentence="")
        wrong = second_judge(evidence, msgspec.structs.replace(true, criteria=(claimed,)))[0]
        assert any(sentence.startswith("found pass for S1.it, expected") for sentence in wrong), (raised, samples)


@pytest.mark.parametrize(
    "field", ["decision", "permission", "partial", "run", "plan", "rules", "target", "counts", "tests"]
)
def test_whatever_else_the_summary_claims_is_held_against_the_records(second_judge, works, field):
    evidence = works.evidence()
    false = {"decision": "NO-GO", "permission": 1, "partial": True, "counts": {}, "tests": {}}.get(field, "x")
    wrong = second_judge(evidence, msgspec.structs.replace(judge(evidence), **{field: false}))[0]
    assert [sentence.partition(":")[0] for sentence in wrong] == [field]


def test_a_limit_that_does_not_mean_what_its_text_says_is_no_bar(second_judge, works):
    evidence = works.evidence()
    plan = copy.deepcopy(evidence.plan)
    (first, *rest) = plan.gates[0].criteria
    weaker = msgspec.structs.replace(first, limits=(msgspec.structs.replace(first.limits[0], bound="9"),))
    gate = msgspec.structs.replace(plan.gates[0], criteria=(weaker, *rest))
    changed = msgspec.structs.replace(evidence, plan=msgspec.structs.replace(plan, gates=(gate,)))
    (wrong,), _ = second_judge(changed, judge(changed))
    assert "does not mean what its text says" in wrong


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("audio.playback", False),
        ("tool.git", True),
        ("memory >= 64 GiB", False),
        ("memory >= 2 GiB", True),
        ("memory > 4 GiB", False),
        ("memory >= 2 GiB and tool.git", True),
        ("memory >= 2 GiB and audio.playback", False),
        ("memory >= 2 s", None),
        ("cpu.cores >= 2", None),
        ("os.name == 3", None),
    ],
)
def test_requirements_are_judged_on_the_facts(verdicts, text, met):
    facts = {
        "audio.playback": {"state": "absent", "value": None, "unit": None},
        "tool.git": {"state": "present", "value": True, "unit": None},
        "memory": {"state": "present", "value": 4 * 2**30, "unit": "B"},
        "cpu.cores": {"state": "unknown", "value": None, "unit": None},
        "os.name": {"state": "present", "value": "linux", "unit": None},
    }
    assert verdicts.met(text, facts) is met


@pytest.mark.parametrize("text", ["not tool.git", "tool.git or audio.playback", "(tool.git)", 'os.name == "linux"'])
def test_requirements_that_it_does_not_read_are_left(verdicts, text):
    with pytest.raises(verdicts.Left, match="requirement"):
        verdicts.met(text, {})


# Judging over time


@pytest.mark.parametrize(
    "fields", [{"sequential": "70 %"}, {"sequential": "100 %"}, {"confidence": "none", "confidence_reason": "why"}]
)
def test_a_sequential_plan_that_no_reader_takes_is_no_bar(second_judge, works, bench, fields):
    bench.criterion("S1.it", "rate(x) >= 80 %", samples=20, **{"confidence": "0.95", "sequential": "95 %", **fields})
    evidence = bench.measure("S1.it", "x", bench.hits(20)).evidence()
    assert any("after every sample" in one for one in second_judge(evidence, judge(works.evidence()))[0])


def test_a_claimed_pass_of_an_undecided_plan_is_found(second_judge, make_bench):
    """The control: the summary of a plan that decided, beside the samples of one that did not."""
    benches = [
        make_bench().criterion("S1.it", "rate(x) >= 80 %", samples=50, confidence="0.95", sequential="95 %")
        for _ in range(2)
    ]
    decided, undecided = (
        bench.measure("S1.it", "x", bench.hits(number)).evidence()
        for bench, number in zip(benches, (18, 17), strict=True)
    )
    assert second_judge(decided, judge(decided))[0] == []
    assert any("expected inconclusive" in one for one in second_judge(undecided, judge(decided))[0])


@given(
    pieces=st.lists(st.tuples(st.booleans(), st.integers(1, 60)), min_size=1, max_size=5),
    more=st.integers(0, 3),
)
@SETTINGS
def test_sequential_plans_come_out_alike(second_judge, make_bench, pieces, more):
    bench = make_bench()
    bench.criterion("S1.it", "rate(x) >= 80 %", samples=200, confidence="0.95", sequential="95 %")
    taken = [{"ok": ok} for ok, number in pieces for _ in range(number)]
    bench.measure("S1.it", "x", taken, planned=200 + more if more else 0)
    agree(second_judge, bench)


@given(events=st.integers(0, 40), hours=st.sampled_from([0, 1, 9.5, 10, 10.5, 40]), plain=st.booleans())
@SETTINGS
def test_events_per_exposure_come_out_alike(second_judge, make_bench, events, hours, plain):
    bench = make_bench()
    sure = {"confidence": "none", "confidence_reason": "plain"} if plain else {"confidence": "0.95"}
    bench.criterion("S1.it", "count-rate(x) <= 2 per h", exposure="600 min", **sure)
    bench.measure("S1.it", "x", bench.counts((0, hours * 30), (events, hours * 30)))
    agree(second_judge, bench)


@given(
    bad=st.lists(st.integers(0, 6), min_size=1, max_size=4),
    short=st.integers(0, 3),
    outcome=st.sampled_from(["closed", "closed", "abandoned"]),
    process=st.sampled_from(["main", "gw0"]),
)
@SETTINGS
def test_pooled_rows_come_out_alike(second_judge, make_bench, bad, short, outcome, process):
    bench = make_bench()
    bench.criterion("S1.it", "rate(x) >= 80 %", samples=12, confidence="0.95", consecutive=2, combine="pooled")
    for at, number in enumerate(bad):
        run = f"{process if at == 1 else 'main'}-{at}"
        bench.run(run, "S1.it", outcome=outcome if at == 2 else "closed")
        bench.measure("S1.it", "x", bench.hits(12 - number - (at == short), number), run=run)
    agree(second_judge, bench)
