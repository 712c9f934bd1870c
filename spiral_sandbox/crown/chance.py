"""Chance that comes back: a draw is SHA-256 over the seed and what it is for, so it needs no generator and no order.

The same seed and the same material give the same number on every machine.
"""

import hashlib
import itertools
from collections.abc import Mapping, Sequence

_BITS = 64


def draw(seed: int, material: Sequence[str], of: int) -> int:
    """A number from 0 to `of` - 1: the first eight bytes of the digest of seed and material, a line each, scaled."""
    lines = "\n".join((str(seed), *material)).encode()
    return int.from_bytes(hashlib.sha256(lines).digest()[: _BITS // 8], "big") * of >> _BITS


def share_at(weights: Mapping[str, int], order: Sequence[str], drawn: int) -> str:
    """The name whose share of the line from 0 to the sum of weights holds `drawn`, shares laid in this order."""
    ends = itertools.accumulate(weights[name] for name in order)
    return next(name for name, end in zip(order, ends, strict=True) if drawn < end)
