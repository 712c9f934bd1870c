"""C5: REST and gRPC handshakes agree, each from an exchange of its own; a field changed on one side is named."""

import pytest

from pytest_spiral.model.exchange import Code
from pytest_spiral.rules.parity import handshake_checksum
from pytest_spiral.rules.session import parse_instant

HOURS_48_S = 48 * 3600


def measure_parity(spiral, gateway):
    """Shake hands with each connector over both transports and compare; gives where each one differs, in a sentence."""
    found = {}
    with (
        spiral.measure("rest-handshake") as rest,
        spiral.measure("grpc-handshake") as grpc,
        spiral.measure("own") as own,
    ):
        for service in gateway.services:
            payload = gateway.handshake_payload(service)
            left, right = (gateway.traced(kind, service, "handshake", payload) for kind in gateway.kinds)
            check_own(own, service, left, right)
            compared = spiral.compare(left, right, service)
            found[service] = compared.why
            compared.feed(rest, grpc)
    return found


def check_own(measure, service, left, right):
    """Six checks: two exchanges that share nothing, each with a session of up to 48 hours and a checksum of its own."""
    sessions = [session_of(one) for one in (left, right)]
    pairs = {
        "request id": (left.id, right.id),
        "session id": tuple(one.get("id") for one in sessions),
        "time": (left.sent_ns, right.sent_ns),
        "checksum": (handshake_checksum(left), handshake_checksum(right)),
    }
    for name, (one, other) in pairs.items():
        measure.check(one and other and one != other, f"{service}: each side needs a {name} of its own: {one}, {other}")
    latencies = [one.done_ns - one.sent_ns for one in (left, right)]
    measure.check(min(latencies) > 0 and latencies[0] != latencies[1], f"{service}: the latencies are {latencies} ns")
    lasting = [lasts_s(one) for one in sessions]
    within = all(seconds is not None and 0 < seconds <= HOURS_48_S for seconds in lasting)
    measure.check(within, f"{service}: the sessions last {lasting} s")


def session_of(exchange):
    """What a handshake says of its session."""
    answered = exchange.reply is not None and exchange.reply.code is Code.OK
    return exchange.reply.payload.get("session", {}) if answered else {}


def lasts_s(session):
    """Seconds from issue to expiry; None where it does not say both."""
    instants = [session.get(key) for key in ("issued_at", "credential_expiry")]
    if not all(instants):
        return None
    issued, expiry = map(parse_instant, instants)
    return (expiry - issued).total_seconds()


@pytest.mark.criterion("C5.handshake-parity")
def test_handshakes_agree(spiral, gateway):
    """Each connector's handshakes over REST and gRPC say the same, each with its own id, time, latency and expiry."""
    measure_parity(spiral, gateway)


@pytest.mark.criterion("C5.control")
def test_a_field_changed_on_one_side_is_named(spiral, gateway_of):
    """Where gRPC tells another time of rotation than REST, the handshakes do not agree, and that field is named."""
    with spiral.control() as changed:
        found = measure_parity(spiral, gateway_of(changed.connectors))
    for service, why in found.items():
        assert "/payload/rotation/last_rotated" in why, f"{service}: what differs is not named: {why}"
