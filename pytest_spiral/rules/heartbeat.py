"""Whether connectors are alive, by what was emitted of their heartbeats. What was not emitted is an alert, never fine."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pytest_spiral.model.session import HEARTBEAT

LATE_S: Final = HEARTBEAT.total_seconds() * 1.5
"""Seconds after the newest heartbeat from which the next one counts as missing: one period and a half."""

MISSING_HEARTBEAT: Final = "McpHeartbeatMissing"
MISSING_LATENCY: Final = "McpHeartbeatLatencyMissing"


@dataclass(frozen=True, slots=True)
class Sign:
    """The newest heartbeat of a connector: when it was counted and how long that took, in seconds; None: not emitted."""

    connector: str
    counted_s: float | None = None
    latency_s: float | None = None


@dataclass(frozen=True, slots=True, order=True)
class Alert:
    """Something to wake a person for."""

    name: str
    connector: str
    sentence: str


def heartbeat_alerts(signs: Iterable[Sign], now_s: float | None) -> tuple[Alert, ...]:
    """The alerts that these signs raise at `now_s`, in seconds of the same clock; without a clock, all of them.

    One sign is expected of each connector that has a session. A heartbeat from the future is no sign of life.
    """
    found: list[Alert] = []
    for sign in signs:
        if (why := _silence(sign, now_s)) is not None:
            found.append(Alert(MISSING_HEARTBEAT, sign.connector, f"{sign.connector}: {why}"))
        if sign.latency_s is None or not sign.latency_s >= 0:
            found.append(Alert(MISSING_LATENCY, sign.connector, f"{sign.connector}: no latency was emitted"))
    return tuple(sorted(found))


def _silence(sign: Sign, now_s: float | None) -> str | None:
    if sign.counted_s is None:
        return "no heartbeat was ever counted"
    if now_s is None:
        return "no clock was emitted beside the newest heartbeat"
    age = now_s - sign.counted_s
    if not 0 <= age <= LATE_S:  # NaN too
        return f"the newest heartbeat is {age:g} s old, and one is due every {HEARTBEAT.total_seconds():g} s"
    return None
