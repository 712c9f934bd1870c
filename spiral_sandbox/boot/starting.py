"""The supervisor's side of the warden: start a process, hear of its end, look for what was left over."""

import asyncio
import contextlib
import json
import sys
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spiral_sandbox.boot.strays import end_strays
from spiral_sandbox.errors import SandboxError


class NotStartedError(SandboxError):
    """A component's command could not be executed."""


class Child:
    """A process that the warden started. `ended` holds its exit status, negative for a signal, once it has ended."""

    def __init__(self, pid: int, ended: "asyncio.Future[int]", warden: "Warden") -> None:
        self.pid = pid
        self.ended = ended
        self._warden = warden

    @property
    def alive(self) -> bool:
        """Whether the system has not yet told of its end."""
        return not self.ended.done()

    def signal(self, number: int) -> None:
        """Send a signal to the process and all that it started in its group."""
        self._warden.send({"signal": self.pid, "number": int(number)})


class Warden:
    """The process that starts components for this one. `mark` is the word by which the system shows what it started."""

    def __init__(self, process: asyncio.subprocess.Process, mark: str) -> None:
        assert process.stdin is not None  # noqa: S101  both are pipes, the types cannot say so
        assert process.stdout is not None  # noqa: S101
        self.mark = mark
        self.pid = process.pid
        self._process = process
        self._to, self._from = process.stdin, process.stdout
        self._count = 0
        self._asked: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._ends: dict[int, asyncio.Future[int]] = {}
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def open(cls, log: Path) -> "Warden":
        """Start a warden, whose own troubles go to `log`."""
        mark = uuid.uuid4().hex
        pipe = asyncio.subprocess.PIPE
        command = (sys.executable, "-P", "-m", "spiral_sandbox.boot.warden", mark)
        with log.open("ab") as errors:
            # A session of its own: what a terminal sends is for the supervisor, which then ends its components.
            process = await asyncio.create_subprocess_exec(
                *command, stdin=pipe, stdout=pipe, stderr=errors, start_new_session=True
            )
        return cls(process, mark)

    async def start(self, argv: Sequence[str], environment: Mapping[str, str], log: Path) -> Child:
        """Start a command with exactly this environment; raises NotStartedError where it cannot be executed."""
        news = await self._ask({"start": 0, "argv": list(argv), "env": dict(environment), "log": str(log)}, "start")
        if "refused" in news:
            raise NotStartedError(f"{news['why']}")
        return Child(news["pid"], news["end"], self)

    async def sweep(self, word: str) -> list[int]:
        """Kill whatever still carries the word in its environment, and say what there was."""
        found: list[int] = (await self._ask({"sweep": 0, "word": word}, "sweep"))["pids"]
        return found

    async def close(self) -> None:
        """Let go of the warden, which then kills what is left; returns when it has."""
        self._to.close()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it is gone already
            await self._to.wait_closed()
        await self._listening
        await self._process.wait()

    def send(self, request: dict[str, Any]) -> None:
        """Write one request."""
        self._to.write(json.dumps(request, separators=(",", ":")).encode() + b"\n")

    async def _ask(self, request: dict[str, Any], key: str) -> dict[str, Any]:
        if self._listening.done():
            raise SandboxError("The boot's warden is gone, so nothing can be started any more.")
        self._count += 1
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._asked[self._count] = answer
        self.send({**request, key: self._count})
        return await answer

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        async for line in self._from:
            news = json.loads(line)
            if "ended" in news:
                self._settle(self._ends.pop(news["ended"], None), news["status"])
                continue
            if "pid" in news:  # here and not in `start`: its end may be the very next line
                news["end"] = self._ends[news["pid"]] = loop.create_future()
            number = news.get("started") or news.get("refused") or news.get("swept")
            self._settle(self._asked.pop(number, None), news)
        await asyncio.to_thread(end_strays, f"SPIRAL_WARDEN={self.mark}")  # nothing, unless the warden was killed
        for waiting in self._asked.values():
            if not waiting.done():
                waiting.set_exception(SandboxError("The boot's warden is gone."))
        for end in self._ends.values():  # the kernel has killed them with it
            self._settle(end, -9)

    @staticmethod
    def _settle(future: "asyncio.Future[Any] | None", value: Any) -> None:
        if future is not None and not future.done():
            future.set_result(value)
