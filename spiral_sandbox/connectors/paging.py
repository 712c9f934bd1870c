"""Pages of a log that keeps its newest entries one by one, and numbers all of them from 1."""

from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def page(kept: deque[T], total: int, after: int, limit: int) -> Iterator[tuple[int, T]]:
    """Up to `limit` entries numbered above `after`, each with its number; `kept` are the newest of `total`."""
    forgotten = total - len(kept)
    first = max(after - forgotten, 0)
    return enumerate(islice(kept, first, first + limit), start=forgotten + first + 1)
