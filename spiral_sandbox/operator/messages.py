"""What callers say: requests as values that cannot be wrong, the same for JSON and for protobuf.

Field names are those of `spiral_contract/operator.proto`. A field that is not known is refused on both transports:
what a caller believes to have said must have been heard.
"""

import re
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

from spiral_sandbox.connectors.messages import parsed_json
from spiral_sandbox.connectors.refusal import unreadable

MOST_CHARACTERS = 4000
"""Characters of a command, a query or an error."""

MOST_METADATA = 64 << 10
"""Bytes of an upload's metadata as JSON."""

_DEEPEST = 32
_EXACT = 2**53  # the largest whole number up to which a double, the number of protobuf's Struct, has every one
_FILE_NAME = re.compile(r"\w[\w .+()-]{0,199}")
_NAME_BYTES = 255  # what file systems take

Name = Annotated[str, Meta(pattern=r"\A[a-z0-9][a-z0-9_.-]{0,63}\Z")]
Words = Annotated[str, Meta(min_length=1, max_length=MOST_CHARACTERS)]
_Message = TypeVar("_Message")


class DispatchCommand(Struct, frozen=True, forbid_unknown_fields=True):
    """A command of an operator to an agent."""

    operator: Name
    agent: Name
    command: Words

    def __post_init__(self) -> None:
        _check_text("command", self.command)


class UploadHeader(Struct, frozen=True, forbid_unknown_fields=True):
    """Who uploads."""

    operator: Name


class MemoryQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """A text whose nearest neighbours are asked for."""

    query: Words

    def __post_init__(self) -> None:
        _check_text("query", self.query)


class Handover(Struct, frozen=True, forbid_unknown_fields=True):
    """A component that failed, and with what; without both, whatever failed last."""

    component: Annotated[str, Meta(max_length=200)] | None = None
    error: Annotated[str, Meta(max_length=MOST_CHARACTERS)] | None = None

    def __post_init__(self) -> None:
        for field in ("component", "error"):
            value = getattr(self, field)
            if value is not None:
                _check_characters(field, value)


class Nothing(Struct, frozen=True):
    """A request of which nothing is read."""


def decoded(fields: Any, kind: type[_Message]) -> _Message:
    """The fields as a message; raises `Refusal`, INVALID_ARGUMENT."""
    try:
        return msgspec.convert(fields, type=kind)
    except msgspec.ValidationError as error:
        raise unreadable(str(error)) from error


def parse_metadata(text: str) -> dict[str, Any]:
    """An upload's metadata: a JSON object that means the same over both transports; empty means `{}`.

    Whole numbers lie within ±2^53, since protobuf's Struct has doubles alone. Raises `Refusal`, INVALID_ARGUMENT.
    """
    content = text.encode("utf-8", "surrogatepass")
    if len(content) > MOST_METADATA:
        raise unreadable(f"metadata has at most {MOST_METADATA} bytes")
    value = parsed_json(content or b"{}")
    if not isinstance(value, dict):
        raise unreadable("metadata is no JSON object")
    return {_text(key): _plain(item, 1) for key, item in value.items()}


def check_file_name(name: str) -> str:
    """The name itself; raises `Refusal` for one that is a path, hidden, too long or hard to write down."""
    if not _FILE_NAME.fullmatch(name) or len(name.encode()) > _NAME_BYTES:
        raise unreadable("a file's name begins with a letter or digit and has 1 to 200 letters, digits and ' .+()-_'")
    return name


def _check_text(field: str, value: str) -> None:
    if not value.strip():
        raise ValueError(f"{field} is blank")
    _check_characters(field, value)


def _check_characters(field: str, value: str) -> None:
    if any(ord(letter) < 32 or ord(letter) == 127 or 0xD800 <= ord(letter) <= 0xDFFF for letter in value):
        raise ValueError(f"{field} holds a character that is no text")


def _plain(value: Any, depth: int) -> Any:
    if depth > _DEEPEST:
        raise unreadable(f"metadata is nested more than {_DEEPEST} deep")
    if isinstance(value, dict):
        return {_text(key): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, str):
        return _text(value)
    return value if isinstance(value, bool) or value is None else _number(value)


def _number(value: float) -> float:
    # Every double beyond 2^53 is whole.
    if abs(value) > _EXACT:
        raise unreadable("a number of the metadata is beyond 2^53, and not every transport could carry it")
    return int(value) if value == int(value) else value


def _text(value: str) -> str:
    if any(0xD800 <= ord(letter) <= 0xDFFF for letter in value):
        raise unreadable("metadata holds half of a character")
    return value
