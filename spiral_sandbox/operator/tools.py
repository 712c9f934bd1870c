"""The operator's tools for clients of the Model Context Protocol, at `/mcp`: streamable HTTP, by the `mcp` SDK.

The SDK takes a second to import. It is imported when the first client comes, on a thread of its own, so that neither
this component nor any other starts later because of it.
"""

import asyncio
import importlib
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.responses import JSONResponse

from spiral_sandbox.connectors.refusal import Refusal
from spiral_sandbox.operator.core import Operator

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

PATH = "/mcp"
_SERVER = "spiral_sandbox.operator.tool_server"


class Tools:
    """The ASGI application. Who shows no valid credential is refused before the SDK sees the request."""

    def __init__(self, operator: Operator) -> None:
        self._operator = operator
        self._serving: asyncio.Task[None] | None = None
        self._app: asyncio.Future[ASGIApp] | None = None
        self._closed = asyncio.Event()

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer one HTTP request."""
        try:
            self._operator.identify(Headers(scope=scope).getlist("authorization"))
        except Refusal as refusal:
            await JSONResponse(refusal.body(), refusal.code.value)(scope, receive, send)
            return
        app = await self._started()
        await app(scope, receive, send)

    async def close(self) -> None:
        """End all sessions; clients that are still there are cut off."""
        self._closed.set()
        if self._serving is not None:
            await self._serving

    async def _started(self) -> "ASGIApp":
        if self._app is None:
            self._app = asyncio.get_running_loop().create_future()
            self._serving = asyncio.create_task(self._serve(self._app))
        return await asyncio.shield(self._app)

    async def _serve(self, ready: "asyncio.Future[ASGIApp]") -> None:
        # One task from beginning to end: the SDK's own tasks belong to it.
        try:
            server = await asyncio.to_thread(importlib.import_module, _SERVER)
            manager = server.session_manager(self._operator)
            async with manager.run():
                ready.set_result(manager.handle_request)
                await self._closed.wait()
        except Exception as error:
            if ready.done():
                raise
            ready.set_exception(error)
