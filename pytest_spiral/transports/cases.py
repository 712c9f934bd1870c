"""Requests that nobody thought of, good and bad, drawn from the schemas of the contract's OpenAPI document.

Chance is handed in: `random.Random(seed)` in a suite, so that a run's seed names its cases; in a test it is hypothesis's
own, which makes what it has found as small as it can. Only what both transports can carry is drawn: protobuf has no word
for half of a character, a field that a message does not have, or a value of another type.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from random import Random
from typing import Any, Final

import spiral_contract
from spiral_contract.operations import OPERATIONS

Known = Mapping[str, Sequence[Any]]
"""Values that the system under test knows, by the name of their field."""

_LETTERS: Final = "aZ09 .-_/\\\"'{}<>%\t\n\x00\x7f\u00e9e\u0301\u212b\u202e\u0627\U0001f300\u2028"
_PLAIN: Final = "ab09._- "
_NAMES: Final = ("a.txt", "b c.bin", "\u00fc (1).bin", "with no end")
_BAD_NAMES: Final = (
    "../up",
    "/etc/passwd",
    "a/b",
    "a\\b",
    "..",
    "",
    ".hidden",
    "a\tb",
    "x" * 201,
    "\u00fc" * 150,
    'a"b',
)
_INSTANTS: Final = ("2026-11-26T15:00:00Z", "2026-02-28T23:59:59.999999+05:30", "1970-01-01T00:00:00-00:00")
_CHUNK: Final = 12  # letters that are drawn; longer texts repeat them, so that hypothesis has little to make smaller
_TRIES: Final = 4
_MOST_ITEMS: Final = 3
_INT64: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Case:
    """A request, and what was made wrong in it on purpose; an empty text where nothing was."""

    operation: str
    payload: dict[str, Any]
    flaw: str


def drawn_operations() -> tuple[str, ...]:
    """Operations with fields to draw that are calls on both transports, in the order of the table."""
    return tuple(row.name for row in OPERATIONS.values() if row.grpc_method and _schema(row.name).get("properties"))


def draw_case(chance: Random, operation: str, known: Known) -> Case:
    """A request of an operation, spoilt in one place about every second time; raises KeyError for an unknown operation.

    Whether the system takes it is the system's to say: a good request may ask for what is not permitted.
    """
    schema = _schema(operation)
    payload: dict[str, Any] = _Draw(chance, known).value(schema, operation)
    flaw = ""
    if chance.randint(0, 1) and (flaws := list(_flaws(schema, payload, ()))):
        path, flaw, value = chance.choice(flaws)
        payload = _changed(payload, path, value)
        flaw = f"{'.'.join(map(str, path))}: {flaw}"
    if operation == "upload":
        payload, named = _upload(chance, payload)
        flaw = flaw or named
    return Case(operation, payload, flaw)


# The schemas


@cache
def _document() -> dict[str, Any]:
    text = (files(spiral_contract) / "openapi.json").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text)
    return document


@cache
def _schema(operation: str) -> dict[str, Any]:
    """The schema of a request's fields, whether they travel in the body or in the query."""
    row = OPERATIONS[operation]
    described = _document()["paths"][row.rest_path][row.rest_method.lower()]
    for content in described.get("requestBody", {}).get("content", {}).values():
        return _followed(content["schema"])
    query = [one for one in described.get("parameters", ()) if one.get("in") == "query"]
    return {"type": "object", "properties": {one["name"]: one["schema"] for one in query}}


def _followed(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema that a reference leads to, or the schema itself."""
    while "$ref" in schema:
        *_, kind, name = schema["$ref"].split("/")
        schema = _document()["components"][kind][name]
    return dict(schema)


# What is good


class _Draw:
    """Draws values that a schema allows."""

    def __init__(self, chance: Random, known: Known) -> None:
        self._chance = chance
        self._known = known

    def value(self, schema: Mapping[str, Any], name: str) -> Any:
        """A value; the name of its field says what the system may know of it."""
        schema = _followed(schema)
        if "anyOf" in schema:
            return self.value(self._chance.choice(schema["anyOf"]), name)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._chance.choice(schema["enum"])
        draw: Callable[[Mapping[str, Any], str], Any] = getattr(self, f"_{schema.get('type', 'object')}")
        return draw(schema, name)

    def _object(self, schema: Mapping[str, Any], _: str) -> dict[str, Any]:
        required = schema.get("required", ())
        return {
            name: self.value(one, name)
            for name, one in schema.get("properties", {}).items()
            if name in required or self._chance.randint(0, 2)
        }

    def _array(self, schema: Mapping[str, Any], name: str) -> list[Any]:
        least = schema.get("minItems", 0)
        drawn = [self.value(schema["items"], name) for _ in range(self._chance.randint(least, least + _MOST_ITEMS))]
        return _each_once(drawn) if schema.get("uniqueItems") else drawn

    def _string(self, schema: Mapping[str, Any], name: str) -> str:
        usual = self._known.get(name) or schema.get("examples") or ()
        if schema.get("contentMediaType") == "application/json":
            usual = ('{"run": 7}', '{"\u00e9": [1.5, null, "\U0001f300"]}', "{}", "")
        elif schema.get("format") == "date-time":
            usual = (*usual, *_INSTANTS)
        if usual and (_is_closed(schema) or self._chance.randint(0, 3)):
            return str(self._chance.choice(usual))
        return self._text(schema)

    def _text(self, schema: Mapping[str, Any]) -> str:
        least, most = int(schema.get("minLength", 0)), int(schema.get("maxLength", 64))
        for _ in range(_TRIES):
            letters = self._chance.choice((_PLAIN, _LETTERS))
            chunk = "".join(self._chance.choice(letters) for _ in range(self._chance.randint(1, _CHUNK)))
            length = min(max(self._chance.choice((least, 1, len(chunk), 63, 64, most)), least), most)
            text = (chunk * (length // len(chunk) + 1))[:length]
            if _matches(schema, text):
                return text
        return "a" * max(1, least)

    def _integer(self, schema: Mapping[str, Any], name: str) -> int:
        least, most = schema.get("minimum", 0), schema.get("maximum", _INT64)
        usual = (*self._known.get(name, ()), least, least + 1, most, self._chance.randint(least, min(most, least + 99)))
        return int(self._chance.choice(usual))

    def _boolean(self, _: Mapping[str, Any], __: str) -> bool:
        return bool(self._chance.randint(0, 1))

    def _null(self, _: Mapping[str, Any], __: str) -> None:
        return None


def _each_once(items: list[Any]) -> list[Any]:
    """The items without those that are another one, by name where they have names."""
    return list({str(one.get("name") if isinstance(one, dict) else one): one for one in items}.values())


def _is_closed(schema: Mapping[str, Any]) -> bool:
    """Whether a text of letters that are drawn could not be one of these."""
    return "format" in schema or schema.get("contentMediaType") == "application/json"


def _matches(schema: Mapping[str, Any], text: str) -> bool:
    refused = schema.get("not", {}).get("pattern")
    return re.search(schema.get("pattern", ""), text) is not None and not (refused and re.search(refused, text))


# What is bad

Path = tuple[str | int, ...]
_GONE: Final = object()


def _flaws(schema: Mapping[str, Any], value: Any, path: Path) -> Iterator[tuple[Path, str, Any]]:
    """Each way to make a value wrong: where, in which way, and what then stands there."""
    schema = _followed(schema)
    for one in schema.get("anyOf", ()):
        if "type" in one and isinstance(value, str) == (one["type"] == "string"):
            yield from _flaws(one, value, path)
    if isinstance(value, dict):
        for name, one in schema.get("properties", {}).items():
            if name in schema.get("required", ()):
                yield (*path, name), "missing", _GONE
                yield (*path, name), "null", None
            if name in value:
                yield from _flaws(one, value[name], (*path, name))
    elif isinstance(value, list):
        yield from _list_flaws(schema, value, path)
    elif isinstance(value, str):
        yield from ((path, *flaw) for flaw in _text_flaws(schema))
    elif isinstance(value, int) and not isinstance(value, bool):
        yield from ((path, *flaw) for flaw in _number_flaws(schema))


def _list_flaws(schema: Mapping[str, Any], value: list[Any], path: Path) -> Iterator[tuple[Path, str, Any]]:
    if schema.get("minItems"):
        yield path, "none", []
    if value and "maxItems" in schema:
        yield path, "too many", value[:1] * (schema["maxItems"] + 1)
    if value:
        yield from _flaws(schema["items"], value[0], (*path, 0))


def _text_flaws(schema: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    most = schema.get("maxLength", schema.get("pattern", "").endswith("}$") and 200)
    if most:
        yield "too long", "x" * (most + 1)
    for flaw, text in (
        ("empty", ""),
        ("blank", " \u2003"),
        ("a control character", "a\x07b"),
        ("no name", "../\u00c4!"),
    ):
        if len(text) < schema.get("minLength", 0) or not _matches(schema, text):
            yield flaw, text
    if "const" in schema or _is_closed(schema):
        yield "something else", "[1, {"


def _number_flaws(schema: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    if "minimum" in schema:
        yield "too small", schema["minimum"] - 1
    if schema.get("maximum", _INT64) < _INT64:
        yield "too large", schema["maximum"] + 1


def _changed(payload: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    changed = deepcopy(payload)
    *steps, last = path
    inner: Any = changed
    for step in steps:
        inner = inner[step]
    if value is not _GONE:
        inner[last] = value
    else:
        inner.pop(last, None)
    return changed


def _upload(chance: Random, fields: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """An upload as both transports take it, and what is wrong with it: its files have names, which stand in no schema."""
    contents = fields.get("files", [])
    names, flaw = [f"{number} {_NAMES[number % len(_NAMES)]}" for number in range(len(contents))], ""
    if names and not chance.randint(0, 3):
        names[-1] = chance.choice(_BAD_NAMES)
        flaw = "a name that is a path or worse"
    listed = [
        {"name": name, "content": base64.b64encode(content.encode()).decode()}
        for name, content in zip(names, contents, strict=True)
    ]
    return {**fields, "files": listed}, flaw
