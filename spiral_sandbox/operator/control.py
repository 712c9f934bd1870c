"""What the operator of the rig does to the operator surface: credentials, agents, the ways in which gRPC fails."""

from collections.abc import Mapping
from datetime import timedelta
from inspect import isawaitable
from typing import Annotated, Any, Protocol

from msgspec import Meta, Struct

from spiral_sandbox.connectors.asked import Nothing, Operations, Page, Seconds, carry_out, clock_operations
from spiral_sandbox.connectors.clock import stamp
from spiral_sandbox.connectors.credentials import Issued
from spiral_sandbox.hot_tls import HotTls, secured
from spiral_sandbox.operator.conduct import WAYS
from spiral_sandbox.operator.core import Operator, Parts
from spiral_sandbox.operator.gateway import Address

_LONGEST_S = 60.0


class _Whose(Struct, forbid_unknown_fields=True):
    operator: str


class _Issue(Struct, forbid_unknown_fields=True):
    operator: str
    lifetime_s: Seconds = 48 * 3600


class _Which(Struct, forbid_unknown_fields=True):
    agent: str


class _Way(Struct, forbid_unknown_fields=True):
    way: str


class _Configure(Struct, forbid_unknown_fields=True):
    upload_bytes: Annotated[int, Meta(ge=1, le=1 << 30)] | None = None
    deadline_s: Annotated[float, Meta(gt=0, le=_LONGEST_S)] | None = None


class Switch(Protocol):
    """The gRPC server, which the rig may stop and start again at the same port."""

    async def stop_grpc(self) -> None:
        """Stop at once: open calls are cut off."""
        ...

    async def start_grpc(self) -> str:
        """Start again and give the address; RuntimeError if it runs."""
        ...


class Control:
    """The control channel's operations over the surface's parts."""

    def __init__(
        self, operator: Operator, parts: Parts, held: dict[str, Issued], switch: Switch, tls: HotTls | None
    ) -> None:
        self._operator = operator
        self._with = parts
        self._held = held
        self._operations: Operations = {
            "credential": (_Whose, lambda a: self._shown(self._holder(a.operator))),
            "issue": (_Issue, lambda a: self._shown(self._issued(a.operator, timedelta(seconds=a.lifetime_s)))),
            **clock_operations(parts.clock),
            "commands": (Page, lambda a: parts.commands.report(a.after, a.limit)),
            "served": (Page, lambda a: parts.served.report(a.after, a.limit)),
            "uploads": (Nothing, lambda _: parts.uploads.report()),
            "agents": (Nothing, lambda _: [agent.state() for agent in parts.agents.values()]),
            "agent.hold": (_Which, self._hold),
            "agent.release": (_Which, lambda a: parts.agents[a.agent].release()),
            "gateway.connect": (Address, parts.gateway.connect),
            "gateway.disconnect": (Nothing, lambda _: parts.gateway.connect(None)),
            "grpc.fail": (_Way, lambda a: self._fail(a.way)),
            "grpc.heal": (Nothing, lambda _: self._fail("")),
            "grpc.stop": (Nothing, lambda _: switch.stop_grpc()),
            "grpc.start": (Nothing, lambda _: switch.start_grpc()),
            "tls.rotate": (Nothing, lambda _: secured(tls).rotate()),
            "tls.retire": (Nothing, lambda _: secured(tls).retire()),
            "configure": (_Configure, self._configure),
            "telemetry": (Nothing, lambda _: parts.telemetry.flush()),
        }

    async def handle(self, op: str, arguments: Mapping[str, Any]) -> Any:
        """Do one operation and return plain JSON values.

        Raises `UnknownOperationError`, and `ValueError` or `RuntimeError` for what cannot be done.
        """
        done = carry_out(self._operations, op, arguments, {"operator": self._held, "agent": self._with.agents})
        return await done if isawaitable(done) else done

    def _holder(self, operator: str) -> Issued:
        """The operator's credential; a new one where it has ended."""
        now = self._with.clock.now()
        if self._with.register.current(operator).flaw(now) is not None:
            self._held[operator] = self._with.register.issue(operator, now)
        return self._held[operator]

    def _issued(self, operator: str, lifetime: timedelta) -> Issued:
        return self._with.register.issue(operator, self._with.clock.now(), lifetime, current=False)

    def _shown(self, issued: Issued) -> dict[str, Any]:
        return {
            "operator": issued.credential.service,
            "token": issued.token,
            "expires_at": stamp(issued.credential.expires_at),
        }

    async def _hold(self, arguments: _Which) -> None:
        await self._with.agents[arguments.agent].hold()

    def _fail(self, way: str) -> dict[str, str]:
        for known in WAYS:
            if way == known:
                self._with.conduct.grpc = known
                return {"way": way}
        raise ValueError(f"gRPC has no way {way!r} to fail; there are {', '.join(WAYS[1:])}")

    def _configure(self, arguments: _Configure) -> dict[str, float]:
        if arguments.upload_bytes is not None:
            self._with.uploads.most_bytes = arguments.upload_bytes
        if arguments.deadline_s is not None:
            self._operator.longest_s = arguments.deadline_s
        return {"upload_bytes": self._with.uploads.most_bytes, "deadline_s": self._operator.longest_s}
