"""JSON as every REST side reads it: no key twice in an object, no half of a character, and 7.0 is the whole number 7.

A reader that takes the last of two equal keys hears something else than one that takes the first, and so does whoever
reads a log of both. JSON Schema (2020-12, core 4.2.3) and protobuf's JSON mapping both read 7.0 as whole.
"""

import json
import math
from typing import Any


def parse_json(text: bytes) -> Any:
    """The value of a JSON text in UTF-8; raises ValueError for any other text, and for one that is nested too deeply."""
    words = text.decode()
    try:
        value = json.loads(words, object_pairs_hook=_object, parse_constant=_no_constant, parse_float=_number)
    except RecursionError as error:
        raise ValueError("JSON is nested too deeply") from error
    if "\\ud" in words.lower():  # half of a character can be written as an escape alone, and is text nowhere else
        json.dumps(value, ensure_ascii=False).encode()
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice in an object")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return int(value) if value.is_integer() else value
