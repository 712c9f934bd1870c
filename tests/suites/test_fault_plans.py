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
ELSEWHERE = {"boot": "test_boot_plans.py", "memory.exact-scan": "test_scale_plan.py"}
"""Components and plans with a module of their own: the boot's gate asks for 624 boots, the scan for a million items."""

LONG = {"A3"}
"""Gates that take minutes: A3's own control runs with the fault that breaks it."""

BROKEN = {"fail", "invalid"}
SAID = {"memory.fail-1-in-100": ("NO-GO", "query-failures      fail   10 of 1,000 failed")}
TIMED = {"G1.mixed-load", "B1.retrieval-latency"}
OPEN = {"inconclusive", "not-run"}
"""What a busy machine leaves undecided, and how; it says nothing of a fault."""

pytestmark = pytest.mark.timeout(240)


def gates_with_tests():
    """Every gate that a suite has a short test module for, and its stage: `stage_b/test_b1_memory_load.py` is B1's."""
    found = {path.stem.split("_")[1].upper(): path.parent.name for path in (ROOT / "suites").glob("*/test_*.py")}
    return {gate: stage for gate, stage in found.items() if gate not in LONG}


def gates_of(plan):
    """The gates that a fault says it shows in."""
    criteria = (*plan.breaks, *plan.blocks, *plan.starves)
    return sorted({criterion.partition(".")[0] for criterion in criteria})


STAGES = gates_with_tests()
HERE = {name: plan for name, plan in known_faults().items() if not {name, plan.component} & set(ELSEWHERE)}
TRIED = sorted({(name, STAGES[gate]) for name, plan in HERE.items() for gate in gates_of(plan) if gate in STAGES})


def undecided(verdicts):
    """What the machine has left open."""
    return {name for name in TIMED & set(verdicts) if verdicts[name][0] in OPEN}


def run_gates(folder, stage, gates, *options):
    """Run gates of a stage with evidence; gives exit status, terminal text, and criterion → (verdict, reason)."""
    command = [
        sys.executable, "-m", "pytest", "-m", stage, "--spiral-evidence", "--spiral-gates", ",".join(gates),
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
        status, text, verdicts = run_gates(tmp_path_factory.mktemp(gate), STAGES[gate], [gate])
        assert status == (1 if undecided(verdicts) else 0), text
        return verdicts

    return run


def test_every_fault_whose_gates_have_tests_is_tried():
    left_out = set(HERE) - {name for name, _ in TRIED}
    assert all(not set(gates_of(known_faults()[name])) & set(STAGES) for name in left_out)
    assert all((Path(__file__).parent / module).is_file() for module in ELSEWHERE.values())
    assert {"stage_b", "stage_c"} <= {stage for _, stage in TRIED}  # the control: stages that have tests are seen


@pytest.mark.parametrize(("name", "stage"), TRIED)
def test_a_fault_breaks_what_it_lists_and_nothing_else(name, stage, clean, tmp_path):
    plan = known_faults()[name]
    gates = [gate for gate in gates_of(plan) if STAGES.get(gate) == stage]
    status, text, verdicts = run_gates(tmp_path, stage, gates, "--spiral-fault", name)
    as_before = {criterion: found for gate in gates for criterion, found in clean(gate).items()}
    for criterion, (verdict, reason) in verdicts.items():
        if criterion in plan.breaks:
            assert verdict in BROKEN, f"{criterion} is {verdict} ({reason}) under {name}\n{text}"
        elif criterion in plan.blocks:
            assert (verdict, reason) == ("not-run", "blocked"), f"{criterion} is {verdict} ({reason})\n{text}"
        elif criterion in plan.starves:
            assert verdict == "inconclusive", f"{criterion} is {verdict} ({reason})\n{text}"
        elif criterion not in undecided(verdicts) | undecided(as_before):
            assert (verdict, reason) == as_before[criterion], f"{criterion} changed under {name}\n{text}"
    blockers = {*plan.breaks, *plan.blocks, *plan.starves, *undecided(verdicts)} & set(verdicts) - {"B2.loudness"}
    assert status == (1 if blockers else 0)
    for words in SAID.get(name, ()):  # beside the criterion's own name: its control says the same of itself
        assert words in text
