"""Declared profiles: what a machine must be, read strictly from a file, and compared with what is detected.

`profiles/NAME.toml`, format 1. A fact is a requirement in the language of `requires`; a check is a script that ends
with status 0 where the environment is as it must be, and whose output is the evidence. In a check's `run`, `{python}`
is this interpreter and `{folder}` the profile's folder.
"""

import difflib
import hashlib
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from pytest_spiral.errors import UseError
from pytest_spiral.model.profile import PROFILE_PATTERN, Fact
from pytest_spiral.profiles.probe.sources import ask
from pytest_spiral.rules.requirements import (
    Requirement,
    check_names,
    evaluate,
    parse_requirement,
)
from pytest_spiral.rules.toml import read_toml

_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_FACTS_CHECK = "facts"
"""The name of what is checked first: that all declared facts hold."""


class _FactRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    requirement: str = msgspec.field(name="is")
    why: str = ""


class Check(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One environment check: what it promises, and the script that shows it, which may take so many seconds."""

    name: str
    promise: Annotated[str, msgspec.Meta(min_length=1)]
    run: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    within_s: Annotated[float, msgspec.Meta(gt=0, le=600)] = 10.0


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: Literal[1]
    name: str
    title: Annotated[str, msgspec.Meta(min_length=1)]
    fact: Annotated[tuple[_FactRow, ...], msgspec.Meta(min_length=1)]
    check: tuple[Check, ...] = ()


@dataclass(frozen=True, slots=True)
class Declared:
    """A declared profile. `digest` is over the file and every script of its folder that its checks name."""

    name: str
    title: str
    facts: tuple[Requirement, ...]
    checks: tuple[Check, ...]
    folder: Path
    digest: str

    def mismatches(self, facts: Mapping[str, Fact]) -> tuple[str, ...]:
        """One sentence for each declared fact that these facts do not meet; what is unknown is not met."""
        outcomes = [(str(fact), evaluate(fact, facts)) for fact in self.facts]
        return tuple(
            f"This machine is not {self.name}, which has {fact}: {outcome.reason.removeprefix(f'{fact}: ')}."
            for fact, outcome in outcomes
            if not outcome.met
        )


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check came to, and what it printed."""

    name: str
    promise: str
    passed: bool
    evidence: str


def load_declared(folder: Path, name: str) -> Declared:
    """Read the profile of that name; raises UseError for one that is not there or cannot be taken as it stands."""
    known = sorted(path.stem for path in folder.glob("*.toml"))
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known) or 'none'} in {folder}."
        raise UseError(f"There is no profile {name!r}; {hint}")
    path = folder / f"{name}.toml"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UseError(f"The profile {path} cannot be read ({error.strerror}).") from error
    return parse_declared(data, path)


def parse_declared(data: bytes, path: Path) -> Declared:
    """The profile in a file's bytes, `path` being where it stands; raises UseError."""
    try:
        read = msgspec.convert(read_toml(data.decode()), _File)
        facts = tuple(_requirement(row.requirement) for row in read.fact)
    except (ValueError, UseError) as error:  # TOML's, msgspec's, UTF-8's and a requirement's own are ValueErrors
        raise UseError(f"The profile {path} cannot be taken: {error}.") from error
    _refuse(read, path)
    return Declared(read.name, read.title, facts, read.check, path.parent, _digest(data, read.check, path.parent))


def validate(declared: Declared, facts: Mapping[str, Fact]) -> tuple[Checked, ...]:
    """Compare the facts, then run every check; each gives its evidence."""
    short = declared.mismatches(facts)
    told = [line for fact in declared.facts for line in _told(fact, facts)]
    stated = Checked(_FACTS_CHECK, "Every declared fact holds.", not short, "\n".join((*short, *told)))
    return (stated, *(_run(declared, check) for check in declared.checks))


def _requirement(text: str) -> Requirement:
    requirement = parse_requirement(text)
    for sentence in check_names(requirement):
        raise UseError(sentence)
    return requirement


def _refuse(read: _File, path: Path) -> None:
    names = [check.name for check in read.check]
    if read.name != path.stem or not re.fullmatch(PROFILE_PATTERN, read.name):
        raise UseError(f"The profile {path} calls itself {read.name!r}; file and name are the same word.")
    for name in names:
        if not _NAME.fullmatch(name) or name == _FACTS_CHECK or names.count(name) > 1:
            raise UseError(f"The profile {path} has a check {name!r}; write small letters and dashes, each name once.")


def _told(fact: Requirement, facts: Mapping[str, Fact]) -> list[str]:
    seen = [facts[name] for name in fact.names if name in facts]
    return [
        f"{one.name}: {one.state} {'' if one.value is None else one.value} {one.unit or ''}".rstrip() for one in seen
    ]


def _run(declared: Declared, check: Check) -> Checked:
    program, *arguments = _command(declared.folder, check)
    answer = ask(program, *arguments, within_s=check.within_s)
    return Checked(check.name, check.promise, answer.status == 0, answer.told.replace(f"{declared.folder}/", ""))


def _command(folder: Path, check: Check) -> list[str]:
    return [text.replace("{python}", sys.executable).replace("{folder}", str(folder)) for text in check.run]


def _digest(data: bytes, checks: tuple[Check, ...], folder: Path) -> str:
    """Of the file's bytes and, in order, the bytes of each script below the folder, each with its length before it."""
    whole = hashlib.sha256(b"%d\0" % len(data) + data)
    for check in checks:
        for text in check.run:
            path = Path(text.replace("{folder}", str(folder)))
            if "{folder}" in text and path.is_file():
                script = path.read_bytes()
                whole.update(b"%d\0" % len(script) + script)
    return f"sha256:{whole.hexdigest()}"
