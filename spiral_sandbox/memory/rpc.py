"""The memory over gRPC."""

import logging
from collections.abc import Awaitable
from typing import NoReturn, TypeVar

import grpc

from spiral_contract import vector_pb2 as messages
from spiral_contract.vector_pb2_grpc import VectorServiceServicer
from spiral_sandbox.memory.desk import Desk
from spiral_sandbox.memory.errors import InvalidRequestError, TooLargeError
from spiral_sandbox.memory.requests import Search

_log = logging.getLogger(__name__)
_Reply = TypeVar("_Reply")
_Context = grpc.aio.ServicerContext[object, object]


class VectorRpc(VectorServiceServicer):
    """`neoabzu.vector.VectorService`: errors are INVALID_ARGUMENT, RESOURCE_EXHAUSTED or INTERNAL."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def Init(self, request: messages.InitRequest, context: _Context) -> messages.InitResponse:  # noqa: N802
        """Load what is missing of the corpus."""
        del request
        return messages.InitResponse(message=await _answered(self._desk.initialise(), context))

    async def Search(self, request: messages.SearchRequest, context: _Context) -> messages.SearchResponse:  # noqa: N802
        """The stored texts nearest to a text."""
        search = Search(text=request.text, top_n=request.top_n)
        hits = await _answered(self._desk.search(search), context)
        results = [messages.SearchResult(text=hit.text, score=hit.score, embedding=hit.embedding) for hit in hits]
        return messages.SearchResponse(results=results)


async def _answered(answer: Awaitable[_Reply], context: _Context) -> _Reply:
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
