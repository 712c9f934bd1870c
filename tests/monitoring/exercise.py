"""What is done to the sandbox so that each of its metrics has something to say; `transport` opens one by kind and service."""

from pytest_spiral.errors import ExchangeError
from pytest_spiral.model.exchange import Request

KINDS = ("rest", "grpc")
CONNECTORS = ("operator_api", "operator_upload", "crown_handshake")
CONTEXT = "stage-b-rehearsal"


def bearer(shown):
    return {"authorization": f"Bearer {shown['token']}"}


def use_operator(ask, transport):
    """Commands over both transports, one in two of them refused, and one that takes the way over REST."""
    metadata = bearer(ask("credential", operator="overseer"))
    good = {"operator": "overseer", "agent": "crown", "command": "hold the line"}
    for kind in KINDS:
        for payload in (good, {}):
            request = Request(operation="dispatch_command", payload=payload, metadata=metadata)
            try:
                transport(kind).exchange(request)
            except ExchangeError:
                assert not payload
    ask("grpc.fail", way="detour")
    transport("grpc").exchange(Request(operation="dispatch_command", payload=good, metadata=metadata))
    ask("grpc.heal")


def use_memory(ask, transport):
    """Init and a search over both transports."""
    ask("configure", items=50)
    for kind in KINDS:
        for operation, payload in (("vector_init", {}), ("vector_search", {"text": "a quiet word", "top_n": 3})):
            transport(kind).exchange(Request(operation=operation, payload=payload))


def use_connectors(ask, transport, silent=()):
    """A session and a heartbeat of each connector over both transports; silent hearts have the session alone."""
    for service in CONNECTORS:
        metadata = bearer(ask("credential", service=service))
        for kind in KINDS:
            opened = Request(operation="handshake", payload=handshake(service), metadata=metadata)
            session = transport(kind, service).exchange(opened).payload["session"]
            if service not in silent:
                beat = Request(operation="heartbeat", payload=heartbeat(session), metadata=metadata)
                transport(kind, service).exchange(beat)


def handshake(service):
    return {
        "identity": {"connector_id": service, "version": "1.2.3", "instance": "rehearsal-1"},
        "supported_contexts": [{"name": CONTEXT, "channels": ["audio"], "capabilities": ["replay"]}],
        "rotation": {"last_rotated": "", "rotation_window": "PT48H", "supports_hot_swap": True, "token_hint": ""},
    }


def heartbeat(session):
    return {
        "chakra": "root",
        "cycle_count": 1,
        "context": CONTEXT,
        "credential_expiry": session["credential_expiry"],
        "emitted_at": session["issued_at"],
    }
