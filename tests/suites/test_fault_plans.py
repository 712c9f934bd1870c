"""Each fault plan makes the criteria it breaks fail and those it blocks blocked; the rest stay as they were.

These are whole runs of a gate on the real sandbox, in a process of their own, judged from the sealed bundle.
"""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from pytest_spiral.run.verify import verify_bundle
from spiral_sandbox.faults import known_faults

ROOT = Path(__file__).resolve().parents[2]
GATES = {"memory": "B1", "sonic": "B2", "connectors": "B3", "crown": "A2"}
ELSEWHERE = {"boot": "test_boot_plans.py", "memory.exact-scan": "test_scale_plan.py"}
"""Components and plans with a module of their own: the boot's gate asks for 624 boots, the scan for a million items."""

PLANS = sorted(name for name, plan in known_faults().items() if plan.component in GATES and name not in ELSEWHERE)
BROKEN = {"fail", "invalid"}
SAID = {"memory.fail-1-in-100": ("NO-GO", "10 of 1,000 failed")}
pytestmark = pytest.mark.timeout(240)


def run_gate(folder, gate, *options):
    """Run one gate with evidence; gives exit status, terminal text, and criterion → (verdict, reason)."""
    stage = f"stage_{gate[0].lower()}"
    command = [
        sys.executable, "-m", "pytest", "-m", stage, "--spiral-evidence", "--spiral-gates", gate,
        f"--spiral-reports={folder}", "-p", "no:cacheprovider", *options,
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=220, check=False)
    assert (folder / stage).is_dir(), done.stdout + done.stderr
    (bundle,) = (folder / stage).iterdir()
    assert verify_bundle(bundle).report.outcome == "sound"
    summary = json.loads((bundle / "summary.json").read_text())
    return done.returncode, done.stdout, {one["id"]: (one["verdict"], one["reason"]) for one in summary["criteria"]}


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """The verdicts of a gate without any fault, run once."""

    @cache
    def run(gate):
        status, text, verdicts = run_gate(tmp_path_factory.mktemp(gate), gate)
        assert status == 0, text
        return verdicts

    return run


def tested():
    """Every gate that a suite has a test module for: `test_b1_memory_load.py` is B1's."""
    return {path.stem.split("_")[1].upper() for path in (ROOT / "suites").glob("*/test_*.py")}


def test_only_faults_whose_gates_have_no_tests_yet_are_left_out():
    for name, plan in known_faults().items():
        gates = {criterion.partition(".")[0] for criterion in (*plan.breaks, *plan.blocks, *plan.starves)}
        tried = plan.component in GATES or plan.component in ELSEWHERE
        assert tried or not gates & tested(), f"{name} can be tried: name its gate in GATES"
    assert set(GATES.values()) <= tested()  # the control: the gates that have tests are seen
    assert all((Path(__file__).parent / module).is_file() for module in ELSEWHERE.values())


@pytest.mark.parametrize("name", PLANS)
def test_a_fault_breaks_what_it_lists_and_nothing_else(name, clean, tmp_path):
    plan = known_faults()[name]
    gate = GATES[plan.component]
    status, text, verdicts = run_gate(tmp_path, gate, "--spiral-fault", name)
    as_before = clean(gate)
    for criterion, (verdict, reason) in verdicts.items():
        if criterion in plan.breaks:
            assert verdict in BROKEN, f"{criterion} is {verdict} ({reason}) under {name}\n{text}"
        elif criterion in plan.blocks:
            assert (verdict, reason) == ("not-run", "blocked"), f"{criterion} is {verdict} ({reason})\n{text}"
        elif criterion in plan.starves:
            assert verdict == "inconclusive", f"{criterion} is {verdict} ({reason})\n{text}"
        else:
            assert (verdict, reason) == as_before[criterion], f"{criterion} changed under {name}\n{text}"
    blockers = set(plan.breaks) - {"B2.loudness"}
    assert status == (1 if blockers else 0)
    for words in SAID.get(name, ()):
        assert words in text
