"""The warden: the one process that starts components, so that none of them outlives the supervisor.

Run as `python -m spiral_sandbox.boot.warden MARK`. JSON lines on standard input are requests, JSON lines on standard
output are news:

{"start": id, "argv": [...], "env": {...}, "log": path}    → {"started": id, "pid": n} or {"refused": id, "why": …}
{"signal": pid, "number": n}                                 the process group of a component that runs
{"sweep": id, "word": …}                                   → {"swept": id, "pids": [...]}, see `sweep`
                                                             {"ended": pid, "status": n} whenever a component has

Nothing outlives them. The warden sees the end of its input, or of the supervisor itself (`pidfd_open`), kills every
group, and then whatever carries its mark in its environment. Should the warden be killed, the kernel kills each
component (`PR_SET_PDEATHSIG`, prctl(2)), and the supervisor whatever else carries the mark. A component's own children
are killed with it: they are in its group, or, having left it, still carry the mark; the warden inherits them
(`PR_SET_CHILD_SUBREAPER`). Beyond this is who leaves the group and clears its environment, and a component's children
where supervisor and warden are killed in one moment: a control group would be needed for those.

One thread only, so that forking is safe.
"""

import ctypes
import json
import os
import select
import signal
import sys
from typing import Any

from spiral_sandbox.boot.strays import end_strays, kill, look_again, strays

MARK = "SPIRAL_WARDEN"
"""The environment variable that marks everything a warden has started."""

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_CHUNK_BYTES = 1 << 16
_LOOKS = 200
_DEFAULT_AGAIN = (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ)
"""Signals that this process, or Python, ignores: another program would inherit that."""

_LIBC = ctypes.CDLL(None)


class Warden:
    """What runs, by process id, which groups were killed, and the two pipes."""

    def __init__(self, mark: str) -> None:
        self._mark = mark
        self._parent = os.getppid()
        self._running: set[int] = set()
        self._killed: set[int] = set()
        self._buffer = bytearray()
        self._wake, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def work(self) -> None:
        """Do requests and tell news until the supervisor is gone; then leave nothing behind."""
        watched = [0, self._wake, *_watch(self._parent)]
        try:
            while True:
                ready, _, _ = select.select(watched, [], [])
                if self._wake in ready:
                    os.read(self._wake, _CHUNK_BYTES)
                    self._reap()
                if set(ready) & set(watched[2:]):
                    return
                if 0 in ready and not self._read():
                    return
        except BrokenPipeError:  # nobody reads the news any more: the supervisor is gone
            return
        finally:
            self._clear()

    def _read(self) -> bool:
        chunk = os.read(0, _CHUNK_BYTES)
        self._buffer += chunk
        *lines, rest = self._buffer.split(b"\n")
        self._buffer = bytearray(rest)
        for line in lines:
            self._do(json.loads(line))
        return bool(chunk)

    def _do(self, request: dict[str, Any]) -> None:
        if "start" in request:
            self._start(request)
        elif "signal" in request:
            if request["signal"] in self._running:
                _kill_group(request["signal"], request["number"])
        elif "sweep" in request:
            pids = self._sweep(request["word"])
            _tell({"swept": request["sweep"], "pids": pids})

    def _start(self, request: dict[str, Any]) -> None:
        argv, environment = request["argv"], {**request["env"], MARK: self._mark}
        try:
            with open(request["log"], "ab", buffering=0) as log:  # noqa: PTH123 - a plain descriptor is wanted
                pid = _spawn(argv, environment, log.fileno())
        except OSError as error:
            _tell({"refused": request["start"], "why": f"{argv[0]}: {error.strerror}"})
            return
        self._running.add(pid)
        self._killed.discard(pid)
        _tell({"started": request["start"], "pid": pid})

    def _reap(self) -> None:
        """Collect what has ended. A component's group is killed while its number cannot yet be anybody else's."""
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            if ended.si_pid in self._running:
                _kill_group(ended.si_pid, signal.SIGKILL)
                self._killed.add(ended.si_pid)
            _, status = os.waitpid(ended.si_pid, 0)
            if ended.si_pid in self._running:
                self._running.discard(ended.si_pid)
                _tell({"ended": ended.si_pid, "status": os.waitstatus_to_exitcode(status)})

    def _sweep(self, word: str) -> list[int]:
        """Kill whatever of this warden carries the word in its environment, and look until it is gone; gives what it was."""
        found: list[int] = []
        for _ in range(_LOOKS):
            left = strays(word, f"{MARK}={self._mark}")
            if not left:
                break
            # Who is in a group that was killed is as good as gone: no stray, and yet waited for.
            found += [pid for pid in left if pid not in found and _group_of(pid) not in self._killed]
            for pid in left:
                kill(pid)
            look_again()
        return found

    def _clear(self) -> None:
        """Kill every group, then look at the system until it shows nothing with the mark any more."""
        for pid in self._running:
            _kill_group(pid, signal.SIGKILL)
        end_strays(f"{MARK}={self._mark}")


def _watch(parent: int) -> list[int]:
    try:
        return [os.pidfd_open(parent)]
    except OSError:  # an old kernel, or a sandbox that forbids it: end of file alone must do
        return []


def _spawn(argv: list[str], environment: dict[str, str], log: int) -> int:
    """Fork and execute in a session of its own, tied to this process's life; raises OSError where it cannot be."""
    warden = os.getpid()
    heard, told = os.pipe()
    pid = os.fork()
    if pid == 0:  # the child: from here on only system calls, and then another program
        try:
            os.setsid()
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            for ignored in _DEFAULT_AGAIN:
                signal.signal(ignored, signal.SIG_DFL)
            if os.getppid() != warden:  # it died before the line above
                os._exit(1)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.execve(argv[0], argv, environment)  # noqa: S606 - an argument list, no shell
        except OSError as error:
            os.write(told, str(error.errno).encode())
        finally:
            os._exit(127)
    os.close(told)
    number = os.read(heard, 16)  # ends when the other program runs, which closes its copy
    os.close(heard)
    if number:
        os.waitpid(pid, 0)
        raise OSError(int(number), os.strerror(int(number)))
    return pid


def _group_of(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0


def _kill_group(pid: int, number: int) -> None:
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):  # PermissionError: all of it are zombies (macOS; harmless)
        return


def _tell(news: dict[str, Any]) -> None:
    data = json.dumps(news, separators=(",", ":")).encode() + b"\n"
    while data:
        data = data[os.write(1, data) :]


def main(mark: str) -> int:
    """Work until the supervisor is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it ends when its supervisor does, and not before
    Warden(mark).work()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
