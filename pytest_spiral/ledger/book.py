"""A ledger in a file: lock, cut and note a torn tail, append, fsync."""

import errno
import fcntl
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final

from pytest_spiral.errors import EvidenceError, UseError
from pytest_spiral.ledger.filesystem import MOUNTS, unproven
from pytest_spiral.ledger.store import Wall, compose, find_entry
from pytest_spiral.model.base import Value
from pytest_spiral.model.entry import Entry, Noted
from pytest_spiral.rules.canonical import digest
from pytest_spiral.rules.entries import LINE_LIMIT, encode_ending

_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
_REMEDIES: Final = {
    errno.ENOSPC: "the disk is full; free some space",
    errno.EDQUOT: "the quota is used up; free some space",
    errno.EROFS: "the file system is read-only; keep the ledger somewhere else",
    errno.EACCES: "permission is missing; grant it or keep the ledger somewhere else",
    errno.ELOOP: "a link stands there, and links are not followed; name the file itself",
    errno.EISDIR: "it is a folder; name a file",
    errno.ENOLCK: "the file system gives no locks; keep the ledger on a local disk",
    errno.EIO: "the disk reports an error; use another one",
}


class Book:
    """A ledger in one file, shared by any number of processes of one machine.

    Making one touches nothing. An append holds an exclusive flock on the file, and is on the disk when it returns: a
    kill at any time leaves every acknowledged entry, each once, and at most a torn tail, which the next append cuts off
    and notes. On a file system where locks are not proven it is refused, unless `forced`; then the ledger says so.
    """

    def __init__(self, path: Path, wall: Wall, *, forced: bool = False, mounts: Path = MOUNTS) -> None:
        self._path = path
        self._wall = wall
        self._forced = forced
        self._mounts = mounts
        self._doubt: str | None = None

    @property
    def name(self) -> str:
        """The file's path."""
        return str(self._path)

    def append(self, *records: Value) -> tuple[Entry, ...]:
        """Append records in one go; a record that is there already is not written again.

        Raises UseError where locks are not proven, EvidenceError where the disk refuses, UntrustedError where the last
        entry cannot be read.
        """
        try:
            doubt = self._proven()
            with self._locked() as fd:
                return self._append(fd, records, doubt)
        except OSError as problem:
            raise self._trouble(problem) from problem

    def lines(self) -> Iterator[bytes]:
        """The raw lines; a torn one at the end is left out. Nothing where there is no file."""
        try:
            with self._path.open("rb") as file:
                while (line := file.readline(LINE_LIMIT + 1)).endswith(b"\n") or len(line) > LINE_LIMIT:
                    yield line
        except FileNotFoundError:
            return
        except OSError as problem:
            raise self._trouble(problem) from problem

    def _proven(self) -> str:
        """Look once at the file system; gives why locks are not proven, where that was forced."""
        if self._doubt is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            doubt = unproven(self._path.parent, self._mounts)
            if doubt and not self._forced:
                raise UseError(
                    f"the ledger {self._path} is refused there: {doubt}, so entries could be lost. "
                    "Remedy: keep it on a local disk, or in git (git:refs/spiral/ledger)."
                )
            self._doubt = doubt
        return self._doubt

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """The open file, locked, and still the one that has the name."""
        while True:
            fd = os.open(self._path, _FLAGS, 0o644)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX)
                if _is_named(fd, self._path):
                    yield fd
                    return
            finally:
                os.close(fd)

    def _append(self, fd: int, records: tuple[Value, ...], doubt: str) -> tuple[Entry, ...]:
        size = os.fstat(fd).st_size
        last, torn = _tail(fd, size)
        end = size - len(torn)
        notes = [Noted(what="torn", bytes=len(torn), sha256=digest(torn))] if torn else []
        with _mapped(fd, end) as data:
            if doubt and find_entry(data, encode_ending(Noted(what="unproven-locks", detail=doubt))) is None:
                notes.append(Noted(what="unproven-locks", detail=doubt))
            written = compose(last, records, partial(find_entry, data), self._wall, notes)
        if torn:
            os.ftruncate(fd, end)
        try:
            _write(fd, written.data)
            os.fsync(fd)
        except OSError:
            with suppress(OSError):  # what is half down is cut off now, or as torn by the next append
                os.ftruncate(fd, end)
            raise
        if end == 0:
            _sync_folder(self._path.parent)
        return written.entries

    def _trouble(self, problem: OSError) -> EvidenceError:
        said = os.strerror(problem.errno) if problem.errno else str(problem)
        remedy = _REMEDIES.get(problem.errno or 0)
        return EvidenceError(f"the ledger {self._path} cannot be used: {f'{remedy} ({said})' if remedy else said}.")


def _is_named(fd: int, path: Path) -> bool:
    try:
        there, held = path.stat(follow_symlinks=False), os.fstat(fd)
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) == (held.st_dev, held.st_ino)


def _tail(fd: int, size: int) -> tuple[bytes | None, bytes]:
    """(the last whole line, None where there is none; what stands torn behind it)."""
    window = 2 * LINE_LIMIT + 2
    while True:
        start = max(0, size - window)
        data = _read(fd, start, size - start)
        end = data.rfind(b"\n") + 1
        begin = data.rfind(b"\n", 0, max(0, end - 1)) + 1
        if start == 0 or (end and begin):
            return (data[begin:end] if end else None), data[end:]
        window *= 2


def _read(fd: int, start: int, count: int) -> bytes:
    pieces = []
    while count > 0 and (piece := os.pread(fd, count, start)):
        pieces.append(piece)
        start, count = start + len(piece), count - len(piece)
    return b"".join(pieces)


@contextmanager
def _mapped(fd: int, size: int) -> Iterator[mmap.mmap | bytes]:
    if size == 0:  # nothing cannot be mapped
        yield b""
        return
    with mmap.mmap(fd, size, access=mmap.ACCESS_READ) as data:
        yield data


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
