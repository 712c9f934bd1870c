"""JSON objects on the wire: the body of REST, and gRPC's messages where a system sends JSON bytes in their place."""

import json
from typing import Any

import msgspec

from pytest_spiral.errors import ExchangeError
from pytest_spiral.model.exchange import Code


def json_bytes(value: Any, what: str) -> bytes:
    """The value as UTF-8, `what` being what a message calls it; raises ExchangeError, INVALID_ARGUMENT, where it is no JSON."""
    try:
        return json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:  # a lone surrogate is a ValueError: it has no UTF-8
        raise ExchangeError(Code.INVALID_ARGUMENT, f"{what} is no JSON: {error}.") from error


def json_object(content: bytes) -> dict[str, Any] | None:
    """The JSON object; None where the content is anything else (NaN, an overflow and bad UTF-8 are no JSON)."""
    try:
        value: object = msgspec.json.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
