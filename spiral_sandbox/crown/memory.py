"""Long-term memory of crown: notes that outlive a session."""

from collections.abc import Iterable

from spiral_sandbox.crown.words import words

MOST_RECALLED = 3


class Notes:
    """Notes in the order in which they were made."""

    def __init__(self, notes: Iterable[str] = ()) -> None:
        self._notes = list(notes)

    def add(self, note: str) -> int:
        """Keep a note; gives how many there are."""
        self._notes.append(note)
        return len(self._notes)

    def recall(self, terms: list[str]) -> list[str]:
        """Notes that hold one of the terms: those with most of them first, then the older ones; at most three."""
        held = [(sum(term in words(note) for term in terms), place) for place, note in enumerate(self._notes)]
        found = sorted((-count, place) for count, place in held if count)
        return [self._notes[place] for _, place in found[:MOST_RECALLED]]
