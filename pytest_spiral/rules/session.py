"""Reading a gateway's handshake: what does not say all that a session needs is no session."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

import msgspec

from pytest_spiral.errors import SessionError
from pytest_spiral.model.session import ROTATION_WINDOW, Identity, Session

_WINDOW: Final = re.compile(r"(\d{8}T\d{6})Z-PT48H", re.ASCII)
_Text = Annotated[str, msgspec.Meta(min_length=1)]


class _Granted(msgspec.Struct, frozen=True):
    id: _Text
    issued_at: _Text
    credential_expiry: _Text


class _Context(msgspec.Struct, frozen=True):
    name: _Text
    status: Literal["accepted", "refused"]


class _Rotation(msgspec.Struct, frozen=True):
    connector_id: str
    rotation_window: str
    window_id: str = ""


class _Handshake(msgspec.Struct, frozen=True):
    authenticated: bool
    session: _Granted
    accepted_contexts: tuple[_Context, ...]
    rotation: _Rotation


def handshake_request(identity: Identity, contexts: Sequence[str], last_rotated: str = "") -> dict[str, Any]:
    """The fields of a handshake's request, for these contexts over both transports. Source: `spiral_contract/connectors.proto`."""
    return {
        "identity": {
            "connector_id": identity.connector_id,
            "version": identity.version,
            "instance": identity.instance,
        },
        "supported_contexts": [
            {"name": name, "channels": ["rest", "grpc"], "capabilities": ["heartbeat"]} for name in contexts
        ],
        "rotation": {
            "rotation_window": ROTATION_WINDOW,
            "supports_hot_swap": True,
            **({"last_rotated": last_rotated} if last_rotated else {}),
        },
    }


def session_of(reply: Mapping[str, Any], identity: Identity, offered: Sequence[str], now: datetime) -> Session:
    """The session that a reply grants.

    Raises SessionError where it was not authenticated, lacks an id, an instant or the answer to an offered context,
    answers for another connector or to what was not offered, or is over already.
    """
    try:
        said = msgspec.convert(dict(reply), _Handshake)
    except msgspec.ValidationError as error:
        raise SessionError(f"the gateway's handshake cannot be read: {error}") from error
    if not said.authenticated:
        raise SessionError("the gateway did not authenticate the handshake")
    if said.rotation.connector_id != identity.connector_id:
        raise SessionError(f"the gateway answers for {said.rotation.connector_id!r}, not for {identity.connector_id!r}")
    if said.rotation.rotation_window != ROTATION_WINDOW:
        raise SessionError(f"the gateway's rotation window is {said.rotation.rotation_window!r}, not {ROTATION_WINDOW}")
    answered = [context.name for context in said.accepted_contexts]
    if sorted(answered) != sorted(offered):
        raise SessionError(f"the gateway answered to the contexts {answered}, and {list(offered)} were offered")
    if said.rotation.window_id:
        window_opening(said.rotation.window_id)
    session = Session(
        id=said.session.id,
        connector_id=identity.connector_id,
        issued_at=parse_instant(said.session.issued_at),
        expiry=parse_instant(said.session.credential_expiry),
        accepted=_named(said, "accepted"),
        refused=_named(said, "refused"),
        window=said.rotation.window_id,
    )
    if session.is_over(now):
        raise SessionError(f"the gateway's session was over at {stamp(session.expiry)}, before it was granted")
    return session


def window_opening(window_id: str) -> datetime:
    """When a rotation window such as `20250926T180300Z-PT48H` opens; SessionError for any other text."""
    match = _WINDOW.fullmatch(window_id)
    try:
        if match is not None:
            return datetime.strptime(match[1], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    except ValueError as error:
        raise SessionError(f"{window_id!r} names no instant of the calendar") from error
    raise SessionError(f"{window_id[:40]!r} is no rotation window, such as 20250926T180300Z-PT48H")


def parse_instant(text: str) -> datetime:
    """The aware instant of an RFC 3339 text; SessionError for any other text."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise SessionError(f"{text[:40]!r} is no RFC 3339 instant") from error
    if instant.tzinfo is None:
        raise SessionError(f"{text!r} does not say its time zone")
    return instant.astimezone(UTC)


def stamp(instant: datetime) -> str:
    """An aware instant as RFC 3339 text in UTC, to the second."""
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _named(said: _Handshake, status: str) -> tuple[str, ...]:
    return tuple(sorted(context.name for context in said.accepted_contexts if context.status == status))
