"""What the operator surface remembers: a small memory of its own, of the same make as the memory component's."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from spiral_sandbox.connectors.refusal import unreadable
from spiral_sandbox.memory.disturbance import Disturbance
from spiral_sandbox.memory.errors import InvalidRequestError
from spiral_sandbox.memory.fabric import Fabric
from spiral_sandbox.memory.port import NewItem

RESULTS = 5
"""How many results a query has at most."""

_ITEMS = 200
_Result = TypeVar("_Result")


class Recollection:
    """A seeded corpus and every command that was carried out, found again by likeness of words.

    Everything runs on one thread of its own, so that the event loop never waits for the disk.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="recollection")
        self._folder = folder
        self._seed = seed
        self._fabric: Fabric | None = None

    async def query(self, text: str) -> list[dict[str, Any]]:
        """The nearest texts, best first; raises `Refusal` for a text that has no features to search by."""
        try:
            hits = await self._run(lambda: self._opened().search(text, RESULTS))
        except InvalidRequestError as error:
            raise unreadable(str(error)) from error
        return [{"text": hit.text, "score": hit.score} for hit in hits]

    async def remember(self, item: str, text: str) -> bool:
        """Keep a text under an id of its own; False for a text that has no features to be found by."""
        try:
            await self._run(lambda: self._opened().add([NewItem(text, id=item)]))
        except InvalidRequestError:
            return False
        return True

    async def status(self) -> dict[str, int]:
        """How much is kept, and the length of an embedding."""
        found = await self._run(lambda: self._opened().status())
        return {"items": found.items, "dims": found.dims}

    async def close(self) -> None:
        """Let open work end, then close the store."""
        if self._fabric is not None:
            await self._run(self._fabric.close)
        self._worker.shutdown()

    def _opened(self) -> Fabric:
        # Not at the start: embedding the corpus takes longer than starting the servers.
        if self._fabric is None:
            fabric = Fabric(self._folder, self._seed, Disturbance())
            fabric.configure(_ITEMS, 1)
            fabric.initialise()
            self._fabric = fabric
        return self._fabric

    async def _run(self, work: Callable[[], _Result]) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._worker, work)
