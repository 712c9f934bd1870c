"""The manifest: written last, of everything, or not at all."""

import errno
import hashlib
import json
import os
from pathlib import Path

import pytest

from pytest_spiral.errors import EvidenceError
from pytest_spiral.evidence.seal import write_manifest
from pytest_spiral.evidence.verify import verify_integrity
from pytest_spiral.rules.canonical import canonical_bytes
from pytest_spiral.rules.integrity import Limits


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "bundle"
    (made / "logs").mkdir(parents=True)
    (made / "b.txt").write_bytes(b"b")
    (made / "a-z").write_bytes(b"")
    (made / "logs" / "out.txt").write_bytes(b"x" * 3_000_000)
    return made


def test_a_manifest_lists_every_file_by_path(folder):
    (folder / "attestation.dsse.json").write_bytes(b"{}")
    sealed = write_manifest(folder)
    data = (folder / "manifest.json").read_bytes()
    known = json.loads(data)
    assert sealed == "sha256:" + hashlib.sha256(data).hexdigest()
    assert data == canonical_bytes(known)
    assert known["format"] == "spiral-manifest/1"
    assert [(one["path"], one["bytes"]) for one in known["files"]] == [
        ("a-z", 0),
        ("b.txt", 1),
        ("logs/out.txt", 3_000_000),
    ]
    for one in known["files"]:
        assert one["sha256"] == "sha256:" + hashlib.sha256((folder / one["path"]).read_bytes()).hexdigest()


def test_a_bundle_is_sealed_once(folder):
    write_manifest(folder)
    with pytest.raises(EvidenceError, match="never overwritten"):
        write_manifest(folder)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "link").symlink_to("b.txt"), "link cannot be sealed: file-irregular"),
        (lambda folder: os.mkfifo(folder / "pipe"), "pipe cannot be sealed: file-irregular"),
        (lambda folder: (folder / "a b").write_bytes(b""), "a b cannot be sealed"),
        (lambda folder: (folder / "B.txt").write_bytes(b""), "by case only"),
        (lambda folder: (folder / "nul.txt").write_bytes(b""), "device"),
        (lambda folder: (folder / "ä").mkdir(), "cannot be sealed"),
    ],
)
def test_what_a_verifier_would_refuse_is_not_sealed(folder, spoil, said):
    spoil(folder)
    with pytest.raises(EvidenceError, match=said):
        write_manifest(folder)
    assert not (folder / "manifest.json").exists()


@pytest.mark.parametrize("limits", [Limits(file=1000), Limits(files=2), Limits(json=50)], ids=repr)
def test_what_exceeds_a_limit_is_not_sealed(folder, limits):
    with pytest.raises(EvidenceError):
        write_manifest(folder, limits)
    assert not (folder / "manifest.json").exists()


def test_everything_is_durable_before_the_manifest_is_there(folder, monkeypatch):
    synced, real = [], os.fsync

    def fsync(fd):
        synced.append((str(Path(f"/proc/self/fd/{fd}").readlink()), (folder / "manifest.json").exists()))
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    write_manifest(folder)
    before = {path for path, there in synced if not there}
    assert before >= {str(folder / name) for name in ("a-z", "b.txt", "logs/out.txt", "logs", "")} - {str(folder) + "/"}
    assert synced[-1] == (str(folder), True)


@pytest.mark.parametrize("at", range(6))
def test_a_disk_that_fails_leaves_no_manifest(folder, monkeypatch, at):
    calls, real = [], os.fsync

    def fsync(fd):
        calls.append(fd)
        if len(calls) == at + 1:
            raise OSError(errno.EIO, "broken")
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(EvidenceError):
        write_manifest(folder)
    assert not (folder / "manifest.json").exists()


def test_bytes_that_change_after_the_seal_are_found(folder):
    write_manifest(folder)
    (folder / "b.txt").write_bytes(b"c")
    assert ("digest-mismatch", "b.txt") in {(one.code, one.path) for one in verify_integrity(folder).findings}
