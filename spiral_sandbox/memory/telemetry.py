"""What the memory tells of its calls, under the contract's names; REST and gRPC count together, for it has no label."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Literal

from prometheus_client import Counter, Gauge, Histogram

from spiral_sandbox.metrics import Metrics

_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.12, 0.15, 0.2, 0.3, 0.5, 1, 2.5, 5, 10, 30)
"""Among them 120 ms, the roadmap's limit for the 95th percentile of a search."""


class Telemetry:
    """Counts and times calls, and knows how much is stored. A call that failed is counted and has no latency."""

    def __init__(self, folder: Path) -> None:
        self.metrics = Metrics(folder / "memory.prom")
        self._calls = {"init": self._operation("init"), "search": self._operation("search")}
        self._size = Gauge("neoabzu_vector_store_size", "Items that are stored.", registry=self.metrics.registry)

    @contextmanager
    def observed(self, operation: Literal["init", "search"]) -> Iterator[None]:
        """Observe one call."""
        calls, latency = self._calls[operation]
        calls.inc()
        began = perf_counter()
        yield
        latency.observe(perf_counter() - began)

    def stored(self, items: int) -> None:
        """Say how much is stored now."""
        self._size.set(items)

    def _operation(self, name: str) -> tuple[Counter, Histogram]:
        registry = self.metrics.registry
        calls = Counter(f"neoabzu_vector_{name}_total", f"Calls of {name}, failed ones too.", registry=registry)
        latency = Histogram(
            f"neoabzu_vector_{name}_latency_seconds",
            f"How long a call of {name} took that did not fail, in seconds.",
            buckets=_BUCKETS_S,
            registry=registry,
        )
        return calls, latency
