"""What the drills of Stages C and E and of G1 share: the connectors as an MCP gateway, with fresh credentials and windows."""

import contextlib
import math
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from pytest_spiral.adapters.operator_mcp import OperatorMCPAdapter
from pytest_spiral.errors import ExchangeError, NotOfferedError, SessionError
from pytest_spiral.model.exchange import Code, Exchange, Request
from pytest_spiral.model.session import CONTEXTS, EXPIRY, Identity, Pulse
from pytest_spiral.rules.session import handshake_request, parse_instant, stamp
from pytest_spiral.run import clock

SERVICES = ("operator_api", "operator_upload", "crown_handshake")
KINDS = ("rest", "grpc")
HOURS_48 = 48 * 3600


class Gateway:
    """The connectors: their clock, their credentials, adapters to them, and single calls."""

    services = SERVICES
    kinds = KINDS

    def __init__(self, connectors: Any) -> None:
        self.ask = connectors.ask
        self._connectors = connectors

    def need_rig(self) -> None:
        """Have the test blocked, before it measures anything, where nobody can move the clock and rotate."""
        self.ask("clock.now")

    def now(self) -> Any:
        """The target's own time: that of its rig, or where it has none, as a live one, the real time."""
        try:
            return parse_instant(self.ask("clock.now")["now"])
        except NotOfferedError:
            return clock.instant(clock.wall_us()).replace(microsecond=0)

    def advance(self, seconds: float) -> None:
        """Let time pass: a virtual clock moves only when told."""
        self.ask("clock.advance", seconds=math.ceil(seconds))

    def rotate(self) -> None:
        """A new rotation window and a new credential for each service, when those of before have ended."""
        self.advance(HOURS_48)
        for service in SERVICES:
            self.ask("rotate", service=service)

    def token(self, service: str) -> str:
        """The service's current credential."""
        return str(self.ask("credential", service=service)["token"])

    def adapter(self, service: str, kind: str, **options: Any) -> OperatorMCPAdapter:
        """The operator's adapter to one connector over one transport, on the target's clock."""
        return OperatorMCPAdapter(
            self._connectors.transport(kind, service),
            options.pop("identity", Identity(service, "1.0.0", "acceptance")),
            lambda: self.token(service),
            now=options.pop("now", self.now),
            pause=self.advance,
            **options,
        )

    def traced(self, kind: str, service: str, operation: str, payload: dict[str, Any], token: str = "") -> Exchange:
        """One call, good or bad, as it is recorded."""
        metadata = {"authorization": f"Bearer {token or self.token(service)}"}
        request = Request(operation=operation, payload=payload, metadata=metadata, deadline_s=10.0)
        exchange: Exchange = self._connectors.transport(kind, service).traced(request)
        return exchange

    def handshake_payload(self, service: str, claimed: str = "") -> dict[str, Any]:
        """What a handshake asks for, in the name of the service or of another."""
        return handshake_request(Identity(claimed or service, "1.0.0", "acceptance"), CONTEXTS)

    def heartbeat_payload(self, expiry: str) -> dict[str, Any]:
        """A heartbeat in a session that ends then."""
        return Pulse("heart", 0, CONTEXTS[0]).payload(expiry, stamp(self.now()))

    def beats(self) -> list[dict[str, Any]]:
        """Every heartbeat that the gateway has counted."""
        found: list[dict[str, Any]] = []
        while page := self.ask("heartbeat.log", after=found[-1]["number"] if found else 0)["beats"]:
            found += page
        return found

    def counted(self) -> dict[str, int]:
        """How many heartbeats the gateway has counted, by its own log; nothing where it has none to show."""
        try:
            return {"heartbeats": self.ask("heartbeat.log", limit=0)["total"]}
        except NotOfferedError:
            return {}

    def granted(self, service: str) -> str:
        """When the session ends that a handshake opens now; an empty text where none is opened."""
        said = self.traced("rest", service, "handshake", self.handshake_payload(service))
        session = (said.reply.payload if said.reply else {}).get("session", {})
        return str(session.get("credential_expiry", ""))

    def known(self, service: str) -> dict[str, tuple[str, ...]]:
        """What generated questions to a connector may say that it knows, by the names of fields."""
        return {
            "service": (service,),
            "connector_id": (service,),
            "name": CONTEXTS,
            "context": CONTEXTS,
            "credential_expiry": tuple(filter(None, [self.granted(service)])),
        }

    def questions(self, service: str) -> tuple[tuple[str, str, dict[str, Any], str, Code], ...]:
        """What a connector is asked: a name, operation, payload, credential (empty: its own), and the code expected."""
        expiry = self.granted(service)
        hello, stranger = self.handshake_payload(service), self.handshake_payload(service, self.other_than(service))
        made_up = stamp(self.now() + EXPIRY / 2)
        return (
            ("health", "health", {"service": service}, "", Code.OK),
            ("handshake", "handshake", hello, "", Code.OK),
            ("heartbeat", "heartbeat", self.heartbeat_payload(expiry), "", Code.OK),
            ("wrong credential", "handshake", hello, f"never-issued-{uuid.uuid4().hex}", Code.UNAUTHENTICATED),
            ("wrong identity", "handshake", stranger, "", Code.PERMISSION_DENIED),
            ("no session", "heartbeat", self.heartbeat_payload(made_up), "", Code.UNAUTHENTICATED),
        )

    def asked(self, service: str, question: tuple[Any, ...]) -> tuple[tuple[Exchange, ...], tuple[dict[str, int], ...]]:
        """One question over both transports: the exchanges, and how many heartbeats each has added to those counted."""
        sides, effects = [], []
        for kind in KINDS:
            before = self.counted()
            sides.append(self.traced(kind, service, *question))
            effects.append({key: count - before[key] for key, count in self.counted().items()})
        return tuple(sides), tuple(effects)

    @staticmethod
    def other_than(service: str) -> str:
        """Another connector than the given one."""
        return next(one for one in SERVICES if one != service)

    @staticmethod
    def said(exchange: Exchange) -> str:
        """The code that a recorded call ended with."""
        return str(exchange.reply.code) if exchange.reply else "no reply"

    @staticmethod
    def attempt(call: Callable[..., Any], *arguments: Any) -> tuple[Any, str]:
        """What a call gives, and an empty text; or None and why not, where the gateway or the adapter refuses."""
        try:
            return call(*arguments), ""
        except ExchangeError as error:
            return None, str(error.code)
        except SessionError as error:
            return None, str(error)


@pytest.fixture
def gateway_of() -> Any:
    """Takes a target's connectors and gives them as a gateway, freshly rotated where it has a rig to do it."""

    def fresh(connectors: Any) -> Gateway:
        gateway = Gateway(connectors)
        with contextlib.suppress(NotOfferedError):  # a live target's credentials are its operator's to rotate
            gateway.rotate()
        return gateway

    return fresh


@pytest.fixture
def gateway(spiral: Any, gateway_of: Any) -> Gateway:
    """The gateway under test."""
    return gateway_of(spiral.target.connectors)  # type: ignore[no-any-return]
