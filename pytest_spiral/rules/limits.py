"""Limit strings such as `p95(retrieval) <= 120 ms`, read strictly."""

import re
from decimal import Decimal
from fractions import Fraction

from pytest_spiral.model.gate import Limit
from pytest_spiral.rules.units import UnitError, convert, decimal_text, dimension, parse_quantity

NAME = r"[a-z][a-z0-9-]*"
_CALL = re.compile(
    rf"(?P<statistic>p\d{{1,2}}(?:\.\d+)?|[a-z]+(?:-[a-z]+)*)"
    rf"\(\s*(?P<first>{NAME})\s*(?:,\s*(?P<second>{NAME})\s*)?\)"
    r"(?:\s*(?P<comparison><=|>=|<|>|==|=)\s*(?P<quantity>.+))?"
)
_COUNTED = ("count", "failures")
_MEASURED = ("rate", "min", "max", "mean", "duration", *_COUNTED)
_SHAPE = (
    "write it like `p95(search) <= 120 ms`, `rate(boot) >= 95 %`, `failures(search) <= 0`, `equal(a, b)` or `all-pass`"
)


class LimitError(ValueError):
    """A limit string that cannot be taken; the text says what to write instead."""


def parse_limit(text: str) -> Limit:
    """Read one limit string; raises LimitError with the remedy.

    Numbers are kept as exact decimals. Counts and failures need no unit; every other number needs one.
    """
    stripped = text.strip()
    if stripped == "all-pass":
        return Limit(text=stripped, statistic="all-pass")
    match = _CALL.fullmatch(stripped)
    if match is None:
        raise LimitError(f"limit {text!r} is not understood; {_SHAPE}")
    if match["statistic"] == "equal":
        return _equality(text, match)
    if match["second"] is not None:
        raise LimitError(f"limit {text!r} names two measurements; only `equal(a, b)` does")
    return _comparison(text, match)


def _equality(text: str, match: re.Match[str]) -> Limit:
    first, second = match["first"], match["second"]
    if second is None or match["comparison"] is not None:
        raise LimitError(f"limit {text!r}: `equal` takes two measurements and no bound, as in `equal(a, b)`")
    if first == second:
        raise LimitError(f"limit {text!r} compares {first} with itself, which cannot fail")
    return Limit(text=f"equal({first}, {second})", statistic="equal", measurements=(first, second))


def _comparison(text: str, match: re.Match[str]) -> Limit:
    statistic, quantile = _statistic(text, match["statistic"])
    comparison = match["comparison"]
    if comparison is None:
        raise LimitError(f"limit {text!r} has no bound; {_SHAPE}")
    if comparison not in ("<=", ">="):
        raise LimitError(f"limit {text!r}: use `<=` or `>=`, not `{comparison}`")
    number, unit = _bound(text, statistic, match["quantity"])
    _check_direction(text, statistic, comparison)
    spelled = f"{match['statistic']}({match['first']}) {comparison} {number}" + (f" {unit}" if unit else "")
    return Limit(
        text=spelled,
        statistic=statistic,  # type: ignore[arg-type]  # checked against the table just above
        measurements=(match["first"],),
        quantile=quantile,
        comparison=comparison,  # type: ignore[arg-type]
        bound=number,
        unit=unit,
    )


def _statistic(text: str, word: str) -> tuple[str, str | None]:
    if re.fullmatch(r"p\d+(\.\d+)?", word):
        quantile = Decimal(word[1:]) / 100
        if not Decimal("0.5") <= quantile < 1:
            raise LimitError(f"limit {text!r}: quantiles go from p50 to p99.9…")
        return "quantile", str(quantile.normalize())
    if word not in _MEASURED:
        raise LimitError(f"limit {text!r}: unknown statistic {word!r}; {_SHAPE}")
    return word, None


def _bound(text: str, statistic: str, quantity: str) -> tuple[str, str | None]:
    if statistic in _COUNTED and re.fullmatch(r"\d+", quantity.strip()):
        return quantity.strip(), None
    try:
        parsed = parse_quantity(quantity.strip())
    except UnitError as error:
        raise LimitError(f"limit {text!r}: {error}") from error
    except ValueError as error:
        raise LimitError(f"limit {text!r}: a number and a unit are needed after the comparison ({error})") from error
    if parsed.unit == "1":
        raise LimitError(f"limit {text!r} has no unit; add one, as in `<= 120 ms` or `>= 95 %`")
    _check_dimension(text, statistic, parsed.unit)
    return decimal_text(parsed.number), parsed.unit


def _check_dimension(text: str, statistic: str, unit: str) -> None:
    if statistic in ("rate", "mean") and dimension(unit) != dimension("%"):
        raise LimitError(f"limit {text!r}: a {statistic} is judged as a share; its bound is in %, as in `>= 95 %`")
    if statistic == "duration" and dimension(unit) != dimension("s"):
        raise LimitError(f"limit {text!r}: a duration is bounded in a unit of time, as in `>= 48 h`")
    if statistic in _COUNTED and dimension(unit) in {dimension(one) for one in ("s", "B", "%", "Hz", "dB")}:
        raise LimitError(f"limit {text!r}: {statistic} is a whole number of things, not {unit}")


def _check_direction(text: str, statistic: str, comparison: str) -> None:
    """A count or a number of failures is bounded from above: `>= 0` could not fail."""
    if statistic in _COUNTED and comparison != "<=":
        raise LimitError(f"limit {text!r}: {statistic} is bounded from above, with `<=`")


def bound_of(limit: Limit, unit: str | None = None) -> Fraction:
    """The limit's bound as an exact number in `unit` (default: its own); ValueError where it has none."""
    if limit.bound is None:
        raise ValueError(f"{limit.text} has no bound")
    number = Fraction(Decimal(limit.bound))
    if unit is None or limit.unit is None:
        return number
    return convert(number, limit.unit, unit)
