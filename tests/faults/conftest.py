"""What faults are made with: strace at a call of choice, where this machine allows it.

Two variables say how much is tried. FAULTS=N tries the first and then one in N of each kind of call (default 4; 1 is
all of them, which `make faults` does). KILLS is the number of random kills (default 6; 100 in `make faults`).
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CHANGING = (
    "openat,write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat,rmdir,"
    "ftruncate,flock"
)


@dataclass(frozen=True)
class Ended:
    """A traced child that is over: exit status (negative: the signal), and what was acknowledged before."""

    status: int
    samples: int
    tests: int
    sealed: bool


class Tracer:
    """Runs commands of workload.py, each in a child that strace looks at."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._log = folder / "trace"
        self._counts = folder / "counts"
        self._counts.write_bytes(bytes(12))
        with (folder / "errors").open("wb") as errors:
            self._server = subprocess.Popen(
                [sys.executable, str(HERE / "workload.py"), str(self._counts)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, bufsize=1,
            )  # fmt: skip
        assert self._answer() == "ready"

    def _answer(self) -> str:
        assert self._server.stdout is not None
        return self._server.stdout.readline().strip()

    def run(self, command: str, path: Path, *options: str) -> Ended:
        """Run one command under strace with these options."""
        assert self._server.stdin is not None
        self._server.stdin.write(f"{command} {path}\n")
        child = int(self._answer())
        trace = ["strace", "-f", "-p", str(child), "-o", str(self._log), "-e", f"trace={CHANGING}", *options]
        with subprocess.Popen(trace, stderr=subprocess.PIPE, text=True) as strace:
            assert strace.stderr is not None
            attached = strace.stderr.readline()
            os.kill(child, signal.SIGCONT)
            status = int(self._answer())
        assert "attached" in attached, attached
        samples, tests, sealed = (
            int.from_bytes(self._counts.read_bytes()[at : at + 4], sys.byteorder) for at in (0, 4, 8)
        )
        return Ended(status, samples, tests, bool(sealed))

    def calls(self, command: str, path: Path) -> dict[str, int]:
        """How often each changing call is made by a command that nothing disturbs."""
        assert self.run(command, path).status == 0
        found = (re.match(r"\d+ +(\w+)\(", line) for line in self._log.read_text().splitlines())
        return dict(Counter(match[1] for match in found if match))

    def close(self) -> None:
        """End the server."""
        self._server.communicate(timeout=30)


def _refusal() -> str:
    """Why strace cannot be attached here; empty where it can."""
    if shutil.which("strace") is None:
        return "strace is not installed: command -v strace gave nothing"
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        try:
            probe = subprocess.run(
                ["timeout", "-s", "INT", "0.2", "strace", "-p", str(sleeper.pid), "-o", os.devnull],
                capture_output=True, text=True, check=False, timeout=30,
            )  # fmt: skip
        finally:
            sleeper.kill()
    return "" if "attached" in probe.stderr else f"strace -p cannot attach: {probe.stderr.strip()}"


@pytest.fixture(scope="session")
def tracer(tmp_path_factory):
    """A tracer; without strace, or where ptrace is refused, environment-limited with what the probe said."""
    why = _refusal()
    if why:
        pytest.skip(f"environment-limited: needs strace and ptrace; {why}")
    made = Tracer(tmp_path_factory.mktemp("tracer"))
    yield made
    made.close()


@pytest.fixture
def ground(tmp_path):
    """A folder in memory where there is one: making everything durable many hundred times takes long on a disk."""
    memory = Path("/dev/shm")  # noqa: S108 - only as a place that forgets by itself
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)
