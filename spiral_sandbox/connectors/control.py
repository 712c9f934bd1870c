"""The operator's control operations by name, with arguments that are checked before anything is done."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from msgspec import Struct

from spiral_sandbox.connectors.asked import Nothing, Operations, Page, Seconds, carry_out, clock_operations
from spiral_sandbox.connectors.clock import stamp
from spiral_sandbox.connectors.core import HEARTBEAT, Connector, Shared
from spiral_sandbox.connectors.rig import Rig
from spiral_sandbox.connectors.rotation import Window
from spiral_sandbox.hot_tls import HotTls, secured


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


class _Latency(Struct, forbid_unknown_fields=True):
    service: str
    told: bool


class Control:
    """The control channel's operations over a rig, its connectors, and what these have in common."""

    def __init__(self, rig: Rig, connectors: Mapping[str, Connector], shared: Shared, tls: HotTls | None) -> None:
        self._rig = rig
        self._connectors = connectors
        served, heard = shared.served, shared.heartbeats
        self._operations: Operations = {
            "credential": (_Service, lambda a: rig.credential(a.service)),
            "issue": (_Issue, lambda a: rig.issue(a.service, timedelta(seconds=a.lifetime_s))),
            "renew": (_Service, lambda a: rig.renew(a.service)),
            "rotate": (_Rotate, lambda a: rig.rotate(a.service, timedelta(seconds=a.overlap_s))),
            "rotations": (Nothing, lambda _: [window.record() for window in rig.ledger.windows()]),
            "window.open": (_Service, lambda a: rig.open_window(a.service).record()),
            "window.close": (_Close, lambda a: self._close(a).record()),
            **clock_operations(rig.clock),
            "served": (Page, lambda a: served.report(a.after, a.limit)),
            "heartbeats": (Nothing, lambda _: {name: self._pulse(c) for name, c in connectors.items()}),
            "heartbeat.log": (Page, lambda a: heard.report(a.after, a.limit)),
            "heartbeat.latency": (_Latency, self._latency),
            "telemetry": (Nothing, lambda _: {"exposition": heard.exposition().decode()}),
            "tls.rotate": (Nothing, lambda _: secured(tls).rotate()),
            "tls.retire": (Nothing, lambda _: rig.conduct.retire(secured(tls))),
            "drain": (_Service, lambda a: self._drain(a.service, drained=True)),
            "resume": (_Service, lambda a: self._drain(a.service, drained=False)),
        }

    def handle(self, op: str, arguments: Mapping[str, Any]) -> Any:
        """Do one operation and return plain JSON values.

        Raises `UnknownOperationError`, and `ValueError` for arguments that are not the operation's or that the
        rules of a rotation drill refuse (`RotationError`).
        """
        return carry_out(self._operations, op, arguments, {"service": self._connectors})

    def _close(self, arguments: _Close) -> Window:
        return self._rig.close_window(arguments.window_id, arguments.service)

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
