"""The system under test: found by name, lost once, blocking what depends on it, and never above what it shows."""

import json

import pytest

LATENCY = 'latency\nlimit = "failures(query) <= 0"\nsamples = 3\nsubjects = ["store"]'
FAKE = "--spiral-target=fake"


def asking(word, before="pass", name=None):
    """A test that queries the store, after a line of its own."""
    return f"""
@pytest.mark.criterion("S1.{word}")
def test_{name or word}(spiral):
    {before}
    with spiral.measure("query") as m:
        for n in range(3):
            m.check(spiral.target.store.ask("query", number=n)["found"])
"""


def gate(lab, *words):
    lab.gates(*(LATENCY.replace("latency", word) for word in words))


@pytest.mark.usefixtures("fake_target")
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--spiral-target=fakke"], ["there is no target 'fakke'", "did you mean 'fake'?"]),
        ([FAKE, "--spiral-fault=dorp"], ["target 'fake' does not start", "there is no fault 'dorp'", "drop"]),
        ([FAKE, "--spiral-fault=no-start"], ["target 'fake' does not start", "the port is taken"]),
        (["--spiral-target=broken"], ["target 'broken' cannot be loaded", "no_such_module", "pip install"]),
    ],
)
def test_a_target_that_cannot_be_started_is_wrong_use(lab, options, words):
    gate(lab, "latency")
    lab.test(asking("latency"))
    for evidence in (True, False):
        ran = lab.run(*options, evidence=evidence)
        assert ran.status == 4
        assert all(word in ran.line("target") for word in words), ran.out
        assert ran.bundle is None


@pytest.mark.usefixtures("fake_target")
def test_a_component_that_does_not_come_up_leaves_its_criteria_not_run(lab, way):
    gate(lab, "latency")
    lab.test(asking("latency"))
    ran = lab.run(FAKE, "--spiral-fault=late", *way)
    assert ran.verdicts["S1.latency"] in ("not-run", "invalid")
    assert "store did not come up" in ran.out
    assert ran.status == 1


@pytest.mark.usefixtures("fake_target")
def test_a_target_that_dies_is_lost_once_and_blocks_what_needs_it(lab, way):
    gate(lab, "before", "during", "after")
    lab.test(
        asking("before")
        + asking("during", 'spiral.target.store.ask("die")')
        + asking("after")
        + "def test_other(): pass\n"
    )
    ran = lab.run(FAKE, *way)
    assert set(ran.verdicts.values()) == {"not-run"}
    assert {one.id.partition(".")[2]: one.reason for one in ran.judgement.criteria} == {
        "before": "target-lost",  # nobody saw at the end what it was
        "during": "target-lost",
        "after": "blocked",
    }
    assert [(lost.subject, lost.test) for lost in ran.evidence.lost] == [("store", "test_gate.py::test_during")]
    assert ran.outcomes == {"failed": 1, "passed": 2, "blocked": 1}
    assert ran.decision == "NO-GO"
    assert ran.status == 1


@pytest.mark.usefixtures("fake_target")
def test_a_target_that_dies_after_the_last_sample_is_lost_all_the_same(lab):
    gate(lab, "before", "after")
    lab.test(
        asking("before")
        + """
    child = spiral.target._subjects["store"][0].child
    child.kill()
    child.wait()
"""
        + asking("after")
    )
    ran = lab.run(FAKE)
    assert [lost.subject for lost in ran.evidence.lost] == ["store"]
    assert ran.outcomes == {"passed": 1, "blocked": 1}
    assert set(ran.verdicts.values()) == {"not-run"}
    assert ran.status == 1


@pytest.mark.usefixtures("fake_target")
def test_plain_pytest_blocks_after_a_loss_too(lab):
    gate(lab, "during", "after")
    lab.test(asking("during", 'spiral.target.store.ask("die")') + asking("after"))
    assert lab.run(FAKE, evidence=False).outcomes == {"failed": 1, "blocked": 1}


@pytest.mark.usefixtures("fake_target")
def test_a_test_can_say_that_it_is_blocked(lab, way):
    gate(lab, "latency", "other")
    lab.test(asking("latency") + asking("other", 'spiral.blocked("the corpus cannot be loaded")'))
    ran = lab.run(FAKE, *way)
    assert ran.outcomes == {"passed": 1, "blocked": 1}
    assert ran.criterion("S1.other").reason == "blocked"
    assert "the corpus cannot be loaded" in ran.criterion("S1.other").sentence
    assert ran.decision == "NO-GO"
    assert ran.status == 1


@pytest.mark.usefixtures("fake_target")
def test_a_subject_below_its_registered_level_makes_its_criteria_invalid(lab):
    gate(lab, "latency")
    lab.test(asking("latency"))
    ran = lab.run("--spiral-target=boaster")
    found = ran.criterion("S1.latency")
    assert (str(found.verdict), found.reason) == ("invalid", "fidelity-below-registered")
    assert "store is undeclared, not live" in found.sentence
    assert ran.status == 1


@pytest.mark.usefixtures("fake_target")
def test_a_declared_subject_that_nobody_touched_makes_its_criteria_invalid(lab):
    gate(lab, "latency")
    lab.test(
        '@pytest.mark.criterion("S1.latency")\ndef test_a(spiral):\n    with spiral.measure("query") as m:\n        for n in range(3): m.hit()\n'
    )
    ran = lab.run(FAKE)
    assert ran.criterion("S1.latency").reason == "subject-unseen"
    assert ran.status == 1


def test_a_test_that_needs_a_target_where_none_is_named_says_so(lab):
    gate(lab, "latency")
    lab.test(asking("latency"))
    ran = lab.run()
    assert ran.verdicts["S1.latency"] in ("not-run", "invalid")
    assert "this test needs a target, and none is named" in ran.out
    assert "--spiral-target" in ran.out


@pytest.mark.usefixtures("fake_target")
def test_a_target_can_be_named_in_the_ini_and_overruled(lab):
    gate(lab, "latency")
    lab.test(asking("latency"))
    lab.write("pytest.ini", "[pytest]\nspiral_target = boaster\n")
    assert lab.run().judgement.target == "boaster"
    assert lab.run(FAKE).decision == "GO"


@pytest.mark.usefixtures("fake_target")
def test_every_subject_is_seen_at_the_start_and_at_the_end(lab, way):
    gate(lab, "latency")
    lab.test(asking("latency"))
    ran = lab.run(FAKE, *way)
    assert [(one.subject, one.when) for one in ran.evidence.subjects] == [("store", "start"), ("store", "end")]
    assert ran.decision == "GO"


@pytest.mark.usefixtures("fake_target")
def test_a_target_without_evidence_is_started_and_stopped_too(lab):
    gate(lab, "latency")
    lab.test(
        asking("latency")
        + "\ndef test_children():\n    import psutil\n    names = [one.name() for one in psutil.Process().children()]\n    assert names.count('cat') == 1\n"
    )
    assert lab.run(FAKE, evidence=False).outcomes == {"passed": 2}


SPOKEN = """
import json

import pytest
from pytest_spiral.errors import ExchangeError
from pytest_spiral.model.exchange import Request

HEALTH = Request(operation="health", payload={"service": "operator_api"}, deadline_s=10.0)

def ask(transport):
    with pytest.raises(ExchangeError) as refused:  # a call without a credential is a call
        transport.exchange(HEALTH)
    return refused.value.code == "unauthenticated"

@pytest.mark.criterion("S1.latency")
def test_a(spiral, grpc_transport):
    with spiral.measure("query") as m:
        for n in range(3): m.check(ask(grpc_transport("connectors", "operator_api")))

@pytest.mark.criterion("S1.both")
def test_b(spiral, rest_transport, grpc_transport):
    with spiral.measure("query") as m:
        for n in range(3): m.check(ask(rest_transport("connectors", "operator_api")))
        ask(grpc_transport("connectors", "operator_api"))

@pytest.mark.criterion("S1.silent")
def test_c(spiral, rest_transport):
    ask(rest_transport("connectors", "operator_api"))
    with spiral.measure("query") as m:
        for n in range(3): m.hit()
"""


def test_each_criterion_says_over_which_transports_it_was_measured(lab):
    lab.gates(
        *(LATENCY.replace("latency", word).replace("store", "connectors") for word in ("latency", "both", "silent"))
    )
    lab.test(SPOKEN)
    ran = lab.run("--spiral-target=sandbox")
    assert set(ran.verdicts.values()) == {"pass"}, ran.out
    closed = {one.criteria[0]: one.transports for one in ran.evidence.measurements}
    assert closed == {"S1.latency": ("grpc",), "S1.both": ("grpc", "rest"), "S1.silent": ()}
    assert allure_parameter(ran.bundle, "transport") == {"S1.latency": "grpc", "S1.both": "grpc, rest"}


def allure_parameter(bundle, name):
    """Criterion id to the value of that parameter, where its Allure result has it."""
    results = [json.loads(path.read_bytes()) for path in (bundle / "allure-results").glob("*-result.json")]
    return {
        one["fullName"]: parameter["value"]
        for one in results
        for parameter in one["parameters"]
        if parameter["name"] == name and one["fullName"].startswith("S1.")
    }
