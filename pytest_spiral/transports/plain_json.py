"""JSON objects on the wire: the body of REST, and gRPC's messages where a system sends JSON bytes in their place."""

import json
from typing import Any

import msgspec

from pytest_spiral.errors import ExchangeError
from pytest_spiral.model.exchange import Code, Request


def json_bytes(request: Request) -> bytes:
    """The request's payload as UTF-8; raises ExchangeError, INVALID_ARGUMENT, where it is no JSON."""
    try:
        return json.dumps(request.payload, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ExchangeError(
            Code.INVALID_ARGUMENT, f"the payload of {request.operation} is no JSON: {error}."
        ) from error


def json_object(content: bytes) -> dict[str, Any] | None:
    """The JSON object; None where the content is anything else (NaN, an overflow and bad UTF-8 are no JSON)."""
    try:
        value: object = msgspec.json.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
