"""Very many records of tests: they read as what was added, and keep once what they have in common."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_spiral.evidence.recorded import RecordedTests
from pytest_spiral.model import record

NAMES = st.text(max_size=6)
RECORDS = st.builds(
    record.Test,
    id=NAMES,
    criteria=st.lists(NAMES, max_size=2).map(tuple),
    raised=st.sampled_from(["", "assertion", "error", "skip"]),
    phase=st.sampled_from(["", "call"]),
    why=NAMES,
    needs=st.lists(NAMES, max_size=1).map(tuple),
    duration_ns=st.integers(-(2**53) + 1, 2**53 - 1),
    next=NAMES,
)


def kept(records):
    made = RecordedTests()
    for one in records:
        made.add(one)
    return made


@given(st.lists(RECORDS, max_size=12))
def test_what_was_added_is_read_back(records):
    made = kept(records)
    assert list(made) == records
    assert [made[at] for at in range(-len(records), len(records))] == records + records
    assert (made[1:3], made[:-1], made[::-2]) == tuple(map(tuple, (records[1:3], records[:-1], records[::-2])))
    assert made == tuple(records) == made
    assert tuple(records) == kept(records)
    assert (len(made), bool(made)) == (len(records), bool(records))


@given(st.lists(RECORDS, min_size=1, max_size=6))
def test_another_record_makes_another_sequence(records):
    other = record.Test(id="another one", next="after it")
    assert kept(records) != (*records[:-1], other)
    assert kept(records) != records[:-1]
    assert kept(records) != "text"


def test_beyond_the_end_is_nothing():
    with pytest.raises(IndexError):
        kept([record.Test(id="a")])[1]


def test_a_hundred_thousand_take_little_where_names_are_shared():
    names = {f"test_many.py::test_{number}": f"test_many.py::test_{number}" for number in range(100_000)}
    tracemalloc.start()
    try:
        made = RecordedTests()
        for number in range(100_000):
            made.add(
                record.Test(id=f"test_many.py::test_{number}", duration_ns=10**9 + number),
                lambda name: names.get(name, name),
            )
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken / len(made) < 64
