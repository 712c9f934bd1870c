"""What every value that goes to disk has in common."""

import re

import msgspec

MOST_INTEGER = 2**53 - 1
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Value(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A frozen, slotted value; unknown fields are refused when it is read from JSON.

    Values of which a run has very many add `gc=False`: the collector then need not go through them, and none can be
    part of a cycle.
    """


def digest_of(hexadecimal: str) -> str:
    """The project's form of a SHA-256: `sha256:` and 64 lowercase hexadecimal digits."""
    digest = f"sha256:{hexadecimal}"
    if not DIGEST.fullmatch(digest):
        raise ValueError(f"{hexadecimal!r} is no SHA-256 in lowercase hexadecimal")
    return digest
