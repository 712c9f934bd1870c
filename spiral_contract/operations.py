"""The table of operations: how each one is called over REST and over gRPC. Data only."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation on both transports; an empty text where a transport does not offer it.

    `request` and `reply` are the full names of the gRPC messages. Over REST the same fields travel as JSON:
    in the query of a GET, in the body of everything else, or as `form` says: `multipart` is multipart/form-data,
    `websocket` a connection that is no call. `streamed` says that the client streams its messages over gRPC, `loose`
    that the real system has no messages there: it takes and gives JSON bytes through generic handlers.
    """

    name: str
    rest_method: str
    rest_path: str
    grpc_service: str
    grpc_method: str
    request: str
    reply: str
    form: str = "json"
    streamed: bool = False
    loose: bool = False


_OPERATOR = "abzu.operator.OperatorApi"
_HEALTH = "grpc.health.v1.Health"
_VECTOR = "neoabzu.vector.VectorService"
_CONNECTOR = "spiral.connectors.v1.Connector"

_ROWS = (
    Operation(
        name="dispatch_command",
        rest_method="POST",
        rest_path="/operator/command",
        grpc_service=_OPERATOR,
        grpc_method="DispatchCommand",
        request="abzu.operator.DispatchCommandRequest",
        reply="abzu.operator.DispatchCommandResponse",
        loose=True,
    ),
    Operation(
        name="memory_query",
        rest_method="POST",
        rest_path="/memory/query",
        grpc_service=_OPERATOR,
        grpc_method="MemoryQuery",
        request="abzu.operator.MemoryQueryRequest",
        reply="abzu.operator.MemoryQueryResponse",
        loose=True,
    ),
    Operation(
        name="handover",
        rest_method="POST",
        rest_path="/handover",
        grpc_service=_OPERATOR,
        grpc_method="Handover",
        request="abzu.operator.HandoverRequest",
        reply="abzu.operator.HandoverResponse",
        loose=True,
    ),
    Operation(
        name="upload",
        rest_method="POST",
        rest_path="/operator/upload",
        grpc_service="spiral.connectors.v1.Upload",
        grpc_method="Put",
        request="spiral.connectors.v1.PutRequest",
        reply="spiral.connectors.v1.PutReply",
        form="multipart",
        streamed=True,
    ),
    Operation(
        name="status",
        rest_method="GET",
        rest_path="/operator/status",
        grpc_service=_HEALTH,
        grpc_method="Check",
        request="grpc.health.v1.HealthCheckRequest",
        reply="grpc.health.v1.HealthCheckResponse",
    ),
    Operation("events", "GET", "/operator/events", "", "", "", "", form="websocket"),
    Operation(
        name="vector_init",
        rest_method="POST",
        rest_path="/vector/init",
        grpc_service=_VECTOR,
        grpc_method="Init",
        request="neoabzu.vector.InitRequest",
        reply="neoabzu.vector.InitResponse",
    ),
    Operation(
        name="vector_search",
        rest_method="POST",
        rest_path="/vector/search",
        grpc_service=_VECTOR,
        grpc_method="Search",
        request="neoabzu.vector.SearchRequest",
        reply="neoabzu.vector.SearchResponse",
    ),
    # The real system has no such calls; without them nobody outside could check what it stores.
    Operation("vector_add_items", "POST", "/vector/items", "", "", "", ""),
    Operation("vector_items", "GET", "/vector/items", "", "", "", ""),
    Operation("vector_status", "GET", "/vector/status", "", "", "", ""),
    Operation("vector_audit", "GET", "/vector/audit", "", "", "", ""),
    Operation(
        name="health",
        rest_method="GET",
        rest_path="/health",
        grpc_service=_HEALTH,
        grpc_method="Check",
        request="grpc.health.v1.HealthCheckRequest",
        reply="grpc.health.v1.HealthCheckResponse",
    ),
    Operation(
        name="handshake",
        rest_method="POST",
        rest_path="/handshake",
        grpc_service=_CONNECTOR,
        grpc_method="Handshake",
        request="spiral.connectors.v1.HandshakeRequest",
        reply="spiral.connectors.v1.HandshakeReply",
    ),
    Operation(
        name="heartbeat",
        rest_method="POST",
        rest_path="/heartbeat",
        grpc_service=_CONNECTOR,
        grpc_method="Heartbeat",
        request="spiral.connectors.v1.HeartbeatRequest",
        reply="spiral.connectors.v1.HeartbeatReply",
    ),
)

OPERATIONS: Mapping[str, Operation] = MappingProxyType({row.name: row for row in _ROWS})
"""Every operation by its name."""
