"""From measurements to populations: the samples that one limit is judged on, in the limit's unit."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from itertools import groupby

from pytest_spiral.model.gate import Criterion, Limit
from pytest_spiral.model.measurement import Measurement, Sample
from pytest_spiral.rules.statistics.arguments import exact
from pytest_spiral.rules.units import UnitError, convert


class PopulationError(ValueError):
    """Samples that cannot be judged as they stand; `reason` is a stable code."""

    def __init__(self, reason: str, sentence: str) -> None:
        self.reason = reason
        super().__init__(sentence)


@dataclass(frozen=True, slots=True)
class Population:
    """What one limit is judged on: the measurements of one test and one run block that it names, in its order."""

    test: str
    run: str
    measurements: tuple[Measurement, ...]
    number: int = 0

    @property
    def where(self) -> str:
        """How it is called beside other populations of the same limit: its run by number, else its test."""
        return f"run {self.number}" if self.run else self.test.rpartition("::")[2]

    @property
    def first(self) -> Measurement:
        """The first measurement: the only one, save where two are compared."""
        return self.measurements[0]


def populations(limit: Limit, measurements: Iterable[Measurement]) -> tuple[Population, ...]:
    """Group the measurements that a limit names by test and run block, in order of first appearance."""
    groups: dict[tuple[str, str], dict[str, Measurement]] = {}
    for one in measurements:
        if one.name in limit.measurements:
            group = groups.setdefault((one.test, one.run), {})
            if one.name in group:
                raise PopulationError("measured-twice", f"{one.name} was measured twice in one run block of {one.test}")
            group[one.name] = one
    return tuple(
        Population(test, run, tuple(group[name] for name in limit.measurements if name in group), number)
        for number, ((test, run), group) in enumerate(groups.items(), start=1)
    )


def both_sides(limit: Limit, population: Population) -> tuple[Measurement, Measurement]:
    """The two measurements that a limit compares; PopulationError where one of them was never taken."""
    taken = {one.name: one for one in population.measurements}
    missing = [name for name in limit.measurements if name not in taken]
    if missing:
        sentence = f"{' and '.join(missing)} was never measured, so there is nothing to compare"
        raise PopulationError("one-sided", sentence)
    first, second = limit.measurements
    return taken[first], taken[second]


def is_whole(measurement: Measurement) -> bool:
    """Whether samples are numbered from 0 without a gap, and are as many as the closing record told of."""
    samples = measurement.samples
    return measurement.count in (None, len(samples)) and all(one.n == number for number, one in enumerate(samples))


def counted(measurement: Measurement, criterion: Criterion, limit: Limit) -> tuple[Sample, ...]:
    """The samples without warm-up, which must be as long as declared (a limit with its own plan has none).

    Warm-up comes first, in the whole or in its block: a sample cannot be called warm-up after others were taken.
    """
    warm = sum(one.warm for one in measurement.samples)
    declared = criterion.warm_up if limit.samples is None else 0
    if warm != declared and measurement.samples:
        raise PopulationError(
            "warm-up-differs", f"{warm} warm-up samples of {measurement.name}, where {declared} are declared"
        )
    if not warm:
        return measurement.samples
    begun: set[int | None] = set()
    for one in measurement.samples:
        if one.warm and one.block in begun:
            raise PopulationError("warm-up-late", f"sample {one.n} of {measurement.name} is warm-up after others")
        if not one.warm:
            begun.add(one.block)
    return tuple(one for one in measurement.samples if not one.warm)


def never_came(measurement: Measurement, criterion: Criterion, limit: Limit) -> int:
    """How many samples were announced beyond the plan and never came; a plan that is not full is short by itself.

    They count against a pass and never for a fail (statistics.md, rule 4).
    """
    taken = sum(not one.warm for one in measurement.samples)
    return max(0, measurement.planned - max(taken, criterion.plan_of(limit) or 0))


def block_sizes(samples: Iterable[Sample], measurement: Measurement) -> tuple[int, ...]:
    """How many samples each block of fresh connections has, in the order taken; PopulationError where blocks mix."""
    found = [(block, len(list(group))) for block, group in groupby(samples, key=lambda one: one.block)]
    if len({block for block, _ in found}) != len(found):
        raise PopulationError("blocks-mixed", f"samples of {measurement.name} go back to a block that was over")
    return tuple(size for _, size in found)


def numbers(samples: Iterable[Sample], measurement: Measurement, unit: str) -> list[Fraction | float]:
    """Numbers in `unit`, in the order taken; a failed call is infinite. PopulationError for another kind of sample."""
    from_ns = _scale("ns", unit, measurement)
    from_own = _scale(measurement.unit, unit, measurement)
    return [_number(one, measurement, from_ns, from_own) for one in samples]


_Scale = Callable[[float | int], Fraction]


def _scale(unit: str, into: str, measurement: Measurement) -> _Scale:
    factor = _factor(unit, into)

    @cache  # equal samples are common, and exact numbers are slow
    def scaled(number: float) -> Fraction:
        if factor is None:
            raise PopulationError("wrong-unit", f"{measurement.name} is in {unit or 'no unit'}, not in {into}")
        if isinstance(number, float) and not math.isfinite(number):
            raise PopulationError("not-a-number", f"a sample of {measurement.name} is {number}")
        return exact(number) * factor

    return scaled


@lru_cache(maxsize=256)
def _factor(unit: str, into: str) -> Fraction | None:
    """How many of `into` one `unit` is; None where that means nothing."""
    try:
        return convert(Fraction(1), unit, into) if unit else None
    except UnitError:
        return None


def _number(sample: Sample, measurement: Measurement, from_ns: _Scale, from_own: _Scale) -> Fraction | float:
    if sample.failed is not None:
        return math.inf
    if sample.ns is not None:
        _check_times(sample, measurement)
        return from_ns(sample.ns)
    if sample.value is not None:
        return from_own(sample.value)
    raise PopulationError("wrong-kind", f"sample {sample.n} of {measurement.name} is no number")


def _check_times(sample: Sample, measurement: Measurement) -> None:
    """Times add up: done less intended for a response time, done less sent for a service time that says when."""
    if sample.sent is None or sample.done is None:
        if (sample.ns or 0) < 0:
            raise PopulationError("time-order", f"sample {sample.n} of {measurement.name} took less than no time")
        return
    begun = sample.sent if sample.intended is None else sample.intended
    if not begun <= sample.sent <= sample.done or sample.ns != sample.done - begun:
        raise PopulationError("time-order", f"the times of sample {sample.n} of {measurement.name} do not add up")


def open_loop(samples: Iterable[Sample]) -> bool:
    """Whether every sample was sent on a schedule: it carries when it was intended, sent and done."""
    return all(one.intended is not None and one.sent is not None and one.done is not None for one in samples)


def outcomes(samples: Iterable[Sample], measurement: Measurement) -> tuple[int, int]:
    """(hits, samples) for a rate; PopulationError for samples that neither hit nor miss."""
    hits = total = 0
    for one in samples:
        if one.ok is None and one.failed is None:
            raise PopulationError("wrong-kind", f"sample {one.n} of {measurement.name} is neither hit nor miss")
        hits += one.ok is True
        total += 1
    return hits, total


def failures(samples: Iterable[Sample]) -> int:
    """How many samples failed or missed."""
    return sum(one.failed is not None or one.ok is False for one in samples)


def events(samples: Iterable[Sample], measurement: Measurement) -> tuple[int, Fraction]:
    """(events, exposure) of counting samples."""
    total, exposure = 0, Fraction(0)
    for one in samples:
        if one.count is None or one.exposure is None:
            raise PopulationError("wrong-kind", f"sample {one.n} of {measurement.name} does not count")
        if one.count < 0 or not (math.isfinite(one.exposure) and one.exposure >= 0):
            raise PopulationError("wrong-kind", f"sample {one.n} of {measurement.name} counts less than nothing")
        total += one.count
        exposure += exact(one.exposure)
    return total, exposure


def items(samples: Iterable[Sample], measurement: Measurement) -> dict[str, object]:
    """Listed items and what this side says of each; PopulationError for another kind, or an item listed twice."""
    found: dict[str, object] = {}
    for one in samples:
        if one.item is None:
            raise PopulationError("wrong-kind", f"sample {one.n} of {measurement.name} is no listed item")
        if one.item in found:
            raise PopulationError("item-twice", f"{measurement.name} lists {one.item!r} twice")
        found[one.item] = one.seen
    return found


def same(one: object, other: object) -> bool:
    """Whether two sides of an `equal(a, b)` say the same, as JSON means it (RFC 8785).

    `1` and `1.0` are one number. `true` is not `1`, a text is not the number that it spells, `null` is not a missing
    key, and the order of an object's keys means nothing. What is not a number equals nothing, not even itself.
    """
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one == other
    return type(one) is type(other) and one == other
