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

from pytest_spiral.evidence.read import read_evidence
from pytest_spiral.evidence.seal import write_manifest
from pytest_spiral.evidence.store import write_once
from pytest_spiral.ledger.adopt import adopt
from pytest_spiral.ledger.book import Book
from pytest_spiral.model.attestation import LedgerPlace, Signer
from pytest_spiral.model.entry import AttemptCollected, AttemptOpened, AttemptSealed
from pytest_spiral.rules.bar import bars_of
from pytest_spiral.rules.canonical import digest
from pytest_spiral.rules.entries import encode_entry, head_of, read_entries, split_branch
from pytest_spiral.rules.expectation import parse_expectation
from pytest_spiral.rules.trust import parse_trust
from pytest_spiral.run.gate_run import summary_bytes
from pytest_spiral.run.grounds import Grounds
from pytest_spiral.run.registered import load_kept
from pytest_spiral.run.selftest import certificate_bytes, certificate_of, judge_proven
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
bench, make_bench, works = KIT.bench, KIT.make_bench, KIT.works
signer, announced = SIGNING.signer, SIGNING.announced
signing, signed, _signed_template = KIT.small.signing, KIT.small.signed, KIT.small._signed_template
ATTEMPTS = _load("kit_of_attempts", "tests/rules/test_attempts.py")
LEDGERS = _load("kit_of_ledgers", "tests/ledger/conftest.py")
entries = LEDGERS.entries


@dataclass(frozen=True)
class Answer:
    """What both verifiers say: exit statuses, and codes that either found."""

    status: int
    second_status: int
    codes: set
    second_codes: set
    level: str = "E0"

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
def hold():
    """Hold a folder against what a reviewer brings: texts of a trust root and an expectation, and a kept ledger.

    The second verifier knows trust roots only.
    """

    def ask(folder, trust=None, expect=None, kept=None, require="conditional"):
        root = None if trust is None else parse_trust(trust, "trust")
        expected = None if expect is None else parse_expectation(expect, "expectation")
        checked = verify_bundle(folder, Grounds(trust=root, expectation=expected, kept=kept))
        other = KIT.SECOND.Check(folder, None if trust is None else KIT.SECOND.read_trust(trust))
        found = ({one.code for one in checked.report.findings}, {code for _, code, _ in other.found})
        return Answer(checked.status(require), other.status(require), *found, checked.level)

    return ask


@pytest.fixture
def kept_of():
    """The ledger that was kept beside a bundle."""
    return lambda folder: load_kept(folder.parent / "ledger.jsonl")


@pytest.fixture
def with_own_ledger(signing, tmp_path):
    """A signed bundle that carries a ledger of the signer's making.

    Its `sealed` entry comes last, or between `opened` and `collected`, or not at all; `kept`: in the ledger beside it;
    `adopted`: there too, but all its entries are a branch that another run's ledger has adopted.
    """

    def write(order):
        book = Book(tmp_path / "ledger.jsonl", lambda: 1_795_339_800_000_000)
        book.append()
        pin = head_of(read_entries(book.lines()))
        plan = KIT.small.plan_of("max", "max(latency) <= 120 ms")
        signs = Signer(keyid=signing.job.keyid, role="spiral-job")
        run = KIT.small.Run(tmp_path / "reports", plan, git=KIT.small.GIT, signer=signs, ledger=pin)
        start = json.loads((run.folder / "bundle.json").read_bytes())
        nonce = {"nonce": start["nonce"]}
        book.append(
            AttemptOpened(
                run=start["run"], plan=start["plan"], bundle=run.first_prev, deadline=2**52, draft=True,
                target="sandbox", criteria=bars_of(plan), **nonce,
            )
        )  # fmt: skip
        if order == "sealed-between":
            book.append(AttemptSealed(manifest=run.first_prev, draft=True, **nonce))
        KIT.small.record_one_test(run)
        book.append(
            AttemptCollected(inventory=digest((run.folder / "inventory.json").read_bytes()), draft=True, **nonce)
        )
        if order == "sealed-last":
            book.append(AttemptSealed(manifest=run.first_prev, draft=True, **nonce))
        write_once(run.folder / "ledger.jsonl", b"".join(book.lines()))
        evidence = read_evidence(run.folder)
        write_once(run.folder / "selftest.json", certificate_bytes(certificate_of(plan)))
        write_once(run.folder / "summary.json", summary_bytes(judge_proven(evidence)))
        KIT.small.sign_result(run.folder, evidence, judge_proven(evidence), signing.job)
        write_manifest(run.folder)
        told = {one.kind: one.seq for one in read_entries(book.lines())}
        place = LedgerPlace(id=pin.id, opened=told["opened"], collected=told["collected"])
        signing.sign(run.folder, signing.job, ledger=place)
        sealed = [digest((run.folder / name).read_bytes()) for name in ("manifest.json", "attestation.dsse.json")]
        if order in ("kept", "adopted"):
            book.append(AttemptSealed(manifest=sealed[0], attestation=sealed[1], draft=True, **nonce))
        beside = run.folder.parent / "ledger.jsonl"
        beside.write_bytes(b"".join(book.lines()))
        if order == "adopted":
            beside.write_bytes(next(book.lines()))
            winner = Book(beside, lambda: 1_795_339_900_000_000)
            for number in range(20):
                winner.append(*LEDGERS.Entries().run(number))
            adopt(winner, book.lines())
        return run.folder

    return write


@pytest.fixture(scope="session")
def evidence_kit():
    """The builders of small bundles."""
    return KIT.small


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


class Tries(ATTEMPTS.Desk):
    """A run among its attempts, and a branch that its ledger has adopted."""

    def adopted(self, other):
        """Adopt what only another desk's ledger has."""
        known = {one.digest for one in self.entries}
        fork = max(one.seq for one in other.entries if one.digest in known)
        lines = [encode_entry(one.seq, one.prev, one.wall, one.record) for one in other.entries[fork + 1 :]]
        for part in split_branch(fork, lines):
            self.add(part)
        return self


@pytest.fixture
def desk():
    """A run among its attempts."""
    return Tries


@dataclass(frozen=True)
class Released:
    """Three release runs of one gate on one commit, the last of which alone is green; and their ledger."""

    bundles: list
    said: list
    ledger: Path

    @property
    def lines(self):
        return self.ledger.read_bytes().splitlines(keepends=True)

    def _summaries(self):
        return [json.loads((folder / "summary.json").read_bytes()) for folder in self.bundles]

    @property
    def decisions(self):
        return [one["decision"] for one in self._summaries()]

    @property
    def verdicts(self):
        return [one["criteria"][0]["verdict"] for one in self._summaries()]

    def copy(self, folder):
        """A copy of the last one, to damage."""
        return Path(shutil.copytree(self.bundles[-1], folder / "copied" / self.bundles[-1].name))

    def kept(self, path=None):
        """The ledger, or another file in its place, as somebody has kept it."""
        return load_kept(path or self.ledger)


RELEASED = """\
import pytest
from pathlib import Path

@pytest.mark.criterion("S1.failures")
def test_search(spiral):
    with spiral.measure("search") as m:
        for _ in range(3):
            m.miss("no answer") if Path("bad").exists() else m.hit()
"""


@pytest.fixture(scope="session")
def released(tmp_path_factory):
    """Release runs of a gate until one is green."""
    folder = tmp_path_factory.mktemp("released")
    (folder / "gates.toml").write_text(GATES)
    (folder / "test_search.py").write_text(RELEASED)
    (folder / ".gitignore").write_text("bad\n__pycache__/\nreports/\n")
    who = ("-c", "user.name=a", "-c", "user.email=a@b.invalid")
    for arguments in (("init", "-q"), ("add", "-A"), (*who, "commit", "-qm", "it")):
        subprocess.run(["git", "-C", folder, *arguments], check=True)
    said, bundles = [], []
    for good in (False, False, True):
        (folder / "bad").unlink(missing_ok=True) if good else (folder / "bad").touch()
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "--spiral-release", "--spiral-ledger=reports/ledger.jsonl", "-p",
             "no:cacheprovider"],
            cwd=folder, capture_output=True, text=True, check=False, timeout=60, env={**os.environ, "COLUMNS": "120"},
        )  # fmt: skip
        said.append(done.stdout + done.stderr)
        bundles += [one for one in (folder / "reports" / "run").iterdir() if one not in bundles]
    assert len(bundles) == 3, said
    return Released(bundles, said, folder / "reports" / "ledger.jsonl")
