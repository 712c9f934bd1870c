"""What the operator surface tells of each call: metrics for Prometheus, spans as OTLP JSON lines.

Names and labels are the contract's, and the same for both transports.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from opentelemetry.exporter.otlp.json.file import FileSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, Status, StatusCode
from opentelemetry.util.types import AttributeValue
from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest

from spiral_sandbox.connectors.refusal import Code, Refusal

_BUCKETS_MS = (0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000)
_REASONS = {
    Code.INVALID_ARGUMENT: "validation",
    Code.NOT_FOUND: "validation",
    Code.RESOURCE_EXHAUSTED: "validation",
    Code.UNAUTHENTICATED: "permission",
    Code.PERMISSION_DENIED: "permission",
}


def reason_of(refusal: Refusal) -> str:
    """The label `reason` of an error: validation, permission, handshake or exception."""
    return "handshake" if refusal.reason == "handshake" else _REASONS.get(refusal.code, "exception")


class Observed:
    """One call as it is being observed: what is said of it ends up on its span."""

    def __init__(self, span: Span) -> None:
        self.executed = False
        self._span = span

    def tell(self, **attributes: str | bool) -> None:
        """Say something of the call."""
        for name, value in attributes.items():
            self._span.set_attribute(name, value)

    def event(self, name: str, **attributes: str | int) -> None:
        """Say that something happened in the call; after its end nobody listens any more."""
        if self._span.is_recording():
            self._span.add_event(name, attributes)


class Telemetry:
    """Metrics in memory, at `/metrics` and at the end in `operator.prom`; spans in `spans.jsonl`."""

    def __init__(self, folder: Path, version: str) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._folder = folder
        self._registry = CollectorRegistry()
        self._latency = Histogram(
            "operator_api_transport_latency_ms",
            "How long a call took in the server, in milliseconds.",
            ("operation", "transport"),
            buckets=_BUCKETS_MS,
            registry=self._registry,
        )
        self._errors = Counter(
            "operator_api_transport_errors_total",
            "Calls that were answered with an error.",
            ("operation", "transport", "reason"),
            registry=self._registry,
        )
        self._fallbacks = Counter(
            "operator_api_transport_fallback_total",
            "Calls that took the way over REST because gRPC failed.",
            ("operation", "transport"),
            registry=self._registry,
        )
        resource = Resource.create({"service.name": "spiral-sandbox-operator", "service.version": version})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        # A full queue drops spans without a word, and the library's own has room for 2,048.
        exporting = BatchSpanProcessor(
            FileSpanExporter(self.spans), max_queue_size=1 << 17, schedule_delay_millis=500, max_export_batch_size=4096
        )
        self._provider.add_span_processor(exporting)
        self._tracer = self._provider.get_tracer("operator_api")

    @property
    def spans(self) -> Path:
        """The file of spans, one batch a line."""
        return self._folder / "spans.jsonl"

    @contextmanager
    def observed(self, operation: str, transport: str, *, fallback: bool = False) -> Iterator[Observed]:
        """Observe one call: its span, its latency, and the error that it ends with."""
        began = time.perf_counter()
        name = f"operator_api.{'grpc.' if transport == 'grpc' else ''}{operation}"
        attributes: dict[str, AttributeValue] = {"transport": transport, "fallback": fallback}
        with self._tracer.start_as_current_span(
            name, attributes=attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            seen = Observed(span)
            if fallback:
                self.fell_back(operation, transport, seen)
            try:
                yield seen
            except Refusal as refusal:
                span.set_attribute("reason", refusal.reason)
                span.set_status(Status(StatusCode.ERROR, refusal.code.name))
                self.failed(operation, transport, reason_of(refusal))
                raise
            except BaseException as error:
                span.set_status(Status(StatusCode.ERROR, type(error).__name__))
                self.failed(operation, transport, "exception")
                raise
            finally:
                self._latency.labels(operation, transport).observe((time.perf_counter() - began) * 1000)

    def failed(self, operation: str, transport: str, reason: str) -> None:
        """Count one call that was answered with an error."""
        self._errors.labels(operation, transport, reason).inc()

    def fell_back(self, operation: str, transport: str, seen: Observed) -> None:
        """Count one call that took the way over REST: left by it on gRPC, arrived by it on REST."""
        self._fallbacks.labels(operation, transport).inc()
        seen.tell(fallback=True)
        seen.event("fallback-engaged" if transport == "grpc" else "rest-fallback-engaged")

    def exposition(self) -> bytes:
        """The metrics in Prometheus' text format, version 0.0.4."""
        return generate_latest(self._registry)

    def flush(self) -> dict[str, Any]:
        """Write down what there is by now; gives the paths of both files."""
        self._provider.force_flush()
        metrics = self._folder / "operator.prom"
        metrics.write_bytes(self.exposition())
        return {"spans": str(self.spans), "metrics": str(metrics)}

    def close(self) -> None:
        """Write everything down and let go of the files."""
        self.flush()
        self._provider.shutdown()
