"""`inventory.json`'s bytes: one test a line, so that a million can be read without holding the document.

Written that way, the first line is `{"format":"spiral-inventory/1","items":[`, then one item a line, all but the last with a comma,
then `],"errors":[…]}`; each with LF. As a whole the file is one JSON document, and one with other line ends is
read as such, within the limit for documents.
"""

from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import json

from pytest_spiral.errors import UntrustedError
from pytest_spiral.model.base import Value
from pytest_spiral.model.evidence import Inventory, InventoryItem
from pytest_spiral.rules.canonical import convert, parse_strict, parse_value, plain
from pytest_spiral.rules.integrity import Limits

HEAD: Final = b'{"format":"spiral-inventory/1","items":[\n'
FOOT: Final = b'],"errors":'

_ENCODER: Final = json.Encoder()
_DECODER: Final = json.Decoder(InventoryItem)


class _Foot(Value, frozen=True, kw_only=True):
    errors: tuple[str, ...]


def encode_inventory(inventory: Inventory) -> bytes:
    """The file's bytes. Half a surrogate pair in a text becomes its escape in plain characters."""
    items = b",\n".join(_encode(item) for item in inventory.items)
    errors = _ENCODER.encode(plain(inventory.errors))
    return HEAD + items + (b"\n" if items else b"") + FOOT + errors + b"}\n"


def parse_inventory(lines: Iterator[bytes], limits: Limits) -> Iterator[InventoryItem | tuple[str, ...]]:
    """Read the file's raw lines: the items one by one, then the collection errors, which come last and once.

    Raises UntrustedError: a `json-…` code, `format-unknown`, `field-wrong`, `inventory-form`, `file-too-large`.
    """
    first = next(lines, b"")
    if first == HEAD:
        yield from _parse_lines(lines, limits)
        return
    document = _joined(first, lines, limits.json)
    inventory = parse_value(document, Inventory, most=limits.json, depth=limits.depth)
    yield from inventory.items
    yield inventory.errors


def _parse_lines(lines: Iterator[bytes], limits: Limits) -> Iterator[InventoryItem | tuple[str, ...]]:
    comma = True
    for number, raw in enumerate(lines):
        if raw.startswith(FOOT):
            if comma and number:
                raise UntrustedError("inventory-form", "the last test is followed by a comma.")
            yield parse_value(b"{" + raw[2:], _Foot, most=limits.json, depth=limits.depth).errors
            break
        if not comma:
            raise UntrustedError("inventory-form", f"no comma stands between tests {number - 1} and {number}.")
        comma = raw.endswith(b",\n")
        yield _parse(raw[: -2 if comma else -1], limits.depth)
    else:
        raise UntrustedError("inventory-form", "the file ends before its list of errors.")
    if next(lines, b""):
        raise UntrustedError("inventory-form", "the file goes on after its list of errors.")


def _joined(first: bytes, lines: Iterator[bytes], most: int) -> bytes:
    document = bytearray(first)
    for line in lines:
        document += line
        if len(document) > most:
            raise UntrustedError("file-too-large", f"more than {most} bytes, and not one test a line.")
    return bytes(document)


def _encode(item: InventoryItem) -> bytes:
    try:
        return _ENCODER.encode(item)
    except UnicodeEncodeError:
        return _ENCODER.encode(plain(item))


def _parse(line: bytes, depth: int) -> InventoryItem:
    try:
        item = _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        item = None
    if item is not None and _ENCODER.encode(item) == line:  # texts and truth values only: no second reading
        return item
    return convert(parse_strict(line, depth=depth), InventoryItem)
