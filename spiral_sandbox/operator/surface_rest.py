"""The REST surface: JSON in, JSON out, uploads as forms, events as a WebSocket, metrics for Prometheus."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from spiral_contract.operations import OPERATIONS, Operation
from spiral_sandbox.connectors.messages import parsed_json
from spiral_sandbox.connectors.refusal import Code, Refusal
from spiral_sandbox.connectors.surface_rest import no_route
from spiral_sandbox.metrics import metrics_route
from spiral_sandbox.operator.call import LARGEST_BODY, Call, too_large
from spiral_sandbox.operator.conduct import Conduct
from spiral_sandbox.operator.core import Operator
from spiral_sandbox.operator.events import Hub, Queue
from spiral_sandbox.operator.multipart import form_parts
from spiral_sandbox.operator.telemetry import Telemetry
from spiral_sandbox.operator.tools import PATH, Tools

SERVED = ("dispatch_command", "memory_query", "handover", "upload", "status")
"""Operations of the contract that are calls here."""

# What is left of a refused body is read and thrown away up to here, so that its sender gets to read the answer.
_DISCARDED = 64 << 20
_DISCARDING_S = 5.0


def rest_app(operator: Operator, conduct: Conduct, hub: Hub, telemetry: Telemetry, tools: Tools) -> Starlette:
    """The ASGI application."""
    rows = [OPERATIONS[name] for name in SERVED]
    routes: list[BaseRoute] = [
        Route(row.rest_path, _endpoint(operator, conduct, row), methods=[row.rest_method]) for row in rows
    ]
    routes.append(WebSocketRoute(OPERATIONS["events"].rest_path, _events(operator, hub)))
    routes.append(metrics_route(telemetry.exposition))
    routes.append(Route(PATH, tools))
    return Starlette(routes=routes, exception_handlers={HTTPException: no_route})


def _endpoint(operator: Operator, conduct: Conduct, row: Operation) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        await conduct.before_rest()
        body = _connected(request.stream())
        try:
            answer = await operator.answer(_call(request, row, body))
        except Refusal as refusal:
            await _discard(body)
            return _refused(refusal, request)
        return JSONResponse(conduct.rest_fields(row.name, answer.fields), headers=answer.metadata)

    return endpoint


def _call(request: Request, row: Operation, body: AsyncIterator[bytes]) -> Call:
    content_type = request.headers.get("content-type", "")
    return Call(
        operation=row.name,
        transport="rest",
        metadata=_metadata(request.headers.raw),
        # The contract: the fields of a GET are in its query, and whatever body it has is passed over.
        read=lambda: _query(request) if row.rest_method == "GET" else _fields(body),
        parts=(lambda: form_parts(body, content_type)) if row.form == "multipart" else None,
    )


def _metadata(raw: Sequence[tuple[bytes, bytes]]) -> Mapping[str, Sequence[str]]:
    found: dict[str, list[str]] = {}
    for name, value in raw:
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return found


async def _query(request: Request) -> Any:
    return dict(request.query_params)


async def _fields(body: AsyncIterator[bytes]) -> Any:
    kept = bytearray()
    async for chunk in body:
        kept += chunk
        if len(kept) > LARGEST_BODY:
            raise too_large(LARGEST_BODY)
    return parsed_json(bytes(kept))


async def _connected(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    try:
        async for chunk in stream:
            yield chunk
    except ClientDisconnect as error:
        raise Refusal(Code.CANCELLED, "disconnected", "the caller went away") from error


async def _discard(body: AsyncIterator[bytes]) -> None:
    """Read on, within bounds, so that the answer is not lost in the reset of a connection with unread bytes."""
    size = 0
    try:
        async with asyncio.timeout(_DISCARDING_S):
            async for chunk in body:
                size += len(chunk)
                if size > _DISCARDED:
                    return
    except (TimeoutError, Refusal):
        return


def _refused(refusal: Refusal, request: Request) -> Response:
    headers = {}
    ids = request.headers.getlist("x-request-id")
    if len(ids) == 1 and ids[0].isprintable() and ids[0].isascii():
        headers["x-request-id"] = ids[0]
    if refusal.code is Code.UNAUTHENTICATED:
        headers["www-authenticate"] = 'Bearer realm="spiral", error="invalid_token"'
    return JSONResponse(refusal.body(), refusal.code.value, headers)


def _events(operator: Operator, hub: Hub) -> Callable[[WebSocket], Awaitable[None]]:
    async def endpoint(socket: WebSocket) -> None:
        try:
            operator.identify(socket.headers.getlist("authorization"))
        except Refusal as refusal:
            await socket.send_denial_response(JSONResponse(refusal.body(), refusal.code.value))
            return
        with hub.listening() as queue:
            await socket.accept()
            await _pass_on(socket, queue)

    return endpoint


async def _pass_on(socket: WebSocket, queue: Queue) -> None:
    """Send events until the listener hangs up, or there are no more."""
    gone = asyncio.ensure_future(_hung_up(socket))
    try:
        while True:
            message = asyncio.ensure_future(queue.get())
            await asyncio.wait((gone, message), return_when=asyncio.FIRST_COMPLETED)
            if not message.done():
                message.cancel()
                return
            event = message.result()
            if isinstance(event, int):
                await socket.close(event)
                return
            await socket.send_json(event)
    except WebSocketDisconnect:
        return
    finally:
        gone.cancel()


async def _hung_up(socket: WebSocket) -> None:
    # Whatever a listener says is passed over; the end is what is waited for.
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
