"""Tie a process to its parent's life, kill the parent, and see that the system ends it; and see its environment."""

import ctypes
import os
import select
import signal
import subprocess
import sys
import uuid
from pathlib import Path

PR_SET_PDEATHSIG = 1
DEADLINE_S = 5.0


def parent() -> None:
    """Fork a child that is tied to this process, tell its number, and wait to be killed."""
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        tied = ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) == 0
        os.write(tell, b"tied" if tied else b"free")
        signal.pause()
    word = os.read(told, 4).decode()
    print(child, word, flush=True)
    signal.pause()


def main() -> int:
    """Status 0 where the kernel ends the orphan, and /proc showed its environment while it ran."""
    word = uuid.uuid4().hex
    with subprocess.Popen(
        [sys.executable, __file__, "parent"], stdout=subprocess.PIPE, env={**os.environ, "SPIRAL_CHECK": word}
    ) as process:
        assert process.stdout is not None
        orphan, tied = process.stdout.readline().decode().split()
        seen = word.encode() in Path(f"/proc/{orphan}/environ").read_bytes()
        watch = os.pidfd_open(int(orphan))
        process.kill()
        process.wait()
    ended = bool(select.select([watch], [], [], DEADLINE_S)[0])
    print(f"environment seen: {seen}; tied: {tied}; ended with its parent: {ended}")
    if not ended:
        os.kill(int(orphan), signal.SIGKILL)
    return 0 if seen and tied == "tied" and ended else 1


if __name__ == "__main__":
    sys.exit(parent() if sys.argv[1:] == ["parent"] else main())
