"""What a process records while its tests run: measurements, run blocks, controls, attachments, subjects."""

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from pytest_spiral.errors import MeasurementError, UseError
from pytest_spiral.model.base import Value
from pytest_spiral.model.gate import Criterion, Limit, Plan
from pytest_spiral.model.record import (
    ControlClosed,
    ControlOpened,
    MeasureOpened,
    RunClosed,
    RunOpened,
)
from pytest_spiral.rules.limits import COMPARED
from pytest_spiral.rules.units import dimension
from pytest_spiral.run import clock
from pytest_spiral.run.measure import Discard, Measure, Sink

_UNITLESS = ("rate", "failures", "count", "count-rate", "equal", "all-pass")


class Keeper(Protocol):
    """Where records and samples are kept: the bundle's writer, or nothing at all."""

    def append(self, record: Value) -> None:
        """Write one record to this process's journal."""
        ...

    def open_samples(self, opened: MeasureOpened) -> "KeptSamples":
        """Begin a sample file; `opened.file` is where."""
        ...


class KeptSamples(Sink, Protocol):
    """An open sample file."""

    def close(self, raised: str = "", transports: tuple[str, ...] = ()) -> None:
        """Write what is left and say that the measurement ended."""
        ...


class Forget:
    """The keeper of a run without evidence."""

    def append(self, record: Value) -> None:
        """Keep nothing."""

    def open_samples(self, opened: MeasureOpened) -> "_ForgetSamples":  # noqa: ARG002 - nothing is kept
        """Keep nothing."""
        return _ForgetSamples()


class _ForgetSamples(Discard):
    def close(self, raised: str = "", transports: tuple[str, ...] = ()) -> None:
        """Nothing was kept."""


@dataclass(slots=True)
class TestRecorder:
    """Records of one running test. `claimed` are the criteria it says it proves.

    `calls` counts the calls to the target so far, by transport.
    """

    __test__ = False

    test: str
    claimed: Sequence[Criterion]
    plan: Plan
    keeper: Keeper
    process: str
    number: Callable[[], int]
    calls: Callable[[], Mapping[str, int]] = dict
    used: set[tuple[str, str, str]] = field(default_factory=set)
    run: str = ""
    control: Criterion | None = None
    measured: bool = False

    @contextmanager
    def measure(self, name: str, unit: str = "", planned: int | None = None) -> Iterator[Measure]:
        """Open a measurement; raises MeasurementError for a name that no claimed limit names, or a wrong unit."""
        criteria, limits = self._wanted(name)
        self._check_unit(name, unit, limits)
        key = (self.run, self.control.id if self.control else "", name)
        if key in self.used:
            raise MeasurementError(
                f"{name!r} is measured twice in one run block of {self.test}; "
                "take all samples in one `with spiral.measure(…)`, or open another `with spiral.rehearsal()`."
            )
        self.used.add(key)
        opened = self._opened(name, unit, criteria, limits, planned)
        self.keeper.append(opened)
        self.measured = True
        kept = self.keeper.open_samples(opened)
        before = self.calls()
        raised = ""
        try:
            stamped = any(limit.statistic in COMPARED for _, limit in limits)
            yield Measure(name, unit, kept, clock.mono_ns, opened.planned, stamped=stamped)
        except BaseException as error:
            raised = type(error).__name__
            raise
        finally:
            used = sorted(name for name, calls in self.calls().items() if calls > before.get(name, 0))
            kept.close(raised, tuple(used))

    @contextmanager
    def rehearsal(self) -> Iterator[str]:
        """One run block: what is measured inside is one run of its criteria. Yields the run's id."""
        if self.run:
            raise UseError(f"{self.test} opens a rehearsal inside a rehearsal; close the first one before.")
        self.run = f"{self.process}-{self.number()}"
        self.keeper.append(RunOpened(run=self.run, test=self.test, criteria=tuple(c.id for c in self.claimed)))
        outcome = "abandoned"
        try:
            yield self.run
            outcome = "closed"
        finally:
            closed: Any = outcome
            self.keeper.append(RunClosed(run=self.run, outcome=closed))
            self.run = ""

    @contextmanager
    def controlled(self) -> Iterator[Criterion]:
        """A control block: what is measured inside is judged by the guarded criterion, and must fail."""
        controls = [criterion for criterion in self.claimed if criterion.control is not None]
        if len(controls) != 1 or controls[0].control is None:
            raise UseError(
                f"{self.test} opens a control and claims {len(controls)} criteria that are one; claim exactly one."
            )
        chosen, rule = controls[0], controls[0].control
        self.keeper.append(ControlOpened(control=chosen.id, of=rule.of, fault=rule.fault, test=self.test))
        self.control = chosen
        raised = ""
        try:
            yield chosen
        except BaseException as error:
            raised = type(error).__name__
            raise
        finally:
            self.control = None
            self.keeper.append(ControlClosed(control=chosen.id, test=self.test, raised=raised))

    def _wanted(self, name: str) -> tuple[list[Criterion], list[tuple[Criterion, Limit]]]:
        if self.control is not None and self.control.control is not None:
            bearers = [self.plan.criterion(self.control.control.of)]
        else:
            bearers = list(self.claimed)
        limits = [(bearer, limit) for bearer in bearers for limit in bearer.limits if name in limit.measurements]
        if limits:
            return [bearer for bearer in bearers if any(name in one.measurements for one in bearer.limits)], limits
        known = sorted({one for bearer in bearers for limit in bearer.limits for one in limit.measurements})
        close = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {close[0]!r}?" if close else f"they name {', '.join(map(repr, known)) or 'nothing'}."
        claims = ", ".join(bearer.id for bearer in bearers) or "no criterion"
        raise MeasurementError(f"no limit of {claims} names the measurement {name!r}; {hint}")

    def _check_unit(self, name: str, unit: str, limits: list[tuple[Criterion, Limit]]) -> None:
        for bearer, limit in limits:
            if limit.unit is None or (not unit and limit.statistic in _UNITLESS):
                continue
            if limit.statistic in _UNITLESS:
                continue
            if not unit or dimension(unit) != dimension(limit.unit):
                raise MeasurementError(
                    f"{name!r} is measured in {unit or 'no unit'!r}, and {bearer.id} bounds it in {limit.unit!r}; "
                    f"give a unit that converts, as in `spiral.measure({name!r}, unit={limit.unit!r})`."
                )

    def _opened(
        self,
        name: str,
        unit: str,
        criteria: list[Criterion],
        limits: list[tuple[Criterion, Limit]],
        planned: int | None,
    ) -> MeasureOpened:
        plans = [bearer.plan_of(limit) or 0 for bearer, limit in limits]
        return MeasureOpened(
            file=f"{criteria[0].id}/{self.process}-{self.number()}.jsonl",
            name=name,
            unit=unit,
            test=self.test,
            criteria=tuple(one.id for one in criteria),
            run=self.run,
            control=self.control.id if self.control else "",
            planned=planned if planned is not None else max(plans, default=0),
            clock="monotonic",
            resolution_ns=clock.RESOLUTION_NS,
        )
