"""The catalogue itself: each attack says why it must be refused, by which code, and is carried out."""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from pytest_spiral.rules.integrity import REASONS

HERE = Path(__file__).parent
ATTACKS = sorted(path for path in HERE.iterdir() if path.is_dir() and path.name != "__pycache__")
DOCUMENTED = set(re.findall(r"`([a-z-]+)`", (HERE.parents[1] / "docs" / "reason-codes.md").read_text()))
SIGNATURES = {"attestation-subject", "attestation-statement", "moment-order", "plan-unjudgeable"}


def test_there_are_25_kinds_and_more():
    assert len(ATTACKS) >= 25


def test_the_manual_lists_every_kind():
    manual = (HERE.parents[1] / "docs" / "how-it-is-tested.md").read_text()
    listed = manual.partition("accepted, of each kind.\n")[2].strip().partition("\n\n")[0].replace("\n", " ")
    names = [name.strip().lower().replace(" the ", " ").replace(" ", "-") for name in listed.rstrip(".").split(",")]
    assert sorted(names) == [folder.name for folder in ATTACKS]


@cache
def collected(*arguments):
    """How many tests pytest collects of each attack."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", str(HERE), "--collect-only", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=HERE.parents[1], capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    kinds = re.findall(r"^tests/attacks/([a-z-]+)/.*::", done.stdout, re.MULTILINE)
    assert kinds, done.stdout + done.stderr
    return {kind: kinds.count(kind) for kind in kinds}


@pytest.mark.parametrize("folder", ATTACKS, ids=lambda folder: folder.name)
def test_of_each_attack_twice_as_many_cases_are_refused_as_accepted(folder):
    every, sound = collected()[folder.name], collected("-m", "sound").get(folder.name, 0)
    assert every - sound >= 2 * sound
    assert every - sound >= 3


@pytest.mark.parametrize("folder", ATTACKS, ids=lambda folder: folder.name)
def test_an_attack_has_a_reason_codes_and_a_test(folder):
    text = (folder / "README.md").read_text()
    assert text.startswith("# ")
    assert re.search(r"\bIt must\b", text)
    codes = re.findall(r"`([a-z-]+)`", text[text.index("\nCodes: ") :])
    assert codes or "Codes: none" in text
    assert set(codes) <= DOCUMENTED | set(REASONS) | SIGNATURES
    (module,) = folder.glob("test_*.py")
    assert "def test_" in module.read_text()
