"""Protobuf messages as strict servers read them: a field that a message does not have is refused, as over REST."""

from typing import Any

from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet


def parsed(kind: type[Message], sent: bytes) -> Any:
    """The message on the wire; raises ValueError for bytes that are none, and for a field that it does not have."""
    try:
        message = kind.FromString(sent)
    except DecodeError as error:
        raise ValueError(f"not a {kind.DESCRIPTOR.full_name}") from error
    if _has_unknown(message):
        raise ValueError(f"a field that {kind.DESCRIPTOR.full_name} does not have")
    return message


def _has_unknown(message: Message) -> bool:
    # No request of ours has repeated messages in it, so that singular ones are all there is to look into.
    inner = [value for _, value in message.ListFields() if isinstance(value, Message)]
    return len(UnknownFieldSet(message)) > 0 or any(map(_has_unknown, inner))
