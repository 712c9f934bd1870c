"""TOML from outside, read so that no text can do more than be refused.

tomllib raises ValueError for an integer of thousands of decimal digits and RecursionError for deep nesting. It takes
hexadecimal integers of any length, which cannot even be shown afterwards, and keys of any number of dotted parts,
for which it needs time and memory in the square of that number.
"""

import re
import tomllib
from collections.abc import Callable
from typing import Any, Final

_BITS: Final = 1024
_PARTS: Final = 16
_PART: Final = r"""(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+"""
_LONG_KEY: Final = re.compile(r"(?:^|[{,])[ \t]*+\[{0,2}[ \t]*+(?:" + _PART + "){" + str(_PARTS) + "}", re.MULTILINE)


class TomlError(ValueError):
    """A text that is no TOML that can be taken; it says why, and at which line where that is known."""


def read_toml(text: str, parse_float: Callable[[str], Any] = float) -> dict[str, Any]:
    """The file's table. Raises ValueError: a TomlError, tomllib's own for too many digits, what `parse_float` raises."""
    long = _LONG_KEY.search(text)
    if long is not None:
        line = text.count("\n", 0, long.end()) + 1
        raise TomlError(f"a key has more than {_PARTS} parts (at line {line})")
    try:
        table = tomllib.loads(text, parse_float=parse_float)
    except tomllib.TOMLDecodeError as problem:
        raise TomlError(str(problem)) from problem
    except RecursionError as problem:
        raise TomlError("nested too deep") from problem
    _check_integers(table)
    return table


def _check_integers(table: dict[str, Any]) -> None:
    left: list[Any] = [table]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            left.extend(one.values())
        elif isinstance(one, list):
            left.extend(one)
        elif isinstance(one, int) and one.bit_length() > _BITS:
            raise TomlError(f"an integer has more than {_BITS} bits")
