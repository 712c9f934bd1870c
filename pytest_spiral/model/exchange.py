"""One call over one transport: request, reply, and how it went."""

from enum import StrEnum
from typing import Any, Literal

from pytest_spiral.model.base import Value


class Code(StrEnum):
    """Our status codes: the few that both REST and gRPC can say (`docs/transports.md`, Codes, maps them)."""

    OK = "ok"
    INVALID_ARGUMENT = "invalid-argument"
    UNAUTHENTICATED = "unauthenticated"
    PERMISSION_DENIED = "permission-denied"
    NOT_FOUND = "not-found"
    CONFLICT = "conflict"
    RESOURCE_EXHAUSTED = "resource-exhausted"
    UNIMPLEMENTED = "unimplemented"
    INTERNAL = "internal"
    UNAVAILABLE = "unavailable"
    DEADLINE_EXCEEDED = "deadline-exceeded"
    CANCELLED = "cancelled"
    MALFORMED_REPLY = "malformed-reply"


class Request(Value, frozen=True, kw_only=True):
    """What is asked: an operation of the contract, its payload as JSON values, metadata, a deadline in seconds."""

    operation: str
    payload: dict[str, Any] = {}
    metadata: dict[str, str] = {}
    deadline_s: float = 5.0

    def __post_init__(self) -> None:
        if not 0 < self.deadline_s < float("inf"):
            raise ValueError(f"a deadline is a positive number of seconds, not {self.deadline_s!r}")


class Reply(Value, frozen=True, kw_only=True):
    """What came back: payload as JSON values, header and trailing metadata, the status as the wire said it."""

    code: Code
    payload: dict[str, Any] = {}
    metadata: dict[str, str] = {}
    wire_status: str = ""


class Exchange(Value, frozen=True, kw_only=True):
    """A whole exchange as a trace keeps it: times are monotonic nanoseconds, secrets are taken out before."""

    id: str
    transport: str
    address: str
    request: Request
    reply: Reply | None
    sent_ns: int
    done_ns: int
    error: str = ""


class Engaged(Value, frozen=True, kw_only=True):
    """A call that fell back from gRPC to REST: when (monotonic ns), which, and how gRPC had failed.

    `request` is the id of the call; the ones over gRPC and REST have it with `-grpc` and `-rest`. `answered` says that the
    failure was an answer, and not its absence.
    """

    at_ns: int
    operation: str
    request: str
    code: Code
    reason: str
    answered: bool
    event: Literal["fallback-engaged"] = "fallback-engaged"


class FallbackCounter(Value, frozen=True, kw_only=True):
    """How often calls fell back from a transport, by operation; `name` is the contract's metric."""

    by_operation: dict[str, int]
    transport: Literal["grpc"] = "grpc"
    name: Literal["operator_api_transport_fallback_total"] = "operator_api_transport_fallback_total"


class FallbackDocument(Value, frozen=True, kw_only=True):
    """`fallbacks.json`: the first calls of a service that fell back, and how many there were."""

    service: str
    events: tuple[Engaged, ...]
    counter: FallbackCounter
    format: Literal["spiral-fallbacks/1"] = "spiral-fallbacks/1"
