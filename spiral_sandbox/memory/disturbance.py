"""Faults of the memory fabric: the one place where its behaviour can be bent.

The honest `Disturbance` does nothing; each fault replaces one of its methods.
"""

import itertools
import time
from collections.abc import Collection, Sequence

SLOW_SHARD_SECONDS = 0.2
_SLOW_EVERY = 10
_FAILURE_EVERY = 100
_LOSS_EVERY = 5000


class InjectedFailureError(Exception):
    """A search that the fault plan makes fail."""


class Disturbance:
    """The seam: the fabric asks it at five points of its work."""

    def before_search(self) -> None:
        """Called once for every search that is about to be done."""

    def before_shard(self, shard: int) -> None:
        """Called in the worker of a search before it reads a shard."""

    def searched(self, shards: Sequence[int]) -> Sequence[int]:
        """Those of the shards that a search shall read."""
        return shards

    def uses_index(self) -> bool:
        """Whether a search asks the index, where there is one."""
        return True

    def audited(self, sequence: int) -> bool:
        """Whether the audit row of this sequence number shall be written."""
        del sequence  # the honest chain has every row
        return True


class FailingSearches(Disturbance):
    """Every hundredth search fails, counted from 1: ten in any thousand that follow each other."""

    def __init__(self) -> None:
        self._count = itertools.count(1)

    def before_search(self) -> None:
        """Count this search and raise InjectedFailureError if it is a hundredth one."""
        number = next(self._count)
        if number % _FAILURE_EVERY == 0:
            raise InjectedFailureError(f"search {number} fails by plan")


class SlowShard(Disturbance):
    """Shard 0 holds back every tenth search that reads it; searches held back do not wait for each other."""

    def __init__(self) -> None:
        self._count = itertools.count(1)

    def before_shard(self, shard: int) -> None:
        """Block the worker for 200 ms on every tenth visit of shard 0."""
        if shard == 0 and next(self._count) % _SLOW_EVERY == 0:
            time.sleep(SLOW_SHARD_SECONDS)


class ForgottenShard(Disturbance):
    """Shard 0 is searched only by the first search after an item was added: fast, and wrong.

    What was just added is found, so the fabric passes for a real one; only recall tells.
    """

    def __init__(self) -> None:
        self._fresh = False

    def audited(self, sequence: int) -> bool:
        """An item is being added."""
        del sequence
        self._fresh = True
        return True

    def searched(self, shards: Sequence[int]) -> Sequence[int]:
        """All shards but the first, unless an item has just been added."""
        fresh, self._fresh = self._fresh, False
        return shards if fresh else shards[1:]


class LossyAudit(Disturbance):
    """The audit row of every 5,000th item is never written."""

    def audited(self, sequence: int) -> bool:
        """False for one sequence number in 5,000."""
        return sequence % _LOSS_EVERY != 0


class ExactScan(Disturbance):
    """The index is there, and every search looks at all vectors all the same."""

    def uses_index(self) -> bool:
        """Never."""
        return False


class _Combined(Disturbance):
    """Several faults at once."""

    def __init__(self, parts: Sequence[Disturbance]) -> None:
        self._parts = parts

    def before_search(self) -> None:
        for part in self._parts:
            part.before_search()

    def before_shard(self, shard: int) -> None:
        for part in self._parts:
            part.before_shard(shard)

    def searched(self, shards: Sequence[int]) -> Sequence[int]:
        for part in self._parts:
            shards = part.searched(shards)
        return shards

    def uses_index(self) -> bool:
        return all(part.uses_index() for part in self._parts)

    def audited(self, sequence: int) -> bool:
        return all(part.audited(sequence) for part in self._parts)


STUB = "memory.stub"
"""The fault that bends nothing but replaces the whole fabric."""

_PARTS: dict[str, type[Disturbance]] = {
    "memory.fail-1-in-100": FailingSearches,
    "memory.slow-shard": SlowShard,
    "memory.wrong-neighbours": ForgottenShard,
    "memory.lossy-audit": LossyAudit,
    "memory.exact-scan": ExactScan,
}


def disturbance_of(faults: Collection[str]) -> Disturbance:
    """The disturbance for these faults; with none of them, one that does nothing.

    Raises KeyError on a fault that is not built: a plan that changes nothing would be a lie.
    """
    return _Combined([_PARTS[fault]() for fault in sorted(faults) if fault != STUB])
