"""What a criterion must state: each fault is found, each has a remedy, and a plan that no reader takes is no bar."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_spiral.model.gate import Control, Criterion, Gate, Limit, Plan
from pytest_spiral.rules.criteria import control_faults, criterion_faults, plan_faults
from pytest_spiral.rules.limits import parse_limit


def criterion(*limits, name="S1.it", **fields):
    """A criterion with those limits."""
    parsed = tuple(parse_limit(one) if isinstance(one, str) else one for one in limits)
    return Criterion(id=name, limits=parsed, **fields)


def examined(**fields):
    """A document that a person examines."""
    return criterion(**{"method": "examine", "document": "charter.md", "signer": "owner", **fields})


def found(one):
    """(key, problem) of each fault; every fault has a remedy."""
    faults = list(criterion_faults(one))
    assert all(fault.remedy and one.id in fault.problem for fault in faults)
    return [(fault.key, fault.problem.removeprefix(one.id).lstrip(": ")) for fault in faults]


LATENCY = "p95(search) <= 120 ms"
REGRESSION = "p95-regression(mixed, alone) <= 25 ms"
SOUND = [
    criterion(LATENCY, samples=59, confidence="0.95"),
    criterion(LATENCY, samples=59, confidence="0.95", margin="10 ms", warm_up=5, blocks=20, sampling="open-loop"),
    criterion("rate(boot) >= 95 %", samples=208, confidence="0.95", consecutive=3, fidelity="staging"),
    criterion("rate(boot) >= 95 %", samples=1, confidence="none", confidence_reason="a first look"),
    criterion("mean(recall) >= 95 %", samples=174, confidence="0.95"),
    criterion("failures(query) <= 0", samples=1, census=True),
    criterion("count(dropouts) <= 0", exposure="20 s"),
    criterion("duration(window) >= 48 h", requires="clock.trusted"),
    criterion("equal(a, b)", samples=5, census=True),
    criterion("all-pass", samples=5, tests=("tests/old",)),
    criterion("equivalence(grpc, rest) <= 5 ms", samples=5, confidence="0.95", warm_up=3, consecutive=2, margin="1 ms"),
    criterion(REGRESSION, samples=143, confidence="0.95", sampling="open-loop"),
    criterion(
        "failures(query) <= 0", msgspec.structs.replace(parse_limit("min(items) >= 1 items"), samples=2), samples=9
    ),
    criterion(control=Control(of="S1.works", fault="s.broken")),
    criterion(method="examine", document="docs/charter.md", signer="owner@example.org"),
    criterion(method="examine", document="charter.md", signer="owner", fidelity="live", inputs=("docs/*.md",)),
    criterion(method="examine", planned=True),
    criterion(planned=True),
    criterion(planned=True, samples=5, exposure="20 s", census=True, fidelity="live"),
]


@pytest.mark.parametrize("one", SOUND)
def test_a_criterion_that_can_be_judged_has_no_fault(one):
    assert found(one) == []


@pytest.mark.parametrize(
    ("one", "key", "words"),
    [
        (criterion(), "", "must have exactly one of"),
        (criterion("all-pass", samples=1, method="examine"), "", "must have exactly one of"),
        (criterion("all-pass", samples=1, control=Control(of="S1.x", fault="f")), "", "must have exactly one of"),
        (criterion("failures(a) <= 0", samples=1, tests=("tests",)), "tests", "binds tests, so its limit is all-pass"),
        (criterion("all-pass", "failures(a) <= 0", samples=1, tests=("tests",)), "tests", "binds tests"),
        (criterion("failures(a) <= 0"), "limit", "says not how many samples"),
        (criterion("equal(a, b)", census=True), "limit", "says not how many samples"),
        (criterion("all-pass"), "limit", "says not how many samples"),
        (criterion("failures(a) <= 0", samples=0), "samples", "plans 0 samples"),
        (criterion("failures(a) <= 0", samples=10_000_001), "samples", "plans 10000001 samples"),
        (criterion("count(a) <= 0"), "limit", "counts, and says not over how much"),
        (criterion(LATENCY, samples=59, confidence="0.95", blocks=19), "blocks", "has 19 blocks"),
        (criterion(LATENCY, samples=59), "limit", "declares no confidence"),
        (criterion("failures(a) <= 0", samples=1, confidence="0.95"), "confidence", "none of its limits uses one"),
        (criterion(LATENCY, samples=59, confidence="none"), "confidence", "says not why"),
        (criterion(REGRESSION, confidence="0.95"), "limit", "says not how many samples"),
        (criterion(REGRESSION, samples=200), "limit", "declares no confidence"),
        (
            criterion(REGRESSION, samples=200, confidence="none", confidence_reason="x"),
            "confidence",
            "has no confidence to draw it at",
        ),
        (criterion(REGRESSION, samples=200, confidence="0.95", blocks=20), "blocks", "has `blocks`"),
        (criterion(REGRESSION, samples=200, confidence="0.95", census=True), "census", "has `census`"),
        (criterion(REGRESSION, samples=200, confidence="0.95", margin="1 MB"), "margin", "cannot be converted"),
        (criterion("equivalence(a, b) <= 5 ms", samples=9, confidence="0.95", sampling="open-loop"), "sampling", "has"),
        (criterion(LATENCY, samples=59, confidence="0.95", confidence_reason="x"), "confidence_reason", "and has one"),
        (criterion("failures(a) <= 0", samples=1, exposure="20 s"), "exposure", "has `exposure`"),
        (criterion("failures(a) <= 0", samples=1, blocks=20), "blocks", "has `blocks`"),
        (criterion("failures(a) <= 0", samples=1, sampling="open-loop"), "sampling", "has `sampling`"),
        (criterion("rate(a) >= 50 %", samples=9, confidence="0.95", census=True), "census", "has `census`"),
        (criterion("all-pass", samples=1, warm_up=1), "warm_up", "has `warm_up`"),
        (criterion("all-pass", samples=1, consecutive=2), "consecutive", "has `consecutive`"),
        (examined(samples=1), "samples", "has `samples`"),
        (examined(subjects=("store",)), "subjects", "has `subjects`"),
        (examined(document=None), "method", "names no document"),
        (examined(signer=None), "method", "says not by whom"),
        (examined(signer="@ops-team"), "signer", "is no plain name"),
        (examined(signer="a b"), "signer", "is no plain name"),
        (examined(document="/etc/passwd"), "document", "is no path below the root folder"),
        (examined(document="../charter.md"), "document", "is no path below the root folder"),
        (examined(document="docs/./charter.md"), "document", "is no path below the root folder"),
        (examined(document="docs//charter.md"), "document", "is no path below the root folder"),
        (examined(document="docs/*.md"), "document", "is no path below the root folder"),
        (examined(document="docs\\charter.md"), "document", "is no path below the root folder"),
        (examined(document=" charter.md"), "document", "is no path below the root folder"),
        (examined(document="a\x1b[2J.md"), "document", "is no path below the root folder"),
        (examined(document="a\x9b2J.md"), "document", "holds a character that does not print"),
        (examined(document="a\u202edm.md"), "document", "holds a character that does not print"),
        (examined(document="a" * 300), "document", "has more than 240 bytes"),
        (examined(document="é" * 130), "document", "has more than 240 bytes"),
        (examined(document="profile"), "document", "is called as the machine is among `inputs`"),
        (criterion("all-pass", samples=1, document="charter.md"), "document", "has `document`"),
        (criterion("all-pass", samples=1, signer="owner"), "signer", "has `signer`"),
        (criterion(control=Control(of="S1.x", fault="f"), samples=1), "samples", "has `samples`"),
        (criterion(control=Control(of="S1.x", fault="f"), fidelity="live"), "fidelity", "has `fidelity`"),
        (criterion(control=Control(of="S1.x", fault="f"), assurance="E2"), "assurance", "has `assurance`"),
        (criterion("failures(a) <= 0", samples=1, margin="1 ms"), "margin", "has `margin`"),
        (criterion(LATENCY, samples=59, confidence="0.95", margin="1 MB"), "margin", "cannot be converted"),
        (criterion(LATENCY, samples=58, confidence="0.95"), "samples", "58 samples can never prove"),
        (criterion("rate(a) >= 95 %", samples=58, confidence="0.95"), "samples", "58 samples can never prove"),
        (criterion("rate(a) <= 5 %", samples=58, confidence="0.95"), "samples", "58 samples can never prove"),
        (criterion("rate(a) >= 100 %", samples=58, confidence="0.95"), "samples", "58 samples can never prove"),
        (criterion("mean(a) >= 95 %", samples=20, confidence="0.95"), "samples", "20 samples can never prove"),
        (criterion("mean(a) >= 100 %", samples=20, confidence="0.95"), "samples", "20 samples can never prove"),
    ],
    ids=lambda one: one if isinstance(one, str) else None,
)
def test_what_keeps_a_criterion_from_being_judged_is_found(one, key, words):
    assert [(at, problem) for at, problem in found(one) if at == key and words in problem], found(one)


@pytest.mark.parametrize(
    ("limit", "samples", "remedy"),
    [
        (LATENCY, 10, "take at least 59"),
        ("p50(search) >= 1 ms", 2, "take at least 5"),
        ("rate(a) >= 95 %", 1, "take at least 59"),
        ("rate(a) <= 5 %", 1, "take at least 59"),
        ("mean(a) >= 95 %", 10, "take at least 174"),
        (REGRESSION, 100, "take at least 143"),
        ("p99-regression(a, b) <= 5 ms", 100, "take at least 735"),
        ("equivalence(a, b) <= 5 ms", 4, "take at least 5"),
        ("rate(a) >= 100 %", 10, "lower the limit; no number of samples can"),
        ("rate(a) >= 99.99999999 %", 10, "lower the limit; no number of samples can"),
    ],
)
def test_an_impossible_plan_says_what_would_do(limit, samples, remedy):
    (fault,) = criterion_faults(criterion(limit, samples=samples, confidence="0.95"))
    assert fault.remedy == remedy


@pytest.mark.parametrize(
    "limit",
    [
        LATENCY,
        "p50(search) >= 1 ms",
        "rate(a) >= 95 %",
        "rate(a) <= 5 %",
        "mean(a) >= 95 %",
        REGRESSION,
        "equivalence(a, b) <= 5 ms",
    ],
)
def test_what_is_said_to_do_does_and_one_less_does_not(limit):
    (fault,) = criterion_faults(criterion(limit, samples=2, confidence="0.95"))
    least = int(fault.remedy.rpartition(" ")[2])
    assert found(criterion(limit, samples=least, confidence="0.95")) == []
    assert found(criterion(limit, samples=least - 1, confidence="0.95"))


@given(
    st.sampled_from(
        [LATENCY, "p99(search) <= 1 s", "rate(boot) >= 95 %", "rate(late) <= 10 %", "mean(recall) >= 90 %"]
    ),
    st.integers(1, 400),
    st.sampled_from(["0.5", "0.9", "0.95", "0.99"]),
)
def test_a_plan_that_is_taken_can_be_passed_and_one_that_is_refused_cannot(make_bench, limit, samples, confidence):
    one = criterion(limit, samples=samples, confidence=confidence)
    bench = make_bench()
    bench.criteria.append(one)
    best = {"p": bench.values(*[1] * samples), "m": bench.values(*[1] * samples), "r": bench.hits(samples)}[limit[0]]
    if limit.startswith("rate(late)"):
        best = bench.hits(0, samples)
    name = limit.partition("(")[2].partition(")")[0]
    bench.measure("S1.it", name, best, unit="ms" if limit[0] == "p" else "1" if limit[0] == "m" else "")
    assert (bench.judged("S1.it").verdict == "pass") is (found(one) == [])


@pytest.mark.parametrize(
    ("limit", "least"),
    [("equivalence(a, b) <= 5 MB", 5), ("p80-regression(a, b) <= 5 MB", 33), ("p50-regression(a, b) <= 5 MB", 12)],
)
def test_a_comparison_that_is_taken_can_be_passed_and_one_that_is_refused_cannot(make_bench, limit, least):
    for samples in range(1, 2 * least):
        one = criterion(limit, samples=samples, confidence="0.95")
        bench = make_bench()
        bench.criteria.append(one)
        for name in "ab":
            bench.measure("S1.it", name, bench.values(*[1] * samples), unit="MB")
        assert (bench.judged("S1.it").verdict == "pass") is (found(one) == []) is (samples >= least)


# controls


WORKS = criterion("failures(work) <= 0", name="S1.works", samples=1)


def control(of="S1.works", **fields):
    return criterion(name="S1.control", control=Control(of=of, fault="s.broken"), **fields)


@pytest.mark.parametrize(
    ("criteria", "key", "words"),
    [
        ((WORKS, control("S1.gone")), "control", "S1.control controls 'S1.gone'"),
        ((WORKS, control("S1.control")), "control", "no criterion of S1 with a limit"),
        ((criterion("all-pass", name="S1.works", samples=1), control()), "control", "no criterion of S1 with a limit"),
        ((WORKS, control(level="advisory")), "level", "S1.control is advisory, and S1.works"),
    ],
)
def test_a_control_that_guards_nothing_is_a_fault(criteria, key, words):
    ((at, fault),) = control_faults(Gate(id="S1", stage="", criteria=criteria))
    assert (at, fault.key) == (1, key)
    assert words in fault.problem
    assert fault.remedy


@pytest.mark.parametrize("level", ["blocker", "advisory"])
def test_a_control_of_its_own_weight_or_more_is_sound(level):
    guarded = msgspec.structs.replace(WORKS, level="advisory")
    assert not list(control_faults(Gate(id="S1", stage="", criteria=(guarded, control(level=level)))))


# plans


def plan(*criteria, gate="S1"):
    return Plan(gates=(Gate(id=gate, stage="", criteria=criteria),))


def test_a_plan_that_the_gates_reader_takes_is_a_bar():
    assert plan_faults(plan(WORKS, control(), *(one for one in SOUND[:1]))) == ()


LIMIT = parse_limit(LATENCY)


@pytest.mark.parametrize(
    ("criteria", "words"),
    [
        ((WORKS, WORKS), "S1.works stands twice."),
        ((criterion("failures(a) <= 0", name="T1.it", samples=1),), "T1.it does not belong to gate S1."),
        ((WORKS, control("S1.gone")), "S1.control controls 'S1.gone'"),
        ((criterion("failures(a) <= 0"),), "says not how many samples"),
        ((criterion(msgspec.structs.replace(LIMIT, bound="1200"), samples=59, confidence="0.95"),), "does not mean"),
        ((criterion(msgspec.structs.replace(LIMIT, text="p95"), samples=59, confidence="0.95"),), "is not understood"),
        ((criterion(Limit(text="x", statistic="count-rate"), samples=1),), "is not understood"),
        ((criterion("count(a) <= 0", exposure="long"),), "`exposure` 'long' is no quantity above zero."),
        ((criterion("count(a) <= 0", exposure="0 s"),), "`exposure` '0 s' is no quantity above zero."),
        ((criterion(LIMIT, samples=59, confidence="0.95", margin="-1 ms"),), "`margin` '-1 ms' is no quantity"),
        ((criterion(LIMIT, samples=59, confidence="high"),), "'high' is no confidence."),
        ((criterion(LIMIT, samples=59, confidence="0.4"),), "'0.4' is no confidence."),
        ((criterion(LIMIT, samples=59, confidence="1"),), "'1' is no confidence."),
        ((criterion(LIMIT, samples=59, confidence="nan"),), "'nan' is no confidence."),
        ((criterion(LIMIT, samples=59, confidence="0.95", fidelity="real"),), "'real' is no fidelity."),
        ((criterion(LIMIT, samples=59, confidence="0.95", warm_up=-1),), "is below what there can be."),
        ((criterion(LIMIT, samples=59, confidence="0.95", blocks=-1),), "is below what there can be."),
        ((criterion(LIMIT, samples=59, confidence="0.95", consecutive=0),), "is below what there can be."),
        ((criterion(LIMIT, samples=59, confidence="0.95", requires="audio >="),), "is no requirement."),
    ],
)
def test_a_plan_that_no_reader_takes_is_no_bar(criteria, words):
    faults = plan_faults(plan(*criteria))
    assert any(words in one for one in faults), faults
