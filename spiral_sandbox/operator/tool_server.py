"""The tools themselves, in the words of the `mcp` SDK. Nothing but `tools.py` imports this, and not before it must."""

import logging
from collections.abc import Mapping
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from pydantic import BaseModel
from starlette.requests import Request

from spiral_sandbox.connectors.refusal import Refusal
from spiral_sandbox.operator.call import Call
from spiral_sandbox.operator.core import VERSION, Operator
from spiral_sandbox.serving import LOOPBACK

# The SDK tells of each request at INFO.
logging.getLogger("mcp").setLevel(logging.WARNING)


class Acknowledged(BaseModel):
    """What an agent says of a command."""

    ack: str


class Dispatched(BaseModel):
    """A command that was carried out."""

    command_id: str
    result: Acknowledged


class Recalled(BaseModel):
    """One text of the memory and how near it is."""

    text: str
    score: float


class Recollected(BaseModel):
    """What the memory has, best first."""

    results: list[Recalled]


def session_manager(surface: Operator) -> StreamableHTTPSessionManager:
    """The SDK's manager of sessions for a server with the operator's tools; `run` it, then pass it requests."""
    server = MCPServer("spiral-operator", version=VERSION, log_level="WARNING")

    async def dispatch_command(operator: str, agent: str, command: str, context: Context) -> Dispatched:
        """Have an agent carry out a command, in the name of an operator."""
        fields = {"operator": operator, "agent": agent, "command": command}
        return Dispatched(**await _answered(surface, "dispatch_command", fields, context))

    async def memory_query(query: str, context: Context) -> Recollected:
        """Ask the memory for the texts that are nearest to a query."""
        return Recollected(**await _answered(surface, "memory_query", {"query": query}, context))

    server.add_tool(dispatch_command)
    server.add_tool(memory_query)
    server.streamable_http_app(
        json_response=True,
        transport_security=TransportSecuritySettings(allowed_hosts=[f"{LOOPBACK}:*"]),
    )
    return server.session_manager


async def _answered(
    surface: Operator, operation: str, fields: Mapping[str, Any], context: Context
) -> Mapping[str, Any]:
    """The reply's fields; a refusal becomes the tool's error, with its code."""

    async def read() -> Any:
        return dict(fields)

    request = context.request_context.request
    metadata = {"authorization": request.headers.getlist("authorization")} if isinstance(request, Request) else {}
    try:
        answer = await surface.answer(Call(operation, "mcp", metadata, read))
    except Refusal as refusal:
        raise ToolError(f"{refusal.code.name}: {refusal.detail}") from refusal
    return answer.fields
