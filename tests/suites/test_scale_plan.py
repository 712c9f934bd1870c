"""A million items: the index holds the bar, and the fault plan that leaves it unused does not. Minutes: ask for it.

    SCALE=1000000 pytest tests/suites/test_scale_plan.py

With fewer items, an exact scan is fast enough for the bar, and there is nothing to see.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_spiral.profiles.probe import probe

ROOT = Path(__file__).resolve().parents[2]
ITEMS = int(os.environ.get("SCALE", "0"))
TESTS = ("test_the_same_holds_for_many_items", "test_an_exact_scan_is_too_slow_for_many_items")

pytestmark = pytest.mark.timeout(1800)


def verdicts(folder, tests, *options):
    """Run some tests of B1 with that many items; gives criterion → verdict, from the sealed bundle."""
    nodes = [f"suites/stage_b/test_b1_memory_load.py::{test}" for test in tests]
    command = [sys.executable, "-m", "pytest", *nodes, "--spiral-evidence", f"--spiral-items={ITEMS}", *options]
    done = subprocess.run(
        [*command, f"--spiral-reports={folder}", "-p", "no:cacheprovider"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=1500,
    )  # fmt: skip
    found = list(folder.glob("*/*/summary.json"))
    assert len(found) == 1, done.stdout + done.stderr
    return {one["id"]: one["verdict"] for one in json.loads(found[0].read_text())["criteria"]}


@pytest.mark.skipif(ITEMS < 1_000_000, reason="runs only with SCALE=1000000 or more")
def test_the_index_holds_the_bar_and_a_scan_does_not(tmp_path):
    faiss = probe("module.faiss")
    if faiss.state != "present":
        pytest.skip(f"environment-limited: {faiss.evidence}")
    honest = verdicts(tmp_path / "honest", TESTS)
    assert (honest["B1.scale"], honest["B1.scale-control"]) == ("pass", "pass")
    scanned = verdicts(tmp_path / "scanned", TESTS[:1], "--spiral-fault", "memory.exact-scan")
    assert scanned["B1.scale"] in ("fail", "invalid")
