"""What really runs, by looking at the system: every process whose environment holds certain words."""

import os
import select
import signal
from pathlib import Path

_PROC = Path("/proc")
_LOOK_AGAIN_S = 0.01


def strays(*words: str) -> list[int]:
    """Ids of all processes whose first environment holds every word, ended and uncollected ones left out.

    Reads /proc/PID/environ (proc(5)), so it sees processes of the same user whoever started them. A zombie has no
    environment any more.
    """
    wanted = [word.encode() for word in words]
    return [int(name) for name in os.listdir(_PROC) if name.isdigit() and _holds(name, wanted)]  # noqa: PTH208


def end_strays(*words: str) -> None:
    """Kill whatever carries the words, and look again until the system shows nothing any more."""
    while found := strays(*words):
        for pid in found:
            kill(pid)
        look_again()


def kill(pid: int) -> None:
    """Kill a process, which may have ended meanwhile."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def look_again() -> None:
    """Give a kill the moment that it takes."""
    select.select([], [], [], _LOOK_AGAIN_S)


def _holds(name: str, wanted: list[bytes]) -> bool:
    environment = _environment(name)
    return all(word in environment for word in wanted)


def _environment(name: str) -> bytes:
    try:
        with open(f"/proc/{name}/environ", "rb", buffering=0) as file:  # noqa: PTH123 - read for every process there is
            return file.read()
    except OSError:  # it has ended meanwhile, or is somebody else's
        return b""
