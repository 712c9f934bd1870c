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
from prometheus_client import Counter, Histogram

from spiral_sandbox.connectors.refusal import Code, Refusal
from spiral_sandbox.metrics import Metrics

_BUCKETS_MS = (0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000)
_BOTH = ("dispatch_command", "memory_query", "handover", "upload")
_SERVED = (*((name, kind) for name in _BOTH for kind in ("rest", "grpc")), ("status", "rest"))
"""Operations and transports: over gRPC its own health service tells the status."""

_WHY = ("validation", "permission", "handshake", "exception")
_REASONS = {
    Code.INVALID_ARGUMENT: "validation",
    Code.NOT_FOUND: "validation",
    Code.RESOURCE_EXHAUSTED: "validation",
    Code.UNAUTHENTICATED: "permission",
    Code.PERMISSION_DENIED: "permission",
}


_REFUSED = frozenset(_REASONS.values())
"""Reasons that are the caller's: such a call is refused, mostly before anything was done, and soon."""


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
        self._folder = folder
        self._metrics = Metrics(folder / "operator.prom")
        registry = self._metrics.registry
        self._latency = Histogram(
            "operator_api_transport_latency_ms",
            "How long a call that was not refused took in the server, in milliseconds.",
            ("operation", "transport"),
            buckets=_BUCKETS_MS,
            registry=registry,
        )
        self._errors = Counter(
            "operator_api_transport_errors_total",
            "Calls that were answered with an error.",
            ("operation", "transport", "reason"),
            registry=registry,
        )
        self._fallbacks = Counter(
            "operator_api_transport_fallback_total",
            "Calls that took the way over REST because gRPC failed.",
            ("operation", "transport"),
            registry=registry,
        )
        self._begin_at_zero()
        resource = Resource.create({"service.name": "spiral-sandbox-operator", "service.version": version})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        # A full queue drops spans without a word, and the library's own has room for 2,048.
        exporting = BatchSpanProcessor(
            FileSpanExporter(self.spans), max_queue_size=1 << 17, schedule_delay_millis=500, max_export_batch_size=4096
        )
        self._provider.add_span_processor(exporting)
        self._tracer = self._provider.get_tracer("operator_api")

    def _begin_at_zero(self) -> None:
        """Have every series from the start: Prometheus sees an increase only where it has seen a value before."""
        for operation, transport in _SERVED:
            self._latency.labels(operation, transport)
            self._fallbacks.labels(operation, transport)
            for reason in _WHY:
                self._errors.labels(operation, transport, reason)

    @property
    def spans(self) -> Path:
        """The file of spans, one batch a line."""
        return self._folder / "spans.jsonl"

    @property
    def files(self) -> dict[str, Path]:
        """The two files that are left at the end."""
        return {"metrics": self._metrics.path, "spans": self.spans}

    @contextmanager
    def observed(self, operation: str, transport: str, *, fallback: bool = False) -> Iterator[Observed]:
        """Observe one call: its span, its latency, and the error that it ends with.

        A call that was refused is counted with its reason and has no latency: a flood of quick refusals would make a
        percentile look good. One that failed by the server's fault has one: its caller waited for it.
        """
        began = time.perf_counter()
        name = f"operator_api.{'grpc.' if transport == 'grpc' else ''}{operation}"
        attributes: dict[str, AttributeValue] = {"transport": transport, "fallback": fallback}
        with self._tracer.start_as_current_span(
            name, attributes=attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            seen, reason = Observed(span), ""
            if fallback:
                self.fell_back(operation, transport, seen)
            try:
                yield seen
            except Refusal as refusal:
                span.set_attribute("reason", refusal.reason)
                span.set_status(Status(StatusCode.ERROR, refusal.code.name))
                reason = reason_of(refusal)
                raise
            except BaseException as error:
                span.set_status(Status(StatusCode.ERROR, type(error).__name__))
                reason = "exception"
                raise
            finally:
                if reason:
                    self.failed(operation, transport, reason)
                if reason not in _REFUSED:
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
        return self._metrics.exposition()

    def flush(self) -> dict[str, Any]:
        """Write down what there is by now; gives the paths of both files."""
        self._provider.force_flush()
        self._metrics.write()
        return {kind: str(path) for kind, path in self.files.items()}

    def close(self) -> None:
        """Write everything down and let go of the files."""
        self.flush()
        self._provider.shutdown()
