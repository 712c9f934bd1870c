"""A process's journal: one chained line a record, down before the call returns."""

import os
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pytest_spiral.errors import EvidenceError
from pytest_spiral.evidence.appender import Appender
from pytest_spiral.evidence.forks import at_fork
from pytest_spiral.model.base import Value
from pytest_spiral.model.record import End, JournalHead, Start
from pytest_spiral.rules.canonical import digest
from pytest_spiral.rules.chain import encode_line

Refuse = Callable[[bytes], None]
"""A look at bytes before they are written; raises to refuse them (a declared secret is in them)."""

Tell = Callable[[int, str], None]
"""Takes the sequence and the digest of a record that is on disk."""


class Journal:
    """An open journal. Making one creates the file, locks it and writes its durable `start` record.

    `first_prev` is the digest of the run's `bundle.json`; `wall` gives microseconds since 1970 UTC, `mono`
    nanoseconds of a monotonic clock with any origin. Methods may be called from several threads, never from a
    signal handler. An exception between two of its instructions (Ctrl-C) leaves the journal whole.

    `tell` is told of each record once it is down, and of the last one again where that was interrupted.

    A forked child writes nothing and is told nothing: there `append`, `sync` and `close` return at once, since a
    second writer would break the chain, and an error would change what the tests under it see.

    SIGKILL loses no record whose `append` has returned; power loss may lose those after the last `sync`. While
    the journal is open its file is locked (flock), which says that the run is still going on.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what a chain begins with, and the two clocks
        self,
        path: Path,
        first_prev: str,
        process: str,
        nonce: str,
        wall: Callable[[], int],
        mono: Callable[[], int],
        refuse: Refuse | None = None,
        tell: Tell | None = None,
    ) -> None:
        self._file = Appender(path, lock=True)
        self._first_prev = first_prev
        self._wall = wall
        self._mono = mono
        self._origin = mono()
        self._refuse = refuse
        self._tell = tell
        self._told = 0
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._ended = False
        self._forget_forks = _close_in_children(self._file)
        try:
            self.append(Start(process=process, nonce=nonce))
            self.sync()
        except BaseException:
            self.release()
            raise

    def append(self, record: Value) -> None:
        """Write one record; returns when it is down.

        Raises EvidenceError where the disk refuses it, it takes more than 64 KiB (cut long texts before), or it
        could not be read back; whatever `refuse` raises; and EvidenceError after `close`.
        """
        if os.getpid() != self._pid:
            return
        with self._lock:
            lines, _, last, pending = self._file.position
            if pending or not self._file.open:
                lines, _, last, _ = self._file.settle()
            if self._tell is not None:
                self._tell_of(self._tell, lines, last)
            prev = digest(last) if lines else self._first_prev
            line = encode_line(lines, prev, self._wall(), self._mono() - self._origin, record)
            if self._refuse is not None:
                self._refuse(line)
            self._file.append(line)
            if self._tell is not None:
                self._tell_of(self._tell, lines + 1, line)

    def _tell_of(self, tell: Tell, lines: int, last: bytes) -> None:
        """Tell of the last record unless that was done: an interrupt can fall between a record and its telling."""
        if self._told < lines:
            tell(lines - 1, digest(last))
            self._told = lines

    def close(self, end: End) -> None:
        """Write the last record, make everything durable, give the lock up. Raises EvidenceError."""
        if os.getpid() != self._pid:
            return
        try:
            self.append(end)
            self._ended = True
            self.sync()
        finally:
            self.release()

    def sync(self) -> None:
        """Make what was written survive a power loss; raises EvidenceError."""
        if os.getpid() == self._pid:
            with self._lock:
                self._file.sync()

    def release(self) -> None:
        """Close the file without an end record: the run counts as not ended. May be called twice."""
        self._file.release()
        self._forget_forks()

    def elapsed(self) -> int:
        """Monotonic nanoseconds since the journal's start."""
        return self._mono() - self._origin

    @property
    def head(self) -> JournalHead:
        """Where the journal stands: sequence and digest of its last line, and whether that is its end."""
        with self._lock:
            lines, _, last, pending = self._file.position
            if pending and self._file.open:
                lines, _, last, _ = self._file.settle()
        if not lines:
            raise EvidenceError("a journal without a start record has no head.")
        return JournalHead(n=lines - 1, digest=digest(last), ended=self._ended)


def _close_in_children(file: Appender) -> Callable[[], None]:
    """Have a forked child close its copy: else one that outlives the run would hold the lock for it. Gives the end of it."""
    known: Final = weakref.ref(file)

    def close() -> None:
        held = known()
        if held is not None:
            held.release()

    return at_fork(after_in_child=close)
