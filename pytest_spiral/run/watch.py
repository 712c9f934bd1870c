"""Watching a run: one that records nothing for too long, or comes to its deadline, is ended while it can be sealed."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_SECOND: Final = 1_000_000_000
_LONGEST_PAUSE_S: Final = 5.0
_LONGEST_GRACE_S: Final = 30.0
_LOOKS: Final = 20


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a run may record nothing, and how long it may take; nanoseconds, 0 for without end."""

    stall: int = 0
    deadline: int = 0

    @property
    def shortest_s(self) -> float:
        """The shorter of the two, in seconds; ValueError where there is neither."""
        return min(one for one in (self.stall, self.deadline) if one) / _SECOND

    def why(self, silent: int, spent: int) -> str:
        """Why a run that was silent and has gone on for so long must end; empty where it need not."""
        if self.deadline and spent >= self.deadline:
            return f"the deadline of {seconds_words(self.deadline)} has come"
        if self.stall and silent >= self.stall:
            return f"no process has recorded anything for {seconds_words(self.stall)}"
        return ""


def seconds_words(ns: int) -> str:
    """Nanoseconds as people write a limit: `90 s`, `1.5 s`."""
    return f"{ns / _SECOND:g} s"


class Watch:
    """Looks at a run from a thread of its own.

    `look` gives anything that changes when something is recorded, `mono` monotonic nanoseconds. When patience ends,
    `end` is called once with the reason. Where `stop` is not called soon after, neither by a main thread that reacts
    nor by one that comes free, `force` is called with the reason; a `stop` that comes in the middle of that waits.
    """

    def __init__(
        self,
        patience: Patience,
        look: Callable[[], object],
        mono: Callable[[], int],
        end: Callable[[str], None],
        force: Callable[[str], None],
    ) -> None:
        self._patience = patience
        self._look = look
        self._mono = mono
        self._end = end
        self._force = force
        self._origin = self._since = mono()
        self._seen = look()
        self._over = threading.Event()
        self._forcing = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="spiral-watch", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; returns when nothing of the watch will act any more."""
        with self._forcing:
            self._over.set()

    def check(self) -> str:
        """Look once: why the run must end, empty where it need not."""
        seen, now = self._look(), self._mono()
        if seen != self._seen:
            self._seen, self._since = seen, now
        return self._patience.why(now - self._since, now - self._origin)

    def _run(self) -> None:
        pause = min(_LONGEST_PAUSE_S, self._patience.shortest_s / _LOOKS)
        why = ""
        while not why:
            if self._over.wait(pause):
                return
            why = self.check()
        self._end(why)
        if self._over.wait(min(_LONGEST_GRACE_S, self._patience.shortest_s)):
            return
        with self._forcing:
            if not self._over.is_set():
                self._force(why)
