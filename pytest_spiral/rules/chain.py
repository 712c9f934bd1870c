"""A journal's bytes: how a line is made and read, and how each continues from the one before.

A line is `{"n":…,"prev":…,"wall":…,"mono":…,"kind":…,"body":{…}}` and LF. `prev` is the digest of the raw previous
line with its LF; the first line's is the digest of `bundle.json`'s bytes.
"""

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import inspect, json

from pytest_spiral.errors import EvidenceError, UntrustedError
from pytest_spiral.model.base import MOST_INTEGER, Value
from pytest_spiral.model.record import KINDS, RECORDS, Line
from pytest_spiral.rules.canonical import check_integer, convert, digest, parse_strict, plain
from pytest_spiral.rules.integrity import Limits, shown

LINE_LIMIT: Final = Limits().journal_line


class Link(Value, frozen=True, kw_only=True):
    """Where a chain stands: sequence, digest and monotonic time of the last line (before the first: -1 and 0)."""

    n: int
    digest: str
    mono: int


def first_link(bundle: bytes) -> Link:
    """What every journal of a run begins from: the bytes of its `bundle.json`."""
    return Link(n=-1, digest=digest(bundle), mono=0)


def link_of(line: Line, raw: bytes) -> Link:
    """Where the chain stands after that line."""
    return Link(n=line.n, digest=digest(raw), mono=line.mono)


def link_faults(link: Link, line: Line) -> Iterator[tuple[str, str]]:
    """What keeps a line from continuing the chain: reason code and sentence, nothing for a good one."""
    if line.n != link.n + 1:
        yield "journal-sequence", f"record {shown(line.n, 24)} follows record {link.n}."
    if line.prev != link.digest:
        yield "journal-chain", f"record {shown(line.n, 24)} does not continue from the line before it."
    if line.mono < link.mono:
        yield "journal-time", f"record {shown(line.n, 24)} is {link.mono - line.mono} ns before the one it follows."


def encode_body(record: Value) -> bytes:
    """The JSON of a record, such that it reads back as the same record.

    Raises EvidenceError for a record that cannot be read back: another type, a number out of range.
    Half a surrogate pair in a text becomes its escape in plain characters.
    """
    form = _FORMS[type(record)]
    try:
        if form.flat:
            body = _ENCODE(record)
            form.check(form.decode(body))
            return body
    except (UnicodeEncodeError, msgspec.ValidationError):
        pass  # the thorough way below either mends it or says what is wrong
    except UntrustedError as problem:
        raise EvidenceError(f"a {KINDS[type(record)]} record cannot be kept: {problem}") from problem
    body = _ENCODE(plain(record))
    try:
        form.decode(body)
    except msgspec.ValidationError as problem:
        raise EvidenceError(f"a {KINDS[type(record)]} record cannot be kept: {problem}.") from problem
    return body


def encode_line(n: int, prev: str, wall: int, mono: int, record: Value) -> bytes:
    """A journal line with its LF; raises EvidenceError as `encode_body`, and for one longer than 64 KiB."""
    raw = b'{"n":%d,"prev":"%b","wall":%d,"mono":%d,"kind":"%b","body":%b}\n' % (
        n,
        prev.encode(),
        wall,
        mono,
        _FORMS[type(record)].kind,
        encode_body(record),
    )
    if len(raw) > LINE_LIMIT:
        kind = KINDS[type(record)]
        raise EvidenceError(f"a {kind} record takes {len(raw)} bytes, a journal line at most {LINE_LIMIT}.")
    return raw


def parse_line(raw: bytes, depth: int = Limits().depth) -> tuple[Line, Value]:
    """Read one line strictly: the frame and the record in it.

    Raises UntrustedError: a `json-…` code, `record-unknown`, `field-wrong`.
    """
    return _parse_own(raw) or _parse_any(raw, depth)


class _Form:
    """How one kind of record is encoded and decoded.

    A flat record holds only texts, integers, truth values and tuples of texts: equal bytes after decoding and
    encoding again then prove that the line has no second reading, integers' size apart.
    """

    __slots__ = ("decode", "flat", "integers", "kind", "record")

    def __init__(self, kind: str, record: type[Value]) -> None:
        self.kind = kind.encode()
        self.record = record
        self.decode = json.Decoder(record).decode
        fields = msgspec.structs.fields(record)
        types = {field.name: inspect.type_info(field.type) for field in fields}
        self.flat = all(_is_flat(one) for one in types.values())
        self.integers = tuple(name for name, one in types.items() if isinstance(one, inspect.IntType))

    def check(self, record: Value) -> None:
        for name in self.integers:
            number = getattr(record, name)
            if not -MOST_INTEGER <= number <= MOST_INTEGER:
                check_integer(number)


def _is_flat(kind: inspect.Type) -> bool:
    if isinstance(kind, inspect.VarTupleType):
        return isinstance(kind.item_type, inspect.StrType)
    return isinstance(kind, inspect.StrType | inspect.IntType | inspect.BoolType | inspect.LiteralType)


def _parse_own(raw: bytes) -> tuple[Line, Value] | None:
    """Read a line that is spelled as this program spells it; None for any other, which proves nothing."""
    try:
        line = _DECODE(raw)
        form = _BY_KIND[line.kind]
        if not form.flat:
            return None
        record = form.decode(line.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError):
        return None
    if _ENCODE(line) + b"\n" != raw or _RAW(_ENCODE(record)) != line.body:
        return None
    try:
        check_integer(line.n)
        check_integer(line.wall)
        check_integer(line.mono)
        form.check(record)
    except UntrustedError:
        return None
    return line, record


def _parse_any(raw: bytes, depth: int) -> tuple[Line, Value]:
    """Read a line however it is spelled, with every check."""
    built = parse_strict(raw, depth=depth)
    frame = convert(built, _Frame)
    form = _BY_KIND.get(frame.kind)
    if form is None:
        raise UntrustedError("record-unknown", f"kind {shown(frame.kind, 40)!r} is not known here.")
    record = convert(frame.body, form.record)
    line = Line(
        n=frame.n, prev=frame.prev, wall=frame.wall, mono=frame.mono, kind=frame.kind, body=_RAW(_ENCODE(frame.body))
    )
    return line, record


class _Frame(Value, frozen=True, kw_only=True):
    n: int
    prev: str
    wall: int
    mono: int
    kind: str
    body: dict[str, Any]


_RAW: Final = msgspec.Raw
_ENCODE: Final = json.Encoder().encode
_DECODE: Final = json.Decoder(Line).decode
_FORMS: Final = {record: _Form(kind, record) for kind, record in RECORDS.items()}
_BY_KIND: Final = {kind: _FORMS[record] for kind, record in RECORDS.items()}
