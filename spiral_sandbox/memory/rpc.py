"""The memory over gRPC."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

import grpc
from google.protobuf.message import Message

from spiral_contract import vector_pb2 as messages
from spiral_contract.operations import OPERATIONS
from spiral_sandbox.memory.desk import Desk
from spiral_sandbox.memory.errors import InvalidRequestError, TooLargeError
from spiral_sandbox.memory.requests import Search
from spiral_sandbox.wire import parsed

_log = logging.getLogger(__name__)
_Context = grpc.aio.ServicerContext[bytes, Message]
_Answer = Callable[[bytes], Awaitable[Message]]


def add_memory(server: grpc.aio.Server, desk: Desk) -> None:
    """Register `neoabzu.vector.VectorService`: errors are INVALID_ARGUMENT, RESOURCE_EXHAUSTED or INTERNAL."""
    face = _Face(desk)
    answers: dict[str, _Answer] = {"vector_init": face.init, "vector_search": face.search}
    methods = {OPERATIONS[name].grpc_method: _handler(answer) for name, answer in answers.items()}
    service = OPERATIONS["vector_search"].grpc_service
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, methods),))


class _Face:
    """Each method turns a message on the wire into a reply."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def init(self, sent: bytes) -> Message:
        """Load what is missing of the corpus."""
        _read(messages.InitRequest, sent)
        return messages.InitResponse(message=await self._desk.initialise())

    async def search(self, sent: bytes) -> Message:
        """The stored texts nearest to a text."""
        request = _read(messages.SearchRequest, sent)
        hits = await self._desk.search(Search(text=request.text, top_n=request.top_n))
        results = [messages.SearchResult(text=hit.text, score=hit.score, embedding=hit.embedding) for hit in hits]
        return messages.SearchResponse(results=results)


def _handler(answer: _Answer) -> "grpc.RpcMethodHandler[bytes, Message]":
    async def call(sent: bytes, context: _Context) -> Message:
        return await _answered(answer(sent), context)

    # No deserializer: gRPC's own would call bytes that are no message a failure of ours, and pass over unknown fields.
    return grpc.unary_unary_rpc_method_handler(call, response_serializer=lambda message: message.SerializeToString())


def _read(kind: type[Message], sent: bytes) -> Any:
    try:
        return parsed(kind, sent)
    except ValueError as error:
        raise InvalidRequestError(f"The request cannot be read: {error}.") from error


async def _answered(answer: Awaitable[Message], context: _Context) -> Message:
    try:
        return await answer
    except InvalidRequestError as error:
        await _abort(context, grpc.StatusCode.INVALID_ARGUMENT, str(error), error.reason)
    except TooLargeError as error:
        await _abort(context, grpc.StatusCode.RESOURCE_EXHAUSTED, str(error), error.reason)
    except Exception:  # noqa: BLE001  whatever is left is our own failure, and answered as such
        _log.exception("a call failed")
        await _abort(context, grpc.StatusCode.INTERNAL, "internal error", "internal")


async def _abort(context: _Context, code: grpc.StatusCode, details: str, reason: str) -> NoReturn:
    # gRPC's own library ends calls with some of these codes too; the reason shows that it was this service.
    await context.abort(code, details, (("spiral-reason", reason),))
    raise AssertionError("abort() returned")
