"""Judging a requirement on facts, in Kleene's strong three-valued logic.

What is not known is neither met nor unmet, and stays so unless the rest of the expression decides (S. C. Kleene,
Introduction to Metamathematics, 1952, section 64). Nothing unknown ever counts as met.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final, Literal

from pytest_spiral.model.profile import Fact, Kind
from pytest_spiral.rules.requirements.terms import COMPARE, Compared, Joined, Named, Not, Requirement, Term
from pytest_spiral.rules.units import Quantity, UnitError, convert

Met = Literal["met", "unmet", "unknown"]

_LINE_LIMIT: Final = 200
_RELEASE: Final = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})*")


class _MismatchError(Exception):
    """A value and a literal that have no comparison."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a requirement comes to on given facts.

    `facts` are those that decided it, `missing` the names among them that no fact was given for, both sorted;
    `reason` says it in words. `cause` is None where the requirement is met, `hardware` where it is unmet and any
    deciding fact is hardware, else `environment`.
    """

    state: Met
    facts: tuple[Fact, ...]
    missing: tuple[str, ...]
    reason: str
    cause: Kind | None

    @property
    def met(self) -> bool:
        """True only where every doubt is out."""
        return self.state == "met"


def evaluate(requirement: Requirement, facts: Mapping[str, Fact]) -> Outcome:
    """Judge a requirement on facts; never raises, and fails closed.

    A comparison with an absent fact is unmet. A name without a fact, an unknown fact, a unit of another
    dimension, a text compared with a number: unknown, unless the rest of the expression decides.
    """
    state, findings = _judge(requirement.term, facts)
    decided = {finding.name: finding.fact for finding in findings}
    used = tuple(fact for _, fact in sorted(decided.items()) if fact is not None)
    hardware = state == "unmet" and any(fact.kind == "hardware" for fact in used)
    return Outcome(
        state=state,
        facts=used,
        missing=tuple(name for name, fact in sorted(decided.items()) if fact is None),
        reason="; ".join(dict.fromkeys(finding.sentence for finding in findings)),
        cause=None if state == "met" else "hardware" if hardware else "environment",
    )


@dataclass(frozen=True, slots=True)
class _Finding:
    """What one leaf of the expression found: the fact, if there was one, and the sentence about it."""

    name: str
    fact: Fact | None
    sentence: str


_Judged = tuple[Met, tuple[_Finding, ...]]
_INVERSE: Final[Mapping[Met, Met]] = {"met": "unmet", "unmet": "met", "unknown": "unknown"}


def _judge(term: Term, facts: Mapping[str, Fact]) -> _Judged:
    if isinstance(term, Joined):
        return _combine(term.word, [_judge(inner, facts) for inner in term.terms])
    if isinstance(term, Not):
        state, findings = _judge(term.term, facts)
        return _INVERSE[state], findings
    state, sentence = _leaf(term, facts.get(term.name))
    return state, (_Finding(term.name, facts.get(term.name), sentence),)


def _combine(word: Literal["and", "or"], judged: list[_Judged]) -> _Judged:
    """Kleene's tables: one `unmet` decides an `and`, one `met` an `or`; then doubt; then agreement."""
    agreed: Met = "met" if word == "and" else "unmet"
    order: tuple[Met, ...] = (_INVERSE[agreed], "unknown", agreed)
    state = next(state for state in order if any(found == state for found, _ in judged))
    return state, tuple(finding for found, findings in judged if found == state for finding in findings)


def _leaf(term: Named | Compared, fact: Fact | None) -> tuple[Met, str]:
    if fact is None:
        return "unknown", f"{term.name}: unknown (it was not probed)"
    if fact.name != term.name:
        return "unknown", f"{term.name}: unknown (the fact given for it is {_line(fact.name)})"
    if fact.state != "present" or fact.value is None:
        state: Met = "unmet" if fact.state == "absent" else "unknown"
        return state, f"{fact.name}: {fact.state} ({_line(fact.evidence)})"
    if isinstance(term, Named):
        return "met" if fact.value else "unmet", f"{fact.name}: present, {_shown(fact)} ({_line(fact.command)})"
    return _compare(term, fact)


def _compare(term: Compared, fact: Fact) -> tuple[Met, str]:
    told = f"{term}: {fact.name} is {_shown(fact)}"
    try:
        left, right = _sides(term, fact)
    except (_MismatchError, UnitError) as problem:
        return "unknown", f"{told}; unknown ({problem})"
    met = COMPARE[term.comparison](left, right)
    return "met" if met else "unmet", told + _in_unit_of(fact, term.literal)


def _sides(term: Compared, fact: Fact) -> tuple[Any, Any]:
    """Return both sides in a form that Python compares exactly.

    Raises _MismatchError or UnitError where they do not compare.
    """
    literal, value = term.literal, fact.value
    if isinstance(value, bool) or value is None:
        raise _MismatchError(f"it is not compared with anything: write {term.name} or not {term.name}")
    if isinstance(literal, Quantity):
        if isinstance(value, str):
            raise _MismatchError("a text is not compared with a number: quote the number")
        return convert(_exact(value), fact.unit or "1", literal.unit), literal.number
    if not isinstance(value, str):
        raise _MismatchError("a number is not compared with a text: remove the quotes")
    if _RELEASE.fullmatch(value) and _RELEASE.fullmatch(literal):
        return _release(value), _release(literal)
    if term.comparison not in ("==", "!="):
        raise _MismatchError("only release numbers such as 3.11.2 have an order")
    return value, literal


def _exact(value: float) -> Fraction:
    """The number that the value's shortest text writes, so that 0.1 is a tenth."""
    return Fraction(value) if isinstance(value, int) else Fraction(Decimal(repr(value)))


def _release(text: str) -> tuple[int, ...]:
    """The parts of a release number without zeros at its end: 3.11 and 3.11.0 are one release (PEP 440)."""
    parts = [int(part) for part in text.split(".")]
    while parts and parts[-1] == 0:
        parts.pop()
    return tuple(parts)


def _in_unit_of(fact: Fact, literal: Quantity | str) -> str:
    """What the literal is in the fact's own unit, exactly, so that no line reads as if equals differed."""
    if not isinstance(literal, Quantity) or fact.unit is None or fact.unit == literal.unit:
        return ""
    return f", {literal} is {Quantity(convert(literal.number, literal.unit, fact.unit), fact.unit)}"


def _shown(fact: Fact) -> str:
    value = fact.value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return f'"{_line(value)}"'
    unit = "" if fact.unit is None else f" {fact.unit}"
    return f"{value}{unit}"


def _line(text: str) -> str:
    """Return a text's first line that says something, printable and short enough for a sentence."""
    first = next((line.strip() for line in text.splitlines() if line.strip()), "no output")
    printable = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in first)
    return printable if len(printable) <= _LINE_LIMIT else printable[: _LINE_LIMIT - 1] + "…"
