"""Very many records of tests in little memory: what they have in common is kept once, their names are shared."""

from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import Final, overload

import msgspec

from pytest_spiral.model.record import Test

_REPLACE: Final = msgspec.structs.replace


class RecordedTests(Sequence[Test]):
    """Records of tests in the order in which they were added; reads as a sequence of them.

    A record takes some 30 bytes where its names are shared and others ended as it did, in place of 250.
    """

    __hash__ = None  # type: ignore[assignment] # it grows

    def __init__(self) -> None:
        self._names: list[str] = []
        self._next: list[str] = []
        self._durations = array("q")
        self._kinds = array("L")
        self._known: dict[Test, int] = {}
        self._rest: list[Test] = []

    def add(self, test: Test, name: Callable[[str], str] = str) -> None:
        """Take one; `name` gives the text that stands for an equal one, so that it is kept once."""
        rest = _REPLACE(test, id="", next="", duration_ns=0)
        kind = self._known.setdefault(rest, len(self._rest))
        if kind == len(self._rest):
            self._rest.append(rest)
        self._names.append(name(test.id))
        self._next.append(name(test.next))
        self._durations.append(test.duration_ns)
        self._kinds.append(kind)

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[Test]:
        ended = map(self._rest.__getitem__, self._kinds)
        for rest, name, following, duration in zip(ended, self._names, self._next, self._durations, strict=True):
            yield _REPLACE(rest, id=name, next=following, duration_ns=duration)

    @overload
    def __getitem__(self, at: int) -> Test: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Test, ...]: ...
    def __getitem__(self, at: int | slice) -> Test | tuple[Test, ...]:
        if isinstance(at, slice):
            return tuple(map(self._made, range(len(self._names))[at]))
        return self._made(range(len(self._names))[at])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(one == two for one, two in zip(self, other, strict=True))

    def __repr__(self) -> str:
        return f"<{len(self)} records of tests>"

    def _made(self, at: int) -> Test:
        rest = self._rest[self._kinds[at]]
        return _REPLACE(rest, id=self._names[at], next=self._next[at], duration_ns=self._durations[at])
