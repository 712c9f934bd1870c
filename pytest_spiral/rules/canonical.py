"""JSON that means one thing only: RFC 8785 bytes, their digest, and strict parsing.

Strict means RFC 8259 with everything refused that two parsers might read in two ways: duplicate keys, NaN and
infinities, minus zero, integers beyond 2^53 - 1, numbers that a double cannot hold, lone surrogates, byte order
marks, and documents that are too deep or too large.
"""

import hashlib
import json
import math
import re
from collections import Counter
from functools import cache
from typing import Any, Final, TypeVar

import msgspec
import rfc8785

from pytest_spiral.errors import EvidenceError, UntrustedError
from pytest_spiral.model.base import MOST_INTEGER
from pytest_spiral.rules.integrity import Limits, shown

_Struct = TypeVar("_Struct", bound=msgspec.Struct)

_INTEGER_LENGTH: Final = len(str(-MOST_INTEGER))
# A string that the document never ends counts to its end: trying again from each quote would be quadratic.
_NESTING: Final = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[{]|[\]}]', re.DOTALL)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_LIMITS: Final = Limits()
_NOTHING: Final = hashlib.sha256()  # copied for each digest, which spares looking the algorithm up


def digest(data: bytes) -> str:
    """The SHA-256 of bytes as `sha256:` and 64 lowercase hexadecimal digits."""
    state = _NOTHING.copy()
    state.update(data)
    return "sha256:" + state.hexdigest()


def canonical_bytes(value: object) -> bytes:
    """The RFC 8785 form of a value: JSON built-ins, or a msgspec value.

    Raises EvidenceError for what has no such form: NaN, infinities, integers beyond 2^53 - 1, lone surrogates,
    keys that are no text, nesting without end.
    """
    try:
        return rfc8785.dumps(msgspec.to_builtins(value, enc_hook=_base))
    except (ValueError, TypeError, RecursionError) as problem:
        raise EvidenceError(f"a value has no canonical JSON form: {shown(problem)}.") from problem


def plain(value: object, depth: int = _LIMITS.depth) -> Any:
    """The value as JSON built-ins that `parse_strict` takes and gives back unchanged.

    Minus zero becomes zero, and half of a surrogate pair becomes its escape in plain characters, since both come
    from ordinary programs. Raises EvidenceError for what must not be written: numbers that are not finite,
    integers beyond 2^53 - 1, keys that are no text, types that JSON does not have, too deep a nesting.
    """
    try:
        return _plain(msgspec.to_builtins(value, order="deterministic", enc_hook=_base), depth)
    except (TypeError, RecursionError) as problem:
        raise EvidenceError(f"a value cannot be kept as JSON: {shown(problem)}.") from problem


def parse_strict(data: bytes, *, most: int = _LIMITS.json, depth: int = _LIMITS.depth) -> Any:
    """Parse one JSON document of at most `most` bytes, nested at most `depth` deep.

    Raises UntrustedError with a `json-…` code, or `file-too-large`.
    """
    return _parsed(data, most, depth, _DECODER)


def _parsed(data: bytes, most: int, depth: int, decoder: json.JSONDecoder) -> Any:
    if len(data) > most:
        raise UntrustedError("file-too-large", f"{len(data)} bytes, at most {most} are read.")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise UntrustedError("json-encoding", f"byte {problem.start} is not UTF-8: {problem.reason}.") from problem
    _check_depth(text, depth)
    try:
        value = decoder.decode(text)
    except json.JSONDecodeError as problem:
        raise UntrustedError("json-syntax", f"not JSON at character {problem.pos}: {problem.msg}.") from problem
    except RecursionError as problem:  # only where the limit was raised beyond what the interpreter can nest
        raise UntrustedError("json-depth", "nested deeper than this interpreter can read.") from problem
    if "\\u" in text:
        _check_surrogates(value)
    return value


def parse_foreign(data: bytes, kind: type[_Struct], *, most: int = _LIMITS.json, depth: int = _LIMITS.depth) -> _Struct:
    """As `parse_value`, for a document that quotes a system under test: its numbers stand as it wrote them.

    Minus zero and integers beyond 2^53 - 1 are then what has to be seen, and Python keeps both exactly.
    """
    return convert(_parsed(data, most, depth, _FOREIGN), kind)


def parse_value(data: bytes, kind: type[_Struct], *, most: int = _LIMITS.json, depth: int = _LIMITS.depth) -> _Struct:
    """Parse one JSON document strictly into a value of that type.

    Raises UntrustedError: as `parse_strict`, and `format-unknown` or `field-wrong`.
    """
    return convert(parse_strict(data, most=most, depth=depth), kind)


def parse_canonical(data: bytes, kind: type[_Struct], *, most: int = _LIMITS.json) -> _Struct:
    """As `parse_value`; also raises `not-canonical` where the bytes are not their own RFC 8785 form."""
    built = parse_strict(data, most=most)
    value = convert(built, kind)
    if canonical_bytes(built) != data:
        raise UntrustedError("not-canonical", "the bytes differ from the RFC 8785 form of what they say.")
    return value


def convert(built: object, kind: type[_Struct]) -> _Struct:
    """Make a typed value of parsed JSON; raises UntrustedError with `format-unknown` or `field-wrong`."""
    known = _format_of(kind)
    if known is not None and isinstance(built, dict) and built.get("format") != known:
        raise UntrustedError("format-unknown", f"format {shown(built.get('format'))!r}, known here is {known!r}.")
    try:
        return msgspec.convert(built, kind)
    except msgspec.ValidationError as problem:
        raise UntrustedError("field-wrong", f"{shown(problem)}.") from problem


@cache
def _format_of(kind: type[msgspec.Struct]) -> object:
    """The format that values of this type state; None where they state none. Asking for it takes 100 us."""
    return next((field.default for field in msgspec.structs.fields(kind) if field.name == "format"), None)


def check_integer(number: int) -> None:
    """Raise UntrustedError `json-integer` for one beyond 2^53 - 1."""
    if not -MOST_INTEGER <= number <= MOST_INTEGER:
        raise UntrustedError("json-integer", f"integer {shown(number, 24)} is beyond 2^53 - 1.")


def _base(value: object) -> object:
    """A number or text of a subclass, such as a numpy float, as what it is; TypeError for anything else."""
    for base in (str, int, float):
        if isinstance(value, base):
            return base(value)
    raise TypeError(f"JSON has no {type(value).__name__}")


def _plain(value: Any, depth: int) -> Any:
    match value:
        case None | bool():
            return value
        case str():
            return value.encode("utf-8", "backslashreplace").decode("utf-8")
        case int():
            if not -MOST_INTEGER <= value <= MOST_INTEGER:
                raise EvidenceError(f"integer {shown(value, 24)} cannot be kept: it is beyond 2^53 - 1.")
            return value
        case float():
            if not math.isfinite(value):
                raise EvidenceError(f"{value} cannot be kept: it is not a finite number.")
            return value or 0.0
        case _:
            return _plain_container(value, depth)


def _plain_container(value: Any, depth: int) -> Any:
    if depth <= 0:
        raise EvidenceError("a value cannot be kept: it is nested too deep.")
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise EvidenceError("a value cannot be kept: an object's keys must be text.")
        return {_plain(key, 0): _plain(one, depth - 1) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one, depth - 1) for one in value]
    raise EvidenceError(f"a value cannot be kept: JSON has no {type(value).__name__}.")


def _check_depth(text: str, most: int) -> None:
    if text.count("[") + text.count("{") <= most:
        return
    depth = 0
    for token in _NESTING.finditer(text):
        first = text[token.start()]
        if first in "[{":
            depth += 1
            if depth > most:
                raise UntrustedError("json-depth", f"nested more than {most} deep at character {token.start()}.")
        elif first in "]}":
            depth -= 1


def _check_surrogates(value: object) -> None:
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, str):
            if _SURROGATE.search(one):
                raise UntrustedError("json-surrogate", f"text {shown(one, 40)!r} has half of a surrogate pair.")
        elif isinstance(one, dict):
            left.extend(one)
            left.extend(one.values())
        elif isinstance(one, list):
            left.extend(one)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise UntrustedError("json-duplicate-key", f"the key {shown(twice, 40)!r} stands twice in one object.")
    return made


def _integer(text: str) -> int:
    if text == "-0":
        raise UntrustedError("json-negative-zero", "a number is written -0.")
    if len(text) > _INTEGER_LENGTH:  # also keeps int() from refusing, or from taking quadratic time
        raise UntrustedError("json-integer", f"integer {shown(text, 24)} is beyond 2^53 - 1.")
    number = int(text)
    check_integer(number)
    return number


def _real(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise UntrustedError("json-number", f"number {shown(text, 24)} is too large for a double.")
    if number == 0:
        if re.search("[1-9]", re.split("[eE]", text, maxsplit=1)[0]):
            raise UntrustedError("json-number", f"number {shown(text, 24)} is too small for a double.")
        if text.startswith("-"):
            raise UntrustedError("json-negative-zero", f"a number is written {shown(text, 24)}.")
    return number


def _constant(text: str) -> float:
    raise UntrustedError("json-number", f"{text} is no JSON number.")


def _foreign_integer(text: str) -> int:
    if len(text) > _FOREIGN_DIGITS:
        raise UntrustedError("json-integer", f"integer {shown(text, 24)} has more than {_FOREIGN_DIGITS} characters.")
    return int(text)


def _foreign_real(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise UntrustedError("json-number", f"number {shown(text, 24)} is too large for a double.")
    return number


_FOREIGN_DIGITS: Final = 1000
_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_real, parse_constant=_constant
)
_FOREIGN: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_foreign_integer, parse_float=_foreign_real, parse_constant=_constant
)
