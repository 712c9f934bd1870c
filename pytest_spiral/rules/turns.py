"""Whether two sides of a comparison took turns, so that whatever the machine did in the meantime met both."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

_LEAST_TURNS: Final = 3
"""One pair in so many, at least, has either side first; one call in so many, in each part, is of either side."""

_PARTS: Final = 4
"""Into so many parts, in the order in which they were sent, the calls of two series are cut."""


class Call(NamedTuple):
    """When a call was sent and done, in nanoseconds on one monotonic clock."""

    sent: int
    done: int


Pair = tuple[Call, Call]
"""The two calls of a pair, by side and not by time."""


def pairing_fault(pairs: Sequence[Pair], first: str) -> str:
    """Why these are no interleaved pairs, in a sentence; empty where they are.

    No two calls overlap, none stands between the two of a pair, and either side is first in at
    least a third of them. `first` is how the first side is called.
    """
    spans = [sorted((call, side) for side, call in enumerate(pair)) for pair in pairs]
    calls = [call for span in spans for call, _ in span]
    if any(call.done < call.sent for call in calls):
        return "a call was done before it was sent."
    if any(later.sent < earlier.done for earlier, later in pairwise(calls)):
        return "two calls overlap, or a pair's calls do not stand side by side."
    firsts = sum(span[0][1] == 0 for span in spans)
    if min(firsts, len(spans) - firsts) * _LEAST_TURNS < len(spans) - 1:
        return f"{first} goes first in {firsts} of {len(spans)} pairs; the sides are to take turns."
    return ""


def series_fault(first: Sequence[int], second: Sequence[int], names: tuple[str, str]) -> str:
    """Why two series of calls, given by when each was sent, did not take turns; empty where they did.

    All calls are cut into four parts in the order in which they were sent, and in each part either side has at least a
    third. So drift over the whole meets both: a block of one side and then one of the other is too few, four of each
    are enough. Fewer than four calls cannot take turns.
    """
    order = sorted([(sent, 0) for sent in first] + [(sent, 1) for sent in second])
    edges = [len(order) * number // _PARTS for number in range(_PARTS + 1)]
    for number, (start, end) in enumerate(pairwise(edges), start=1):
        part = [side for _, side in order[start:end]]
        for side, name in enumerate(names):
            if part.count(side) * _LEAST_TURNS < len(part) - 1 or side not in part:
                return (
                    f"{name} has {part.count(side)} of {len(part)} calls in part {number} of {_PARTS}; "
                    "the sides are to take turns."
                )
    return ""
