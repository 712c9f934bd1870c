"""Heartbeats as they were heard: a log of them, and metrics for Prometheus that say when each connector was last alive.

Times are those of the sandbox's clock, which moves only when told; it says its own time beside them.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics, generate_latest

from spiral_sandbox.connectors.clock import stamp

KEPT = 10_000
"""How many heartbeats are kept one by one."""

PREFIX = "operator_mcp_"


@dataclass(frozen=True, slots=True)
class Beat:
    """One heartbeat: what it said, when it was heard, and the seconds from reading it to counting it."""

    connector: str
    transport: str
    session: str
    chakra: str
    cycle_count: int
    context: str
    emitted_at: datetime
    received_at: datetime
    latency_s: float | None

    def record(self, number: int) -> dict[str, Any]:
        """The entry as JSON values."""
        return {
            "number": number,
            "connector": self.connector,
            "transport": self.transport,
            "session": self.session,
            "chakra": self.chakra,
            "cycle_count": self.cycle_count,
            "context": self.context,
            "emitted_at": stamp(self.emitted_at),
            "received_at": stamp(self.received_at),
            "latency_s": self.latency_s,
        }


class Heartbeats:
    """The newest heartbeats one by one, numbered from 1, and the metrics of all of them."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._kept: deque[Beat] = deque(maxlen=KEPT)
        self._total = 0
        self._registry = CollectorRegistry()
        self._beats = Counter(
            f"{PREFIX}heartbeats_total", "Heartbeats that were counted.", ("connector", "transport"),
            registry=self._registry,
        )  # fmt: skip
        self._last = self._gauge("heartbeat_timestamp_seconds", "When the newest heartbeat was counted.")
        self._latency = self._gauge("heartbeat_latency_seconds", "From reading the newest heartbeat to counting it.")
        self._expiry = self._gauge("session_expiry_timestamp_seconds", "When the newest session's credential ends.")
        clock = Gauge(f"{PREFIX}clock_timestamp_seconds", "The gateway's own time.", registry=self._registry)
        clock.set_function(lambda: now().timestamp())

    def opened(self, connector: str, expiry: datetime) -> None:
        """A session was opened."""
        self._expiry.labels(connector).set(expiry.timestamp())

    def heard(self, beat: Beat) -> None:
        """Count one heartbeat; one whose latency is not known leaves none behind from before."""
        self._kept.append(beat)
        self._total += 1
        self._beats.labels(beat.connector, beat.transport).inc()
        self._last.labels(beat.connector).set(beat.received_at.timestamp())
        latency = self._latency.labels(beat.connector)
        if beat.latency_s is None:
            self._latency.remove(beat.connector)
        else:
            latency.set(beat.latency_s)

    def report(self, after: int, limit: int) -> dict[str, Any]:
        """How many there were, and up to `limit` entries numbered above `after`; the oldest may be forgotten."""
        forgotten = self._total - len(self._kept)
        numbered = [beat.record(number) for number, beat in enumerate(self._kept, start=forgotten + 1)]
        return {"total": self._total, "beats": [one for one in numbered if one["number"] > after][:limit]}

    def exposition(self) -> bytes:
        """The metrics in Prometheus' text format, version 0.0.4."""
        return generate_latest(self._registry)

    def _gauge(self, name: str, told: str) -> Gauge:
        return Gauge(PREFIX + name, told, ("connector",), registry=self._registry)
