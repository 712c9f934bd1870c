"""Checking a whole ledger: every line, the chain, what follows what, adopted branches, and heads that were kept."""

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

_OF_RUNS = (AttemptCollected, AttemptSealed, AttemptRecovered)


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

    The chain is read up to the first break. Memory grows by 32 bytes an entry, and with the number of runs.
    """
    work = _Check(kept)
    findings: list[Finding] = []
    try:
        for entry in work.follow(read_entries(lines)):
            findings += [finding(code, name, said) for code, said in work.take(entry)]
    except UntrustedError as problem:
        findings.append(finding(problem.code, name, str(problem)))
    findings += [finding(code, name, said) for code, said in work.heads()]
    return Fsck(
        head=work.head, kinds=dict(sorted(work.kinds.items())), backward=work.backward, findings=tuple(findings)
    )


class _Check:
    def __init__(self, kept: Sequence[LedgerHead]) -> None:
        self.head: LedgerHead | None = None
        self.kinds: dict[str, int] = {}
        self.backward = 0
        self._wall = 0
        self._kept = dict.fromkeys(kept, False)
        self._opened: set[str] = set()
        self._ended: dict[tuple[str, str], str] = {}

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
        if isinstance(record, AttemptOpened):
            if record.nonce in self._opened:
                yield "ledger-doubled", f"entry {entry.seq} opens the run {record.run} once more."
            self._opened.add(record.nonce)
        elif isinstance(record, _OF_RUNS):
            yield from self._take_end(entry, record.nonce)

    def _take_end(self, entry: Entry, nonce: str) -> Iterator[tuple[str, str]]:
        if nonce not in self._opened:
            yield "ledger-order", f"entry {entry.seq} ({entry.kind}) is about a run that no entry before it opens."
        before = self._ended.setdefault((entry.kind, nonce), entry.digest)
        if before != entry.digest:
            yield "ledger-doubled", f"entry {entry.seq} says {entry.kind} of a run for the second time."

    def heads(self) -> Iterator[tuple[str, str]]:
        """Heads that were kept and that the ledger does not have: it was rolled back, or is another one."""
        for head, found in self._kept.items():
            if self.head is not None and head.id != self.head.id:
                yield "ledger-other", f"the head at entry {head.seq} was kept of another ledger, {head.id}."
            elif not found:
                yield "ledger-head", f"entry {head.seq} of the head that was kept is not there, or is another one."
