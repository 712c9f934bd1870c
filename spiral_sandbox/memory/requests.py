"""What may be asked of the memory, checked once for both transports and the control channel."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import msgspec

from spiral_sandbox.memory.embedding import EmbeddingName
from spiral_sandbox.memory.errors import InvalidRequestError, TooLargeError
from spiral_sandbox.memory.port import Index, NewItem
from spiral_sandbox.plain_json import parse_json

MOST_RESULTS = 1000
"""The most results of one search."""

MOST_ITEMS = 10_000
"""The most items added, or rows exported, at once."""

MOST_CORPUS_ITEMS = 1_000_000
MOST_SHARDS = 64
_MOST_CHARACTERS = 10_000
_ID = re.compile(r"[!-~]{1,200}")

_Wanted = TypeVar("_Wanted")


class Search(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A search for the `top_n` texts nearest to `text`."""

    text: str
    top_n: int


class Add(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Items to store."""

    items: tuple[NewItem, ...]


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request without fields."""


class AuditPage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A page of the audit chain, after a sequence number."""

    after: Annotated[int, msgspec.Meta(ge=0)] = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=MOST_ITEMS)] = 1000


class ItemPage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A page of the stored items, after an id; with their embeddings if `embeddings` is 1."""

    after: str = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=MOST_ITEMS)] = 1000
    embeddings: Annotated[int, msgspec.Meta(ge=0, le=1)] = 0


class Configure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The operator's choice of the corpus's size, the store's shards, how it is searched, and what makes its vectors."""

    items: Annotated[int, msgspec.Meta(ge=1, le=MOST_CORPUS_ITEMS)] | None = None
    shards: Annotated[int, msgspec.Meta(ge=1, le=MOST_SHARDS)] | None = None
    index: Index | None = None
    embedding: EmbeddingName | None = None


def parse_body(body: bytes, wanted: type[_Wanted]) -> _Wanted:
    """A JSON body as a request; an empty body is `{}`. Raises InvalidRequestError."""
    try:
        return msgspec.convert(parse_json(body or b"{}"), wanted)
    except ValueError as error:  # msgspec's own is one
        raise InvalidRequestError(f"The request cannot be read: {error}.") from error


def parse_fields(fields: Mapping[str, Any], wanted: type[_Wanted], *, text: bool = False) -> _Wanted:
    """Named fields as a request; with `text`, numbers may be written as text. Raises InvalidRequestError."""
    try:
        return msgspec.convert(dict(fields), wanted, strict=not text)
    except msgspec.ValidationError as error:
        raise InvalidRequestError(f"The request cannot be read: {error}.") from error


def checked_search(search: Search) -> Search:
    """The search itself; raises InvalidRequestError or TooLargeError if it cannot be done."""
    if not 1 <= search.top_n <= MOST_RESULTS:
        raise InvalidRequestError(f"top_n must be between 1 and {MOST_RESULTS}, not {search.top_n}.")
    _check_text(search.text)
    return search


def checked_items(add: Add) -> tuple[NewItem, ...]:
    """The items to add; raises InvalidRequestError or TooLargeError if they cannot be stored."""
    if not add.items:
        raise InvalidRequestError("There is no item to add.")
    if len(add.items) > MOST_ITEMS:
        raise TooLargeError(f"At most {MOST_ITEMS} items can be added at once, not {len(add.items)}.")
    for item in add.items:
        _check_text(item.text)
        if item.id is not None and not _ID.fullmatch(item.id):
            raise InvalidRequestError(f"An id has 1 to 200 visible ASCII characters, not {item.id!r}.")
    return add.items


def _check_text(text: str) -> None:
    if not text.strip():
        raise InvalidRequestError("The text is empty.")
    if len(text) > _MOST_CHARACTERS:
        raise TooLargeError(f"A text has at most {_MOST_CHARACTERS} characters, not {len(text)}.")
    if "\0" in text:
        raise InvalidRequestError("A text must not hold a zero character.")
