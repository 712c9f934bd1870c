"""A JACK server of one's own: the dummy driver in synchronous mode, under a private name, ended with whoever began it.

Synchronous, because only then one late cycle is one xrun, with the time that was lost; in asynchronous mode one stall
is counted in every cycle that it spans. Real-time scheduling is needed: without it the clock of the driver itself is
late on a busy machine, and its xruns say nothing of the callback. Options: jackd(1).

Names come from a few, each held by a lock for as long as its server lives: libjack's registry has room for eight
servers, and takes back the place of one that was killed only for another of the same name.
"""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, Final

from spiral_sandbox.sonic.errors import StreamError
from spiral_sandbox.sonic.render import CHANNELS, RATE
from spiral_sandbox.sonic.scheduling import AUDIO_PRIORITY

PERIOD_FRAMES: Final = 1024

_NAMES = 6
_READY_SECONDS = 10.0
_LOOK_SECONDS = 0.02
_STOP_SECONDS = 3.0
_OPTIONS = ("-R", "-P", "70", "--no-mlock", "-S", "-d", "dummy", "-r", str(RATE), "-p", str(PERIOD_FRAMES))
_PORTS = ("-C", "0", "-P", str(CHANNELS))

# Ends with the thread that started it, whatever becomes of that (PR_SET_PDEATHSIG, prctl(2)); then becomes jackd.
_TIED = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""


def missing() -> str:
    """What is missing for a server here, as one sentence; empty where nothing is."""
    if shutil.which("jackd") is None:
        return "jackd is not on PATH"
    if sys.platform != "linux":
        return "jackd is only started on Linux, where the kernel ends it with its component"
    try:
        import jack  # noqa: F401  whether it can be loaded is the question
    except (ImportError, OSError) as error:  # OSError: the binding is there, the library libjack is not
        return f"JACK-Client cannot be loaded ({error})"
    refused = _fifo_refused()
    return f"real-time scheduling is refused ({refused})" if refused else ""


class Server:
    """A server that runs and one client of it; both are gone after `close`. Raises StreamError if it cannot start.

    The server's life hangs on the calling thread: start it in one that lives as long.
    """

    def __init__(self) -> None:
        self.name, self._lock = _free_name()
        command = [sys.executable, "-I", "-c", _TIED, str(os.getpid()), shutil.which("jackd") or "jackd"]
        try:
            self._process = subprocess.Popen(
                [*command, "-n", self.name, *_OPTIONS, *_PORTS],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "JACK_NO_AUDIO_RESERVATION": "1"},
                process_group=0,
                pass_fds=[self._lock],  # whatever becomes of this process, the name is taken until its server is gone
            )
        except OSError as error:
            os.close(self._lock)
            raise StreamError(f"jackd cannot be started: {error.strerror}.") from error
        self.client: Any = None
        try:
            self.client = self._connect()
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """The server's process."""
        return self._process.pid

    def close(self) -> None:
        """Let go of the client, end the server and wait for it, give the name back; a second call does nothing."""
        client, self.client = self.client, None
        if client is not None:
            client.deactivate()
            client.close()
        for end in (self._process.terminate, self._process.kill):
            if self._process.poll() is None:
                end()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(_STOP_SECONDS)
        lock, self._lock = self._lock, -1
        if lock >= 0:
            os.close(lock)

    def _connect(self) -> Any:
        """Try until the server takes a client: it has no other sign of being ready. Its end is one of not becoming so."""
        import jack

        jack.set_error_function(lambda _: None)  # each try says at length that there is no server yet
        for _ in range(int(_READY_SECONDS / _LOOK_SECONDS)):
            try:
                return jack.Client("sonic", no_start_server=True, servername=self.name)
            except jack.JackError:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    status = self._process.wait(_LOOK_SECONDS)
                    raise StreamError(f"jackd ended with status {status} before it was ready.") from None
        raise StreamError(f"jackd took no client within {_READY_SECONDS:g} s.")


def _free_name() -> tuple[str, int]:
    """A server's name that no other process holds, and the lock that holds it; StreamError if all are taken."""
    for number in range(_NAMES):
        name = f"spiral-{os.getuid()}-{number}"
        path = Path(tempfile.gettempdir()) / f"{name}.lock"
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
        else:
            return name, lock
    raise StreamError(f"All {_NAMES} names of JACK servers are taken by others that run here.")


def _fifo_refused() -> str:
    """Why this process may not schedule a thread in real time, empty where it may; tried in a thread that then ends."""
    told: list[str] = []

    def attempt() -> None:
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(AUDIO_PRIORITY))
        except OSError as error:
            told.append(f"SCHED_FIFO {AUDIO_PRIORITY}: {error.strerror}")

    trial = threading.Thread(target=attempt, name="may it be in time")
    trial.start()
    trial.join()
    return "".join(told)
