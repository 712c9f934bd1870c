"""Reading `gates.toml` strictly: every mistake is one sentence with file, line and remedy."""

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec

from pytest_spiral.errors import GatesFileError
from pytest_spiral.model.fidelity import Fidelity
from pytest_spiral.model.gate import Control, Criterion, CriterionCard, Gate, GateCard, Limit, Plan
from pytest_spiral.model.profile import KNOWN_FACTS
from pytest_spiral.rules.limits import LimitError, parse_limit
from pytest_spiral.rules.requirements import RequirementError, check_names, parse_requirement
from pytest_spiral.rules.statistics import quantile_ranks
from pytest_spiral.rules.units import UnitError, convert, parse_quantity

FORMAT = 1
_FILE_KEYS = ("format", "gate")
_GATE_KEYS = (
    "id", "title", "owner", "objective", "entry", "due", "no_control", "planned", "subjects", "criterion",
)  # fmt: skip
_CRITERION_KEYS = (
    "id", "promise", "owner", "due", "limit", "samples", "exposure", "warm_up", "blocks", "confidence",
    "confidence_reason", "consecutive", "census", "sampling", "margin", "seed", "requires", "fidelity", "level",
    "method", "control", "tests", "planned", "subjects",
)  # fmt: skip
_CONTROL_KEYS = ("of", "fault", "verdict")
_GATE_ID = re.compile(r"[A-Z][A-Z0-9]{0,7}")
_WORD = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_NEEDS_CONFIDENCE = ("rate", "quantile", "mean")
_NEEDS_SAMPLES = ("rate", "quantile", "mean", "failures", "min", "max", "equal", "all-pass")


@dataclass(frozen=True, slots=True)
class GateFile:
    """One gates file as read: gates of the bar beside the cards that describe them, in the file's order."""

    path: Path
    gates: tuple[Gate, ...]
    cards: tuple[GateCard, ...]

    @property
    def folder(self) -> Path:
        """The folder whose tests prove these gates."""
        return self.path.parent


def load_gate_files(root: Path, patterns: Iterable[str]) -> tuple[GateFile, ...]:
    """Read every gates file that matches, in order of path.

    `patterns` are globs relative to `root`. Raises GatesFileError for a file that cannot be taken, and for a gate
    or criterion id that stands twice in all of them.
    """
    paths = sorted({path for pattern in patterns for path in root.glob(pattern) if path.is_file()})
    files = tuple(read_gate_file(path, root) for path in paths)
    _refuse_doubles(files)
    return files


def read_gate_file(path: Path, root: Path) -> GateFile:
    """Read one gates file; raises GatesFileError."""
    shown = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise GatesFileError(f"the file cannot be read ({error}).", path=shown) from error
    return parse_gate_file(text, path, shown, stage_of(path))


def stage_of(path: Path) -> str:
    """The stage a gates file belongs to: the name of its folder under `suites/`, else none."""
    return path.parent.name if path.parent.parent.name == "suites" else ""


def parse_gate_file(text: str, path: Path, shown: str, stage: str) -> GateFile:
    """Read a gates file's text; `shown` is how errors call it. Raises GatesFileError."""
    try:
        table = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        raise GatesFileError(f"this is no TOML: {error}.", path=shown, line=int(line[1]) if line else None) from error
    reader = _Reader(shown, text, stage)
    reader.keys(table, _FILE_KEYS, ())
    if table.get("format") != FORMAT:
        raise reader.error(f"format is {table.get('format')!r}.", (), "format", f"write `format = {FORMAT}` at the top")
    entries = table.get("gate", [])
    if not isinstance(entries, list) or not entries:
        raise reader.error("there is no gate.", (), "gate", "start one with `[[gate]]` and an `id`")
    read = [reader.gate(entry, index) for index, entry in enumerate(entries)]
    return GateFile(path, tuple(gate for gate, _ in read), tuple(card for _, card in read))


def make_plan(files: Sequence[GateFile], stages: Iterable[str], gates: Iterable[str]) -> Plan:
    """The bar of the gates named, of the stages named, or (both empty) of every gate."""
    stages, gates = tuple(stages), tuple(gates)
    every = [gate for file in files for gate in file.gates]
    chosen = [gate for gate in every if (not gates or gate.id in gates) and (not stages or gate.stage in stages)]
    return Plan(gates=tuple(chosen))


class _Reader:
    """Turns one file's tables into gates; knows where each key stands, for the error's line."""

    def __init__(self, shown: str, text: str, stage: str) -> None:
        self.shown = shown
        self.stage = stage
        self.lines = _positions(text)

    def error(self, problem: str, place: tuple[int, ...], key: str, remedy: str = "") -> GatesFileError:
        line = self.lines.get((*place, key)) or self.lines.get((*place, ""))
        return GatesFileError(problem, path=self.shown, line=line, remedy=remedy + "." if remedy else "")

    def keys(self, table: Mapping[str, Any], allowed: Sequence[str], place: tuple[int, ...]) -> None:
        for key in table:
            if key not in allowed:
                close = difflib.get_close_matches(key, allowed, 1)
                remedy = f"did you mean `{close[0]}`?" if close else f"keys here are {', '.join(allowed)}"
                raise self.error(f"unknown key `{key}`.", place, key, remedy.removesuffix("."))

    def gate(self, table: Any, index: int) -> tuple[Gate, GateCard]:
        place = (index,)
        if not isinstance(table, dict):
            raise self.error("a gate is a table.", place, "", "start it with `[[gate]]`")
        self.keys(table, _GATE_KEYS, place)
        name = self.text(table, "id", place, required=True)
        if not _GATE_ID.fullmatch(name):
            raise self.error(f"gate id {name!r} is not of the form B1.", place, "id", "use a capital letter and digits")
        planned = self.flag(table, "planned", place)
        entries = table.get("criterion", [])
        if not isinstance(entries, list) or not entries:
            raise self.error(f"gate {name} has no criterion.", place, "", "add `[[gate.criterion]]` under it")
        read = [self.criterion(entry, (index, at), name, table) for at, entry in enumerate(entries)]
        criteria = tuple(criterion for criterion, _ in read)
        self.controls(name, table, criteria, place, planned=planned)
        gate = Gate(id=name, stage=self.stage, criteria=criteria, planned=planned)
        return gate, self.card(table, name, place, tuple(card for _, card in read))

    def card(
        self, table: Mapping[str, Any], name: str, place: tuple[int, ...], cards: tuple[CriterionCard, ...]
    ) -> GateCard:
        return GateCard(
            id=name,
            title=self.text(table, "title", place, required=True),
            owner=self.text(table, "owner", place, required=True),
            objective=self.text(table, "objective", place),
            entry=self.words(table, "entry", place),
            due=self.text(table, "due", place),
            no_control=self.text(table, "no_control", place),
            source=self.shown,
            line=self.lines.get((*place, ""), 0),
            criteria=cards,
        )

    def controls(
        self,
        gate: str,
        table: Mapping[str, Any],
        criteria: Sequence[Criterion],
        place: tuple[int, ...],
        *,
        planned: bool,
    ) -> None:
        """Each gate has a control, or says why not; a control guards a criterion of the same gate that has limits."""
        known = {criterion.id: criterion for criterion in criteria}
        for at, criterion in enumerate(criteria):
            guarded = known.get(criterion.control.of) if criterion.control else None
            if criterion.control and (guarded is None or not guarded.limits):
                raise self.error(
                    f"{criterion.id} controls {criterion.control.of!r}, which is no criterion of {gate} with a limit.",
                    (*place, at), "control", f"name one of {', '.join(c.id for c in criteria if c.limits)}",
                )  # fmt: skip
        if not planned and not table.get("no_control") and not any(c.control for c in criteria):
            raise self.error(
                f"gate {gate} has no control, so nothing shows that it can fail.", place, "",
                'add a criterion with `control = { of = …, fault = … }`, or state `no_control = "reason"`',
            )  # fmt: skip

    def criterion(
        self, table: Any, place: tuple[int, ...], gate: str, parent: Mapping[str, Any]
    ) -> tuple[Criterion, CriterionCard]:
        if not isinstance(table, dict):
            raise self.error("a criterion is a table.", place, "", "start it with `[[gate.criterion]]`")
        self.keys(table, _CRITERION_KEYS, place)
        name = self.text(table, "id", place, required=True)
        if not name.startswith(gate + ".") or not _WORD.fullmatch(name[len(gate) + 1 :]):
            raise self.error(
                f"criterion id {name!r} does not belong to gate {gate}.", place, "id", f"write `{gate}.` and a word"
            )
        planned = self.flag(table, "planned", place) or bool(parent.get("planned"))
        criterion = self.bar(table, place, name, planned=planned, parent=parent)
        self.kind(criterion, place)
        self.numbers(criterion, place)
        card = CriterionCard(
            id=name,
            promise=self.text(table, "promise", place),
            owner=self.text(table, "owner", place) or str(parent.get("owner", "")),
            due=self.text(table, "due", place) or str(parent.get("due", "")),
            line=self.lines.get((*place, ""), 0),
        )
        return criterion, card

    def bar(
        self, table: Mapping[str, Any], place: tuple[int, ...], name: str, *, planned: bool, parent: Mapping[str, Any]
    ) -> Criterion:
        return Criterion(
            id=name,
            limits=self.limits(table, place),
            level=self.choice(table, "level", place, ("blocker", "advisory"), "blocker"),
            method=self.choice(table, "method", place, ("measure", "examine"), "measure"),
            samples=self.number(table, "samples", place, 1),
            exposure=self.quantity(table, "exposure", place),
            warm_up=self.number(table, "warm_up", place, 0) or 0,
            blocks=self.number(table, "blocks", place, 1) or 0,
            confidence=self.confidence(table, place),
            confidence_reason=self.text(table, "confidence_reason", place) or None,
            consecutive=self.number(table, "consecutive", place, 1) or 1,
            census=self.flag(table, "census", place),
            sampling=self.choice(table, "sampling", place, ("closed-loop", "open-loop"), "closed-loop"),
            margin=self.quantity(table, "margin", place),
            seed=self.number(table, "seed", place, 0),
            requires=self.requirement(table, place),
            fidelity=self.fidelity(table, place),
            subjects=self.words(table, "subjects", place) or tuple(map(str, parent.get("subjects", ()))),
            control=self.control(table, place),
            tests=self.words(table, "tests", place),
            planned=planned,
        )

    def kind(self, criterion: Criterion, place: tuple[int, ...]) -> None:
        """A criterion is proven in exactly one way: by limits, as a control, by examination; planned ones may wait."""
        ways = [bool(criterion.limits), criterion.control is not None, criterion.method == "examine"]
        if sum(ways) > 1 or (sum(ways) == 0 and not criterion.planned):
            raise self.error(
                f'{criterion.id} must have exactly one of `limit`, `control` and `method = "examine"`.', place, "",
                'write for instance `limit = "p95(search) <= 120 ms"`',
            )  # fmt: skip
        if criterion.tests and [limit.statistic for limit in criterion.limits] != ["all-pass"]:
            raise self.error(
                f"{criterion.id} binds tests, so its limit is all-pass.", place, "tests", 'write `limit = "all-pass"`'
            )

    def numbers(self, criterion: Criterion, place: tuple[int, ...]) -> None:
        """What a limit needs beside it, and that the fixed plan can prove it at all."""
        statistics = {limit.statistic for limit in criterion.limits}
        if any(criterion.plan_of(one) is None and one.statistic in _NEEDS_SAMPLES for one in criterion.limits):
            raise self.error(f"{criterion.id} says not how many samples.", place, "limit", "add `samples = 100`")
        if "count" in statistics and criterion.exposure is None:
            raise self.error(
                f"{criterion.id} counts, and says not over how much.", place, "limit", 'add `exposure = "20 s"`'
            )
        wants = bool(statistics & set(_NEEDS_CONFIDENCE))
        if wants and criterion.confidence is None:
            raise self.error(f"{criterion.id} declares no confidence.", place, "limit", "add `confidence = 0.95`")
        if not wants and criterion.confidence is not None:
            raise self.error(
                f"{criterion.id} has a confidence, and none of its limits uses one.", place, "confidence", "remove it"
            )
        if criterion.confidence == "none" and not criterion.confidence_reason:
            raise self.error(
                f"{criterion.id} has no confidence, and says not why.", place, "confidence", "add `confidence_reason`"
            )
        for limit in criterion.limits:
            self.provable(criterion, limit, place)
            self.inner(criterion, limit, place)

    def provable(self, criterion: Criterion, limit: Limit, place: tuple[int, ...]) -> None:
        samples = criterion.plan_of(limit)
        if limit.quantile is None or samples is None or criterion.confidence in (None, "none"):
            return
        quantile = Fraction(Decimal(limit.quantile))
        confidence = Fraction(Decimal(criterion.confidence or "0"))
        upper = quantile_ranks(samples, quantile, confidence)[2]
        if upper is None:
            least = samples
            while quantile_ranks(least, quantile, confidence)[2] is None:
                least += 1
            raise self.error(
                f"{criterion.id}: {samples} samples can never prove {limit.text} at {criterion.confidence}.",
                place, "samples", f"take at least {least}",
            )  # fmt: skip

    def inner(self, criterion: Criterion, limit: Limit, place: tuple[int, ...]) -> None:
        if criterion.margin is None:
            return
        margin = parse_quantity(criterion.margin)
        try:
            if limit.unit is not None:
                convert(margin.number, margin.unit, limit.unit)
        except UnitError as error:
            raise self.error(
                f"{criterion.id}: {error}.", place, "margin", f"give the margin in {limit.unit}"
            ) from error

    def limits(self, table: Mapping[str, Any], place: tuple[int, ...]) -> tuple[Limit, ...]:
        """One limit, or a list of limits; `{ is = "min(items) >= 10000 items", samples = 20 }` has its own plan."""
        value = table.get("limit", [])
        entries = value if isinstance(value, list) else [value]
        if "limit" in table and not entries:
            raise self.error("`limit` is empty.", place, "limit", "name at least one limit")
        return tuple(self.limit(entry, place) for entry in entries)

    def limit(self, entry: Any, place: tuple[int, ...]) -> Limit:
        own: Mapping[str, Any] = entry if isinstance(entry, dict) else {"is": entry}
        text = own.get("is")
        if not isinstance(text, str) or not set(own) <= {"is", "samples"}:
            raise self.error("`limit` is a text, or a list of texts.", place, "limit", 'write `limit = "all-pass"`')
        try:
            parsed = parse_limit(text)
        except LimitError as error:
            raise self.error(f"{error}.", place, "limit") from error
        return msgspec.structs.replace(parsed, samples=self.number(own, "samples", place, 1))

    def requirement(self, table: Mapping[str, Any], place: tuple[int, ...]) -> str | None:
        text = self.text(table, "requires", place)
        if not text:
            return None
        try:
            requirement = parse_requirement(text)
        except RequirementError as error:
            raise self.error(f"{error}.", place, "requires") from error
        strangers = check_names(requirement, KNOWN_FACTS)
        if strangers:
            raise self.error(f"requirement {text!r} cannot be evaluated: {'; '.join(strangers)}.", place, "requires")
        return str(requirement)

    def fidelity(self, table: Mapping[str, Any], place: tuple[int, ...]) -> str | None:
        levels = [level.value for level in Fidelity if level is not Fidelity.UNDECLARED]
        return self.choice(table, "fidelity", place, levels, "") or None

    def control(self, table: Mapping[str, Any], place: tuple[int, ...]) -> Control | None:
        value = table.get("control")
        if value is None:
            return None
        if not isinstance(value, dict) or not {"of", "fault"} <= set(value) <= set(_CONTROL_KEYS):
            raise self.error(
                "`control` is a table with `of`, `fault` and perhaps `verdict`.", place, "control",
                'write `control = { of = "B1.query-failures", fault = "memory.fail-1-in-100" }`',
            )  # fmt: skip
        verdict = value.get("verdict", "fail")
        if verdict not in ("fail", "invalid", "inconclusive", "not-run"):
            raise self.error(f"a control's verdict cannot be {verdict!r}.", place, "control", "use `fail`")
        return Control(of=str(value["of"]), fault=str(value["fault"]), verdict=verdict)

    def confidence(self, table: Mapping[str, Any], place: tuple[int, ...]) -> str | None:
        value = table.get("confidence")
        if value is None or value == "none":
            return value
        if not isinstance(value, Decimal) or not Decimal("0.5") <= value < 1:
            raise self.error(
                f"confidence {value} is no share between 0.5 and 1.", place, "confidence", "write `confidence = 0.95`"
            )
        return str(value.normalize())

    def quantity(self, table: Mapping[str, Any], key: str, place: tuple[int, ...]) -> str | None:
        text = self.text(table, key, place)
        if not text:
            return None
        try:
            parsed = parse_quantity(text)
        except ValueError as error:
            raise self.error(
                f"`{key}`: {error}.", place, key, f'write a number and a unit, as in `{key} = "20 s"`'
            ) from error
        if parsed.number <= 0:
            raise self.error(f"`{key}` must be more than zero.", place, key)
        return text

    def number(self, table: Mapping[str, Any], key: str, place: tuple[int, ...], least: int) -> int | None:
        value = table.get(key)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise self.error(f"`{key}` is {value!r}.", place, key, f"use a whole number from {least} up")
        return value

    def flag(self, table: Mapping[str, Any], key: str, place: tuple[int, ...]) -> bool:
        value = table.get(key, False)
        if not isinstance(value, bool):
            raise self.error(f"`{key}` is {value!r}.", place, key, "use true or false")
        return value

    def choice(
        self, table: Mapping[str, Any], key: str, place: tuple[int, ...], words: Sequence[str], default: str
    ) -> Any:
        value = table.get(key, default)
        if value != default and value not in words:
            raise self.error(f"`{key}` is {value!r}.", place, key, f"use one of {', '.join(words)}")
        return value

    def text(self, table: Mapping[str, Any], key: str, place: tuple[int, ...], *, required: bool = False) -> str:
        value = table.get(key, "")
        if not isinstance(value, str):
            raise self.error(f"`{key}` is not a text.", place, key, "put it in quotes")
        if required and not value.strip():
            raise self.error(f"`{key}` is missing or empty.", place, key, f'add `{key} = "…"`')
        return value.strip()

    def words(self, table: Mapping[str, Any], key: str, place: tuple[int, ...]) -> tuple[str, ...]:
        value = table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
            raise self.error(f"`{key}` is not a list of texts.", place, key, f'write `{key} = ["…"]`')
        return tuple(value)


def _positions(text: str) -> dict[tuple[int | str, ...], int]:
    """(gate, criterion, key) → line, 1-based; key "" is the table's own header. A scan, for messages only."""
    found: dict[tuple[int | str, ...], int] = {}
    place: tuple[int, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
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


def _refuse_doubles(files: Sequence[GateFile]) -> None:
    seen: dict[str, str] = {}
    for file in files:
        for card in file.cards:
            for name, line in [(card.id, card.line), *((one.id, one.line) for one in card.criteria)]:
                if name in seen:
                    raise GatesFileError(
                        f"{name} stands twice; it is also in {seen[name]}.", path=card.source, line=line,
                        remedy="give one of them another id.",
                    )  # fmt: skip
                seen[name] = f"{card.source}:{line}"
