"""Rotation windows and the ledger of rotations.

A window is named by its opening instant and its length, such as `20250926T180300Z-PT48H`, and covers the 48 hours
from that instant. A service has at most one open window, and a window holds at most one rotation.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from spiral_sandbox.connectors.clock import stamp

WINDOW = timedelta(hours=48)
DURATION = "PT48H"
_COMPACT = str.maketrans("", "", "-:")
_WINDOW_ID = re.compile(r"(\d{8}T\d{6})Z-PT48H", re.ASCII)


class RotationError(ValueError):
    """A step of a rotation drill that its rules refuse."""


@dataclass(frozen=True, slots=True)
class Window:
    """A record of the rotation ledger. Fingerprints are None until a rotation, `closed_at` until it closes."""

    service: str
    opened_at: datetime
    closed_at: datetime | None = None
    rotated_at: datetime | None = None
    old_fingerprint: str | None = None
    new_fingerprint: str | None = None

    @property
    def window_id(self) -> str:
        """The name, unique among the windows of a service."""
        return print_window_id(self.opened_at)

    @property
    def covers_until(self) -> datetime:
        """The end of the 48 hours that the window claims to cover."""
        return self.opened_at + WINDOW

    def record(self) -> dict[str, str | None]:
        """The record as JSON values; instants are RFC 3339 texts."""
        return {
            "service": self.service,
            "window_id": self.window_id,
            "opened_at": stamp(self.opened_at),
            "covers_from": stamp(self.opened_at),
            "covers_until": stamp(self.covers_until),
            "closed_at": stamp(self.closed_at) if self.closed_at else None,
            "rotated_at": stamp(self.rotated_at) if self.rotated_at else None,
            "old_fingerprint": self.old_fingerprint,
            "new_fingerprint": self.new_fingerprint,
        }


class RotationLedger:
    """The windows of all services in the order of opening; records are completed, never taken out."""

    def __init__(self) -> None:
        self._windows: list[Window] = []

    def windows(self, service: str | None = None) -> Sequence[Window]:
        """All windows, or those of one service, in the order of opening."""
        return tuple(w for w in self._windows if service in (None, w.service))

    def newest(self, service: str) -> Window | None:
        """The service's newest window, open or closed."""
        return next((w for w in reversed(self._windows) if w.service == service), None)

    def open(self, service: str, at: datetime) -> Window:
        """Open a window; raises `RotationError` while another one of the service is open."""
        newest = self.newest(service)
        if newest is not None and newest.closed_at is None:
            raise RotationError(f"window {newest.window_id} of {service} is still open; close it first")
        window = Window(service, at)
        self._windows.append(window)
        return window

    def close(self, window: Window, now: datetime) -> Window:
        """Close an open window; raises `RotationError` before its 48 hours have passed, or if it is closed."""
        if window.closed_at is not None:
            raise RotationError(f"window {window.window_id} of {window.service} is closed already")
        if now < window.covers_until:
            raise RotationError(
                f"window {window.window_id} of {window.service} covers the time until "
                f"{stamp(window.covers_until)}, and it is only {stamp(now)}; it cannot close yet"
            )
        return self._complete(window, replace(window, closed_at=now))

    def record(self, window: Window, at: datetime, old_fingerprint: str, new_fingerprint: str) -> Window:
        """Write a rotation into its window; raises `RotationError` if the window has one already."""
        if window.rotated_at is not None:
            raise RotationError(f"window {window.window_id} of {window.service} holds a rotation already")
        rotated = replace(window, rotated_at=at, old_fingerprint=old_fingerprint, new_fingerprint=new_fingerprint)
        return self._complete(window, rotated)

    def find(self, window_id: str, service: str | None = None) -> Window:
        """The one window of that name; raises `RotationError` where none, or one of several services, has it."""
        parse_window_id(window_id)
        found = [w for w in self.windows(service) if w.window_id == window_id]
        if not found:
            raise RotationError(f"no window {window_id} was opened" + (f" for {service}" if service else ""))
        if len(found) > 1:
            owners = ", ".join(w.service for w in found)
            raise RotationError(f"window {window_id} was opened for {owners}; name the service")
        return found[0]

    def _complete(self, before: Window, after: Window) -> Window:
        self._windows[self._windows.index(before)] = after
        return after


def print_window_id(opened_at: datetime) -> str:
    """The name of the window that opened then."""
    return f"{stamp(opened_at).translate(_COMPACT)}-{DURATION}"


def parse_window_id(text: str) -> datetime:
    """The opening instant that a window's name holds; raises `RotationError` for any other text."""
    match = _WINDOW_ID.fullmatch(text)
    if match is None:
        raise RotationError(f"not the name of a rotation window: {text[:40]!r}")
    try:
        return datetime.strptime(match[1], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    except ValueError as error:
        raise RotationError(f"not an instant of the calendar: {text}") from error
