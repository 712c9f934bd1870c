"""The desk between the event loop and the memory: checks requests and hands them to worker threads."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from spiral_sandbox.memory.audit import AuditRow
from spiral_sandbox.memory.port import Hit, Memory, Status, StoredItem
from spiral_sandbox.memory.requests import (
    Add,
    AuditPage,
    Configure,
    ItemPage,
    Search,
    checked_items,
    checked_search,
)
from spiral_sandbox.memory.telemetry import Telemetry

# SQLite works outside the interpreter's lock, so two searches at a time fill two cores. The pool is wider
# because a search that is held back must hold up its own worker only: 125 searches a second of 200 ms each
# occupy 25. Threads are made when they are needed.
_SEARCHERS = 32

_Result = TypeVar("_Result")


class Desk:
    """The memory's methods, awaitable: searches in a pool of their own, everything else in another."""

    def __init__(self, memory: Memory, telemetry: Telemetry) -> None:
        self._memory = memory
        self._telemetry = telemetry
        self._searchers = ThreadPoolExecutor(_SEARCHERS, thread_name_prefix="search")
        self._others = ThreadPoolExecutor(2, thread_name_prefix="memory")

    async def search(self, search: Search) -> list[Hit]:
        """The hits of a search; raises InvalidRequestError or TooLargeError."""
        with self._telemetry.observed("search"):
            checked = checked_search(search)
            return await _run(self._searchers, lambda: self._memory.search(checked.text, checked.top_n))

    async def add(self, add: Add) -> int:
        """How many items are stored after these; raises InvalidRequestError or TooLargeError."""
        items = checked_items(add)
        stored = await _run(self._others, lambda: self._memory.add(items))
        self._telemetry.stored(stored)
        return stored

    async def initialise(self) -> str:
        """What is stored once the corpus is loaded."""
        with self._telemetry.observed("init"):
            said = await _run(self._others, self._memory.initialise)
        self._telemetry.stored((await self.status()).items)
        return said

    async def configure(self, configure: Configure) -> Status:
        """The status after the operator's choice; raises InvalidRequestError."""
        chosen = (configure.items, configure.shards, configure.index, configure.embedding)
        await _run(self._others, lambda: self._memory.configure(*chosen))
        return await self.status()

    async def status(self) -> Status:
        """How much is stored, and how."""
        return await _run(self._others, self._memory.status)

    async def audit(self, page: AuditPage) -> list[AuditRow]:
        """A page of the audit chain."""
        return await _run(self._others, lambda: self._memory.audit(page.after, page.limit))

    async def items(self, page: ItemPage) -> list[StoredItem]:
        """A page of the stored items."""
        return await _run(self._others, lambda: self._memory.items(page.after, page.limit))

    async def close(self) -> None:
        """Let open work end, then close the memory."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._searchers.shutdown()
        self._others.shutdown()
        self._memory.close()


async def _run(pool: ThreadPoolExecutor, work: Callable[[], _Result]) -> _Result:
    return await asyncio.get_running_loop().run_in_executor(pool, work)
