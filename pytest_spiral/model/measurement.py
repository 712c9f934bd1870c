"""Samples and measurements: raw figures as a test took them."""

import math
from typing import Any

import msgspec

from pytest_spiral.model.base import Value


class Sample(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """One raw sample: a line of a sample file.

    `n` counts from 0 within the measurement. Exactly one of these says what was seen:

    - `value`: a number in the measurement's unit (a timed sample carries `ns` instead, monotonic nanoseconds);
    - `ok`: a hit or a miss, with `why` for a miss;
    - `failed`: the call failed or timed out, an infinitely slow sample;
    - `count` (with `exposure`, in the unit of the criterion's exposure): how often something happened;
    - `item` with `seen`: what one side says of a listed item, for `equal(a, b)`.

    `warm` marks warm-up, `block` the block of fresh connections it belongs to. Open-loop samples carry
    `intended`, `sent` and `done`, nanoseconds on one monotonic clock; then `ns` is done - intended. A service time that
    is compared with another carries `sent` and `done`, and is done - sent.
    """

    n: int
    value: float | int | None = None
    ns: int | None = None
    ok: bool | None = None
    failed: str | None = None
    count: int | None = None
    exposure: float | int | None = None
    item: str | None = None
    seen: Any = None
    why: str | None = None
    warm: bool = False
    block: int | None = None
    intended: int | None = None
    sent: int | None = None
    done: int | None = None

    def __post_init__(self) -> None:
        said = (
            (self.value is not None)
            + (self.ns is not None)
            + (self.ok is not None)
            + (self.failed is not None)
            + (self.count is not None)
            + (self.item is not None)
        )
        if said != 1:
            raise ValueError(f"sample {self.n} must say exactly one of value, ns, ok, failed, count, item")
        for number in (self.value, self.exposure):
            if isinstance(number, float) and not math.isfinite(number):
                raise ValueError(f"sample {self.n} is not a finite number")


class Measurement(Value, frozen=True, kw_only=True):
    """A measurement as it is judged: where it was taken, and all its samples in order.

    `count` is how many samples its closing record told of; None where it was never closed. `transports` are those
    over which the target was called meanwhile.
    """

    file: str
    name: str
    unit: str
    test: str
    criteria: tuple[str, ...]
    samples: tuple[Sample, ...]
    run: str = ""
    control: str = ""
    planned: int = 0
    resolution_ns: int = 0
    clock: str = "none"
    closed: bool = True
    count: int | None = None
    raised: str = ""
    transports: tuple[str, ...] = ()
