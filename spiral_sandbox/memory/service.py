"""The memory component: one fabric behind REST and gRPC."""

import os
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import apsw
import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from spiral_sandbox.component import Context
from spiral_sandbox.errors import UnknownOperationError
from spiral_sandbox.memory.desk import Desk
from spiral_sandbox.memory.disturbance import STUB, disturbance_of
from spiral_sandbox.memory.fabric import Fabric
from spiral_sandbox.memory.port import Memory
from spiral_sandbox.memory.requests import Configure, parse_fields
from spiral_sandbox.memory.rest import rest_app
from spiral_sandbox.memory.rpc import add_memory
from spiral_sandbox.memory.stub import Stub
from spiral_sandbox.memory.telemetry import Telemetry
from spiral_sandbox.serving import serve_grpc, serve_rest

_HEALTHY = ("", "neoabzu.vector.VectorService")


class MemoryService:
    """The memory fabric as a component of the sandbox."""

    version = "1.0.0"

    def __init__(self, context: Context) -> None:
        self.facts = {"memory.sqlite": apsw.sqlite_lib_version()}
        self._tls = context.tls
        self._telemetry = Telemetry(context.folder)
        self._desk = Desk(_memory(context), self._telemetry)
        self._health = health.aio.HealthServicer()  # type: ignore[attr-defined]  # missing in its stubs
        self._running = AsyncExitStack()

    @property
    def telemetry(self) -> dict[str, Path]:
        """The file that is left at the end."""
        return {"metrics": self._telemetry.metrics.path}

    async def start(self) -> dict[str, dict[str, object]]:
        """Serve REST and gRPC; gRPC's health service says SERVING."""
        self._running.push_async_callback(self._desk.close)
        self._running.callback(self._telemetry.metrics.write)
        rest = await serve_rest(rest_app(self._desk, self._telemetry.metrics), self._tls)
        self._running.push_async_callback(rest.stop)
        rpc = await serve_grpc(self._add, self._tls)
        self._running.push_async_callback(rpc.stop)
        for name in _HEALTHY:
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        return {"rest": {"address": rest.address}, "grpc": {"address": rpc.address}}

    async def handle(self, op: str, args: dict[str, Any]) -> Any:
        """`configure(items, shards, index, embedding)`, before Init, returns the status; `process` this process's id."""
        if op == "configure":
            return asdict(await self._desk.configure(parse_fields(args, Configure)))
        if op == "process":
            return {"pid": os.getpid()}
        raise UnknownOperationError(f"memory has no operation {op!r}; it has configure, process.")

    async def stop(self) -> None:
        """Stop serving, let open searches end, close the store."""
        await self._running.aclose()

    def _add(self, server: grpc.aio.Server) -> None:
        add_memory(server, self._desk)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)


def build(context: Context) -> MemoryService:
    """The memory component for this context."""
    return MemoryService(context)


def _memory(context: Context) -> Memory:
    if STUB in context.faults:
        return Stub(context.seed)
    return Fabric(context.folder, context.seed, disturbance_of(context.faults))
