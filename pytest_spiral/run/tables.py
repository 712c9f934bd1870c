"""Reading tables of a TOML file strictly: every mistake is one sentence with file, line and remedy."""

import difflib
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from pytest_spiral.errors import GatesFileError
from pytest_spiral.rules.toml import read_toml
from pytest_spiral.rules.units import UnitError, parse_quantity

Place = tuple[int | str, ...]
"""Where a key stands: gate by number, criterion by number, the key (empty: the table's own header)."""

_NUMBER_DIGITS: Final = 15
_MOST: Final = 10**_NUMBER_DIGITS
_SHOWN: Final = 60


def parse_toml(text: str, shown: str) -> dict[str, Any]:
    """The file's table; every number with a point or an exponent is an exact decimal. Raises GatesFileError."""
    try:
        return read_toml(text, _decimal)
    except ValueError as error:
        at_line = re.search(r"at line ([0-9]+)", str(error))
        whole = text[: text.find(error.written)] if isinstance(error, _NumberError) else text.rstrip("\n")
        line = int(at_line[1]) if at_line else whole.count("\n") + 1
        raise GatesFileError(f"this is no TOML: {error}.", path=shown, line=line, remedy="mend that line.") from error


class _NumberError(ValueError):
    """A number that is none, or too long to be meant; `written` is how it stands in the file."""

    def __init__(self, written: str) -> None:
        self.written = written
        super().__init__(f"{told(written)} is no number that can be taken here")


def _decimal(text: str) -> Decimal:
    """A number of the file, exactly."""
    number = Decimal(text) if len(text) <= _NUMBER_DIGITS * 2 else Decimal("NaN")
    if not number.is_finite() or abs(number.adjusted()) > _NUMBER_DIGITS:
        raise _NumberError(text)
    return number


class Tables:
    """Takes values out of one file's tables; knows where each key stands, for the error's line."""

    def __init__(self, shown: str, text: str) -> None:
        self.shown = shown
        self.lines = _positions(text)

    def error(self, problem: str, place: Place, key: str, remedy: str) -> GatesFileError:
        """The error at a key; where the key is not there, at its table's header, or at the nearest one above."""
        places: list[Place] = [(*place, key), *((*place[:depth], "") for depth in range(len(place), 0, -1)), ("gate",)]
        line = next((self.lines[one] for one in places if one in self.lines), 1)
        end = "" if remedy.endswith("?") else "."
        return GatesFileError(problem, path=self.shown, line=line, remedy=remedy + end)

    def keys(self, table: Mapping[str, Any], allowed: Sequence[str], place: Place) -> None:
        """Refuse a key that is not allowed, with the one that was probably meant."""
        for key in table:
            if key not in allowed:
                close = difflib.get_close_matches(key, allowed, 1)
                remedy = f"did you mean `{close[0]}`?" if close else f"use one of {', '.join(allowed)}"
                raise self.error(f"unknown key {key!r}.", place, key, remedy)

    def quantity(self, table: Mapping[str, Any], key: str, place: Place) -> str | None:
        """A quantity above zero in its one spelling, such as `20 s`; None where the key is not there."""
        text = self.text(table, key, place)
        if not text:
            return None
        try:
            parsed = parse_quantity(text)
        except UnitError as error:
            raise self.error(
                f"`{key}`: {error}.", place, key, f'write a number and a unit, as in `{key} = "20 s"`'
            ) from error
        if parsed.number <= 0 or parsed.unit == "1":
            what = "has no unit" if parsed.unit == "1" else "must be more than zero"
            raise self.error(f"`{key}` {what}.", place, key, f'write for instance `{key} = "20 s"`')
        return str(parsed)

    def number(self, table: Mapping[str, Any], key: str, place: Place, least: int, *, at: str = "") -> int | None:
        """A whole number of at least `least`; None where the key is not there. `at`: the key in whose value it stands."""
        value = table.get(key)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= _MOST:
            raise self.error(f"`{key}` is {told(value)}.", place, at or key, f"use a whole number from {least} up")
        return value

    def flag(self, table: Mapping[str, Any], key: str, place: Place) -> bool:
        """A truth value, false where the key is not there."""
        value = table.get(key, False)
        if not isinstance(value, bool):
            raise self.error(f"`{key}` is {told(value)}.", place, key, "use true or false")
        return value

    def choice(self, table: Mapping[str, Any], key: str, place: Place, words: Sequence[str], default: str) -> Any:
        """One of the words, the default where the key is not there."""
        value = table.get(key, default)
        if key in table and value not in words:
            raise self.error(f"`{key}` is {told(value)}.", place, key, f"use one of {', '.join(words)}")
        return value

    def text(self, table: Mapping[str, Any], key: str, place: Place, *, required: bool = False) -> str:
        """A text without blanks around it, empty only where the key is not there."""
        value = table.get(key, "")
        if not isinstance(value, str):
            raise self.error(f"`{key}` is not a text.", place, key, "put it in quotes")
        if (required or key in table) and not value.strip():
            raise self.error(f"`{key}` is missing or empty.", place, key, f'write `{key} = "…"`')
        return value.strip()

    def words(self, table: Mapping[str, Any], key: str, place: Place) -> tuple[str, ...]:
        """A list of texts, none of them empty; no texts where the key is not there."""
        value = table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(one, str) and one.strip() for one in value):
            raise self.error(f"`{key}` is not a list of texts.", place, key, f'write `{key} = ["…"]`')
        return tuple(value)


def told(value: Any) -> str:
    """A value of the file as an error shows it: short, a text in quotes, a number as it is written."""
    text = str(value).lower() if isinstance(value, bool | Decimal) else repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _positions(text: str) -> dict[Place, int]:
    """(gate, criterion, key) → line, 1-based; key "" is the table's own header. A scan, for messages only."""
    found: dict[Place, int] = {}
    place: tuple[int, ...] = ()
    for number, line in enumerate(text.split("\n"), start=1):
        header = re.match(r"\s*\[\[\s*(gate(?:\.criterion)?)\s*\]\]", line)
        if header and header[1] == "gate":
            place = (place[0] + 1 if place else 0,)
        elif header and place:
            place = (place[0], place[1] + 1 if len(place) > 1 else 0)
        if header:
            found[(*place, "")] = number
            continue
        key = re.match(r"\s*([A-Za-z0-9_-]+)\s*=", line)
        if key:
            found.setdefault((*place, key[1]), number)
    return found
