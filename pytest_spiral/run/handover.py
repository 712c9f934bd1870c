"""Taking a run's folder over from the tests' user: copied, held against what was told while it was written."""

import hashlib
from pathlib import Path

from pytest_spiral.errors import UntrustedError
from pytest_spiral.evidence.folder import Folder
from pytest_spiral.evidence.store import make_folder, write_stream
from pytest_spiral.model.attestation import Signer
from pytest_spiral.model.entry import AttemptCollected, AttemptOpened
from pytest_spiral.model.evidence import BundleStart, Evidence
from pytest_spiral.model.launcher import Confinement
from pytest_spiral.rules.canonical import digest
from pytest_spiral.rules.integrity import Limits, shown
from pytest_spiral.rules.paths import INVENTORY, JOURNALS, journal_file, journal_process, path_faults
from pytest_spiral.run.listener import SIZE, Heard


def copy_run(source: Path, into: Path, limits: Limits | None = None) -> None:
    """Copy every file into the folder `into`, which must not exist: whoever wrote them has no way to the copies.

    No link is followed. Raises UntrustedError where something is no regular file or has a name that bundles do not
    have, EvidenceError where the disk refuses.
    """
    limits = limits or Limits()
    with Folder(source) as opened:
        make_folder(into)
        for entry in opened.entries(limits.files):
            for code, sentence in path_faults(entry.path):
                raise UntrustedError(code, f"{shown(entry.path)}: {sentence}")
            if entry.kind == "folder":
                make_folder(into / entry.path)
            elif entry.kind != "file":
                raise UntrustedError(entry.kind, f"{shown(entry.path)} is no file that a bundle can have.")
            else:
                if entry.size > limits.file:
                    raise UntrustedError("file-too-large", f"{entry.path} has {entry.size} bytes.")
                with opened.stream(entry.path) as file:
                    write_stream(into / entry.path, file, limits.file)


def check_journals(folder: Path, heard: Heard, limits: Limits | None = None) -> None:
    """Raise UntrustedError unless the journals hold exactly the records whose digests were told, process by process."""
    limits = limits or Limits()
    for sentence in heard.faults:
        raise UntrustedError("launcher-contradiction", f"{sentence}.")
    with Folder(folder) as opened:
        there = {journal_process(path) for path in opened.names(JOURNALS, limits.files)}
        for name in sorted(there ^ heard.records.keys()):
            said = "nothing was told of it" if name in there else "its process told of records, and it is not there"
            raise UntrustedError("launcher-journal", f"{shown(journal_file(name), 80)}: {said}.")
        for name in sorted(there):
            _check_one(opened, journal_file(name), bytes(heard.records[name]), limits)


def _check_one(folder: Folder, path: str, told: bytes, limits: Limits) -> None:
    count = 0
    for line in folder.lines(path, limits.journal_line):
        if hashlib.sha256(line.raw).digest() != told[count * SIZE : (count + 1) * SIZE]:
            raise UntrustedError("launcher-journal", f"{path}: record {count} is not the one that was told.")
        count += 1
    if count != len(told) // SIZE:
        raise UntrustedError("launcher-journal", f"{path}: {count} records, {len(told) // SIZE} were told.")


def check_start(start: BundleStart, signer: Signer, confinement: Confinement) -> None:
    """Raise UntrustedError unless bundle.json says who signs and how the tests were confined, as the launcher knows it."""
    if start.signer != signer or start.confinement != confinement:
        raise UntrustedError("launcher-start", "bundle.json says otherwise of who signs, or how tests were confined.")


def check_told(folder: Path, evidence: Evidence, bundle: str, heard: Heard) -> None:
    """Raise UntrustedError unless inventory, ledger and publishing are as the launcher knows them.

    `bundle` is the digest of bundle.json.
    """
    inventory = digest((folder / INVENTORY).read_bytes())
    if heard.files != {INVENTORY: inventory}:
        raise UntrustedError("launcher-file", f"{INVENTORY} is not the one that was told.")
    if evidence.published != (() if heard.published is None else (heard.published,)):
        raise UntrustedError("launcher-start", "a record says otherwise of what the launcher has published.")
    start = evidence.bundle
    if (start.ledger is None) is not (heard.opened is None):
        raise UntrustedError("launcher-ledger", "the run says otherwise of the ledger than the launcher has done.")
    if heard.opened is None:
        return
    opened, collected = heard.opened.record, heard.collected.record if heard.collected else None
    known = isinstance(opened, AttemptOpened) and (opened.nonce, opened.bundle) == (start.nonce, bundle)
    gathered = isinstance(collected, AttemptCollected) and (collected.nonce, collected.inventory) == (
        start.nonce,
        inventory,
    )
    if not known or not gathered:
        raise UntrustedError("launcher-ledger", "what the launcher registered is about another run than this.")
