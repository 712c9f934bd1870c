"""Step 11 of verifying: where a run stands in its ledger, and what a ledger that was kept says of it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from pytest_spiral.errors import UntrustedError, UseError
from pytest_spiral.evidence.report import Report
from pytest_spiral.ledger.book import Book
from pytest_spiral.ledger.fsck import fsck
from pytest_spiral.model.entry import AttemptCollected, AttemptOpened, AttemptSealed, Entry, LedgerHead
from pytest_spiral.model.evidence import Evidence
from pytest_spiral.rules.canonical import digest
from pytest_spiral.rules.entries import head_of, parse_head, read_entries, with_branches
from pytest_spiral.rules.history import history_of
from pytest_spiral.rules.integrity import Finding, finding, shown
from pytest_spiral.rules.paths import BUNDLE, INVENTORY, LEDGER
from pytest_spiral.run import clock

_NAMED = 20


class Kept(NamedTuple):
    """What a person kept of a ledger: all of it, or a head."""

    head: LedgerHead
    entries: tuple[Entry, ...] | None


def load_kept(path: Path) -> Kept:
    """Read a kept ledger, or the one line that `spiral ledger head` printed.

    Raises UseError where there is no file, UntrustedError for a ledger that does not hold and for anything else.
    """
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


def check_registered(folder: Path, evidence: Evidence, kept: Kept | None, report: Report) -> Report:
    """The report with step 11: positions, digests, and the ledger or head that was kept."""
    start = evidence.bundle
    history = history_of(evidence)
    if history is None:
        return report.with_step(11, state="not-checked", note="a draft that was registered in no ledger")
    found = [finding(code, LEDGER, sentence) for code, sentence in history.faults]
    if found or evidence.ledger is None or start.ledger is None:
        return report.with_step(11, found)
    counted = list(with_branches(evidence.ledger))
    opened = next(one for one in counted if isinstance(one.record, AttemptOpened) and one.record.nonce == start.nonce)
    collected = next(
        one for one in counted if isinstance(one.record, AttemptCollected) and one.record.nonce == start.nonce
    )
    found += _digests(folder, opened, collected)
    if evidence.ledger[-1] != collected:
        found.append(finding("ledger-copy", LEDGER, f"it ends at entry {evidence.ledger[-1].seq}."))
    note = f"opened at {opened.seq}, collected at {collected.seq} of ledger {start.ledger.id[:_NAMED]}"
    if kept is not None:
        found += _against(evidence.ledger, kept)
        found += _sealed(start.nonce, kept, report.manifest)
        note += _beyond(start.nonce, kept)
    return report.with_step(11, found, note=note)


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


def _sealed(nonce: str, kept: Kept, manifest: str) -> Iterator[Finding]:
    for one in with_branches(kept.entries or ()):
        if isinstance(one.record, AttemptSealed) and one.record.nonce == nonce and one.record.manifest != manifest:
            said = f"entry {one.seq} names manifest {shown(one.record.manifest, 80)}, this one is {manifest}."
            yield finding("ledger-sealed", LEDGER, said)


def _beyond(nonce: str, kept: Kept) -> str:
    if kept.entries is None:
        return f"; the kept head is at {kept.head.seq}"
    sealed = [
        one.seq
        for one in with_branches(kept.entries)
        if isinstance(one.record, AttemptSealed) and one.record.nonce == nonce
    ]
    return f", sealed at {sealed[0]}" if sealed else "; the kept ledger does not have it sealed"
