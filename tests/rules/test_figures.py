"""Figures as text: rounded against the claim, and never on the wrong side of the limit."""

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_spiral.rules.figures import (
    Rounding,
    format_against,
    format_figure,
    format_number,
    round_down,
    round_up,
)


@pytest.mark.parametrize(
    ("number", "digits", "down", "up", "nearest"),
    [
        (0.950492390112, 3, "0.950", "0.951", "0.950"),
        (0.95, 2, "0.95", "0.95", "0.95"),
        (0.95, 1, "0.9", "1.0", "1.0"),
        (0.85, 1, "0.8", "0.9", "0.8"),
        (-0.05, 1, "-0.1", "0.0", "0.0"),
        (-0.001, 2, "-0.01", "0.00", "0.00"),
        (-12.345, 2, "-12.35", "-12.34", "-12.34"),
        (Fraction(1, 3), 4, "0.3333", "0.3334", "0.3333"),
        (Decimal("0.1"), 3, "0.100", "0.100", "0.100"),
        (539.23180924, 0, "539", "540", "539"),
        (7, 0, "7", "7", "7"),
        (7, 2, "7.00", "7.00", "7.00"),
        (0, 2, "0.00", "0.00", "0.00"),
        (-0.0, 1, "0.0", "0.0", "0.0"),
        (1e-20, 3, "0.000", "0.001", "0.000"),
        (math.inf, 2, "inf", "inf", "inf"),
        (-math.inf, 2, "-inf", "-inf", "-inf"),
    ],
)
def test_a_figure_is_rounded_to_its_side(number, digits, down, up, nearest):
    assert round_down(number, digits) == down
    assert round_up(number, digits) == up
    assert format_figure(number, digits) == nearest


@pytest.mark.parametrize(("number", "digits"), [(math.nan, 1), (1.0, -1)])
def test_what_is_no_figure_is_refused(number, digits):
    with pytest.raises(ValueError, match=r"NaN|0 decimal places"):
        format_figure(number, digits)


@pytest.mark.parametrize(
    ("number", "text"),
    [(120, "120"), (0.95, "0.95"), (Fraction(1, 8), "0.125"), (Fraction(1, 3), "0." + "3" * 17), (math.inf, "inf")],
)
def test_a_number_is_written_in_full(number, text):
    assert format_number(number) == text


@pytest.mark.parametrize(
    ("value", "limit", "rounding", "digits", "texts"),
    [
        (74.9999, 75, Rounding.NEAREST, 0, ("74.9999", "75")),
        (75.0001, 75, Rounding.DOWN, 0, ("75.0001", "75")),
        (75, 75, Rounding.UP, 1, ("75.0", "75")),
        (0.950492390112, Fraction("0.95"), Rounding.DOWN, 2, ("0.9504", "0.95")),
        (0.9499999, Fraction("0.95"), Rounding.UP, 2, ("0.9499999", "0.95")),
        (0.94966066167, Fraction("0.95"), Rounding.DOWN, 2, ("0.94", "0.95")),
        (5.1, 120, Rounding.UP, 1, ("5.1", "120")),
        (Fraction(1, 3), Fraction(1, 3), Rounding.UP, 2, ("0." + "3" * 17, "0." + "3" * 17)),
        (Fraction(1, 8), Fraction(1, 8), Rounding.DOWN, 2, ("0.125", "0.125")),
        (math.inf, 120, Rounding.UP, 1, ("inf", "120")),
        (-math.inf, 120, Rounding.DOWN, 1, ("-inf", "120")),
    ],
)
def test_a_figure_has_digits_enough_to_stand_apart_from_its_limit(value, limit, rounding, *, digits, texts):
    assert format_against(value, limit, digits=digits, rounding=rounding) == texts


NUMBERS = st.floats(-1e6, 1e6) | st.fractions(-1000, 1000) | st.decimals(-1000, 1000, places=3) | st.integers()


def written(number):
    return Fraction(repr(number)) if isinstance(number, float) else Fraction(number)


@given(NUMBERS, st.integers(0, 6))
def test_rounding_brackets_the_number_within_one_place(number, digits):
    down, up = Fraction(round_down(number, digits)), Fraction(round_up(number, digits))
    assert down <= written(number) <= up
    assert up - down in (0, Fraction(1, 10**digits))
    assert Fraction(format_figure(number, digits)) in (down, up)


@given(NUMBERS, NUMBERS, st.sampled_from(Rounding), st.integers(0, 4))
@example(5e-324, 0, Rounding.NEAREST, 2)
@example(Fraction(1, 3), Fraction(10**30 + 1, 3 * 10**30), Rounding.NEAREST, 2)
def test_no_line_says_anything_else_than_the_numbers(value, limit, rounding, digits):
    one, other = format_against(value, limit, digits=digits, rounding=rounding)
    assert (Fraction(one) < Fraction(other)) is (written(value) < written(limit))
    assert (Fraction(one) == Fraction(other)) is (written(value) == written(limit))
