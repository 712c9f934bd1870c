"""What an attacker has: a bundle, the format, a text editor; and both verifiers, which must refuse what comes of it."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest

from pytest_spiral.run.verify import verify_bundle

ROOT = Path(__file__).parents[2]
GATES = """\
format = 1
[[gate]]
id = "S1"
title = "Search answers"
owner = "@search"
no_control = "a test of attacks"
[[gate.criterion]]
id = "S1.failures"
limit = "failures(search) <= 0"
samples = 3
"""
TESTS = """\
import pytest

{marks}
@pytest.mark.criterion("S1.failures")
def test_search(spiral):
    with spiral.measure("search") as m:
        for good in {samples}:
            m.hit() if good else m.miss("no answer")
    {last}

def test_other():
    pass
"""


def _load(name, path):
    spec = importlib.util.spec_from_file_location(name, ROOT / path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


KIT = _load("kit_of_tools", "tests/tools/conftest.py")
SIGNING = _load("kit_of_signatures", "tests/tools/test_verify_signatures.py")
kept, bundle, forger = KIT.kept, KIT.bundle, KIT.forger  # fixtures: bundles, a copy of one, somebody who edits one
bench, make_bench = KIT.bench, KIT.make_bench
signer, announced = SIGNING.signer, SIGNING.announced


@dataclass(frozen=True)
class Answer:
    """What both verifiers say: exit statuses, and codes that either found."""

    status: int
    second_status: int
    codes: set
    second_codes: set

    @property
    def refused(self):
        """Both end with 3, not to be trusted."""
        return self.status == self.second_status == 3


@pytest.fixture(scope="session")
def verify():
    """Ask both verifiers about a folder."""

    def ask(folder):
        checked, other = verify_bundle(folder), KIT.SECOND.Check(folder)
        return Answer(
            checked.status("conditional"),
            other.status("conditional"),
            {one.code for one in checked.report.findings},
            {code for _, code, _ in other.found},
        )

    return ask


@pytest.fixture(scope="session")
def seen_by_second():
    """The second verifier's codes of a folder, and how a step came out."""

    def ask(folder, step):
        check = KIT.SECOND.Check(folder)
        return {code for _, code, _ in check.found}, check.steps[step][0]

    return ask


@pytest.fixture(scope="session")
def read_aloud():
    """The lines that the second verifier prints of a folder."""
    return lambda folder: list(KIT.SECOND.Check(folder).as_text("conditional"))


@pytest.fixture(scope="session")
def verify_signed():
    """Ask the second verifier about a signed bundle and a trust root: codes, and the level that was proven."""

    def ask(folder, trust):
        check = KIT.SECOND.Check(folder, KIT.SECOND.read_trust(trust))
        return {code for _, code, _ in check.found}, check.level

    return ask


@pytest.fixture(scope="session")
def seal():
    """Bring a folder's manifest in line with what lies there."""
    return lambda folder: KIT.small.Forger(folder).seal()


@pytest.fixture(scope="session")
def sign():
    """Write the attestation that a bundle deserves, signed with a key."""
    return SIGNING.attest


@dataclass(frozen=True)
class Played:
    """A run: pytest's exit status, its output, the bundle's folder, its summary."""

    status: int
    out: str
    folder: Path

    @property
    def summary(self):
        return json.loads((self.folder / "summary.json").read_bytes())

    @property
    def verdict(self):
        return self.summary["criteria"][0]["verdict"]


@pytest.fixture(scope="session")
def played(tmp_path_factory):
    """Run a module with evidence, once for all who want the same run; nobody changes it."""

    @cache
    def run(arguments, text):
        folder = tmp_path_factory.mktemp("played")
        (folder / "gates.toml").write_text(GATES)
        (folder / "test_search.py").write_text(text)
        command = [sys.executable, "-m", "pytest", "--spiral-evidence", "-p", "no:cacheprovider", *arguments]
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=60,
            env={**os.environ, "COLUMNS": "120"},
        )  # fmt: skip
        found = list((folder / "reports" / "run").iterdir())
        assert len(found) == 1, done.stdout + done.stderr
        return Played(done.returncode, done.stdout + done.stderr, found[0])

    return run


@pytest.fixture
def play(played, tmp_path):
    """A run of one's own of a test: `samples` hit or miss, `marks` stand on it, `last` is its last line."""

    def run(*arguments, samples=(1, 1, 1), marks="", last="", name="run", tests=TESTS):
        ran = played(arguments, tests.format(samples=samples, marks=marks, last=last or "pass"))
        return replace(ran, folder=shutil.copytree(ran.folder, tmp_path / name / ran.folder.name))

    return run
