"""The connectors' process: three services, each with a REST and a gRPC port of its own."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spiral_sandbox.connectors.clock import VirtualClock, seeded_start, stamp
from spiral_sandbox.connectors.conduct import conduct_under
from spiral_sandbox.connectors.control import Control
from spiral_sandbox.connectors.core import VERSION, Connector, PromotedContext, Shared
from spiral_sandbox.connectors.credentials import Register
from spiral_sandbox.connectors.heartbeats import Heartbeats
from spiral_sandbox.connectors.rig import Rig
from spiral_sandbox.connectors.rotation import RotationLedger
from spiral_sandbox.connectors.served import ServedLog
from spiral_sandbox.connectors.surface_grpc import OPTIONS, add_connector
from spiral_sandbox.connectors.surface_rest import rest_app
from spiral_sandbox.hot_tls import HotTls
from spiral_sandbox.serving import serve_grpc, serve_rest

if TYPE_CHECKING:
    from spiral_sandbox.component import Context

SERVICES = ("operator_api", "operator_upload", "crown_handshake")
CONTEXTS = ("stage-b-rehearsal", "stage-c-prep")


class ConnectorsService:
    """The connectors, their operator's rig and their servers."""

    version = VERSION
    facts: Mapping[str, bool | str] = {"clock.trusted": False, "clock.kind": "virtual"}

    def __init__(self, context: "Context") -> None:
        clock, served, conduct = VirtualClock(seeded_start(context.seed)), ServedLog(), conduct_under(context.faults)
        register, ledger = Register(), RotationLedger()
        contexts = _promote(CONTEXTS, clock, context.folder)
        heartbeats = Heartbeats(clock.now)
        shared = Shared(clock, register, ledger, served, heartbeats, conduct, contexts)
        held = {name: register.issue(name, clock.now()) for name in SERVICES}
        self._connectors = {name: Connector(name, shared) for name in SERVICES}
        self._tls = None if context.tls is None else HotTls(context.tls)
        self._control = Control(Rig(clock, register, ledger, conduct, held), self._connectors, shared, self._tls)
        self._stops: list[Callable[[], Awaitable[None]]] = []

    async def start(self) -> dict[str, dict[str, object]]:
        """Start six servers; endpoints are `<service>.rest` and `<service>.grpc`."""
        endpoints: dict[str, dict[str, object]] = {}
        for name, connector in self._connectors.items():
            rest = await serve_rest(rest_app(connector), self._tls)
            self._stops.append(rest.stop)
            grpc = await serve_grpc(_adding(connector), self._tls, OPTIONS)
            self._stops.append(grpc.stop)
            endpoints |= {f"{name}.rest": {"address": rest.address}, f"{name}.grpc": {"address": grpc.address}}
        return endpoints

    async def handle(self, op: str, args: dict[str, Any]) -> Any:
        """Do a control operation, see `control.py`; it runs between two calls, never during one."""
        return self._control.handle(op, args)

    async def stop(self) -> None:
        """Stop all servers that were started, side by side; may be called twice."""
        if self._tls is not None:
            self._tls.close()
        stops, self._stops = self._stops, []
        await asyncio.gather(*(stop() for stop in stops))


def build(context: "Context") -> ConnectorsService:
    """The component for a context; raises `ValueError` for a fault plan that is not one of the connectors'."""
    return ConnectorsService(context)


def _adding(connector: Connector) -> Callable[[Any], None]:
    return lambda server: add_connector(server, connector)


def _promote(names: tuple[str, ...], clock: VirtualClock, folder: Path) -> list[PromotedContext]:
    """Promote contexts now, and write each one's record, which handshakes then point to."""
    (folder / "contexts").mkdir(parents=True, exist_ok=True)
    promoted = []
    for name in names:
        context = PromotedContext(name, clock.now(), f"contexts/{name}.json")
        record = {"name": name, "promoted_at": stamp(context.promoted_at), "services": SERVICES}
        (folder / context.evidence_path).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        promoted.append(context)
    return promoted
