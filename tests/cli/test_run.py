"""`spiral run GATE`: three phases, each logged; a phase that is skipped is never a success."""

import json
import subprocess
import sys

import pytest

from pytest_spiral.errors import UseError
from pytest_spiral.run.automation import Automated
from pytest_spiral.run.phases import Phase, Phases

GATES = """\
format = 1
[[gate]]
id = "S1"
title = "Search answers"
owner = "@search"
no_control = "a test of the tool"
[[gate.criterion]]
id = "S1.failures"
limit = "failures(search) <= 0"
samples = 3
[[gate]]
id = "S2"
title = "Another"
owner = "@search"
no_control = "a test of the tool"
[[gate.criterion]]
id = "S2.secret"
limit = "failures(other) <= 0"
samples = 3
requires = 'secret("A_TOKEN_OF_OURS")'
"""
TESTS = """\
import os

import pytest

@pytest.mark.criterion("S1.failures")
def test_search(spiral):
    with spiral.measure("search") as m:
        for number in range(3):
            m.check(number != BROKEN, f"search {number}")

@pytest.mark.criterion("S2.secret")
def test_other(spiral):
    print("the token is", os.environ["A_TOKEN_OF_OURS"])
    with spiral.measure("other") as m:
        for _ in range(3):
            m.check(True)
"""
pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def project(tmp_path):
    """A folder with two gates; number 9 never fails."""

    def make(broken=9):
        (tmp_path / "gates.toml").write_text(GATES)
        (tmp_path / "test_search.py").write_text(TESTS.replace("BROKEN", str(broken)))
        return tmp_path

    return make


def log_of(folder):
    (log,) = (folder / "reports" / "commands").iterdir()
    return json.loads(log.read_text())


def test_a_gate_is_probed_run_and_verified_and_each_command_is_logged_without_its_secrets(
    spiral_command, project, monkeypatch
):
    monkeypatch.setenv("A_TOKEN_OF_OURS", "hunter2-hunter2")
    folder = project()
    said = spiral_command("run", "S2", "--", "-s")
    assert said.status == 0, said.out + said.err
    log = log_of(folder)
    assert log["format"] == "spiral-commands/1"
    assert [(one["phase"], one["status"]) for one in log["phases"]] == [("probe", 0), ("gate", 0), ("verify", 0)]
    assert all(one["output"] and one["seconds"] > 0 and one["command"] for one in log["phases"])
    assert "gate S2" in log["phases"][1]["output"]
    assert "the token is ***" in log["phases"][1]["output"]
    assert "hunter2" not in json.dumps(log) + said.out
    assert log["phases"][1]["output"].strip() in said.out  # told as it comes, and kept
    (bundle,) = (folder / "reports").glob("*/*/bundle.json")
    assert str(bundle.parent) in " ".join(log["phases"][2]["command"])


def test_a_word_that_is_no_unicode_is_logged_in_its_escaped_form(spiral_command, project):
    folder = project()
    said = spiral_command("run", "S1", "--", "--no-such-\udcff")
    assert said.status == 4, said.out + said.err
    assert "--no-such-\\udcff" in log_of(folder)["phases"][1]["command"]


def test_a_gate_that_fails_ends_with_pytests_status_and_is_verified_all_the_same(spiral_command, project):
    folder = project(broken=1)
    said = spiral_command("run", "S1")
    assert said.status == 1
    assert [(one["phase"], one["status"]) for one in log_of(folder)["phases"]] == [
        ("probe", 0),
        ("gate", 1),
        ("verify", 1),
    ]


def test_a_run_without_a_bundle_skips_the_check_and_is_no_success(spiral_command, project):
    folder = project()
    said = spiral_command("run", "S1", "--", "--no-such-option")
    assert said.status == 4
    last = log_of(folder)["phases"][-1]
    assert (last["phase"], last["status"]) == ("verify", None)
    assert "opened 0 bundles" in last["skipped"]
    assert "skipped: the run has opened 0 bundles" in said.out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("s1",), "There is no gate 's1'; did you mean S1?"),
        (("Zebra",), "there are S1, S2 below"),
        (("S1", "--root", "nowhere"), "nowhere is no folder"),
    ],
)
def test_wrong_use_is_one_sentence(spiral_command, project, words, told):
    project()
    said = spiral_command("run", *words)
    assert said.status == 2
    assert told in said.err
    assert len(said.err.strip().splitlines()) == 1


# The command log


def ended(*statuses):
    phases = tuple(
        Phase(f"phase {place}", ("x",), status, 0.1, "", "" if status is not None else "why")
        for place, status in enumerate(statuses)
    )
    return Automated(phases, None, None).status


@pytest.mark.parametrize(
    ("statuses", "status"),
    [
        ((0, 0, 0), 0),
        ((0, 1, 0), 1),
        ((0, 5, 3), 5),
        ((0, 0, 3), 3),
        ((0, 0, None), 1),
        ((0, 4, None), 4),
        ((0, -9, 0), 1),
    ],
)
def test_the_status_is_that_of_the_first_phase_without_success_and_never_0_for_a_skipped_one(statuses, status):
    assert ended(*statuses) == status


def test_a_command_that_takes_too_long_is_killed_and_logged_as_that():
    phases = Phases()
    script = "import time; print('begun', flush=True); time.sleep(60)"
    status, said = phases.run("slow", [sys.executable, "-c", script], wait_s=0.5)
    assert (status, said) == (-9, "begun\n")
    assert not phases.done[0].succeeded


def test_output_and_errors_stand_in_one_log_in_the_order_in_which_they_came():
    told = []
    phases = Phases(lambda text: text.replace("secret", "***"), told.append)
    script = "import sys; print('one secret', flush=True); print('two', file=sys.stderr, flush=True); sys.exit(7)"
    assert phases.run("talk", [sys.executable, "-c", script]) == (7, "one ***\ntwo\n")
    phases.skip("next", "nothing to do")
    assert told == ["one ***", "two"]
    first, second = json.loads(phases.log())["phases"]
    assert (first["status"], first["output"], first["command"][0][:6]) == (7, "one ***\ntwo\n", "python")
    assert (second["status"], second["skipped"]) == (None, "nothing to do")


def test_a_command_that_is_not_there_is_said_in_one_sentence(tmp_path):
    with pytest.raises(UseError, match="cannot be started"):
        Phases().run("nothing", [tmp_path / "no-such-program"])


def test_the_alpha_gates_script_is_a_thin_call_of_it(pytestconfig):
    script = pytestconfig.rootpath / "scripts" / "run_alpha_gate.sh"
    done = subprocess.run([script, "--help"], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "usage: spiral run" in done.stdout
