"""RFC 8785 bytes, and JSON that means one thing only."""

import json
import math
import struct
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_spiral.errors import EvidenceError, UntrustedError
from pytest_spiral.model.base import MOST_INTEGER, Value
from pytest_spiral.rules.canonical import (
    canonical_bytes,
    convert,
    digest,
    parse_canonical,
    parse_strict,
    parse_value,
    plain,
)

# RFC 8785, appendix B: the bits of a double, and how it is written.
RFC_NUMBERS = [
    ("0000000000000000", "0"),
    ("8000000000000000", "0"),
    ("0000000000000001", "5e-324"),
    ("8000000000000001", "-5e-324"),
    ("7fefffffffffffff", "1.7976931348623157e+308"),
    ("ffefffffffffffff", "-1.7976931348623157e+308"),
    ("4340000000000000", "9007199254740992"),
    ("c340000000000000", "-9007199254740992"),
    ("4430000000000000", "295147905179352830000"),
    ("44b52d02c7e14af5", "9.999999999999997e+22"),
    ("44b52d02c7e14af6", "1e+23"),
    ("44b52d02c7e14af7", "1.0000000000000001e+23"),
    ("444b1ae4d6e2ef4e", "999999999999999700000"),
    ("444b1ae4d6e2ef4f", "999999999999999900000"),
    ("444b1ae4d6e2ef50", "1e+21"),
    ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
    ("3eb0c6f7a0b5ed8d", "0.000001"),
    ("41b3de4355555553", "333333333.3333332"),
    ("41b3de4355555554", "333333333.33333325"),
    ("41b3de4355555555", "333333333.3333333"),
    ("41b3de4355555556", "333333333.3333334"),
    ("41b3de4355555557", "333333333.33333343"),
    ("becbf647612f3696", "-0.0000033333333333333333"),
    ("43143ff3c1cb0959", "1424953923781206.2"),
]

# RFC 8785, section 3.2.2: a document, and its canonical form.
RFC_DOCUMENT = rb"""{
  "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
  "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
  "literals": [null, true, false]
}"""
RFC_CANONICAL = (
    '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
    '"string":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
).encode()

# RFC 8785, section 3.2.3: keys in the order of their UTF-16 units.
RFC_KEYS = ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]

REFUSED = [
    (b"", "json-syntax"),
    (b"nul", "json-syntax"),
    (b"1 2", "json-syntax"),
    (b"[1,]", "json-syntax"),
    (b"{'a':1}", "json-syntax"),
    (b"01", "json-syntax"),
    (b'"\x01"', "json-syntax"),
    (b"\xef\xbb\xbf1", "json-syntax"),
    ("1".encode("utf-16"), "json-encoding"),
    (b'"\xff"', "json-encoding"),
    (b'"\xed\xa0\x80"', "json-encoding"),
    (b'"\xc0\xaf"', "json-encoding"),
    (b'{"a":1,"a":1}', "json-duplicate-key"),
    (rb'{"a":1,"\u0061":2}', "json-duplicate-key"),
    (b'[{"x":{"b":1,"c":2,"b":3}}]', "json-duplicate-key"),
    (b"NaN", "json-number"),
    (b"[Infinity]", "json-number"),
    (b"-Infinity", "json-number"),
    (b"1e400", "json-number"),
    (b"-1e400", "json-number"),
    (b"1e-400", "json-number"),
    (b"0.00e5", None),
    (b"-0", "json-negative-zero"),
    (b"-0.0", "json-negative-zero"),
    (b"-0e9", "json-negative-zero"),
    (b"9007199254740991", None),
    (b"-9007199254740991", None),
    (b"9007199254740992", "json-integer"),
    (b"-9007199254740992", "json-integer"),
    (b"1" * 5000, "json-integer"),
    (b"9007199254740992.0", None),
    (rb'"\ud800"', "json-surrogate"),
    (rb'{"\udc00":1}', "json-surrogate"),
    (rb'["a",{"b":["\ud83d"]}]', "json-surrogate"),
    (rb'"\ud83d\ude00"', None),
    (b"[" * 32 + b"]" * 32, None),
    (b"[" * 33 + b"]" * 33, "json-depth"),
    (b'{"a":' * 33 + b"1" + b"}" * 33, "json-depth"),
    (b"[" * 200_000, "json-depth"),
    (b'["' + b"[" * 100 + b'"]', None),
    (rb'["\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["]', None),
    (b"]" * 40 + b"[" * 40, "json-syntax"),
    (b'"' + b'\\"[' * 100_000, "json-syntax"),
    (b'"' + b"[" * 50 + b"\\", "json-syntax"),
]


def refused(data: bytes, **limits: int) -> str | None:
    try:
        parse_strict(data, **limits)
    except UntrustedError as problem:
        return problem.code
    return None


@pytest.mark.parametrize(("bits", "text"), RFC_NUMBERS)
def test_a_number_is_written_as_in_the_appendix_of_the_rfc(bits, text):
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    assert canonical_bytes(number) == text.encode()


@pytest.mark.parametrize("bits", ["7fffffffffffffff", "7ff0000000000000", "fff0000000000000"])
def test_a_number_that_is_not_finite_has_no_canonical_form(bits):
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    with pytest.raises(EvidenceError, match="no canonical JSON form"):
        canonical_bytes({"x": number})


def test_the_document_of_the_rfc_gets_its_canonical_form():
    assert canonical_bytes(parse_strict(RFC_DOCUMENT)) == RFC_CANONICAL


def test_keys_stand_in_the_order_of_their_utf_16_units():
    made = canonical_bytes(dict.fromkeys(reversed(RFC_KEYS), 1))
    assert list(json.loads(made)) == RFC_KEYS


@pytest.mark.parametrize(
    "value",
    [{1: 2}, MOST_INTEGER + 1, "\ud800", {"\ud800": 1}, Ellipsis, [b"\0", {1}], float("nan")],
    ids=["number as key", "integer", "surrogate", "surrogate key", "object", "set", "nan"],
)
def test_what_json_does_not_have_is_never_written(value):
    if isinstance(value, list):
        value = [object()]
    with pytest.raises(EvidenceError):
        canonical_bytes(value)


@pytest.mark.parametrize(("data", "code"), REFUSED, ids=lambda one: repr(one)[:40])
def test_a_document_is_refused_for_the_right_reason_or_not_at_all(data, code):
    assert refused(data) == code


def test_limits_are_the_callers():
    assert refused(b'"aaaa"', most=5) == "file-too-large"
    assert refused(b'"aaa"', most=5) is None
    assert refused(b"[[]]", depth=1) == "json-depth"
    assert refused(b"[[]]", depth=2) is None
    assert refused(b"[" * 100_000 + b"]" * 100_000, depth=200_000) == "json-depth"


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-MOST_INTEGER, MOST_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False).map(lambda number: number or 0.0)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def same(one, other):
    """Equal as JSON: 1 and 1.0 are the same number, True is none."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def safe_integers(value):
    """Whether whole floats stay below 2^53, above which RFC 8785 writes them as integers that strict parsing refuses."""
    if isinstance(value, dict):
        return all(map(safe_integers, value.values()))
    if isinstance(value, list):
        return all(map(safe_integers, value))
    return not isinstance(value, float) or abs(value) <= MOST_INTEGER or abs(value) >= 1e21


@given(json_values.filter(safe_integers))
@settings(deadline=None)
def test_canonical_bytes_read_back_as_the_same_value_and_stay_as_they_are(value):
    made = canonical_bytes(value)
    read = parse_strict(made)
    assert same(read, value)
    assert canonical_bytes(read) == made


@given(json_values)
@settings(deadline=None)
def test_plain_values_are_kept_as_they_are(value):
    assert same(plain(value), value)


@given(st.binary(max_size=40) | st.text('[]{}":,0e-.\\u d8a1tfn', max_size=40).map(str.encode))
@settings(deadline=None, max_examples=300)
def test_parsing_raises_nothing_but_an_untrusted_error(data):
    code = refused(data)
    if code is None:
        json.loads(data.decode())  # whatever the strict parser takes, the lenient one takes too
    else:
        assert code.startswith("json-")


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, [-math.inf], {"a": MOST_INTEGER + 1}, {1: 1}, {(1, 2): 1}, Ellipsis, [np.zeros(2)]],
    ids=repr,
)
def test_a_value_that_would_not_read_back_is_not_kept(value):
    with pytest.raises(EvidenceError, match="kept"):
        plain(value)


def test_too_deep_a_value_is_not_kept():
    value: object = 1
    for _ in range(33):
        value = [value]
    with pytest.raises(EvidenceError, match="nested too deep"):
        plain(value)
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(EvidenceError, match="kept"):
        plain(loop)


def test_minus_zero_and_half_pairs_are_mended_on_the_way_in():
    assert str(plain(-0.0)) == "0.0"
    assert plain({"\udc80": ("\ud800x", np.float64(1.5))}) == {"\\udc80": ["\\ud800x", 1.5]}


class Card(Value, frozen=True, kw_only=True):
    format: Literal["spiral-card/1"] = "spiral-card/1"
    n: int


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b'{"format":"spiral-card/1","n":1}', None),
        (b'{"format":"spiral-card/2","n":1}', "format-unknown"),
        (b'{"n":1}', "format-unknown"),
        (b'{"format":"spiral-card/1"}', "field-wrong"),
        (b'{"format":"spiral-card/1","n":1.0}', "field-wrong"),
        (b'{"format":"spiral-card/1","n":true}', "field-wrong"),
        (b'{"format":"spiral-card/1","n":1,"x":1}', "field-wrong"),
        (b"[]", "field-wrong"),
        (b'{"format":"spiral-card/1","n":1,"n":1}', "json-duplicate-key"),
    ],
)
def test_a_typed_document_is_held_to_its_format_and_fields(data, code):
    if code is None:
        assert parse_value(data, Card) == Card(n=1)
        return
    with pytest.raises(UntrustedError) as problem:
        parse_value(data, Card)
    assert problem.value.code == code


def test_a_canonical_document_has_one_spelling():
    assert parse_canonical(b'{"format":"spiral-card/1","n":1}', Card) == Card(n=1)
    for data in (b'{"n":1,"format":"spiral-card/1"}', b'{"format":"spiral-card/1","n":1}\n'):
        with pytest.raises(UntrustedError) as problem:
            parse_canonical(data, Card)
        assert problem.value.code == "not-canonical"


def test_what_a_hostile_document_says_is_escaped_in_the_sentence():
    with pytest.raises(UntrustedError) as problem:
        convert({"format": "\x1b[31mGO" + "x" * 1000, "n": 1}, Card)
    assert str(problem.value).isprintable()
    assert len(str(problem.value)) < 400


def test_a_digest_is_the_sha_256_of_the_bytes():
    assert digest(b"abc") == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
