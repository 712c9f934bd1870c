"""Sessions that a connector has opened: a handshake opens one, and heartbeats are taken in one that is open."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from spiral_sandbox.connectors.credentials import Credential

KEPT = 1000
"""How many sessions a connector remembers; the oldest is forgotten first."""


@dataclass(frozen=True, slots=True)
class Session:
    """One session: whose credential opened it, when that credential ends, and the contexts that were accepted."""

    id: str
    digest: bytes
    issued_at: datetime
    expiry: datetime
    contexts: tuple[str, ...]


class Sessions:
    """The sessions of one connector."""

    def __init__(self) -> None:
        self._opened: deque[Session] = deque(maxlen=KEPT)

    def open(self, session: Session) -> None:
        """Remember a session."""
        self._opened.append(session)

    def find(self, credential: Credential, expiry: datetime) -> Sequence[Session]:
        """Sessions that this credential opened and that end then, the newest first."""
        return [one for one in reversed(self._opened) if (one.digest, one.expiry) == (credential.digest, expiry)]
