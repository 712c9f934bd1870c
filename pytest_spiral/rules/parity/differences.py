"""Where two documents disagree, by JSON Pointer. Nothing is forgiven here: what may differ was normalised before."""

import json
import math
from collections.abc import Iterator
from typing import Any, Final

from pytest_spiral.model.parity import Difference
from pytest_spiral.rules.parity.pointer import ABSENT, below

SHOWN: Final = 200
"""Characters of a value that a difference quotes."""


_ENCODER: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def text_of(value: Any) -> str:
    """The one text of a JSON value: sorted keys, no blanks, ASCII; -0.0, 5 and 5.0 stay three different numbers."""
    return _ENCODER.encode(value)


def same(one: Any, other: Any) -> bool:
    """Whether two values have the same text, told without writing it where that is plain."""
    if type(one) is not type(other) or isinstance(one, dict | list):  # True is no 1, and 5.0 no 5
        return text_of(one) == text_of(other)
    signed = isinstance(one, float) and one == 0  # zeros have signs
    return bool(one == other) and (not signed or math.copysign(1, one) == math.copysign(1, other))


def shown(value: Any) -> str:
    """That text, cut."""
    text = text_of(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def differences(rest: Any, grpc: Any, pointer: str = "") -> Iterator[Difference]:
    """Every place at which the two disagree, keys in order; lists are compared place by place."""
    if isinstance(rest, dict) and isinstance(grpc, dict):
        for key in sorted(rest.keys() | grpc.keys()):
            yield from differences(rest.get(key, ABSENT), grpc.get(key, ABSENT), below(pointer, key))
    elif isinstance(rest, list) and isinstance(grpc, list):
        for at in range(max(len(rest), len(grpc))):
            left, right = (side[at] if at < len(side) else ABSENT for side in (rest, grpc))
            yield from differences(left, right, below(pointer, at))
    elif rest is ABSENT or grpc is ABSENT or not same(rest, grpc):
        yield Difference(pointer=pointer, rest=_seen(rest), grpc=_seen(grpc))


def _seen(value: Any) -> str | None:
    return None if value is ABSENT else shown(value)
