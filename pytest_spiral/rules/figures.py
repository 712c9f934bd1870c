"""Figures as text: rounded to the side that does not flatter, with digits enough to tell them apart."""

import math
from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

Figure = Fraction | Decimal | float | int

_MOST_PLACES = 17


class Rounding(StrEnum):
    """Where a figure goes when digits are cut: a lower bound down, an upper bound up, an estimate to the nearest."""

    DOWN = "down"
    UP = "up"
    NEAREST = "nearest"


def _nearest(number: Fraction) -> int:
    return round(number)


_WHOLE: dict[Rounding, Callable[[Fraction], int]] = {
    Rounding.DOWN: math.floor,
    Rounding.UP: math.ceil,
    Rounding.NEAREST: _nearest,
}


def round_down(number: Figure, digits: int) -> str:
    """The number with so many decimal places, rounded towards minus infinity; for lower bounds."""
    return format_figure(number, digits, Rounding.DOWN)


def round_up(number: Figure, digits: int) -> str:
    """The number with so many decimal places, rounded towards plus infinity; for upper bounds."""
    return format_figure(number, digits, Rounding.UP)


def format_figure(number: Figure, digits: int, rounding: Rounding = Rounding.NEAREST) -> str:
    """The number with so many decimal places; a half goes to the even digit, zero has no sign.

    A float stands for its shortest decimal form, as in evidence files. Infinity is `inf`. ValueError for NaN and for
    negative digits.
    """
    if digits < 0:
        raise ValueError(f"a figure has no fewer than 0 decimal places, got {digits}")
    if isinstance(number, float) and math.isnan(number):
        raise ValueError("NaN is not a figure")
    if isinstance(number, float) and math.isinf(number):
        return "inf" if number > 0 else "-inf"
    scaled = _written(number) * 10**digits
    whole = _WHOLE[rounding](scaled)
    text = str(abs(whole)).rjust(digits + 1, "0")
    sign = "-" if whole < 0 else ""
    return f"{sign}{text[:-digits]}.{text[-digits:]}" if digits else sign + text


def format_number(number: Figure) -> str:
    """The number in full, where it ends within 17 decimal places, else rounded there; infinity is `inf`."""
    return format_figure(number, _places(number) if _is_finite(number) else 0)


def format_against(
    value: Figure, limit: Figure, *, digits: int = 2, rounding: Rounding = Rounding.NEAREST
) -> tuple[str, str]:
    """A figure and the limit it is held against, as texts that compare as the numbers do.

    The limit is written in full where it ends within 17 decimal places. The figure gets `digits` decimal places, and more
    where fewer would put it on the limit or beyond: no line reads `75 < 75`, and none reads `75 <= 74.9`.
    ValueError for NaN, or an infinite limit.
    """
    places = _places(limit)
    if _is_finite(value) and _written(value) == _written(limit):
        text = format_figure(limit, max(digits, places))
        return text, format_figure(limit, places)
    while True:
        texts = format_figure(value, digits, rounding), format_figure(limit, max(digits, places))
        if not _is_finite(value) or _order(*map(Fraction, texts)) == _order(_written(value), _written(limit)):
            return texts[0], format_figure(limit, places) if _ends(limit, places) else texts[1]
        digits += 1


def _order(one: Fraction, other: Fraction) -> int:
    return (one > other) - (one < other)


def _is_finite(number: Figure) -> bool:
    return not isinstance(number, float) or math.isfinite(number)


def _ends(number: Figure, places: int) -> bool:
    scaled: Fraction = _written(number) * 10**places
    return scaled.denominator == 1


def _places(number: Figure) -> int:
    """How many decimal places the number has, or 17 where it has no end within them."""
    return next((places for places in range(_MOST_PLACES) if _ends(number, places)), _MOST_PLACES)


def _written(number: Figure) -> Fraction:
    return Fraction(repr(number)) if isinstance(number, float) else Fraction(number)
