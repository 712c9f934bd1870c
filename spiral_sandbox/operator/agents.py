"""Agents: each carries out one command at a time and keeps a log of its own, which the reply is read from."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Agent:
    """One agent. Its log is a file with one JSON line a command, written before the command counts as done."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.done = 0
        self.waiting = 0
        self._log = folder / f"{name}.jsonl"
        self._turn = asyncio.Lock()

    async def carry_out(self, command_id: str, command: str, begin: Callable[[], None]) -> str:
        """Wait for the agent's turn, call `begin`, carry the command out; gives it as the log has it.

        From `begin` on nothing is awaited: a command is carried out whole or not at all.
        """
        self.waiting += 1
        try:
            async with self._turn:
                begin()
                return self._logged(command_id, command)
        finally:
            self.waiting -= 1

    def _logged(self, command_id: str, command: str) -> str:
        with self._log.open("a+b") as log:
            at = log.seek(0, 2)
            log.write(json.dumps({"command_id": command_id, "command": command}).encode() + b"\n")
            log.flush()
            log.seek(at)
            taken: str = json.loads(log.readline())["command"]
        self.done += 1
        return taken

    async def hold(self) -> None:
        """Keep the agent busy until `release`; raises RuntimeError if it is held already."""
        if self._turn.locked():
            raise RuntimeError(f"{self.name} is busy already")
        await self._turn.acquire()

    def release(self) -> None:
        """Let the agent go on; raises RuntimeError if nobody holds it."""
        self._turn.release()

    def state(self) -> dict[str, Any]:
        """What the rig may see of it."""
        return {"name": self.name, "done": self.done, "busy": self._turn.locked(), "waiting": self.waiting}
