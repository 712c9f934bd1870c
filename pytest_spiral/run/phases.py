"""Commands run one after the other, each with how it ended, how long it took and what it said.

A phase that was not run is kept too, with why, and is never a success.
"""

import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pytest_spiral.errors import UseError
from pytest_spiral.run.clock import mono_ns

COMMANDS_FORMAT = "spiral-commands/1"

Text = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Phase:
    """One command: `status` as subprocess gives it (negative for a signal), None where it was `skipped`, and why."""

    phase: str
    command: tuple[str, ...]
    status: int | None
    seconds: float
    output: str
    skipped: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether it was run to its end and ended with 0."""
        return self.status == 0


class Phases:
    """The command log. What goes into it is passed through `clean` first; each line is also given to `say`, as it comes."""

    def __init__(self, clean: Text = str, say: Callable[[str], None] | None = None) -> None:
        self.done: list[Phase] = []
        self._clean, self._say = clean, say

    def run(
        self,
        name: str,
        command: Sequence[str | Path],
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
        wait_s: float | None = None,
    ) -> tuple[int, str]:
        """Run one command to its end without input; gives status and output.

        One that takes longer than `wait_s` is killed, which is its status. UseError if it cannot be started.
        """
        argv = [str(part) for part in command]
        began = mono_ns()
        try:
            process = subprocess.Popen(
                argv, cwd=cwd, env=None if environment is None else dict(environment),
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
        except OSError as error:
            raise UseError(f"{argv[0]} cannot be started ({error.strerror}).") from error
        with process:
            said = self._clean(self._hear(process, wait_s))
        shown = tuple(self._clean(one) for one in (Path(argv[0]).name, *argv[1:]))
        self.done.append(Phase(name, shown, process.returncode, round((mono_ns() - began) / 1e9, 3), said))
        return process.returncode, said

    def skip(self, name: str, why: str) -> None:
        """Note that a phase was not run."""
        self.done.append(Phase(name, (), None, 0.0, "", why))

    def log(self) -> str:
        """All phases, as JSON."""
        whole = {"format": COMMANDS_FORMAT, "phases": [msgspec.to_builtins(one) for one in self.done]}
        return msgspec.json.format(msgspec.json.encode(whole), indent=1).decode() + "\n"

    def _hear(self, process: "subprocess.Popen[bytes]", wait_s: float | None) -> str:
        watch = threading.Timer(wait_s, process.kill) if wait_s is not None else None
        if watch is not None:
            watch.daemon = True
            watch.start()
        lines: list[str] = []
        for line in process.stdout or ():
            lines.append(line.decode(errors="replace"))
            if self._say is not None:
                self._say(self._clean(lines[-1].rstrip("\r\n")))
        process.wait()
        if watch is not None:
            watch.cancel()
        return "".join(lines)
