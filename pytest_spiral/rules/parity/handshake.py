"""A handshake's reply in the normal form of the contract, and the checksum of that form."""

from typing import Any, Final

from pytest_spiral.model.exchange import Exchange
from pytest_spiral.rules.parity.differences import text_of
from pytest_spiral.rules.parity.normalise import checksum

_SESSION: Final = ("id", "credential_expiry", "issued_at")


def normalised_handshake(exchange: Exchange) -> dict[str, Any]:
    """What the contract keeps of a handshake: authenticated, session, accepted contexts by name, rotation; no empties.

    It is made of this one exchange. Session id and times are in it, so two real handshakes never have the same form:
    a checksum that matches the other side's is a copy. Source: `docs/transports.md`, Parity.
    """
    said = exchange.reply.payload if exchange.reply is not None else {}
    session = said.get("session")
    contexts = said.get("accepted_contexts")
    form: dict[str, Any] = _filled(
        {
            "authenticated": said.get("authenticated"),
            "session": {key: session.get(key) for key in _SESSION} if isinstance(session, dict) else session,
            "accepted_contexts": sorted(contexts, key=_name) if isinstance(contexts, list) else contexts,
            "rotation": said.get("rotation"),
        }
    )
    return form


def handshake_checksum(exchange: Exchange) -> str:
    """The checksum of that form: `sha256:` over JSON with sorted keys, separators `,` and `:`, ASCII escapes."""
    return checksum(normalised_handshake(exchange))


def _name(context: Any) -> str:
    return str(context.get("name")) if isinstance(context, dict) else text_of(context)


def _filled(value: Any) -> Any:
    """The value without empty members: null, empty texts, lists and objects. False and 0 say something."""
    if isinstance(value, dict):
        made = {key: _filled(one) for key, one in value.items()}
        return {key: one for key, one in made.items() if one is not None and one not in ("", [], {})}
    return [_filled(one) for one in value] if isinstance(value, list) else value
