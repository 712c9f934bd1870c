"""The two ways of asking the operating system: a program that is made to end, and a small file."""

import os
import re
import shutil
import signal
import subprocess
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

ROOT: Final = Path("/")

READ_LIMIT: Final = 64 * 1024
"""Bytes kept of one stream or file; the rest of a stream is read and dropped, so that its writer can end."""

ANSWER_LIMIT_S: Final = 1.4
"""Seconds until a program that has not closed its output is ended together with its process group."""

_EXIT_LIMIT_S: Final = 0.3


@dataclass(frozen=True, slots=True)
class Answer:
    """What a program answered. `status` is None where it did not come to an end by itself: see `trouble`."""

    command: str
    status: int | None = None
    output: str = ""
    errors: str = ""
    trouble: str = ""

    @property
    def raw(self) -> str:
        """Standard output, then standard error."""
        return "\n".join(text.rstrip() for text in (self.output, self.errors) if text.strip())

    @property
    def told(self) -> str:
        """What happened, in one line, and below it the raw output."""
        happened = self.trouble or f"{self.command}: ended with status {self.status}"
        return f"{happened}\n{self.raw}".rstrip()


@dataclass(frozen=True, slots=True)
class Reading:
    """A file's text, or None and what stood in the way."""

    text: str | None
    trouble: str = ""


def read(path: Path) -> Reading:
    """Read the first `READ_LIMIT` bytes of a file; what is not UTF-8 becomes backslash escapes."""
    try:
        with path.open("rb") as file:
            return Reading(_text(file.read(READ_LIMIT)))
    except OSError as problem:
        return Reading(None, f"{path}: {problem.strerror}")


def ask(program: str, *arguments: str, within_s: float = ANSWER_LIMIT_S) -> Answer:
    """Run a program from PATH without input, in a session of its own, and wait for what it prints.

    It has `within_s` to close its output and a moment more to end; then its whole process group is killed.
    Its messages are asked for in the C locale. Never raises for what the program or the system does.
    """
    command = " ".join((program, *arguments))
    path = shutil.which(program)
    if path is None:
        return Answer(command, trouble=f"{command}: {program} is not on PATH")
    try:
        process = subprocess.Popen(
            [path, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, "LC_ALL": "C"},
        )
    except OSError as problem:
        return Answer(command, trouble=f"{command}: could not be started: {problem.strerror}")
    with process:
        return _answer(command, process, within_s)


def without_ids(text: str) -> str:
    """Leave out long identities: the first twelve digits of a container's are the host's name in there."""
    return re.sub(r"[0-9a-f]{12,}", "<id>", text)


def _answer(command: str, process: subprocess.Popen[bytes], within_s: float) -> Answer:
    overdue = threading.Event()
    watchdog = threading.Timer(within_s, _end_overdue, (process, overdue))
    watchdog.daemon = True
    watchdog.start()
    output, errors = _drained(process)
    watchdog.cancel()
    watchdog.join()  # from here on nobody else kills, so the process may be reaped
    status = _status(process)
    if overdue.is_set():
        trouble = f"{command}: no answer within {within_s:g} s; it was ended with its process group"
    elif status is None:
        trouble = f"{command}: closed its output and did not end; it was ended with its process group"
    elif status < 0:
        trouble = f"{command}: ended by signal {-status}"
    else:
        return Answer(command, status, output, errors)
    return Answer(command, None, output, errors, trouble)


def _end_overdue(process: subprocess.Popen[bytes], overdue: threading.Event) -> None:
    overdue.set()
    _kill_group(process)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that was not yet waited for, and its group: its number cannot belong to another one."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _status(process: subprocess.Popen[bytes]) -> int | None:
    try:
        return process.wait(_EXIT_LIMIT_S)
    except subprocess.TimeoutExpired:
        _kill_group(process)
        return None


def _drained(process: subprocess.Popen[bytes]) -> tuple[str, str]:
    """Read both streams to their ends, at the same time, so that neither fills and blocks the writer."""
    kept: dict[str, str] = {}
    streams = {"output": process.stdout, "errors": process.stderr}
    readers = [
        threading.Thread(target=_drain, args=(stream, name, kept), daemon=True)
        for name, stream in streams.items()
        if stream is not None
    ]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    return kept.get("output", ""), kept.get("errors", "")


def _drain(stream: IO[bytes], name: str, kept: dict[str, str]) -> None:
    data = bytearray()
    while chunk := os.read(stream.fileno(), READ_LIMIT):
        data += chunk[: READ_LIMIT - len(data)]
    kept[name] = _text(bytes(data))


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")
