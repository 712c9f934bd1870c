"""The operator surface's process: REST and gRPC on one event loop over one layer of handlers."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from spiral_contract import operator_pb2, upload_pb2
from spiral_sandbox.connectors.clock import VirtualClock, seeded_start
from spiral_sandbox.connectors.credentials import Register
from spiral_sandbox.connectors.served import ServedLog
from spiral_sandbox.hot_tls import HotTls
from spiral_sandbox.operator.agents import Agent
from spiral_sandbox.operator.commands import CommandLog
from spiral_sandbox.operator.conduct import conduct_under
from spiral_sandbox.operator.control import Control
from spiral_sandbox.operator.core import VERSION, Operator, Parts
from spiral_sandbox.operator.detour import Detour
from spiral_sandbox.operator.events import Hub
from spiral_sandbox.operator.gateway import Gateway
from spiral_sandbox.operator.idempotency import Keys
from spiral_sandbox.operator.permissions import load_permissions
from spiral_sandbox.operator.recollection import Recollection
from spiral_sandbox.operator.surface_grpc import OPTIONS, Side, add_operator
from spiral_sandbox.operator.surface_rest import rest_app
from spiral_sandbox.operator.telemetry import Telemetry
from spiral_sandbox.operator.tools import Tools
from spiral_sandbox.operator.uploads import Uploads
from spiral_sandbox.serving import GrpcServer, serve_grpc, serve_rest

if TYPE_CHECKING:
    from spiral_sandbox.component import Context

SERVICES = (
    operator_pb2.DESCRIPTOR.services_by_name["OperatorApi"].full_name,
    upload_pb2.DESCRIPTOR.services_by_name["Upload"].full_name,
)
"""Services whose health is told, and which reflection lists beside gRPC's own two."""


class OperatorService:
    """The operator surface as a component of the sandbox."""

    version = VERSION
    facts: Mapping[str, bool | str] = {"clock.trusted": False, "clock.kind": "virtual"}

    def __init__(self, context: "Context") -> None:
        clock, register, permissions = VirtualClock(seeded_start(context.seed)), Register(), load_permissions()
        (context.folder / "agents").mkdir()
        self._parts = Parts(
            clock=clock,
            register=register,
            permissions=permissions,
            agents={name: Agent(name, context.folder / "agents") for name in permissions.agents},
            commands=CommandLog(context.folder / "commands.jsonl"),
            served=ServedLog(),
            uploads=Uploads(context.folder),
            recollection=Recollection(context.folder, context.seed),
            gateway=Gateway(clock, VERSION),
            hub=Hub(),
            keys=Keys(),
            conduct=conduct_under(context.faults),
            telemetry=Telemetry(context.folder, VERSION),
        )
        held = {name: register.issue(name, clock.now()) for name in permissions.operators}
        self._operator = Operator(self._parts)
        self._tls = None if context.tls is None else HotTls(context.tls)
        self._control = Control(self._operator, self._parts, held, self, self._tls)
        self._health = health.aio.HealthServicer()  # type: ignore[attr-defined]  # missing in its stubs
        self._side: Side | None = None
        self._grpc: GrpcServer | None = None
        self._port = 0
        self._running = AsyncExitStack()

    async def start(self) -> dict[str, dict[str, object]]:
        """Serve REST and gRPC; gRPC's health service says SERVING."""
        parts = self._parts
        if self._tls is not None:
            self._running.callback(self._tls.close)
        self._running.callback(parts.commands.close)
        self._running.callback(parts.telemetry.close)
        self._running.push_async_callback(parts.recollection.close)
        tools = Tools(self._operator)
        app = rest_app(self._operator, parts.conduct, parts.hub, parts.telemetry, tools)
        rest = await serve_rest(app, self._tls, websockets=True)
        self._running.push_async_callback(rest.stop)
        self._running.push_async_callback(tools.close)
        self._running.callback(parts.hub.close)
        self._side = Side(
            self._operator,
            parts.conduct,
            parts.telemetry,
            Detour(rest.address, None if self._tls is None else self._tls.files),
        )
        grpc_address = await self.start_grpc()
        self._running.push_async_callback(self._end_grpc)
        return {"rest": {"address": rest.address}, "grpc": {"address": grpc_address}}

    async def start_grpc(self) -> str:
        """Start the gRPC server, again at the port that it had; gives its address. RuntimeError if it runs."""
        if self._grpc is not None:
            raise RuntimeError("the gRPC server is running already")
        self._grpc = await serve_grpc(self._add, self._tls, OPTIONS, self._port)
        self._port = self._grpc.port
        for name in ("", *SERVICES):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        return self._grpc.address

    async def stop_grpc(self) -> None:
        """Stop the gRPC server at once: open calls are cut off. RuntimeError if it does not run."""
        if self._grpc is None:
            raise RuntimeError("the gRPC server is stopped already")
        server, self._grpc = self._grpc, None
        await server.stop(0)

    async def handle(self, op: str, args: dict[str, Any]) -> Any:
        """Do a control operation, see `control.py`."""
        return await self._control.handle(op, args)

    async def stop(self) -> None:
        """Stop serving, let open work end, close all files."""
        await self._running.aclose()

    async def _end_grpc(self) -> None:
        if self._grpc is not None:
            await self._grpc.stop()

    def _add(self, server: grpc.aio.Server) -> None:
        if self._side is None:
            raise RuntimeError("REST is served first: gRPC's detour leads there")
        add_operator(server, self._side)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        listed = (*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(listed, server)


def build(context: "Context") -> OperatorService:
    """The component for a context; raises `ValueError` for a fault plan that is not one of its own."""
    return OperatorService(context)
