"""Units: a small strict table, exact numbers, and no conversion that has to be guessed."""

import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

_DIGITS_LIMIT: Final = 40
_NUMBER: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_COUNTED: Final = re.compile(r"[a-z][a-z-]*")
_RESERVED: Final = frozenset({"and", "or", "not", "per"})
_PER: Final = "per "

# Each unit: its dimension and how many of the dimension's base unit it is. Prefixes of bytes: k, M, G, T are
# powers of 1000 (SI), Ki, Mi, Gi, Ti powers of 1024 (IEC 80000-13). A level (dB, dBFS) and a loudness (LU,
# LUFS: ITU-R BS.1770, EBU R 128) relate by a weighting or a reference, not by a factor: each stands alone.
_TABLE: Final[dict[str, tuple[str, Fraction]]] = {
    "ns": ("time", Fraction(1, 10**9)),
    "us": ("time", Fraction(1, 10**6)),
    "ms": ("time", Fraction(1, 10**3)),
    "s": ("time", Fraction(1)),
    "min": ("time", Fraction(60)),
    "h": ("time", Fraction(3600)),
    "d": ("time", Fraction(86400)),
    "B": ("bytes", Fraction(1)),
    "kB": ("bytes", Fraction(10**3)),
    "MB": ("bytes", Fraction(10**6)),
    "GB": ("bytes", Fraction(10**9)),
    "TB": ("bytes", Fraction(10**12)),
    "KiB": ("bytes", Fraction(2**10)),
    "MiB": ("bytes", Fraction(2**20)),
    "GiB": ("bytes", Fraction(2**30)),
    "TiB": ("bytes", Fraction(2**40)),
    "1": ("ratio", Fraction(1)),
    "%": ("ratio", Fraction(1, 100)),
    "Hz": ("frequency", Fraction(1)),
    "kHz": ("frequency", Fraction(10**3)),
    "dB": ("level difference in dB", Fraction(1)),
    "LU": ("loudness difference in LU", Fraction(1)),
    "LUFS": ("loudness in LUFS", Fraction(1)),
    "dBFS": ("level in dBFS", Fraction(1)),
}

# Words that mean a unit of the table and would otherwise pass for something counted.
_MEANT: Final[dict[str, str]] = {
    word: unit
    for unit, words in {
        "ns": "nsec nsecs nanos nanosec nanosecond nanoseconds",
        "us": "µs μs usec usecs micros microsec microsecond microseconds",
        "ms": "msec msecs millis millisec millisecond milliseconds",
        "s": "sec secs second seconds",
        "min": "m mins minute minutes",
        "h": "hr hrs hour hours",
        "d": "day days",
        "B": "byte bytes octet octets",
        "kB": "k kilobyte kilobytes",
        "MB": "meg megs megabyte megabytes",
        "GB": "g gig gigs gigabyte gigabytes",
        "TB": "t terabyte terabytes",
        "KiB": "ki kibibyte kibibytes",
        "MiB": "mi mebibyte mebibytes",
        "GiB": "gi gibibyte gibibytes",
        "TiB": "ti tebibyte tebibytes",
        "%": "percent percents percentage pct per-cent",
        "Hz": "hertz",
        "kHz": "kilohertz",
        "dB": "decibel decibels",
        "LU": "loudness-unit loudness-units",
    }.items()
    for word in words.split()
}
_FOLDED: Final = {unit.lower(): unit for unit in reversed(_TABLE)}


class UnitError(ValueError):
    """A number or a unit that is not in the strict table, or two that do not fit together."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """An exact number with its unit; `"1"` is the unit of a plain number."""

    number: Fraction
    unit: str

    def __post_init__(self) -> None:
        """Refuse a unit that is not one."""
        dimension(self.unit)

    def __str__(self) -> str:
        """Return the canonical text, `120 ms`; a number that no decimal ends is a ratio, `1/3 ms`."""
        number = decimal_text(self.number) if _is_decimal(self.number) else str(self.number)
        return number if self.unit == "1" else f"{number} {self.unit}"


def parse_quantity(text: str) -> Quantity:
    """Read a number with or without a unit, such as `120 ms`, `95 %` or `0.99`.

    The number is plain digits with an optional decimal point, so that what is read is what was written.
    Raises UnitError, with a remedy, on anything else: an exponent, hexadecimal, a separator, inf, nan.
    """
    stripped = text.strip(" ")
    found = _NUMBER.match(stripped)
    if found is None:
        raise UnitError(f"{text!r} does not begin with a number: write plain digits, such as 120 ms or 0.5 %")
    digits, rest = found.group(), stripped[found.end() :]
    if len(digits) > _DIGITS_LIMIT:
        raise UnitError(f"a number of {len(digits)} digits is too long: at most {_DIGITS_LIMIT} are read")
    if rest[:1] in {".", ",", "_", "'"}:
        raise UnitError(f"{text!r}: {rest[0]!r} after {digits}: write digits with no separators, one decimal point")
    unit = rest.strip(" ")
    if unit[:1].isdigit() or re.match(r"[eExX][+-]?[0-9]", unit):
        raise UnitError(f"{text!r}: {unit!r} after {digits}: write the number out, in plain decimal digits")
    quantity = Quantity(Fraction(Decimal(digits)), unit or "1")
    if unit and unit not in _TABLE and rest == unit:
        raise UnitError(f"{text!r}: write a blank between {digits} and {unit}")  # 0xff is no number of xffs
    return quantity


def dimension(unit: str) -> str:
    """Return what a unit measures: `time`, `bytes`, `ratio`, …, or `count of items` for `items`.

    A lower-case word that means no unit of the table is something counted, a dimension of its own. `per h` is events per
    exposure: how many in so much of another unit. Raises UnitError, naming the unit that was probably meant, on anything else.
    """
    if unit in _TABLE:
        return _TABLE[unit][0]
    if unit.startswith(_PER):
        return f"events per {_exposure(unit)}"
    meant = _MEANT.get(unit) or _MEANT.get(unit.lower()) or _FOLDED.get(unit.lower())
    if meant is not None:
        raise UnitError(f"{unit!r} is no unit here: write {meant}")
    if unit in _RESERVED or not _COUNTED.fullmatch(unit):
        known = ", ".join(_TABLE)
        raise UnitError(f"{unit!r} is no unit: use {known}, or a lower-case word for what is counted, such as items")
    return f"count of {unit}"


def base_unit(unit: str) -> str:
    """The unit that others of its dimension are multiples of, such as `s` for `ms`; raises UnitError as `dimension`."""
    wanted = dimension(unit)
    if unit.startswith(_PER):
        return _PER + _largest(
            unit.removeprefix(_PER)
        )  # so many per second are a whole number per day, not the reverse
    return next((name for name, (kind, factor) in _TABLE.items() if kind == wanted and factor == 1), unit)


def convert(number: Fraction | int, from_unit: str, to_unit: str) -> Fraction:
    """Convert an exact number from one unit to another of the same dimension, exactly.

    Raises UnitError, naming both units and dimensions, where they do not measure the same.
    """
    source, target = dimension(from_unit), dimension(to_unit)
    if source != target:
        raise UnitError(f"{from_unit} ({source}) cannot be converted to {to_unit} ({target})")
    return Fraction(number) * _factor(from_unit) / _factor(to_unit)


def _factor(unit: str) -> Fraction:
    """How many base units of its dimension it is; for events per exposure, the reciprocal."""
    if unit.startswith(_PER):
        return 1 / _factor(unit.removeprefix(_PER))
    return _TABLE.get(unit, ("", Fraction(1)))[1]


def _exposure(unit: str) -> str:
    """What events are counted over, of `per h`; UnitError for what is no exposure."""
    over = unit.removeprefix(_PER)
    measured = "" if over.startswith(_PER) else dimension(over)
    if measured not in ("time", "bytes") and not measured.startswith("count of "):
        raise UnitError(f"{unit!r} is no exposure: count per time, per bytes, or per things, such as per h")
    return measured


def _largest(unit: str) -> str:
    kind = dimension(unit)
    return max((name for name, (own, _) in _TABLE.items() if own == kind), key=_factor, default=unit)


def decimal_text(number: Fraction) -> str:
    """Write an exact number as plain decimal digits; UnitError where no finite decimal equals it."""
    if not _is_decimal(number):
        raise UnitError(f"{number} has no finite decimal form")
    twos, fives = _exponent(number.denominator, 2), _exponent(number.denominator, 5)
    places = max(twos, fives)
    scaled = abs(number.numerator) * 10**places // number.denominator
    whole, part = divmod(scaled, 10**places)
    sign = "-" if number < 0 else ""
    return f"{sign}{whole}" + (f".{part:0{places}d}" if places else "")


def _is_decimal(number: Fraction) -> bool:
    powers: int = 2 ** _exponent(number.denominator, 2) * 5 ** _exponent(number.denominator, 5)
    return number.denominator == powers


def _exponent(number: int, base: int) -> int:
    times = 0
    while number % base == 0:
        number //= base
        times += 1
    return times
