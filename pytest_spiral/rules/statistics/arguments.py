"""Arguments of the judging functions: exact numbers in, nonsense refused."""

import math
from decimal import Decimal
from fractions import Fraction

from pytest_spiral.rules.statistics.judged import Direction, Number

DISPLAY_CONFIDENCE = Fraction(19, 20)
"""The confidence of bounds that are only shown, where the verdict does not rest on one."""


def exact(number: Number | Decimal) -> Fraction:
    """The number as it is written, as a fraction.

    A float stands for its shortest decimal form, which is what evidence files hold: 0.1 is one tenth. So a second
    reader of the same file, who parses decimals exactly, compares the same numbers. ValueError unless finite.
    """
    if isinstance(number, Fraction):
        return number
    if isinstance(number, float):
        if not math.isfinite(number):
            raise ValueError(f"{number} is not a finite number")
        return Fraction(repr(number))
    return Fraction(number)


def is_number(value: Number) -> bool:
    """Whether a value is a number, or the infinity that stands for a failed call.

    Only floats are looked at: an exact number always is one, and `math.isnan` would first divide it out.
    """
    return not isinstance(value, float) or value > -math.inf


def is_failed(value: Number) -> bool:
    """Whether a value is the infinity that stands for a failed call."""
    return isinstance(value, float) and value == math.inf


def place_of(value: Number) -> tuple[float, Number]:
    """Sorts as the value does, and quickly: exact numbers are compared only where their floats are the same."""
    return float(value), value


def check_counts(**counts: int) -> None:
    """Refuse a count that is negative; ValueError names it."""
    for name, count in counts.items():
        if count < 0:
            raise ValueError(f"{name} must not be negative, got {count}")


def check_exact(name: str, number: Fraction | int) -> Fraction:
    """Refuse a limit or a confidence that went through binary floating point; ValueError names it."""
    if isinstance(number, float):
        raise ValueError(f"{name} must be an exact fraction, got the float {number!r}")  # noqa: TRY004
    return Fraction(number)


def check_inside(name: str, number: Fraction) -> Fraction:
    """Refuse what is not strictly between 0 and 1; ValueError names it."""
    number = check_exact(name, number)
    if not 0 < number < 1:
        raise ValueError(f"{name} must lie between 0 and 1, got {number}")
    return number


def alpha_of(confidence: Fraction) -> Fraction:
    """The one-sided risk that goes with a confidence, exactly. ValueError unless the confidence is in (0, 1)."""
    return 1 - check_inside("confidence", confidence)


def limit_of(at_least: Fraction | int | None, at_most: Fraction | int | None) -> tuple[Direction, Fraction]:
    """The direction and the limit, of which exactly one must be given; ValueError otherwise."""
    if at_least is not None and at_most is None:
        return Direction.AT_LEAST, check_exact("at_least", at_least)
    if at_most is not None and at_least is None:
        return Direction.AT_MOST, check_exact("at_most", at_most)
    raise ValueError("give exactly one of at_least and at_most")


def float_below(number: Fraction) -> float:
    """The largest float that is not above the number."""
    nearest = float(number)
    return nearest if Fraction(nearest) <= number else math.nextafter(nearest, -math.inf)


def float_above(number: Fraction) -> float:
    """The smallest float that is not below the number."""
    nearest = float(number)
    return nearest if Fraction(nearest) >= number else math.nextafter(nearest, math.inf)
