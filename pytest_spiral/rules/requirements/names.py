"""Names in requirements: facts that nothing answers for, and the secrets that are asked for."""

import difflib
from collections.abc import Collection, Iterable

from pytest_spiral.model.profile import KNOWN_FACTS, OPEN_FAMILIES, SECRET
from pytest_spiral.rules.requirements.reader import parse_requirement
from pytest_spiral.rules.requirements.terms import Requirement


def check_names(requirement: Requirement, known: Collection[str] = tuple(KNOWN_FACTS)) -> list[str]:
    """Return a sentence for each fact name that nothing answers for, with the name that was probably meant.

    Names under `tool.`, `module.` and `secret.` are always allowed.
    """
    unknown = (name for name in requirement.names if name not in known and not _is_open(name))
    return [_suggestion(name, known) for name in unknown]


def secret_names(requirements: Iterable[str]) -> tuple[str, ...]:
    """The secrets that requirements ask for by `secret("NAME")`, each once, sorted; raises RequirementError."""
    asking = (text for text in requirements if SECRET[:-1] in text)
    facts = {name for text in asking for name in parse_requirement(text).names}
    return tuple(sorted(name.removeprefix(SECRET) for name in facts if name.startswith(SECRET)))


def _is_open(name: str) -> bool:
    return name.startswith(tuple(f"{family}." for family in OPEN_FAMILIES))


def _suggestion(name: str, known: Collection[str]) -> str:
    family, dot, rest = name.partition(".")
    close = difflib.get_close_matches(name, sorted(known), n=1)
    families = difflib.get_close_matches(family, OPEN_FAMILIES, n=1) if dot else []
    if close:
        return f"{name}: did you mean {close[0]}?"
    if families:
        return f"{name}: did you mean {families[0]}.{rest}?"
    return f'{name}: no such fact; known are {", ".join(sorted(known))}, tool.NAME, module.NAME and secret("NAME")'
