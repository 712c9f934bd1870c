"""Expectation files: strict, with a remedy for each mistake. What they are held against: tests/evidence/test_attest.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_spiral.errors import UseError
from pytest_spiral.rules.expectation import parse_expectation

PLAN = "sha256:" + "0" * 64
WHOLE = f"""\
format = 1
run = "20261122T093000Z-stage_b-3f9c1a"
plan = "{PLAN}"
commit = "{"ab" * 20}"
level = "E1"
published = 2026-11-22T11:00:00+01:00
criteria = ["B1.recall"]
tests = ["suites/test_b1.py::test_recall[1]"]
"""


def test_every_key_is_read():
    read = parse_expectation(WHOLE, "e")
    assert (read.run, read.plan, read.commit) == ("20261122T093000Z-stage_b-3f9c1a", PLAN, "ab" * 20)
    assert (read.level, read.published) == ("E1", 1_795_341_600_000_000)
    assert (read.criteria, read.tests) == (("B1.recall",), ("suites/test_b1.py::test_recall[1]",))
    assert parse_expectation('format = 1\nlevel = "E0"', "e").criteria is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "format is 'None', known here is 1"),
        ("format = 2", "format is '2'"),
        ("format = 1.0", "format is '1.0'"),
        ("format = true", "format is 'True'"),
        ("format = 1", "expects nothing"),
        ("format =", "is no TOML"),
        ('format = 1\ncommits = "x"', "'commits' is no key"),
        ('format = 1\ncommit = "abcdef0"', "whole name of the commit"),
        (f'format = 1\ncommit = "{"AB" * 20}"', "whole name of the commit"),
        ('format = 1\nplan = "x"', "the bar's digest"),
        ('format = 1\nrun = "../x"', "the run id"),
        ('format = 1\nlevel = "E4"', "one of E0"),
        ("format = 1\nlevel = 1", "one of E0"),
        ("format = 1\ncriteria = []", "a list of criterion ids"),
        ('format = 1\ncriteria = "B1.recall"', "a list of criterion ids"),
        ('format = 1\ncriteria = ["a", "a"]', "a list of criterion ids"),
        ('format = 1\ntests = [""]', "a list of test ids"),
        ("format = 1\npublished = 2026-11-22", "with its zone"),
        ("format = 1\npublished = 2026-11-22T10:00:00", "with its zone"),
    ],
)
def test_a_mistake_is_told_with_its_remedy(text, said):
    with pytest.raises(UseError, match=said) as caught:
        parse_expectation(text, "e.toml")
    assert str(caught.value).startswith("e.toml")


@given(st.text(max_size=80))
def test_whatever_the_text_is_it_is_refused_in_words(text):
    with pytest.raises(UseError):
        parse_expectation(text, "e.toml")
