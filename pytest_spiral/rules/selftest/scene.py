"""Made-up evidence of one criterion, and the few ways in which defects change it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

import msgspec

from pytest_spiral.model.evidence import Evidence
from pytest_spiral.model.gate import Criterion, Limit
from pytest_spiral.model.measurement import Measurement, Sample
from pytest_spiral.model.trust import TrustRoot
from pytest_spiral.rules.limits import COMPARED, bound_of
from pytest_spiral.rules.statistics.arguments import exact
from pytest_spiral.rules.units import convert

Kind = Literal["timed", "number", "outcome", "count", "item"]
SECOND_NS = 1_000_000_000
_SAID = ("value", "ns", "ok", "failed", "count", "item")
_LITTLE = Fraction(1, 10**9)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How sound samples of one measurement are made: their kind, unit, good figure, number, warm-up and blocks.

    `too_often` says how many events are too many, for each limit on events by its text. `turn` is the measurement's
    place among those that it is compared with, and how many those are: their calls take turns, every `every` ns.
    """

    name: str
    kind: Kind
    unit: str
    good: Any
    size: int
    warm: int
    blocks: int
    open_loop: bool
    exposure: float | int | None = None
    too_often: Mapping[str, int] = field(default_factory=dict)
    turn: tuple[int, int] | None = None
    every: int = SECOND_NS

    def samples(self) -> tuple[Sample, ...]:
        """All samples in order, warm-up first."""
        warm = [self._sample(at, warm=True) for at in range(self.warm)]
        return (*warm, *(self._sample(self.warm + at) for at in range(self.size)))

    def _sample(self, n: int, *, warm: bool = False) -> Sample:
        block = None if warm or not self.blocks else (n - self.warm) * self.blocks // self.size
        return Sample(n=n, warm=warm, block=block, **self._said(n))

    def _said(self, n: int) -> dict[str, Any]:
        if self.kind == "timed":
            return {"ns": self.good, **self._times(n, self.good)}
        if self.kind == "count":
            return {"count": self.good, "exposure": self.exposure}
        if self.kind == "item":
            return {"item": f"item-{n - self.warm}", "seen": n}
        if self.kind == "outcome":
            return {"ok": self.good}
        return {"value": self.good}

    def _times(self, n: int, ns: int) -> dict[str, int]:
        """When a call that takes so long was sent and done, where samples of this kind say so."""
        if self.turn is None and not self.open_loop:
            return {}
        place, sides = self.turn or (0, 1)
        sent = (n * sides + (sides - 1 - place if n % 2 else place)) * self.every
        return {"sent": sent, "done": sent + ns, **({"intended": sent} if self.open_loop else {})}

    def taking(self, sample: Sample, ns: int) -> Sample:
        """The sample as one that took so long."""
        return msgspec.structs.replace(sample, ns=ns, **self._times(sample.n, ns))

    def spoilt(self, sample: Sample, limit: Limit, *, far: bool = False) -> Sample:
        """The sample on the wrong side of a limit, by as little as can be, or far."""
        if limit.statistic == "failures":
            return failed(sample) if self.kind != "outcome" else msgspec.structs.replace(sample, ok=False)
        if self.kind == "outcome":
            return msgspec.structs.replace(sample, ok=not self.good)
        if self.kind == "item":
            return msgspec.structs.replace(sample, seen="another")
        if self.kind == "count":
            return msgspec.structs.replace(
                sample, count=self.too_often[limit.text] * (10 if far else 1) + (100 if far else 0)
            )
        wrong = self.wrong(limit, far=far)
        if self.kind == "timed":
            return self.taking(sample, wrong)
        return msgspec.structs.replace(sample, value=wrong)

    def wrong(self, limit: Limit, *, far: bool) -> Any:
        """A figure on the wrong side of a limit, in this measurement's own terms: nanoseconds, or its unit."""
        if limit.statistic == "mean":
            return 0 if limit.comparison == ">=" else 1
        unit = "ns" if self.kind == "timed" else self.unit
        bound = bound_of(limit, unit)
        step = max(abs(bound), Fraction(1)) * (2 if far else _LITTLE)
        if self.kind == "timed":
            step = Fraction(max(1, round(step)))
        figure = bound + step if limit.comparison == "<=" else bound - step
        if limit.statistic in COMPARED:
            figure += exact(self.good)  # which is the figure of the other side too
        if self.kind == "timed":
            return max(0, int(figure) if limit.comparison == ">=" else -int(-figure // 1))
        return plain(figure)


def plain(number: Fraction) -> float | int:
    """A number as samples carry it."""
    return int(number) if number.denominator == 1 else float(number)


def failed(sample: Sample) -> Sample:
    """The sample as a failed call: what it said besides, its block and its times, stays."""
    nothing = dict.fromkeys(_SAID)
    return msgspec.structs.replace(sample, **{**nothing, "failed": "made up", "exposure": None, "seen": None})


@dataclass(frozen=True, slots=True)
class Scene:
    """Sound evidence of one criterion, as scaled; `controls` are the scenes of the controls that guard it.

    `trust` is the trust root that knows its signer, where it has one.
    """

    criterion: Criterion
    evidence: Evidence
    recipes: Mapping[str, Recipe] = field(default_factory=dict)
    controls: tuple["Scene", ...] = ()
    note: str = ""
    trust: TrustRoot | None = None

    @property
    def test(self) -> str:
        """The node id of the (first) test that claims the criterion."""
        return next(one.id for one in self.evidence.tests if self.criterion.id in one.criteria)

    def but(self, **changes: Any) -> Evidence:
        """The evidence with other records."""
        return msgspec.structs.replace(self.evidence, **changes)

    def fed(self) -> Iterator[tuple[Limit, Recipe, Measurement]]:
        """Each limit that is fed by samples, with its (first) measurement: that of the last run, where there are runs.

        None for a control: it has no limits of its own.
        """
        for limit in self.criterion.limits:
            if limit.measurements:
                name = limit.measurements[0]
                last = [one for one in self.evidence.measurements if one.name == name and not one.control][-1]
                yield limit, self.recipes[name], last

    def timed(self) -> Iterator[tuple[Limit, Recipe, Measurement]]:
        """Those of `fed` whose limit is on how long things took; that calls may fail says nothing of their times."""
        for limit, recipe, found in self.fed():
            if recipe.kind == "timed" and limit.statistic != "failures":
                yield limit, recipe, found

    def with_measurement(self, old: Measurement, *new: Measurement) -> Evidence:
        """The evidence with a measurement replaced, by any number of others."""
        kept = self.evidence.measurements
        at = next(place for place, one in enumerate(kept) if one is old)
        return self.but(measurements=(*kept[:at], *new, *kept[at + 1 :]))

    def with_samples(self, measurement: Measurement, samples: tuple[Sample, ...]) -> Evidence:
        """The evidence with other samples in a measurement."""
        return self.with_measurement(measurement, msgspec.structs.replace(measurement, samples=samples))

    def with_counted(
        self, measurement: Measurement, change: Callable[[Sample], Sample], count: int, *, start: int = 0
    ) -> Evidence:
        """The evidence with `count` samples that are no warm-up changed, from the `start`-th of them on."""
        first = next((at for at, one in enumerate(measurement.samples) if not one.warm), 0) + start
        changed = [change(one) if first <= at < first + count else one for at, one in enumerate(measurement.samples)]
        return self.with_samples(measurement, tuple(changed))

    def with_test(self, **changes: Any) -> Evidence:
        """The evidence with the record of the criterion's first test changed."""
        tests = self.evidence.tests
        at = next(place for place, one in enumerate(tests) if one.id == self.test)
        return self.but(tests=(*tests[:at], msgspec.structs.replace(tests[at], **changes), *tests[at + 1 :]))


def counted(measurement: Measurement) -> tuple[Sample, ...]:
    """The samples that are no warm-up."""
    return tuple(one for one in measurement.samples if not one.warm)


def numbered(samples: "tuple[Sample, ...] | list[Sample]") -> tuple[Sample, ...]:
    """The samples numbered from 0 again, so that nothing but what was changed is wrong with them."""
    return tuple(one if one.n == at else msgspec.structs.replace(one, n=at) for at, one in enumerate(samples))


def in_unit(number: Fraction, unit: str | None, into: str) -> Fraction:
    """A number in another unit; as it is where it has none."""
    return number if unit is None or not into else convert(number, unit, into)
