"""The port of a ledger's store, and what every store does alike: what to append, and finding what is there already."""

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from mmap import mmap
from typing import NamedTuple, Protocol

from pytest_spiral.errors import UntrustedError
from pytest_spiral.model.base import Value
from pytest_spiral.model.entry import Entry, LedgerBegun
from pytest_spiral.rules.entries import NOTHING, encode_ending, encode_entry, parse_entry

Wall = Callable[[], int]
"""Microseconds since 1970 UTC."""


class Store(Protocol):
    """Where a ledger is kept. Appending is durable when it returns, and doing it again with the same record is nothing."""

    @property
    def name(self) -> str:
        """How the store is called on the command line."""

    def append(self, *records: Value) -> tuple[Entry, ...]:
        """Append records, one entry each, in one go; gives each one's entry, new or known. Raises EvidenceError."""

    def lines(self) -> Iterator[bytes]:
        """The raw lines, from entry 0; a torn one at the end is left out. Nothing where there is no ledger yet."""


class Written(NamedTuple):
    """What has to be written, and the entry that each record has then."""

    data: bytes
    entries: tuple[Entry, ...]


def compose(
    last: bytes | None,
    records: Sequence[Value],
    find: Callable[[bytes], Entry | None],
    wall: Wall,
    notes: Iterable[Value] = (),
) -> Written:
    """The lines to write after the raw line `last` (None: begin the ledger), and the entry of each record.

    `find` gives the entry with this kind and body, as `encode_ending` spells them; such a record is not written again.
    `notes` are written first, if anything is.
    """
    known = [find(encode_ending(record)) if last is not None else None for record in records]
    entries: list[Entry] = []
    lines: list[bytes] = []

    def add(record: Value) -> Entry:
        nonlocal last
        before = _parsed(last) if last is not None else None
        seq, prev = (before.seq + 1, before.digest) if before is not None else (0, NOTHING)
        last = encode_entry(seq, prev, wall(), record)
        lines.append(last)
        return parse_entry(last)

    fresh: dict[bytes, Entry] = {}
    if last is None:
        add(LedgerBegun(nonce=secrets.token_hex(16)))
    for note in notes:
        add(note)
    for record, there in zip(records, known, strict=True):
        needle = encode_ending(record)
        if there is None and needle not in fresh:
            fresh[needle] = add(record)
        entries.append(there if there is not None else fresh[needle])
    return Written(b"".join(lines), tuple(entries))


def find_entry(data: bytes | mmap, ending: bytes) -> Entry | None:
    """The first entry in a ledger's bytes whose line ends so (`encode_ending`); None where there is none."""
    at = data.find(ending)
    if at < 0:
        return None
    return parse_entry(data[data.rfind(b"\n", 0, at) + 1 : at + len(ending)])


def _parsed(raw: bytes) -> Entry:
    try:
        return parse_entry(raw)
    except UntrustedError as problem:
        said = f"its last entry cannot be read, so nothing can continue from it: {problem} Remedy: spiral ledger fsck."
        raise UntrustedError(problem.code, said) from problem
