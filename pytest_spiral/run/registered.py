"""Step 11 of verifying: where a run stands in its ledger, and what a ledger that was kept says of it."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from pytest_spiral.errors import UntrustedError, UseError
from pytest_spiral.evidence.report import Report, StepState
from pytest_spiral.ledger.book import Book
from pytest_spiral.ledger.fsck import fsck
from pytest_spiral.model.attestation import DecisionPredicate, LedgerPlace
from pytest_spiral.model.base import Value
from pytest_spiral.model.entry import (
    AttemptCollected,
    AttemptOpened,
    AttemptRecovered,
    AttemptSealed,
    Entry,
    KeyRevoked,
    LedgerHead,
)
from pytest_spiral.model.evidence import Evidence
from pytest_spiral.rules.canonical import digest
from pytest_spiral.rules.entries import head_of, parse_head, read_entries, with_branches
from pytest_spiral.rules.history import history_of
from pytest_spiral.rules.integrity import Finding, finding, shown
from pytest_spiral.rules.paths import ATTESTATION, BUNDLE, INVENTORY, LEDGER, MAIN_JOURNAL
from pytest_spiral.run import clock
from pytest_spiral.run.witness import Witnessed, check_witness

_NAMED = 20
_NOBODY = Witnessed("none")


class Kept(NamedTuple):
    """What a person kept of a ledger: all of it, or a head."""

    head: LedgerHead
    entries: tuple[Entry, ...] | None


class Logged(NamedTuple):
    """What the ledger says of the bundle.

    `position` is where its `sealed` entry came to stand: the sequence of that entry, or of the one that adopted the
    branch in which it is, since a branch can number its entries as it likes. `attestation` is the digest that it
    names. The others are when its entries were written, in microseconds since 1970-01-01 UTC; None where there is no
    such entry.
    """

    position: int | None
    attestation: str | None = None
    collected: int | None = None
    sealed: int | None = None


class Registered(NamedTuple):
    """A run that says it was registered, what was kept, and what its attestation says."""

    folder: Path
    evidence: Evidence
    kept: Kept | None
    attested: DecisionPredicate | None

    @property
    def place(self) -> LedgerPlace | None:
        """Where in a ledger the attestation says that the run stands."""
        return self.attested.ledger if self.attested is not None else None

    @property
    def countersigned(self) -> bool:
        """Whether a recorder's attestation, which step 4 checks, took the place of the one that was registered."""
        return self.attested is not None and self.attested.isolation == "countersign"


def load_kept(path: Path, bundle: Path | None = None) -> Kept:
    """Read a kept ledger, or the one line that `spiral ledger head` printed.

    Raises UseError where there is no file, or it lies in `bundle`; UntrustedError for a ledger that does not hold and
    for anything else.
    """
    if bundle is not None and path.resolve().is_relative_to(bundle.resolve()):
        raise UseError(f"The ledger {path} lies in the bundle. Remedy: take it from where the bundle cannot reach.")
    try:
        with path.open("rb") as file:
            begin = file.read(400)
    except OSError as problem:
        raise UseError(f"the ledger {path} cannot be read: {problem.strerror}.") from problem
    if not begin.startswith(b"{"):
        return Kept(parse_head(begin.decode(errors="replace")), None)
    book = Book(path, clock.wall_us)
    for found in fsck(book.lines()).findings:
        raise UntrustedError(found.code, f"the ledger {path} does not hold: {found.sentence}")
    entries = tuple(read_entries(book.lines()))
    return Kept(head_of(entries), entries)


def through(entries: Sequence[Entry], nonce: str) -> tuple[Entry, ...] | None:
    """The entries up to the one that says a run's tests were collected: what its bundle copies; None where it is not there."""
    for at, one in enumerate(entries):
        if isinstance(one.record, AttemptCollected) and one.record.nonce == nonce:
            return tuple(entries[: at + 1])
    return None


def with_kept(evidence: Evidence, kept: Kept | None) -> Evidence:
    """The evidence, with the kept ledger's entries where the bundle has no copy of its own."""
    if evidence.ledger is not None or evidence.bundle.ledger is None or kept is None or kept.entries is None:
        return evidence
    return msgspec.structs.replace(evidence, ledger=through(kept.entries, evidence.bundle.nonce))


def logged_of(evidence: Evidence, kept: Kept | None) -> Logged | None:
    """When the ledger's entries about a run were written; None where nothing tells.

    Its own copy tells when its tests were collected, and nothing of its seal: the copy ends before that, and whoever
    signs with a key that was revoked can write a whole ledger into the bundle. Only one that was kept elsewhere shows
    where the run was sealed. What an adopted branch says stands where the branch was adopted, not where it says that it
    stood: nobody had seen it before.
    """
    nonce, whole = evidence.bundle.nonce, (kept.entries or ()) if kept is not None else ()
    collected = _last(whole, AttemptCollected, nonce) or _last(evidence.ledger or (), AttemptCollected, nonce)
    sealed = _last(whole, AttemptSealed, nonce)
    if evidence.bundle.ledger is None or (collected is None and sealed is None):
        return None
    return Logged(
        position=_position(whole, sealed) if sealed else None,
        attestation=sealed.record.attestation if sealed else None,
        collected=collected.wall if collected else None,
        sealed=sealed.wall if sealed else None,
    )


def _position(entries: Sequence[Entry], wanted: Entry) -> int | None:
    own, at = {one.digest for one in entries}, None
    for one in with_branches(entries):
        at = one.seq if one.digest in own else at
        if one.digest == wanted.digest:
            return at
    return None


def revoked_in(evidence: Evidence, kept: Kept | None) -> Iterator[KeyRevoked]:
    """What a run's copy of its ledger and the kept one say of keys that count no more; as far as they hold."""
    for entries in (evidence.ledger, kept.entries if kept is not None else None):
        with suppress(UntrustedError):  # step 11 says that it does not hold
            yield from (one.record for one in with_branches(entries or ()) if isinstance(one.record, KeyRevoked))


def _last(entries: Sequence[Entry], kind: type[Value], nonce: str) -> Entry | None:
    try:
        found = [
            one
            for one in with_branches(entries)
            if isinstance(one.record, kind) and getattr(one.record, "nonce", "") == nonce
        ]
    except UntrustedError:
        return None  # step 11 says that it does not hold
    return found[-1] if found else None


def check_registered(run: Registered, report: Report) -> tuple[Report, Witnessed]:
    """The report with step 11: positions, digests, and the ledger or head that was kept; and whether a witness has it."""
    evidence, start = run.evidence, run.evidence.bundle
    history = history_of(evidence)
    if history is None:
        told = [_misplaced("it names a place in a ledger, and the run names none.")] if run.place is not None else []
        told += [_nowhere()] if evidence.published else []
        note = "a draft that was registered in no ledger"
        return report.with_step(11, told, state="not-checked", note=note), _NOBODY
    found = [finding(code, LEDGER, sentence) for code, sentence in history.faults]
    opened = _last(evidence.ledger or (), AttemptOpened, start.nonce)
    collected = _last(evidence.ledger or (), AttemptCollected, start.nonce)
    if found or evidence.ledger is None or start.ledger is None or opened is None or collected is None:
        return report.with_step(11, found), _NOBODY
    found += _digests(run.folder, opened, collected)
    if evidence.ledger[-1] != collected:
        found.append(finding("ledger-copy", LEDGER, f"it ends at entry {evidence.ledger[-1].seq}."))
    there = LedgerPlace(id=start.ledger.id, opened=opened.seq, collected=collected.seq)
    if start.signer is not None and (run.folder / ATTESTATION).exists() and run.place != there:
        found.append(_misplaced("it does not name the place in the ledger where the run stands."))
    witnessed = check_witness(
        evidence,
        LedgerHead(id=start.ledger.id, seq=opened.seq, digest=opened.digest),
        run.attested.isolation if run.attested is not None else "none",
        run.kept.head if run.kept is not None and run.kept.entries is None else None,
    )
    found += witnessed.findings
    note = f"opened at {opened.seq}, collected at {collected.seq} of ledger {start.ledger.id[:_NAMED]}"
    note += f", carries {len(evidence.earlier)} earlier attempts" if evidence.earlier else ""
    if run.kept is not None:
        found += _against(evidence.ledger, run.kept)
        found += _sealed(run, start.nonce, report.manifest)
        note += _beyond(run, run.kept)
    state: StepState = "cannot-tell" if witnessed.proof == "cannot-tell" else "held"
    return report.with_step(11, found, state=state, note=note + witnessed.note), witnessed


def _nowhere() -> Finding:
    return finding("ledger-published", MAIN_JOURNAL, "it published a ledger's head, and names no ledger.")


def _misplaced(sentence: str) -> Finding:
    return finding("ledger-differs", ATTESTATION, sentence)


def _digests(folder: Path, opened: Entry, collected: Entry) -> Iterator[Finding]:
    for name, said in ((BUNDLE, opened.record.bundle), (INVENTORY, collected.record.inventory)):
        if digest((folder / name).read_bytes()) != said:
            yield finding("ledger-differs", name, "it is not the file whose digest was registered.")


def _against(copy: Sequence[Entry], kept: Kept) -> Iterator[Finding]:
    """The bundle's copy and what was kept must be one ledger, one of them a part of the other."""
    if kept.head.id != copy[0].digest:
        yield finding("ledger-other", LEDGER, f"it is of ledger {copy[0].digest}, kept was {kept.head.id}.")
        return
    last = copy[-1]
    if kept.entries is not None:
        places = {(one.seq, one.digest) for one in with_branches(kept.entries)}
        if (last.seq, last.digest) not in places:
            yield finding("ledger-head", LEDGER, f"the kept ledger does not have its entry {last.seq}.")
    elif kept.head.seq <= last.seq and (kept.head.seq, kept.head.digest) not in {(e.seq, e.digest) for e in copy}:
        yield finding("ledger-head", LEDGER, f"its entry {kept.head.seq} is not the one of the kept head.")


def _sealed(run: Registered, nonce: str, manifest: str) -> Iterator[Finding]:
    entries = run.kept.entries or () if run.kept else ()
    if run.evidence.recovered is not None:
        yield from _recovered(entries, nonce, manifest)
        return
    one = _last(entries, AttemptSealed, nonce)
    if one is None:
        return
    if one.record.manifest != manifest:
        said = f"entry {one.seq} names manifest {shown(one.record.manifest, 80)}, this one is {manifest}."
        yield finding("ledger-sealed", LEDGER, said)
    file = run.folder / ATTESTATION
    attestation = digest(file.read_bytes()) if file.is_file() else None
    if one.record.attestation != attestation and not run.countersigned:
        yield finding("ledger-sealed", ATTESTATION, f"entry {one.seq} names another attestation, or none.")


def _recovered(entries: Sequence[Entry], nonce: str, manifest: str) -> Iterator[Finding]:
    """What a ledger has against a run that was recovered: another sibling, or a seal of the run itself."""
    sealed, one = _last(entries, AttemptSealed, nonce), _last(entries, AttemptRecovered, nonce)
    if sealed is not None:
        yield finding("ledger-sealed", LEDGER, f"entry {sealed.seq} has the run sealed, and this one was recovered.")
    if one is not None and one.record.manifest != manifest:
        said = f"entry {one.seq} names manifest {shown(str(one.record.manifest), 80)}, this one is {manifest}."
        yield finding("ledger-sealed", LEDGER, said)


def _beyond(run: Registered, kept: Kept) -> str:
    if kept.entries is None:
        return f"; the kept head is at {kept.head.seq}"
    recovered = run.evidence.recovered is not None
    kind, word = (AttemptRecovered, "recovered") if recovered else (AttemptSealed, "sealed")
    found = _last(kept.entries, kind, run.evidence.bundle.nonce)
    return f", {word} at {found.seq}" if found else f"; the kept ledger does not have it {word}"
