"""A small bundle, built through the product's own writers, and ways to tamper with it that keep its chains whole."""

import hashlib
import itertools
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from pytest_spiral.evidence.journal import Journal
from pytest_spiral.evidence.journals import journal_heads
from pytest_spiral.evidence.keys import SigningKey, make_key
from pytest_spiral.evidence.read import read_evidence
from pytest_spiral.evidence.samples import SampleFile
from pytest_spiral.evidence.seal import write_manifest
from pytest_spiral.evidence.store import create_bundle, write_once
from pytest_spiral.model import record
from pytest_spiral.model.attestation import Signer
from pytest_spiral.model.evidence import BundleStart, Inventory, InventoryItem, Scope, TargetCard
from pytest_spiral.model.fidelity import Fidelity
from pytest_spiral.model.gate import Criterion, Gate, Limit, Plan
from pytest_spiral.model.judgement import Judgement
from pytest_spiral.model.launcher import AIMS, Confinement, Escape
from pytest_spiral.model.manifest import Manifest, ManifestFile
from pytest_spiral.model.measurement import Sample
from pytest_spiral.model.profile import Fact, Profile
from pytest_spiral.model.trust import TrustRoot
from pytest_spiral.rules.canonical import canonical_bytes, digest
from pytest_spiral.rules.confinement import CAPABILITIES
from pytest_spiral.rules.inventory import encode_inventory
from pytest_spiral.rules.paths import sample_file
from pytest_spiral.rules.trust import parse_trust
from pytest_spiral.run.gate_run import summary_bytes
from pytest_spiral.run.selftest import certificate_bytes, certificate_of, judge_proven
from pytest_spiral.run.signing import sign_decision, sign_result

NONCE = "3f9c1a00000000000000000000000001"
RUN = "20261122T093000Z-stage_b-3f9c1a"
CRITERION = "B1.latency"
TESTS = ("suites/test_b1.py::test_search", "suites/test_b1.py::test_recall", "suites/test_b1.py::test_native")
GIT = {"commit": "3f9c1a0000000000000000000000000000000001", "committed": 1_795_339_700, "dirty": False}
LEFT_OUT = "suites/test_b1.py::test_slow"
FACT = Fact(name="cpu.cores", state="present", kind="hardware", evidence="2", command="nproc", value=2)


class Clock:
    """Wall and monotonic time that move by a fixed step with each look."""

    def __init__(self) -> None:
        self._wall = itertools.count(1_795_339_800_000_000, 1_000)
        self._mono = itertools.count(5_000_000_000, 1_000_000)

    def wall(self) -> int:
        return next(self._wall)

    def mono(self) -> int:
        return next(self._mono)


class Run:
    """A run that is being written."""

    def __init__(self, root: Path, plan: Plan | None = None, **start: object) -> None:
        self.clock = Clock()
        self.folder = create_bundle(root, RUN)
        bar = canonical_bytes(plan or a_plan())
        write_once(self.folder / "plan.json", bar)
        data = msgspec.json.encode(a_start(digest(bar), **start)) + b"\n"
        write_once(self.folder / "bundle.json", data)
        self.first_prev = digest(data)

    def journal(self, process: str) -> Journal:
        path = self.folder / "journal" / f"{process}.jsonl"
        return Journal(path, self.first_prev, process, NONCE, self.clock.wall, self.clock.mono)

    def opened(self, process: str, number: int = 1, **said: object) -> record.MeasureOpened:
        file = sample_file(CRITERION, process, number)
        known = {"name": "latency", "unit": "ms", "test": TESTS[0], "criteria": (CRITERION,), "planned": 4}
        return record.MeasureOpened(file=file, **{**known, **said})

    def samples(self, journal: Journal, process: str, number: int = 1) -> SampleFile:
        opened = self.opened(process, number)
        journal.append(opened)
        return SampleFile(self.folder, opened, journal)

    def collect(self) -> None:
        items = [InventoryItem(id=test, criteria=(CRITERION,)) for test in TESTS]
        items.append(InventoryItem(id=LEFT_OUT, selected=False))
        write_once(self.folder / "inventory.json", encode_inventory(Inventory(items=tuple(items))))

    def summarise(self) -> None:
        summary = Judgement(
            run=RUN, plan="", rules="", target="", partial=False, decision=None, permission=0, criteria=(), gates=(),
            stages=(), debts=(), counts={}, tests={},
        )  # fmt: skip
        write_once(self.folder / "summary.json", canonical_bytes(summary))

    def end(self, main: Journal, status: str = "finished") -> None:
        main.close(record.End(status=status, workers=journal_heads(self.folder)))


def a_plan() -> Plan:
    return plan_of("max", "max(latency) <= 120 ms")


def plan_of(statistic: str, text: str, *, quantile: str | None = None, confidence: str | None = None) -> Plan:
    limit = Limit(
        text=text, statistic=statistic, measurements=("latency",), quantile=quantile,
        comparison="<=", bound="120", unit="ms",
    )  # fmt: skip
    criterion = Criterion(id=CRITERION, limits=(limit,), samples=4, confidence=confidence)
    return Plan(gates=(Gate(id="B1", stage="stage_b", criteria=(criterion,)),))


def a_start(plan: str, **change: object) -> BundleStart:
    start = BundleStart(
        run=RUN,
        nonce=NONCE,
        opened=1_795_339_800_000_000,
        plan=plan,
        target=TargetCard(name="sandbox", fidelity=Fidelity.SANDBOX),
        scope=Scope(stages=("stage_b",)),
        profile=Profile(name="bench", facts=(FACT,)),
        argv=("pytest", "-m", "stage_b"),
    )
    return msgspec.structs.replace(start, **change)


def record_one_test(run: Run, status: str = "finished") -> None:
    """The smallest run that can pass: one test, four samples."""
    item = InventoryItem(id=TESTS[0], criteria=(CRITERION,))
    write_once(run.folder / "inventory.json", encode_inventory(Inventory(items=(item,))))
    main = run.journal("main")
    samples = run.samples(main, "main")
    for number, value in enumerate((4.25, 3, 117.5, 0.1)):
        samples.add(Sample(n=number, value=value))
    samples.close()
    main.append(record.Test(id=TESTS[0], criteria=(CRITERION,)))
    run.end(main, status)


def write_all(run: Run) -> None:
    """Everything that a run writes before its seal: two workers, one of which dies in a test."""
    run.collect()
    main = run.journal("main")
    _write_main(run, main)
    worker = run.journal("gw0")
    samples = run.samples(worker, "gw0")
    for number, value in enumerate((4.25, 3, 117.5, 0.1)):
        samples.add(Sample(n=number, value=value))
    samples.close()
    worker.append(record.Test(id=TESTS[0], criteria=(CRITERION,), duration_ns=12_345, next=TESTS[1]))
    worker.append(record.Test(id=TESTS[1], criteria=(CRITERION,), raised="assertion", phase="call", why="not found"))
    worker.close(record.End())
    dead = run.journal("gw1")
    left = run.samples(dead, "gw1")
    left.add(Sample(n=0, value=1.5))
    dead.release()
    main.append(record.Crash(process="gw1", test=TESTS[2], why="SIGSEGV"))
    run.end(main)
    run.summarise()


def _write_main(run: Run, main: Journal) -> None:
    write_once(run.folder / "log.txt", b"hello\n")
    seen = {"frames": [1, 2.5], "found": True, "id": None}
    challenge = record.Challenge(kind="memory.nonce", nonce="ab", answers=seen)
    main.append(
        record.SubjectSeen(
            subject="memory", when="start", identity="m-1", version="1.0", digest=digest(b""),
            registered=Fidelity.SANDBOX, challenge=challenge,
        )
    )  # fmt: skip
    main.append(record.FactSeen(fact=FACT))
    main.append(record.RunOpened(run="main-1", test=TESTS[0], criteria=(CRITERION,)))
    main.append(record.RunClosed(run="main-1", outcome="closed"))
    main.append(record.ControlOpened(control="B1.control", of=CRITERION, fault="memory.slow", test=TESTS[0]))
    main.append(record.ControlClosed(control="B1.control", test=TESTS[0]))
    main.append(
        record.Attached(path="log.txt", name="the log", media_type="text/plain", bytes=6, sha256=digest(b"hello\n"))
    )


class Forger:
    """Changes a bundle and mends its chains and manifest, as somebody would who knows the format."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def edit(self, path: str, change: Callable[[bytes], bytes]) -> None:
        """Change a file's bytes and nothing else."""
        file = self.folder / path
        file.write_bytes(change(file.read_bytes()))

    def records(self, process: str) -> list[tuple[str, dict]]:
        """Kind and body of each record of a journal."""
        lines = (self.folder / f"journal/{process}.jsonl").read_bytes().splitlines()
        return [(line["kind"], line["body"]) for line in map(json.loads, lines)]

    def rechain(self, process: str, records: list[tuple[str, dict]], tail: bytes = b"") -> None:
        """Write a journal anew with good chain, sequence and times, and let the main journal's end know."""
        prev = digest((self.folder / "bundle.json").read_bytes())
        lines = []
        for n, (kind, body) in enumerate(records):
            frame = {"n": n, "prev": prev, "wall": 1_795_339_800_000_000 + n, "mono": n, "kind": kind, "body": body}
            lines.append(json.dumps(frame, separators=(",", ":")).encode() + b"\n")
            prev = digest(lines[-1])
        (self.folder / f"journal/{process}.jsonl").write_bytes(b"".join(lines) + tail)
        if process != "main":
            head = {"n": len(lines) - 1, "digest": prev, "ended": records[-1][0] == "end"}
            self.end(lambda end: end["workers"].update({process: head}))

    def change(self, process: str, change: Callable[[list[tuple[str, dict]]], object]) -> None:
        """Change the records of a journal, with good chains everywhere, and seal."""
        records = self.records(process)
        change(records)
        self.rechain(process, records)
        self.seal()

    def end(self, change: Callable[[dict], object]) -> None:
        """Change the main journal's end record."""
        records = self.records("main")
        change(records[-1][1])
        self.rechain("main", records)

    def seal(self) -> None:
        """Write the manifest anew, whatever lies there."""
        (self.folder / "manifest.json").unlink(missing_ok=True)
        files = [
            ManifestFile(
                path=path.relative_to(self.folder).as_posix(),
                bytes=path.stat().st_size,
                sha256=digest(path.read_bytes()),
            )
            for path in self.folder.rglob("*")
            if path.is_file() and not path.is_symlink() and path.name != "attestation.dsse.json"
        ]
        manifest = Manifest(files=tuple(sorted(files, key=lambda file: file.path)))
        (self.folder / "manifest.json").write_bytes(canonical_bytes(manifest))


@pytest.fixture
def begin(tmp_path: Path) -> Callable[[], Run]:
    """Begin a run in a fresh folder."""
    return lambda: Run(tmp_path / "reports")


@pytest.fixture(scope="session")
def _template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = Run(tmp_path_factory.mktemp("template"))
    write_all(run)
    write_manifest(run.folder)
    return run.folder


@pytest.fixture
def sealed(_template: Path, tmp_path: Path) -> Path:
    """A small sealed bundle of one's own."""
    return Path(shutil.copytree(_template, tmp_path / RUN))


class Signing:
    """Makes signed bundles: keys for both roles, and a trust root that knows them."""

    CONFINED = Confinement(
        uid=65534,
        gid=65534,
        launcher=0,
        state={
            **dict.fromkeys(CAPABILITIES, "0" * 16),
            "Uid": "65534 65534 65534 65534",
            "Gid": "65534 65534 65534 65534",
            "Groups": "",
            "NoNewPrivs": "1",
        },
        escapes=tuple(Escape(aim=aim, refused="EACCES") for aim in AIMS),
    )

    def __init__(self, root: Path) -> None:
        self.root = root
        self.job, self.recorder, self.stranger = make_key(), make_key(), make_key()
        self.opened = itertools.count()

    def trust(self, *lines: str) -> TrustRoot:
        """A trust root: the lines given, else one for each role's key."""
        return parse_trust("\n".join(lines or (self.line(self.job), self.line(self.recorder, "spiral-recorder"))), "t")

    def line(self, key: SigningKey, roles: str = "spiral-job", options: str = "") -> str:
        """A key's line in a trust root."""
        return f'ci@example.org namespaces="{roles}"{options} {key.public}'

    def run(
        self, key: SigningKey | None = None, role: str = "spiral-job", status: str = "finished", **start: object
    ) -> Path:
        """A run that ended, judged, with a manifest, and not signed yet."""
        signer = Signer(keyid=key.keyid, role=role) if key else None
        plan = plan_of("max", "max(latency) <= 120 ms")
        run = Run(self.root / str(next(self.opened)), plan, **{"git": GIT, "signer": signer, **start})
        record_one_test(run, status)
        evidence = read_evidence(run.folder)
        write_once(run.folder / "selftest.json", certificate_bytes(certificate_of(evidence.plan)))
        write_once(run.folder / "summary.json", summary_bytes(judge_proven(evidence)))
        if key is not None:
            sign_result(run.folder, evidence, judge_proven(evidence), key)
        write_manifest(run.folder)
        return run.folder

    def sign(self, folder: Path, key: SigningKey, **stated: object) -> Path:
        """Sign what the bundle gives."""
        evidence = read_evidence(folder)
        digests = tuple(digest((folder / name).read_bytes()) for name in ("bundle.json", "manifest.json"))
        sign_decision(folder, evidence, judge_proven(evidence), digests, key, **stated)
        return folder


@pytest.fixture(scope="session")
def signing(tmp_path_factory: pytest.TempPathFactory) -> Signing:
    """Somebody who signs bundles."""
    return Signing(tmp_path_factory.mktemp("signing"))


@pytest.fixture(scope="session")
def _signed_template(signing: Signing) -> Path:
    return signing.sign(signing.run(signing.job), signing.job)


@pytest.fixture
def signed(_signed_template: Path, tmp_path: Path) -> Path:
    """A small bundle of one's own, signed by the job."""
    return Path(shutil.copytree(_signed_template, tmp_path / RUN))


@pytest.fixture
def forger(sealed: Path) -> Forger:
    """Somebody who tampers with the sealed bundle."""
    return Forger(sealed)


@pytest.fixture
def forger_of() -> type[Forger]:
    """Somebody who tampers with any bundle."""
    return Forger


@pytest.fixture
def content(_template: Path) -> Iterator[dict[str, bytes]]:
    """The bytes of every file of the small sealed bundle; checked to be untouched afterwards."""

    def files() -> dict[str, bytes]:
        return {str(path.relative_to(_template)): path.read_bytes() for path in _template.rglob("*") if path.is_file()}

    before = files()
    yield dict(before)
    assert hashlib.sha256(repr(before).encode()).digest() == hashlib.sha256(repr(files()).encode()).digest()
