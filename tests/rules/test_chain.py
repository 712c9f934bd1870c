"""Journal lines: what is written reads back as the same, and nothing else is taken."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_spiral.errors import EvidenceError, UntrustedError
from pytest_spiral.model import record
from pytest_spiral.model.base import MOST_INTEGER
from pytest_spiral.model.fidelity import Fidelity
from pytest_spiral.model.profile import Fact
from pytest_spiral.rules import chain
from pytest_spiral.rules.canonical import digest
from pytest_spiral.rules.chain import encode_line, first_link, link_faults, link_of, parse_line

PREV = digest(b"bundle")
FLAT = [kind for kind in record.RECORDS.values() if chain._FORMS[kind].flat]


def fields_of(kind: type) -> dict[str, st.SearchStrategy]:
    """A strategy for each field of a flat record, from its type."""
    made = {}
    for field in msgspec.structs.fields(kind):
        match msgspec.inspect.type_info(field.type):
            case msgspec.inspect.StrType():
                made[field.name] = st.text(max_size=20)
            case msgspec.inspect.IntType():
                made[field.name] = st.integers(-MOST_INTEGER, MOST_INTEGER)
            case msgspec.inspect.BoolType():
                made[field.name] = st.booleans()
            case msgspec.inspect.LiteralType(values=values):
                made[field.name] = st.sampled_from(sorted(values))
            case msgspec.inspect.VarTupleType():
                made[field.name] = st.lists(st.text(max_size=9), max_size=3).map(tuple)
    return made


numbers = st.integers(-MOST_INTEGER, MOST_INTEGER)
answers = st.dictionaries(
    st.text(max_size=5), st.none() | numbers | st.text(max_size=9) | st.lists(st.booleans(), max_size=3), max_size=3
)
heads = st.builds(record.JournalHead, n=numbers, digest=st.just(PREV), ended=st.booleans())
others = (
    st.builds(record.End, exit_status=numbers, workers=st.dictionaries(st.text(max_size=4), heads, max_size=2))
    | st.builds(
        record.SubjectSeen,
        subject=st.text(max_size=9),
        when=st.sampled_from(["start", "end"]),
        identity=st.text(max_size=9),
        version=st.text(max_size=9),
        digest=st.just(PREV),
        registered=st.sampled_from(Fidelity),
        challenge=st.none()
        | st.builds(record.Challenge, kind=st.text(max_size=5), nonce=st.just("ab"), answers=answers),
    )
    | st.builds(
        record.FactSeen,
        fact=st.builds(
            Fact,
            name=st.just("memory"),
            state=st.just("present"),
            kind=st.just("hardware"),
            evidence=st.text(st.characters(codec="utf-8"), min_size=1, max_size=9),
            command=st.just("free"),
            value=numbers | st.text(st.characters(codec="utf-8"), min_size=1, max_size=9),
        ),
    )
)
records = st.one_of([st.builds(kind, **fields_of(kind)) for kind in FLAT] + [others])

TEST = record.Test(id="t.py::test_a", criteria=("B1.latency",), why="because", duration_ns=5, next="t.py::test_b")
LINE = encode_line(3, PREV, 1_795_339_800_000_000, 77, TEST)


def refused(raw: bytes) -> str | None:
    try:
        parse_line(raw)
    except UntrustedError as problem:
        return problem.code
    return None


@given(records, st.integers(0, MOST_INTEGER), st.integers(0, MOST_INTEGER))
@settings(deadline=None, max_examples=300)
def test_every_record_reads_back_as_it_was_written(one, n, wall):
    raw = encode_line(n, PREV, wall, 0, one)
    line, read = parse_line(raw)
    assert read == one
    assert (line.n, line.prev, line.wall, line.mono, line.kind) == (n, PREV, wall, 0, record.KINDS[type(one)])
    assert raw.endswith(b"\n")
    assert b"\n" not in raw[:-1]


@given(records)
@settings(deadline=None)
def test_both_ways_of_reading_agree_on_what_is_written(one):
    raw = encode_line(1, PREV, 2, 3, one)
    quick = chain._parse_own(raw)
    line, read = chain._parse_any(raw, 32)
    assert read == one
    if quick is not None:
        assert quick[1] == read
        assert (quick[0].n, quick[0].prev, quick[0].kind) == (line.n, line.prev, line.kind)


@given(st.data())
@settings(deadline=None, max_examples=500)
def test_the_quick_way_takes_nothing_that_the_thorough_way_refuses(data):
    raw = bytearray(LINE)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(raw) - 1))
        piece = data.draw(
            st.sampled_from([b"", b"0", b"-", b"9999999999", b" ", b"\\ud800", b",", b'"', b"\xff", b"1e4"])
        )
        raw[at : at + data.draw(st.integers(0, 2))] = piece
    quick = chain._parse_own(bytes(raw))
    if quick is not None:
        line, read = chain._parse_any(bytes(raw), 32)
        assert quick[1] == read
        assert (quick[0].n, quick[0].prev, quick[0].wall, quick[0].mono) == (line.n, line.prev, line.wall, line.mono)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (b"", b"", None),
        (b'{"n":3', b' { "n" : 3', None),
        (b'"next":', b'"needs":[],"next":', "json-duplicate-key"),
        (b'{"n":3', b'{"n":4,"n":3', "json-duplicate-key"),
        (b'"duration_ns":5', b'"duration_ns":-0', "json-negative-zero"),
        (b'"duration_ns":5', b'"duration_ns":9007199254740992', "json-integer"),
        (b'"n":3', b'"n":9007199254740992', "json-integer"),
        (b'"mono":77', b'"mono":-9007199254740992', "json-integer"),
        (b'"duration_ns":5', b'"duration_ns":5.0', "field-wrong"),
        (b'"duration_ns":5', b'"duration_ns":NaN', "json-number"),
        (b'"because"', rb'"\ud800"', "json-surrogate"),
        (b'"because"', b'"\xff"', "json-encoding"),
        (b'"because"', b"[" * 40 + b"]" * 40, "json-depth"),
        (b'"raised":""', b'"raised":"success"', "field-wrong"),
        (b'"next":', b'"nxt":', "field-wrong"),
        (b'"kind":"test"', b'"kind":"tset"', "record-unknown"),
        (b'"kind":"test",', b"", "field-wrong"),
        (b'"kind":"test"', b'"kind":"test","ext":1', "field-wrong"),
        (b'"body":{', b'"body":[{', "json-syntax"),
        (b"}\n", b"\n", "json-syntax"),
    ],
)
def test_a_line_is_refused_for_the_right_reason_or_not_at_all(old, new, code):
    changed = LINE.replace(old, new, 1)
    assert (changed == LINE) is (old == new)
    assert refused(changed) == code


@pytest.mark.parametrize("size", [65_000, 66_000])
def test_a_line_has_at_most_64_kib(size):
    long = msgspec.structs.replace(TEST, why="x" * size)
    if size < 65_536 - 500:
        assert len(encode_line(0, PREV, 1, 1, long)) <= chain.LINE_LIMIT
    else:
        with pytest.raises(EvidenceError, match="at most 65536"):
            encode_line(0, PREV, 1, 1, long)


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": 5},
        {"duration_ns": 1.5},
        {"duration_ns": MOST_INTEGER + 1},
        {"raised": "success"},
        {"criteria": "B1.latency"},
        {"duration_ns": float("nan")},
    ],
    ids=repr,
)
def test_a_record_that_would_not_read_back_is_not_written(wrong: dict[str, Any]):
    with pytest.raises(EvidenceError, match="cannot be kept"):
        encode_line(0, PREV, 1, 1, record.Test(**{"id": "t", **wrong}))


@pytest.mark.parametrize(
    "answer", [float("nan"), float("inf"), 2**60, {1: 2}, Ellipsis, {"a": [float("-inf")]}], ids=repr
)
def test_an_answer_that_json_does_not_have_is_not_written(answer):
    seen = record.SubjectSeen(
        subject="memory", when="start", identity="", version="", digest="", registered=Fidelity.STUB,
        challenge=record.Challenge(kind="x", nonce="", answers={"a": answer}),
    )  # fmt: skip
    with pytest.raises(EvidenceError, match="kept"):
        encode_line(0, PREV, 1, 1, seen)


def test_a_text_with_half_a_pair_is_written_with_its_escape():
    raw = encode_line(0, PREV, 1, 1, record.Test(id="t", why="caf\udce9 \ud83d"))
    assert parse_line(raw)[1] == record.Test(id="t", why="caf\\udce9 \\ud83d")


def chained(count: int) -> list[bytes]:
    """A good chain of that many lines."""
    link = first_link(b"bundle")
    lines = []
    for n in range(count):
        lines.append(encode_line(n, link.digest, 1, n * 10, record.Test(id=f"t{n}")))
        link = link_of(parse_line(lines[-1])[0], lines[-1])
    return lines


def faults(lines: list[bytes]) -> list[str]:
    link, found = first_link(b"bundle"), []
    for raw in lines:
        line, _ = parse_line(raw)
        found += [code for code, _ in link_faults(link, line)]
        link = link_of(line, raw)
    return found


@pytest.mark.parametrize(
    ("tamper", "codes"),
    [
        (lambda lines: lines, set()),
        (lambda lines: lines[:-1], set()),
        (lambda lines: lines[:2] + lines[3:], {"journal-sequence", "journal-chain"}),
        (lambda lines: lines[:3] + lines[2:], {"journal-sequence", "journal-chain"}),
        (
            lambda lines: [lines[0], lines[2], lines[1], *lines[3:]],
            {"journal-sequence", "journal-chain", "journal-time"},
        ),
        (lambda lines: lines[1:], {"journal-sequence", "journal-chain"}),
        (lambda lines: [lines[0].replace(b"t0", b"t9"), *lines[1:]], {"journal-chain"}),
        (
            lambda lines: [lines[0], lines[1].replace(b'"mono":10', b'"mono":99'), *lines[2:]],
            {"journal-chain", "journal-time"},
        ),
    ],
    ids=["whole", "cut short", "dropped", "doubled", "reordered", "beheaded", "edited", "moved in time"],
)
def test_a_chain_shows_what_was_done_to_it(tamper, codes):
    assert set(faults(tamper(chained(5)))) == codes


def test_a_chain_begins_at_the_bytes_of_its_bundle():
    (line,) = chained(1)
    assert [code for code, _ in link_faults(first_link(b"another"), parse_line(line)[0])] == ["journal-chain"]
    assert json.loads(line)["prev"] == digest(b"bundle")
