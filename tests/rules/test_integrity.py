"""Reason codes and what is shown of a hostile bundle."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_spiral.rules.integrity import REASONS, STEPS, finding, shown


@pytest.mark.parametrize("reason", REASONS.values(), ids=lambda reason: reason.code)
def test_every_reason_has_a_step_a_meaning_and_a_remedy(reason):
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", reason.code)
    assert reason.step in STEPS
    assert reason.meaning
    assert not reason.meaning.endswith(".")
    assert reason.remedy.endswith(".")
    assert reason.unsealed is reason.code.startswith("unsealed-")


def test_a_finding_stands_in_the_step_of_its_code():
    assert finding("journal-chain", "journal/main.jsonl", "x").step == 5
    with pytest.raises(KeyError):
        finding("journal-chian", "", "x")


@given(st.text(), st.integers(0, 50))
def test_what_is_shown_is_printable_ascii_of_bounded_length(text, most):
    told = shown(text, most)
    assert told.isascii()
    assert told.isprintable()
    assert len(told) <= most * 10 + 3


def test_what_is_harmless_is_shown_as_it_is():
    assert shown("suites/test_b1.py::test[1]") == "suites/test_b1.py::test[1]"
    assert shown("\x1b]0;GO\x07") == r"\x1b]0;GO\x07"
    assert shown("abcdef", 3) == "abc..."
