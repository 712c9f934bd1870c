"""The gRPC surface of a connector: typed messages, and the codes that mean what the REST statuses do."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import grpc
from google.protobuf.json_format import ParseDict
from google.protobuf.message import DecodeError, Message
from grpc_health.v1 import health_pb2

from spiral_contract import connectors_pb2
from spiral_contract.operations import OPERATIONS
from spiral_sandbox.connectors.core import LARGEST_BODY, Call, Connector, request_id_of
from spiral_sandbox.connectors.refusal import Refusal, unreadable

# Requests above our own limit still reach us, so that they are refused after their credential was checked.
OPTIONS = (("grpc.max_receive_message_length", 8 * LARGEST_BODY),)


def _health_reply(_: dict[str, Any]) -> Message:
    message: Message = health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)
    return message


def _handshake_reply(reply: dict[str, Any]) -> Message:
    return ParseDict(reply, connectors_pb2.HandshakeReply())


def _heartbeat_reply(reply: dict[str, Any]) -> Message:
    return ParseDict(reply, connectors_pb2.HeartbeatReply())


_METHODS: dict[str, tuple[type[Message], Callable[[dict[str, Any]], Message]]] = {
    "health": (health_pb2.HealthCheckRequest, _health_reply),
    "handshake": (connectors_pb2.HandshakeRequest, _handshake_reply),
    "heartbeat": (connectors_pb2.HeartbeatRequest, _heartbeat_reply),
}


def add_connector(server: grpc.aio.Server, connector: Connector) -> None:
    """Register a connector's methods under the names that the contract gives them."""
    services: dict[str, dict[str, grpc.RpcMethodHandler[bytes, Message]]] = {}
    for operation, (request, write) in _METHODS.items():
        row = OPERATIONS[operation]
        services.setdefault(row.grpc_service, {})[row.grpc_method] = grpc.unary_unary_rpc_method_handler(
            _method(connector, operation, request, write),
            # No deserializer: a message is parsed after its sender's credential was checked.
            response_serializer=lambda message: message.SerializeToString(),
        )
    server.add_generic_rpc_handlers(
        tuple(grpc.method_handlers_generic_handler(name, methods) for name, methods in services.items())
    )


def _method(
    connector: Connector, operation: str, kind: type[Message], write: Callable[[dict[str, Any]], Message]
) -> Callable[[bytes, grpc.aio.ServicerContext[bytes, Message]], Awaitable[Message]]:
    async def method(sent: bytes, context: grpc.aio.ServicerContext[bytes, Message]) -> Message:
        metadata = tuple(context.invocation_metadata() or ())
        call = Call(
            operation=operation,
            transport="grpc",
            authorization=_values(metadata, "authorization"),
            request_ids=_values(metadata, "x-request-id"),
            size=len(sent),
            read=lambda: _fields(kind, sent),
        )
        echo = request_id_of(call.request_ids)
        trailing = () if echo is None else (("x-request-id", echo),)
        try:
            reply = write(connector.answer(call))
        except Refusal as refusal:
            code = grpc.StatusCode[refusal.code.name]
            await context.abort(code, refusal.detail, (*trailing, ("spiral-reason", refusal.reason)))
        context.set_trailing_metadata(trailing)
        return reply

    return method


def _fields(kind: type[Message], sent: bytes) -> dict[str, Any]:
    try:
        return plain(kind.FromString(sent))
    except DecodeError as error:
        raise unreadable(f"not a {kind.DESCRIPTOR.full_name}") from error


def _values(metadata: Iterable[tuple[str, str | bytes]], key: str) -> list[str]:
    return [value for name, value in metadata if name == key and isinstance(value, str)]


def plain(message: Message) -> dict[str, Any]:
    """The fields that were set, as plain values; a field at its default counts as not set, unless it is optional."""
    return {field.name: _plain_value(value) for field, value in message.ListFields()}


def _plain_value(value: Any) -> Any:
    if isinstance(value, Message):
        return plain(value)
    if isinstance(value, str | bool | int):
        return value
    return [_plain_value(each) for each in value]
