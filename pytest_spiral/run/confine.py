"""Giving up rights for good, on Linux: another user, no groups, no capabilities, and no way to gain any.

Numbers are those of `linux/prctl.h` and `linux/capability.h`, which never change; see prctl(2), capabilities(7).
"""

import ctypes
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from pytest_spiral.errors import UseError
from pytest_spiral.rules.confinement import STATE

_SET_PDEATHSIG: Final = 1
_SET_DUMPABLE: Final = 4
_CAPBSET_READ: Final = 23
_CAPBSET_DROP: Final = 24
_SET_CHILD_SUBREAPER: Final = 36
_SET_NO_NEW_PRIVS: Final = 38
_CAP_AMBIENT: Final = 47
_CAP_AMBIENT_CLEAR_ALL: Final = 4
_CAPABILITY_VERSION_3: Final = 0x20080522
_MOST_CAPABILITIES: Final = 64


class Account(NamedTuple):
    """Who the tests are to be: an account's name, user and group."""

    name: str
    uid: int
    gid: int


def refuse_elsewhere() -> None:
    """Raise UseError where this is not Linux."""
    if sys.platform != "linux":
        raise UseError(
            f"spiral record confines tests by means of Linux, and this is {sys.platform}. "
            "Remedy: have another job countersign what this one signed (spiral countersign)."
        )


def find_account(name: str) -> Account:
    """The account of that name, or number; raises UseError where there is none."""
    import pwd

    try:
        found = pwd.getpwuid(int(name)) if name.isascii() and name.isdigit() else pwd.getpwnam(name)
    except (KeyError, OverflowError):
        raise UseError(f"there is no account {name!r} here. Remedy: name one with --user, or make one.") from None
    return Account(found.pw_name, found.pw_uid, found.pw_gid)


def become_closed() -> None:
    """Keep this process from being read or traced by its own user; take over what its children leave behind.

    Raises OSError.
    """
    _prctl(_SET_DUMPABLE, 0)
    _prctl(_SET_CHILD_SUBREAPER, 1)


def die_with(parent: int) -> None:
    """Have this process be killed when its parent dies; it leaves at once where that has happened. Raises OSError.

    A change of user forgets it, so it is called after that.
    """
    _prctl(_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def give_up(account: Account | None) -> None:
    """Become that account and drop every right; None: only make sure that no new ones are gained. Raises OSError."""
    if account is not None:
        for capability in range(_MOST_CAPABILITIES):
            if _libc().prctl(_CAPBSET_READ, capability, 0, 0, 0) == 1:
                _prctl(_CAPBSET_DROP, capability)
        os.setgroups([])
        os.setresgid(account.gid, account.gid, account.gid)
        os.setresuid(account.uid, account.uid, account.uid)
        _prctl(_CAP_AMBIENT, _CAP_AMBIENT_CLEAR_ALL)
        _drop_capabilities()
    _prctl(_SET_NO_NEW_PRIVS, 1)


def end_descendants(most: int = 100_000) -> bool:
    """Kill and reap all that descends from this process; False where they come faster than they go.

    One whose parent has died is this process's own child (`become_closed`), so none is left when there is no child.
    """
    import psutil

    for _ in range(most):
        for one in psutil.Process().children(recursive=True):
            with suppress(ProcessLookupError):
                os.kill(one.pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return True
    return False


def state_of(pid: int) -> dict[str, str]:
    """What the kernel says of a process's users and capabilities. Raises OSError."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    told = dict(line.split(":", 1) for line in lines if ":" in line)
    return {name: " ".join(told[name].split()) for name in STATE if name in told}


def _drop_capabilities() -> None:
    """capset(2) with empty sets: a change of user clears them, but for the inheritable ones."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    if _libc().capset(header, (ctypes.c_uint32 * 6)()):
        raise _failed("capset")


def _prctl(option: int, argument: int) -> None:
    if _libc().prctl(option, argument, 0, 0, 0):
        raise _failed("prctl")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _failed(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{what}: {os.strerror(number)}")
