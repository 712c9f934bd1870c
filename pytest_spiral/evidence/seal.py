"""Sealing: the manifest, written last, after everything it lists is durable."""

from pathlib import Path

from pytest_spiral.errors import EvidenceError, UntrustedError
from pytest_spiral.evidence.folder import Entry, Folder
from pytest_spiral.evidence.store import sync_folder, write_last
from pytest_spiral.model.manifest import Manifest, ManifestFile
from pytest_spiral.rules.canonical import canonical_bytes, digest
from pytest_spiral.rules.integrity import Limits, shown
from pytest_spiral.rules.paths import ATTESTATION, MANIFEST, case_twins, path_faults


def write_manifest(folder: Path, limits: Limits | None = None) -> str:
    """Make every file and folder durable, hash every file, write `manifest.json`; give its digest back.

    Constant memory but for the list of files. Raises EvidenceError where there is a manifest already, where
    something is no regular file, has a name that the format does not allow or exceeds a limit, and where the disk
    fails: then there is no manifest.
    """
    limits = limits or Limits()
    with Folder(folder) as opened:
        entries = list(opened.entries(limits.files))
        _check_names(entries, limits)
        files = tuple(_sealed(opened, entry.path) for entry in entries if _belongs(entry))
    for entry in reversed(entries):
        if entry.kind == "folder":
            sync_folder(folder / entry.path)
    sync_folder(folder)
    data = canonical_bytes(Manifest(files=tuple(sorted(files, key=lambda file: file.path))))
    if len(data) > limits.json:
        raise EvidenceError(f"the manifest would have {len(data)} bytes, at most {limits.json} are read.")
    write_last(folder / MANIFEST, data)
    return digest(data)


def _belongs(entry: Entry) -> bool:
    return entry.kind == "file" and entry.path not in (MANIFEST, ATTESTATION)


def _check_names(entries: list[Entry], limits: Limits) -> None:
    for entry in entries:
        if entry.kind not in ("file", "folder"):
            raise EvidenceError(f"{shown(entry.path)} cannot be sealed: {entry.kind}.")
        for _, sentence in path_faults(entry.path):
            raise EvidenceError(f"{shown(entry.path)} cannot be sealed: {sentence}")
        if entry.size > limits.file:
            raise EvidenceError(f"{entry.path} cannot be sealed: {entry.size} bytes, at most {limits.file} are read.")
    for name, twin in case_twins(entry.path for entry in entries):
        raise EvidenceError(f"{name} cannot be sealed: it differs from {twin} by case only.")


def _sealed(folder: Folder, path: str) -> ManifestFile:
    try:
        size, sha256 = folder.digest(path, sync=True)
    except UntrustedError as problem:
        raise EvidenceError(f"{path} cannot be sealed: {problem}") from problem
    return ManifestFile(path=path, bytes=size, sha256=sha256)
