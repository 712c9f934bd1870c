"""The REST surface of a connector: JSON in, JSON out, statuses from the shared table."""

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from spiral_contract.operations import OPERATIONS
from spiral_sandbox.connectors.core import LARGEST_BODY, VERSION, Call, Connector, request_id_of
from spiral_sandbox.connectors.messages import parsed_json
from spiral_sandbox.connectors.refusal import Code, Refusal
from spiral_sandbox.metrics import metrics_route

SERVED = ("health", "handshake", "heartbeat")
"""Operations of the contract that a connector serves."""

# A body that is too large is read and thrown away up to here, so that its sender gets to read the answer.
_DISCARDED = 8 * LARGEST_BODY


def rest_app(connector: Connector) -> Starlette:
    """The ASGI application of one connector; the metrics are those of all connectors of the process."""
    routes = [
        Route(OPERATIONS[name].rest_path, _endpoint(connector, name), methods=[OPERATIONS[name].rest_method])
        for name in SERVED
    ]
    routes.append(metrics_route(connector.metrics))
    return Starlette(routes=routes, exception_handlers={HTTPException: no_route})


def _endpoint(connector: Connector, operation: str) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            body, size = await _read(request)
        except ClientDisconnect:  # nobody reads the answer, and nothing was asked
            return _refused(Refusal(Code.CANCELLED, "disconnected", "the caller went away"), None, {})
        request_ids = request.headers.getlist("x-request-id")
        call = Call(
            operation=operation,
            transport="rest",
            authorization=request.headers.getlist("authorization"),
            request_ids=request_ids,
            size=size,
            # The contract: the fields of a GET are in its query, and whatever body it has is passed over.
            read=lambda: dict(request.query_params) if request.method == "GET" else parsed_json(body),
        )
        echo = request_id_of(request_ids)
        headers = {} if echo is None else {"x-request-id": echo}
        try:
            return JSONResponse(connector.answer(call), headers=headers)
        except Refusal as refusal:
            return _refused(refusal, connector if operation == "health" else None, headers)

    return endpoint


async def _read(request: Request) -> tuple[bytes, int]:
    """The body and its length in bytes; of a body that is too large only the length is kept."""
    kept, size = bytearray(), 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= LARGEST_BODY:
            kept += chunk
        elif size > _DISCARDED:
            break
    return bytes(kept), size


def _refused(refusal: Refusal, unhealthy: Connector | None, headers: dict[str, str]) -> Response:
    body = refusal.body()
    if unhealthy is not None and refusal.code is Code.UNAVAILABLE:
        body |= {"status": "unhealthy", "component": unhealthy.name, "version": VERSION}
    if refusal.code is Code.UNAUTHENTICATED:
        headers = {**headers, "www-authenticate": 'Bearer realm="spiral", error="invalid_token"'}
    return JSONResponse(body, refusal.code.value, headers)


def no_route(_: Request, error: Exception) -> Response:
    """The answer where a path or a method is not served."""
    if not isinstance(error, HTTPException):
        raise error
    code = {404: "NOT_FOUND", 405: "UNIMPLEMENTED"}.get(error.status_code, "INVALID_ARGUMENT")
    body = {"code": code, "reason": "no-route", "detail": error.detail}
    return JSONResponse(body, error.status_code, error.headers)
