"""What a boot comes to: each component's place in it, why an attempt failed, and the report of it all."""

from dataclasses import dataclass
from typing import Literal

from spiral_sandbox.boot.manifest import Part
from spiral_sandbox.boot.starting import Child

Outcome = Literal["ready", "failed-over", "failed"]


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why an attempt failed. `final`: another attempt would change nothing."""

    reason: str
    why: str

    @property
    def final(self) -> bool:
        """Whether the component's definition is at fault."""
        return self.reason in ("check-cannot-fail", "cannot-start")


@dataclass(slots=True)
class Seat:
    """One component's place in a boot: who may take it in which order, and how far that has got.

    `turn` is whose turn it is, `attempts` how often that one was tried, `tries` how often anyone was; `child` is the
    process that holds the place, `pid` the last one that was started for it.
    """

    name: str
    candidates: tuple[Part, ...]
    turn: int = 0
    attempts: int = 0
    tries: int = 0
    retries: int = 0
    pid: int = 0
    child: Child | None = None
    trouble: Trouble | None = None
    outcome: Literal["ready", "failed-over", "failed", "not-started", ""] = ""

    @property
    def part(self) -> Part:
        """Whose turn it is."""
        return self.candidates[min(self.turn, len(self.candidates) - 1)]

    @property
    def held(self) -> bool:
        """Whether the place is taken."""
        return self.outcome in ("ready", "failed-over")


@dataclass(frozen=True, slots=True)
class Report:
    """What a boot came to. `took_ns` is from its begin until its outcome stood, `strays` what was left at its very end."""

    number: int
    nonce: str
    outcome: Outcome
    reason: str
    took_ns: int
    seats: tuple[Seat, ...]
    strays: tuple[int, ...]

    @property
    def at_first_attempt(self) -> bool:
        """Whether it is ready, and no component needed a second attempt or its standby."""
        return self.outcome == "ready" and all(seat.tries == 1 for seat in self.seats)

    @property
    def retries(self) -> int:
        """Attempts after the first one of a component."""
        return sum(seat.retries for seat in self.seats)
