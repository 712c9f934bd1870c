"""A ledger's lines: what is written reads back, and nothing has two readings."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_spiral.errors import EvidenceError, UntrustedError
from pytest_spiral.model.entry import ENTRIES, KIND_OF, Artefact, AttemptSealed, LedgerBegun, Waived
from pytest_spiral.rules import entries as module
from pytest_spiral.rules.canonical import digest
from pytest_spiral.rules.entries import encode_ending, encode_entry, lines_of, parse_entry, read_entries

PREV = digest(b"before")
ARTEFACT = Artefact(name="rotation.json", sha256=PREV, bytes=12, view="rotation", facts={"window": "PT48H", "b": "x"})
LINE = encode_entry(3, PREV, 1_795_339_800_000_000, ARTEFACT)

records = st.one_of(
    st.builds(Artefact, name=st.text(max_size=20), sha256=st.just(PREV), bytes=st.integers(0, 2**53 - 1),
              facts=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=4)),
    st.builds(LedgerBegun, nonce=st.text(alphabet="0123456789abcdef", max_size=32)),
    st.builds(AttemptSealed, nonce=st.text(max_size=8), manifest=st.just(PREV),
              verdicts=st.dictionaries(st.text(max_size=8), st.sampled_from(["pass", "fail"]), max_size=3)),
    st.builds(Waived, criterion=st.text(max_size=5), subject=st.just(""), environment=st.just(""),
              verdict=st.just("fail"), value=st.none() | st.floats(allow_nan=False, allow_infinity=False),
              reason=st.text(max_size=5), requester=st.just("a"), approver=st.just("b"), until=st.just(5),
              signature=st.just("")),
)  # fmt: skip


@given(record=records, seq=st.integers(0, 2**53 - 1), wall=st.integers(0, 2**53 - 1))
def test_what_is_written_reads_back(record, seq, wall):
    raw = encode_entry(seq, PREV, wall, record)
    found = parse_entry(raw)
    assert (found.seq, found.prev, found.wall, found.digest) == (seq, PREV, wall, digest(raw))
    assert msgspec.to_builtins(found.record) == json.loads(raw)["body"]
    assert raw.endswith(encode_ending(record))
    assert raw.count(b"\n") == 1


def test_every_kind_has_its_word():
    assert {KIND_OF[record]: record for record in KIND_OF} == ENTRIES


def test_an_own_line_is_read_the_quick_way_and_no_other_is():
    assert module._parse_own(LINE) is not None
    for other in (LINE[:-1] + b" \n", LINE.replace(b'":', b'": ', 1), LINE[:-1], LINE.replace(b"}}\n", b'},"x":1}\n')):
        assert module._parse_own(other) is None


def test_another_spelling_of_an_entry_is_read_as_what_it_says():
    spaced = json.dumps(json.loads(LINE), indent=None).encode() + b"\n"
    assert spaced != LINE
    found = parse_entry(spaced)
    assert (found.record, found.digest) == (ARTEFACT, digest(spaced))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ((b'"seq":3', b'"seq":3,"seq":4'), "json-duplicate-key"),
        ((b'"facts":{', b'"facts":{"window":"x",'), "json-duplicate-key"),
        ((b'"bytes":12', b'"bytes":NaN'), "json-number"),
        ((b'"bytes":12', b'"bytes":9007199254740993'), "json-integer"),
        ((b'"bytes":12', b'"bytes":-1'), "field-wrong"),
        ((b'"bytes":12', b'"bytes":-0'), "json-negative-zero"),
        ((b'"bytes":12', b'"bytes":"12"'), "field-wrong"),
        ((b"PT48H", b"\\ud800"), "json-surrogate"),
        ((b"PT48H", b"\xff"), "json-encoding"),
        ((b'"wall":1', b'"wall":-1'), "field-wrong"),
        ((b'"prev":"sha256:', b'"prev":"sha512:'), "field-wrong"),
        ((b'"view":"rotation"', b'"view":"rotting"'), "field-wrong"),
        ((b'"kind":"artefact"', b'"kind":"artifact"'), "entry-unknown"),
        ((b'"body":{', b'"more":1,"body":{'), "field-wrong"),
        ((b"{", b"[" * 40 + b"{"), "json-depth"),
        ((b"\n", b""), None),
    ],
)
def test_what_two_parsers_might_read_in_two_ways_is_refused(change, code):
    damaged = LINE.replace(*change, 1)
    assert damaged != LINE
    if code is None:
        damaged += b"x"
        code = "json-syntax"
    with pytest.raises(UntrustedError) as refused:
        parse_entry(damaged)
    assert refused.value.code == code


@given(at=st.integers(0, len(LINE) - 1), byte=st.integers(0, 255))
def test_any_changed_byte_changes_the_digest_or_is_refused(at, byte):
    damaged = LINE[:at] + bytes([byte]) + LINE[at + 1 :]
    try:
        found = parse_entry(damaged)
    except UntrustedError:
        return
    assert (found.digest == digest(LINE)) == (damaged == LINE)


@given(data=st.binary(max_size=200))
def test_bytes_that_are_no_ledger_are_refused_with_a_code(data):
    with pytest.raises(UntrustedError) as refused:
        list(read_entries(lines_of(data)))
    assert refused.value.code


@given(data=st.binary(max_size=60))
def test_lines_are_the_bytes(data):
    assert b"".join(lines_of(data)) == data


def test_half_of_a_surrogate_pair_is_kept_as_its_escape():
    raw = encode_entry(0, PREV, 0, Artefact(name="a\ud800b", sha256=PREV, bytes=0))
    assert parse_entry(raw).record.name == "a\\ud800b"


@pytest.mark.parametrize(
    "record", [Artefact(name="x", sha256="sha256:1", bytes=0), Artefact(name="x", sha256=PREV, bytes=-1)]
)
def test_a_record_that_could_not_be_read_back_is_not_written(record):
    with pytest.raises(EvidenceError, match="artefact"):
        encode_entry(0, PREV, 0, record)
