"""What a machine is: facts, each with its raw evidence, and the profile that holds them."""

import math
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

from pytest_spiral.model.base import MOST_INTEGER, Value

State = Literal["present", "absent", "unknown"]
Kind = Literal["hardware", "environment"]

EVIDENCE_LIMIT: Final = 4096
"""Bytes of UTF-8 that one fact's evidence may take."""

NAME_PATTERN: Final = (
    r"(?:tool|module)\.[A-Za-z0-9_.+-]*[A-Za-z0-9_+]|secret\.[A-Za-z_][A-Za-z0-9_]*|[a-z](?:[a-z0-9_.-]*[a-z0-9_])?"
)
"""A fact's name. After `tool.` and `module.` capitals and `+` are allowed: `module.PIL`, `tool.g++`.

After `secret.` stands the name of an environment variable; in a requirement it is written `secret("API_TOKEN")`.
"""

PROFILE_PATTERN: Final = r"[a-z](?:[a-z0-9_.-]*[a-z0-9_])?"

SECRET: Final = "secret."
"""What the name of a fact about a secret begins with. Such a fact says that there is one, and never which."""

OPEN_FAMILIES: Final = ("tool", "module", "secret")
"""Families in which every name may be asked for: a program on PATH, a Python module, a secret of the environment."""

KNOWN_FACTS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "accelerator": "hardware",
        "audio.capture": "hardware",
        "audio.playback": "hardware",
        "clock.trusted": "environment",  # stated by a target; a machine cannot prove it of itself
        "cpu.affinity": "environment",
        "cpu.cores": "hardware",
        "cpu.model": "hardware",
        "cpu.quota": "environment",
        "cpu.threads": "hardware",
        "disk.free": "environment",
        "memory": "hardware",
        "memory.available": "environment",
        "nvidia.devices": "hardware",
        "nvidia.memory": "hardware",
        "os.kernel": "environment",
        "os.name": "environment",
        "python.implementation": "environment",
        "python.version": "environment",
        "sensors.temperature": "hardware",
        "usb.devices": "hardware",
        "virtual.container": "environment",
        "virtual.vm": "hardware",  # what has to be bare metal needs another machine
    }
)
"""The standard names of facts, and what has to change where one is missing."""

_NAME = re.compile(NAME_PATTERN)
_PROFILE = re.compile(PROFILE_PATTERN)


def is_fact_name(text: str) -> bool:
    """Say whether a text is a well-formed fact name, known or not."""
    return _NAME.fullmatch(text) is not None


def bounded_evidence(raw: str) -> str:
    """Cut a raw text to `EVIDENCE_LIMIT` bytes of UTF-8 and say at its end that it was cut.

    What UTF-8 cannot carry (a lone surrogate) is written as a backslash escape first.
    """
    data = raw.encode("utf-8", "backslashreplace")
    if len(data) <= EVIDENCE_LIMIT:
        return data.decode("utf-8")
    mark = f"\n[cut: the whole was {len(data)} bytes]"
    room = EVIDENCE_LIMIT - len(mark.encode("utf-8"))
    return data[:room].decode("utf-8", "ignore") + mark


class Fact(Value, frozen=True, kw_only=True):
    """One thing that was asked of a machine, the answer, and the raw output that gave it.

    `value` belongs to a present fact only; its `unit` stands apart (`25276514304`, `"B"`) and belongs to
    numbers only. A present fact that is merely there has the value `True`. `command` is what was asked,
    `evidence` what came back, at most `EVIDENCE_LIMIT` bytes of UTF-8. Raises ValueError on anything else.
    """

    name: str
    state: State
    kind: Kind
    evidence: str
    command: str
    value: bool | int | float | str | None = None
    unit: str | None = None

    def __post_init__(self) -> None:
        """Refuse a fact that says more or less than its state allows."""
        if not is_fact_name(self.name):
            raise ValueError(f"{self.name!r} is no fact name: expected one such as cpu.cores or tool.git")
        _check_words("state", self.state, ("present", "absent", "unknown"))
        _check_words("kind", self.kind, ("hardware", "environment"))
        if not self.command.strip():
            raise ValueError(f"{self.name}: a fact states the command that was asked")
        _check_evidence(self.name, self.evidence)
        _check_value(self)
        _check_unit(self)


class Profile(Value, frozen=True, kw_only=True):
    """The facts of one machine, sorted by name, each name once; ValueError on anything else."""

    name: str
    facts: tuple[Fact, ...]

    def __post_init__(self) -> None:
        """Refuse facts out of order or named twice, so that equal profiles have equal bytes."""
        if not _PROFILE.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is no profile name: expected one such as gate-runner-02")
        names = [fact.name for fact in self.facts]
        if names != sorted(set(names)):
            raise ValueError(f"profile {self.name}: facts must be sorted by name, each once; got {names}")

    def get(self, name: str) -> Fact | None:
        """Return the fact of this name, or None where it was not asked for."""
        return self.by_name.get(name)

    def __getitem__(self, name: str) -> Fact:
        return self.by_name[name]

    @property
    def hardware(self) -> tuple[Fact, ...]:
        """The facts of what a machine is built of; what else it has changes with every hour."""
        return tuple(fact for fact in self.facts if fact.kind == "hardware")

    @property
    def by_name(self) -> Mapping[str, Fact]:
        """The facts under their names, for the evaluation of a requirement."""
        return MappingProxyType({fact.name: fact for fact in self.facts})


def profile_of(name: str, facts: Mapping[str, Fact]) -> Profile:
    """Make a profile of facts in any order; ValueError where a key is not its fact's name."""
    for key, fact in facts.items():
        if key != fact.name:
            raise ValueError(f"profile {name}: {key} holds the fact {fact.name}")
    return Profile(name=name, facts=tuple(facts[key] for key in sorted(facts)))


def _check_words(what: str, word: str, allowed: tuple[str, ...]) -> None:
    if word not in allowed:
        raise ValueError(f"{word!r} is no {what} of a fact: expected {', '.join(allowed)}")


def _check_evidence(name: str, evidence: str) -> None:
    try:
        size = len(evidence.encode("utf-8"))
    except UnicodeEncodeError as problem:
        raise ValueError(f"{name}: the evidence is not valid Unicode ({problem.reason})") from problem
    if size > EVIDENCE_LIMIT:
        raise ValueError(f"{name}: {size} bytes of evidence, at most {EVIDENCE_LIMIT} are kept")
    if not evidence:
        raise ValueError(f"{name}: a fact without evidence is a claim")


def _check_value(fact: Fact) -> None:
    value = fact.value
    if fact.state != "present":
        if value is not None or fact.unit is not None:
            raise ValueError(f"{fact.name}: a fact that is {fact.state} has neither value nor unit")
        return
    if value is None or value == "":
        raise ValueError(f"{fact.name}: a present fact has a value; True where it is merely there")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{fact.name}: {value} is no value of a fact")
    if isinstance(value, int) and abs(value) > MOST_INTEGER:
        raise ValueError(f"{fact.name}: {value} is beyond the integers that JSON keeps exact")


def _check_unit(fact: Fact) -> None:
    if fact.unit is None:
        return
    is_number = isinstance(fact.value, (int, float)) and not isinstance(fact.value, bool)
    if not is_number:
        raise ValueError(f"{fact.name}: only a number has a unit, {fact.value!r} has none")
    if not fact.unit or not fact.unit.isprintable() or " " in fact.unit:
        raise ValueError(f"{fact.name}: {fact.unit!r} is no unit")
