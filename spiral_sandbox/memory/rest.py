"""The memory over REST."""

import base64
import logging
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from spiral_sandbox.connectors.surface_rest import no_route
from spiral_sandbox.memory.desk import Desk
from spiral_sandbox.memory.errors import InvalidRequestError, TooLargeError
from spiral_sandbox.memory.port import StoredItem
from spiral_sandbox.memory.requests import (
    Add,
    AuditPage,
    ItemPage,
    Nothing,
    Search,
    parse_body,
    parse_fields,
)
from spiral_sandbox.metrics import Metrics, metrics_route

MOST_BODY_BYTES = 32 << 20
"""The largest body that is read."""

_log = logging.getLogger(__name__)
_Answer = Callable[[Request], Awaitable[Any]]


def rest_app(desk: Desk, metrics: Metrics) -> Starlette:
    """The application: every answer but the metrics is JSON, every error has `code`, `reason` and `detail`: 400, 404, 405, 413, 500."""
    face = _Face(desk)
    return Starlette(
        routes=[
            Route("/vector/init", _answering(face.init), methods=["POST"]),
            Route("/vector/search", _answering(face.search), methods=["POST"]),
            # One route, so that whoever tries another method is told of both.
            Route("/vector/items", _answering(face.stored), methods=["POST", "GET"]),
            Route("/vector/status", _answering(face.status), methods=["GET"]),
            Route("/vector/audit", _answering(face.audit), methods=["GET"]),
            metrics_route(metrics.exposition),
        ],
        exception_handlers={HTTPException: no_route},
    )


class _Face:
    """Each method turns a request into plain data."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def init(self, request: Request) -> Any:
        parse_body(await _body(request), Nothing)
        return {"message": await self._desk.initialise()}

    async def search(self, request: Request) -> Any:
        hits = await self._desk.search(parse_body(await _body(request), Search))
        return {"results": hits}

    async def stored(self, request: Request) -> Any:
        return await (self.add if request.method == "POST" else self.items)(request)

    async def add(self, request: Request) -> Any:
        add = parse_body(await _body(request), Add)
        return {"added": len(add.items), "count": await self._desk.add(add)}

    async def items(self, request: Request) -> Any:
        page = parse_fields(request.query_params, ItemPage, text=True)
        rows = await self._desk.items(page)
        return {"rows": [_row(item, with_embedding=bool(page.embeddings)) for item in rows]}

    async def status(self, request: Request) -> Any:
        parse_fields(request.query_params, Nothing)
        return await self._desk.status()

    async def audit(self, request: Request) -> Any:
        return {"rows": await self._desk.audit(parse_fields(request.query_params, AuditPage, text=True))}


def _answering(answer: _Answer) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            return _json(200, await answer(request))
        except InvalidRequestError as error:
            return _refused(400, "INVALID_ARGUMENT", error.reason, str(error))
        except TooLargeError as error:
            return _refused(413, "RESOURCE_EXHAUSTED", error.reason, str(error))
        except Exception:  # noqa: BLE001  whatever is left is our own failure, and answered as such
            _log.exception("%s %s failed", request.method, request.url.path)
            return _refused(500, "INTERNAL", "internal", "internal error")

    return endpoint


def _refused(status: int, code: str, reason: str, detail: str) -> Response:
    return _json(status, {"code": code, "reason": reason, "detail": detail})


def _json(status: int, content: Any) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")


async def _body(request: Request) -> bytes:
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MOST_BODY_BYTES:
                raise TooLargeError(f"A body has at most {MOST_BODY_BYTES} bytes.")
    except ClientDisconnect as error:  # nobody reads the answer; it is no failure of ours that the log should have
        raise InvalidRequestError("The caller went away before its request was whole.") from error
    return bytes(body)


def _row(item: StoredItem, *, with_embedding: bool) -> dict[str, Any]:
    row = asdict(item)
    row["embedding"] = base64.b64encode(item.embedding).decode()
    if not with_embedding:
        del row["embedding"]
    return row
