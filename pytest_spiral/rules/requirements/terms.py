"""The values that a requirement is made of; the text of each is canonical and reads back as the same value."""

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from pytest_spiral.model.profile import SECRET, is_fact_name
from pytest_spiral.rules.units import Quantity, decimal_text

Comparison = Literal["==", "!=", "<", "<=", ">", ">="]

RESERVED: Final = ("and", "or", "not")
COMPARE: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Named:
    """The fact is present and neither false nor zero."""

    name: str

    def __post_init__(self) -> None:
        """Refuse what the grammar would not read back as a name."""
        if not is_fact_name(self.name) or self.name in RESERVED:
            raise ValueError(f"{self.name!r} is no fact name")

    def __str__(self) -> str:
        return f'secret("{self.name.removeprefix(SECRET)}")' if self.name.startswith(SECRET) else self.name


@dataclass(frozen=True, slots=True)
class Compared:
    """The fact is present and its value compares so with the literal."""

    name: str
    comparison: Comparison
    literal: Quantity | str

    def __post_init__(self) -> None:
        """Refuse what could not be written down and read back."""
        Named(self.name)
        if self.name.startswith(SECRET):
            raise ValueError(f"{self.name} is there or not; nothing of it is compared")
        if self.comparison not in COMPARE:
            raise ValueError(f"{self.comparison!r} is no comparison: expected {' '.join(COMPARE)}")
        if isinstance(self.literal, Quantity):
            decimal_text(self.literal.number)
        elif ('"' in self.literal and "'" in self.literal) or re.search(r"[\r\n]", self.literal):
            raise ValueError(f"{self.literal!r} cannot be quoted: it holds both quotes or a line break")

    def __str__(self) -> str:
        return f"{self.name} {self.comparison} {_spelled(self.literal)}"


@dataclass(frozen=True, slots=True)
class Not:
    """The other way round; what is unknown stays unknown."""

    term: "Term"

    def __str__(self) -> str:
        return f"not ({self.term})" if isinstance(self.term, Joined) else f"not {self.term}"


@dataclass(frozen=True, slots=True)
class Joined:
    """Two or more terms, all (`and`) or any (`or`) of which must hold; never nested in its own kind."""

    word: Literal["and", "or"]
    terms: tuple["Term", ...]

    def __post_init__(self) -> None:
        """Refuse what has another, shorter form, so that equal requirements have equal text."""
        nested = any(isinstance(term, Joined) and term.word == self.word for term in self.terms)
        if self.word not in ("and", "or") or len(self.terms) < 2 or nested:
            raise ValueError(f"`{self.word}` joins two or more terms, none of them its own kind")

    def __str__(self) -> str:
        bracket = self.word == "and"
        parts = (f"({term})" if bracket and isinstance(term, Joined) else str(term) for term in self.terms)
        return f" {self.word} ".join(parts)


Term = Named | Compared | Not | Joined


@dataclass(frozen=True, slots=True)
class Requirement:
    """An expression over facts; its `str` is the canonical text, which reads back as the same requirement."""

    term: Term

    def __str__(self) -> str:
        return str(self.term)

    @property
    def names(self) -> tuple[str, ...]:
        """The fact names it uses, sorted, each once."""
        return tuple(sorted(set(_names(self.term))))


def _names(term: Term) -> Iterator[str]:
    if isinstance(term, Joined):
        for inner in term.terms:
            yield from _names(inner)
    elif isinstance(term, Not):
        yield from _names(term.term)
    else:
        yield term.name


def _spelled(literal: Quantity | str) -> str:
    if isinstance(literal, Quantity):
        return str(literal)
    return f"'{literal}'" if '"' in literal else f'"{literal}"'
