"""Collecting what does not add up, without letting a hostile bundle fill the memory or the screen."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from pytest_spiral.errors import UntrustedError
from pytest_spiral.rules.integrity import Finding, finding

Note = Callable[[Finding], None]
"""Takes a finding: keeps it, or raises it."""

ALIKE: Final = 5
"""How many findings with one code about one file are told one by one; the rest are counted."""

_MOST: Final = 10_000


@contextmanager
def noted(note: Note, path: str) -> Iterator[None]:
    """Turn an UntrustedError of the block into a finding about that path."""
    try:
        yield
    except UntrustedError as problem:
        note(finding(problem.code, path, str(problem)))


class Findings:
    """A `Note` that keeps findings in order; those alike beyond `ALIKE`, or beyond 10,000 in all, are counted."""

    def __init__(self) -> None:
        self._kept: list[Finding] = []
        self._seen: Counter[tuple[str, str]] = Counter()
        self._left: Counter[tuple[str, str]] = Counter()

    def __call__(self, found: Finding) -> None:
        """Keep or count one finding."""
        alike = (found.code, found.path) if len(self._seen) < _MOST else (found.code, "")
        self._seen[alike] += 1
        if self._seen[alike] <= ALIKE and len(self._kept) < _MOST:
            self._kept.append(found)
        else:
            self._left[alike] += 1

    def told(self) -> tuple[Finding, ...]:
        """All that was kept, by step, and a line for each kind of which only the number was kept."""
        rest = [
            finding(code, path, f"{count} more findings of this kind.") for (code, path), count in self._left.items()
        ]
        return tuple(sorted([*self._kept, *rest], key=lambda one: one.step))


def refuse(found: Finding) -> None:
    """A `Note` that takes nothing: raises UntrustedError with the finding's code."""
    raise UntrustedError(found.code, f"{found.path or 'the bundle'}: {found.sentence}")
