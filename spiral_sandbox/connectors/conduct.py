"""How the connectors behave where a fault plan can make them behave otherwise: the one seam for faults."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from spiral_sandbox.connectors.credentials import Admission, Credential, Issued, Register, Rotated
from spiral_sandbox.connectors.refusal import Code, Refusal
from spiral_sandbox.connectors.rotation import Window
from spiral_sandbox.hot_tls import OLDEST_S, HotTls
from spiral_sandbox.tls import fingerprint


class Conduct:
    """Sound conduct; a fault plan is a class that overrides some of these and leaves the others as they are."""

    def refusal(self, service: str) -> Refusal | None:
        """Why a service answers no call at this moment; None when it does."""
        del service
        return None

    def admission(self, found: Admission, current: Credential) -> Admission:
        """What is made of a verification; `current` is the service's current credential."""
        del current
        return found

    def rotate(self, register: Register, held: Issued, now: datetime, overlap: timedelta) -> Rotated:
        """Replace the credential that the operator holds."""
        return register.rotate(held.credential.service, now, overlap)

    def opening(self, now: datetime, newest: Window | None) -> datetime:
        """When the window after `newest` opens."""
        del newest
        return now

    def is_identity(self, claimed: str, own: str) -> bool:
        """Whether a handshake's identity is the connector's own."""
        return claimed == own

    def is_context(self, offered: str, promoted: str) -> bool:
        """Whether an offered context is this promoted one."""
        return offered == promoted

    def handshake(self, service: str, transport: str, reply: dict[str, Any]) -> dict[str, Any]:
        """What is said over a transport of a handshake that was made."""
        del service, transport
        return reply

    def ends_sessions(self) -> bool:
        """Whether a heartbeat of a session that has expired is refused."""
        return True

    def hears_heartbeat(self) -> bool:
        """Whether the heartbeat that was just accepted is counted."""
        return True

    def times_heartbeats(self) -> bool:
        """Whether a heartbeat's latency is told."""
        return True

    def retire(self, tls: HotTls) -> dict[str, Any]:
        """Retire the old certificates of a rotation."""
        return tls.retire()


class _RotationWithoutChange(Conduct):
    def rotate(self, register: Register, held: Issued, now: datetime, overlap: timedelta) -> Rotated:
        del register, now, overlap
        return Rotated(held.credential, held)


class _OperatorApiUnavailable(Conduct):
    def refusal(self, service: str) -> Refusal | None:
        if service == "operator_api":
            return Refusal(Code.UNAVAILABLE, "unavailable", "operator_api is out of service")
        return super().refusal(service)


class _AcceptsAnything(Conduct):
    def admission(self, found: Admission, current: Credential) -> Admission:
        del found
        return current


class _DropsInRotation(Conduct):
    def __init__(self) -> None:
        super().__init__()
        self._caught: set[str] = set()

    def rotate(self, register: Register, held: Issued, now: datetime, overlap: timedelta) -> Rotated:
        self._caught.add(held.credential.service)
        return super().rotate(register, held, now, overlap)

    def refusal(self, service: str) -> Refusal | None:
        if service in self._caught:
            self._caught.remove(service)
            return Refusal(Code.INTERNAL, "rotation", "the call was lost while the credential rotated")
        return super().refusal(service)


class _OverlappingWindows(Conduct):
    def opening(self, now: datetime, newest: Window | None) -> datetime:
        if newest is None or newest.closed_at is None:
            return super().opening(now, newest)
        return newest.closed_at - timedelta(hours=1)


class _NoExpiry(Conduct):
    def handshake(self, service: str, transport: str, reply: dict[str, Any]) -> dict[str, Any]:
        said = super().handshake(service, transport, reply)
        return {**said, "session": {**said["session"], "credential_expiry": ""}}


class _ExpiredAccepted(Conduct):
    def ends_sessions(self) -> bool:
        return False


class _AnyIdentity(Conduct):
    def is_identity(self, claimed: str, own: str) -> bool:
        del claimed, own
        return True


class _ContextRefused(Conduct):
    def is_context(self, offered: str, promoted: str) -> bool:
        return super().is_context(offered, promoted) and offered != "stage-c-prep"


class _AnyContext(Conduct):
    def is_context(self, offered: str, promoted: str) -> bool:
        del offered, promoted
        return True


class _HeartbeatMissed(Conduct):
    def __init__(self) -> None:
        super().__init__()
        self._accepted = 0

    def hears_heartbeat(self) -> bool:
        self._accepted += 1
        return self._accepted % 3 != 0 and super().hears_heartbeat()


class _LatencyMissing(Conduct):
    def times_heartbeats(self) -> bool:
        return False


class _CopiedHandshake(Conduct):
    def __init__(self) -> None:
        super().__init__()
        self._rest: dict[str, dict[str, Any]] = {}

    def handshake(self, service: str, transport: str, reply: dict[str, Any]) -> dict[str, Any]:
        said = super().handshake(service, transport, reply)
        if transport == "rest":
            self._rest[service] = said
        return self._rest.get(service, said)


class _ExpiryAsRotation(Conduct):
    def handshake(self, service: str, transport: str, reply: dict[str, Any]) -> dict[str, Any]:
        said = super().handshake(service, transport, reply)
        if transport != "grpc":
            return said
        return {**said, "rotation": {**said["rotation"], "last_rotated": said["session"]["credential_expiry"]}}


class _KeepsOldCertificates(Conduct):
    def retire(self, tls: HotTls) -> dict[str, Any]:
        return {"authority": fingerprint(tls.files.ca.read_bytes()), "oldest_connection_s": OLDEST_S}


_PLANS: dict[str, type[Conduct]] = {
    "connectors.rotation-without-change": _RotationWithoutChange,
    "connectors.operator-api-503": _OperatorApiUnavailable,
    "connectors.accepts-anything": _AcceptsAnything,
    "connectors.drops-in-rotation": _DropsInRotation,
    "connectors.overlapping-windows": _OverlappingWindows,
    "connectors.no-expiry": _NoExpiry,
    "connectors.expired-accepted": _ExpiredAccepted,
    "connectors.any-identity": _AnyIdentity,
    "connectors.context-refused": _ContextRefused,
    "connectors.any-context": _AnyContext,
    "connectors.heartbeat-missed": _HeartbeatMissed,
    "connectors.latency-missing": _LatencyMissing,
    "connectors.copied-handshake": _CopiedHandshake,
    "connectors.expiry-as-rotation": _ExpiryAsRotation,
    "connectors.keeps-old-certificates": _KeepsOldCertificates,
}


def conduct_under(faults: Iterable[str]) -> Conduct:
    """The conduct under these fault plans, all at once; raises `ValueError` for a plan that is not known."""
    plans = []
    for name in sorted(set(faults), reverse=True):
        if name not in _PLANS:
            raise ValueError(f"no fault plan {name!r} for the connectors; known: {', '.join(_PLANS)}")
        plans.append(_PLANS[name])
    # One class of them all: `super()` in a plan is the plan after it, and in the last one the sound conduct.
    conduct: Conduct = type("Faulty", (*plans, Conduct), {})()
    return conduct
