"""What sound samples of each measurement of a criterion look like: one figure that holds every limit it feeds."""

from fractions import Fraction

from pytest_spiral.model.gate import Criterion, Limit
from pytest_spiral.rules.limits import COMPARED, bound_of
from pytest_spiral.rules.selftest.scene import SECOND_NS, Kind, Recipe, in_unit, plain
from pytest_spiral.rules.selftest.tails import events_too_many
from pytest_spiral.rules.units import dimension, parse_quantity

_NUMBERS = ("quantile", "min", "max", "mean", "duration")
_KINDS: dict[str, Kind] = {"rate": "outcome", "count": "count", "count-rate": "count", "equal": "item"}


class UnsoundError(ValueError):
    """No evidence can be made that passes; the text says why."""


def recipes_of(criterion: Criterion) -> dict[str, Recipe]:
    """A recipe for each measurement that feeds a limit; raises UnsoundError where limits contradict each other."""
    fed: dict[str, list[Limit]] = {}
    for limit in criterion.limits:
        for name in limit.measurements:
            fed.setdefault(name, []).append(limit)
    found: dict[str, Recipe] = {}
    for name, limits in fed.items():
        group = _compared_with(name, criterion)
        alike = [limit for limit in criterion.limits if group & set(limit.measurements)]
        found[name] = _recipe(name, limits, criterion, sorted(group), alike)
    return found


def _compared_with(name: str, criterion: Criterion) -> set[str]:
    """A measurement and all that it is compared with, directly or not: they have one figure."""
    group, before = {name}, 0
    while len(group) > before:
        before = len(group)
        for limit in criterion.limits:
            if limit.statistic in COMPARED and group & set(limit.measurements):
                group |= set(limit.measurements)
    return group


def _recipe(name: str, limits: list[Limit], criterion: Criterion, group: list[str], alike: list[Limit]) -> Recipe:
    sizes = {_size(limit, criterion) for limit in limits}
    if len(sizes) > 1:
        raise UnsoundError(f"the limits on {name} plan {' and '.join(map(str, sorted(sizes)))} samples")
    kind = _kind(name, limits)
    unit, good = _figure(name, kind, alike)
    timed = kind == "number" and dimension(unit) == dimension("s") and _is_timed(alike, good)
    quantile = any(limit.statistic == "quantile" for limit in limits)
    scheduled = timed and any(limit.statistic in ("quantile", "regression") for limit in limits)
    turns = timed and len(group) > 1
    exposure = parse_quantity(criterion.exposure or "1").number if kind == "count" else None
    return Recipe(
        name=name,
        kind="timed" if timed else kind,
        unit=unit,
        good=round(in_unit(good, unit, "ns")) if timed else plain(good) if kind == "number" else _word(kind, limits),
        size=sizes.pop(),
        warm=criterion.warm_up if limits[0].samples is None else 0,
        blocks=criterion.blocks if quantile else 0,
        open_loop=scheduled and criterion.sampling == "open-loop",
        exposure=None if exposure is None else plain(exposure),
        too_often={one.text: events_too_many(criterion, one) for one in limits} if kind == "count" else {},
        turn=(group.index(name), len(group)) if turns else None,
        every=max(SECOND_NS, _pace(alike, good, unit)) if turns else SECOND_NS,
    )


def _pace(limits: list[Limit], good: Fraction, unit: str) -> int:
    """Nanoseconds from call to call, so that none is still under way, however bad it is made."""
    widest = max(in_unit(bound_of(one), one.unit, unit) for one in limits if one.statistic in COMPARED)
    return round(in_unit(4 * (good + widest), unit, "ns"))


def _size(limit: Limit, criterion: Criterion) -> int:
    """One figure where the limit is on one; else the plan."""
    return 1 if limit.statistic in ("count", "count-rate", "duration") else criterion.plan_of(limit) or 1


def _kind(name: str, limits: list[Limit]) -> Kind:
    """The kind of sample that every limit takes; failures are counted among samples of any kind."""
    found = {_KINDS.get(one.statistic, "number") for one in limits if one.statistic != "failures"}
    if len(found) > 1:
        raise UnsoundError(f"the limits on {name} want samples of different kinds")
    return next(iter(found), "outcome")


def _word(kind: Kind, limits: list[Limit]) -> bool | int | None:
    """What a good sample says that is no number: a hit, unless hits are what is limited; no event; the same."""
    if kind == "outcome":
        return not any(one.statistic == "rate" and one.comparison == "<=" for one in limits)
    return 0 if kind == "count" else None


def _figure(name: str, kind: Kind, limits: list[Limit]) -> tuple[str, Fraction]:
    """A unit, and one figure in it that is inside every limit, well inside where there is room."""
    if kind != "number":
        return "", Fraction(0)
    own = [one for one in limits if one.statistic in _NUMBERS]
    if not own:  # only differences are limited, so any figure is sound
        return limits[0].unit or "", bound_of(limits[0])
    share = any(one.statistic == "mean" for one in own)
    unit = "1" if share else own[0].unit or ""
    lows = [in_unit(bound_of(one), one.unit, unit) for one in own if one.comparison == ">="]
    highs = [in_unit(bound_of(one), one.unit, unit) for one in own if one.comparison == "<="]
    if share:
        lows, highs = [*lows, Fraction(0)], [*highs, Fraction(1)]
    low, high = max(lows, default=None), min(highs, default=None)
    if low is not None and high is not None:
        if low > high:
            raise UnsoundError(f"no figure of {name} holds all of its limits")
        if share:
            return unit, high if any(one.comparison == ">=" for one in own) else low
        return unit, (low + high) / 2
    if low is not None:
        return unit, low + (abs(low) / 2 or 1)
    return unit, (high or Fraction(0)) - abs(high or Fraction(0)) / 2


def _is_timed(limits: list[Limit], good: Fraction) -> bool:
    """Whether both a good and a bad figure can be a time that was taken: none of them is below zero."""
    own = [(bound_of(one), one.comparison) for one in limits if one.statistic in _NUMBERS]
    above = all(bound > 0 or (bound == 0 and comparison == "<=") for bound, comparison in own)
    return good >= 0 and above
