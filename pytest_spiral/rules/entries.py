"""A ledger's bytes: how an entry is made and read, how each continues from the one before, what a branch adds.

A line is `{"seq":…,"prev":…,"wall":…,"kind":…,"body":{…}}` and LF, at most 64 KiB. `prev` is the digest of the raw
previous line with its LF; entry 0's is that of nothing, all zeros.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec
from msgspec import json

from pytest_spiral.errors import EvidenceError, UntrustedError
from pytest_spiral.model.base import Value
from pytest_spiral.model.entry import (
    ENTRIES,
    KIND_OF,
    Adopted,
    Digest,
    Entry,
    EntryLine,
    LedgerBegun,
    LedgerHead,
    Whole,
)
from pytest_spiral.rules.canonical import convert, digest, parse_strict, plain
from pytest_spiral.rules.integrity import Limits, shown

LINE_LIMIT: Final = Limits().journal_line
NOTHING: Final = f"sha256:{'0' * 64}"
"""What entry 0 continues from."""

_SHA256: Final = "sha256:"
_SIZE: Final = 32
_HEAD: Final = "spiral-head/1"
_HEAD_FIELDS: Final = ("id", "seq", "digest")
_PIECE: Final = 8_000  # characters of a branch in one entry; at 4 bytes each, doubled by escapes, below the limit
_ENCODE: Final = json.Encoder().encode
_DECODE: Final = json.Decoder(EntryLine).decode
_BODIES: Final = {kind: json.Decoder(record).decode for kind, record in ENTRIES.items()}


def encode_entry(seq: int, prev: str, wall: int, record: Value) -> bytes:
    """A line with its LF. Raises EvidenceError for a record that could not be read back, or takes over 64 KiB."""
    kind = KIND_OF[type(record)]
    raw = b'{"seq":%d,"prev":"%b","wall":%d,%b' % (seq, prev.encode(), wall, encode_ending(record))
    if len(raw) > LINE_LIMIT:
        raise EvidenceError(f"a ledger entry of kind {kind} takes {len(raw)} bytes, at most {LINE_LIMIT} are kept.")
    try:
        parse_entry(raw)
    except UntrustedError as problem:
        raise EvidenceError(f"a ledger entry of kind {kind} cannot be kept: {problem}") from problem
    return raw


def encode_ending(record: Value) -> bytes:
    """How the line of a record ends, whatever comes before: its kind, its body, LF. No other record's line ends so.

    Raises EvidenceError for a record that cannot be kept.
    """
    return b'"kind":"%b","body":%b}\n' % (KIND_OF[type(record)].encode(), _ENCODE(plain(record)))


def parse_entry(raw: bytes) -> Entry:
    """Read one line strictly. Raises UntrustedError: a `json-…` code, `line-too-long`, `entry-unknown`, `field-wrong`."""
    if len(raw) > LINE_LIMIT:
        raise UntrustedError("line-too-long", f"{len(raw)} bytes, a ledger's line has at most {LINE_LIMIT}.")
    frame, record = _parse_own(raw) or _parse_any(raw)
    return Entry(seq=frame.seq, prev=frame.prev, wall=frame.wall, record=record, digest=digest(raw))


def read_entries(lines: Iterable[bytes]) -> Iterator[Entry]:
    """Read a whole ledger line by line, each with its LF, and hold the chain; constant memory.

    Raises UntrustedError at the first thing that is wrong: as `parse_entry`, `ledger-torn`, `ledger-start`,
    `ledger-sequence`, `ledger-chain`. No line at all is no ledger: `ledger-start`.
    """
    last: Entry | None = None
    for raw in lines:
        entry = parse_entry(raw)
        if not raw.endswith(b"\n"):
            raise UntrustedError("ledger-torn", f"entry {entry.seq} has no line end.")
        check_link(last, entry)
        yield entry
        last = entry
    if last is None:
        raise UntrustedError("ledger-start", "it is empty, and a ledger begins with its entry 0.")


def check_link(last: Entry | None, entry: Entry) -> None:
    """Raise UntrustedError unless an entry continues from the last one (None: it is the first)."""
    if last is None:
        if not isinstance(entry.record, LedgerBegun) or entry.seq != 0 or entry.prev != NOTHING:
            raise UntrustedError("ledger-start", "the first line is no entry 0 of kind ledger.")
        return
    if entry.seq != last.seq + 1:
        raise UntrustedError("ledger-sequence", f"entry {entry.seq} follows entry {last.seq}.")
    if entry.prev != last.digest:
        raise UntrustedError("ledger-chain", f"entry {entry.seq} does not continue from the line before it.")
    if isinstance(entry.record, LedgerBegun):
        raise UntrustedError("ledger-start", f"entry {entry.seq} begins another ledger inside this one.")


def head_of(entries: Iterable[Entry]) -> LedgerHead:
    """The head of entries that were read; ValueError for none."""
    first = last = None
    for entry in entries:
        first = first or entry
        last = entry
    if first is None or last is None:
        raise ValueError("no entry, no head")
    return LedgerHead(id=first.digest, seq=last.seq, digest=last.digest)


def render_head(head: LedgerHead) -> str:
    """A head as one line of text, without LF: `spiral-head/1 ID SEQUENCE DIGEST`."""
    return f"{_HEAD} {head.id} {head.seq} {head.digest}"


def parse_head(text: str) -> LedgerHead:
    """Read a head back; raises UntrustedError `ledger-head-form`."""
    word, *rest = text.split() or [""]
    form = f"{shown(text, 60)!r} is no head of a ledger."
    if word != _HEAD or len(rest) != len(_HEAD_FIELDS) or not (rest[1].isascii() and rest[1].isdigit()):
        raise UntrustedError("ledger-head-form", form)
    try:
        return msgspec.convert(dict(zip(_HEAD_FIELDS, rest, strict=True)), LedgerHead, strict=False)
    except msgspec.ValidationError as problem:
        raise UntrustedError("ledger-head-form", form) from problem


def lines_of(data: bytes) -> list[bytes]:
    """The lines of a ledger's bytes, each with its LF; bytes after the last LF are the last one."""
    lines = data.split(b"\n")
    rest = lines.pop()
    return [line + b"\n" for line in lines] + ([rest] if rest else [])


def split_branch(fork: int, lines: Iterable[bytes]) -> tuple[Adopted, ...]:
    """The entries that embed a losing branch: its lines after entry `fork`."""
    raw = list(lines)
    text = b"".join(raw).decode()
    pieces = [text[at : at + _PIECE] for at in range(0, len(text), _PIECE)]
    last = digest(raw[-1])
    return tuple(
        Adopted(fork=fork, head=last, part=number, parts=len(pieces), text=piece)
        for number, piece in enumerate(pieces, start=1)
    )


def with_branches(entries: Iterable[Entry], before: bytes = b"") -> Iterator[Entry]:
    """All entries that count, each adopted branch's own ones after the last entry that embeds it.

    Entries of a branch keep the sequence that they had there. `before` has the digests of entries that are not given,
    from entry 0 on, 32 bytes each. Raises UntrustedError `ledger-adopted` where a branch does not continue from the entry that it
    names, or its parts are not whole.
    """
    digests, parts = bytearray(before), list[Adopted]()
    for entry in entries:
        digests += bytes.fromhex(entry.digest.removeprefix(_SHA256))
        yield entry
        if not isinstance(entry.record, Adopted):
            _check_whole(parts)
            continue
        parts.append(entry.record)
        _check_part(parts, entry)
        if len(parts) == entry.record.parts:
            yield from _branch(parts, digests, entry)
            parts = []
    _check_whole(parts)


def _check_whole(parts: list[Adopted]) -> None:
    if parts:
        raise UntrustedError("ledger-adopted", f"of a branch, {len(parts)} of {parts[0].parts} parts are there.")


def _check_part(parts: list[Adopted], entry: Entry) -> None:
    first, last = parts[0], parts[-1]
    alike = (first.fork, first.head, first.parts) == (last.fork, last.head, last.parts)
    if last.part != len(parts) or not alike:
        raise UntrustedError("ledger-adopted", f"entry {entry.seq} is not the part of a branch that comes next.")


def _branch(parts: list[Adopted], digests: bytearray, entry: Entry) -> Iterator[Entry]:
    known = parts[0]
    if known.fork >= entry.seq:
        raise UntrustedError("ledger-adopted", f"entry {entry.seq} adopts a branch from an entry that was not there.")
    before = bytes(digests[: _SIZE * (known.fork + 1)])
    seq, prev = known.fork, f"{_SHA256}{before[-_SIZE:].hex()}"
    found = []
    for raw in lines_of("".join(part.text for part in parts).encode()):
        one = parse_entry(raw)
        if (one.seq, one.prev) != (seq + 1, prev):
            raise UntrustedError("ledger-adopted", f"the branch in entry {entry.seq} is not a chain.")
        seq, prev = one.seq, one.digest
        found.append(one)
    if prev != known.head:
        raise UntrustedError("ledger-adopted", f"the branch in entry {entry.seq} does not end where it says.")
    yield from with_branches(found, before)


class _Frame(Value, frozen=True, kw_only=True):
    seq: Whole
    prev: Digest
    wall: Whole
    kind: str
    body: dict[str, Any]


def _parse_own(raw: bytes) -> tuple["EntryLine | _Frame", Value] | None:
    """Read a line that is spelled as this program spells it; None for any other, which proves nothing.

    Equal bytes after decoding and encoding again prove that the line has no second reading.
    """
    try:
        line = _DECODE(raw)
        record = _BODIES[line.kind](line.body)
        same = _ENCODE(line) + b"\n" == raw and _ENCODE(record) == bytes(line.body)
    except (msgspec.DecodeError, UnicodeError, RecursionError, KeyError):
        return None
    return (line, record) if same else None


def _parse_any(raw: bytes) -> tuple["EntryLine | _Frame", Value]:
    """Read a line however it is spelled, with every check."""
    frame = convert(parse_strict(raw), _Frame)
    kind = ENTRIES.get(frame.kind)
    if kind is None:
        raise UntrustedError("entry-unknown", f"kind {shown(frame.kind, 40)!r} is not known here.")
    return frame, convert(frame.body, kind)
