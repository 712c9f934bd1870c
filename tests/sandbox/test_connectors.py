"""The connectors of the embedded system: pure rules by property, surfaces over real sockets in real processes."""

import itertools
import json
import re
import threading
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import grpc
import pytest
import requests
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from spiral_contract import connectors_pb2 as pb
from spiral_contract import connectors_pb2_grpc as pb_grpc
from spiral_contract.operations import OPERATIONS
from spiral_sandbox import target
from spiral_sandbox.connectors import surface_grpc, surface_rest
from spiral_sandbox.connectors.clock import VirtualClock, parse_instant, seeded_start, stamp
from spiral_sandbox.connectors.conduct import conduct_under
from spiral_sandbox.connectors.credentials import LIFETIME, Credential, Flaw, Register, bearer_token
from spiral_sandbox.connectors.refusal import Code
from spiral_sandbox.connectors.rotation import RotationError, RotationLedger, parse_window_id, print_window_id
from spiral_sandbox.connectors.served import Served, ServedLog
from spiral_sandbox.connectors.service import SERVICES, build

TRANSPORTS = ("rest", "grpc")
HOUR = 3600
T0 = datetime(2026, 9, 26, 18, 3, tzinfo=UTC)
IDS = itertools.count(1)
FAULTS = (
    "connectors.rotation-without-change",
    "connectors.operator-api-503",
    "connectors.accepts-anything",
    "connectors.drops-in-rotation",
    "connectors.overlapping-windows",
    "connectors.keeps-old-certificates",
)
SESSION_FAULTS = (  # seen in test_sessions.py
    "connectors.no-expiry",
    "connectors.expired-accepted",
    "connectors.any-identity",
    "connectors.context-refused",
    "connectors.any-context",
    "connectors.heartbeat-missed",
    "connectors.latency-missing",
    "connectors.copied-handshake",
    "connectors.expiry-as-rotation",
)

# --- clients: one call, told as (code, reason, reply) on either transport -------------------------------------


def handshake_of(service):
    return {
        "identity": {"connector_id": service, "version": "1.2.3", "instance": "rehearsal-1"},
        "supported_contexts": [
            {"name": "stage-b-rehearsal", "channels": ["audio"], "capabilities": ["replay"]},
            {"name": "stage-c-prep", "channels": [], "capabilities": []},
        ],
        "rotation": {"last_rotated": "", "rotation_window": "PT48H", "supports_hot_swap": True, "token_hint": ""},
    }


def heartbeat_of(_service):
    return {
        "chakra": "root",
        "cycle_count": 7,
        "context": "stage-b-rehearsal",
        "credential_expiry": "2099-01-01T00:00:00Z",
        "emitted_at": "2026-09-26T18:03:00Z",
    }


def payload_of(operation, service):
    return {"health": lambda _: {}, "handshake": handshake_of, "heartbeat": heartbeat_of}[operation](service)


class Rest:
    """A keep-alive session with one service."""

    def __init__(self, endpoint):
        self.session = requests.Session()
        self.session.trust_env = False
        self.address = endpoint["address"]
        if "ca" in endpoint:
            self.session.verify, self.session.cert = endpoint["ca"], (endpoint["cert"], endpoint["key"])

    def call(self, operation, payload, authorization=None, request_id=None):
        headers = {"x-request-id": request_id or f"rest-{next(IDS)}"}
        if authorization is not None:
            headers["authorization"] = authorization
        row = OPERATIONS[operation]
        if row.rest_method == "GET":
            fields = {"params": payload}
        else:
            fields = {"data": json.dumps(payload) if isinstance(payload, dict) else payload}
        url = self.address + row.rest_path
        reply = self.session.request(row.rest_method, url, headers=headers, timeout=10, **fields)
        return reply.status_code, reply.json().get("reason"), reply.json()

    def close(self):
        self.session.close()


STATUS = {"OK": 200, "INVALID_ARGUMENT": 400, "UNAUTHENTICATED": 401, "PERMISSION_DENIED": 403, "NOT_FOUND": 404}
STATUS |= {"RESOURCE_EXHAUSTED": 413, "INTERNAL": 500, "UNAVAILABLE": 503}


class Rpc:
    """A channel to one service; statuses are told as the HTTP statuses that mean the same."""

    def __init__(self, endpoint):
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]
        if "ca" in endpoint:
            read = [Path(endpoint[part]).read_bytes() for part in ("ca", "key", "cert")]
            secured = grpc.ssl_channel_credentials(*read)
            self.channel = grpc.secure_channel(endpoint["address"], secured, options)
        else:
            self.channel = grpc.insecure_channel(endpoint["address"], options)
        connector = pb_grpc.ConnectorStub(self.channel)
        self.methods = {
            "health": (health_pb2_grpc.HealthStub(self.channel).Check, health_pb2.HealthCheckRequest),
            "handshake": (connector.Handshake, pb.HandshakeRequest),
            "heartbeat": (connector.Heartbeat, pb.HeartbeatRequest),
        }

    def call(self, operation, payload, authorization=None, request_id=None):
        metadata = [("x-request-id", request_id or f"grpc-{next(IDS)}")]
        if authorization is not None:
            metadata.append(("authorization", authorization))
        method, message = self.methods[operation]
        try:
            reply = method(message(**payload), metadata=metadata, timeout=10)
        except grpc.RpcError as error:
            trailing = dict(error.trailing_metadata())
            return STATUS[error.code().name], trailing.get("spiral-reason"), None
        return 200, None, plain(reply)

    def close(self):
        self.channel.close()


def plain(message):
    if isinstance(message, health_pb2.HealthCheckResponse):
        return {"status": health_pb2.HealthCheckResponse.ServingStatus.Name(message.status)}
    return {
        field.name: [plain(m) if hasattr(m, "DESCRIPTOR") else m for m in value]
        if isinstance(value, list | tuple) or hasattr(value, "extend")
        else plain(value)
        if hasattr(value, "DESCRIPTOR")
        else value
        for field in message.DESCRIPTOR.fields
        for value in (getattr(message, field.name),)
    }


@contextmanager
def client_of(component, service, transport):
    client = {"rest": Rest, "grpc": Rpc}[transport](component.endpoints[f"{service}.{transport}"])
    try:
        yield client
    finally:
        client.close()


def bearer(component, service):
    return f"Bearer {component.ask('credential', service=service)['token']}"


def in_session(client, component, beat, service="operator_api"):
    """The heartbeat, where it says an expiry at all with that of a session that was opened for it just now."""
    if beat.get("credential_expiry") != heartbeat_of(service)["credential_expiry"]:
        return beat
    status, _, reply = client.call("handshake", handshake_of(service), bearer(component, service))
    return beat if status != 200 else beat | {"credential_expiry": reply["session"]["credential_expiry"]}


# --- systems under test ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def component(tmp_path_factory):
    """The real component in a process of its own; each test leaves every service with a valid credential."""
    running = target.start((), 7, tmp_path_factory.mktemp("sandbox"))
    yield running.component("connectors")
    running.stop()


@pytest.fixture(autouse=True)
def renewed(request):
    yield
    if "component" in request.fixturenames:
        component = request.getfixturevalue("component")
        for service in SERVICES:
            if not component.ask("credential", service=service)["valid"]:
                component.ask("renew", service=service)


@pytest.fixture
def start_in_process(start_service):
    return partial(start_service, build)


# --- who may call ---------------------------------------------------------------------------------------------

CREDENTIALS = {
    "good": (200, None),
    "wrong": (401, "unknown"),
    "missing": (401, "missing"),
    "malformed": (401, "malformed"),
    "empty": (401, "malformed"),
    "expired": (401, "expired"),
    "other service's": (403, "other-service"),
}


def credential_of_kind(component, service, kind):
    other = SERVICES[SERVICES.index(service) - 1]
    if kind == "expired":
        token = component.ask("issue", service=service, lifetime_s=60)["token"]
        component.ask("clock.advance", seconds=60)
        return f"Bearer {token}"
    return {
        "good": bearer(component, service),
        "wrong": "Bearer " + "A" * 43,
        "missing": None,
        "malformed": bearer(component, service).replace("Bearer", "Token"),
        "empty": "Bearer",
        "other service's": bearer(component, other),
    }[kind]


@pytest.mark.parametrize("kind", CREDENTIALS)
@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("service", SERVICES)
def test_each_credential_gets_its_answer_on_every_operation(component, service, transport, kind):
    authorization = credential_of_kind(component, service, kind)
    with client_of(component, service, transport) as client:
        for operation in surface_rest.SERVED:
            payload = payload_of(operation, service)
            if (operation, kind) == ("heartbeat", "good"):
                payload = in_session(client, component, payload, service)
            status, reason, _ = client.call(operation, payload, authorization)
            assert (operation, status, reason) == (operation, *CREDENTIALS[kind])


def test_two_credentials_at_once_are_malformed_on_grpc(component):
    good = bearer(component, "operator_api")
    with client_of(component, "operator_api", "grpc") as client:
        check, message = client.methods["health"]
        with pytest.raises(grpc.RpcError) as refused:
            check(message(), metadata=[("authorization", good), ("authorization", good)], timeout=10)
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("service", SERVICES)
def test_without_a_client_certificate_no_good_credential_helps(component, service):
    rest = component.endpoints[f"{service}.rest"]
    headers = {"authorization": bearer(component, service)}
    with pytest.raises(requests.ConnectionError):
        requests.get(rest["address"] + "/health", headers=headers, verify=rest["ca"], timeout=10)
    rpc = component.endpoints[f"{service}.grpc"]
    anonymous = grpc.ssl_channel_credentials(Path(rpc["ca"]).read_bytes())
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.secure_channel(rpc["address"], anonymous, options) as channel, pytest.raises(grpc.RpcError) as refused:
        health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(), metadata=[("authorization", headers["authorization"])], timeout=10
        )
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


def test_a_refusal_over_rest_names_the_scheme(component):
    rest = component.endpoints["operator_api.rest"]
    with client_of(component, "operator_api", "rest") as client:
        reply = client.session.get(rest["address"] + "/health", timeout=10)
    assert reply.headers["www-authenticate"].startswith("Bearer")


# --- what is answered -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", SERVICES)
def test_health_says_which_component_answers(component, service):
    with client_of(component, service, "rest") as client:
        _, _, reply = client.call("health", {}, bearer(component, service))
    assert reply == {"status": "healthy", "component": service, "version": component.version}


@pytest.mark.parametrize(("asked", "status"), [("", 200), ("operator_api", 200), ("operator_upload", 404)])
@pytest.mark.parametrize(("transport", "said"), [("rest", "healthy"), ("grpc", "SERVING")])
def test_health_is_that_of_the_service_asked_for(component, transport, said, asked, status):
    with client_of(component, "operator_api", transport) as client:
        answer = client.call("health", {"service": asked}, bearer(component, "operator_api"))
    assert answer[:2] == (status, None if status == 200 else "unknown-service")
    if status == 200:
        assert answer[2]["status"] == said


@pytest.mark.parametrize("service", SERVICES)
def test_a_handshake_says_the_same_on_both_transports_but_for_its_session(component, service):
    replies = {}
    for transport in TRANSPORTS:
        with client_of(component, service, transport) as client:
            _, _, replies[transport] = client.call("handshake", handshake_of(service), bearer(component, service))
    ids = {replies[transport]["session"].pop("id") for transport in TRANSPORTS}
    assert len(ids) == 2
    assert replies["rest"] == replies["grpc"]
    assert [c["status"] for c in replies["rest"]["accepted_contexts"]] == ["accepted", "accepted"]
    assert replies["rest"]["authenticated"] is True


def test_a_sessions_expiry_is_48_hours_after_the_credential_was_issued(start_in_process):
    component = start_in_process()
    with client_of(component, "operator_api", "rest") as client:
        _, _, reply = client.call("handshake", handshake_of("operator_api"), bearer(component, "operator_api"))
    session = reply["session"]
    lasts = parse_instant(session["credential_expiry"]) - parse_instant(session["issued_at"])
    assert lasts == timedelta(hours=48)


def test_the_evidence_of_an_accepted_context_is_there(component):
    offer = handshake_of("operator_api")
    offer["supported_contexts"].append({"name": "stage-z", "channels": [], "capabilities": []})
    with client_of(component, "operator_api", "rest") as client:
        _, _, reply = client.call("handshake", offer, bearer(component, "operator_api"))
    *accepted, refused = reply["accepted_contexts"]
    assert refused == {"name": "stage-z", "status": "refused", "promoted_at": "", "evidence_path": ""}
    for context in accepted:
        record = json.loads((component.log.parent / component.name / context["evidence_path"]).read_text())
        assert (record["name"], record["promoted_at"]) == (context["name"], context["promoted_at"])


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_heartbeat_is_overdue_after_30_seconds(start_in_process, transport):
    component = start_in_process()
    assert component.ask("heartbeats")["operator_api"] is None
    with client_of(component, "operator_api", transport) as client:
        beat = in_session(client, component, heartbeat_of("operator_api"))
        _, _, reply = client.call("heartbeat", beat, bearer(component, "operator_api"))
    assert reply["accepted"] is True
    assert parse_instant(reply["next_due"]) - parse_instant(reply["received_at"]) == timedelta(seconds=30)
    component.ask("clock.advance", seconds=30)
    assert component.ask("heartbeats")["operator_api"]["overdue"] is False
    component.ask("clock.advance", seconds=1)
    assert component.ask("heartbeats")["operator_api"]["overdue"] is True


def test_heartbeats_that_are_accepted_are_counted_and_a_silent_heart_reads_zero(start_in_process):
    component = start_in_process()
    shown = bearer(component, "operator_api")
    for transport in TRANSPORTS:
        with client_of(component, "operator_api", transport) as client:
            beat = in_session(client, component, heartbeat_of("operator_api"))
            client.call("heartbeat", beat, shown)
            client.call("heartbeat", beat | {"chakra": ""}, shown)
    scraped = requests.get(component.endpoints["crown_handshake.rest"]["address"] + "/metrics", timeout=10).text
    component.run(component.service.stop())
    assert component.service.telemetry["metrics"].read_text() == scraped
    families = {family.name: family for family in text_string_to_metric_families(scraped)}
    beats = families["operator_mcp_heartbeats"].samples
    assert {(one.labels["connector"], one.labels["transport"]): one.value for one in beats} == {
        (service, transport): float(service == "operator_api") for service in SERVICES for transport in TRANSPORTS
    }


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_heartbeat_of_an_expired_session_is_refused(component, transport):
    beat = heartbeat_of("operator_api") | {"credential_expiry": component.ask("clock.now")["now"]}
    with client_of(component, "operator_api", transport) as client:
        assert client.call("heartbeat", beat, bearer(component, "operator_api"))[:2] == (401, "expired")


def without(payload, *path):
    copied = json.loads(json.dumps(payload))
    inner = copied
    for step in path[:-1]:
        inner = inner[step]
    del inner[path[-1]]
    return copied


def changed(payload, value, *path):
    copied = json.loads(json.dumps(payload))
    inner = copied
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return copied


HANDSHAKE, HEARTBEAT = handshake_of("operator_api"), heartbeat_of("operator_api")
INVALID = {
    "no identity": ("handshake", without(HANDSHAKE, "identity"), 400),
    "no connector id": ("handshake", without(HANDSHAKE, "identity", "connector_id"), 400),
    "empty version": ("handshake", changed(HANDSHAKE, "", "identity", "version"), 400),
    "another identity": ("handshake", changed(HANDSHAKE, "operator_upload", "identity", "connector_id"), 403),
    "no contexts": ("handshake", changed(HANDSHAKE, [], "supported_contexts"), 400),
    "a context twice": ("handshake", changed(HANDSHAKE, [{"name": "x"}] * 2, "supported_contexts"), 400),
    "a context without name": ("handshake", changed(HANDSHAKE, [{"channels": ["x"]}], "supported_contexts"), 400),
    "no rotation": ("handshake", without(HANDSHAKE, "rotation"), 400),
    "other window": ("handshake", changed(HANDSHAKE, "PT24H", "rotation", "rotation_window"), 400),
    "no instant": ("handshake", changed(HANDSHAKE, "yesterday", "rotation", "last_rotated"), 400),
    "long hint": ("handshake", changed(HANDSHAKE, "x" * 17, "rotation", "token_hint"), 400),
    "nothing at all": ("heartbeat", {}, 400),
    "no chakra": ("heartbeat", without(HEARTBEAT, "chakra"), 400),
    "empty chakra": ("heartbeat", changed(HEARTBEAT, "", "chakra"), 400),
    "blank chakra": ("heartbeat", changed(HEARTBEAT, " \t", "chakra"), 400),
    "no count": ("heartbeat", without(HEARTBEAT, "cycle_count"), 400),
    "negative count": ("heartbeat", changed(HEARTBEAT, -1, "cycle_count"), 400),
    "zero count": ("heartbeat", changed(HEARTBEAT, 0, "cycle_count"), 200),
    "largest count": ("heartbeat", changed(HEARTBEAT, 2**63 - 1, "cycle_count"), 200),
    "unknown context": ("heartbeat", changed(HEARTBEAT, "stage-z", "context"), 400),
    "no expiry": ("heartbeat", without(HEARTBEAT, "credential_expiry"), 400),
    "instant without zone": ("heartbeat", changed(HEARTBEAT, "2026-09-26T18:03:00", "emitted_at"), 400),
    "no such day": ("heartbeat", changed(HEARTBEAT, "2026-02-30T00:00:00Z", "emitted_at"), 400),
    "before the calendar": ("heartbeat", changed(HEARTBEAT, "0001-01-01T00:00:00+10:00", "emitted_at"), 400),
}


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("case", INVALID)
def test_what_is_asked_wrongly_is_answered_alike(component, transport, case):
    operation, payload, status = INVALID[case]
    with client_of(component, "operator_api", transport) as client:
        payload = in_session(client, component, payload) if operation == "heartbeat" else payload
        assert client.call(operation, payload, bearer(component, "operator_api"))[0] == status


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b'{"chakra": 1}',
        b"\xff\xfe",
        b"[" * 50_000,
        b'{"x":' * 50_000,
        b'{"cycle_count": NaN}',
        json.dumps(HEARTBEAT).replace('"chakra"', '"chakra": "root", "chakra"').encode(),
        json.dumps(HEARTBEAT).replace('"root"', '"\\ud800"').encode(),
        json.dumps(HEARTBEAT).encode("utf-16"),
    ],
    ids=["empty", "list", "null", "cut", "type", "bytes", "deep", "deep unknown", "NaN", "twice", "half", "UTF-16"],
)
def test_a_body_that_is_no_heartbeat_is_refused_over_rest(component, body):
    with client_of(component, "operator_api", "rest") as client:
        assert client.call("heartbeat", body, bearer(component, "operator_api"))[0] == 400


@pytest.mark.parametrize("authorized", [True, False])
def test_bytes_that_are_no_message_are_refused_over_grpc(component, authorized):
    metadata = [("authorization", bearer(component, "operator_api"))] if authorized else []
    with client_of(component, "operator_api", "grpc") as client:
        call = client.channel.unary_unary("/spiral.connectors.v1.Connector/Heartbeat")
        with pytest.raises(grpc.RpcError) as refused:
            call(b"\xff\xff\xff", metadata=metadata, timeout=10)
    assert refused.value.code().name == ("INVALID_ARGUMENT" if authorized else "UNAUTHENTICATED")


@pytest.mark.parametrize("count", ["7.5", '"7"', "true", str(2**63), "1e400"])
def test_a_count_of_another_type_is_refused_over_rest(component, count):
    body = json.dumps(HEARTBEAT).replace('"cycle_count": 7', f'"cycle_count": {count}').encode()
    with client_of(component, "operator_api", "rest") as client:
        assert client.call("heartbeat", body, bearer(component, "operator_api"))[0] == 400


MIB = 1 << 20


@pytest.mark.parametrize(
    ("authorized", "size", "status"),
    [(True, MIB, 200), (True, MIB + 1, 413), (True, 3 * MIB, 413), (False, 3 * MIB, 401)],
)
def test_a_rest_body_over_one_mebibyte_is_refused(component, authorized, size, status):
    with client_of(component, "operator_api", "rest") as client:
        beat = in_session(client, component, HEARTBEAT)
        filler = size - len(json.dumps(beat | {"filler": ""}))
        body = json.dumps(beat | {"filler": "x" * filler}).encode()
        assert len(body) == size
        answer = client.call("heartbeat", body, bearer(component, "operator_api") if authorized else None)
    assert answer[0] == status


@pytest.mark.parametrize(
    ("authorized", "size", "status"),
    # A chakra of a mebibyte is too long for a chakra, but the message is one that is still read.
    [(True, MIB, 400), (True, MIB + 1, 413), (True, 5 * MIB, 413), (False, 5 * MIB, 401)],
)
def test_a_grpc_message_over_one_mebibyte_is_refused(component, authorized, size, status):
    beat = HEARTBEAT | {"chakra": "x" * size}
    while excess := pb.HeartbeatRequest(**beat).ByteSize() - size:  # a length has a length of its own
        beat["chakra"] = beat["chakra"][:-excess]
    assert pb.HeartbeatRequest(**beat).ByteSize() == size
    with client_of(component, "operator_api", "grpc") as client:
        answer = client.call("heartbeat", beat, bearer(component, "operator_api") if authorized else None)
    assert answer[0] == status


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("POST", "/health", 405)])
def test_another_route_is_an_error_in_json(component, method, path, status):
    with client_of(component, "operator_api", "rest") as client:
        reply = client.session.request(method, client.address + path, timeout=10)
    assert (reply.status_code, reply.json()["reason"]) == (status, "no-route")


@pytest.mark.parametrize("request_id", ["two words", "x" * 129, "é"])
def test_a_request_id_that_is_no_word_is_refused(component, request_id):
    with client_of(component, "operator_api", "rest") as client:
        answer = client.call("health", {}, bearer(component, "operator_api"), request_id.encode("latin-1"))
    assert answer[:2] == (400, "request-id")


def test_a_drained_service_is_unhealthy_until_it_is_resumed(start_in_process):
    component = start_in_process()
    component.ask("drain", service="operator_upload")
    for service, transport in itertools.product(SERVICES, TRANSPORTS):
        with client_of(component, service, transport) as client:
            status = client.call("health", {}, bearer(component, service))[0]
        assert status == (503 if service == "operator_upload" else 200)
    with client_of(component, "operator_upload", "rest") as client:
        assert client.call("health", {})[2]["status"] == "unhealthy"
        component.ask("resume", service="operator_upload")
        assert client.call("health", {}, bearer(component, "operator_upload"))[0] == 200


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_defect_is_answered_as_internal_and_written_down(start_in_process, transport, caplog):
    component = start_in_process()
    connector = component.service._connectors["operator_api"]
    connector._operations["handshake"] = lambda _call, _credential: {}["nothing"]
    good = bearer(component, "operator_api")
    with client_of(component, "operator_api", transport) as client:
        assert client.call("handshake", HANDSHAKE, good, "defect")[:2] == (500, "internal")
    (entry,) = component.ask("served")["requests"]
    assert (entry["request_id"], entry["code"], entry["executed"]) == ("defect", "INTERNAL", False)
    assert "KeyError" in caplog.text
    assert good.split()[1] not in caplog.text


# --- rotation -------------------------------------------------------------------------------------------------


class Traffic:
    """Calls without a pause on one service and transport, and 20 more after it is told to end; at most 20,000."""

    def __init__(self, component, service, transport):
        self.tokens = [component.ask("credential", service=service)["token"]]
        self.sent, self.answers = [], []
        self._stop, self._warm = threading.Event(), threading.Event()
        self._args = (component, service, transport)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        component, service, transport = self._args
        remaining = 20
        with client_of(component, service, transport) as client:
            for number in range(20_000):
                self._call(client, number)
                if number == 20:
                    self._warm.set()
                remaining -= self._stop.is_set()
                if remaining == 0:
                    return

    def _call(self, client, number):
        _, service, transport = self._args
        operation = ("health", "handshake")[number % 2]
        token = self.tokens[number % len(self.tokens)]
        self.sent.append(f"traffic.{service}.{transport}.{number}")
        answer = client.call(operation, payload_of(operation, service), f"Bearer {token}", self.sent[-1])
        self.answers.append(answer[0])

    def wait_until_warm(self):
        assert self._warm.wait(20)

    def end(self):
        self._stop.set()
        self._thread.join(30)
        assert not self._thread.is_alive()


@contextmanager
def traffic_on(component):
    flows = {key: Traffic(component, *key) for key in itertools.product(SERVICES, TRANSPORTS)}
    try:
        for flow in flows.values():
            flow.wait_until_warm()
        yield flows
    finally:
        for flow in flows.values():
            flow.end()


def lost_or_doubled(component, flows):
    """Request ids that the server did not execute exactly once."""
    log = component.ask("served")
    assert log["forgotten"] == 0
    executed = Counter(entry["request_id"] for entry in log["requests"] if entry["executed"])
    return [name for flow in flows.values() for name in flow.sent if executed[name] != 1]


def statuses_on(component, service, token):
    statuses = {}
    for transport in TRANSPORTS:
        with client_of(component, service, transport) as client:
            statuses[transport] = client.call("handshake", handshake_of(service), f"Bearer {token}")[:2]
    return set(statuses.values())


def test_a_rotation_under_traffic_loses_nothing_and_ends_the_old_credential(tmp_path):
    running = target.start((), 11, tmp_path / "rotation")
    component = running.component("connectors")
    try:
        with traffic_on(component) as flows:
            rotations = {name: component.ask("rotate", service=name) for name in SERVICES}
            for (service, _), flow in flows.items():
                flow.tokens.append(rotations[service]["token"])  # from now on both are in use, in turns
        assert {status for flow in flows.values() for status in flow.answers} == {200}
        assert lost_or_doubled(component, flows) == []
        for service, rotation in rotations.items():
            old, new = flows[service, "rest"].tokens
            assert rotation["old_fingerprint"] != rotation["new_fingerprint"]
            assert statuses_on(component, service, old) == {(200, None)}
            assert statuses_on(component, service, new) == {(200, None)}
        component.ask("clock.advance", seconds=HOUR - 1)
        assert statuses_on(component, "operator_api", flows["operator_api", "rest"].tokens[0]) == {(200, None)}
        component.ask("clock.advance", seconds=1)
        for service in SERVICES:
            old, new = flows[service, "rest"].tokens
            assert statuses_on(component, service, old) == {(401, "rotated-out")}
            assert statuses_on(component, service, new) == {(200, None)}
        secrets = [token for flow in flows.values() for token in flow.tokens]
        assert len(set(secrets)) == 6
        assert leaked(tmp_path, secrets) == []
    finally:
        running.stop()
    assert leaked(tmp_path, secrets) == []


def leaked(folder, tokens):
    written = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert any(path.suffix == ".log" for path in written)
    return [path for path, content in written.items() for token in tokens if token.encode() in content]


def test_an_open_connection_does_not_outlive_its_credential(start_in_process):
    component = start_in_process()
    old = bearer(component, "operator_api")
    with (
        client_of(component, "operator_api", "rest") as rest,
        client_of(component, "operator_api", "grpc") as rpc,
    ):
        assert [c.call("health", {}, old)[0] for c in (rest, rpc)] == [200, 200]
        component.ask("rotate", service="operator_api", overlap_s=0)
        assert [c.call("health", {}, old)[1] for c in (rest, rpc)] == ["rotated-out", "rotated-out"]


def test_a_failed_call_leaves_no_credential_in_the_log(component):
    token = component.ask("credential", service="operator_api")["token"]
    beat = HEARTBEAT | {"emitted_at": token}
    for transport in TRANSPORTS:
        with client_of(component, "operator_api", transport) as client:
            assert client.call("heartbeat", beat, f"Bearer {token}")[0] == 400
    with pytest.raises(RuntimeError, match="no service"):
        component.ask("rotate", service="crown")
    text = component.log.read_text(encoding="utf-8")
    assert "request rotate failed" in text
    assert token not in text


def test_a_rotation_shows_in_the_next_handshake(start_in_process):
    component = start_in_process()
    with client_of(component, "operator_api", "grpc") as client:
        before = client.call("handshake", HANDSHAKE, bearer(component, "operator_api"))[2]["rotation"]
        rotated = component.ask("rotate", service="operator_api")
        after = client.call("handshake", HANDSHAKE, bearer(component, "operator_api"))[2]["rotation"]
    assert (before["last_rotated"], before["window_id"]) == ("", "")
    assert (after["last_rotated"], after["window_id"]) == (rotated["rotated_at"], rotated["window_id"])
    assert after["rotation_window"] == "PT48H"


def test_a_session_of_a_credential_in_its_overlap_ends_with_the_overlap(start_in_process):
    component = start_in_process()
    old = bearer(component, "operator_api")
    rotated = component.ask("rotate", service="operator_api")
    with client_of(component, "operator_api", "rest") as client:
        expiries = [
            client.call("handshake", HANDSHAKE, authorization)[2]["session"]["credential_expiry"]
            for authorization in (old, bearer(component, "operator_api"))
        ]
    assert expiries == [rotated["overlap_until"], rotated["expires_at"]]
    assert parse_instant(expiries[0]) - parse_instant(rotated["rotated_at"]) == timedelta(hours=1)


def test_three_windows_in_a_row_are_unique_in_order_and_cover_their_48_hours(start_in_process):
    component = start_in_process()
    for _ in range(3):
        opened = component.ask("window.open", service="operator_api")
        rotated = component.ask("rotate", service="operator_api")
        assert rotated["window_id"] == opened["window_id"]
        component.ask("clock.advance", seconds=48 * HOUR)
        component.ask("window.close", window_id=opened["window_id"])
    assert broken_windows(component.ask("rotations")) == []


def broken_windows(records):
    """What is wrong with closed windows of one service, in the words of the exit criterion."""
    wrong = []
    if len({record["window_id"] for record in records}) < len(records):
        wrong.append("not unique")
    for record in records:
        if not record["opened_at"] <= record["covers_from"] < record["covers_until"] <= record["closed_at"]:
            wrong.append("does not cover")
        if record["old_fingerprint"] == record["new_fingerprint"]:
            wrong.append("unchanged")
    for earlier, later in itertools.pairwise(records):
        if later["opened_at"] < earlier["closed_at"]:
            wrong.append("overlap")
    return wrong


def test_a_window_is_not_closed_before_its_48_hours(start_in_process):
    component = start_in_process()
    window_id = component.ask("window.open", service="operator_api")["window_id"]
    component.ask("clock.advance", seconds=48 * HOUR - 1)
    with pytest.raises(RotationError, match="cannot close yet"):
        component.ask("window.close", window_id=window_id)
    component.ask("clock.advance", seconds=1)
    assert component.ask("window.close", window_id=window_id)["closed_at"] is not None
    with pytest.raises(RotationError, match="closed already"):
        component.ask("window.close", window_id=window_id)


def test_no_second_window_and_no_second_rotation_fit_into_an_open_window(start_in_process):
    component = start_in_process()
    token = component.ask("rotate", service="operator_api")["token"]
    with pytest.raises(RotationError, match="still open"):
        component.ask("window.open", service="operator_api")
    with pytest.raises(RotationError, match="holds a rotation already"):
        component.ask("rotate", service="operator_api")
    assert component.ask("credential", service="operator_api")["token"] == token
    component.ask("clock.advance", seconds=48 * HOUR)
    component.ask("rotate", service="operator_api")  # closes the window that has run out, and opens the next
    first, second = component.ask("rotations")
    assert first["closed_at"] == second["opened_at"]
    assert second["closed_at"] is None


def test_a_window_of_that_name_of_several_services_must_be_told_apart(start_in_process):
    component = start_in_process()
    (window_id,) = {component.ask("window.open", service=name)["window_id"] for name in SERVICES}
    component.ask("clock.advance", seconds=48 * HOUR)
    with pytest.raises(RotationError, match="name the service"):
        component.ask("window.close", window_id=window_id)
    assert component.ask("window.close", window_id=window_id, service="operator_api")["service"] == "operator_api"


def test_an_impossible_overlap_changes_nothing(start_in_process):
    component = start_in_process()
    with pytest.raises(ValueError, match="overlap"):
        component.ask("rotate", service="operator_api", overlap_s=48 * HOUR + 1)
    assert component.ask("rotations") == []


def test_only_a_credential_that_has_ended_is_renewed(start_in_process):
    component = start_in_process()
    with pytest.raises(RotationError, match="rotate it instead"):
        component.ask("renew", service="operator_api")
    component.ask("clock.advance", seconds=48 * HOUR)
    assert component.ask("credential", service="operator_api")["valid"] is False
    assert component.ask("renew", service="operator_api")["valid"] is True


@pytest.mark.parametrize(
    ("op", "arguments"),
    [
        ("clock.advance", {"seconds": -1}),
        ("clock.advance", {"seconds": 1.5}),
        ("clock.advance", {"seconds": 10**12}),
        ("issue", {"service": "operator_api", "lifetime_s": 0}),
        ("issue", {"service": "operator_api", "lifetime_s": 48 * HOUR + 1}),
        ("clock.advance", {}),
        ("rotate", {"service": "operator_api", "overlap": 1}),
        ("credential", {"service": "nobody"}),
        ("window.close", {"window_id": "20250926T180300Z-PT24H"}),
        ("window.close", {"window_id": "20250926T180300Z-PT48H"}),
        ("served", {"after": -1}),
    ],
)
def test_a_control_operation_refuses_what_it_does_not_understand(start_in_process, op, arguments):
    with pytest.raises(ValueError, match=r"."):
        start_in_process().ask(op, **arguments)


def test_an_unknown_control_operation_is_named(start_in_process):
    with pytest.raises(RuntimeError, match=r"no operation 'rotate\.all'"):
        start_in_process().ask("rotate.all")


def test_the_log_of_requests_counts_refusals_apart_and_reads_in_pages(start_in_process):
    component = start_in_process()
    with client_of(component, "operator_api", "rest") as rest:
        rest.call("health", {}, bearer(component, "operator_api"), "a")
        rest.call("health", {}, "Bearer wrong", "b")
        rest.call("heartbeat", {}, bearer(component, "operator_api"), "c")
    log = component.ask("served")
    assert [(e["number"], e["request_id"], e["status"], e["executed"]) for e in log["requests"]] == [
        (1, "a", 200, True),
        (2, "b", 401, False),
        (3, "c", 400, False),
    ]
    assert {(row["operation"], row["code"], row["count"]) for row in log["counts"]} == {
        ("health", "OK", 1),
        ("health", "UNAUTHENTICATED", 1),
        ("heartbeat", "INVALID_ARGUMENT", 1),
    }
    page = component.ask("served", after=1, limit=1)
    assert [entry["request_id"] for entry in page["requests"]] == ["b"]


def test_a_log_of_requests_says_how_many_it_has_forgotten():
    log = ServedLog(kept=3)
    for name in "abcde":
        log.add(Served("s", "health", "rest", Code.OK, name, executed=True))
    assert log.report(0, 0) | {"counts": []} == {"total": 5, "forgotten": 2, "counts": [], "requests": []}
    for after, limit, expected in [(0, 9, "cde"), (2, 9, "cde"), (3, 9, "de"), (3, 1, "d"), (5, 9, ""), (9, 9, "")]:
        entries = log.report(after, limit)["requests"]
        assert "".join(entry["request_id"] for entry in entries) == expected
        assert [entry["number"] for entry in entries] == ["abcde".index(name) + 1 for name in expected]


def test_a_ledger_takes_one_rotation_in_a_window():
    ledger = RotationLedger()
    window = ledger.record(ledger.open("s", T0), T0, "old", "new")
    with pytest.raises(RotationError, match="holds a rotation already"):
        ledger.record(window, T0, "new", "newer")
    assert ledger.windows() == (window,)


# --- faults: each is seen, and absent without its plan ----------------------------------------------------------


def seen_smoke(component):
    """Services that answer a good credential with an error, and credentials that should be refused but are not."""
    seen = set()
    for service, transport in itertools.product(SERVICES, TRANSPORTS):
        with client_of(component, service, transport) as client:
            for operation in surface_rest.SERVED:
                payload = payload_of(operation, service)
                if operation == "heartbeat":
                    payload = in_session(client, component, payload, service)
                if client.call(operation, payload, bearer(component, service))[0] != 200:
                    seen.add(f"{service} is out")
                for kind in ("wrong", "missing", "other service's"):
                    authorization = credential_of_kind(component, service, kind)
                    if client.call(operation, payload, authorization)[0] == 200:
                        seen.add("admits anybody")
    return seen


def seen_rotation(component):
    """What is wrong with one rotation of each service, as the clients experience it."""
    seen = set()
    old = {name: component.ask("credential", service=name)["token"] for name in SERVICES}
    with traffic_on(component) as flows:
        reports = {name: component.ask("rotate", service=name) for name in SERVICES}
    answers = Counter(status for flow in flows.values() for status in flow.answers)
    if lost := sum(count for status, count in answers.items() if status != 200):
        seen.add(f"{lost} lost")
    component.ask("clock.advance", seconds=HOUR)
    if any(statuses_on(component, name, old[name]) == {(200, None)} for name in SERVICES):
        seen.add("unchanged")
    assert all(report["window_id"] for report in reports.values())
    return seen


def seen_windows(component):
    for _ in range(2):
        window_id = component.ask("rotate", service="operator_api")["window_id"]
        component.ask("clock.advance", seconds=48 * HOUR)
        component.ask("window.close", window_id=window_id)
    return set(broken_windows(component.ask("rotations")))


SEEN = {
    "connectors.operator-api-503": (seen_smoke, {"operator_api is out"}),
    "connectors.accepts-anything": (seen_smoke, {"admits anybody"}),
    "connectors.rotation-without-change": (seen_rotation, {"unchanged"}),
    "connectors.drops-in-rotation": (seen_rotation, {"3 lost"}),
    "connectors.overlapping-windows": (seen_windows, {"overlap"}),
}


def test_only_the_fault_that_needs_certificates_is_seen_elsewhere():
    """In test_hot_tls.py: the connectors of these tests speak without TLS."""
    assert set(FAULTS) - set(SEEN) == {"connectors.keeps-old-certificates"}


@pytest.mark.parametrize("fault", SEEN)
def test_each_fault_is_seen(start_in_process, fault):
    look, expected = SEEN[fault]
    assert look(start_in_process(fault)) == expected


def test_a_fault_reaches_the_component_in_its_own_process(tmp_path):
    running = target.start(("connectors.operator-api-503",), 1, tmp_path / "faulty")
    try:
        assert seen_smoke(running.component("connectors")) == {"operator_api is out"}
    finally:
        running.stop()
    assert "stopping took" not in (tmp_path / "faulty" / "connectors.log").read_text(encoding="utf-8")


@pytest.mark.parametrize("look", [seen_smoke, seen_rotation, seen_windows])
def test_without_a_fault_nothing_is_seen(start_in_process, look):
    assert look(start_in_process()) == set()


def test_two_faults_act_together(start_in_process):
    component = start_in_process("connectors.operator-api-503", "connectors.accepts-anything")
    assert seen_smoke(component) == {"operator_api is out", "admits anybody"}


def test_operator_api_is_out_on_everything_and_says_so_on_both_transports(start_in_process):
    component = start_in_process("connectors.operator-api-503")
    for transport in TRANSPORTS:
        with client_of(component, "operator_api", transport) as client:
            answers = {client.call(op, payload_of(op, "operator_api"))[:2] for op in surface_rest.SERVED}
        assert answers == {(503, "unavailable")}


def test_the_plans_of_the_file_are_those_that_the_connectors_know():
    plans = {name for name, plan in target.known_faults().items() if plan.component == "connectors"}
    assert plans == {*FAULTS, *SESSION_FAULTS}
    conduct_under(plans)


def test_an_unknown_fault_is_an_error():
    with pytest.raises(ValueError, match="no fault plan"):
        conduct_under(["connectors.nothing"])


# --- rules by property ----------------------------------------------------------------------------------------

SECONDS = st.integers(0, 4 * 48 * HOUR)
OVERLAPS = st.integers(0, 48 * HOUR)


@given(lifetime=st.integers(1, 48 * HOUR), later=SECONDS)
def test_a_credential_is_valid_exactly_until_it_expires(lifetime, later):
    register = Register()
    issued = register.issue("s", T0, timedelta(seconds=lifetime))
    admission = register.verify("s", [f"Bearer {issued.token}"], T0 + timedelta(seconds=later))
    assert admission == (issued.credential if later < lifetime else Flaw.EXPIRED)


@given(st.lists(st.tuples(SECONDS, OVERLAPS), min_size=1, max_size=5), SECONDS)
def test_through_any_rotations_none_is_valid_after_its_expiry_nor_refused_in_its_overlap(steps, later):
    register, now = Register(), T0
    held = [(register.issue("s", now), None)]
    for step, overlap in steps:
        now += timedelta(seconds=step)
        rotated = register.rotate("s", now, timedelta(seconds=overlap))
        held[-1] = (held[-1][0], now + timedelta(seconds=overlap))
        held.append((rotated.fresh, None))
    now += timedelta(seconds=later)
    for issued, overlap_until in held:
        expires_at = issued.credential.issued_at + LIFETIME
        valid = now < expires_at and (overlap_until is None or now < overlap_until)
        admission = register.verify("s", [f"Bearer {issued.token}"], now)
        assert isinstance(admission, Credential) == valid
        if not valid:
            cut_short = overlap_until is not None and overlap_until < expires_at
            assert admission == (Flaw.ROTATED_OUT if cut_short else Flaw.EXPIRED)


@given(st.text(max_size=60))
def test_no_token_that_was_not_issued_is_admitted(text):
    register = Register()
    register.issue("s", T0)
    assert register.verify("s", [f"Bearer {text}"], T0) in (Flaw.UNKNOWN, Flaw.MALFORMED)


def test_a_register_keeps_no_token_and_prints_none():
    register = Register()
    issued = register.issue("s", T0)
    kept = repr(register._known) + repr(register._current) + repr(issued)
    assert issued.token not in kept
    assert issued.credential.fingerprint == issued.credential.digest.hex()[:16]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], Flaw.MISSING),
        (["Bearer abc"], "abc"),
        (["bEARER   abc=="], "abc=="),
        (["Bearer abc", "Bearer abc"], Flaw.MALFORMED),
        (["Bearer a b"], Flaw.MALFORMED),
        (["Bearer abc "], Flaw.MALFORMED),
        (["Bearer\tabc"], Flaw.MALFORMED),
        (["Bearer abc\n"], Flaw.MALFORMED),
        (["Basic abc"], Flaw.MALFORMED),
        (["abc"], Flaw.MALFORMED),
        ([""], Flaw.MALFORMED),
        (["Bearer " + "a" * 2000], Flaw.MALFORMED),
    ],
)
def test_a_bearer_token_is_read_strictly(values, expected):
    assert bearer_token(values) == expected


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_windows_name_is_read_back_as_it_was_printed(instant):
    whole = instant.replace(microsecond=0)
    assert parse_window_id(print_window_id(whole)) == whole
    assert parse_instant(stamp(whole)) == whole


@pytest.mark.parametrize(
    "text",
    ["", "20250926T180300Z", "20250926T180300Z-PT48H ", "20250926T180300Z-P2D", "20250230T000000Z-PT48H", "\uff12"],
)
def test_no_other_text_is_the_name_of_a_window(text):
    with pytest.raises(RotationError):
        parse_window_id(text)


@given(st.lists(st.tuples(st.sampled_from(["open", "close"]), st.integers(0, 100 * HOUR)), max_size=12))
def test_whatever_is_tried_windows_of_a_service_never_overlap_nor_repeat(steps):
    ledger, clock = RotationLedger(), VirtualClock(T0)
    for step, seconds in steps:
        clock.advance(seconds)
        newest = ledger.newest("s")
        try:
            if step == "open":
                ledger.open("s", clock.now())
            elif newest is not None:
                ledger.close(newest, clock.now())
        except RotationError:
            assert newest is not None
    windows = ledger.windows("s")
    assert len({w.window_id for w in windows}) == len(windows)
    for earlier, later in itertools.pairwise(windows):
        assert earlier.closed_at is not None
        assert earlier.covers_until <= earlier.closed_at <= later.opened_at


@given(st.integers())
def test_a_seed_fixes_the_instant_at_which_the_clock_starts(seed):
    assert seeded_start(seed) == seeded_start(seed)
    assert seeded_start(seed).year == 2026


@given(st.lists(st.integers(0, 10**6), max_size=20))
def test_a_clock_moves_only_by_what_it_is_told(steps):
    clock = VirtualClock(T0)
    for step in steps:
        clock.advance(step)
    assert clock.now() == T0 + timedelta(seconds=sum(steps))


@pytest.mark.parametrize("start", [T0.replace(microsecond=1), T0.astimezone(tz=None).replace(tzinfo=None)])
def test_a_clock_starts_at_a_whole_second_in_utc(start):
    with pytest.raises(ValueError, match="whole second"):
        VirtualClock(start)


def test_the_grpc_surface_serves_what_the_contract_names():
    services = {OPERATIONS[name].grpc_service for name in surface_rest.SERVED}
    assert services == {"grpc.health.v1.Health", pb.DESCRIPTOR.services_by_name["Connector"].full_name}
    assert {name: OPERATIONS[name].request for name in surface_rest.SERVED} == {
        name: kind.DESCRIPTOR.full_name for name, (kind, _) in surface_grpc._METHODS.items()
    }


def test_the_component_states_that_its_clock_is_virtual(component):
    assert component.facts == {"clock.trusted": False, "clock.kind": "virtual"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", component.ask("clock.now")["now"])
