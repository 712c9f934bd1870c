"""Whether two sides took turns: tables for pairs and for series, and that nothing but the order counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_spiral.rules.turns import Call, pairing_fault, series_fault

NAMES = ("new", "old")


def pairs(order, took=1):
    """Pairs from who goes first in each, one call after the other: `no` is new, then old."""
    made, at = [], 0
    for word in order:
        calls = {}
        for letter in word:
            calls[letter], at = Call(at, at + took), at + took
        made.append((calls["n"], calls["o"]))
    return made


def sent(order):
    """When each side's calls were sent, from their order as letters."""
    return tuple([at for at, letter in enumerate(order) if letter == side] for side in "no")


@pytest.mark.parametrize(
    ("order", "fault"),
    [
        ([], ""),
        (["no"], ""),
        (["no", "on"], ""),
        (["no", "on"] * 20, ""),
        (["no", "no", "on"] * 10, ""),
        (["no", "no", "no", "on"] * 10, "new goes first in 30 of 40 pairs; the sides are to take turns."),
        (["on"] * 10, "new goes first in 0 of 10 pairs; the sides are to take turns."),
    ],
)
def test_either_side_of_pairs_goes_first_in_a_third_of_them(order, fault):
    assert pairing_fault(pairs(order), "new") == fault


@pytest.mark.parametrize(
    ("made", "fault"),
    [
        ([(Call(0, 2), Call(1, 3))], "two calls overlap"),
        ([(Call(0, 1), Call(4, 5)), (Call(2, 3), Call(6, 7))], "two calls overlap"),
        ([(Call(4, 5), Call(6, 7)), (Call(2, 3), Call(0, 1))], "two calls overlap"),
        ([(Call(3, 2), Call(4, 5))], "done before it was sent"),
    ],
)
def test_pairs_stand_side_by_side_one_after_the_other(made, fault):
    assert fault in pairing_fault(made, "new")


@pytest.mark.parametrize(
    ("order", "takes_turns"),
    [
        ("no" * 20, True),
        ("noon" * 10, True),
        ("noonnoon", True),
        ("nnooonnooonn", True),
        ("nnnnooooonnnnooooo"[:16], False),
        ("n" * 20 + "o" * 20, False),
        ("no" * 15 + "n" * 10 + "o" * 10, False),
        ("nno" * 12, True),
        ("nnno" * 12, False),
        ("nnoo", False),
        ("no", False),
        ("", False),
    ],
)
def test_two_series_take_turns_in_each_quarter(order, takes_turns):
    assert (series_fault(*sent(order), NAMES) == "") is takes_turns


def test_the_fault_names_the_side_and_the_part():
    told = series_fault(*sent("no" * 6 + "n" * 4), NAMES)
    assert told == "old has 0 of 4 calls in part 4 of 4; the sides are to take turns."


@given(st.text("no", max_size=60), st.integers(1, 10**9), st.integers(0, 10**12))
def test_only_the_order_counts_and_both_sides_are_treated_alike(order, stretch, start):
    new, old = sent(order)
    later = ([start + at * stretch for at in side] for side in (new, old))
    assert (
        (series_fault(*later, NAMES) == "")
        == (series_fault(new, old, NAMES) == "")
        == (series_fault(old, new, NAMES) == "")
    )
