"""Limit strings such as `p95(retrieval) <= 120 ms`, read strictly."""

import re
from decimal import Decimal
from fractions import Fraction

from pytest_spiral.model.gate import Limit
from pytest_spiral.rules.units import UnitError, convert, decimal_text, dimension, parse_quantity

NAME = r"[a-z][a-z0-9-]*"
_CALL = re.compile(
    rf"(?P<statistic>p[0-9]{{1,3}}(?:\.[0-9]+)?(?:-regression)?|[a-z]+(?:-[a-z]+)*)"
    rf"\(\s*(?P<first>{NAME})\s*(?:,\s*(?P<second>{NAME})\s*)?\)"
    r"(?:\s*(?P<comparison><=|>=|<|>|==|=)\s*(?P<quantity>.+))?"
)
_QUANTILE = re.compile(r"p[0-9]+(\.[0-9]+)?")
_QUANTILE_PLACES = 4
_COUNTED = ("count", "failures")
_SHARED = ("rate", "mean")
_PER_EXPOSURE = "count-rate"
_REGRESSION = "-regression"
COMPARED = ("equivalence", "regression")
"""Statistics of how far two measurements are apart."""

_MEASURED = ("rate", "min", "max", "mean", "duration", "equivalence", _PER_EXPOSURE, *_COUNTED)
_TWO_SIDED = "`equal(a, b)`, `equivalence(a, b) <= 5 ms` and `p95-regression(new, old) <= 25 ms`"
_SHAPE = (
    "write it like `p95(search) <= 120 ms`, `rate(boot) >= 95 %`, `failures(search) <= 0`, `equal(a, b)` or `all-pass`"
)


class LimitError(ValueError):
    """A limit string that cannot be taken. `problem` says why, `remedy` what to write instead; the text has both."""

    def __init__(self, text: str, problem: str, remedy: str = _SHAPE) -> None:
        self.problem = f"limit {text!r} {problem}"
        self.remedy = remedy
        super().__init__(f"{self.problem}; {remedy}")


def parse_limit(text: str) -> Limit:
    """Read one limit string; raises LimitError with the remedy.

    Numbers are kept as exact decimals. Counts and failures need no unit; every other number needs one. The limit's
    own text is its one spelling: two texts that mean the same give equal limits.
    """
    stripped = text.strip()
    if stripped == "all-pass":
        return Limit(text=stripped, statistic="all-pass")
    match = _CALL.fullmatch(stripped)
    if match is None:
        raise LimitError(text, "is not understood")
    if match["statistic"] == "equal":
        return _equality(text, match)
    return _comparison(text, match)


def _equality(text: str, match: re.Match[str]) -> Limit:
    first, second = match["first"], match["second"]
    if second is None or match["comparison"] is not None:
        raise LimitError(text, "is no comparison of two measurements", "write `equal(a, b)`, without a bound")
    if first == second:
        raise LimitError(text, f"compares {first} with itself, which cannot fail", "name two measurements")
    return Limit(text=f"equal({first}, {second})", statistic="equal", measurements=(first, second))


def _comparison(text: str, match: re.Match[str]) -> Limit:
    statistic, quantile = _statistic(text, match["statistic"])
    names = _names(text, statistic, match)
    comparison = match["comparison"]
    if comparison is None:
        raise LimitError(text, "has no bound")
    if comparison not in ("<=", ">="):
        raise LimitError(text, f"compares with `{comparison}`", "use `<=` or `>=`")
    number, unit = _bound(text, statistic, match["quantity"].strip())
    _check_direction(text, statistic, comparison)
    _check_can_fail(text, statistic, comparison, _in_base(number, unit))
    spelled = f"{_word(statistic, quantile)}({', '.join(names)}) {comparison} {number}" + (f" {unit}" if unit else "")
    return Limit(
        text=spelled,
        statistic=statistic,  # type: ignore[arg-type]  # checked against the table just above
        measurements=names,
        quantile=quantile,
        comparison=comparison,  # type: ignore[arg-type]
        bound=number,
        unit=unit,
    )


def _names(text: str, statistic: str, match: re.Match[str]) -> tuple[str, ...]:
    """The measurements: one, or the two that are compared, of which the second is what the first is held against."""
    first, second = match["first"], match["second"]
    if statistic not in COMPARED:
        if second is not None:
            raise LimitError(text, "names two measurements", f"name one; only {_TWO_SIDED} take two")
        return (first,)
    if second is None:
        raise LimitError(text, "compares one measurement with nothing", f"name two, as in {_TWO_SIDED}")
    if first == second:
        raise LimitError(text, f"compares {first} with itself, which cannot fail", "name two measurements")
    return first, second


def _word(statistic: str, quantile: str | None) -> str:
    if quantile is None:
        return statistic
    return f"p{decimal_text(Fraction(Decimal(quantile)) * 100)}{_REGRESSION if statistic == 'regression' else ''}"


def _statistic(text: str, word: str) -> tuple[str, str | None]:
    number = word.removesuffix(_REGRESSION)
    if _QUANTILE.fullmatch(number):
        quantile = Fraction(Decimal(number[1:])) / 100
        places = len(number.partition(".")[2].rstrip("0"))
        if not Fraction(1, 2) <= quantile < 1 or places > _QUANTILE_PLACES:
            raise LimitError(text, f"asks for {word}", "quantiles go from p50 over p95 and p99.9 to p99.9999")
        return "quantile" if number == word else "regression", decimal_text(quantile)
    if word in ("regression", f"no{_REGRESSION}"):
        raise LimitError(text, "says not of which quantile", "write it like `p95-regression(new, old) <= 25 ms`")
    if word not in _MEASURED:
        raise LimitError(text, f"has an unknown statistic {word!r}")
    return word, None


def _bound(text: str, statistic: str, quantity: str) -> tuple[str, str | None]:
    if statistic in _COUNTED and re.fullmatch(r"[0-9]{1,15}", quantity):
        return str(int(quantity)), None
    try:
        parsed = parse_quantity(quantity)
    except UnitError as error:
        raise LimitError(text, f"has no bound that can be read: {error}", "write a number and a unit") from error
    if statistic in _COUNTED and (parsed.number < 0 or parsed.number.denominator != 1):
        raise LimitError(text, f"bounds {statistic} by {quantity}", "a count is a whole number, as in `<= 0`")
    if parsed.unit == "1":
        raise LimitError(text, "has no unit", "add one, as in `<= 120 ms` or `>= 95 %`")
    _check_dimension(text, statistic, parsed.unit)
    return decimal_text(parsed.number), parsed.unit


def _check_dimension(text: str, statistic: str, unit: str) -> None:
    if statistic in _SHARED and dimension(unit) != dimension("%"):
        raise LimitError(text, f"bounds a {statistic} in {unit}", "a share is bounded in %, as in `>= 95 %`")
    if statistic in COMPARED and dimension(unit) == dimension("%"):
        remedy = "write an amount in the measurements' own unit, as in `<= 5 ms`"
        raise LimitError(text, f"bounds a difference in {unit}, a share of nobody knows what", remedy)
    if statistic == "duration" and dimension(unit) != dimension("s"):
        raise LimitError(text, f"bounds a duration in {unit}", "use a unit of time, as in `>= 48 h`")
    if statistic == _PER_EXPOSURE and not dimension(unit).startswith("events per "):
        raise LimitError(text, f"bounds a {statistic} in {unit}", "say per how much, as in `<= 2 per h`")
    if statistic in _COUNTED and not dimension(unit).startswith("count of "):
        raise LimitError(text, f"bounds {statistic} in {unit}", "it is a whole number of things, as in `<= 0 samples`")


def _check_direction(text: str, statistic: str, comparison: str) -> None:
    """A count, a number of failures and a difference are bounded from above: `>= 0` could not fail, or means nothing."""
    if statistic in (_PER_EXPOSURE, *_COUNTED, *COMPARED) and comparison != "<=":
        raise LimitError(text, f"bounds {statistic} from below", "use `<=`")


def _in_base(number: str, unit: str | None) -> Fraction:
    """The bound of a share as a share of 1; any other bound as it is."""
    exact = Fraction(Decimal(number))
    return convert(exact, unit, "1") if unit is not None and dimension(unit) == dimension("%") else exact


def _check_can_fail(text: str, statistic: str, comparison: str, bound: Fraction) -> None:
    """A share lies between 0 and 1 and a duration is never negative, so some bounds are always kept, or never."""
    if statistic in _SHARED:
        inside = 0 < bound <= 1 if comparison == ">=" else 0 <= bound < 1
        if not inside:
            raise LimitError(text, f"is kept by every {statistic}, or by none", "bound a share between 0 % and 100 %")
    if statistic == _PER_EXPOSURE and bound <= 0:
        raise LimitError(text, "can never be proven", "allow for more than none per exposure, or limit the `count`")
    if statistic in COMPARED and bound <= 0:
        raise LimitError(
            text, "can never be proven", "allow for some difference: a figure that is measured has a spread"
        )
    if statistic == "duration" and bound <= 0:
        raise LimitError(text, "is kept by every duration, or by none", "bound it by more than no time")


def bound_of(limit: Limit, unit: str | None = None) -> Fraction:
    """The limit's bound as an exact number in `unit` (default: its own); ValueError where it has none."""
    if limit.bound is None:
        raise ValueError(f"{limit.text} has no bound")
    number = Fraction(Decimal(limit.bound))
    if unit is None or limit.unit is None:
        return number
    return convert(number, limit.unit, unit)
