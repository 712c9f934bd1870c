"""What the connectors tell of heartbeats. The contract has no name for it: this one is ours.

A counter and no time stamp, because the connectors' calendar is virtual: "nothing came for two minutes" is a question
to the scraper's own clock. Every series is there from the start, so that a heart that never beat is seen as 0.
"""

from collections.abc import Iterable
from pathlib import Path

from prometheus_client import Counter

from spiral_sandbox.metrics import Metrics

_TRANSPORTS = ("rest", "grpc")


class Telemetry:
    """Counts the heartbeats that were accepted, by connector and transport."""

    def __init__(self, folder: Path, connectors: Iterable[str]) -> None:
        self.metrics = Metrics(folder / "connectors.prom")
        self._beats = Counter(
            "spiral_connector_heartbeats_total",
            "Heartbeats that were accepted.",
            ("connector", "transport"),
            registry=self.metrics.registry,
        )
        for connector in connectors:
            for transport in _TRANSPORTS:
                self._beats.labels(connector, transport)

    def beat(self, connector: str, transport: str) -> None:
        """Count one heartbeat."""
        self._beats.labels(connector, transport).inc()
