"""Time: what follows comes later, clocks may disagree a little, and what is unknown is passed over."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_spiral.rules.times import TOLERANCE_US, Moment, moment, order_faults, told, unknown

SECOND = 1_000_000


def chain(*walls):
    return [moment(str(at), wall if wall is None else wall * SECOND) for at, wall in enumerate(walls)]


@pytest.mark.parametrize(
    ("walls", "faults"),
    [
        ((), 0),
        ((0, 1, 2), 0),
        ((300, 0), 0),
        ((301, 0), 1),
        ((None, 301, None, 0), 1),
        ((1000, None, 800, 600), 1),
        ((1000, 0, 900), 1),
        ((1000, 0, 0), 2),
    ],
)
def test_what_follows_is_not_earlier_beyond_the_tolerance(walls, faults):
    assert len(list(order_faults(chain(*walls)))) == faults


def test_a_span_is_held_at_both_ends():
    before, after = moment("opened", 1000 * SECOND), moment("end", 2000 * SECOND)
    assert list(order_faults([before, Moment(name="records", first=1000 * SECOND, last=2000 * SECOND), after])) == []
    early = Moment(name="records", first=600 * SECOND, last=2000 * SECOND)
    late = Moment(name="records", first=1000 * SECOND, last=2400 * SECOND)
    (said,) = order_faults([before, early, after])
    assert said == (
        "records (1970-01-01T00:10:00Z) is 400 s before opened (1970-01-01T00:16:40Z), which it follows; "
        "clocks may disagree by 300 s."
    )
    (said,) = order_faults([before, late, after])
    assert said.startswith("end (1970-01-01T00:33:20Z) is 400 s before records")


@given(st.lists(st.none() | st.integers(0, 2000)))
def test_a_fault_is_a_pair_in_the_wrong_order(walls):
    found = any(
        one is not None and other is not None and other * SECOND + TOLERANCE_US < one * SECOND
        for at, one in enumerate(walls)
        for other in walls[at:]
    )
    assert bool(list(order_faults(chain(*walls)))) is found


def test_unknown_moments_are_named():
    assert unknown(chain(None, 1, None)) == ["0", "2"]


@pytest.mark.parametrize(
    ("wall", "text"), [(0, "1970-01-01T00:00:00Z"), (-1, "-1 us"), (2**53 - 1, "2255-06-05T23:47:34Z"), (10**18, f"{10**18} us")]
)  # fmt: skip
def test_a_time_is_told_whatever_it_is(wall, text):
    assert told(wall) == text
