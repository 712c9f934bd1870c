"""At most once: calls with the same key share one piece of work and its reply, over whatever transport they come.

Draft of the idea: IETF httpapi, "The Idempotency-Key HTTP Header Field". A key that comes again with another request
is refused; one whose work failed is forgotten, so that the caller may try again.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from spiral_sandbox.connectors.refusal import Code, Refusal

KEPT = 10_000
"""How many keys are kept; the oldest that is done is forgotten first."""

MOST_BYTES = 64 << 20
"""How much their replies may come to, as JSON: callers choose what is said back of an upload."""

Fields = dict[str, Any]
Do = Callable[["Work"], Awaitable[Fields]]


class Work:
    """One piece of work. Until it has `begun`, it is given up together with the last caller that waits for it."""

    def __init__(self, fingerprint: bytes) -> None:
        self.fingerprint = fingerprint
        self.begun = False
        self.waiting = 0
        self.size = 0
        self.task: asyncio.Task[bytes]

    def begin(self) -> None:
        """From now on the work is done to its end, whoever still waits for it."""
        self.begun = True


class Keys:
    """The work of each key, under way or done."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, ...], Work] = OrderedDict()
        self._size = 0

    async def once(self, name: tuple[str, ...] | None, fingerprint: bytes, do: Do) -> tuple[Fields, bool]:
        """The reply of the work under this name, and whether somebody else had asked for it before.

        Without a name the work is the caller's alone. Raises `Refusal` where the name's fingerprint is another one.
        """
        work = None if name is None else self._known.get(name)
        replayed = work is not None
        if work is None:
            work = self._start(name, fingerprint, do)
        elif work.fingerprint != fingerprint:
            raise Refusal(Code.INVALID_ARGUMENT, "idempotency-key", "the idempotency key belongs to another request")
        fields: Fields = msgspec.json.decode(await self._wait(name, work))
        return fields, replayed

    def _start(self, name: tuple[str, ...] | None, fingerprint: bytes, do: Do) -> Work:
        work = Work(fingerprint)
        work.task = asyncio.ensure_future(_reply(do, work))
        work.task.add_done_callback(lambda _: self._ended(name, work))
        if name is not None:
            self._known[name] = work
        return work

    async def _wait(self, name: tuple[str, ...] | None, work: Work) -> bytes:
        work.waiting += 1
        try:
            # The work goes on when its caller does not: half of a command must not be left behind.
            return await asyncio.shield(work.task)
        except asyncio.CancelledError:
            if work.waiting == 1 and not work.begun:
                work.task.cancel()
                self._forget(name, work)  # not when it has ended: whoever comes until then would be given up with it
            raise
        finally:
            work.waiting -= 1

    def _ended(self, name: tuple[str, ...] | None, work: Work) -> None:
        if work.task.cancelled() or work.task.exception() is not None:
            self._forget(name, work)
        elif name is not None and self._known.get(name) is work:
            work.size = len(work.task.result())
            self._size += work.size
            self._trim()

    def _forget(self, name: tuple[str, ...] | None, work: Work) -> None:
        if name is not None and self._known.get(name) is work:
            del self._known[name]
            self._size -= work.size

    def _trim(self) -> None:
        doomed, left, size = [], len(self._known), self._size
        for name, work in self._known.items():
            if left <= KEPT and size <= MOST_BYTES:
                break
            if work.task.done():
                doomed.append((name, work))
                left, size = left - 1, size - work.size
        for name, work in doomed:
            self._forget(name, work)


async def _reply(do: Do, work: Work) -> bytes:
    # As JSON it takes a tenth of the room, and nobody changes what another caller is told.
    return msgspec.json.encode(await do(work))
