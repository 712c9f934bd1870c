"""Reading `gates.toml` strictly: every mistake is one sentence with file, line and remedy."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import msgspec

from pytest_spiral.errors import GatesFileError, UseError
from pytest_spiral.model.fidelity import Fidelity
from pytest_spiral.model.gate import Control, Criterion, CriterionCard, Gate, GateCard, Limit, Plan
from pytest_spiral.model.profile import KNOWN_FACTS
from pytest_spiral.rules.criteria import control_faults, criterion_faults
from pytest_spiral.rules.limits import LimitError, parse_limit
from pytest_spiral.rules.requirements import RequirementError, check_names, parse_requirement
from pytest_spiral.rules.units import decimal_text
from pytest_spiral.run.tables import Place, Tables, parse_toml, told

Assurance = Literal["E1", "E2", "E3"] | None

FORMAT = 1
_FILE_KEYS = ("format", "assurance", "gate")
_GATE_KEYS = (
    "id", "title", "owner", "objective", "entry", "due", "no_control", "planned", "subjects", "assurance",
    "criterion",
)  # fmt: skip
_CRITERION_KEYS = (
    "id", "promise", "owner", "due", "limit", "samples", "exposure", "warm_up", "blocks", "confidence",
    "confidence_reason", "consecutive", "combine", "sequential", "inputs", "census", "sampling", "margin", "seed", "requires", "fidelity", "level",
    "method", "document", "signer", "control", "tests", "planned", "subjects", "assurance",
)  # fmt: skip
_ASSURANCES = ("E1", "E2", "E3")
_CONTROL_KEYS = ("of", "fault", "verdict")
_CONTROL_VERDICTS = ("fail", "invalid", "inconclusive", "not-run")
_GATE_ID = re.compile(r"[A-Z][A-Z0-9]{0,7}")
_WORD = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


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
    or criterion id that stands twice in all of them; UseError for a pattern that is none.
    """
    paths = sorted({path for pattern in patterns for path in _matching(root, pattern) if path.is_file()})
    files = tuple(read_gate_file(path, root) for path in paths)
    _refuse_doubles(files)
    return files


def _matching(root: Path, pattern: str) -> Iterable[Path]:
    try:
        return list(root.glob(pattern))
    except (ValueError, NotImplementedError) as error:
        raise UseError(
            f"{pattern!r} finds no gates files ({error}). Remedy: give a path below {root}, such as suites/*/gates.toml."
        ) from error


def read_gate_file(path: Path, root: Path) -> GateFile:
    """Read one gates file; raises GatesFileError."""
    shown = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
    data = b""
    try:
        data = path.read_bytes()
        text = data.decode("utf-8")
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise GatesFileError(
            f"the file cannot be read ({why}).", path=shown, line=1, remedy="check that it is there and readable."
        ) from error
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise GatesFileError(
            f"byte {error.start} is not UTF-8.", path=shown, line=line, remedy="save the file as UTF-8."
        ) from error
    return parse_gate_file(text, path, shown, stage_of(path))


def stage_of(path: Path) -> str:
    """The stage a gates file belongs to: the name of its folder under `suites/`, else none."""
    return path.parent.name if path.parent.parent.name == "suites" else ""


def parse_gate_file(text: str, path: Path, shown: str, stage: str) -> GateFile:
    """Read a gates file's text; `shown` is how errors call it. Raises GatesFileError."""
    table = parse_toml(text, shown)
    reader = _Reader(shown, text, stage)
    reader.keys(table, _FILE_KEYS, ())
    if table.get("format") != FORMAT or isinstance(table["format"], bool):
        found = told(table["format"]) if "format" in table else "missing"
        raise reader.error(f"`format` is {found}.", (), "format", f"write `format = {FORMAT}` at the top")
    entries = table.get("gate", [])
    if not isinstance(entries, list) or not entries:
        raise reader.error("there is no gate.", (), "gate", "start one with `[[gate]]` and an `id`")
    assurance = reader.assurance(table, (), None)
    read = [reader.gate(entry, index, assurance) for index, entry in enumerate(entries)]
    file = GateFile(path, tuple(gate for gate, _ in read), tuple(card for _, card in read))
    _refuse_doubles([file])
    return file


def make_plan(files: Sequence[GateFile], stages: Iterable[str], gates: Iterable[str]) -> Plan:
    """The bar of the gates named, of the stages named, or (both empty) of every gate."""
    stages, gates = tuple(stages), tuple(gates)
    every = [gate for file in files for gate in file.gates]
    chosen = [gate for gate in every if (not gates or gate.id in gates) and (not stages or gate.stage in stages)]
    return Plan(gates=tuple(chosen))


class _Reader(Tables):
    """Turns one file's tables into gates."""

    def __init__(self, shown: str, text: str, stage: str) -> None:
        super().__init__(shown, text)
        self.stage = stage

    def gate(self, table: Any, index: int, assurance: Assurance) -> tuple[Gate, GateCard]:
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
            raise self.error(f"gate {name} has no criterion.", place, "criterion", "add `[[gate.criterion]]` under it")
        card = self.card(table, name, place)
        inherited = Criterion(
            id=name,
            planned=planned,
            subjects=self.words(table, "subjects", place),
            assurance=self.assurance(table, place, assurance),
        )
        read = [self.criterion(entry, (index, at), inherited, card) for at, entry in enumerate(entries)]
        gate = Gate(id=name, stage=self.stage, criteria=tuple(criterion for criterion, _ in read), planned=planned)
        self.controls(gate, card, place)
        return gate, msgspec.structs.replace(card, criteria=tuple(one for _, one in read))

    def card(self, table: Mapping[str, Any], name: str, place: Place) -> GateCard:
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
        )

    def controls(self, gate: Gate, card: GateCard, place: Place) -> None:
        """Each gate has a control, or says why not; a control guards a criterion of the same gate that is measured."""
        for at, fault in control_faults(gate):
            raise self.error(fault.problem, (*place, at), fault.key, fault.remedy)
        if not gate.planned and not card.no_control and not any(one.control for one in gate.criteria):
            raise self.error(
                f"gate {gate.id} has no control, so nothing shows that it can fail.", place, "",
                'add a criterion with `control = { of = …, fault = … }`, or state `no_control = "reason"`',
            )  # fmt: skip

    def criterion(self, table: Any, place: Place, gate: Criterion, card: GateCard) -> tuple[Criterion, CriterionCard]:
        """A criterion and its card; `gate` has what the gate's criteria inherit of the bar, `card` what describes."""
        if not isinstance(table, dict):
            raise self.error("a criterion is a table.", place, "", "start it with `[[gate.criterion]]`")
        self.keys(table, _CRITERION_KEYS, place)
        name = self.text(table, "id", place, required=True)
        if not name.startswith(gate.id + ".") or not _WORD.fullmatch(name[len(gate.id) + 1 :]):
            raise self.error(
                f"criterion id {name!r} does not belong to gate {gate.id}.", place, "id",
                f"write `{gate.id}.` and a word",
            )  # fmt: skip
        criterion = self.bar(table, place, name, gate)
        for fault in criterion_faults(criterion):
            raise self.error(fault.problem, place, fault.key, fault.remedy)
        return criterion, CriterionCard(
            id=name,
            promise=self.text(table, "promise", place),
            owner=self.text(table, "owner", place) or card.owner,
            due=self.text(table, "due", place) or card.due,
            line=self.lines.get((*place, ""), 0),
        )

    def bar(self, table: Mapping[str, Any], place: Place, name: str, gate: Criterion) -> Criterion:
        method = self.choice(table, "method", place, ("measure", "examine"), "measure")
        examined = method == "examine"  # by a person, who is no subject of the gate
        return Criterion(
            id=name,
            limits=self.limits(table, place),
            level=self.choice(table, "level", place, ("blocker", "advisory"), "blocker"),
            method=method,
            document=self.text(table, "document", place) or None,
            signer=self.text(table, "signer", place) or None,
            samples=self.number(table, "samples", place, 1),
            exposure=self.quantity(table, "exposure", place),
            warm_up=self.number(table, "warm_up", place, 0) or 0,
            blocks=self.number(table, "blocks", place, 1) or 0,
            confidence=self.confidence(table, place),
            confidence_reason=self.text(table, "confidence_reason", place) or None,
            consecutive=self.number(table, "consecutive", place, 1) or 1,
            combine=self.choice(table, "combine", place, ("each", "pooled"), "each"),
            sequential=self.quantity(table, "sequential", place),
            census=self.flag(table, "census", place),
            sampling=self.choice(table, "sampling", place, ("closed-loop", "open-loop"), "closed-loop"),
            margin=self.quantity(table, "margin", place),
            seed=self.number(table, "seed", place, 0),
            requires=self.requirement(table, place),
            fidelity=self.fidelity(table, place),
            assurance=self.assurance(table, place, None if "control" in table else gate.assurance),
            subjects=self.words(table, "subjects", place) if "subjects" in table or examined else gate.subjects,
            control=self.control(table, place),
            tests=self.words(table, "tests", place),
            inputs=self.words(table, "inputs", place),
            planned=self.flag(table, "planned", place) or gate.planned,
        )

    def limits(self, table: Mapping[str, Any], place: Place) -> tuple[Limit, ...]:
        """One limit, or a list of limits; `{ is = "min(items) >= 10000 items", samples = 20 }` has its own plan."""
        value = table.get("limit", [])
        entries = value if isinstance(value, list) else [value]
        if "limit" in table and not entries:
            raise self.error("`limit` is empty.", place, "limit", "name at least one limit")
        return tuple(self.limit(entry, place) for entry in entries)

    def limit(self, entry: Any, place: Place) -> Limit:
        own: Mapping[str, Any] = entry if isinstance(entry, dict) else {"is": entry}
        text = own.get("is")
        if not isinstance(text, str) or not set(own) <= {"is", "samples"}:
            raise self.error("`limit` is a text, or a list of texts.", place, "limit", 'write `limit = "all-pass"`')
        try:
            parsed = parse_limit(text)
        except LimitError as error:
            raise self.error(f"{error.problem}.", place, "limit", error.remedy) from error
        return msgspec.structs.replace(parsed, samples=self.number(own, "samples", place, 1, at="limit"))

    def requirement(self, table: Mapping[str, Any], place: Place) -> str | None:
        text = self.text(table, "requires", place)
        if not text:
            return None
        try:
            requirement = parse_requirement(text)
        except RequirementError as error:
            raise self.error(
                f"{error}.", place, "requires", "write facts and comparisons, as in `memory >= 64 GiB and tool.sox`"
            ) from error
        strangers = check_names(requirement, KNOWN_FACTS)
        if strangers:
            problem = f"requirement {text!r} asks for what nothing answers."
            raise self.error(problem, place, "requires", "; ".join(strangers))
        return str(requirement)

    def fidelity(self, table: Mapping[str, Any], place: Place) -> str | None:
        levels = [level.value for level in Fidelity if level is not Fidelity.UNDECLARED]
        return self.choice(table, "fidelity", place, levels, "") or None

    def assurance(self, table: Mapping[str, Any], place: Place, inherited: Assurance) -> Assurance:
        """The level asked for here, else that of the gate or the file; a control inherits none."""
        found: Assurance = self.choice(table, "assurance", place, _ASSURANCES, "") or inherited
        return found

    def control(self, table: Mapping[str, Any], place: Place) -> Control | None:
        value = table.get("control")
        if value is None:
            return None
        if not isinstance(value, dict) or not {"of", "fault"} <= set(value) <= set(_CONTROL_KEYS):
            raise self.error(
                "`control` is a table with `of`, `fault` and perhaps `verdict`.", place, "control",
                'write `control = { of = "B1.query-failures", fault = "memory.fail-1-in-100" }`',
            )  # fmt: skip
        for key in value:
            if not isinstance(value[key], str) or not value[key].strip():
                raise self.error(f"`control` has no text for `{key}`.", place, "control", "put a word in quotes")
        verdict: Any = value.get("verdict", "fail")
        if verdict not in _CONTROL_VERDICTS:
            raise self.error(
                f"a control's verdict cannot be {verdict!r}.", place, "control",
                f"use one of {', '.join(_CONTROL_VERDICTS)}",
            )  # fmt: skip
        return Control(of=value["of"], fault=value["fault"], verdict=verdict)

    def confidence(self, table: Mapping[str, Any], place: Place) -> str | None:
        value = table.get("confidence")
        if value is None or value == "none":
            return value
        if not isinstance(value, Decimal) or not Decimal("0.5") <= value < 1:
            raise self.error(
                f"confidence {told(value)} is no share between 0.5 and 1.", place, "confidence",
                "write `confidence = 0.95`",
            )  # fmt: skip
        return decimal_text(Fraction(value))


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
