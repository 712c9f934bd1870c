"""Keeping an output of a process as bytes in the bundle, up to a limit; what was cut is counted."""

import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pytest_spiral.evidence.store import Stored, make_folder, replace, trouble

SPOOL_LIMIT: Final = 16 * 1024 * 1024
_BLOCK: Final = 8 * 1024
_MODE: Final = 0o644
_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


class Spool:
    """One output of this process: made when its first byte comes, at most `most` bytes long.

    `strike` takes secrets out of bytes: out of each block that is written, and out of the whole file once
    more at `close`, for a secret that came in two pieces. A kill loses less than 8 KiB of what was added. In a forked
    child nothing is kept. Methods raise DiskError.
    """

    def __init__(self, path: Path, strike: Callable[[bytes], bytes], most: int = SPOOL_LIMIT) -> None:
        self._path = path
        self._strike = strike
        self._most = most
        self._kept = 0
        self._cut = 0
        self._pid = os.getpid()
        self._made = False
        self._closed = False
        self._held = b""

    def add(self, data: bytes) -> None:
        """Keep bytes, as far as there is room, until `close`. Small ones are held until they make a block."""
        if self._closed or os.getpid() != self._pid:
            return
        self._held += data
        if len(self._held) >= _BLOCK:
            self._let_go()

    def _let_go(self) -> None:
        struck, self._held = self._strike(self._held), b""
        part = struck[: self._most - self._kept]
        self._cut += len(struck) - len(part)
        if part:
            self._write(part)
            self._kept += len(part)

    def take_from(self, fd: int) -> None:
        """Keep what stands in the nameless temporary file that a descriptor leads to; any other is left alone.

        That is what pytest's capturing puts there, and nobody else: a user's file has a name. Its offset stays.
        """
        try:
            status = os.fstat(fd)
        except OSError:
            return  # closed: nothing was written
        if (
            self._closed
            or os.getpid() != self._pid
            or not stat.S_ISREG(status.st_mode)
            or status.st_nlink
            or not status.st_size
        ):
            return
        self._let_go()
        room = min(status.st_size, self._most - self._kept)
        try:
            self.add(_read(fd, room))
        except OSError as problem:
            raise trouble("read", self._path, problem) from problem
        self._let_go()
        self._cut += status.st_size - room

    def close(self) -> Stored | None:
        """What was kept in the end, and how much was cut; None where nothing came."""
        if os.getpid() != self._pid:
            return None
        self._let_go()
        self._closed = True
        if not self._made:
            return None
        try:
            data = self._path.read_bytes()
        except OSError as problem:
            raise trouble("read", self._path, problem) from problem
        struck = self._strike(data)
        if struck != data:
            replace(self._path, struck)
        return Stored(len(struck), f"sha256:{hashlib.sha256(struck).hexdigest()}", self._cut)

    def _write(self, data: bytes) -> None:
        make_folder(self._path.parent)
        flags = _FLAGS & ~(os.O_CREAT | os.O_EXCL) if self._made else _FLAGS
        try:
            fd = os.open(self._path, flags, _MODE)
            self._made = True
            try:
                while data:
                    data = data[os.write(fd, data) :]
            finally:
                os.close(fd)
        except OSError as problem:
            raise trouble("written to", self._path, problem) from problem


def _read(fd: int, count: int) -> bytes:
    pieces, at = [], 0
    while at < count and (piece := os.pread(fd, count - at, at)):
        pieces.append(piece)
        at += len(piece)
    return b"".join(pieces)
