"""Trying to get out: what tests under the launcher could try, tried before them, as the very process they will run in.

Each attempt gives how it was refused. One that goes through changes nothing: what is opened is closed, what changes
rights does so in a child that ends at once.
"""

import ctypes
import errno
import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, NamedTuple

from pytest_spiral.model.launcher import Aim, Escape

_PTRACE_SEIZE: Final = 0x4206  # linux/ptrace.h: attaches without stopping; ends with the tracer
_UNNAMED: Final = 255


class Marks(NamedTuple):
    """What the attempts aim at: the launcher's process and user, the key's file, its code, its ledger's file."""

    pid: int
    uid: int
    gid: int
    key: Path
    code: tuple[Path, ...]
    ledger: Path | None


def try_all(marks: Marks) -> tuple[Escape, ...]:
    """Make every attempt; in the order of the names in `Aim`."""
    told = [
        _told("key", lambda: _open(marks.key, os.O_RDONLY)),
        _told("memory", lambda: _open(f"/proc/{marks.pid}/mem", os.O_RDWR)),
        _told("environment", lambda: _open(f"/proc/{marks.pid}/environ", os.O_RDONLY)),
        _told("descriptors", lambda: os.scandir(f"/proc/{marks.pid}/fd").close()),
        _told("trace", lambda: _in_child(lambda: _trace(marks.pid))),
        _told("signal", lambda: os.kill(marks.pid, 0)),
        _told("identity", lambda: _in_child(lambda: _become(marks.uid, marks.gid))),
        _told("code", lambda: _any_of(lambda path=path: os.utime(path) for path in marks.code)),  # type: ignore[misc]
    ]
    if marks.ledger is not None:
        told.append(_told("ledger", lambda: _change(marks.ledger)))
    return tuple(told)


def code_places(paths: Iterable[Path]) -> tuple[Path, ...]:
    """What a change of the code at these paths would go through: they themselves, folders in them, all above them.

    A folder such as /tmp, in which everybody may make files and nobody may replace another's, is left out.
    """
    found: dict[Path, None] = {}
    for path in paths:
        whole = path.resolve()
        for one in (whole, *whole.parents):
            if one.exists() and not (one.is_dir() and one.stat().st_mode & stat.S_ISVTX):
                found[one] = None
    return tuple(found)


def _told(aim: Aim, attempt: Callable[[], object]) -> Escape:
    try:
        attempt()
    except OSError as problem:
        return Escape(aim=aim, refused=errno.errorcode.get(problem.errno or 0, "unnamed"))
    return Escape(aim=aim, refused="")


def _open(path: Path | str, flags: int) -> None:
    os.close(os.open(path, flags | os.O_CLOEXEC))


def _change(ledger: Path | None) -> None:
    """Open the file for writing, or change the folder where it would be made."""
    if ledger is None:
        return
    try:
        _open(ledger, os.O_WRONLY)
    except FileNotFoundError:
        os.utime(next(one for one in ledger.parents if one.exists()))


def _trace(pid: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
    libc.ptrace.restype = ctypes.c_long
    if libc.ptrace(_PTRACE_SEIZE, pid, None, None):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _become(uid: int, gid: int) -> None:
    """Take on the launcher's user, root, or a group of theirs: whichever goes through first."""
    _any_of(
        [
            lambda: os.setresuid(uid, uid, uid),
            lambda: os.setresuid(0, 0, 0),
            lambda: os.setresgid(gid, gid, gid),
            lambda: os.setgroups([gid]),
        ]
    )


def _any_of(attempts: Iterable[Callable[[], object]]) -> None:
    """Return where one of them goes through; else raise how the last one was refused."""
    last: OSError | None = None
    for attempt in attempts:
        try:
            attempt()
        except OSError as problem:
            last = problem
        else:
            return
    if last is not None:
        raise last


def _in_child(attempt: Callable[[], object]) -> None:
    """Make an attempt in a child that ends at once; raise how it was refused there."""
    child = os.fork()
    if child == 0:
        number = _UNNAMED
        try:
            attempt()
            number = 0
        except OSError as problem:
            number = problem.errno or _UNNAMED
        finally:
            os._exit(number)
    number = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if number:
        raise OSError(abs(number), os.strerror(abs(number)))
