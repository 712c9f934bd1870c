"""One way to write a value as bytes, and the digest of these bytes.

JSON as in RFC 8259: keys sorted by code point, no blanks, UTF-8 without escapes where none is needed. Crown's values
hold texts, whole numbers, truth values, lists and tables, and no fractions: their digits differ between libraries.
"""

import hashlib
import json
from typing import Any

import msgspec

Plain = Any
"""A value of plain JSON without fractions."""


def canonical(value: Plain) -> bytes:
    """The bytes of a value; ValueError or TypeError where it is not plain JSON, or holds half a character."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def plain(value: object) -> Plain:
    """A struct as the plain JSON that a log would hold: tuples are lists there."""
    return msgspec.json.decode(msgspec.json.encode(value))


def digest_of(value: Plain) -> str:
    """SHA-256 over the canonical bytes, as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(canonical(value)).hexdigest()
