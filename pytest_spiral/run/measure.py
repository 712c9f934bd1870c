"""Taking samples: what a test holds while it measures."""

import math
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any, Protocol

from pytest_spiral.errors import MeasurementError
from pytest_spiral.model.measurement import Sample
from pytest_spiral.rules.units import convert

_WHY_LENGTH = 500
_HANG_S = 60.0


class Sink(Protocol):
    """Where samples go as they are taken."""

    def add(self, sample: Sample) -> None:
        """Keep the sample; returns when it is down."""
        ...


class Discard:
    """The sink of a run without evidence: samples were checked when made, and are thrown away."""

    def add(self, sample: Sample) -> None:
        """Throw the sample away."""


class Measure:
    """An open measurement. `planned` is the number of samples that the registered plan asks for (0: none).

    `stamped` says that a limit compares it with another measurement: timed samples then say when they were taken, so
    that everybody can see whether the two took turns.

    Every method that takes a sample may be called from several threads. A number that is not finite raises
    MeasurementError; what was taken before stays.
    """

    def __init__(  # noqa: PLR0913 - what an open measurement is made of
        self, name: str, unit: str, sink: Sink, clock: Callable[[], int], planned: int, *, stamped: bool = False
    ) -> None:
        self.name = name
        self.unit = unit
        self.planned = planned
        self._sink = sink
        self._clock = clock
        self._stamped = stamped
        self._lock = threading.Lock()
        self._taken = 0
        self._block: int | None = None
        self._blocks = 0
        self._warm = False

    def hit(self) -> None:
        """One success."""
        self._take(ok=True)

    def miss(self, why: str = "") -> None:
        """One failure, and why."""
        self._take(ok=False, why=_short(why) or None)

    def check(self, held: object, why: str = "") -> None:
        """A hit where `held` is true, else a miss that says why."""
        if held:
            self.hit()
        else:
            self.miss(why)

    def value(self, number: float) -> None:
        """One number in the measurement's unit."""
        if not isinstance(number, int | float) or isinstance(number, bool) or not math.isfinite(number):
            raise MeasurementError(f"measurement {self.name!r} got {number!r}, which is not a finite number.")
        self._take(value=number)

    def count(self, number: int, over: float) -> None:
        """`number` events were counted over an exposure of `over`, in the unit of the criterion's exposure."""
        if not isinstance(number, int) or isinstance(number, bool) or number < 0:
            raise MeasurementError(f"measurement {self.name!r} counted {number!r}; a count is a whole number.")
        if not math.isfinite(over) or over <= 0:
            raise MeasurementError(f"measurement {self.name!r} counted over {over!r}; an exposure is more than zero.")
        self._take(count=number, exposure=over)

    def item(self, name: str, seen: Any) -> None:
        """What this side says of the listed item `name`; `equal(a, b)` compares item by item."""
        self._take(item=name, seen=seen)

    def failed(self, why: str) -> None:
        """A call failed or timed out: an infinitely slow sample, and a failure where failures are bounded."""
        self._take(failed=_short(why) or "failed")

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Time one call as service time (a closed loop: the next call waits for this one).

        An exception in the block becomes a failed sample and goes no further: failures belong to the population.
        """
        start = self._clock()
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever failed is a sample that failed
            done = self._clock()
            why = _short(f"{type(error).__name__}: {error}") or "failed"
            self._take(failed=why, **self._stamps(start, done))
        else:
            done = self._clock()
            self._take(ns=done - start, **self._stamps(start, done))

    def _stamps(self, sent: int, done: int) -> dict[str, int]:
        return {"sent": sent, "done": done} if self._stamped else {}

    @contextmanager
    def warm_up(self) -> Iterator[None]:
        """Samples taken in this block are warm-up: kept, counted, and left out of judging."""
        self._warm = True
        try:
            yield
        finally:
            self._warm = False

    @contextmanager
    def block(self) -> Iterator[int]:
        """Samples taken in this block share one fresh connection or process; yields its number from 0."""
        self._block = self._blocks
        self._blocks += 1
        try:
            yield self._block
        finally:
            self._block = None

    def open_loop(self, call: Callable[[int], object], calls: int, *, every_ms: float, workers: int = 32) -> None:
        """Send `calls` calls on a fixed schedule, whether or not earlier ones have come back.

        Call i is intended at start + i x every_ms; its sample is done - intended, so that a stall is felt by every
        call that had to wait (response time). `call` gets i; an exception makes a failed sample. At most `workers`
        calls are in flight; waiting for a free worker counts as response time too.
        """
        start = self._clock() + 5_000_000
        every = round(every_ms * 1_000_000)
        with ThreadPoolExecutor(max_workers=workers) as pool:
            pending = []
            for index in range(calls):
                intended = start + index * every
                wait_until(intended, self._clock)
                pending.append(pool.submit(self._sent, call, index, intended))
            wait(pending)
            for future in pending:
                future.result()

    def _sent(self, call: Callable[[int], object], index: int, intended: int) -> None:
        sent = self._clock()
        try:
            call(index)
        except Exception as error:  # noqa: BLE001 - whatever failed is a sample that failed
            done = self._clock()
            why = _short(f"{type(error).__name__}: {error}") or "failed"
            self._take(failed=why, intended=intended, sent=sent, done=done)
        else:
            done = self._clock()
            self._take(ns=done - intended, intended=intended, sent=sent, done=done)

    def _take(self, **said: Any) -> None:
        with self._lock:
            sample = Sample(n=self._taken, warm=self._warm, block=self._block, **said)
            self._sink.add(sample)
            self._taken += 1

    @property
    def taken(self) -> int:
        """How many samples were taken so far, warm-up included."""
        return self._taken

    def in_unit(self, number: float, unit: str) -> float:
        """A number given in another unit of the same dimension, in the measurement's; UnitError where it is not."""
        from fractions import Fraction

        return float(convert(Fraction(number), unit, self.unit))


def wait_until(instant: int, clock: Callable[[], int]) -> None:
    """Wait on an event that nobody sets: the schedule itself is the signal. A call is never sent early."""
    pause = threading.Event()
    while (left := instant - clock()) > 0:
        pause.wait(min(left / 1e9, _HANG_S))
    while clock() < instant:
        pass  # a call that leaves even a little before its time is a sample whose times do not add up


def _short(text: str) -> str:
    return text if len(text) <= _WHY_LENGTH else text[: _WHY_LENGTH - 1] + "…"
