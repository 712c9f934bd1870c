"""What a session knows between two steps. Its digest stands at every step of the log."""

import msgspec

from spiral_sandbox.crown.canonical import Plain, digest_of


class State(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a session.

    `steps` counts the steps taken. `heard` is a digest over everything that came from outside, in order: nothing can
    come in and leave the state as it was. `at_ms` is the last reading of the clock, `pause_ms` how long the session
    had been idle then. `notes` are what agents asked to keep in mind, the oldest first.
    """

    steps: int
    heard: str
    mood: str
    turns: int = 0
    at_ms: int = 0
    pause_ms: int = 0
    notes: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """The digest of all fields."""
        return digest_of(msgspec.to_builtins(self))

    def hearing(self, kind: str, body: Plain) -> "State":
        """The state after something came from outside."""
        return msgspec.structs.replace(self, heard=digest_of([self.heard, kind, body]))

    def read_clock(self, at_ms: int) -> "State":
        """The state after the clock was read; there is no pause before the first request."""
        pause = at_ms - self.at_ms if self.turns > 1 else 0
        return msgspec.structs.replace(self, at_ms=at_ms, pause_ms=pause)

    def keeping(self, notes: tuple[str, ...], most: int) -> "State":
        """The state with further notes in mind: each once, the oldest forgotten where there are too many."""
        kept = dict.fromkeys((*(one for one in self.notes if one not in notes), *notes))
        return msgspec.structs.replace(self, notes=tuple(kept)[-most:])

    def stepped(self) -> "State":
        """The state one step further."""
        return msgspec.structs.replace(self, steps=self.steps + 1)
