"""The catalogue itself: each attack says why it must be refused, by which code, and is carried out."""

import re
from pathlib import Path

import pytest

from pytest_spiral.rules.integrity import REASONS

HERE = Path(__file__).parent
ATTACKS = sorted(path for path in HERE.iterdir() if path.is_dir() and path.name != "__pycache__")
DOCUMENTED = set(re.findall(r"`([a-z-]+)`", (HERE.parents[1] / "docs" / "reason-codes.md").read_text()))
SIGNATURES = {"attestation-subject", "attestation-statement", "moment-order", "plan-unjudgeable"}


def test_there_are_attacks():
    assert len(ATTACKS) >= 14


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
