"""The bar: what of a criterion judges, in one spelling, and what moved between two plans, loosened first.

Two spellings of one bar (`120 ms` and `0.12 s`, `0.95` and `0.950`, another order of limits) give one digest:
reformatting is no change.
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final, Literal

import msgspec

from pytest_spiral.model.attestation import LEVELS
from pytest_spiral.model.base import Value
from pytest_spiral.model.entry import RegisteredBar
from pytest_spiral.model.fidelity import Fidelity
from pytest_spiral.model.gate import Criterion, Limit, Plan
from pytest_spiral.rules.canonical import canonical_bytes, digest
from pytest_spiral.rules.requirements import parse_requirement
from pytest_spiral.rules.units import base_unit, convert, decimal_text, parse_quantity

Course = Literal["loosened", "changed", "tightened"]
COURSES: Final[tuple[Course, ...]] = ("loosened", "changed", "tightened")

_STRICTER_ABOVE: Final = ("samples", "exposure", "blocks", "consecutive", "confidence")
_SETS: Final = ("subjects", "tests", "inputs")
_ORDERED: Final[Mapping[str, tuple[Any, ...]]] = {
    "level": ("advisory", "blocker"),
    "sampling": ("closed-loop", "open-loop"),
    "combine": ("pooled", "each"),
    "planned": (True, False),
    "assurance": (None, *LEVELS),
    "fidelity": (None, *(str(one) for one in sorted(Fidelity, key=lambda level: level.rank))),
}
"""Fields whose values go from loose to strict."""


class Move(Value, frozen=True, kw_only=True):
    """One thing that moved. `field` is a key of gates.toml (empty: the whole criterion); texts are as they are shown."""

    criterion: str
    course: Course
    field: str
    before: str
    after: str


def bar_of(criterion: Criterion) -> RegisteredBar:
    """The digest of a criterion's canonical judging fields."""
    return RegisteredBar(bar=digest(canonical_bytes(judging_fields(criterion))))


def bars_of(plan: Plan) -> dict[str, RegisteredBar]:
    """The bar of every criterion of a plan."""
    return {one.id: bar_of(one) for one in plan.criteria()}


def judging_fields(criterion: Criterion) -> dict[str, Any]:
    """What of a criterion judges, as JSON built-ins in one spelling: numbers are exact decimals in base units.

    ValueError for a criterion that no gates reader would have made.
    """
    fields: dict[str, Any] = msgspec.to_builtins(criterion)
    del fields["confidence_reason"]
    fields["limits"] = sorted((_limit_fields(one) for one in criterion.limits), key=canonical_bytes)
    for name in ("exposure", "margin", "sequential"):
        fields[name] = None if fields[name] is None else _in_base(fields[name])
    if criterion.confidence not in (None, "none"):
        fields["confidence"] = decimal_text(Fraction(Decimal(criterion.confidence)))
    if criterion.requires is not None:
        fields["requires"] = str(parse_requirement(criterion.requires))
    for name in _SETS:
        fields[name] = sorted(set(fields[name]))
    return fields


def what_moved(before: Iterable[Criterion], after: Iterable[Criterion]) -> tuple[Move, ...]:
    """Everything that judges and differs between the criteria of two plans, loosened first, then by criterion."""
    old, new = ({one.id: one for one in criteria} for criteria in (before, after))
    found = [move for name in old.keys() & new.keys() for move in _moves(old[name], new[name])]
    found += [_whole(name, "loosened", "declared", "gone") for name in old.keys() - new.keys()]
    found += [_whole(name, "tightened", "not there", "declared") for name in new.keys() - old.keys()]
    return in_order(found)


def in_order(moves: Iterable[Move]) -> tuple[Move, ...]:
    """Moves with the loosened first, then by criterion."""
    return tuple(sorted(moves, key=lambda one: (COURSES.index(one.course), one.criterion, one.field, one.before)))


def _whole(name: str, course: Course, before: str, after: str) -> Move:
    return Move(criterion=name, course=course, field="", before=before, after=after)


def _in_base(text: str) -> str:
    quantity = parse_quantity(text)
    unit = base_unit(quantity.unit)
    return f"{decimal_text(convert(quantity.number, quantity.unit, unit))} {unit}"


def _limit_fields(limit: Limit) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(limit)
    del fields["text"], fields["unit"]
    if limit.bound is not None:
        fields["bound"] = _in_base(f"{limit.bound} {limit.unit}") if limit.unit else limit.bound
    return fields


def _moves(before: Criterion, after: Criterion) -> Iterator[Move]:
    old, new = judging_fields(before), judging_fields(after)
    yield from _limit_moves(before, after)
    for name in old.keys() - {"id", "limits"}:
        if old[name] != new[name]:
            shown = (_shown(getattr(before, name)), _shown(getattr(after, name)))
            course = _course(name, old[name], new[name])
            yield Move(criterion=before.id, course=course, field=name, before=shown[0], after=shown[1])


def _limit_moves(before: Criterion, after: Criterion) -> Iterator[Move]:
    """Limits are the same where they bound one statistic of one measurement from one side."""
    old, new = ({_key(limit): limit for limit in one.limits} for one in (before, after))
    for key in sorted(old.keys() | new.keys(), key=repr):
        one, other = old.get(key), new.get(key)
        course: Course
        if one is None or other is None:
            course = "loosened" if other is None else "tightened"
        elif _limit_fields(one) == _limit_fields(other):
            continue
        else:
            course = _limit_course(one, other)
        shown = [limit.text + _own_plan(limit) if limit else "none" for limit in (one, other)]
        yield Move(criterion=before.id, course=course, field="limit", before=shown[0], after=shown[1])


def _key(limit: Limit) -> tuple[object, ...]:
    return limit.statistic, limit.measurements, limit.quantile, limit.comparison


def _own_plan(limit: Limit) -> str:
    return f" ({limit.samples} samples)" if limit.samples is not None else ""


def _limit_course(before: Limit, after: Limit) -> Course:
    """Loosened where the bound is wider or its own plan smaller; whatever else moved with it."""
    wider = _bound(after) - _bound(before)
    wider = -wider if before.comparison == ">=" else wider
    if wider > 0 or (after.samples or 0) < (before.samples or 0):
        return "loosened"
    return "tightened" if wider < 0 or before.samples != after.samples else "changed"


def _bound(limit: Limit) -> Fraction:
    if limit.bound is None:
        return Fraction(0)
    number = Fraction(Decimal(limit.bound))
    return convert(number, limit.unit, base_unit(limit.unit)) if limit.unit else number


def _course(name: str, before: Any, after: Any) -> Course:
    if name in _STRICTER_ABOVE:
        return "loosened" if _amount(after) < _amount(before) else "tightened"
    if name in _ORDERED:
        order = _ORDERED[name]
        return "loosened" if order.index(after) < order.index(before) else "tightened"
    if name in _SETS:
        return "loosened" if set(before) - set(after) else "tightened"
    if name in {"requires", "control"} and None in (before, after):  # a need may excuse, a control finds blindness out
        return "loosened" if (after is None) == (name == "control") else "tightened"
    return "changed"


def _amount(value: Any) -> Fraction:
    """A number, a quantity in its base unit, or nothing (`none`, None), which is least."""
    if value in (None, "none"):
        return Fraction(-1)
    return parse_quantity(value).number if isinstance(value, str) else Fraction(value)


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    if isinstance(value, msgspec.Struct):
        return ", ".join(f"{name} {getattr(value, name)}" for name in value.__struct_fields__)
    return "none" if value is None else str(value)
