"""How far a run has come, told from what is durable: a kill leaves exactly one of these."""

from pathlib import Path
from typing import Literal

from pytest_spiral.errors import UntrustedError
from pytest_spiral.evidence.folder import Folder
from pytest_spiral.evidence.read import read_bundle
from pytest_spiral.model.record import End, Recovered
from pytest_spiral.rules.chain import parse_line
from pytest_spiral.rules.integrity import Limits
from pytest_spiral.rules.paths import ATTESTATION, INVENTORY, JOURNALS, MAIN_JOURNAL, MANIFEST

State = Literal["never-opened", "abandoned", "running", "incomplete", "ended", "unattested", "sealed"]


def classify(folder: Path, limits: Limits | None = None) -> State:
    """Say how far a run has come; raises UseError where there is no folder.

    `never-opened`: no record is down. `running`: a process holds a journal's lock. `abandoned`: nothing was
    collected yet. `incomplete`: the main journal has no end. `ended`: it has, and there is no manifest.
    `unattested`: there is one, and no attestation, though bundle.json names who signs. `sealed`: nothing is missing.
    Nothing is checked beyond that: `verify_integrity` says whether it may be believed.
    """
    with Folder(folder) as opened:
        return state_of(opened, limits or Limits())


def state_of(folder: Folder, limits: Limits) -> State:
    """As `classify`, for an opened folder."""
    if folder.has(MANIFEST):
        unsigned = not folder.has(ATTESTATION) and _names_signer(folder, limits)
        return "unattested" if unsigned and not _was_recovered(folder, limits) else "sealed"
    last = _last_line(folder, MAIN_JOURNAL, limits)
    if not last:
        return "never-opened"
    if any(_is_locked(folder, path) for path in folder.names(JOURNALS, limits.files)):
        return "running"
    if _is_end(last, limits):
        return "ended"
    return "incomplete" if folder.has(INVENTORY) else "abandoned"


def _names_signer(folder: Folder, limits: Limits) -> bool:
    try:
        return read_bundle(folder, limits)[0].signer is not None
    except UntrustedError:
        return False  # step 1 or 2 tells what is wrong with bundle.json


def _was_recovered(folder: Folder, limits: Limits) -> bool:
    """Whether a recovery ended the main journal: such a run is never signed, whoever it says was to sign it."""
    try:
        lines = (raw for raw, _ in folder.lines(MAIN_JOURNAL, limits.journal_line) if b'"recovered"' in raw)
        return any(isinstance(parse_line(raw, limits.depth)[1], Recovered) for raw in lines)
    except UntrustedError:
        return False  # step 5 tells what is wrong with the journal


def _last_line(folder: Folder, path: str, limits: Limits) -> bytes:
    try:
        return folder.last_line(path, limits.journal_line)
    except UntrustedError:
        return b""  # no journal that could be opened: nothing is down


def _is_end(raw: bytes, limits: Limits) -> bool:
    try:
        return isinstance(parse_line(raw, limits.depth)[1], End)
    except UntrustedError:
        return False


def _is_locked(folder: Folder, path: str) -> bool:
    try:
        return folder.locked(path)
    except UntrustedError:
        return False  # not a journal that a writer of ours could hold
