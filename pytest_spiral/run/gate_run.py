"""A run with evidence, from the first file to the seal; without pytest."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

import pytest_spiral
from pytest_spiral.evidence.read import read_evidence
from pytest_spiral.evidence.seal import write_manifest
from pytest_spiral.evidence.store import create_bundle, write_once
from pytest_spiral.ledger.store import Store
from pytest_spiral.model.attestation import Signed, Signer
from pytest_spiral.model.entry import Entry
from pytest_spiral.model.evidence import BundleStart, Evidence, Scope, TargetCard
from pytest_spiral.model.gate import GateCard, Plan
from pytest_spiral.model.judgement import Judgement
from pytest_spiral.model.profile import Profile
from pytest_spiral.model.record import End, JournalHead
from pytest_spiral.render.markdown import render_change_notes, render_summary_markdown
from pytest_spiral.rules.canonical import canonical_bytes, digest
from pytest_spiral.rules.paths import LEDGER, SELFTEST, run_id
from pytest_spiral.rules.redact import Redactor
from pytest_spiral.run import clock, opening
from pytest_spiral.run.allure import write_allure
from pytest_spiral.run.earlier import carry_earlier
from pytest_spiral.run.logbook import COPY_MOST, Logbook, entries_of, standing_head
from pytest_spiral.run.selftest import certificate_bytes, certificate_of, judge_proven
from pytest_spiral.run.writer import Writer

if TYPE_CHECKING:
    from pytest_spiral.evidence.keys import SigningKey

SEALED = "sealed, E0: hashes only"
ATTESTED = "sealed, signed; spiral verify --trust FILE proves it"


@dataclass(frozen=True, slots=True)
class Request:
    """What a run with evidence is started with."""

    root: Path
    reports: Path
    slug: str
    plan: Plan
    cards: tuple[GateCard, ...]
    scope: Scope
    target: TargetCard
    profile: Profile
    argv: tuple[str, ...]
    options: Mapping[str, Any]
    ini: Mapping[str, Any]
    environment: Mapping[str, str]
    require: Literal["go", "conditional"]
    key: "SigningKey | None" = None
    ledger: Store | None = None
    release: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """A bundle that was begun: what a worker must know to write into it. Only the process that opened it has a logbook."""

    folder: Path
    start: BundleStart
    first_prev: str
    key: "SigningKey | None" = field(default=None, repr=False)
    logbook: Logbook | None = None

    def writer(self, process: str, redactor: Redactor) -> Writer:
        """This process's way to write."""
        return Writer(self.folder, process, self.first_prev, self.start.nonce, redactor)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A run that was judged and sealed."""

    folder: Path
    evidence: Evidence
    judgement: Judgement

    @property
    def word(self) -> str:
        """How it was sealed, in words."""
        return sealed_word(self.evidence.bundle)


def open_run(request: Request) -> Opened:
    """Create the bundle's folder, register the bar, write `bundle.json`; then register the run in the ledger.

    Raises EvidenceError or UseError.
    """
    head = None if request.ledger is None else standing_head(request.ledger)
    opened = clock.wall_us()
    nonce = secrets.token_hex(16)
    plan_bytes = canonical_bytes(msgspec.to_builtins(request.plan))
    folder = create_bundle(request.reports / request.slug, run_id(opened, request.slug, nonce))
    start = BundleStart(
        run=folder.name,
        nonce=nonce,
        opened=opened,
        plan=digest(plan_bytes),
        target=request.target,
        scope=request.scope,
        profile=request.profile,
        argv=request.argv,
        options=dict(request.options),
        ini=dict(request.ini),
        environment=dict(request.environment),
        packages=opening.packages(),
        git=opening.git_state(request.root),
        plugin=opening.code_digests(request.root, Path(pytest_spiral.__file__).parent),
        gates=request.cards,
        require=request.require,
        mode="release" if request.release else "draft",
        signer=Signer(keyid=request.key.keyid, role="spiral-job") if request.key else None,
        ledger=head,
    )
    write_once(folder / "plan.json", plan_bytes)
    data = msgspec.json.encode(start) + b"\n"
    write_once(folder / "bundle.json", data)
    logbook = None if request.ledger is None else Logbook(request.ledger, start, digest(data))
    if logbook is not None:
        logbook.open(request.plan)
    return Opened(folder, start, digest(data), request.key, logbook)


def seal_run(opened: Opened) -> Sealed:
    """Read back what was written, judge it, write what is derived, seal, sign where a key was given, register the seal.

    The journals must be closed. Raises EvidenceError, also where the key itself has got into the evidence.
    """
    if opened.key is not None:
        from pytest_spiral.evidence.keys import refuse_copies

        refuse_copies(opened.folder, opened.key)
    ledger = None if opened.logbook is None else _keep_ledger(opened.folder, opened.logbook)
    evidence = read_evidence(opened.folder, ledger=ledger)
    evidence = msgspec.structs.replace(evidence, earlier=carry_earlier(opened.folder, evidence))
    judgement = judge_proven(evidence)
    write_derived(opened.folder, evidence, judgement)
    if opened.key is None:
        manifest, attestation = write_manifest(opened.folder), None
    else:
        manifest, attestation = _sign(opened, evidence, judgement, opened.key)
    if opened.logbook is not None:
        opened.logbook.seal(judgement, evidence, manifest, attestation)
    signed: Signed = "none" if opened.key is None else "job"
    return Sealed(opened.folder, evidence, msgspec.structs.replace(judgement, signed=signed))


def _sign(opened: Opened, evidence: Evidence, judgement: Judgement, key: "SigningKey") -> tuple[str, str]:
    """Seal and sign; gives the digests of the manifest and of the attestation."""
    from pytest_spiral.run.signing import sign_decision, sign_result

    sign_result(opened.folder, evidence, judgement, key)
    manifest = write_manifest(opened.folder)
    place = None if opened.logbook is None else opened.logbook.place
    digests = (opened.first_prev, manifest)
    return manifest, sign_decision(opened.folder, evidence, judgement, digests, key, ledger=place)


def _keep_ledger(folder: Path, logbook: Logbook) -> tuple[Entry, ...]:
    """Copy the ledger into the bundle, unless it is too large; gives its entries."""
    copy = logbook.copy()
    if len(copy) <= COPY_MOST:
        write_once(folder / LEDGER, copy)
    return entries_of(copy)


def write_derived(folder: Path, evidence: Evidence, judgement: Judgement) -> None:
    """Write selftest.json, summary.json, the pages for people, and the Allure results."""
    write_once(folder / SELFTEST, certificate_bytes(certificate_of(evidence.plan)))
    write_once(folder / "summary.json", summary_bytes(judgement))
    start = evidence.bundle
    pages = {
        "summary.md": render_summary_markdown(judgement, evidence.plan, start.gates, start, folder.name),
        "change_notes.md": render_change_notes(judgement, evidence.plan, start),
    }
    for name, text in pages.items():
        write_once(folder / name, text.encode())
    write_allure(folder, evidence, judgement)


def summary_bytes(judgement: Judgement) -> bytes:
    """The canonical bytes of `summary.json`."""
    return canonical_bytes(msgspec.to_builtins(judgement)) + b"\n"


def end_of(status: str, exit_status: int, workers: Mapping[str, JournalHead]) -> End:
    """The main journal's last record."""
    word: Any = status
    return End(status=word, exit_status=exit_status, workers=dict(workers))


def sealed_word(start: BundleStart) -> str:
    """How a sealed bundle was sealed, in words that claim nothing which was not verified."""
    return SEALED if start.signer is None else ATTESTED


def slug_of(stages: Sequence[str], gates: Sequence[str]) -> str:
    """The word that names a run: its stages, else its gates, else `run`."""
    words = list(stages) or [gate.lower() for gate in gates]
    return "-".join(words)[:60] or "run"
