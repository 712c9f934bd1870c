"""What the operator of the rig does: hold the tokens, rotate them, open and close windows."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from spiral_sandbox.connectors.clock import VirtualClock, stamp
from spiral_sandbox.connectors.conduct import Conduct
from spiral_sandbox.connectors.credentials import LIFETIME, Issued, Register, check_overlap
from spiral_sandbox.connectors.rotation import RotationError, RotationLedger, Window


@dataclass(frozen=True, slots=True)
class Rig:
    """The operator's side. The tokens in `held` are in this process' memory only, and leave it by the control channel."""

    clock: VirtualClock
    register: Register
    ledger: RotationLedger
    conduct: Conduct
    held: dict[str, Issued]

    def credential(self, service: str) -> dict[str, Any]:
        """The service's current credential with its token, valid or not."""
        return self._shown(self.held[service])

    def issue(self, service: str, lifetime: timedelta = LIFETIME) -> dict[str, Any]:
        """One more credential of a service, beside the current one."""
        return self._shown(self.register.issue(service, self.clock.now(), lifetime, current=False))

    def renew(self, service: str) -> dict[str, Any]:
        """A new current credential in the place of one that has ended, without a rotation.

        Raises `RotationError` while the current one is valid: that one is to be rotated.
        """
        now = self.clock.now()
        if self.register.current(service).flaw(now) is None:
            raise RotationError(f"the credential of {service} is still valid; rotate it instead")
        self.held[service] = self.register.issue(service, now)
        return self.credential(service)

    def open_window(self, service: str) -> Window:
        """Open the service's next window; raises `RotationError` while one is open."""
        opening = self.conduct.opening(self.clock.now(), self.ledger.newest(service))
        return self.ledger.open(service, opening)

    def close_window(self, window_id: str, service: str | None = None) -> Window:
        """Close a window; raises `RotationError` before its 48 hours have passed."""
        return self.ledger.close(self.ledger.find(window_id, service), self.clock.now())

    def rotate(self, service: str, overlap: timedelta) -> dict[str, Any]:
        """Rotate a service's credential in its open window, or in a new one, and report it.

        An open window whose 48 hours have passed is closed first. Raises `RotationError` where the open window
        holds a rotation already, and `ValueError` for an impossible overlap; nothing has changed then.
        """
        now = self.clock.now()
        check_overlap(overlap)
        window = self._window_for_rotation(service, now)
        rotated = self.conduct.rotate(self.register, self.held[service], now, overlap)
        self.held[service] = rotated.fresh
        fresh = rotated.fresh.credential
        self.ledger.record(window, now, rotated.old.fingerprint, fresh.fingerprint)
        return {
            "service": service,
            "window_id": window.window_id,
            "opened_at": stamp(window.opened_at),
            "rotated_at": stamp(now),
            "overlap_until": stamp(min(now + overlap, rotated.old.expires_at)),
            "expires_at": stamp(fresh.expires_at),
            "old_fingerprint": rotated.old.fingerprint,
            "new_fingerprint": fresh.fingerprint,
            "token": rotated.fresh.token,
        }

    def _window_for_rotation(self, service: str, now: datetime) -> Window:
        newest = self.ledger.newest(service)
        if newest is None or newest.closed_at is not None:
            return self.open_window(service)
        if now >= newest.covers_until:
            self.ledger.close(newest, now)
            return self.open_window(service)
        if newest.rotated_at is not None:
            raise RotationError(
                f"window {newest.window_id} of {service} holds a rotation already, "
                f"and covers the time until {stamp(newest.covers_until)}"
            )
        return newest

    def _shown(self, issued: Issued) -> dict[str, Any]:
        credential, now = issued.credential, self.clock.now()
        return {
            "service": credential.service,
            "token": issued.token,
            "issued_at": stamp(credential.issued_at),
            "expires_at": stamp(credential.expires_at),
            "fingerprint": credential.fingerprint,
            "valid": credential.flaw(now) is None,
        }
