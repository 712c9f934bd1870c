"""One side's view of its own exchange: what is compared, and a note of everything that was normalised away.

The rules are protobuf's JSON mapping (protobuf.dev, "ProtoJSON Format") read in both directions, the table of
statuses, and what an operation's terms declare. A rule never looks at the other side.
"""

import base64
import binascii
import hashlib
import math
import re
import struct
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from pytest_spiral.model.exchange import Code, Exchange, Reply
from pytest_spiral.model.parity import Field, SideName, Terms
from pytest_spiral.rules.parity.differences import same, text_of
from pytest_spiral.rules.parity.pointer import ABSENT, below, found, replaced
from pytest_spiral.rules.statuses import code_of_grpc, code_of_http, grpc_of, http_of

Note = Callable[[str, str, Any], None]
"""Takes (rule, pointer, what stood there)."""

ID: Final = "<an id of its own>"
INSTANT: Final = "<an instant of its own>"
OWN_REQUEST: Final = "<its own request id>"
SENTENCE: Final = "<a sentence>"

REQUEST_ID: Final = "x-request-id"
REASON: Final = "spiral-reason"
CARRIED: Final = frozenset({
    "accept-encoding", "alt-svc", "cache-control", "connection", "content-encoding", "content-length", "content-type",
    "date", "grpc-accept-encoding", "grpc-encoding", "grpc-message", "grpc-status", "keep-alive", "server", "te",
    "trailer", "transfer-encoding", "user-agent", "vary", "via", "www-authenticate",
})  # fmt: skip
"""Metadata that belongs to HTTP or to gRPC itself, and says nothing of the operation."""

_LEAST_QUOTED = 8  # characters of an id that no other text has by chance
_SENTENCES = ("detail", "message", "error")
_DIGITS = re.compile(r"-?(?:0|[1-9][0-9]*)")
_INSTANT = re.compile(r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(Z|z|[+-]\d{2}:\d{2})")
_DURATION = re.compile(r"(-?\d+)(?:\.(\d{1,9}))?s")


def view_of(side: SideName, exchange: Exchange, terms: Terms, effects: Mapping[str, int], note: Note) -> dict[str, Any]:
    """What this side said, by these members: `status`, `payload`, `metadata`, `effects`, and `reason` of an error.

    `note` is told of everything that is not compared as it stood.
    """
    reply = exchange.reply
    view: dict[str, Any] = {"effects": dict(effects)}
    if reply is None:
        return {**view, "status": f"no reply ({exchange.error.partition(':')[0]})", "payload": {}, "metadata": {}}
    view["status"] = _status(side, reply, note)
    metadata = dict(reply.metadata)
    if reply.code is Code.OK:
        view["payload"] = _message(reply.payload, terms.shape, "/payload", note)
    else:
        view["payload"], reason = _failure(reply, metadata, note)
        if reason is not ABSENT:
            view["reason"] = reason
    view["metadata"] = _metadata(metadata, exchange, note)
    return _declared(side, view, terms, note, failed=reply.code is not Code.OK)


def checksum(value: Any) -> str:
    """SHA-256 over JSON with sorted keys, separators `,` and `:`, ASCII escapes, as the contract has it for handshakes."""
    return "sha256:" + hashlib.sha256(text_of(value).encode("ascii")).hexdigest()


def instant(text: Any) -> str | None:
    """An RFC 3339 instant in its one spelling: UTC, no trailing zeros; None for anything else."""
    match = _INSTANT.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    try:
        moment = datetime.fromisoformat(f"{match[1]}T{match[2]}{match[4].upper().replace('Z', '+00:00')}")
        whole = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    except (ValueError, OverflowError):
        return None
    part = (match[3] or "").rstrip("0")
    return f"{whole}{'.' + part if part else ''}Z"


# Status, metadata, errors


def _status(side: SideName, reply: Reply, note: Note) -> str:
    """`400 INVALID_ARGUMENT` from either side, where its status is the one that the table writes for its code."""
    said = reply.wire_status
    try:
        own = code_of_http(int(said)) if side == "rest" else code_of_grpc(said)
        pair = f"{http_of(own)} {grpc_of(own)}"
    except ValueError:
        return f"{said} read as {reply.code}"
    if reply.code is not own:
        return f"{said} read as {reply.code}"
    if said not in pair.split():
        return said
    note("status-map", "/status", said)
    return pair


def _failure(reply: Reply, metadata: dict[str, str], note: Note) -> tuple[dict[str, Any], Any]:
    """An error's payload without its wording, and its reason; takes the reason out of the metadata."""
    payload: dict[str, Any] = dict(reply.payload)
    reason: Any = ABSENT
    if isinstance(payload.get("reason"), str):
        reason = payload.pop("reason")
        note("reason-place", "/payload/reason", reason)
    elif REASON in metadata:
        reason = metadata.pop(REASON)
        note("reason-place", f"/metadata/{REASON}", reason)
    for key in _SENTENCES:
        if isinstance(payload.get(key), str) and payload[key].strip():
            note("sentence", below("/payload", key), payload.pop(key))
            payload["detail"] = SENTENCE
            break
    if payload.get("code") == _name(reply.code):
        note("code-in-body", "/payload/code", payload.pop("code"))
    return payload, reason


def _name(code: Code) -> str | None:
    try:
        return grpc_of(code)
    except ValueError:
        return None


def _metadata(metadata: dict[str, str], exchange: Exchange, note: Note) -> dict[str, str]:
    kept: dict[str, str] = {}
    for key, value in sorted(metadata.items()):
        pointer = below("/metadata", key)
        if key in CARRIED:
            note("transport-metadata", pointer, value)
        elif key == REQUEST_ID and value == exchange.id:
            note("own-request-id", pointer, value)
            kept[key] = OWN_REQUEST
        else:
            kept[key] = value
    return kept


def _declared(side: SideName, view: dict[str, Any], terms: Terms, note: Note, *, failed: bool) -> dict[str, Any]:
    """The view after what the operation's terms declare."""
    for pointer in (*terms.only.get(side, ()), *(terms.failed_only.get(side, ()) if failed else ())):
        if (here := found(view, pointer)) is not ABSENT:
            note("one-sided", pointer, here)
            view = replaced(view, pointer, ABSENT)
    view = _own(view, terms, note)
    for pointer, words in terms.words.items():
        here = found(view, pointer)
        if side == "rest" and isinstance(here, str) and here in words:
            note("words", pointer, here)
            view = replaced(view, pointer, words[here])
    for pointer, key in terms.orders.items():
        here = found(view, pointer)
        if isinstance(here, list) and here != (ordered := sorted(here, key=lambda one: _place(one, key))):
            note("order", pointer, [one if (own := found(one, below("", key))) is ABSENT else own for one in here])
            view = replaced(view, pointer, ordered)
    return view


def _own(view: dict[str, Any], terms: Terms, note: Note) -> dict[str, Any]:
    """The view without what is new in every call: instants, and ids wherever they stand."""
    for pointer in terms.instants:
        if instant(here := found(view, pointer)):
            note("per-call-instant", pointer, here)
            view = replaced(view, pointer, INSTANT)
    for pointer in terms.ids:
        if _is_id(here := found(view, pointer)):
            note("per-call-id", pointer, here)
            view = replaced(view, pointer, ID)
            if len(here) >= _LEAST_QUOTED:
                view["payload"] = _unquoted(view["payload"], here, "/payload", note)
    return view


def _unquoted(value: Any, own: str, pointer: str, note: Note) -> Any:
    """The value with this side's own id replaced where it stands inside of another text, as in a path."""
    if isinstance(value, str) and own in value:
        note("per-call-id-quoted", pointer, value)
        return value.replace(own, ID)
    if isinstance(value, dict):
        return {key: _unquoted(one, own, below(pointer, key), note) for key, one in value.items()}
    if isinstance(value, list):
        return [_unquoted(one, own, below(pointer, at), note) for at, one in enumerate(value)]
    return value


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and not value.startswith("<")


def _place(item: Any, key: str) -> str:
    named = found(item, below("", key))
    return text_of("" if named is ABSENT else named) + text_of(item)


# Protobuf's JSON mapping


def _message(payload: Mapping[str, Any], shape: Mapping[str, Field], pointer: str, note: Note) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in payload.items():
        field = shape.get(key)
        one = value if field is None else _field(value, field, below(pointer, key), note)
        if field is not None and not field.present and _default(one, field):
            note("default", below(pointer, key), value)
        else:
            made[key] = one
    return made


def _default(value: Any, field: Field) -> bool:
    """Whether it is what protobuf reads where nothing stands; minus zero is not."""
    if value is None:
        return True
    if field.map or field.repeated:
        return value in ({}, [])
    zero = field.names.get("0", ABSENT) if field.kind == "enum" else _ZEROS.get(field.kind, ABSENT)
    return zero is not ABSENT and text_of(value) == text_of(zero)


_ZEROS: Final[dict[str, Any]] = {
    "text": "", "flag": False, "integer": 0, "long": 0, "float": 0.0, "double": 0.0, "bytes": "",
}  # fmt: skip


def _field(value: Any, field: Field, pointer: str, note: Note) -> Any:
    if field.map and isinstance(value, dict):
        return {key: _one(one, field, below(pointer, key), note) for key, one in value.items()}
    if field.repeated and isinstance(value, list):
        return [_one(one, field, below(pointer, at), note) for at, one in enumerate(value)]
    return _one(value, field, pointer, note)


def _one(value: Any, field: Field, pointer: str, note: Note) -> Any:
    if field.kind == "message":
        return _message(value, field.fields, pointer, note) if isinstance(value, dict) else value
    if field.kind == "enum":
        made, rule = _enum(value, field), "enum-name"
    else:
        reader, rule = _READERS.get(field.kind, (lambda same: same, ""))
        made = reader(value)
    if made is not value and not same(made, value):
        note(rule, pointer, value)
    return made


def _enum(value: Any, field: Field) -> Any:
    return field.names.get(str(value), value) if type(value) is int else value


def _long(value: Any) -> Any:
    if isinstance(value, str) and _DIGITS.fullmatch(value) and value != "-0" and len(value) <= 20:
        return int(value)
    return _integer(value)


def _integer(value: Any) -> Any:
    whole = isinstance(value, float) and value.is_integer() and text_of(value) != "-0.0"
    return int(value) if whole else value


def _struct(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _struct(one) for key, one in value.items()}
    return [_struct(one) for one in value] if isinstance(value, list) else _double(value)


def _double(value: Any) -> Any:
    """A whole number as the double that is equal to it; one that no double equals stays, so that it is seen."""
    try:
        return float(value) if type(value) is int and float(value) == value else value
    except OverflowError:
        return value


def _float(value: Any) -> Any:
    value = _double(value)
    if not isinstance(value, float) or not math.isfinite(value):
        return value
    try:
        return struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        return value


def _bytes(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        standard = value.rstrip("=").replace("-", "+").replace("_", "/")
        data = base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (binascii.Error, ValueError):
        return value
    return base64.b64encode(data).decode("ascii")


def _timestamp(value: Any) -> Any:
    return instant(value) or value


def _duration(value: Any) -> Any:
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return value
    part = (match[2] or "").rstrip("0")
    return f"{match[1]}{'.' + part if part else ''}s"


_READERS: Final[dict[str, tuple[Callable[[Any], Any], str]]] = {
    "long": (_long, "int64-text"),
    "integer": (_integer, "whole-number"),
    "double": (_double, "whole-number"),
    "struct": (_struct, "whole-number"),
    "float": (_float, "float32"),
    "bytes": (_bytes, "bytes-base64"),
    "timestamp": (_timestamp, "timestamp"),
    "duration": (_duration, "duration"),
}
