"""A session with an MCP gateway: who asks for one, what was granted, and the sign of life that keeps it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

CONTEXTS: Final = ("stage-b-rehearsal", "stage-c-prep")
"""Contexts that the roadmap wants promoted."""

ROTATION_WINDOW: Final = "PT48H"
EXPIRY: Final = timedelta(hours=48)
HEARTBEAT: Final = timedelta(seconds=30)
"""How often a heartbeat is due."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who shakes hands: the connector, its version, and which instance of it."""

    connector_id: str
    version: str
    instance: str

    def __post_init__(self) -> None:
        if not (self.connector_id.strip() and self.version.strip() and self.instance.strip()):
            raise ValueError("an identity has a connector, a version and an instance")


@dataclass(frozen=True, slots=True)
class Session:
    """A session that was granted; instants are aware. `window` is the name of the rotation window, empty where none is."""

    id: str
    connector_id: str
    issued_at: datetime
    expiry: datetime
    accepted: tuple[str, ...]
    refused: tuple[str, ...]
    window: str

    def is_over(self, now: datetime) -> bool:
        """Whether its credential has expired."""
        return now >= self.expiry


@dataclass(frozen=True, slots=True)
class Pulse:
    """One heartbeat: where the caller's cycle stands. ValueError for a blank chakra and for a count below 0."""

    chakra: str
    cycle_count: int
    context: str

    def __post_init__(self) -> None:
        if not self.chakra.strip():
            raise ValueError("a heartbeat's chakra is not blank")
        if self.cycle_count < 0:
            raise ValueError(f"a heartbeat's cycle count is 0 or more, not {self.cycle_count}")

    def payload(self, expiry: str, emitted_at: str) -> dict[str, Any]:
        """The request's fields, with both instants as RFC 3339 texts."""
        return {
            "chakra": self.chakra,
            "cycle_count": self.cycle_count,
            "context": self.context,
            "credential_expiry": expiry,
            "emitted_at": emitted_at,
        }
