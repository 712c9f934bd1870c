"""The operator's MCP adapter: it shakes hands with a gateway, keeps the session alive, and knows when it is over.

Figures are the contract's (`docs/mcp.md`, The adapter): 5 s for a try, 3 tries, 0.5 s between the first two, then twice as long.
The way to the gateway, the clock and the pause between tries are handed in.
"""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

import tenacity

from pytest_spiral.errors import ExchangeError, SessionError
from pytest_spiral.model.exchange import Code, Reply, Request
from pytest_spiral.model.session import CONTEXTS, HEARTBEAT, Identity, Pulse, Session
from pytest_spiral.rules.session import handshake_request, parse_instant, session_of, stamp

TRIES: Final = 3
TIMEOUT_S: Final = 5.0
BACK_OFF_S: Final = 0.5

PASSING: Final = frozenset({Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED})
"""Codes that another try may get past. A refusal stays one, however often it is asked for."""


class Gateway(Protocol):
    """The way to the gateway: any transport to a connector."""

    def exchange(self, request: Request) -> Reply:
        """Make one call; raises ExchangeError."""
        ...


def _passes(error: BaseException) -> bool:
    return isinstance(error, ExchangeError) and error.code in PASSING


def _wait(seconds: float) -> None:
    threading.Event().wait(seconds)


class OperatorMCPAdapter:
    """One connector's side of the protocol. `token` is asked for before each try, so that a rotation is followed.

    A heartbeat whose answer was lost is sent again, as the contract has it, and the gateway may then count it twice.
    """

    def __init__(  # noqa: PLR0913 - what is handed in, by name
        self,
        gateway: Gateway,
        identity: Identity,
        token: Callable[[], str],
        *,
        now: Callable[[], datetime],
        contexts: Sequence[str] = CONTEXTS,
        pause: Callable[[float], None] = _wait,
    ) -> None:
        self._gateway = gateway
        self._identity = identity
        self._token = token
        self._now = now
        self._contexts = tuple(contexts)
        self._pause = pause
        self._session: Session | None = None
        self._due: datetime | None = None

    @property
    def session(self) -> Session | None:
        """The session that is open; None before a handshake, and once its credential has expired."""
        if self._session is None or self._session.is_over(self._now()):
            return None
        return self._session

    @property
    def due(self) -> datetime | None:
        """When the next heartbeat is due; None without a session."""
        return self._due if self.session is not None else None

    def handshake(self) -> Session:
        """Open a session, in the place of any that was open.

        Raises ExchangeError where the gateway refuses or cannot be reached in three tries, and SessionError where
        what it says is no session.
        """
        self._session = self._due = None
        reply = self._call("handshake", handshake_request(self._identity, self._contexts))
        session = session_of(reply.payload, self._identity, self._contexts, self._now())
        self._session, self._due = session, self._now() + HEARTBEAT
        return session

    def heartbeat(self, pulse: Pulse) -> datetime:
        """Send a sign of life in the open session, and give when the next one is due.

        Raises SessionError where none is open, where its context was not accepted, and where the gateway does not say
        back what it was told; ExchangeError as a handshake does. A session that the gateway says is over is forgotten.
        """
        now = self._now()
        session = self._open_session(now)
        if pulse.context not in session.accepted:
            raise SessionError(f"the context {pulse.context!r} was not accepted in this session")
        sent = pulse.payload(stamp(session.expiry), stamp(now))
        try:
            said = self._call("heartbeat", sent).payload
        except ExchangeError as error:
            if error.code == Code.UNAUTHENTICATED:
                self._session = self._due = None
            raise
        told = {key: said.get(key) for key in ("chakra", "cycle_count", "context")}
        if said.get("accepted") is not True or told != {key: sent[key] for key in told}:
            raise SessionError(f"the gateway did not accept the heartbeat that was sent: it says {told}")
        self._due = parse_instant(str(said.get("next_due", "")))
        return self._due

    def _open_session(self, now: datetime) -> Session:
        if self._session is None:
            raise SessionError("there is no session; shake hands first")
        if self._session.is_over(now):
            raise SessionError(f"the session was over at {stamp(self._session.expiry)}; shake hands again")
        return self._session

    def _call(self, operation: str, payload: dict[str, Any]) -> Reply:
        tries = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(TRIES),
            wait=tenacity.wait_exponential(multiplier=BACK_OFF_S),
            retry=tenacity.retry_if_exception(_passes),
            sleep=self._pause,
            reraise=True,
        )
        reply: Reply = tries(self._once, operation, payload)
        return reply

    def _once(self, operation: str, payload: dict[str, Any]) -> Reply:
        metadata = {"authorization": f"Bearer {self._token()}"}
        request = Request(operation=operation, payload=payload, metadata=metadata, deadline_s=TIMEOUT_S)
        return self._gateway.exchange(request)
