"""Gate A1 as it stands in suites/, with fewer boots than its bar asks for: undecided when clean, failed under a fault."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_spiral.run.verify import verify_bundle
from spiral_sandbox.faults import known_faults

ROOT = Path(__file__).resolve().parents[2]
SUITE = ROOT / "suites" / "stage_a"
BOOTS = 17  # so many failed ones of 208 are a fail, whatever the others come to
CLEAN = {
    "A1.environment-validated": "pass",
    "A1.profile-notes": "environment-limited",
    "A1.first-attempt": "inconclusive",
    "A1.failover": "pass",
    "A1.telemetry": "pass",
    "A1.control": "pass",
    "A1.gate-hardware": "environment-limited",
}
pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def gate(tmp_path):
    """Runs gate A1, its plan cut short, with options; gives exit status, output, and criterion → (verdict, reason)."""
    bar = (SUITE / "gates.toml").read_text()
    folder = tmp_path / "suites" / "stage_a"
    folder.mkdir(parents=True)
    head, _, rest = bar.partition('[[gate]]\nid = "A1"')
    (folder / "gates.toml").write_text(head + '[[gate]]\nid = "A1"' + rest.partition("[[gate]]")[0])
    shutil.copytree(SUITE / "examined", folder / "examined")
    (tmp_path / "profiles").mkdir()
    shutil.copy(ROOT / "profiles" / "notes.md", tmp_path / "profiles")
    test = (SUITE / "test_a1_boot_telemetry.py").read_text()
    short = test.replace("planned or measure.planned", f"planned or {BOOTS}")
    assert short != test
    (folder / "test_a1_boot_telemetry.py").write_text(short)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\nspiral_target = sandbox\n")

    def run(*options):
        command = [
            sys.executable, "-m", "pytest", "--spiral-evidence", "-m", "stage_a", f"-ospiral_profiles={ROOT / 'profiles'}",
            "--spiral-profile=sandbox", f"--spiral-reports={tmp_path / 'reports'}", *options,
        ]  # fmt: skip
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
        bundles = list((tmp_path / "reports" / "stage_a").glob("*"))
        assert bundles, done.stdout + done.stderr
        assert verify_bundle(bundles[0]).report.outcome == "sound"
        summary = json.loads((bundles[0] / "summary.json").read_text())
        return done.returncode, done.stdout, {one["id"]: (one["verdict"], one["reason"]) for one in summary["criteria"]}

    return run


def test_fewer_boots_than_planned_do_not_decide(gate):
    status, text, verdicts = gate()
    assert status == 1
    assert {name: verdict for name, (verdict, _) in verdicts.items()} == CLEAN, text
    assert f"n={BOOTS} of 208" in text, text


@pytest.mark.parametrize(
    ("name", "test", "proves"),
    [
        ("port-taken", "first_attempt", {"A1.first-attempt", "A1.telemetry"}),
        ("stale-metrics", "first_attempt", {"A1.first-attempt", "A1.telemetry"}),
        ("no-failover", "policy_says", {"A1.failover"}),
    ],
)
def test_a_fault_breaks_what_it_lists_and_nothing_else(gate, name, test, proves):
    """Every other plan of the boot takes a boot's first attempt away: tests/sandbox/boot/test_faults.py."""
    plan = known_faults()[f"boot.{name}"]
    _, text, verdicts = gate(f"--spiral-fault={plan.name}", "-k", test)
    for criterion in proves:
        expected = "fail" if criterion in plan.breaks else CLEAN[criterion]
        assert verdicts[criterion][0] == expected, text
