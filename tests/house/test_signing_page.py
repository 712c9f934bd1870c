"""The page about signing: its commands are run in their order, its trust root and its expectation are read."""

import re
import shlex
import subprocess
import sys

import pytest

from pytest_spiral.model.attestation import ROLES, DecisionPredicate
from pytest_spiral.model.expectation import Expectation
from pytest_spiral.rules.trust import parse_trust


@pytest.fixture
def page(documents):
    return documents["docs/signing.md"]


def fence(page, start):
    """The first fenced block after `start`."""
    return re.search(r"^```\w+\n(.*?)^```", page.partition(start)[2], re.MULTILINE | re.DOTALL)[1]


def in_code(text):
    return set(re.findall(r"`([^`\n]+)`", text))


def run(folder, *command):
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    return done.returncode, done.stdout + done.stderr


def modular(words):
    """`spiral …` and `pytest …` as modules of this Python."""
    program, *rest = words
    return ["pytest_spiral.cli.main" if program == "spiral" else program, *rest]


def test_the_commands_lead_from_a_key_to_a_proof(page, tmp_path):
    project = tmp_path / "project"
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "expect.toml").write_text(fence(page, "## The expectation"))
    assert run(tmp_path, "pytest_spiral.cli.main", "init", "project")[0] == 0
    for line in fence(page, "## From a key to a proof").splitlines():
        bundles = [str(path) for path in project.glob("reports/*/*")]
        command = modular(shlex.split(line.removeprefix("$ ").replace("BUNDLE", *bundles or [""])))
        status, said = run(project, *command, *(["-p", "no:cacheprovider"] if command[0] == "pytest" else []))
        assert status == 0, f"{line}\n{said}"
    assert "E1: signed by the job" in " ".join(said.split())
    assert "signed: job" in said


def test_the_trust_root_of_the_page_is_read(page):
    root = parse_trust(fence(page, "<!-- trust root -->"), "signing.md")
    assert [key.roles for key in root.keys] == [("spiral-job",), ("spiral-signoff", "spiral-waiver")]
    assert (list(root.superseded.values()), list(root.compromised.values())) == ([120], [97])


def test_every_role_key_and_field_is_described(page):
    assert in_code(page) >= {*ROLES, *Expectation.__struct_fields__, *DecisionPredicate.__struct_fields__}
