"""Numbers for people: enough digits to tell a figure from its limit, bounds rounded to the safe side.

Rounding itself is that of `pytest_spiral.rules.figures`: exact, a float standing for its shortest decimal form.
"""

import math
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final, Literal

from pytest_spiral.model.judgement import LimitVerdict
from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.figures import Rounding, format_figure

Number = Fraction | float | int

_SIGNIFICANT: Final = 3
_PLAIN_DIGITS: Final = 15  # beyond 10^15 and below 10^-9 powers of ten are easier to read
_PLAIN_PLACES: Final = 9
_PLACES: Final = 1100  # more than any float has
_JUDGED_AT: Final = frozenset({"quantile", "rate", "mean", "count-rate", "equivalence", "regression"})
_COUNTED: Final = frozenset({"failures", "equal", "all-pass"})


def grouped(count: int) -> str:
    """Write a whole number with thousands separators: `1,000`."""
    return f"{count:,}"


def counted(count: int, singular: str, plural: str = "") -> str:
    """Write a number of things: `1 debt`, `5 debts`."""
    return f"{grouped(count)} {singular if count == 1 else plural or singular + 's'}"


def rounded(
    number: Number,
    rounding: Rounding = Rounding.NEAREST,
    apart_from: Number | None = None,
    places: int | None = None,
) -> str:
    """Write a number with three significant digits (or `places` decimals), and more where it stands near `apart_from`.

    Digits are added until what rounding takes away is less than what is left to `apart_from`: a number that
    differs from its limit never reads the same, so no line says `75 < 75`. Whole numbers are written out in full,
    an infinite number in words; ValueError on one that is not a number.
    """
    if isinstance(number, float) and not math.isfinite(number):
        return _infinite(number)
    exact = _exact(number)
    if exact.denominator == 1 and not isinstance(number, float):
        return _text(str(exact.numerator))
    places = max(_SIGNIFICANT - 1 - _magnitude(exact), 0) if places is None else places
    text = format_figure(exact, places, rounding)
    while places < _PLACES and _blurs(Fraction(text), exact, apart_from):
        places += 1
        text = format_figure(exact, places, rounding)
    return _text(text)


def quantity(number: Number, unit: str, rounding: Rounding = Rounding.NEAREST, apart_from: Number | None = None) -> str:
    """Write a number with its unit: `4.8 ms`, `95 %`; the unit `1` and no unit are not written."""
    return with_unit(rounded(number, rounding, apart_from), unit)


def with_unit(text: str, unit: str) -> str:
    """Put a unit behind a written number; `1` and no unit are not written."""
    return text if unit in {"", "1"} else f"{text} {unit}"


@dataclass(frozen=True, slots=True)
class Scaled:
    """A limit's numbers in the unit that its text is written in, exactly."""

    unit: str
    value: Fraction | None
    lower: Fraction | None
    upper: Fraction | None
    bound: Fraction | None
    margin: Fraction | None
    picture: tuple[Fraction, ...]


def scaled(limit: LimitVerdict) -> Scaled:
    """Return a limit's numbers as people read them: a share of 1 whose limit is written in % is shown in %."""
    share = limit.unit == "1" and limit.limit.rstrip().endswith("%")

    def seen(number: float | None) -> Fraction | None:
        return None if number is None else _exact(number) * (100 if share else 1)

    return Scaled(
        unit="%" if share else limit.unit,
        value=seen(limit.value),
        lower=seen(limit.lower),
        upper=seen(limit.upper),
        bound=seen(limit.bound),
        margin=seen(limit.margin),
        picture=tuple(_exact(one) * (100 if share else 1) for one in limit.picture),
    )


@dataclass(frozen=True, slots=True)
class LimitFigures:
    """The figures of one limit as texts with units; an empty text where there is none.

    `value` is the statistic, `bound` the confidence bound that decides, `relation` how the bound (or the value,
    where there is no bound) truly stands to `limit`, `margin` its distance, negative where the limit is broken.
    """

    value: str = ""
    bound: str = ""
    lower: str = ""
    upper: str = ""
    limit: str = ""
    relation: str = ""
    margin: str = ""
    samples: str = ""


def figures_of(limit: LimitVerdict) -> LimitFigures:
    """Write the figures of a limit: lower bounds rounded down, upper bounds up, the margin down."""
    seen = scaled(limit)
    unit, bar, deciding = seen.unit, seen.bound, decisive_figure(limit)
    value = "" if seen.value is None else quantity(seen.value, unit, apart_from=bar)
    if seen.value is None and limit.failed and _is_infinite(limit):
        value = "infinite"
    lower = "" if seen.lower is None else quantity(seen.lower, unit, Rounding.DOWN, bar)
    upper = "" if seen.upper is None else quantity(seen.upper, unit, Rounding.UP, bar)
    bound = {"lower": lower, "upper": upper}[deciding_side(limit)]
    return LimitFigures(
        value=value,
        bound=bound,
        lower=lower,
        upper=upper,
        limit="" if bar is None else quantity(bar, unit),
        relation="" if deciding is None or bar is None else _relation(deciding, bar, comparison_of(limit)),
        margin=_margin_text(seen, value, bound),
        samples=samples_text(limit),
    )


def _is_infinite(limit: LimitVerdict) -> bool:
    """Whether a figure that is not there is one of calls that failed; of a difference only a fail tells."""
    return limit.statistic == "quantile" or (limit.statistic == "regression" and limit.verdict is Verdict.FAIL)


def counts_of(limit: LimitVerdict) -> str:
    """Say a limit that counts exceptions: `10 of 1,000 failed`, `0 of 240 differ`; empty for any other."""
    if limit.statistic not in _COUNTED or limit.value is None:
        return ""
    verb = {"failures": "failed", "equal": "differ", "all-pass": "tests failed"}[limit.statistic]
    return f"{rounded(limit.value)} of {grouped(limit.samples)} {verb}"


def comparison_of(limit: LimitVerdict) -> str:
    """Return `<=` or `>=`, whichever the limit's text holds; empty for a limit without a bound."""
    return next((sign for sign in ("<=", ">=") if sign in limit.limit), "")


def deciding_side(limit: LimitVerdict) -> Literal["lower", "upper"]:
    """Say which confidence bound decides: the one that had to hold, and on a fail the one that is broken.

    `<=` passes on its upper bound and fails on its lower one; `>=` the other way round.
    """
    at_most = comparison_of(limit) != ">="
    return "upper" if at_most != (limit.verdict is Verdict.FAIL) else "lower"


def decisive_figure(limit: LimitVerdict) -> Fraction | None:
    """Return the bound that decides, or the value where the limit has no such bound, as people read it."""
    seen = scaled(limit)
    bound = {"lower": seen.lower, "upper": seen.upper}[deciding_side(limit)]
    return seen.value if bound is None else bound


def samples_text(limit: LimitVerdict) -> str:
    """Write how many samples there are, and of how many where the plan is not full: `n=20 of 59`.

    A count is taken over an exposure, so it has no number of samples.
    """
    if not limit.samples and (not limit.planned or limit.statistic == "count"):
        return ""
    short = limit.planned is not None and limit.samples < limit.planned
    return f"n={limit.samples}" + (f" of {limit.planned}" if short else "")


def confidence_text(limit: LimitVerdict) -> str:
    """Write the confidence that a limit was judged at: `95 %`, `no`; empty for a limit that is simply counted."""
    if limit.statistic not in _JUDGED_AT:
        return ""
    if limit.confidence in {"", "none"}:
        return "no" if limit.confidence else ""
    try:
        share = Fraction(limit.confidence)
    except (ValueError, ZeroDivisionError):
        return limit.confidence
    return f"{rounded(share * 100)} %"


def _margin_text(seen: Scaled, value: str, bound: str) -> str:
    """The margin with as many decimals as the figure beside it, so that they add up as they read.

    Beside a bound, which is rounded to the safe side, it is rounded down, so that it never promises more.
    """
    if seen.margin is None:
        return ""
    beside = (bound or value).partition(" ")[0]
    places = len(beside.partition(".")[2]) if beside and "E" not in beside else None
    text = rounded(seen.margin, Rounding.DOWN if bound else Rounding.NEAREST, 0, places)
    return with_unit(text, seen.unit)


def _relation(figure: Fraction, bar: Fraction, comparison: str) -> str:
    if comparison == ">=":
        return ">=" if figure >= bar else "<"
    return "<=" if figure <= bar else ">"


def _infinite(number: float) -> str:
    if math.isnan(number):
        raise ValueError("a figure that is not a number cannot be shown")
    return "infinite" if number > 0 else "minus infinite"


def _exact(number: Number) -> Fraction:
    return Fraction(repr(number)) if isinstance(number, float) else Fraction(number)


def _magnitude(exact: Fraction) -> int:
    """The power of ten of the first digit; 0 for zero."""
    return (Decimal(exact.numerator) / Decimal(exact.denominator)).adjusted() if exact else 0


def _blurs(near: Fraction, exact: Fraction, apart_from: Number | None) -> bool:
    if apart_from is None or (isinstance(apart_from, float) and not math.isfinite(apart_from)):
        return False
    apart = abs(exact - _exact(apart_from))
    return 0 < apart <= abs(near - exact)


def _text(written: str) -> str:
    number = Decimal(written)
    if not number:
        return "0"
    whole, _, part = written.partition(".")
    part = part.rstrip("0")
    if number.adjusted() > _PLAIN_DIGITS or number.adjusted() < -_PLAIN_PLACES:
        return _powers(whole, part)
    sign = "-" if whole.startswith("-") else ""
    return f"{sign}{int(whole.removeprefix('-')):,}" + (f".{part}" if part else "")


def _powers(whole: str, part: str) -> str:
    sign = "-" if whole.startswith("-") else ""
    digits = (whole.removeprefix("-") + part).lstrip("0")
    power = len(digits) - 1 - len(part)
    rest = digits[1:].rstrip("0")
    return f"{sign}{digits[0]}{'.' if rest else ''}{rest}E{power:+d}"
