"""One connector's operations, behind both of its surfaces: who may call, what is asked, what is answered."""

import logging
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import perf_counter
from typing import Any, TypeVar

import msgspec

from spiral_sandbox.connectors.clock import VirtualClock, parse_instant, stamp
from spiral_sandbox.connectors.conduct import Conduct
from spiral_sandbox.connectors.credentials import Credential, Flaw, Register
from spiral_sandbox.connectors.heartbeats import Beat, Heartbeats
from spiral_sandbox.connectors.messages import HandshakeRequest, HealthQuery, HeartbeatRequest, SupportedContext
from spiral_sandbox.connectors.refusal import Code, Refusal, unreadable
from spiral_sandbox.connectors.rotation import DURATION, RotationLedger
from spiral_sandbox.connectors.served import Served, ServedLog
from spiral_sandbox.connectors.sessions import Session, Sessions

VERSION = "0.1.0"
LARGEST_BODY = 1 << 20
"""Bytes of a request, as JSON or as protobuf, that are still taken."""

HEARTBEAT = timedelta(seconds=30)
"""How often a heartbeat is due."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)
_log = logging.getLogger(__name__)
_Message = TypeVar("_Message")

DETAILS = {
    Flaw.MISSING: "no credential was shown",
    Flaw.MALFORMED: "the credential is not one Bearer token",
    Flaw.UNKNOWN: "the credential was never issued",
    Flaw.EXPIRED: "the credential has expired",
    Flaw.ROTATED_OUT: "the credential was rotated out and its overlap has passed",
    Flaw.OTHER_SERVICE: "the credential belongs to another service",
}


@dataclass(frozen=True, slots=True)
class Call:
    """A call as a surface took it in.

    `authorization` and `request_ids` hold every value that was sent under that name; `size` is the length of the
    request in bytes; `read` gives its fields as plain values, or raises `Refusal`; `began` is monotonic seconds.
    """

    operation: str
    transport: str
    authorization: Sequence[str] = field(repr=False)
    request_ids: Sequence[str]
    size: int
    read: Callable[[], Any]
    began: float = field(default_factory=perf_counter)


@dataclass(frozen=True, slots=True)
class PromotedContext:
    """A context that the connectors accept: since when, and where its record is."""

    name: str
    promoted_at: datetime
    evidence_path: str


@dataclass(frozen=True, slots=True)
class Shared:
    """What the connectors of a process have in common."""

    clock: VirtualClock
    register: Register
    ledger: RotationLedger
    served: ServedLog
    heartbeats: Heartbeats
    conduct: Conduct
    contexts: Sequence[PromotedContext]


@dataclass(frozen=True, slots=True)
class Pulse:
    """The newest heartbeat of a connector, and how many there were."""

    count: int
    chakra: str
    cycle_count: int
    context: str
    received_at: datetime


class Connector:
    """One connector. `answer` runs without a break on the event loop: no rotation can fall into a call."""

    def __init__(self, name: str, shared: Shared) -> None:
        self.name = name
        self.pulse: Pulse | None = None
        self.drained = False
        self.emits_latency = True
        self._shared = shared
        self._sessions = Sessions()
        self._operations: dict[str, Callable[[Call, Credential], dict[str, Any]]] = {
            "health": self._health,
            "handshake": self._handshake,
            "heartbeat": self._heartbeat,
        }

    def answer(self, call: Call) -> dict[str, Any]:
        """Answer a call with a reply of plain JSON values, and write it down; raises `Refusal`."""
        code, executed = Code.INTERNAL, False
        try:
            credential = self._admit(call)
            reply = self._operations[call.operation](call, credential)
            code, executed = Code.OK, True
        except Refusal as refusal:
            code = refusal.code
            raise
        except Exception as error:
            _log.exception("%s could not answer %s", self.name, call.operation)
            raise Refusal(Code.INTERNAL, "internal", "the call could not be answered") from error
        finally:
            request_id = request_id_of(call.request_ids)
            self._shared.served.add(Served(self.name, call.operation, call.transport, code, request_id, executed))
        return reply

    def metrics(self) -> bytes:
        """What Prometheus is told of the heartbeats of all connectors of this process."""
        return self._shared.heartbeats.exposition()

    def _admit(self, call: Call) -> Credential:
        """Everything that is checked before a request is read; raises `Refusal`."""
        if self.drained:
            raise Refusal(Code.UNAVAILABLE, "drained", f"{self.name} was taken out of service")
        if refusal := self._shared.conduct.refusal(self.name):
            raise refusal
        credential = self._authenticate(call.authorization)
        if call.request_ids and request_id_of(call.request_ids) is None:
            raise Refusal(Code.INVALID_ARGUMENT, "request-id", "x-request-id is not one word of 1 to 128 characters")
        if call.size > LARGEST_BODY:
            raise Refusal(Code.RESOURCE_EXHAUSTED, "too-large", f"a request is at most {LARGEST_BODY} bytes")
        return credential

    def _authenticate(self, authorization: Sequence[str]) -> Credential:
        shared = self._shared
        found = shared.register.verify(self.name, authorization, shared.clock.now())
        admission = shared.conduct.admission(found, shared.register.current(self.name))
        if isinstance(admission, Credential):
            return admission
        code = Code.PERMISSION_DENIED if admission is Flaw.OTHER_SERVICE else Code.UNAUTHENTICATED
        raise Refusal(code, admission, DETAILS[admission])

    def _health(self, call: Call, _: Credential) -> dict[str, Any]:
        query = _decoded(call, HealthQuery)
        if query.service not in ("", self.name):
            raise Refusal(Code.NOT_FOUND, "unknown-service", "this server is not the service that is asked for")
        return {"status": "healthy", "component": self.name, "version": VERSION}

    def _handshake(self, call: Call, credential: Credential) -> dict[str, Any]:
        request = _decoded(call, HandshakeRequest)
        if not self._shared.conduct.is_identity(request.identity.connector_id, self.name):
            raise Refusal(
                Code.PERMISSION_DENIED,
                "identity-mismatch",
                f"the credential belongs to {self.name}, not to the identity",
            )
        contexts = [self._context(offered) for offered in request.supported_contexts]
        accepted = tuple(one["name"] for one in contexts if one["status"] == "accepted")
        now = self._shared.clock.now()
        session = Session(secrets.token_hex(16), credential.digest, now, credential.ends_at, accepted)
        self._sessions.open(session)
        self._shared.heartbeats.opened(self.name, session.expiry)
        reply = {
            "authenticated": True,
            "session": {
                "id": session.id,
                "issued_at": stamp(session.issued_at),
                "credential_expiry": stamp(session.expiry),
            },
            "accepted_contexts": contexts,
            "rotation": self._rotation(),
        }
        return self._shared.conduct.handshake(self.name, call.transport, reply)

    def _context(self, offered: SupportedContext) -> dict[str, str]:
        for known in self._shared.contexts:
            if self._shared.conduct.is_context(offered.name, known.name):
                promoted_at = stamp(known.promoted_at)
                return _context_answer(offered.name, "accepted", promoted_at, known.evidence_path)
        return _context_answer(offered.name, "refused", "", "")

    def _rotation(self) -> dict[str, str]:
        newest = self._shared.ledger.newest(self.name)
        rotated = [w.rotated_at for w in self._shared.ledger.windows(self.name) if w.rotated_at]
        return {
            "connector_id": self.name,
            "last_rotated": stamp(rotated[-1]) if rotated else "",
            "rotation_window": DURATION,
            "window_id": newest.window_id if newest else "",
        }

    def _heartbeat(self, call: Call, credential: Credential) -> dict[str, Any]:
        beat = _decoded(call, HeartbeatRequest)
        now = self._shared.clock.now()
        session = self._session_of(beat, credential, now)
        reply = {
            "accepted": True,
            "chakra": beat.chakra,
            "cycle_count": beat.cycle_count,
            "context": beat.context,
            "received_at": stamp(now),
            "next_due": stamp(now + HEARTBEAT),
        }
        if self._shared.conduct.hears_heartbeat():
            count = self.pulse.count + 1 if self.pulse else 1
            self.pulse = Pulse(count, beat.chakra, beat.cycle_count, beat.context, now)
            self._shared.heartbeats.heard(self._beat(call, beat, session, now))
        return reply

    def _session_of(self, beat: HeartbeatRequest, credential: Credential, now: datetime) -> str:
        """The id of the session that a heartbeat belongs to; raises `Refusal`.

        A heartbeat names its session by when that ends. It is held against the sessions that its own credential has
        opened here: who makes an expiry up has none.
        """
        expiry = parse_instant(beat.credential_expiry)
        if expiry <= now:
            if self._shared.conduct.ends_sessions():
                raise Refusal(Code.UNAUTHENTICATED, Flaw.EXPIRED, "the session's credential has expired")
            return ""
        found = self._sessions.find(credential, expiry)
        if not found:
            raise Refusal(Code.UNAUTHENTICATED, "no-session", "this credential has opened no session that ends then")
        for session in found:
            if beat.context in session.contexts:
                return session.id
        raise Refusal(Code.INVALID_ARGUMENT, "context", "the heartbeat's context was not accepted")

    def _beat(self, call: Call, beat: HeartbeatRequest, session: str, now: datetime) -> Beat:
        latency = perf_counter() - call.began
        return Beat(
            connector=self.name,
            transport=call.transport,
            session=session,
            chakra=beat.chakra,
            cycle_count=beat.cycle_count,
            context=beat.context,
            emitted_at=parse_instant(beat.emitted_at),
            received_at=now,
            latency_s=latency if self.emits_latency and self._shared.conduct.times_heartbeats() else None,
        )


def request_id_of(values: Sequence[str]) -> str | None:
    """The one well-formed request id among what was sent, or None."""
    return values[0] if len(values) == 1 and _REQUEST_ID.fullmatch(values[0]) else None


def _decoded(call: Call, kind: type[_Message]) -> _Message:
    try:
        return msgspec.convert(call.read(), type=kind)
    except msgspec.ValidationError as error:
        raise unreadable(str(error)) from error


def _context_answer(name: str, status: str, promoted_at: str, evidence_path: str) -> dict[str, str]:
    return {"name": name, "status": status, "promoted_at": promoted_at, "evidence_path": evidence_path}
