"""The virtual clock: it starts at a seeded instant and moves only when it is told to."""

import random
import re
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_YEAR_S = 365 * 24 * 3600
_LONGEST_STEP_S = 10 * _YEAR_S
# RFC 3339, section 5.6, with an upper-case T and a numeric offset or Z.
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})", re.ASCII)


class VirtualClock:
    """Whole virtual seconds in UTC, so that every instant can stand in a window's name without rounding."""

    __slots__ = ("_now",)

    def __init__(self, start: datetime) -> None:
        if start.utcoffset() != timedelta(0) or start.microsecond:
            raise ValueError(f"a virtual clock starts at a whole second in UTC, not at {start.isoformat()}")
        self._now = start

    def now(self) -> datetime:
        """The current virtual instant."""
        return self._now

    def advance(self, seconds: int) -> datetime:
        """Move forward by whole seconds and return the new instant.

        Raises `ValueError` for a step that is negative or longer than ten years.
        """
        if not 0 <= seconds <= _LONGEST_STEP_S:
            raise ValueError(f"a clock moves 0 to {_LONGEST_STEP_S} s at a time, not {seconds}")
        self._now += timedelta(seconds=seconds)
        return self._now

    def told(self) -> dict[str, str]:
        """The current instant as JSON values, and what kind of clock says so."""
        return {"now": stamp(self._now), "kind": "virtual"}


def seeded_start(seed: int) -> datetime:
    """The instant at which a run's clock starts: some second of 2026, the same for the same seed."""
    return _EPOCH + timedelta(seconds=random.Random(seed).randrange(_YEAR_S))  # noqa: S311 - not a secret


def stamp(instant: datetime) -> str:
    """The instant as RFC 3339 text in UTC with whole seconds, such as `2026-09-26T18:03:00Z`."""
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def parse_instant(text: str) -> datetime:
    """The instant in UTC that an RFC 3339 text names; raises `ValueError` for any other text."""
    if not _INSTANT.fullmatch(text):
        raise ValueError("not an RFC 3339 instant")
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except OverflowError as error:
        raise ValueError("an instant outside of the calendar") from error
