"""Checking a whole ledger: every line, the chain, what follows what, adopted branches, and heads that were kept."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence

from pytest_spiral.errors import UntrustedError
from pytest_spiral.model.base import Value
from pytest_spiral.model.entry import (
    AttemptCollected,
    AttemptOpened,
    AttemptRecovered,
    AttemptSealed,
    Entry,
    LedgerHead,
)
from pytest_spiral.rules.entries import read_entries, with_branches
from pytest_spiral.rules.integrity import Finding, finding

_OF_RUNS = (AttemptOpened, AttemptCollected, AttemptSealed, AttemptRecovered)
_SLOT = 8  # bytes of a digest that are kept for each kind of entry of a run
_UNTOLD = bytes(_SLOT)
_ALIKE = 5


class Fsck(Value, frozen=True, kw_only=True):
    """What a check found. `head` is where the ledger stands (None: nothing could be read), `kinds` counts entries.

    `backward` is how often wall time runs back: clocks differ between machines, so that is told and is no fault.
    """

    head: LedgerHead | None
    kinds: dict[str, int]
    backward: int
    findings: tuple[Finding, ...]


def fsck(lines: Iterable[bytes], kept: Sequence[LedgerHead] = (), name: str = "") -> Fsck:
    """Check a ledger line by line; `kept` are heads of it that were noted elsewhere, before. Never raises.

    The chain is read up to the first break; of findings with one code, five are told and the rest are counted. Memory
    grows by 32 bytes an entry and some 200 a run.
    """
    work = _Check(kept)
    found = _Told(name)
    try:
        for entry in work.follow(read_entries(lines)):
            for code, said in work.take(entry):
                found.add(code, said)
    except UntrustedError as problem:
        found.add(problem.code, str(problem))
    for code, said in work.heads():
        found.add(code, said)
    kinds = dict(sorted(work.kinds.items()))
    return Fsck(head=work.head, kinds=kinds, backward=work.backward, findings=found.findings())


class _Told:
    """Findings, so many that a hostile ledger cannot fill the memory or the screen."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._kept: list[Finding] = []
        self._counts: dict[str, int] = {}

    def add(self, code: str, said: str) -> None:
        """Keep or count one."""
        self._counts[code] = self._counts.get(code, 0) + 1
        if self._counts[code] <= _ALIKE:
            self._kept.append(finding(code, self._name, said))

    def findings(self) -> tuple[Finding, ...]:
        """What was kept, and a line for each code of which more came."""
        rest = {code: count - _ALIKE for code, count in self._counts.items() if count > _ALIKE}
        more = [finding(code, self._name, f"{count} more findings of this kind.") for code, count in rest.items()]
        return (*self._kept, *more)


class _Check:
    def __init__(self, kept: Sequence[LedgerHead]) -> None:
        self.head: LedgerHead | None = None
        self.kinds: dict[str, int] = {}
        self.backward = 0
        self._wall = 0
        self._kept = dict.fromkeys(kept, False)
        self._runs: dict[bytes, bytes] = {}

    def follow(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Keep the head of the main chain, and go on to adopted branches where there are any."""

        def chain() -> Iterator[Entry]:
            for entry in entries:
                first = self.head.id if self.head is not None else entry.digest
                self.head = LedgerHead(id=first, seq=entry.seq, digest=entry.digest)
                yield entry

        return with_branches(chain())

    def take(self, entry: Entry) -> Iterator[tuple[str, str]]:
        """Hold an entry against those before it."""
        record, kind = entry.record, entry.kind
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        self.backward += entry.wall < self._wall
        self._wall = entry.wall
        for head in self._kept:
            if (head.seq, head.digest) == (entry.seq, entry.digest):
                self._kept[head] = True
        if isinstance(record, _OF_RUNS):
            yield from self._take_run(entry, record.nonce)

    def _take_run(self, entry: Entry, nonce: str) -> Iterator[tuple[str, str]]:
        """Each run is opened first, and each thing is told of it once; one entry may come twice, by two branches."""
        key = hashlib.sha256(nonce.encode()).digest()[: 2 * _SLOT]
        known = self._runs.get(key, _UNTOLD * len(_OF_RUNS))
        at = _SLOT * _OF_RUNS.index(type(entry.record))
        own = bytes.fromhex(entry.digest.rpartition(":")[2])[:_SLOT]
        before = known[at : at + _SLOT]
        if at and known[:_SLOT] == _UNTOLD:
            yield "ledger-order", f"entry {entry.seq} ({entry.kind}) is about a run that no entry before it opens."
        if before not in (_UNTOLD, own):
            yield "ledger-doubled", f"entry {entry.seq} says {entry.kind} of a run for the second time."
        self._runs[key] = known[:at] + own + known[at + _SLOT :]

    def heads(self) -> Iterator[tuple[str, str]]:
        """Heads that were kept and that the ledger does not have: it was rolled back, or is another one."""
        for head, found in self._kept.items():
            if self.head is not None and head.id != self.head.id:
                yield "ledger-other", f"the head at entry {head.seq} was kept of another ledger, {head.id}."
            elif not found:
                yield "ledger-head", f"entry {head.seq} of the head that was kept is not there, or is another one."
