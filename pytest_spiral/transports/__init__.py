"""How a call travels to a system under test: REST, gRPC or in-process. One method; everything else wraps it."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pytest_spiral.errors import UseError

if TYPE_CHECKING:
    from pytest_spiral.transports.base import Transport

__all__ = ["open_transport"]


def open_transport(kind: Literal["rest", "grpc"], endpoint: Mapping[str, Any]) -> "Transport":
    """A transport to an endpoint: `address`, and paths of PEM files `ca`, `cert`, `key` where it speaks TLS.

    An endpoint with a `trace`, the path of a trace file, is played back.

    Nothing is sent before the first exchange. Raises UseError for another kind, and for an endpoint that cannot be
    taken as it stands. Each library is imported when its kind is first opened.
    """
    from pytest_spiral.transports.base import Endpoint

    if "trace" in endpoint:
        from pytest_spiral.transports.replay import open_trace

        return open_trace(Path(endpoint["trace"]), str(endpoint["address"]))
    if kind == "rest":
        from pytest_spiral.transports.rest import RestTransport

        return RestTransport(Endpoint.of(endpoint))
    if kind == "grpc":
        from pytest_spiral.transports.rpc import GrpcTransport

        return GrpcTransport(Endpoint.of(endpoint))
    raise UseError(f"{kind!r} is no kind of transport; there are 'rest' and 'grpc'.")
