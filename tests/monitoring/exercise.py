"""What is done to the sandbox so that each of its metrics has something to say; `transport` opens one by kind and service."""

from pytest_spiral.errors import ExchangeError
from pytest_spiral.model.exchange import Request

KINDS = ("rest", "grpc")
CONNECTORS = ("operator_api", "operator_upload", "crown_handshake")
BEAT = {
    "chakra": "root",
    "cycle_count": 1,
    "context": "stage-b-rehearsal",
    "credential_expiry": "2099-01-01T00:00:00Z",
    "emitted_at": "2026-09-26T18:03:00Z",
}


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
    """A heartbeat of each connector over both transports."""
    for service in CONNECTORS:
        metadata = bearer(ask("credential", service=service))
        for kind in KINDS if service not in silent else ():
            transport(kind, service).exchange(Request(operation="heartbeat", payload=BEAT, metadata=metadata))
