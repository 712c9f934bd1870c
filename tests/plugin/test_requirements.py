"""What a machine lacks is a condition only where it was declared; what cannot be known fails closed."""

import pytest

LATENCY = 'latency\nlimit = "max(search) <= 120 ms"\nsamples = 1'
NEEDY = LATENCY.replace("latency", "needy") + "\nrequires = "
ABSENT = "module.no_such_module_at_all"


def measuring(*criteria, value=1, name="test_a", marks=""):
    """A test that claims these criteria and delivers."""
    ids = ", ".join(f'"S1.{one}"' for one in criteria)
    claim = f"@pytest.mark.criterion({ids})\n" if criteria else ""
    return f"""
{marks}
{claim}def {name}(spiral):
    with spiral.measure("search", unit="ms") as m:
        m.value({value})
"""


def needing(lab, requires):
    """A gate with a criterion that passes here and one that requires something."""
    lab.gates(LATENCY, NEEDY + f"'{requires}'")
    lab.test(measuring("latency") + measuring("needy", name="test_b"))


def test_an_unmet_declared_requirement_is_a_condition_and_has_its_own_word(lab, way):
    needing(lab, ABSENT)
    ran = lab.run(*way)
    assert ran.verdicts == {"S1.latency": "pass", "S1.needy": "environment-limited"}
    assert ran.decision == "CONDITIONAL GO"
    assert ran.status == 0
    assert ran.outcomes == {"passed": 1, "environment-limited": 1}
    (debt,) = ran.judgement.debts
    assert (debt.criterion, debt.requirement, debt.cause, debt.owner) == ("S1.needy", ABSENT, "environment", "@owner")
    assert ran.checked.status("go") == 1


@pytest.mark.parametrize("requires", ["memory >= 1000000 GiB", "accelerator", "cpu.cores >= 100000"])
def test_missing_hardware_is_called_hardware_required(lab, requires):
    needing(lab, requires)
    ran = lab.run()
    assert ran.outcomes == {"passed": 1, "hardware-required": 1}
    assert ran.criterion("S1.needy").cause == "hardware"
    assert ran.decision == "CONDITIONAL GO"


@pytest.mark.parametrize(
    "requires", ["memory >= 1 MiB", "tool.ls", "module.json and not " + ABSENT, 'os.name == "Linux"']
)
def test_a_requirement_that_is_met_changes_nothing(lab, requires):
    needing(lab, requires)
    ran = lab.run()
    assert ran.decision == "GO"
    assert ran.outcomes == {"passed": 2}


def test_a_fail_stays_a_fail_whatever_else_is_missing(lab):
    lab.gates(LATENCY, NEEDY + f"'{ABSENT}'")
    lab.test(measuring("latency", value=121) + measuring("needy", name="test_b"))
    ran = lab.run()
    assert ran.verdicts == {"S1.latency": "fail", "S1.needy": "environment-limited"}
    assert ran.decision == "NO-GO"
    assert ran.status == 1


def test_nothing_but_conditions_is_no_decision(lab):
    lab.gates(NEEDY + f"'{ABSENT}'")
    lab.test(measuring("needy"))
    ran = lab.run()
    assert ran.decision == "NOT-EVALUABLE"
    assert ran.status == 1


def test_a_fact_that_is_unknown_fails_closed(lab):
    needing(lab, "clock.trusted")
    ran = lab.run()
    found = ran.criterion("S1.needy")
    assert (str(found.verdict), found.reason) == ("not-run", "requirement-unknown")
    assert "cannot be evaluated" in found.sentence
    assert ran.decision == "NO-GO"
    assert ran.status == 1


@pytest.mark.parametrize(
    ("marker", "outcome", "cause"),
    [
        (f'environment_limited("{ABSENT}")', "environment-limited", "environment"),
        (f'environment_limited(needs="{ABSENT}", reason="later")', "environment-limited", "environment"),
        ('hardware_required("memory >= 1000000 GiB")', "hardware-required", "hardware"),
        ('hardware_required("memory >= 1000000 GiB", profile="rack")', "hardware-required", "hardware"),
    ],
)
def test_a_need_on_a_test_says_what_requires_says_on_a_criterion(lab, marker, outcome, cause):
    lab.gates(LATENCY, LATENCY.replace("latency", "needy"))
    lab.test(measuring("latency") + measuring("needy", name="test_b", marks=f"@pytest.mark.{marker}"))
    ran = lab.run()
    assert ran.verdicts["S1.needy"] == "environment-limited"
    assert ran.criterion("S1.needy").cause == cause
    assert ran.outcomes == {"passed": 1, outcome: 1}
    assert ran.decision == "CONDITIONAL GO"


def test_one_of_two_claiming_tests_kept_back_is_still_a_condition(lab):
    lab.gates(LATENCY)
    lab.test(
        measuring("latency")
        + measuring("latency", name="test_b", marks=f'@pytest.mark.environment_limited("{ABSENT}")')
    )
    ran = lab.run()
    assert ran.verdicts == {"S1.latency": "environment-limited"}


def test_plain_pytest_honours_requirements_and_says_why(lab, way):
    needing(lab, ABSENT)
    ran = lab.run(*way, evidence=False)
    assert ran.status == 0
    assert ran.outcomes == {"passed": 1, "environment-limited": 1}
    assert f"needs {ABSENT}" in ran.line("test_gate.py::test_b: ")


@pytest.mark.parametrize(
    ("expression", "chosen"),
    [
        ("environment-limited", {"test_env", "test_env_met", "test_env_marked"}),
        ("environment_limited", {"test_env", "test_env_met", "test_env_marked"}),
        ("hardware-required", {"test_hard", "test_hard_marked"}),
        ("hardware_required", {"test_hard", "test_hard_marked"}),
        ("environment-limited or hardware-required", {"test_env", "test_env_met", "test_env_marked", "test_hard", "test_hard_marked"}),
        ("not environment-limited and not hardware-required", {"test_a"}),
        ("S1", {"test_a", "test_env", "test_env_met", "test_env_marked", "test_hard", "test_hard_marked"}),
        ("S1 and not environment-limited", {"test_a", "test_hard", "test_hard_marked"}),
    ],
)  # fmt: skip
def test_both_spellings_select_tests_that_carry_a_need_met_or_not(lab, expression, chosen):
    lab.gates(
        LATENCY,
        LATENCY.replace("latency", "env") + f'\nrequires = "{ABSENT}"',
        LATENCY.replace("latency", "env-met") + '\nrequires = "module.json"',
        LATENCY.replace("latency", "hard") + '\nrequires = "accelerator"',
    )
    lab.test(
        measuring("latency")
        + measuring("env", name="test_env")
        + measuring("env-met", name="test_env_met")
        + measuring("latency", name="test_env_marked", marks=f'@pytest.mark.environment_limited("{ABSENT}")')
        + measuring("hard", name="test_hard")
        + measuring("latency", name="test_hard_marked", marks='@pytest.mark.hardware_required("accelerator")')
    )
    ran = lab.run("--strict-markers", "-m", expression, "--collect-only", "-q", evidence=False)
    assert set(ran.out.split()) & {f"test_gate.py::{one}" for one in _ALL} == {f"test_gate.py::{one}" for one in chosen}


_ALL = ("test_a", "test_env", "test_env_met", "test_env_marked", "test_hard", "test_hard_marked")


@pytest.mark.parametrize(
    ("declared", "verdict"), [("tool.pocket-tool", "environment-limited"), ("tool.ls", "not-run"), (None, "not-run")]
)
def test_hiding_a_tool_is_a_condition_only_where_it_was_declared(lab, declared, verdict):
    tool = lab.write("bin/pocket-tool", "#!/bin/sh\necho pocket-tool 1.0\n")
    tool.chmod(0o755)
    lab.gates(LATENCY, LATENCY.replace("latency", "tool") + (f'\nrequires = "{declared}"' if declared else ""))
    lab.test(
        measuring("latency")
        + """
import shutil

@pytest.mark.criterion("S1.tool")
def test_b(spiral):
    if not shutil.which("pocket-tool"):
        pytest.skip("no pocket-tool here")
    with spiral.measure("search", unit="ms") as m:
        m.value(1)
"""
    )
    path = "/usr/bin:/bin"
    lab.monkeypatch.setenv("PATH", f"{tool.parent}:{path}")
    assert lab.run().verdicts["S1.tool"] == "pass"
    lab.monkeypatch.setenv("PATH", path)
    assert lab.run().verdicts["S1.tool"] == verdict


def test_an_emptied_path_changes_nothing_where_no_tool_is_declared(lab):
    lab.gates(LATENCY)
    lab.test(measuring("latency"))
    lab.monkeypatch.setenv("PATH", "")
    assert lab.run().decision == "GO"


def test_the_fixture_tells_facts_with_their_evidence(lab):
    lab.smallest()
    lab.test("""
def test_facts(hardware_profile):
    assert hardware_profile["memory"].value > 0
    assert hardware_profile["memory"].evidence
    assert hardware_profile.holds("memory >= 1 MiB")
    assert not hardware_profile.holds("memory >= 1000000 GiB")
    assert not hardware_profile.holds("clock.trusted")
""")
    assert lab.run(evidence=False).outcomes == {"passed": 2}


SECRET = "tell-nobody-" + "3.14159"
TELLING = """
import os
import pytest

@pytest.mark.criterion("S1.needy")
def test_b(spiral):
    with spiral.measure("search", unit="ms") as m:
        m.value(1)
    print("the word is", os.environ["SPIRAL_NEEDED"])
    assert not os.environ["SPIRAL_NEEDED"]
"""


def test_a_secret_that_is_there_is_met_and_stands_nowhere_in_the_bundle(lab, way, monkeypatch):
    """The test tells it, and fails, so that its output is kept."""
    monkeypatch.setenv("SPIRAL_NEEDED", SECRET)
    lab.gates(LATENCY, NEEDY + "'secret(\"SPIRAL_NEEDED\")'")
    lab.test(measuring("latency") + TELLING)
    ran = lab.run(*way)
    assert ran.verdicts == {"S1.latency": "pass", "S1.needy": "fail"}
    files = [path.read_bytes() for path in ran.bundle.rglob("*") if path.is_file()]
    assert not any(SECRET.encode() in data for data in files)
    assert any(b"the word is ***" in data for data in files)
    assert any(b"is set; its value is not kept" in data for data in files)


def test_a_secret_that_is_not_there_is_a_condition_with_the_probes_answer(lab, monkeypatch):
    monkeypatch.delenv("SPIRAL_NEEDED", raising=False)
    needing(lab, 'secret("SPIRAL_NEEDED")')
    ran = lab.run()
    assert ran.verdicts == {"S1.latency": "pass", "S1.needy": "environment-limited"}
    (debt,) = ran.judgement.debts
    assert debt.requirement == 'secret("SPIRAL_NEEDED")'
    assert "the environment variable SPIRAL_NEEDED is not set" in debt.evidence


def test_a_secret_too_short_to_be_struck_out_is_wrong_use(lab, monkeypatch):
    monkeypatch.setenv("SPIRAL_NEEDED", "abc")
    needing(lab, 'secret("SPIRAL_NEEDED")')
    ran = lab.run()
    assert ran.status == 4
    assert ran.bundle is None
