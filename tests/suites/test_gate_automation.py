"""`spiral run A3` from its first command to its last, where pytest-cov is missing: that is told, and the rest goes on."""

import json
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from pytest_spiral.run.verify import verify_bundle

ROOT = Path(__file__).resolve().parents[2]
LIMITED = {"A3.coverage", "A3.toolchain"}
MISSING = "find_spec found no module pytest_cov"
pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """An environment's Python, which has all that this one has, but for pytest-cov; and nothing of ours is installed."""
    home = tmp_path_factory.mktemp("without-cov") / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True, timeout=60)
    inside = Path(sysconfig.get_path("purelib", vars={"base": str(home), "platbase": str(home)}))
    for folder in dict.fromkeys((sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))):
        for path in Path(folder).iterdir():
            if not path.name.startswith(("pytest_cov", "__editable__")) and not (inside / path.name).exists():
                (inside / path.name).symlink_to(path)
    return home / "bin" / "python"


@pytest.fixture(scope="module")
def automated(python, tmp_path_factory):
    """Runs the gate once; gives the status, the command log, and criterion → its part of the summary."""
    reports = tmp_path_factory.mktemp("reports")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYTEST_"))}
    done = subprocess.run(
        [python, "-m", "pytest_spiral.cli.main", "run", "A3", f"--reports={reports}"],
        cwd=ROOT, env={**environment, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=350, check=False,
    )  # fmt: skip
    (log,) = (reports / "commands").iterdir()
    (bundle,) = (reports / "stage_a").iterdir()
    assert verify_bundle(bundle).report.outcome == "sound", done.stdout[-3000:]
    summary = json.loads((bundle / "summary.json").read_text())
    return done, json.loads(log.read_text())["phases"], {one["id"]: one for one in summary["criteria"]}


def test_the_gate_is_probed_run_and_verified(automated):
    done, phases, _ = automated
    assert [(one["phase"], one["status"]) for one in phases] == [("probe", 0), ("gate", 0), ("verify", 0)], done.stdout
    assert done.returncode == 0
    assert re.search("A3 Gate automation shakeout +CONDITIONAL GO", done.stdout), done.stdout


def test_without_pytest_cov_coverage_is_limited_with_the_probes_output_and_the_rest_goes_on(automated):
    done, _, criteria = automated
    assert criteria["A3.coverage"]["verdict"] == "environment-limited"
    assert MISSING in json.dumps(criteria["A3.coverage"])
    assert MISSING in done.stdout
    rest = {name: one["verdict"] for name, one in criteria.items() if name not in LIMITED and name.startswith("A3.")}
    assert set(rest.values()) == {"pass"}, rest
    assert {"A3.packaging", "A3.health", "A3.acceptance", "A3.handoff", "A3.control"} == set(rest)
