"""Which calls may be made twice: those that change nothing, and those that carry an idempotency key."""

from typing import Final

from pytest_spiral.model.exchange import Request

IDEMPOTENCY_KEY: Final = "idempotency-key"
"""The metadata key by which a server knows a command again and carries it out once."""

READS: Final = frozenset({
    "health", "status", "memory_query", "handshake",
    "vector_init", "vector_search", "vector_items", "vector_status", "vector_audit",
})  # fmt: skip
"""Operations that leave nothing behind that a second one would double: a handshake that nobody uses is forgotten."""

KEYED: Final = frozenset({"dispatch_command", "upload", "handover"})
"""Operations that a server carries out once for each idempotency key."""


def repeatable(request: Request) -> bool:
    """Whether making this very call again can do nothing twice."""
    keys = {key.lower() for key in request.metadata}
    return request.operation in READS or (request.operation in KEYED and IDEMPOTENCY_KEY in keys)
