"""What the operator surface remembers: a small memory of its own, of the same make as the memory component's."""

import asyncio
import logging
from collections import deque
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
_log = logging.getLogger(__name__)
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
        self._coming: deque[NewItem] = deque()

    async def query(self, text: str) -> list[dict[str, Any]]:
        """The nearest texts, best first; raises `Refusal` for a text that has no features to search by."""
        try:
            hits = await self._run(lambda: self._opened().search(text, RESULTS))
        except InvalidRequestError as error:
            raise unreadable(str(error)) from error
        return [{"text": hit.text, "score": hit.score} for hit in hits]

    def remember(self, item: str, text: str) -> None:
        """Keep a text under an id of its own; every query that is asked from now on can find it.

        Nobody waits for that: work is done in the order in which it comes. What could not be kept is in the log.
        """
        self._coming.append(NewItem(text, id=item))
        self._worker.submit(self._keep_coming)

    async def status(self) -> dict[str, int]:
        """How much is kept, and the length of an embedding."""
        found = await self._run(lambda: self._opened().status())
        return {"items": found.items, "dims": found.dims}

    async def close(self) -> None:
        """Let open work end, then close the store."""
        await self._run(self._close)
        self._worker.shutdown()

    def _close(self) -> None:
        if self._fabric is not None:
            self._fabric.close()

    def _keep_coming(self) -> None:
        # All that has come by now at once: a transaction costs more than the items in it.
        items = [self._coming.popleft() for _ in range(len(self._coming))]
        if items and not self._kept(items):
            for item in items:
                self._kept([item])

    def _kept(self, items: list[NewItem]) -> bool:
        try:
            self._opened().add(items)
        except Exception as error:  # noqa: BLE001  nobody waits here, and what was carried out stays carried out
            _log.warning("not remembered: %s (%s)", ", ".join(str(item.id) for item in items), error)
            return False
        return True

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
