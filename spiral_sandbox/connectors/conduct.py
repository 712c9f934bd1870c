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
    """Sound conduct; a fault plan overrides one of these and leaves the others as they are."""

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

    def retire(self, tls: HotTls) -> dict[str, Any]:
        """Retire the old certificates of a rotation."""
        return tls.retire()


class _Plan(Conduct):
    """A fault plan over a conduct: all that it does not override is that conduct's."""

    def __init__(self, inner: Conduct) -> None:
        self._inner = inner

    def refusal(self, service: str) -> Refusal | None:
        return self._inner.refusal(service)

    def admission(self, found: Admission, current: Credential) -> Admission:
        return self._inner.admission(found, current)

    def rotate(self, register: Register, held: Issued, now: datetime, overlap: timedelta) -> Rotated:
        return self._inner.rotate(register, held, now, overlap)

    def opening(self, now: datetime, newest: Window | None) -> datetime:
        return self._inner.opening(now, newest)

    def retire(self, tls: HotTls) -> dict[str, Any]:
        return self._inner.retire(tls)


class _RotationWithoutChange(_Plan):
    def rotate(self, register: Register, held: Issued, now: datetime, overlap: timedelta) -> Rotated:
        del register, now, overlap
        return Rotated(held.credential, held)


class _OperatorApiUnavailable(_Plan):
    def refusal(self, service: str) -> Refusal | None:
        if service == "operator_api":
            return Refusal(Code.UNAVAILABLE, "unavailable", "operator_api is out of service")
        return super().refusal(service)


class _AcceptsAnything(_Plan):
    def admission(self, found: Admission, current: Credential) -> Admission:
        del found
        return current


class _DropsInRotation(_Plan):
    def __init__(self, inner: Conduct) -> None:
        super().__init__(inner)
        self._caught: set[str] = set()

    def rotate(self, register: Register, held: Issued, now: datetime, overlap: timedelta) -> Rotated:
        self._caught.add(held.credential.service)
        return super().rotate(register, held, now, overlap)

    def refusal(self, service: str) -> Refusal | None:
        if service in self._caught:
            self._caught.remove(service)
            return Refusal(Code.INTERNAL, "rotation", "the call was lost while the credential rotated")
        return super().refusal(service)


class _OverlappingWindows(_Plan):
    def opening(self, now: datetime, newest: Window | None) -> datetime:
        if newest is None or newest.closed_at is None:
            return super().opening(now, newest)
        return newest.closed_at - timedelta(hours=1)


class _KeepsOldCertificates(_Plan):
    def retire(self, tls: HotTls) -> dict[str, Any]:
        return {"authority": fingerprint(tls.files.ca.read_bytes()), "oldest_connection_s": OLDEST_S}


_PLANS: dict[str, type[_Plan]] = {
    "connectors.rotation-without-change": _RotationWithoutChange,
    "connectors.operator-api-503": _OperatorApiUnavailable,
    "connectors.accepts-anything": _AcceptsAnything,
    "connectors.drops-in-rotation": _DropsInRotation,
    "connectors.overlapping-windows": _OverlappingWindows,
    "connectors.keeps-old-certificates": _KeepsOldCertificates,
}


def conduct_under(faults: Iterable[str]) -> Conduct:
    """The conduct under these fault plans, all at once; raises `ValueError` for a plan that is not known."""
    conduct = Conduct()
    for name in sorted(faults):
        if name not in _PLANS:
            raise ValueError(f"no fault plan {name!r} for the connectors; known: {', '.join(_PLANS)}")
        conduct = _PLANS[name](conduct)
    return conduct
