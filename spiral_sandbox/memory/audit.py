"""The audit chain: one row per stored item, each bound to the one before it.

item digest = SHA-256 of: id, zero byte, text, zero byte, embedding (little-endian float32)
row digest  = SHA-256 of: sequence in decimal digits, zero byte, id, zero byte, item digest, zero byte,
              digest of the row before (64 zeros before the first)

Texts are UTF-8, digests 64 lower-case hexadecimal digits. Neither an id nor a text holds a zero byte.
"""

import hashlib

import msgspec

BEFORE_THE_FIRST = "0" * 64
"""What the first row of a chain names as the digest of the row before."""


class AuditRow(msgspec.Struct, frozen=True):
    """One row of the audit chain; sequences count from 1 without a gap over the whole store."""

    sequence: int
    item: str
    item_digest: str
    previous: str
    digest: str


def item_digest(item: str, text: str, embedding: bytes) -> str:
    """The digest of one item's content."""
    return hashlib.sha256(b"\0".join((item.encode(), text.encode(), embedding))).hexdigest()


def audit_row(sequence: int, item: str, content: str, previous: str) -> AuditRow:
    """The row that follows `previous` (a row's digest) for an item whose digest is `content`."""
    digest = hashlib.sha256(f"{sequence}\0{item}\0{content}\0{previous}".encode()).hexdigest()
    return AuditRow(sequence, item, content, previous, digest)
