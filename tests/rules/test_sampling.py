"""Sample lines: what is written reads back as the same, and nothing else is taken."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_spiral.errors import MeasurementError, UntrustedError
from pytest_spiral.model.base import MOST_INTEGER
from pytest_spiral.model.measurement import Sample
from pytest_spiral.rules import sampling
from pytest_spiral.rules.integrity import Limits
from pytest_spiral.rules.sampling import encode_sample, parse_samples

whole = st.integers(-MOST_INTEGER, MOST_INTEGER)
finite = st.floats(allow_nan=False, allow_infinity=False)
seen = st.none() | st.booleans() | whole | st.text(max_size=9) | st.lists(finite, max_size=3)
said = st.one_of(
    st.fixed_dictionaries({"value": finite | whole}),
    st.fixed_dictionaries({"ns": whole}),
    st.fixed_dictionaries({"ok": st.booleans(), "why": st.none() | st.text(max_size=9)}),
    st.fixed_dictionaries({"failed": st.text(max_size=9), "intended": whole, "sent": whole, "done": whole}),
    st.fixed_dictionaries({"count": whole, "exposure": finite}),
    st.fixed_dictionaries({"item": st.text(max_size=9), "seen": seen}),
)
samples = st.lists(st.tuples(said, st.booleans(), st.none() | whole), max_size=6).map(
    lambda rows: [Sample(n=n, warm=warm, block=block, **one) for n, (one, warm, block) in enumerate(rows)]
)


def refused(block: bytes, first: int = 0, limits: Limits | None = None) -> str | None:
    try:
        parse_samples(block, first, limits or Limits())
    except UntrustedError as problem:
        return problem.code
    return None


@given(samples)
@settings(deadline=None, max_examples=300)
def test_samples_read_back_as_they_were_written(taken):
    block = b"".join(map(encode_sample, taken))
    assert parse_samples(block, 0) == taken
    assert block.count(b"\n") == len(taken)
    assert b"-0," not in block


@given(samples.filter(bool), st.data())
@settings(deadline=None, max_examples=500)
def test_the_quick_way_takes_nothing_that_the_thorough_way_refuses(taken, data):
    block = bytearray(b"".join(map(encode_sample, taken)))
    at = data.draw(st.integers(0, len(block) - 1))
    piece = data.draw(
        st.sampled_from([b"", b"0", b"-", b"99999999999999999999", b"\r", b"\n", b"\\ud800", b"e-400", b"\xff"])
    )
    block[at : at + data.draw(st.integers(0, 2))] = piece
    quick = sampling._parse_own(bytes(block))
    if quick is not None:
        lines = sampling._lines(bytes(block))
        assert quick == [sampling._parse_any(line, at, 32) for at, line in enumerate(lines)]


@pytest.mark.parametrize(
    ("block", "code"),
    [
        (b"", None),
        (b'{"n":0,"ns":5}\n{"n":1,"ns":6}\n', None),
        (b'{ "n":0, "ns":5 }\n', None),
        (b'{"n":0,"value":1e5}\n', None),
        (b'{"n":0,"ns":5}\n{"n":2,"ns":6}\n', "samples-order"),
        (b'{"n":1,"ns":5}\n', "samples-order"),
        (b'{"n":0,"ns":5}\n\n{"n":1,"ns":6}\n', "json-syntax"),
        (b'{"n":0,"ns":5}{"n":1,"ns":6}\n', "json-syntax"),
        (b'{"n":0,"ns":5}\r{"n":1,"ns":6}\n', "json-syntax"),
        (b'{"n":0,"ns":5,"ns":6}\n', "json-duplicate-key"),
        (b'{"n":0,"value":NaN}\n', "json-number"),
        (b'{"n":0,"value":1e999}\n', "json-number"),
        (b'{"n":0,"value":1e-999}\n', "json-number"),
        (b'{"n":0,"value":-0.0}\n', "json-negative-zero"),
        (b'{"n":0,"value":9007199254740993}\n', "json-integer"),
        (b'{"n":0,"ns":9007199254740993}\n', "json-integer"),
        (b'{"n":0,"ns":5,"ok":true}\n', "field-wrong"),
        (b'{"n":0}\n', "field-wrong"),
        (b'{"n":0,"ns":"5"}\n', "field-wrong"),
        (b'{"n":0,"ns":5,"score":1}\n', "field-wrong"),
        (b'{"n":0,"item":"a","seen":{"b":1,"b":2}}\n', "json-duplicate-key"),
        (b'{"n":0,"item":"a","seen":"\\ud800"}\n', "json-surrogate"),
        (b'{"n":0,"item":"a","seen":' + b"[" * 40 + b"]" * 40 + b"}\n", "json-depth"),
        (b'{"n":0,"failed":"\xff"}\n', "json-encoding"),
        (b'{"n":0,"failed":"' + b"x" * 65_536 + b'"}\n', "line-too-long"),
        (b'{"n":0,"ns":5}\n' + b'{"n":1,"failed":"' + b"x" * 65_536 + b'"}\n', "line-too-long"),
    ],
    ids=lambda one: repr(one)[:50],
)
def test_a_block_is_refused_for_the_right_reason_or_not_at_all(block, code):
    assert refused(block) == code


def test_numbering_goes_on_from_the_block_before():
    assert refused(b'{"n":7,"ns":5}\n', 7) is None
    assert refused(b'{"n":7,"ns":5}\n', 8) == "samples-order"


def test_a_higher_limit_takes_a_longer_line():
    block = b'{"n":0,"failed":"' + b"x" * 70_000 + b'"}\n'
    assert refused(block, limits=Limits(sample_line=80_000)) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"value": "fast"},
        {"value": MOST_INTEGER + 1},
        {"ns": 2**60},
        {"ns": 1.5},
        {"item": "a", "seen": math.nan},
        {"item": "a", "seen": {"b": [math.inf]}},
        {"item": "a", "seen": object()},
        {"failed": "x" * 66_000},
        {"value": np.int64(5)},
    ],
    ids=lambda one: repr(one)[:40],
)
def test_a_sample_that_would_not_read_back_is_not_written(wrong):
    with pytest.raises(MeasurementError, match="sample 0"):
        encode_sample(Sample(n=0, **wrong))


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        ({"value": -0.0}, {"value": 0.0}),
        ({"value": np.float64(1.25)}, {"value": 1.25}),
        ({"failed": "caf\udce9"}, {"failed": "caf\\udce9"}),
        ({"item": "a", "seen": {"b": (-0.0, "\ud800")}}, {"item": "a", "seen": {"b": [0.0, "\\ud800"]}}),
    ],
    ids=repr,
)
def test_what_ordinary_programs_give_is_mended(given_, kept):
    assert parse_samples(encode_sample(Sample(n=0, **given_)), 0) == [Sample(n=0, **kept)]
