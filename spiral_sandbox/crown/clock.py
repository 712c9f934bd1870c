"""Clocks of a session: milliseconds since it began, never a date."""

from time import monotonic_ns

_NANOSECONDS = 1_000_000


class GivenClock:
    """A clock that moves only when told."""

    def __init__(self) -> None:
        self._ms = 0

    def advance(self, ms: int) -> None:
        """Move on; ValueError where that would be back."""
        if ms < 0:
            raise ValueError(f"a clock does not go back by {-ms} ms")
        self._ms += ms

    def read(self) -> int:
        """The milliseconds so far."""
        return self._ms


class RunningClock:
    """The machine's monotonic clock, from the moment it was made."""

    def __init__(self) -> None:
        self._began_ns = monotonic_ns()

    def read(self) -> int:
        """The milliseconds so far."""
        return (monotonic_ns() - self._began_ns) // _NANOSECONDS
