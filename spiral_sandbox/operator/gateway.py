"""The handshake with an MCP gateway that commands depend on: without it, nothing is dispatched.

Figures are the contract's: 5 s for a try, 3 tries, 0.5 s between the first two, then twice as long. A sandbox that
was told of no gateway needs none.
"""

import asyncio
from datetime import datetime

import msgspec
import requests

from spiral_sandbox.connectors.clock import VirtualClock, parse_instant
from spiral_sandbox.connectors.refusal import Code, Refusal
from spiral_sandbox.deadline import within

_TRIES = 3
_TIMEOUT_S = 5.0
_BACK_OFF_S = 0.5
_CONTEXTS = ("stage-b-rehearsal", "stage-c-prep")


class Address(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the gateway is, PEM files to reach it with, and as whom to shake hands."""

    address: str
    ca: str
    cert: str
    key: str
    token: str
    connector_id: str = "operator_api"

    def __repr__(self) -> str:
        """Without the token, so that it reaches no log."""
        return f"Address({self.address!r}, connector_id={self.connector_id!r})"


class Gateway:
    """A session with the gateway, opened when it is first needed and again when it has expired."""

    def __init__(self, clock: VirtualClock, version: str) -> None:
        self._clock = clock
        self._version = version
        self._at: Address | None = None
        self._expiry: datetime | None = None
        self._attempt: asyncio.Task[datetime] | None = None

    @property
    def state(self) -> str:
        """`none`, `open` or `closed`."""
        if self._at is None:
            return "none"
        return "open" if self._expiry is not None and self._clock.now() < self._expiry else "closed"

    def connect(self, address: Address | None) -> None:
        """From now on depend on this gateway, or on none; a session that was open is forgotten."""
        self._at, self._expiry, self._attempt = address, None, None

    async def ensure(self) -> None:
        """Have a session; raises `Refusal`, UNAVAILABLE, reason `handshake`, where there is none to be had.

        Whoever comes while it is being tried waits for that, and gets what comes of it.
        """
        if self._at is None or self.state == "open":
            return
        if self._attempt is None or self._attempt.done():
            self._attempt = asyncio.ensure_future(self._shake(self._at))
            self._attempt.add_done_callback(_retrieved)
        attempt = self._attempt
        expiry = await asyncio.shield(attempt)
        if attempt is self._attempt:  # no other gateway was named meanwhile
            self._expiry = expiry

    async def _shake(self, at: Address) -> datetime:
        why = ""
        for number in range(_TRIES):
            if number:
                await asyncio.sleep(_BACK_OFF_S * 2 ** (number - 1))
            try:
                return await asyncio.to_thread(within, _TIMEOUT_S, lambda: self._handshake(at))
            except (requests.RequestException, ValueError, KeyError, TypeError, TimeoutError) as error:
                why = type(error).__name__
        raise Refusal(Code.UNAVAILABLE, "handshake", f"the MCP gateway gave no session in {_TRIES} tries ({why})")

    def _handshake(self, at: Address) -> datetime:
        offered = [{"name": name, "channels": ["rest", "grpc"], "capabilities": []} for name in _CONTEXTS]
        request = {
            "identity": {"connector_id": at.connector_id, "version": self._version, "instance": "sandbox"},
            "supported_contexts": offered,
            "rotation": {"rotation_window": "PT48H", "supports_hot_swap": True},
        }
        with requests.Session() as session:
            session.trust_env = False
            reply = session.post(
                f"{at.address}/handshake", json=request, timeout=_TIMEOUT_S, allow_redirects=False,
                headers={"authorization": f"Bearer {at.token}"}, verify=at.ca, cert=(at.cert, at.key),
            )  # fmt: skip
        reply.raise_for_status()
        said = reply.json()
        if said["authenticated"] is not True:
            raise ValueError("the gateway did not authenticate the handshake")
        return parse_instant(said["session"]["credential_expiry"])


def _retrieved(attempt: "asyncio.Task[datetime]") -> None:
    """Look at what came of an attempt, whose callers may all have gone."""
    if not attempt.cancelled():
        attempt.exception()
