"""The gRPC surface: typed messages, and the codes that mean what the REST statuses do."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message

from spiral_contract import operator_pb2, upload_pb2
from spiral_contract.operations import OPERATIONS, Operation
from spiral_sandbox.connectors.refusal import Refusal, unreadable
from spiral_sandbox.connectors.surface_grpc import plain
from spiral_sandbox.operator.call import LARGEST_BODY, Answer, Call, FileStart, Header, Part, too_large
from spiral_sandbox.operator.conduct import Conduct
from spiral_sandbox.operator.core import Operator
from spiral_sandbox.operator.detour import Detour
from spiral_sandbox.operator.severing import sever
from spiral_sandbox.operator.telemetry import Telemetry
from spiral_sandbox.wire import parsed

# Requests above our own limit still reach us, so that they are refused after their credential was checked.
OPTIONS = (("grpc.max_receive_message_length", 8 * LARGEST_BODY),)

_MESSAGES: Mapping[str, tuple[type[Message], type[Message]]] = {
    "dispatch_command": (operator_pb2.DispatchCommandRequest, operator_pb2.DispatchCommandResponse),
    "memory_query": (operator_pb2.MemoryQueryRequest, operator_pb2.MemoryQueryResponse),
    "handover": (operator_pb2.HandoverRequest, operator_pb2.HandoverResponse),
    "upload": (upload_pb2.PutRequest, upload_pb2.PutReply),
}
_Context = grpc.aio.ServicerContext[bytes, Message]
_Trailing = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Side:
    """What the gRPC side works with."""

    operator: Operator
    conduct: Conduct
    telemetry: Telemetry
    detour: Detour


def add_operator(server: grpc.aio.Server, side: Side) -> None:
    """Register the operations under the names that the contract gives them."""
    services: dict[str, dict[str, grpc.RpcMethodHandler[bytes, Message]]] = {}
    for name, (request, reply) in _MESSAGES.items():
        row = OPERATIONS[name]
        method = _Method(side, row, request, reply)
        make = grpc.stream_unary_rpc_method_handler if row.streamed else grpc.unary_unary_rpc_method_handler
        services.setdefault(row.grpc_service, {})[row.grpc_method] = make(
            method.streamed if row.streamed else method.unary,
            # No deserializer: a message is parsed after its sender's credential was checked.
            response_serializer=lambda message: message.SerializeToString(),
        )
    server.add_generic_rpc_handlers(
        tuple(grpc.method_handlers_generic_handler(name, methods) for name, methods in services.items())
    )


class _Method:
    """One operation over gRPC."""

    def __init__(self, side: Side, row: Operation, request: type[Message], reply: type[Message]) -> None:
        self._side = side
        self._row = row
        self._request = request
        self._reply = reply

    async def unary(self, sent: bytes, context: _Context) -> Message:
        """Answer one message."""

        async def read() -> Any:
            if len(sent) > LARGEST_BODY:
                raise too_large(LARGEST_BODY)
            return plain(_parsed(self._request, sent))

        call = self._call(context, read)
        if self._side.conduct.grpc == "detour":
            return await self._say(context, lambda: self._take_detour(call))
        return await self._say(context, lambda: self._side.operator.answer(call))

    async def streamed(self, sent: AsyncIterator[bytes], context: _Context) -> Message:
        """Answer a stream of messages."""

        async def read() -> Any:
            raise unreadable("a stream has no fields of its own")

        call = self._call(context, read, lambda: _parts(self._cut_off(sent, context)))
        return await self._say(context, lambda: self._side.operator.answer(call))

    def _call(
        self,
        context: _Context,
        read: Callable[[], Awaitable[Any]],
        parts: Callable[[], AsyncIterator[Part]] | None = None,
    ) -> Call:
        metadata: dict[str, list[str]] = {}
        for name, value in context.invocation_metadata() or ():
            if isinstance(value, str):
                metadata.setdefault(name, []).append(value)
        return Call(self._row.name, "grpc", metadata, read, parts, context.time_remaining())

    async def _say(self, context: _Context, answer_it: Callable[[], Awaitable[Answer]]) -> Message:
        """The reply's message, unless gRPC is to fail now; a refusal ends the call with its code."""
        if self._side.conduct.grpc == "unavailable":
            await self._fail(context, grpc.StatusCode.UNAVAILABLE, "the gRPC side is out of service")
        try:
            answer = await answer_it()
        except Refusal as refusal:
            trailing = (*_request_ids(context), ("spiral-reason", str(refusal.reason)))
            await context.abort(grpc.StatusCode[refusal.code.name], refusal.detail, trailing)
        await self._lose(context)
        context.set_trailing_metadata(tuple(answer.metadata.items()))
        return ParseDict(answer.fields, self._reply())

    async def _lose(self, context: _Context) -> None:
        """Lose the reply of a call that was carried out, where that is how gRPC fails."""
        way = self._side.conduct.grpc
        if way == "internal":
            await self._fail(context, grpc.StatusCode.INTERNAL, "the reply was lost")
        if way == "deadline":
            self._side.telemetry.failed(self._row.name, "grpc", "exception")
            await asyncio.Event().wait()  # until the caller's deadline cancels this call
        if way == "reset-mid-stream":
            self._side.telemetry.failed(self._row.name, "grpc", "exception")
            sever(context.peer())
            await asyncio.Event().wait()

    async def _fail(self, context: _Context, code: grpc.StatusCode, detail: str) -> None:
        self._side.telemetry.failed(self._row.name, "grpc", "exception")
        await context.abort(code, detail, _request_ids(context))

    async def _cut_off(self, sent: AsyncIterator[bytes], context: _Context) -> AsyncIterator[bytes]:
        async for message in sent:
            yield message
            if self._side.conduct.grpc == "reset-mid-stream":
                sever(context.peer())

    async def _take_detour(self, call: Call) -> Answer:
        with self._side.telemetry.observed(call.operation, call.transport) as seen:
            self._side.telemetry.fell_back(call.operation, call.transport, seen)
            return await self._side.detour.answer(call)


async def _parts(sent: AsyncIterator[bytes]) -> AsyncIterator[Part]:
    async for wire in sent:
        message = _parsed(upload_pb2.PutRequest, wire)
        match message.WhichOneof("part"):
            case "header":
                yield Header(message.header.operator, message.header.metadata)
            case "file":
                yield FileStart(message.file.name)
            case "chunk" if len(message.chunk) > LARGEST_BODY:
                raise too_large(LARGEST_BODY)
            case "chunk":
                yield message.chunk
            case _:
                raise unreadable("a message of the stream is empty")


def _parsed(kind: type[Message], sent: bytes) -> Any:
    try:
        return parsed(kind, sent)
    except ValueError as error:
        raise unreadable(str(error)) from error


def _request_ids(context: _Context) -> _Trailing:
    """The request id to be said back, if there is exactly one."""
    metadata: Sequence[Any] = tuple(context.invocation_metadata() or ())
    ids = [value for name, value in metadata if name == "x-request-id" and isinstance(value, str)]
    return (("x-request-id", ids[0]),) if len(ids) == 1 else ()
