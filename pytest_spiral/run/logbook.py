"""A run's dealings with the ledger: registered before it begins, when its tests are collected, when it is sealed."""

from collections.abc import Mapping
from typing import Any, Final, cast

from pytest_spiral.errors import EvidenceError, UntrustedError
from pytest_spiral.ledger.store import Store
from pytest_spiral.model.attestation import LedgerPlace
from pytest_spiral.model.entry import (
    AttemptCollected,
    AttemptOpened,
    AttemptSealed,
    Entry,
    LedgerHead,
    Shard,
    Word,
)
from pytest_spiral.model.evidence import BundleStart, Evidence
from pytest_spiral.model.gate import Plan
from pytest_spiral.model.judgement import Judgement
from pytest_spiral.rules.bar import bars_of
from pytest_spiral.rules.canonical import digest
from pytest_spiral.rules.entries import lines_of, parse_entry, read_entries

PATIENCE_US: Final = 24 * 3600 * 1_000_000
"""How long after its opening a run counts as going on, where it has no deadline of its own."""

COPY_MOST: Final = 16 * 1024 * 1024
"""The largest copy of a ledger that goes into a bundle; above that the verifier must be given the ledger."""


def standing_head(ledger: Store) -> LedgerHead:
    """Where a ledger stands, which is begun where there is none yet.

    Raises EvidenceError or UseError where it cannot be written to, UntrustedError where an end of it cannot be read.
    """
    ledger.append()
    first = last = b""
    for raw in ledger.lines():
        first, last = first or raw, raw
    if not first:
        raise EvidenceError(f"the ledger {ledger.name} was begun, and is not there.")
    return LedgerHead(id=parse_entry(first).digest, seq=parse_entry(last).seq, digest=digest(last))


class Logbook:
    """The entries of one run in a ledger. Each method may be called again: then nothing new is written."""

    def __init__(self, ledger: Store, start: BundleStart, bundle: str) -> None:
        self._ledger = ledger
        self._start = start
        self._bundle = bundle
        self._collected: Entry | None = None
        self._opened: Entry | None = None

    @classmethod
    def resumed(
        cls, ledger: Store | None, start: BundleStart, bundle: str, opened: Entry | None, collected: Entry | None
    ) -> "Logbook | None":
        """The logbook of a run that somebody else has opened, with its two entries; None where there is no ledger."""
        if ledger is None or opened is None or collected is None:
            return None
        made = cls(ledger, start, bundle)
        made._opened, made._collected = opened, collected
        return made

    @property
    def opened_head(self) -> LedgerHead:
        """Where the ledger stood when the run had been opened; EvidenceError before that."""
        if self._start.ledger is None or self._opened is None:
            raise EvidenceError("the run is not registered yet.")
        return LedgerHead(id=self._start.ledger.id, seq=self._opened.seq, digest=self._opened.digest)

    @property
    def place(self) -> LedgerPlace:
        """Where the run stands in which ledger, as an attestation states it; EvidenceError before it was collected."""
        if self._start.ledger is None or self._opened is None or self._collected is None:
            raise EvidenceError("the run is not registered yet.")
        return LedgerPlace(id=self._start.ledger.id, opened=self._opened.seq, collected=self._collected.seq)

    @property
    def _draft(self) -> bool:
        return self._start.mode == "draft"

    def open(self, plan: Plan) -> None:
        """Register the run and its bar, before anything is recorded. Raises EvidenceError."""
        start = self._start
        part, _, parts = start.shard.partition("/")
        self._opened = self._append(
            AttemptOpened(
                run=start.run,
                nonce=start.nonce,
                plan=start.plan,
                bundle=self._bundle,
                deadline=start.opened + PATIENCE_US,
                shard=None if start.shard == "1/1" else Shard(i=int(part), n=int(parts)),
                draft=self._draft,
                stages=start.scope.stages,
                gates=start.scope.gates,
                criteria=bars_of(plan),
                subjects=known_subjects(start.git),
                target=start.target.name,
            )
        )

    def collect(self, inventory: bytes) -> None:
        """Register what was collected, before any test runs; `inventory` is inventory.json. Raises EvidenceError."""
        if self._collected is None:
            record = AttemptCollected(nonce=self._start.nonce, inventory=digest(inventory), draft=self._draft)
            self._collected = self._append(record)

    def copy(self) -> bytes:
        """The ledger's bytes up to this run's `collected`. Raises EvidenceError, UntrustedError where they are not there."""
        if self._collected is None:
            raise EvidenceError("the tests were never registered as collected, so the run cannot be sealed.")
        raw = []
        for line in self._ledger.lines():
            raw.append(line)
            if digest(line) == self._collected.digest:
                return b"".join(raw)
        raise UntrustedError("ledger-head", f"the ledger {self._ledger.name} has lost what this run registered in it.")

    def seal(self, judgement: Judgement, evidence: Evidence, manifest: str, attestation: str | None = None) -> None:
        """Register the seal: digests of the manifest and the attestation, and how it came out. Raises EvidenceError."""
        self._append(sealed_record(judgement, evidence, manifest, attestation))

    def _append(self, record: AttemptOpened | AttemptCollected | AttemptSealed) -> Entry:
        return self._ledger.append(record)[0]


def sealed_record(judgement: Judgement, evidence: Evidence, manifest: str, attestation: str | None) -> AttemptSealed:
    """What a ledger is told of a sealed run; a function of the bundle alone, so that it can be told again."""
    return AttemptSealed(
        nonce=evidence.bundle.nonce,
        manifest=manifest,
        attestation=attestation,
        decision=judgement.decision,
        verdicts={one.id: one.verdict for one in judgement.criteria},
        runs=own_runs(judgement),
        subjects=seen_subjects(evidence),
        draft=evidence.bundle.mode == "draft",
    )


def own_runs(judgement: Judgement) -> dict[str, tuple[Word, ...]]:
    """How each run of the session came out for each criterion, before any other attempt was looked at."""
    return {one.id: cast("tuple[Word, ...]", one.runs) for one in judgement.criteria}


def entries_of(copy: bytes) -> tuple[Entry, ...]:
    """The entries of a ledger's bytes; raises UntrustedError."""
    return tuple(read_entries(lines_of(copy)))


def known_subjects(git: Mapping[str, Any]) -> dict[str, str]:
    """What identifies the tested bytes before anything runs: the commit, where git tells one."""
    return {"git": f"gitCommit:{git['commit']}"} if "commit" in git else {}


def seen_subjects(evidence: Evidence) -> dict[str, str]:
    """The digest of each component that was seen, beside controls."""
    found: dict[str, str] = {}
    for one in evidence.subjects:
        if not one.control:
            found.setdefault(one.subject, one.digest)
    return dict(sorted(found.items()))
