"""An expectation file: read strictly, and held against what a bundle gives.

::

    format = 1
    commit = "0123456789abcdef0123456789abcdef01234567"
    plan = "sha256:…"
    level = "E1"
    criteria = ["B1.recall"]
    tests = ["suites/stage_b/test_b1.py::test_recall"]
"""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any, Final

from pytest_spiral.errors import UseError
from pytest_spiral.model.attestation import LEVELS, Level
from pytest_spiral.model.base import DIGEST
from pytest_spiral.model.evidence import Evidence
from pytest_spiral.model.expectation import Expectation
from pytest_spiral.model.judgement import Judgement
from pytest_spiral.rules.integrity import Finding, finding, shown
from pytest_spiral.rules.paths import BUNDLE, INVENTORY, PLAN, SEGMENT
from pytest_spiral.rules.toml import read_toml

_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_ALIKE: Final = 5


def parse_expectation(text: str, name: str) -> Expectation:
    """Read an expectation file; `name` is what it is called in messages. Raises UseError with the remedy."""
    try:
        table = read_toml(text)
    except ValueError as problem:
        raise UseError(f"{name} is no TOML: {shown(problem)}.") from problem
    form = table.pop("format", None)
    if type(form) is not int or form != 1:
        raise UseError(f"{name}: format is {shown(form, 40)!r}, known here is 1. Remedy: begin it with format = 1.")
    return _parse_table(table, name)


def _parse_table(table: dict[str, Any], name: str) -> Expectation:
    if not table:
        raise UseError(f"{name} expects nothing. Remedy: state one of {', '.join(_KEYS)}.")
    found = {}
    for key, value in table.items():
        if key not in _KEYS:
            raise UseError(f"{name}: {shown(key, 40)!r} is no key that is known here. Known keys: {', '.join(_KEYS)}.")
        read, wanted = _KEYS[key]
        made = read(value)
        if made is None:
            raise UseError(f"{name}: {key} is {shown(value, 60)!r}. Remedy: write {wanted}.")
        found[key] = made
    return Expectation(**found)


def _matching(pattern: "re.Pattern[str]") -> Callable[[Any], str | None]:
    return lambda value: value if isinstance(value, str) and pattern.fullmatch(value) else None


def _level(value: Any) -> str | None:
    return value if isinstance(value, str) and value in LEVELS else None


def _names(value: Any) -> tuple[str, ...] | None:
    """A list of names, none empty and none twice; an empty list would expect nothing to be there."""
    if not isinstance(value, list) or not value or not all(isinstance(one, str) and one for one in value):
        return None
    return tuple(value) if len(set(value)) == len(value) else None


def _time(value: Any) -> int | None:
    """Microseconds of a date with time and zone: without a zone it would mean another moment elsewhere."""
    if not isinstance(value, datetime) or value.tzinfo is None:
        return None
    return round(value.timestamp() * 1e6)


_KEYS: Final[dict[str, tuple[Callable[[Any], Any], str]]] = {
    "run": (_matching(SEGMENT), "the run id, as the bundle's folder is called"),
    "plan": (_matching(DIGEST), "the bar's digest, sha256: and 64 hexadecimal digits"),
    "commit": (_matching(_COMMIT), "the whole name of the commit, in hexadecimal"),
    "criteria": (_names, "a list of criterion ids, each once"),
    "tests": (_names, "a list of test ids, each once"),
    "level": (_level, "one of E0, E1, E2, E3"),
    "published": (_time, "a date and time with its zone, such as 2026-11-22T10:00:00Z"),
}


def expectation_faults(expected: Expectation, evidence: Evidence, judgement: Judgement) -> Iterator[Finding]:
    """Everything in which a bundle is not what was expected, but for its level, which `level_fault` looks at."""
    start = evidence.bundle
    if expected.run not in (None, start.run):
        yield finding("expected-run", BUNDLE, f"it is {shown(start.run)}, expected is {expected.run}.")
    if expected.plan not in (None, start.plan):
        yield finding("expected-plan", PLAN, f"its digest is {start.plan}, expected is {expected.plan}.")
    if expected.commit is not None:
        yield from _commit_faults(expected.commit, start.git)
    if expected.criteria is not None:
        judged = [one.id for one in judgement.criteria]
        yield from _set_faults("expected-criterion", PLAN, expected.criteria, judged, "judged")
    if expected.tests is not None:
        selected = [one.id for one in evidence.inventory.items if one.selected]
        yield from _set_faults("expected-test", INVENTORY, expected.tests, selected, "selected")


def level_fault(expected: Expectation, level: Level) -> Iterator[Finding]:
    """A finding where the level of assurance is below the one expected."""
    least = expected.level
    if least is not None and LEVELS.index(least) > LEVELS.index(level):
        yield finding("expected-level", "", f"the bundle is {level}, expected is at least {least}.")


def _commit_faults(commit: str, git: dict[str, Any]) -> Iterator[Finding]:
    tested = git.get("commit")
    if tested != commit:
        said = shown(tested, 80) if isinstance(tested, str) else "unknown"
        yield finding("expected-commit", BUNDLE, f"the commit tested is {said}, expected is {commit}.")
    elif git.get("dirty") is not False:
        yield finding("expected-commit", BUNDLE, f"{commit} was tested with changes that are not in it.")


def _set_faults(code: str, path: str, expected: Iterable[str], found: Iterable[str], word: str) -> Iterator[Finding]:
    wanted, there = set(expected), set(found)
    told = [f"{shown(one)} is expected and was not {word}." for one in sorted(wanted - there)]
    told += [f"{shown(one)} was {word} and is not expected." for one in sorted(there - wanted)]
    for sentence in told[:_ALIKE]:
        yield finding(code, path, sentence)
    if len(told) > _ALIKE:
        yield finding(code, path, f"{len(told) - _ALIKE} more differences of this kind.")
