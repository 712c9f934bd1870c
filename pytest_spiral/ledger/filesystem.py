"""Whether a folder's file system keeps locks and renames, so that several writers can share a file there."""

import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

MOUNTS: Final = Path("/proc/self/mountinfo")

_NETWORK: Final = re.compile(
    r"nfs\d*|cifs|smb\d*|smbfs|9p|afs|ceph|glusterfs|lustre|gpfs|ocfs2|gfs2|beegfs|orangefs|coda|ncpfs|vboxsf|"
    r"prl_fs|fuse\.(?!.*(?:overlay|ext|ntfs|lxcfs)).*"
)
_OCTAL: Final = re.compile(r"\\([0-7]{3})")


def unproven(folder: Path, mounts: Path = MOUNTS) -> str:
    """Why locks and renames are not proven in a folder; empty where they are. Raises OSError.

    A lock between machines cannot be tried from one of them, so a network file system is never proven.
    `mounts` is the operating system's table of mounts (proc(5), mountinfo).
    """
    kind = file_system(folder.resolve(), mounts)
    if _NETWORK.fullmatch(kind):
        return f"{kind} is a network file system, whose locks do not hold between machines"
    probe = folder / f".spiral-probe-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        return _locks(probe) or _renames(probe)
    finally:
        for path in (probe, _other(probe)):
            with suppress(FileNotFoundError):
                path.unlink()


def file_system(folder: Path, mounts: Path = MOUNTS) -> str:
    """The type of the file system that an absolute folder is on; empty where the table does not say."""
    found = max(_mounted(folder, mounts), default=(0, 0, ""))
    return found[2]


def _mounted(folder: Path, mounts: Path) -> Iterator[tuple[int, int, str]]:
    """(length of the mount point, line, type) of all mounts that the folder is below; a later mount hides one before."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for number, line in enumerate(lines):
        before, _, after = line.partition(" - ")
        fields, kind = before.split(" "), after.split(" ")[0]
        if len(fields) > 4 and kind:
            point = Path(_OCTAL.sub(lambda match: chr(int(match[1], 8)), fields[4]))
            if folder.is_relative_to(point):
                yield len(point.parts), number, kind


def _locks(probe: Path) -> str:
    first = os.open(probe, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    second = os.open(probe, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(first, fcntl.LOCK_EX)
        fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return ""
    else:
        return "two holders were given one exclusive lock"
    finally:
        os.close(first)
        os.close(second)


def _renames(probe: Path) -> str:
    other = _other(probe)
    other.write_bytes(b"new")
    other.replace(probe)
    return "" if probe.read_bytes() == b"new" and not other.exists() else "a rename did not replace its target"


def _other(probe: Path) -> Path:
    return probe.with_name(f"{probe.name}-2")
