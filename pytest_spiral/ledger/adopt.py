"""Healing a fork: the losing branch is embedded in the winning ledger, and both count."""

from collections.abc import Iterable
from typing import NamedTuple

from pytest_spiral.errors import UntrustedError, UseError
from pytest_spiral.ledger.store import Store
from pytest_spiral.model.entry import Entry
from pytest_spiral.rules.entries import read_entries, split_branch


class Healed(NamedTuple):
    """The last entry that both have, how many entries were taken over, and the entries that embed them."""

    fork: int
    taken: int
    entries: tuple[Entry, ...]


def adopt(ledger: Store, losing: Iterable[bytes]) -> Healed:
    """Embed what only the losing ledger has; doing it again changes nothing.

    Raises UseError where the two are no branches of one ledger, UntrustedError where one of them does not hold.
    """
    branch = list(losing)
    whole = _chain(branch, "the other ledger")
    known = _chain(list(ledger.lines()), ledger.name)
    if whole[0].digest != known[0].digest:
        raise UseError(
            f"{ledger.name} and the other one were begun apart, so neither is a branch of the other. "
            "Remedy: keep both, and verify each bundle with the one that it was registered in."
        )
    pairs = zip(whole, known, strict=False)
    fork = max(one.seq for one, other in pairs if one.digest == other.digest)
    rest = branch[fork + 1 :]
    if not rest:
        return Healed(fork, 0, ())
    return Healed(fork, len(rest), ledger.append(*split_branch(fork, rest)))


def _chain(lines: list[bytes], name: str) -> list[Entry]:
    try:
        return list(read_entries(lines))
    except UntrustedError as problem:
        raise UntrustedError(problem.code, f"{name} does not hold: {problem}") from problem
