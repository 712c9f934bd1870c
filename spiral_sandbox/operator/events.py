"""Events of commands, told to everybody who listens now."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_WAITING = 1000

GOING_AWAY = 1001
"""The server stops (RFC 6455, section 7.4.1)."""

TOO_SLOW = 1013
"""Come again later (IANA's registry of WebSocket close codes): the listener has fallen too far behind."""

Queue = asyncio.Queue[dict[str, Any] | int]
"""Events, and at the end the code with which to close."""


class Hub:
    """Passes events on; a listener that falls too far behind is let go."""

    def __init__(self) -> None:
        self._listeners: set[Queue] = set()

    def tell(self, event: str, command: str, command_id: str, percent: int) -> None:
        """Tell all listeners of one step of a command."""
        message = {"event": event, "command": command, "command_id": command_id, "percent": percent}
        for listener in list(self._listeners):
            if listener.full():
                self._let_go(listener, TOO_SLOW)
            else:
                listener.put_nowait(message)

    def close(self) -> None:
        """Let all listeners go."""
        for listener in list(self._listeners):
            self._let_go(listener, GOING_AWAY)

    @contextmanager
    def listening(self) -> Iterator[Queue]:
        """A queue of the events that are told in the block."""
        queue: Queue = asyncio.Queue(_WAITING)
        self._listeners.add(queue)
        try:
            yield queue
        finally:
            self._listeners.discard(queue)

    def _let_go(self, listener: Queue, code: int) -> None:
        self._listeners.discard(listener)
        while not listener.empty():
            listener.get_nowait()
        listener.put_nowait(code)
