"""Metrics of a component: collected by prometheus-client, told in Prometheus' text format."""

from collections.abc import Callable
from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, disable_created_metrics, generate_latest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


class Metrics:
    """A component's metrics: what `/metrics` answers, and the file that is left at the end."""

    def __init__(self, path: Path) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.path = path
        self.registry = CollectorRegistry()

    def exposition(self) -> bytes:
        """The metrics in Prometheus' text format, version 0.0.4."""
        return generate_latest(self.registry)

    def write(self) -> None:
        """Write down what there is by now."""
        self.path.write_bytes(self.exposition())


def metrics_route(tell: Callable[[], bytes]) -> Route:
    """`/metrics`, where Prometheus scrapes; `tell` gives what it reads."""

    async def endpoint(_: Request) -> Response:
        return Response(tell(), media_type=CONTENT_TYPE_LATEST)

    return Route("/metrics", endpoint, methods=["GET"])
