"""A call as a surface took it in, and its answer as the surface will say it: the same for REST and gRPC."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from spiral_sandbox.connectors.core import request_id_of
from spiral_sandbox.connectors.refusal import Code, Refusal

LARGEST_BODY = 1 << 20
"""Bytes of a request that is no upload, as JSON or as protobuf."""

REQUEST_ID = "x-request-id"
IDEMPOTENCY_KEY = "idempotency-key"
DEADLINE = "x-deadline-ms"
FALLBACK = "abzu-fallback"
REPLAYED = "idempotent-replayed"

_KEY = re.compile(r"[\x21-\x7e]{1,128}")
_MILLISECONDS = re.compile(r"[1-9][0-9]{0,7}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Header:
    """The beginning of an upload."""

    operator: str
    metadata: str


@dataclass(frozen=True, slots=True)
class FileStart:
    """The beginning of a file."""

    name: str


Part = Header | FileStart | bytes
"""A piece of an upload; bytes belong to the file that was started last."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call. `metadata` has every value that was sent under a lower-case name.

    `read` gives the fields as plain values and `parts` an upload's pieces; both raise `Refusal`. `remaining_s` is how
    long the transport itself lets the call take.
    """

    operation: str
    transport: str
    metadata: Mapping[str, Sequence[str]] = field(repr=False)
    read: Callable[[], Awaitable[Any]]
    parts: Callable[[], AsyncIterator[Part]] | None = None
    remaining_s: float | None = None

    def values(self, name: str) -> Sequence[str]:
        """Every value that was sent under a name."""
        return self.metadata.get(name, ())

    @property
    def request_id(self) -> str | None:
        """The one well-formed request id, or None."""
        return request_id_of(self.values(REQUEST_ID))

    @property
    def is_fallback(self) -> bool:
        """Whether the caller says that it comes to REST because gRPC failed."""
        return self.transport == "rest" and "rest" in self.values(FALLBACK)

    def key(self) -> str | None:
        """The idempotency key, if there is one; raises `Refusal` where it is none."""
        return self._one(IDEMPOTENCY_KEY, _KEY, "1 to 128 visible ASCII characters")

    def deadline_s(self, longest: float) -> float:
        """Seconds that the call may take here, at most `longest`; raises `Refusal` where it says no such number."""
        said = self._one(DEADLINE, _MILLISECONDS, "a whole number of milliseconds, up to 8 digits")
        wanted = (longest, self.remaining_s, None if said is None else int(said) / 1000)
        return max(0.0, min(each for each in wanted if each is not None))

    def check(self) -> None:
        """Raise `Refusal` for a request id, a key or a deadline that cannot be read."""
        if self.values(REQUEST_ID) and self.request_id is None:
            raise Refusal(Code.INVALID_ARGUMENT, "request-id", f"{REQUEST_ID} is not one word of 1 to 128 characters")
        self.key()

    def _one(self, name: str, pattern: re.Pattern[str], what: str) -> str | None:
        values = self.values(name)
        if not values:
            return None
        if len(values) > 1 or not pattern.fullmatch(values[0]):
            raise Refusal(Code.INVALID_ARGUMENT, name, f"{name} is not {what}")
        return values[0]


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said back: the reply's fields, and metadata (REST's headers, gRPC's trailing metadata)."""

    fields: dict[str, Any]
    metadata: dict[str, str]


def too_large(most: int) -> Refusal:
    """The refusal of a request that has more bytes than are taken."""
    return Refusal(Code.RESOURCE_EXHAUSTED, "too-large", f"a request is at most {most} bytes")
