"""A component of the real sandbox is killed in mid-run: it is lost once, and what needs it later is blocked."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_spiral.run.verify import judge_bundle, verify_bundle

ROOT = Path(__file__).resolve().parents[2]
KILLER = """\
import psutil
import pytest

@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    if item.name == "test_rotation_windows_are_in_order":
        (component,) = [
            one for one in psutil.Process().children(recursive=True)
            if "spiral_sandbox.component" in " ".join(one.cmdline()) and "connectors" in " ".join(one.cmdline())
        ]
        component.kill()
        component.wait(10)
    return (yield)
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Stage B's B3, in which the connectors are killed while the third of five tests runs."""
    folder = tmp_path_factory.mktemp("loss")
    (folder / "killer.py").write_text(KILLER)
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-m", "stage_b", "--spiral-evidence", "--spiral-gates=B3",
            f"--spiral-reports={folder}", "-p", "no:cacheprovider", "-p", "killer",
        ],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    (bundle,) = (folder / "stage_b").iterdir()
    return done, bundle


def test_the_loss_is_told_once_and_what_follows_is_blocked(ran):
    done, bundle = ran
    evidence, judgement = judge_bundle(bundle)
    assert [(one.subject, one.test.rpartition("::")[2]) for one in evidence.lost] == [
        ("connectors", "test_rotation_windows_are_in_order")
    ]
    reasons = {one.id: one.reason for one in judgement.criteria}
    assert reasons["B3.windows"] == "target-lost"
    assert reasons["B3.control"] == "blocked"
    assert {str(one.verdict) for one in judgement.criteria} == {"not-run", "environment-limited"}
    assert done.returncode == 1, done.stdout
    assert "NO-GO" in done.stdout


def test_what_was_recorded_before_the_loss_stays_and_the_bundle_is_sound(ran):
    _, bundle = ran
    checked = verify_bundle(bundle)
    assert checked.report.outcome == "sound"
    assert checked.status("conditional") == 1
    evidence, _ = judge_bundle(bundle)
    assert {one.name for one in evidence.measurements} >= {"smoke", "traffic", "changed"}
    assert json.loads((bundle / "summary.json").read_text())["decision"] == "NO-GO"
