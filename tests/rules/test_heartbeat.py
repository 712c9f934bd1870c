"""Alerts from what was emitted of heartbeats: silence is never taken for health."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_spiral.rules.heartbeat import LATE_S, MISSING_HEARTBEAT, MISSING_LATENCY, Sign, heartbeat_alerts

NOW = 1_000_000.0


def names(*signs, now=NOW):
    return [(alert.name, alert.connector) for alert in heartbeat_alerts(signs, now)]


def test_a_connector_that_beats_and_tells_its_latency_raises_nothing():
    assert names(Sign("a", NOW, 0.001), Sign("b", NOW - LATE_S, 0.0)) == []


@pytest.mark.parametrize(
    ("sign", "now", "expected"),
    [
        (Sign("a", None, 0.1), NOW, [MISSING_HEARTBEAT]),
        (Sign("a", NOW - LATE_S - 1, 0.1), NOW, [MISSING_HEARTBEAT]),
        (Sign("a", NOW + 1, 0.1), NOW, [MISSING_HEARTBEAT]),  # from the future
        (Sign("a", math.nan, 0.1), NOW, [MISSING_HEARTBEAT]),
        (Sign("a", NOW, 0.1), None, [MISSING_HEARTBEAT]),
        (Sign("a", NOW, 0.1), math.nan, [MISSING_HEARTBEAT]),
        (Sign("a", NOW, None), NOW, [MISSING_LATENCY]),
        (Sign("a", NOW, math.nan), NOW, [MISSING_LATENCY]),
        (Sign("a", NOW, -0.1), NOW, [MISSING_LATENCY]),
        (Sign("a"), None, [MISSING_LATENCY, MISSING_HEARTBEAT]),
    ],
    ids=str,
)
def test_what_was_not_emitted_is_an_alert(sign, now, expected):
    assert sorted(names(sign, now=now)) == sorted((name, "a") for name in expected)


@given(st.lists(st.floats(-1e6, 1e6), max_size=5))
def test_each_connector_is_judged_by_itself(ages):
    signs = [Sign(str(number), NOW - age, 0.0) for number, age in enumerate(ages)]
    assert {who for _, who in names(*signs)} == {
        str(n) for n, age in enumerate(ages) if not 0 <= NOW - (NOW - age) <= LATE_S
    }
