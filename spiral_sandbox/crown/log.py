"""The session log: JSON lines, one step each, each line bound to the one before it.

    step    0, 1, 2 … without a gap
    kind    what happened; the kinds and their bodies are listed in `session`
    body    all of it
    state   digest of the session's state after the step
    before  digest of the line before; 64 zeros before the first
    digest  SHA-256 over the canonical bytes of the five fields above

A line is exactly its canonical bytes (`canonical`) and a line feed, so a changed blank is a change too. The last line
is of kind `closed`: a log that was cut off has none.
"""

import io
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from spiral_sandbox.crown.canonical import Plain, canonical, digest_of

BEFORE_THE_FIRST = "0" * 64
"""What the first line of a log names as the digest of the line before."""

LONGEST_LINE = 1 << 20
"""Bytes that a line may have."""


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of a log."""

    step: int
    kind: str
    body: dict[str, Any]
    state: str
    before: str
    digest: str


class Broken(msgspec.Struct, frozen=True):
    """Where a log can no longer be read as one, and why: the field, what stands there, what should."""

    step: int
    field: str
    stands: str
    due: str


def record(step: int, said: tuple[str, Plain, str], before: str) -> Record:
    """The record of a step that follows `before`; `said` is its kind, body and state."""
    kind, body, state = said
    digest = digest_of({"step": step, "kind": kind, "body": body, "state": state, "before": before})
    return Record(step=step, kind=kind, body=body, state=state, before=before, digest=digest)


def sealed(said: Iterable[tuple[str, Plain, str]]) -> list[Record]:
    """Records with these kinds, bodies and states, numbered and chained from the first to the last."""
    records: list[Record] = []
    for step, one in enumerate(said):
        records.append(record(step, one, records[-1].digest if records else BEFORE_THE_FIRST))
    return records


def line_of(one: Record) -> bytes:
    """A record as its line."""
    return canonical(msgspec.structs.asdict(one)) + b"\n"


def written(records: Iterable[Record]) -> bytes:
    """A whole log as the bytes of its file."""
    return b"".join(map(line_of, records))


class Logger:
    """The tape of a first run: writes a log line by line; `sink` has each line before the session goes on."""

    def __init__(self, sink: Callable[[bytes], object]) -> None:
        self._sink = sink
        self._before = BEFORE_THE_FIRST
        self._count = 0

    def hear(self, kind: str, source: Callable[[], Plain]) -> Plain:
        """Ask the source; the session tells what it said."""
        del kind
        return source()

    def tell(self, kind: str, body: Plain, state: str) -> None:
        """Write the next line."""
        one = record(self._count, (kind, body, state), self._before)
        self._sink(line_of(one))
        self._before, self._count = one.digest, self._count + 1


def read_log(data: bytes) -> tuple[list[Record], Broken | None]:
    """The records of a log up to its end or to the first line that does not hold, and what is wrong with that one."""
    records: list[Record] = []
    for line in io.BytesIO(data):
        found = _read_line(line, len(records), records[-1].digest if records else BEFORE_THE_FIRST)
        if isinstance(found, Broken):
            return records, found
        records.append(found)
    return records, None


def _read_line(line: bytes, step: int, before: str) -> Record | Broken:
    if len(line) > LONGEST_LINE:
        return Broken(step, "line", f"{len(line)} bytes", f"at most {LONGEST_LINE} bytes")
    try:
        one = msgspec.json.decode(line, type=Record)
        same = line_of(one) == line
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        return Broken(step, "line", f"no record ({error})", "a record")
    if not same:
        return Broken(step, "line", "a record in other bytes", "its canonical bytes and a line feed")
    due = record(step, (one.kind, one.body, one.state), before)
    for field in ("step", "before", "digest"):
        if getattr(one, field) != getattr(due, field):
            return Broken(step, field, str(getattr(one, field)), str(getattr(due, field)))
    return one
