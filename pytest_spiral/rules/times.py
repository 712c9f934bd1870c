"""Whether things happened in an order in which they can have happened."""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

from pytest_spiral.errors import UntrustedError
from pytest_spiral.model.base import Value
from pytest_spiral.rules.integrity import shown

TOLERANCE_US: Final = 300 * 1_000_000
"""How far two clocks may disagree."""

_TOLD: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MOST: Final = 253_402_300_799_999_999  # the end of the year 9999, where calendars of datetime end


class Moment(Value, frozen=True, kw_only=True):
    """When something happened: from `first` to `last`, in microseconds since 1970-01-01 UTC; None where unknown."""

    name: str
    first: int | None = None
    last: int | None = None


def moment(name: str, wall: int | None) -> Moment:
    """A moment that is one point in time, or unknown."""
    return Moment(name=name, first=wall, last=wall)


def order_faults(moments: Iterable[Moment], tolerance: int = TOLERANCE_US) -> Iterator[str]:
    """A sentence for each moment that is earlier than one before it, by more than the tolerance.

    Unknown ones are passed over: each known one is held against all known ones before it.
    """
    latest: Moment | None = None
    for one in moments:
        if one.first is None or one.last is None:
            continue
        if latest is not None and latest.last is not None and one.first + tolerance < latest.last:
            early = (latest.last - one.first) / 1e6
            yield (
                f"{one.name} ({told(one.first)}) is {early:,.0f} s before {latest.name} ({told(latest.last)}), "
                f"which it follows; clocks may disagree by {tolerance // 1_000_000} s."
            )
        if latest is None or latest.last is None or one.last > latest.last:
            latest = one


def unknown(moments: Iterable[Moment]) -> list[str]:
    """The names of moments that nothing tells."""
    return [one.name for one in moments if one.first is None]


def parse_wall(text: str) -> int:
    """A time as `told` writes it, in microseconds since 1970-01-01 UTC; raises UntrustedError `field-wrong`."""
    try:
        moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC) if _TOLD.fullmatch(text) else None
    except ValueError:
        moment = None
    if moment is None or moment < _EPOCH:
        raise UntrustedError("field-wrong", f"{shown(text, 40)!r} is no time such as 2026-11-26T19:20:00Z.")
    return int(moment.timestamp()) * 1_000_000


def told(wall: int) -> str:
    """A wall time in microseconds as people read it, in UTC; as a number where no calendar reaches."""
    if not 0 <= wall <= _MOST:
        return f"{wall} us"
    return f"{datetime.fromtimestamp(wall // 1_000_000, UTC):%Y-%m-%dT%H:%M:%SZ}"
