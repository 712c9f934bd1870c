"""A run with evidence, from the first file to the seal; without pytest."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

import pytest_spiral
from pytest_spiral.evidence.read import read_evidence
from pytest_spiral.evidence.seal import write_manifest
from pytest_spiral.evidence.store import create_bundle, write_once
from pytest_spiral.ledger.store import Store
from pytest_spiral.model.attestation import Isolation, Signed, Signer
from pytest_spiral.model.entry import Entry, LedgerHead
from pytest_spiral.model.evidence import BundleStart, Evidence, Scope, TargetCard
from pytest_spiral.model.gate import GateCard, Plan
from pytest_spiral.model.judgement import Judgement
from pytest_spiral.model.launcher import Confinement, Published
from pytest_spiral.model.profile import Profile
from pytest_spiral.model.record import End, JournalHead
from pytest_spiral.render.markdown import render_change_notes, render_summary_markdown
from pytest_spiral.rules.canonical import canonical_bytes, digest, plain
from pytest_spiral.rules.freshness import patterns_of
from pytest_spiral.rules.paths import LEDGER, SELFTEST, run_id
from pytest_spiral.rules.redact import Redactor
from pytest_spiral.run import clock, opening
from pytest_spiral.run.allure import write_allure
from pytest_spiral.run.earlier import carry_earlier
from pytest_spiral.run.inputs import read_inputs
from pytest_spiral.run.logbook import COPY_MOST, Logbook, entries_of, standing_head
from pytest_spiral.run.selftest import certificate_bytes, certificate_of, judge_proven
from pytest_spiral.run.writer import Writer

if TYPE_CHECKING:
    from pytest_spiral.evidence.keys import SigningKey
    from pytest_spiral.run.channel import Channel

SEALED = "sealed, E0: hashes only"
ATTESTED = "sealed, signed; spiral verify --trust FILE proves it"
HANDED_OVER = "handed over to spiral record, which seals and signs what adds up"


@dataclass(frozen=True, slots=True)
class Request:
    """What a run with evidence is started with.

    `channel` leads to `spiral record` where that has started the run; `publish` gives the ledger's head to a witness.
    """

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
    channel: "Channel | None" = None
    publish: Callable[[LedgerHead], Published | None] | None = None

    @property
    def bundles(self) -> Path:
        """Where sealed bundles lie, which no result rests on: under `spiral record` not where this run is written."""
        return self.reports if self.channel is None else Path(self.channel.terms.sealed)

    @property
    def signer(self) -> Signer | None:
        """Who is going to sign."""
        if self.channel is not None:
            return Signer(keyid=self.channel.terms.keyid, role="spiral-recorder")
        return Signer(keyid=self.key.keyid, role="spiral-job") if self.key else None

    @property
    def confinement(self) -> Confinement | None:
        """How the tests are kept from the key."""
        return self.channel.terms.confinement if self.channel is not None else None


@dataclass(frozen=True, slots=True)
class Opened:
    """A bundle that was begun: what a worker must know to write into it. Only the process that opened it has a logbook.

    `channel` is the process's way to `spiral record`, which then seals; `published` what came of giving the ledger's
    head to a witness; `isolation` how the key was kept from the tests, which only who signs can say.
    """

    folder: Path
    start: BundleStart
    first_prev: str
    key: "SigningKey | None" = field(default=None, repr=False)
    logbook: Logbook | None = None
    channel: "Channel | None" = None
    published: Published | None = None
    isolation: Isolation = "none"

    def writer(self, process: str, redactor: Redactor) -> Writer:
        """This process's way to write."""
        tell = self.channel.tell if self.channel is not None else None
        return Writer(self.folder, process, self.first_prev, self.start.nonce, redactor, tell)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A run that was judged and sealed. `place` is where its bundle will lie, where `spiral record` has yet to seal it."""

    folder: Path
    evidence: Evidence
    judgement: Judgement
    place: Path | None = None

    @property
    def word(self) -> str:
        """How it was sealed, in words."""
        return sealed_word(self.evidence.bundle) if self.place is None else HANDED_OVER


def open_run(request: Request) -> Opened:
    """Create the bundle's folder, register the bar, write `bundle.json`; then register the run, and publish that.

    Raises EvidenceError or UseError.
    """
    head = None if request.ledger is None else standing_head(request.ledger)
    opened = clock.wall_us()
    nonce = secrets.token_hex(16)
    plan_bytes = canonical_bytes(msgspec.to_builtins(request.plan))
    folder = create_bundle(request.reports / request.slug, run_id(opened, request.slug, nonce))
    said = BundleStart(
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
        inputs=read_inputs(request.root, patterns_of(request.plan), request.bundles),
        require=request.require,
        mode="release" if request.release else "draft",
        signer=request.signer,
        ledger=head,
        confinement=request.confinement,
    )
    write_once(folder / "plan.json", plan_bytes)
    written = plain(said)  # a word of the command line need not be text
    start, data = msgspec.convert(written, BundleStart), msgspec.json.encode(written) + b"\n"
    write_once(folder / "bundle.json", data)
    logbook = None if request.ledger is None else Logbook(request.ledger, start, digest(data))
    if logbook is not None:
        logbook.open(request.plan)
    published = request.publish(logbook.opened_head) if request.publish is not None and logbook is not None else None
    return Opened(folder, start, digest(data), request.key, logbook, request.channel, published)


def judge_run(opened: Opened) -> Sealed:
    """Read back what was written and judge it, as `seal_run` does, and write nothing: `spiral record` seals it.

    Raises EvidenceError.
    """
    ledger = None if opened.logbook is None else entries_of(opened.logbook.copy())
    evidence = read_evidence(opened.folder, ledger=ledger)
    sealed = Path(opened.channel.terms.sealed) if opened.channel is not None else opened.folder.parents[1]
    place = sealed / opened.folder.parent.name / opened.folder.name
    return Sealed(opened.folder, evidence, judge_proven(evidence), place)


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
    signer: Signed = "recorder" if opened.isolation == "launcher" else "job"
    signed: Signed = "none" if opened.key is None else signer
    return Sealed(opened.folder, evidence, msgspec.structs.replace(judgement, signed=signed))


def _sign(opened: Opened, evidence: Evidence, judgement: Judgement, key: "SigningKey") -> tuple[str, str]:
    """Seal and sign; gives the digests of the manifest and of the attestation.

    Looks for the key once more, now in what was derived: who signs can read it, and derives from what tests wrote.
    """
    from pytest_spiral.evidence.keys import refuse_copies
    from pytest_spiral.run.signing import sign_decision, sign_result

    refuse_copies(opened.folder, key)
    sign_result(opened.folder, evidence, judgement, key)
    manifest = write_manifest(opened.folder)
    place = None if opened.logbook is None else opened.logbook.place
    digests = (opened.first_prev, manifest)
    attestation = sign_decision(
        opened.folder, evidence, judgement, digests, key, ledger=place, isolation=opened.isolation
    )
    return manifest, attestation


def _keep_ledger(folder: Path, logbook: Logbook) -> tuple[Entry, ...]:
    """Copy the ledger into the bundle, unless it is too large; gives its entries."""
    copy = logbook.copy()
    if len(copy) <= COPY_MOST:
        write_once(folder / LEDGER, copy)
    return entries_of(copy)


def write_derived(folder: Path, evidence: Evidence, judgement: Judgement) -> None:
    """Write selftest.json, summary.json, the pages for people, and the Allure results; the manifest makes them durable."""
    write_once(folder / SELFTEST, certificate_bytes(certificate_of(evidence.plan)), durable=False)
    write_once(folder / "summary.json", summary_bytes(judgement), durable=False)
    start = evidence.bundle
    pages = {
        "summary.md": render_summary_markdown(judgement, evidence.plan, start.gates, start, folder.name),
        "change_notes.md": render_change_notes(judgement, evidence.plan, start),
    }
    for name, text in pages.items():
        write_once(folder / name, text.encode(), durable=False)
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
