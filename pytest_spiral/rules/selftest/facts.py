"""Made-up facts under which a requirement is met, or is not: found by trying values on both sides of each comparison."""

from collections.abc import Iterator
from itertools import islice, product
from typing import Any, Final, NamedTuple

from pytest_spiral.model.profile import KNOWN_FACTS, Fact
from pytest_spiral.rules.requirements import evaluate, parse_requirement
from pytest_spiral.rules.requirements.terms import Compared, Joined, Named, Not, Term
from pytest_spiral.rules.selftest.scene import plain
from pytest_spiral.rules.units import Quantity

_MOST: Final = 4096
"""Combinations of facts that are tried before a requirement counts as one that nothing meets."""

STATED: Final = "clock."
"""What a target states of itself, whatever a machine's probe says."""


class _Guess(NamedTuple):
    value: Any
    unit: str | None = None


def facts_for(requirement: str | None, wanted: str) -> tuple[Fact, ...] | None:
    """Facts on which a requirement comes to `met` or `unmet`; None where none were found. No requirement is met."""
    if requirement is None:
        return () if wanted == "met" else None
    parsed = parse_requirement(requirement)
    guesses = [[*dict.fromkeys(_guesses(parsed.term, name))] for name in parsed.names]
    for chosen in islice(product(*guesses), _MOST):
        facts = {name: _fact(name, guess) for name, guess in zip(parsed.names, chosen, strict=True)}
        if evaluate(parsed, facts).state == wanted:
            return tuple(facts.values())
    return None


def _fact(name: str, guess: _Guess | None) -> Fact:
    kind = KNOWN_FACTS.get(name, "environment")
    if guess is None:
        return Fact(name=name, state="absent", kind=kind, evidence="made up: not there", command="selftest")
    return Fact(
        name=name,
        state="present",
        kind=kind,
        value=guess.value,
        unit=guess.unit,
        evidence="made up: there",
        command="selftest",
    )


def _guesses(term: Term, name: str) -> Iterator[_Guess | None]:
    """Values of a fact on both sides of everything that it is compared with, and its absence."""
    if isinstance(term, Joined):
        for inner in term.terms:
            yield from _guesses(inner, name)
    elif isinstance(term, Not):
        yield from _guesses(term.term, name)
    elif term.name == name:
        yield from _around(term)


def _around(term: Named | Compared) -> Iterator[_Guess | None]:
    if isinstance(term, Named):
        yield _Guess(value=True)
    elif isinstance(term.literal, Quantity):
        for step in (0, 1, -1):
            yield _Guess(plain(term.literal.number + step), None if term.literal.unit == "1" else term.literal.unit)
    else:
        yield from (_Guess(text) for text in (term.literal, f"{term.literal}.1", "0"))
    yield None
