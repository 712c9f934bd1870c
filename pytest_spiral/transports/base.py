"""The port: what every transport offers, what it is opened with, and what it makes of a request before sending."""

import re
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Literal, Protocol, Self, runtime_checkable

import msgspec

from pytest_spiral.errors import ExchangeError, UseError
from pytest_spiral.model.base import Value
from pytest_spiral.model.exchange import Code, Reply, Request

REQUEST_ID = "x-request-id"
"""The metadata key that tells one call from all others, on both sides."""

MOST_BYTES = 64 * 1024 * 1024
"""Bytes of one reply that a transport takes; a longer reply is RESOURCE_EXHAUSTED on every transport alike."""

LONGEST_S = 86_400.0
"""Seconds that the longest deadline has; a request that allows more gets this."""

EXCHANGED_AFTER_S = (0.005, 0.02, 0.1)
"""Seconds after which a certificate and a key that do not belong together are looked at again.

They are two files: while they are exchanged, one of them is new before the other.
"""

_KEY = re.compile(r"[a-z0-9_.-]+")
_TEXT = re.compile(r"[\x20-\x7e]*")
# These belong to the protocol below: a caller who could set them could make two transports send different things.
_FRAMING = frozenset(
    {"connection", "content-encoding", "content-length", "content-type", "host", "te", "transfer-encoding"}
)


@runtime_checkable
class Transport(Protocol):
    """One way to reach one endpoint. May be used by several threads at once; close it, or use it in `with`."""

    name: str
    """`rest`, `grpc`, `memory`, `replay` or `fallback`."""

    address: str
    """Where it leads to, as the endpoint says it."""

    def exchange(self, request: Request) -> Reply:
        """Send a request and wait for its reply, at most `request.deadline_s` seconds in all. Never retries.

        Raises ExchangeError and nothing else; where the other side answered, and with an error, an AnsweredError.
        """
        ...

    def close(self) -> None:
        """Close connections; calls that are under way end as CANCELLED, and so do later ones. May be called twice."""
        ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AnsweredError(ExchangeError):
    """The other side answered, and the answer is an error; `reply` is what it said."""

    def __init__(self, sentence: str, reply: Reply) -> None:
        super().__init__(reply.code, sentence)
        self.reply = reply


class Endpoint(Value, frozen=True):
    """Where a transport leads to, and the PEM files for TLS; an empty path means that there is none.

    `codec` is what gRPC carries where the contract calls an operation loose: messages, or JSON bytes as the real
    system does.
    """

    address: Annotated[str, msgspec.Meta(min_length=1)]
    ca: str = ""
    cert: str = ""
    key: str = ""
    codec: Literal["protobuf", "json"] = "protobuf"

    @classmethod
    def of(cls, mapping: Mapping[str, Any]) -> Self:
        """Read an endpoint as a target states it.

        Raises UseError for an unknown or missing field, a certificate without its key or the other way round, and a
        file that is not there.
        """
        try:
            endpoint = msgspec.convert({field: given for field, given in mapping.items() if given is not None}, cls)
        except msgspec.ValidationError as error:
            raise UseError(f"an endpoint of the target cannot be taken: {error}.") from error
        if bool(endpoint.cert) != bool(endpoint.key):
            raise UseError(f"the endpoint {endpoint.address} needs both `cert` and `key`, or neither.")
        for path in (endpoint.ca, endpoint.cert, endpoint.key):
            if path and not Path(path).is_file():
                raise UseError(f"the endpoint {endpoint.address} names {path}, which is no file.")
        return endpoint


def prepared(request: Request) -> Request:
    """The request as it is sent: metadata keys in lower case, a request id of its own if it had none.

    Raises ExchangeError, INVALID_ARGUMENT, for metadata that not every transport could carry.
    """
    metadata = {key.lower(): value for key, value in request.metadata.items()}
    if len(metadata) < len(request.metadata):
        raise ExchangeError(Code.INVALID_ARGUMENT, "the same metadata key is given twice; case makes no difference.")
    for key, value in metadata.items():
        if not _carried(key) or not _TEXT.fullmatch(value) or value != value.strip():
            raise ExchangeError(Code.INVALID_ARGUMENT, f"metadata {key!r} cannot be carried by REST and gRPC alike.")
    return msgspec.structs.replace(request, metadata={REQUEST_ID: request_id(request), **metadata})


def _carried(key: str) -> bool:
    return (
        bool(_KEY.fullmatch(key)) and key not in _FRAMING and not key.startswith("grpc-") and not key.endswith("-bin")
    )


def request_id(request: Request) -> str:
    """The id that a request carries, or a new one where it carries none."""
    carried = [value for key, value in request.metadata.items() if key.lower() == REQUEST_ID]
    return carried[0] if carried else uuid.uuid4().hex


def one_line(text: str) -> str:
    """Foreign text as part of a sentence: one line, nothing that a terminal would obey."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def detail_of(payload: Mapping[str, Any]) -> str:
    """The sentence in the body of an error, under one of the names that servers use; empty where there is none."""
    said = [payload[key] for key in ("detail", "message", "error") if isinstance(payload.get(key), str)]
    return one_line(said[0]) if said else ""
