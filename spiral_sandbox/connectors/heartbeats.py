"""Heartbeats as they were heard: a log of them, and metrics for Prometheus that say when each connector was last alive.

Times are those of the sandbox's clock, which moves only when told; it says its own time beside them.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from prometheus_client import Counter, Gauge

from spiral_sandbox.connectors.clock import stamp
from spiral_sandbox.connectors.paging import page
from spiral_sandbox.metrics import Metrics

KEPT = 10_000
"""How many heartbeats are kept one by one."""

PREFIX = "operator_mcp_"
_TRANSPORTS = ("rest", "grpc")


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

    def __init__(self, now: Callable[[], datetime], path: Path, connectors: Iterable[str]) -> None:
        self._kept: deque[Beat] = deque(maxlen=KEPT)
        self._total = 0
        self.metrics = Metrics(path)
        self._beats = Counter(
            f"{PREFIX}heartbeats_total", "Heartbeats that were counted.", ("connector", "transport"),
            registry=self.metrics.registry,
        )  # fmt: skip
        for connector in connectors:  # a heart that never beats is seen as 0
            for transport in _TRANSPORTS:
                self._beats.labels(connector, transport)
        self._last = self._gauge("heartbeat_timestamp_seconds", "When the newest heartbeat was counted.")
        self._latency = self._gauge("heartbeat_latency_seconds", "From reading the newest heartbeat to counting it.")
        self._expiry = self._gauge("session_expiry_timestamp_seconds", "When the newest session's credential ends.")
        clock = Gauge(f"{PREFIX}clock_timestamp_seconds", "The gateway's own time.", registry=self.metrics.registry)
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
        beats = [beat.record(number) for number, beat in page(self._kept, self._total, after, limit)]
        return {"total": self._total, "beats": beats}

    def exposition(self) -> bytes:
        """The metrics in Prometheus' text format, version 0.0.4."""
        return self.metrics.exposition()

    def _gauge(self, name: str, told: str) -> Gauge:
        return Gauge(PREFIX + name, told, ("connector",), registry=self.metrics.registry)
