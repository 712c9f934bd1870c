"""The operator's control operations by name, with arguments that are checked before anything is done."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from spiral_sandbox.connectors.clock import stamp
from spiral_sandbox.connectors.core import HEARTBEAT, Connector, Shared
from spiral_sandbox.connectors.rig import Rig
from spiral_sandbox.connectors.rotation import Window
from spiral_sandbox.connectors.served import KEPT
from spiral_sandbox.errors import UnknownOperationError
from spiral_sandbox.hot_tls import HotTls, secured

Seconds = Annotated[int, Meta(ge=0)]


class _Nothing(Struct, forbid_unknown_fields=True):
    pass


class _Service(Struct, forbid_unknown_fields=True):
    service: str


class _Issue(Struct, forbid_unknown_fields=True):
    service: str
    lifetime_s: Seconds = 48 * 3600


class _Rotate(Struct, forbid_unknown_fields=True):
    service: str
    overlap_s: Seconds = 3600


class _Close(Struct, forbid_unknown_fields=True):
    window_id: str
    service: str | None = None


class _Advance(Struct, forbid_unknown_fields=True):
    seconds: Seconds


class _Page(Struct, forbid_unknown_fields=True):
    after: Annotated[int, Meta(ge=0)] = 0
    limit: Annotated[int, Meta(ge=0, le=KEPT)] = KEPT


class _Latency(Struct, forbid_unknown_fields=True):
    service: str
    told: bool


class Control:
    """The control channel's operations over a rig, its connectors, and what these have in common."""

    def __init__(self, rig: Rig, connectors: Mapping[str, Connector], shared: Shared, tls: HotTls | None) -> None:
        self._rig = rig
        self._connectors = connectors
        served, heard = shared.served, shared.heartbeats
        self._operations: dict[str, tuple[type[Struct], Callable[[Any], Any]]] = {
            "credential": (_Service, lambda a: rig.credential(a.service)),
            "issue": (_Issue, lambda a: rig.issue(a.service, timedelta(seconds=a.lifetime_s))),
            "renew": (_Service, lambda a: rig.renew(a.service)),
            "rotate": (_Rotate, lambda a: rig.rotate(a.service, timedelta(seconds=a.overlap_s))),
            "rotations": (_Nothing, lambda _: [window.record() for window in rig.ledger.windows()]),
            "window.open": (_Service, lambda a: rig.open_window(a.service).record()),
            "window.close": (_Close, lambda a: self._close(a).record()),
            "clock.now": (_Nothing, lambda _: self._time()),
            "clock.advance": (_Advance, self._advance),
            "served": (_Page, lambda a: served.report(a.after, a.limit)),
            "heartbeats": (_Nothing, lambda _: {name: self._pulse(c) for name, c in connectors.items()}),
            "heartbeat.log": (_Page, lambda a: heard.report(a.after, a.limit)),
            "heartbeat.latency": (_Latency, self._latency),
            "telemetry": (_Nothing, lambda _: {"exposition": heard.exposition().decode()}),
            "tls.rotate": (_Nothing, lambda _: secured(tls).rotate()),
            "tls.retire": (_Nothing, lambda _: rig.conduct.retire(secured(tls))),
            "drain": (_Service, lambda a: self._drain(a.service, drained=True)),
            "resume": (_Service, lambda a: self._drain(a.service, drained=False)),
        }

    def handle(self, op: str, arguments: Mapping[str, Any]) -> Any:
        """Do one operation and return plain JSON values.

        Raises `UnknownOperationError`, and `ValueError` for arguments that are not the operation's or that the
        rules of a rotation drill refuse (`RotationError`).
        """
        if op not in self._operations:
            raise UnknownOperationError(f"no operation {op!r}; there are {', '.join(self._operations)}")
        kind, operate = self._operations[op]
        checked = msgspec.convert(dict(arguments), type=kind)
        service = getattr(checked, "service", None)
        if service is not None and service not in self._connectors:
            raise ValueError(f"no service {service!r}; there are {', '.join(self._connectors)}")
        return operate(checked)

    def _close(self, arguments: _Close) -> Window:
        return self._rig.close_window(arguments.window_id, arguments.service)

    def _time(self) -> dict[str, Any]:
        return {"now": stamp(self._rig.clock.now()), "kind": "virtual"}

    def _advance(self, arguments: _Advance) -> dict[str, Any]:
        self._rig.clock.advance(arguments.seconds)
        return self._time()

    def _pulse(self, connector: Connector) -> dict[str, Any] | None:
        pulse = connector.pulse
        if pulse is None:
            return None
        next_due = pulse.received_at + HEARTBEAT
        return {
            "count": pulse.count,
            "chakra": pulse.chakra,
            "cycle_count": pulse.cycle_count,
            "context": pulse.context,
            "received_at": stamp(pulse.received_at),
            "next_due": stamp(next_due),
            "overdue": self._rig.clock.now() > next_due,
        }

    def _latency(self, arguments: _Latency) -> dict[str, Any]:
        self._connectors[arguments.service].emits_latency = arguments.told
        return {"service": arguments.service, "told": arguments.told}

    def _drain(self, service: str, *, drained: bool) -> dict[str, Any]:
        self._connectors[service].drained = drained
        return {"service": service, "drained": drained}
