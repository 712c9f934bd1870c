"""How long a REST server waits for its client. uvicorn hangs up on one that is idle between two requests, and on no other.

A client is waited for while it has not begun its first request, while a request of it has not come whole, and while
it does not take its answer. Calls that are being carried out are not timed here.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

PATIENCE_S = 30.0
"""Seconds that a client may take to send a whole request, and to take in what is more of an answer than sockets hold."""

# A TLS connection waits for its client's goodbye, and so does a reply that is not taken.
_GOODBYE_S = 0.5
_COMING = (h11.IDLE, h11.SEND_BODY)
_TOO_LATE = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class _Limit:
    """A time that runs from `begin` until `end`; when it is over, `act` is called."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float, act: Callable[[], None]) -> None:
        self._loop, self._seconds, self._act = loop, seconds, act
        self._running: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Let it run, unless it runs already."""
        if self._running is None:
            self._running = self._loop.call_later(self._seconds, self._act)

    def end(self) -> None:
        """Let it run no more."""
        if self._running is not None:
            self._running.cancel()
            self._running = None


class PatientProtocol(H11Protocol):
    """uvicorn's HTTP protocol, which ends the connection of a client that is waited for longer than `patience_s`.

    Half a head is answered with 408 (RFC 9110, section 15.5.9). Otherwise the connection is cut: where a body stays
    away, the application hears that its client has gone.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        patience_s: float = PATIENCE_S,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._request = _Limit(self.loop, patience_s, self._give_up)
        self._taking = _Limit(self.loop, patience_s, self._cut)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Wait for the first request."""
        super().connection_made(transport)
        self._request.begin()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing."""
        self._request.end()
        self._taking.end()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take in bytes. A whole request ends the wait, and so does an upgrade, after which another protocol is here."""
        super().data_received(data)
        coming = self.conn.their_state in _COMING and self.transport.get_protocol() is self
        if not coming or self._between_requests():
            self._request.end()
        if coming:
            self._request.begin()

    def pause_writing(self) -> None:
        """Wait for the client to take what was sent."""
        super().pause_writing()
        self._taking.begin()

    def resume_writing(self) -> None:
        """It is taking it."""
        super().resume_writing()
        self._taking.end()

    def _between_requests(self) -> bool:
        return self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]

    def _give_up(self) -> None:
        if self.conn.their_state is h11.IDLE and not self._between_requests():
            self.transport.write(_TOO_LATE)
            self.transport.close()
            self.loop.call_later(_GOODBYE_S, self._cut)
        else:
            self._cut()

    def _cut(self) -> None:
        self.transport.abort()
