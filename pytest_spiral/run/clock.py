"""The one place that reads the time; everything below it is handed a clock."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime

RESOLUTION_NS = max(1, round(time.get_clock_info("monotonic").resolution * 1e9))
"""Resolution of the monotonic clock in nanoseconds, as the operating system states it."""


def wall_us() -> int:
    """Wall time: microseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1000


def mono_ns() -> int:
    """Monotonic time in nanoseconds; only differences mean anything."""
    return time.monotonic_ns()


def instant(wall: int) -> datetime:
    """Wall microseconds as an aware UTC datetime."""
    return datetime.fromtimestamp(wall / 1e6, UTC)


@dataclass(frozen=True, slots=True)
class Stopwatch:
    """Monotonic nanoseconds since it was made."""

    origin: int

    def __call__(self) -> int:
        """Nanoseconds since the start."""
        return time.monotonic_ns() - self.origin


def stopwatch() -> Stopwatch:
    """A stopwatch that starts now."""
    return Stopwatch(time.monotonic_ns())
