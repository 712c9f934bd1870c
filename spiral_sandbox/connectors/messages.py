"""What callers say: requests as values that cannot be wrong, the same for JSON and for protobuf.

Field names are those of `spiral_contract/connectors.proto`. Fields that are not known are passed over, as protobuf
does; a misspelled field is noticed because the right one is then missing.
"""

from typing import Annotated, Any

from msgspec import Meta, Struct

from spiral_sandbox.connectors.clock import parse_instant
from spiral_sandbox.connectors.refusal import unreadable
from spiral_sandbox.connectors.rotation import DURATION
from spiral_sandbox.plain_json import parse_json

Text = Annotated[str, Meta(min_length=1, max_length=200)]
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
# A hint is the end of a fingerprint or the like; too short to be a credential.
Hint = Annotated[str, Meta(max_length=16)]


class HealthQuery(Struct, frozen=True):
    """Whose health is asked for; empty means the whole server, which is one connector."""

    service: str = ""


class Identity(Struct, frozen=True):
    """Who shakes hands."""

    connector_id: Text
    version: Text
    instance: Text


class SupportedContext(Struct, frozen=True):
    """A context that the caller can work in."""

    name: Text
    channels: tuple[Text, ...] = ()
    capabilities: tuple[Text, ...] = ()


class RotationOffer(Struct, frozen=True):
    """What the caller knows of its credential's rotation; `last_rotated` is empty where there was none."""

    rotation_window: Text
    last_rotated: str = ""
    supports_hot_swap: bool = False
    token_hint: Hint = ""

    def __post_init__(self) -> None:
        if self.rotation_window != DURATION:
            raise ValueError(f"rotation_window is {DURATION} here")
        if self.last_rotated:
            parse_instant(self.last_rotated)


class HandshakeRequest(Struct, frozen=True):
    """The handshake: identity, at least one context, each once, and the state of rotation."""

    identity: Identity
    supported_contexts: Annotated[tuple[SupportedContext, ...], Meta(min_length=1, max_length=64)]
    rotation: RotationOffer

    def __post_init__(self) -> None:
        names = [context.name for context in self.supported_contexts]
        if len(set(names)) < len(names):
            raise ValueError("a context is offered twice")


class HeartbeatRequest(Struct, frozen=True):
    """A sign of life of a session: where its cycle stands, and when its credential expires."""

    chakra: Text
    cycle_count: Count
    context: Text
    credential_expiry: Text
    emitted_at: Text

    def __post_init__(self) -> None:
        if not self.chakra.strip():
            raise ValueError("chakra is blank")
        parse_instant(self.credential_expiry)
        parse_instant(self.emitted_at)


def parsed_json(text: bytes) -> Any:
    """The value of a JSON text, see `plain_json`; raises `Refusal`."""
    try:
        return parse_json(text)
    except ValueError as error:
        raise unreadable(f"the request is no JSON: {error}") from error
