"""An append-only file of lines whose state survives an exception at any point."""

import fcntl
import os
from pathlib import Path
from typing import Final, NamedTuple

from pytest_spiral.errors import EvidenceError
from pytest_spiral.evidence.store import sync_folder, trouble

_FIRST_FREE: Final = 3
_MODE: Final = 0o644


class Position(NamedTuple):
    """How far a file has come: lines and bytes that are down, the last line, and one that may be half down."""

    lines: int
    size: int
    last: bytes
    pending: bytes


class Appender:
    """A new file to which whole lines are appended, each by one write; a short write is completed.

    The file must not exist. Its descriptor is above 2 and closed on exec. After an operating-system error every
    further append raises the same EvidenceError: a file with a hole is worth nothing. Not thread-safe: the owner
    holds a lock. `lock` takes an exclusive flock for as long as the file is open.
    """

    def __init__(self, path: Path, *, lock: bool = False) -> None:
        self._path = path
        self._failure: EvidenceError | None = None
        # One tuple, so that one store moves it: an interrupt falls before or after, never between.
        self.position = Position(0, 0, b"", b"")
        self._fd = _open_new(path, lock=lock)
        try:
            sync_folder(path.parent)
        except BaseException:
            self.release()
            raise

    def append(self, line: bytes) -> None:
        """Write a line; returns when the operating system has all of it. Raises EvidenceError."""
        lines, size, last, pending = self.position
        if pending or self._fd < 0 or self._failure is not None:
            self.settle()
            lines, size, last, _ = self.position
        self.position = Position(lines, size, last, line)
        try:
            done = os.write(self._fd, line)
            if done != len(line):
                self._complete(line[done:])
        except OSError as problem:
            raise self._broken(problem) from problem
        self.position = Position(lines + 1, size + len(line), line, b"")

    def settle(self) -> Position:
        """Bring the position in line with the file after an interrupted append; raises EvidenceError.

        A line of which anything is down is completed and counts; one of which nothing is down does not.
        """
        if self._failure is not None:
            raise self._failure
        if self._fd < 0:
            raise EvidenceError(f"{self._path} is closed: nothing more can be recorded.")
        lines, size, last, pending = self.position
        if pending:
            try:
                down = os.fstat(self._fd).st_size - size
                if down > 0:
                    self._complete(pending[down:])
            except OSError as problem:
                raise self._broken(problem) from problem
            counted = Position(lines + 1, size + len(pending), pending, b"")
            self.position = counted if down > 0 else Position(lines, size, last, b"")
        return self.position

    def read_back(self, offset: int, count: int) -> bytes:
        """Bytes that are down already; raises EvidenceError where they are not there any more."""
        pieces = []
        try:
            while count > 0 and (piece := os.pread(self._fd, count, offset)):
                pieces.append(piece)
                offset += len(piece)
                count -= len(piece)
        except OSError as problem:
            raise self._broken(problem) from problem
        if count:
            raise EvidenceError(f"{self._path} has lost bytes that were written: something else cuts it.")
        return b"".join(pieces)

    def sync(self) -> None:
        """Make what was written survive a power loss; raises EvidenceError."""
        try:
            os.fsync(self._fd)
        except OSError as problem:
            raise self._broken(problem) from problem

    def release(self) -> None:
        """Close the descriptor, and with it the lock; may be called twice."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    @property
    def open(self) -> bool:
        """Whether lines can still be appended."""
        return self._fd >= 0

    def _complete(self, rest: bytes) -> None:
        while rest:
            rest = rest[os.write(self._fd, rest) :]

    def _broken(self, problem: OSError) -> EvidenceError:
        self._failure = trouble("written to", self._path, problem)
        return self._failure


def _open_new(path: Path, *, lock: bool) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    fd = -1
    try:
        fd = _raised(os.open(path, flags, _MODE))
        if lock:
            fcntl.flock(fd, fcntl.LOCK_EX)  # new, so no writer holds it; a reader's glance passes at once
    except OSError as problem:
        if fd >= 0:
            os.close(fd)
        raise trouble("created", path, problem) from problem
    return fd


def _raised(fd: int) -> int:
    """The same file at a descriptor above 2: with stdout closed, a print would land in the journal."""
    if fd >= _FIRST_FREE:
        return fd
    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE)
    finally:
        os.close(fd)
