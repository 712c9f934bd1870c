"""C4: the operator's MCP adapter shakes hands, beats and expires as promised; a missing sign of life wakes somebody."""

import asyncio
import json
import ssl
import uuid
from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pytest_spiral.model.exchange import Code
from pytest_spiral.model.session import CONTEXTS, EXPIRY, HEARTBEAT, Identity, Pulse
from pytest_spiral.rules.heartbeat import MISSING_HEARTBEAT, MISSING_LATENCY, Sign, heartbeat_alerts
from pytest_spiral.rules.session import stamp, window_opening

OPERATORS = ("operator_api", "operator_upload")
CROWN = "crown_handshake"
PULSE = Pulse("heart", 0, CONTEXTS[0])
UNKNOWN = "stage-z"
ROUNDS = 5
TOOLS = {"dispatch_command", "memory_query"}
ERAS = {"auto": "stateless", "legacy": "with an initialize handshake"}


# Handshake


@pytest.mark.criterion("C4.handshake")
def test_adapter_shakes_hands_and_beats(spiral, gateway):
    """Every connector grants sessions of their own with both contexts, and refuses a stranger and an unknown context.

    operator_api and operator_upload take heartbeats and agree with crown_handshake. An MCP client calls their tools.
    """
    gateway.need_rig()
    with spiral.measure("sessions") as m:
        granted = {
            (kind, one): gateway.attempt(gateway.adapter(one, kind).handshake) for kind in KINDS for one in SERVICES
        }
        ids = [session.id for session, _ in granted.values() if session]
        for (kind, service), (session, why) in granted.items():
            where = f"{service} {kind}"
            m.check(session and session.accepted == CONTEXTS, f"{where}: {why or session.refused} refused")
            m.check(session and ids.count(session.id) == 1, f"{where}: {why or 'another session has the same id'}")
            m.check(session and covers(session), f"{where}: {why or session.window} is not the window of this time")
            agreed = terms(session) == terms(granted[kind, CROWN][0])
            m.check(session and agreed, f"{where}: {why or terms(session)} is not what {CROWN} says")
            refused = gateway.attempt(
                gateway.adapter(service, kind, identity=stranger(gateway.other_than(service))).handshake
            )[1]
            m.check(refused == Code.PERMISSION_DENIED, f"{where}: a stranger is answered with {refused or 'a session'}")
            offered = gateway.attempt(gateway.adapter(service, kind, contexts=(CONTEXTS[0], UNKNOWN)).handshake)[0]
            m.check(offered and offered.refused == (UNKNOWN,), f"{where}: the context {UNKNOWN} is not refused")
    with spiral.measure("first-beats") as m:
        for kind in KINDS:
            for service in OPERATORS:
                adapter = gateway.adapter(service, kind)
                why = gateway.attempt(adapter.handshake)[1] or gateway.attempt(adapter.heartbeat, PULSE)[1]
                m.check(not why, f"{service} {kind}: {why}")
    with spiral.measure("tools") as m:
        eras = {mode: check_tools(m, spiral.target.operator, mode) for mode in ERAS}
    spiral.attach(json.dumps(eras, indent=2), "mcp_eras.json")


KINDS = ("rest", "grpc")
SERVICES = (CROWN, *OPERATORS)


def stranger(service):
    """The identity of another connector."""
    return Identity(service, "1.0.0", "acceptance")


def covers(session):
    """Whether the session was granted in the 48 hours of the rotation window that it names."""
    return bool(session.window) and timedelta(0) <= session.issued_at - window_opening(session.window) < EXPIRY


def terms(session):
    """What connectors have to agree on."""
    if session is None:
        return None
    return session.accepted, session.refused, session.expiry - session.issued_at, session.window


def check_tools(measure, operator, mode):
    """Five checks with a client of the Model Context Protocol; gives what was negotiated."""
    token = operator.ask("credential", operator="overseer")["token"]
    word = f"drill-{uuid.uuid4().hex}"
    try:
        found = asyncio.run(use_tools(operator.endpoints["rest"], token, mode, word))
    except Exception as error:  # noqa: BLE001 - the SDK raises groups of what went wrong
        found = {"era": f"none: {type(error).__name__}", "tools": [], "done": {}, "recalled": {}, "refused": False}
    done = [one for one in operator.ask("commands")["commands"] if one.get("command") == word]
    measure.check(found["era"][:2] == "20", f"{mode}: the protocol negotiated is {found['era']}")
    measure.check(set(found["tools"]) >= TOOLS, f"{mode}: the tools listed are {found['tools']}")
    ack = found["done"].get("result", {}).get("ack")
    measure.check(
        ack == word and len(done) == 1, f"{mode}: a command was acknowledged as {ack}, done {len(done)} times"
    )
    measure.check(word in str(found["recalled"].get("results")), f"{mode}: the command is not found in the memory")
    measure.check(found["refused"], f"{mode}: a command to nobody was not refused")
    return {"protocol_version": found["era"], "kind": ERAS[mode], "tools": sorted(found["tools"])}


async def use_tools(endpoint, token, mode, word):
    """What the SDK's own client gets: the era, the tools, and the answers of three calls."""
    import httpx2  # here, since both take a second, and every run of the suites imports this file
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client

    context = ssl.create_default_context(cafile=endpoint["ca"])
    context.load_cert_chain(endpoint["cert"], endpoint["key"])
    headers = {"authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(verify=context, headers=headers, trust_env=False, timeout=30) as http:
        way = streamable_http_client(f"{endpoint['address']}/mcp", http_client=http)
        async with Client(way, mode=mode) as client:
            said = {"operator": "overseer", "agent": "crown", "command": word}
            done = await client.call_tool("dispatch_command", said)
            refused = await client.call_tool("dispatch_command", {**said, "agent": "nobody"})
            recalled = await client.call_tool("memory_query", {"query": word})
            return {
                "era": client.protocol_version,
                "tools": [tool.name for tool in (await client.list_tools()).tools],
                "done": done.structured_content or {},
                "recalled": recalled.structured_content or {},
                "refused": refused.is_error and "PERMISSION_DENIED" in str(refused.content),
            }


# Expiry


def measure_expiry(spiral, gateway):
    """Deliver all that the promise of expiry asks for, over both transports."""
    gateway.need_rig()
    adapters, late = {}, {}
    with spiral.measure("expiry") as m:
        began = gateway.now()
        for kind in KINDS:
            for service in SERVICES:
                adapters[service, kind] = gateway.adapter(service, kind)
                # An adapter whose clock stands still does not notice that its session is over; the gateway has to.
                late[service, kind] = gateway.adapter(service, kind, now=lambda: began)
                session, why = gateway.attempt(adapters[service, kind].handshake)
                gateway.attempt(late[service, kind].handshake)
                lasts = session and session.expiry - session.issued_at
                m.check(lasts == EXPIRY, f"{service} {kind}: a session lasts {why or lasts}")
                made_up = stamp(began + 2 * EXPIRY)
                got = gateway.traced(kind, service, "heartbeat", gateway.heartbeat_payload(made_up))
                m.check(
                    gateway.said(got) == Code.UNAUTHENTICATED,
                    f"{service} {kind}: an expiry made up is {gateway.said(got)}",
                )
        gateway.rotate()
        for (service, kind), adapter in adapters.items():
            m.check(adapter.session is None, f"{service} {kind}: the adapter holds on to a session that is over")
            got = gateway.attempt(late[service, kind].heartbeat, PULSE)[1]
            m.check(got == Code.UNAUTHENTICATED, f"{service} {kind}: an expired session ends as {got or 'accepted'}")
            why = gateway.attempt(adapter.handshake)[1] or gateway.attempt(adapter.heartbeat, PULSE)[1]
            m.check(not why, f"{service} {kind}: after it no new session: {why}")


@pytest.mark.criterion("C4.expiry")
def test_sessions_expire(spiral, gateway):
    """A session's credential expires after 48 hours, and from then on the session is refused; a new one is granted."""
    measure_expiry(spiral, gateway)


@pytest.mark.criterion("C4.control")
def test_an_expired_session_that_is_accepted_is_found_out(spiral, gateway_of):
    """A gateway that takes heartbeats of expired sessions does not keep the promise of expiry."""
    with spiral.control() as lax:
        measure_expiry(spiral, gateway_of(lax.connectors))


# Heartbeat


@pytest.mark.criterion("C4.heartbeat")
def test_heartbeats_come_on_time_or_somebody_is_told(spiral, gateway):
    """Each heartbeat is counted once and when it was emitted; a missing one, or a missing latency, raises its alert."""
    gateway.need_rig()
    adapters = {(service, kind): gateway.adapter(service, kind) for service in OPERATORS for kind in KINDS}
    for (service, kind), adapter in adapters.items():
        if why := gateway.attempt(adapter.handshake)[1]:
            spiral.blocked(f"{service} gives no session over {kind}: {why}")
    with spiral.measure("beats") as m:
        for number in range(ROUNDS):
            gateway.advance(HEARTBEAT.total_seconds() if number else 0)
            for where, adapter in adapters.items():
                check_beat(m, gateway, adapter, number, where)
    with spiral.measure("alerts") as m:
        check_alerts(m, gateway, {service: adapters[service, "rest"] for service in OPERATORS})
    spiral.attach(gateway.ask("telemetry")["exposition"], "heartbeats.prom")


def check_beat(measure, gateway, adapter, number, where):
    """One heartbeat: accepted, counted once, when it was emitted, with a latency, and the next one due in 30 s."""
    before, now = len(gateway.beats()), gateway.now()
    due, why = gateway.attempt(adapter.heartbeat, Pulse("heart", number, CONTEXTS[number % 2]))
    counted = gateway.beats()[before:]
    measure.check(not why and due == now + HEARTBEAT, f"{where} beat {number}: {why or f'the next one is due {due}'}")
    seen = [(one["connector"], one["transport"], one["cycle_count"], one["context"]) for one in counted]
    measure.check(seen == [(*where, number, CONTEXTS[number % 2])], f"{where} beat {number}: counted as {seen}")
    on_time = bool(counted) and counted[0]["emitted_at"] == counted[0]["received_at"] == stamp(now)
    measure.check(on_time, f"{where} beat {number}: not counted when it was emitted")
    latency = counted[0]["latency_s"] if counted else None
    measure.check(latency is not None and latency > 0, f"{where} beat {number}: its latency is {latency}")


def check_alerts(measure, gateway, adapters):
    """Nothing is raised while all is well; then each omission raises the alert of its name, and only until it is made good."""

    def expect(when, *expected):
        raised = alerts(gateway)
        measure.check(raised == set(expected), f"{when}: {sorted(raised) or 'no alert'}")

    expect("all beat")
    for silent, adapter in adapters.items():
        for _ in range(2):
            gateway.advance(HEARTBEAT.total_seconds())
            for service, other in adapters.items():
                if service != silent:
                    other.heartbeat(PULSE)
        expect(f"{silent} missed two", (MISSING_HEARTBEAT, silent))
        adapter.heartbeat(PULSE)
        expect(f"{silent} beats again")
        gateway.ask("heartbeat.latency", service=silent, told=False)
        adapter.heartbeat(PULSE)
        expect(f"{silent} tells no latency", (MISSING_LATENCY, silent))
        gateway.ask("heartbeat.latency", service=silent, told=True)
        adapter.heartbeat(PULSE)
        expect(f"{silent} tells its latency again")


def alerts(gateway):
    """What the emitted metrics raise: pairs (alert, connector). Both connectors owe a sign of life."""
    said = {}
    for family in text_string_to_metric_families(gateway.ask("telemetry")["exposition"]):
        for sample in family.samples:
            said[sample.name, sample.labels.get("connector")] = sample.value
    signs = [
        Sign(
            one,
            said.get(("operator_mcp_heartbeat_timestamp_seconds", one)),
            said.get(("operator_mcp_heartbeat_latency_seconds", one)),
        )
        for one in OPERATORS
    ]
    now = said.get(("operator_mcp_clock_timestamp_seconds", None))
    return {(alert.name, alert.connector) for alert in heartbeat_alerts(signs, now)}


# Traces


@pytest.mark.criterion("C4.traces")
def test_traces_of_both_transports_match(spiral, gateway):
    """Each connector's operations, good and refused, are traced over REST and gRPC, and both say the same."""
    with (
        spiral.measure("rest-said") as rest,
        spiral.measure("grpc-said") as grpc,
        spiral.measure("answered") as answered,
    ):
        for service in SERVICES:
            for name, *question, expected in gateway.questions(service):
                sides, effects = gateway.asked(service, question)
                for exchange in sides:
                    got = gateway.said(exchange)
                    answered.check(got == expected, f"{service} {name} {exchange.transport}: {got}")
                spiral.compare(*sides, f"{service} {name}", effects=effects).feed(rest, grpc)
