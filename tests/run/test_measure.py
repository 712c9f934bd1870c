"""What a measurement keeps: samples as they were taken, failures among them, calls sent on their schedule."""

import itertools
import math
import threading
import time

import pytest

from pytest_spiral.errors import MeasurementError
from pytest_spiral.run.measure import Measure


class Kept:
    """A sink that keeps samples as values."""

    def __init__(self):
        self.samples = []

    def add(self, sample):
        self.samples.append(sample)


@pytest.fixture
def kept():
    return Kept()


def measure(kept, clock=time.monotonic_ns):
    return Measure("search", "ms", kept, clock, planned=10)


def test_an_open_loop_sends_no_call_before_its_time_and_keeps_its_schedule(kept):
    measure(kept).open_loop(lambda number: number, 200, every_ms=0.5)
    samples = sorted(kept.samples, key=lambda one: one.intended)
    assert len(samples) == 200
    assert {after.intended - before.intended for before, after in itertools.pairwise(samples)} == {500_000}
    assert all(one.intended <= one.sent <= one.done for one in samples)
    assert all(one.ns == one.done - one.intended for one in samples)


def test_a_service_time_says_when_it_was_taken_only_where_it_is_compared(kept):
    moments = iter([10, 17, 20, 29, 30, 44])
    compared = Measure("search", "ms", kept, lambda: next(moments), planned=10, stamped=True)
    for number in range(3):
        with compared.timed():
            1 / number if number < 2 else 1
    assert [(one.sent, one.done, one.ns, one.intended) for one in kept.samples] == [
        (10, 17, None, None),
        (20, 29, 9, None),
        (30, 44, 14, None),
    ]
    assert kept.samples[0].failed == "ZeroDivisionError: division by zero"
    with measure(kept).timed():
        pass
    assert (kept.samples[3].sent, kept.samples[3].done) == (None, None)


def test_a_stall_is_felt_by_every_call_that_had_to_wait(kept):
    gate = threading.Event()

    def call(number):
        if number == 0:
            gate.wait(10)
        elif number == 4:
            gate.set()

    measure(kept).open_loop(call, 5, every_ms=20, workers=8)
    stalled, *others = sorted(kept.samples, key=lambda one: one.intended)
    assert stalled.ns >= 4 * 20_000_000
    assert all(one.ns < stalled.ns for one in others)


def test_one_stall_among_a_thousand_open_loop_calls_is_in_the_p95(kept):
    """One server, calls every 0.2 ms, and call 500 holds it until call 700 is due: 10 s at calls every 50 ms."""
    server, gate, every_ns = threading.Lock(), threading.Event(), 200_000
    begun = []

    def clock():
        now = time.monotonic_ns()
        begun.append(now)
        if now >= begun[0] + 5_000_000 + 700 * every_ns:
            gate.set()
        return now

    def call(number):
        with server:
            assert number != 500 or gate.wait(60)

    measure(kept, clock).open_loop(call, 1000, every_ms=every_ns / 1e6)
    times = sorted(one.ns for one in kept.samples)
    assert len(times) == 1000
    assert times[949] >= 50 * every_ns  # call 650, the 150th of those that waited, waited as long


def test_with_one_worker_the_wait_for_it_is_response_time(kept):
    moments = iter(range(0, 10**12, 10_000_000))  # each look at the clock is 10 ms after the one before
    measure(kept, lambda: next(moments)).open_loop(lambda number: number, 3, every_ms=0.001, workers=1)
    assert [one.n for one in kept.samples] == [0, 1, 2]
    assert all(one.ns >= 10_000_000 for one in kept.samples)


def test_a_call_that_fails_is_a_failed_sample_with_its_times(kept):
    def call(number):
        if number == 1:
            raise ConnectionError("refused")

    measure(kept).open_loop(call, 3, every_ms=1)
    (failed,) = [one for one in kept.samples if one.failed]
    assert failed.failed == "ConnectionError: refused"
    assert failed.ns is None
    assert failed.intended <= failed.sent <= failed.done


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, "4", None, True])
def test_what_is_no_number_is_refused_and_what_came_before_stays(kept, number):
    m = measure(kept)
    m.value(4)
    with pytest.raises(MeasurementError, match="not a finite number"):
        m.value(number)
    assert [one.value for one in kept.samples] == [4]


@pytest.mark.parametrize(("number", "over"), [(-1, 1.0), (1.5, 1.0), (True, 1.0), (1, 0.0), (1, -2.0), (1, math.nan)])
def test_a_count_is_a_whole_number_over_some_exposure(kept, number, over):
    with pytest.raises(MeasurementError):
        measure(kept).count(number, over)
    assert kept.samples == []


def test_warm_up_and_blocks_mark_the_samples_inside_them(kept):
    m = measure(kept)
    with m.warm_up():
        m.hit()
    for _ in range(2):
        with m.block():
            m.hit()
    m.miss("gone")
    assert [(one.warm, one.block, one.ok) for one in kept.samples] == [
        (True, None, True),
        (False, 0, True),
        (False, 1, True),
        (False, None, False),
    ]


def test_a_long_reason_is_cut(kept):
    measure(kept).failed("x" * 10_000)
    assert len(kept.samples[0].failed) <= 500
