"""Controls: a check that must fail under its fault, or nothing that it guards counts."""

import pytest

GUARDED = 'failures\nlimit = "failures(query) <= 0"\nsamples = 10\nsubjects = ["store"]'
CONTROL = 'control\ncontrol = { of = "S1.failures", fault = "drop" }'

TEST = """
def queries(m, target):
    for n in range(10):
        m.check(target.store.ask("query", number=n)["found"], "nothing found")

@pytest.mark.criterion("S1.failures")
def test_failures(spiral):
    with spiral.measure("query") as m:
        queries(m, spiral.target)

@pytest.mark.criterion("S1.control")
def test_control(spiral):
    with spiral.control() as target, spiral.measure("query") as m:
        queries(m, target)
"""


@pytest.fixture
def guarded(lab, fake_target):
    """A gate with a control, and tests that query the fake target."""
    lab.gates(GUARDED, CONTROL, head="")
    lab.test(TEST)
    return lab


def test_a_control_that_fails_under_its_fault_passes(guarded, way):
    ran = guarded.run("--spiral-target=fake", *way)
    assert ran.verdicts == {"S1.failures": "pass", "S1.control": "pass"}, ran.out
    assert ran.decision == "GO"
    assert ran.status == 0


def test_a_control_that_does_not_fail_is_a_fail_and_makes_what_it_guards_invalid(guarded, way):
    guarded.test(TEST.replace('m.check(target.store.ask("query", number=n)["found"], "nothing found")', "m.hit()"))
    ran = guarded.run("--spiral-target=fake", *way)
    assert ran.verdicts == {"S1.failures": "invalid", "S1.control": "fail"}
    assert ran.criterion("S1.failures").reason == "control-did-not-fail"
    assert ran.status == 1
    assert ran.verified == 1


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        ("pass", "not-run"),
        ("pytest.skip('no time')", "not-run"),
        ("with spiral.control(): pass", "not-run"),
        ("with spiral.measure('query') as m: queries(m, spiral.target)", "not-run"),
        ("with spiral.control(): raise RuntimeError('no start')", "not-run"),
    ],
)
def test_a_control_that_never_measured_under_the_fault_is_not_run(guarded, body, verdict):
    head, _, _ = TEST.partition("    with spiral.control()")
    guarded.test(f"{head}    {body}\n")
    ran = guarded.run("--spiral-target=fake")
    assert ran.verdicts["S1.control"] == verdict
    assert ran.decision == "NO-GO"
    assert ran.status == 1


def test_what_is_measured_under_the_fault_does_not_count_for_the_guarded_criterion(guarded):
    ran = guarded.run("--spiral-target=fake")
    found = ran.criterion("S1.failures").limits[0]
    assert (found.samples, found.failed) == (10, 0)
    assert [one.control for one in ran.evidence.measurements] == ["", "S1.control"]


def test_a_fault_on_the_target_itself_makes_the_criterion_fail(guarded):
    ran = guarded.run("--spiral-target=fake", "--spiral-fault=drop")
    assert ran.verdicts["S1.failures"] == "fail"
    assert ran.evidence.bundle.target.faults == ("drop",)
    assert ran.status == 1


def test_a_control_cannot_be_opened_by_a_test_that_claims_none(guarded):
    guarded.test(TEST.replace('criterion("S1.control")', 'criterion("S1.failures")'))
    ran = guarded.run("--spiral-target=fake")
    assert "opens a control and claims 0 criteria that are one" in ran.out
    assert ran.verdicts["S1.control"] == "not-run"
    assert ran.status == 1
