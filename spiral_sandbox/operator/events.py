"""Events of commands, told to everybody who listens now."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_WAITING = 1000


class Hub:
    """Passes events on; a listener that falls too far behind is told so by the end of its queue (None)."""

    def __init__(self) -> None:
        self._listeners: set[asyncio.Queue[dict[str, Any] | None]] = set()

    def tell(self, event: str, command: str, command_id: str, percent: int) -> None:
        """Tell all listeners of one step of a command."""
        message = {"event": event, "command": command, "command_id": command_id, "percent": percent}
        for listener in list(self._listeners):
            self._put(listener, message)

    def close(self) -> None:
        """Tell all listeners that there will be nothing more."""
        for listener in list(self._listeners):
            self._put(listener, None)

    @contextmanager
    def listening(self) -> Iterator["asyncio.Queue[dict[str, Any] | None]"]:
        """A queue of the events that are told in the block."""
        queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue(_WAITING)
        self._listeners.add(queue)
        try:
            yield queue
        finally:
            self._listeners.discard(queue)

    def _put(self, listener: "asyncio.Queue[dict[str, Any] | None]", message: dict[str, Any] | None) -> None:
        if listener.full():
            self._listeners.discard(listener)
            while not listener.empty():
                listener.get_nowait()
            message = None
        listener.put_nowait(message)
