"""Writing whole files of a bundle: complete and durable, or not there at all."""

import errno
import hashlib
import mmap
import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from pytest_spiral.errors import DiskError, EvidenceError, UseError
from pytest_spiral.rules.paths import JOURNALS, SAMPLES

BLOCK: Final = 1024 * 1024
_PROBE: Final = 64 * 1024
_NO_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_MODE: Final = 0o644

_REMEDIES: Final = {
    errno.ENOSPC: "the disk is full; free some space",
    errno.EDQUOT: "the quota is used up; free some space",
    errno.EROFS: "the file system is read-only; write somewhere else",
    errno.EACCES: "permission is missing; grant it or write somewhere else",
    errno.EPERM: "permission is missing; grant it or write somewhere else",
    errno.ENOENT: "the folder is gone; leave it alone while the run goes on",
    errno.ENOTDIR: "a file stands where a folder belongs; move it away",
    errno.EEXIST: "it exists already; evidence is never overwritten",
    errno.EIO: "the disk reports an error; use another one",
    errno.ELOOP: "a link stands there; links are not followed",
}


class Stored(NamedTuple):
    """What was written: bytes, their digest, and how many bytes of the source were left out."""

    bytes: int
    sha256: str
    cut: int


def trouble(what: str, path: Path, problem: OSError) -> DiskError:
    """The operating system's refusal as one sentence that names the remedy."""
    return DiskError(f"{path} cannot be {what}: {_remedy(problem)}.")


def create_bundle(root: Path, run_id: str) -> Path:
    """Make the folder of a run below `root`, which is made too where it is missing, and give it back.

    Raises UseError where the folder exists, or nothing can be written there: better before the first test than
    after the last.
    """
    folder = root / run_id
    try:
        root.mkdir(parents=True, exist_ok=True)
        folder.mkdir()
        for name in (JOURNALS, SAMPLES):
            (folder / name).mkdir()
        _probe(folder)
        sync_folder(folder)
        sync_folder(root)
    except OSError as problem:
        raise UseError(f"No evidence can be written to {folder}: {_remedy(problem)}.") from problem
    except EvidenceError as problem:
        raise UseError(f"No evidence can be written to {folder}: {problem}") from problem
    return folder


def write_once(path: Path, data: bytes, *, aside: Path | None = None, durable: bool = True) -> None:
    """Write a file that must not exist yet, durably and all at once; raises EvidenceError.

    Of several processes that write the same file at the same time, one succeeds. Until it is whole it lies beside
    its place, or in the folder `aside` of the same file system, where a kill may leave it.
    Without `durable` a power loss may take it: enough for what is derived, which the manifest makes durable, as all
    files, before it says that there is a bundle.
    """
    with _placing(path, _put_new, aside, durable=durable) as target:
        target.write(data)


def write_last(path: Path, data: bytes) -> None:
    """As `write_once`, for the file that nobody else can be writing: a kill leaves no second name of it behind.

    A hard link, which cannot overwrite, exists beside the name that it was made from until that is removed.
    """
    with _placing(path, _rename_new) as target:
        target.write(data)


def add_lines(path: Path, data: bytes) -> None:
    """Write at the end of a file that is there, durably; raises EvidenceError."""
    try:
        with path.open("ab") as target:
            target.write(data)
            target.flush()
            os.fsync(target.fileno())
    except OSError as problem:
        raise trouble("written to", path, problem) from problem


def replace(path: Path, data: bytes, *, aside: Path | None = None) -> None:
    """Write a file durably: whoever looks sees the old bytes or all of the new ones. Raises EvidenceError.

    `aside` as for `write_once`.
    """
    with _placing(path, Path.replace, aside) as target:
        target.write(data)


def write_stream(path: Path, source: BinaryIO, most: int) -> Stored:
    """Copy at most `most` bytes of a source into a file that must not exist yet, in constant memory.

    The source is read to its end, so that `cut` is exact. Raises EvidenceError.
    """
    state = hashlib.sha256()
    kept = cut = 0
    with _placing(path, _put_new) as target:
        for block in _blocks(source):
            part = block[: most - kept]
            target.write(part)
            state.update(part)
            kept += len(part)
            cut += len(block) - len(part)
    return Stored(kept, f"sha256:{state.hexdigest()}", cut)


@contextmanager
def mapped(path: Path) -> Iterator[bytes | mmap.mmap]:
    """A file's bytes, to look through without reading them all into memory. Raises OSError."""
    with path.open("rb") as file:
        known = os.fstat(file.fileno())
        if known.st_size == 0:  # cannot be mapped; a file of /proc says so too, and has its bytes
            yield file.read() if stat.S_ISREG(known.st_mode) else b""
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield data


def make_folder(path: Path) -> None:
    """Make a folder and what is missing above it; raises EvidenceError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise trouble("created", path, problem) from problem


def sync_folder(path: Path) -> None:
    """Make names created in, or renamed into, a folder survive a power loss; raises EvidenceError."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
    except OSError as problem:
        raise trouble("written to", path, problem) from problem


@contextmanager
def _placing(
    path: Path, place: Callable[[Path, Path], object], aside: Path | None = None, *, durable: bool = True
) -> Iterator[BinaryIO]:
    """Open a new file beside `path`, or in `aside`; when it is whole, and durable, `place` puts it there."""
    part = (aside or path.parent) / f"{path.name}.part-{os.getpid()}-{threading.get_ident()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with os.fdopen(os.open(part, flags, _MODE), "wb") as target:
            yield target
            target.flush()
            if durable:
                os.fsync(target.fileno())
        place(part, path)
    except BaseException as problem:
        with suppress(OSError):  # the first error is the one to tell
            part.unlink()
        if isinstance(problem, OSError):
            raise trouble("written", path, problem) from problem
        raise
    if durable:
        sync_folder(path.parent)


def _put_new(part: Path, path: Path) -> None:
    """Give the file its name unless that is taken: a hard link cannot overwrite, as a rename would."""
    try:
        os.link(part, path)
    except OSError as problem:
        if problem.errno not in _NO_LINKS:
            raise
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from problem
        part.rename(path)
    else:
        part.unlink()


def _rename_new(part: Path, path: Path) -> None:
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    part.rename(path)


def _blocks(source: BinaryIO) -> Iterator[bytes]:
    try:
        while block := source.read(BLOCK):
            yield block
    except OSError as problem:
        raise EvidenceError(f"what was to be kept cannot be read: {_remedy(problem)}.") from problem


def _probe(folder: Path) -> None:
    """Find out about a full disk now: a file of some size is written, made durable and removed."""
    probe = folder / "probe"
    fd = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
    try:
        rest = bytes(_PROBE)
        while rest:
            rest = rest[os.write(fd, rest) :]
        os.fsync(fd)
    finally:
        os.close(fd)
        probe.unlink()


def _remedy(problem: OSError) -> str:
    said = os.strerror(problem.errno) if problem.errno else str(problem)
    remedy = _REMEDIES.get(problem.errno or 0)
    return f"{remedy} ({said})" if remedy else said
