"""Bundles for both verifiers, and ways to hold their answers against each other."""

import base64
import hashlib
import importlib.util
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pytest_spiral.evidence.read import read_evidence
from pytest_spiral.evidence.seal import write_manifest
from pytest_spiral.model.gate import Criterion, Gate, Limit, Plan
from pytest_spiral.rules.trust import parse_trust
from pytest_spiral.run.gate_run import summary_bytes
from pytest_spiral.run.grounds import Grounds
from pytest_spiral.run.selftest import certificate_bytes, certificate_of, judge_proven
from pytest_spiral.run.verify import verify_bundle

ROOT = Path(__file__).parents[2]
SKIPPED = ("not-checked", "cannot-tell")


def load(name, path):
    """A module from its file, under a name of its own."""
    spec = importlib.util.spec_from_file_location(name, ROOT / path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


SECOND = load("second_verifier", "tools/verify_bundle.py")
VERDICTS = load("second_verdicts", "tools/verify_verdicts.py")
runs = load("kit_of_cli", "tests/cli/conftest.py")
small = load("kit_of_evidence", "tests/evidence/conftest.py")
rules = load("kit_of_rules", "tests/rules/conftest.py")
bench, make_bench, works = rules.bench, rules.make_bench, rules.works  # fixtures


def a_judgeable_plan():
    limit = Limit(
        text="max(latency) <= 120 ms", statistic="max", measurements=("latency",), comparison="<=", bound="120",
        unit="ms",
    )  # fmt: skip
    criterion = Criterion(id=small.CRITERION, limits=(limit,), samples=4)
    return Plan(gates=(Gate(id="B1", stage="stage_b", criteria=(criterion,)),))


small.a_plan = a_judgeable_plan
ADA = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def strings(*parts):
    return b"".join(len(one).to_bytes(4, "big") + one for one in parts)


def blob_of(statement, public=None, *, space=b"spiral-signoff", reserved=b"", name=b"sha512", kind=b"ssh-ed25519"):
    """An SSH signature, put together by hand."""
    public = strings(b"ssh-ed25519", ADA.public_key().public_bytes_raw()) if public is None else public
    signed = b"SSHSIG" + strings(space, b"", name, hashlib.new(name.decode(), statement).digest())
    return b"SSHSIG\0\0\0\1" + strings(public, space, reserved, name, strings(kind, ADA.sign(signed)))


def armoured(blob):
    return f"-----BEGIN SSH SIGNATURE-----\n{base64.encodebytes(blob).decode()}-----END SSH SIGNATURE-----\n"


def summarise(folder):
    """Write the summary that the records give, and the selftest of their bar."""
    evidence = read_evidence(folder)
    (folder / "summary.json").write_bytes(summary_bytes(judge_proven(evidence)))
    (folder / "selftest.json").write_bytes(certificate_bytes(certificate_of(evidence.plan)))


def make_small(folder):
    """A bundle of a few kilobytes with three processes, one of which died; its summary is true."""
    run = small.Run(folder)
    run.summarise = lambda: summarise(run.folder)
    small.write_all(run)
    write_manifest(run.folder)
    return run.folder


@dataclass(frozen=True)
class Both:
    """What the two verifiers say of one folder; findings as (step, code)."""

    ours: dict
    theirs: dict

    @property
    def outcome(self):
        assert self.ours["outcome"] == self.theirs["outcome"], self
        return self.ours["outcome"]

    @property
    def codes(self):
        assert self.ours["codes"] == self.theirs["codes"], self
        return self.ours["codes"]

    @property
    def disagreements(self):
        """Steps that both have done, and of which they say otherwise."""
        pairs = {step: (self.ours["steps"][step], self.theirs["steps"][step]) for step in self.ours["steps"]}
        return {step: pair for step, pair in pairs.items() if pair[0] != pair[1] and not set(pair) & set(SKIPPED)}


def both_of(folder, trust=None):
    """Both verifiers' answers, by the text of a trust root."""
    grounds = None if trust is None else Grounds(trust=parse_trust(trust, "root"))
    checked = verify_bundle(folder, grounds)
    other = SECOND.Check(folder, None if trust is None else SECOND.read_trust(trust))
    ours = {
        "outcome": checked.report.outcome,
        "steps": {one.step: one.state for one in checked.report.steps},
        "codes": {one.code for one in checked.report.findings},
        "decision": str(checked.judgement.decision) if checked.judgement and checked.judgement.decision else None,
        "status": {require: checked.status(require) for require in ("go", "conditional")},
        "level": checked.level,
    }
    theirs = {
        "outcome": other.outcome,
        "steps": {step: state for step, (state, _) in other.steps.items()},
        "codes": {code for _, code, _ in other.found},
        "decision": other.decision,
        "status": {require: other.status(require) for require in ("go", "conditional")},
        "level": other.level,
    }
    return Both(ours, theirs)


@pytest.fixture(scope="session")
def second():
    """The second verifier as a module."""
    return SECOND


@pytest.fixture(scope="session")
def verdicts():
    """Its part that recomputes verdicts."""
    return VERDICTS


@pytest.fixture(scope="session")
def ask_both():
    """Ask both verifiers about a folder."""
    return both_of


@pytest.fixture(scope="session")
def kept(tmp_path_factory):
    """Bundles by what they come to; never changed, only copied."""
    folder = tmp_path_factory.mktemp("kept")
    return {
        "conditional": runs.make_bundle(folder / "conditional", broken=False),
        "no-go": runs.make_bundle(folder / "no-go", broken=True),
        "unsealed": runs.make_bundle(folder / "unsealed", broken=False, seal=False),
        "small": make_small(folder / "small"),
    }


@pytest.fixture(scope="session")
def kit_of_cli():
    """The kit that makes bundles of real runs."""
    return runs


@pytest.fixture
def kit_runs():
    """Run the kit's two tests with more arguments; gives the bundle's folder."""

    def run(folder, *arguments):
        folder.mkdir()
        (folder / "gates.toml").write_text(runs.TWO_GATES)
        (folder / "test_search.py").write_text(runs.TESTS.replace("BROKEN", "False"))
        command = [sys.executable, "-m", "pytest", "--spiral-evidence", "-p", "no:cacheprovider"]
        done = subprocess.run(
            [*command, "-p", "no:allure_pytest", *arguments],
            cwd=folder, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        found = list((folder / "reports" / "run").iterdir())
        assert len(found) == 1, done.stdout + done.stderr
        return found[0]

    return run


@pytest.fixture
def bundle(kept, tmp_path):
    """A copy of a kept bundle, to read or to damage."""
    return lambda name: shutil.copytree(kept[name], tmp_path / name / kept[name].name)


@pytest.fixture
def forger(bundle):
    """Somebody who tampers with the small bundle and knows the format."""
    return small.Forger(bundle("small"))
