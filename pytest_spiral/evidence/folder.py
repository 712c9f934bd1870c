"""A bundle's folder, opened for reading as if an enemy had packed it: no link is followed, nothing grows unbounded."""

import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, NamedTuple, Self

from pytest_spiral.errors import UntrustedError, UseError
from pytest_spiral.rules.integrity import shown
from pytest_spiral.rules.paths import DEPTH, path_faults

_BLOCK: Final = 1024 * 1024
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK, opening a pipe would wait for a writer for ever.
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Entry(NamedTuple):
    """One name in the folder: `kind` is `file`, `folder`, or the reason code of what it is instead."""

    path: str
    size: int
    kind: str


class Line(NamedTuple):
    """A line with its LF; `torn` where the file ended before one."""

    raw: bytes
    torn: bool


class Folder:
    """An opened bundle. Paths are inside it, with `/`; each segment is opened without following links.

    The path given to it may itself be a link: whoever typed it meant what it leads to. Raises UseError where it
    is no folder. Methods that take a path raise UntrustedError with a reason code of step 1 or 2.
    """

    def __init__(self, root: Path) -> None:
        try:
            self._fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as problem:
            raise UseError(
                f"{shown(root)} is no folder that can be read: {os.strerror(problem.errno or 0)}."
            ) from problem

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)

    def entries(self, most: int) -> Iterator[Entry]:
        """Every name in the folder, depth first in order.

        Ends after `most` names of files, or of folders, with an entry `too-many-files`.
        """
        files = folders = 0
        for entry in self._below("", 0, most):
            if entry.kind == "folder":
                folders += 1
            else:
                files += 1
            if max(files, folders) > most:
                yield Entry("", 0, "too-many-files")
                return
            yield entry

    def has(self, path: str) -> bool:
        """Whether a regular file is there."""
        try:
            os.close(self._open(path))
        except UntrustedError:
            return False
        return True

    def read(self, path: str, most: int) -> bytes:
        """The whole file; raises UntrustedError, `file-too-large` for one of more than `most` bytes."""
        with self.stream(path) as file:
            data = file.read(most + 1)
        if len(data) > most:
            raise UntrustedError("file-too-large", f"more than {most} bytes.")
        return data

    @contextmanager
    def stream(self, path: str) -> Iterator[BinaryIO]:
        """The file, open for reading in blocks of 1 MiB; a disk that fails is `file-unreadable`."""
        fd = self._open(path)
        try:
            with os.fdopen(fd, "rb", buffering=_BLOCK) as file:
                yield file
        except OSError as problem:
            raise _refused(problem) from problem

    def lines(self, path: str, most: int) -> Iterator[Line]:
        """The file's lines in constant memory; raises `line-too-long` at one of more than `most` bytes."""
        with self.stream(path) as file:
            while raw := file.readline(most + 1):
                if len(raw) > most:
                    raise UntrustedError("line-too-long", f"a line has more than {most} bytes.")
                yield Line(raw, not raw.endswith(b"\n"))

    def digest(self, path: str, *, sync: bool = False) -> tuple[int, str]:
        """How many bytes a file has, and their SHA-256, in constant memory; made durable first with `sync`."""
        state, size = hashlib.sha256(), 0
        with self.stream(path) as file:
            if sync:
                os.fsync(file.fileno())
            while block := file.read(_BLOCK):
                state.update(block)
                size += len(block)
        return size, f"sha256:{state.hexdigest()}"

    def names(self, prefix: str, most: int) -> list[str]:
        """Paths of the regular files right inside one folder, at most `most`; none where there is no such folder."""
        try:
            found = self._names(prefix, most)
        except OSError:
            return []
        return [f"{prefix}/{name}" for name, mode, _ in found if stat.S_ISREG(mode)]

    def locked(self, path: str) -> bool:
        """Whether a process holds the file's exclusive lock."""
        fd = self._open(path)
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(fd)
        return False

    def lock(self, path: str) -> int:
        """Take the file's exclusive lock; gives the descriptor that holds it. BlockingIOError where another has it."""
        fd = self._open(path)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
            raise
        return fd

    def last_line(self, path: str, most: int) -> bytes:
        """The last line that ends in LF, empty where there is none; lines of more than `most` bytes are cut."""
        with self.stream(path) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 2 * most))
            *whole, _ = file.read().split(b"\n")
        return whole[-1] + b"\n" if whole else b""

    def _open(self, path: str) -> int:
        for code, sentence in path_faults(path):  # before `..` or an empty segment leads anywhere
            raise UntrustedError(code, sentence)
        *folders, name = path.split("/")
        try:
            at = self._enter(folders)
            try:
                fd = os.open(name, _FILE, dir_fd=at)
            finally:
                self._leave(at)
        except OSError as problem:
            raise _refused(problem) from problem
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise UntrustedError("file-irregular", "not a regular file.")
        return fd

    def _enter(self, folders: Sequence[str]) -> int:
        at = self._fd
        for folder in folders:
            try:
                below = os.open(folder, _DIRECTORY, dir_fd=at)
            finally:
                self._leave(at)
            at = below
        return at

    def _leave(self, fd: int) -> None:
        if fd != self._fd:
            os.close(fd)

    def _below(self, prefix: str, depth: int, most: int) -> Iterator[Entry]:
        try:
            names = self._names(prefix, most)
        except OSError:
            yield Entry(prefix, 0, "file-unreadable")
            return
        for name, mode, size in names:
            path = f"{prefix}/{name}" if prefix else name
            if stat.S_ISREG(mode):
                yield Entry(path, size, "file")
            elif not stat.S_ISDIR(mode):
                yield Entry(path, 0, "file-irregular")
            elif depth + 1 >= DEPTH:
                yield Entry(path, 0, "path-depth")
            else:
                yield Entry(path, 0, "folder")
                yield from self._below(path, depth + 1, most)

    def _names(self, prefix: str, most: int) -> list[tuple[str, int, int]]:
        at = self._enter(prefix.split("/") if prefix else ())
        try:
            with os.scandir(at) as names:
                found = [(one.name, one.stat(follow_symlinks=False)) for one in islice(names, most + 1)]
        finally:
            self._leave(at)
        return sorted((name, status.st_mode, status.st_size) for name, status in found)


def _refused(problem: OSError) -> UntrustedError:
    if problem.errno in (errno.ENOENT, errno.ENAMETOOLONG):
        return UntrustedError("file-missing", "the file is not there.")
    if problem.errno in (errno.ELOOP, errno.ENOTDIR, errno.ENXIO):
        return UntrustedError("file-irregular", "a link or something other than a file stands in its way.")
    return UntrustedError("file-unreadable", f"{os.strerror(problem.errno or 0)}.")
