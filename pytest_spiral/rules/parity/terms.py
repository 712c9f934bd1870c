"""What is declared of each operation before its answers are compared. Whatever is not declared here must be equal."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from pytest_spiral.model.parity import Field, Terms

# gRPC's health protocol has one word for what REST says in a field, and names neither component nor version.
_HEALTH: Final = Terms(
    only={"rest": ("/payload/component", "/payload/version")},
    failed_only={"rest": ("/payload/status",)},
    words={"/payload/status": {"healthy": "SERVING", "unhealthy": "NOT_SERVING"}},
)
_HANDSHAKE: Final = Terms(
    ids=("/payload/session/id",),
    instants=("/payload/session/issued_at",),
    orders={"/payload/accepted_contexts": "name"},
)
_HEARTBEAT: Final = Terms(instants=("/payload/received_at", "/payload/next_due"))
# REST tells of every component; gRPC's health protocol has one word, and its servers echo no request id.
_STATUS: Final = Terms(
    only={
        "rest": ("/payload/components", "/payload/errors", "/payload/memory", "/metadata/x-request-id"),
        "grpc": ("/payload/status",),
    },
)
_COMMAND: Final = Terms(ids=("/payload/command_id",))

DECLARED: Final[Mapping[str, Terms]] = MappingProxyType(
    {
        "health": _HEALTH,
        "handshake": _HANDSHAKE,
        "heartbeat": _HEARTBEAT,
        "dispatch_command": _COMMAND,
        "upload": _COMMAND,
        "status": _STATUS,
    }
)
"""Operation → terms, without the shape of its reply."""


def terms_of(operation: str, shape: Mapping[str, Field]) -> Terms:
    """The terms of an operation whose reply has that shape."""
    return msgspec.structs.replace(DECLARED.get(operation, Terms()), shape=dict(shape))
