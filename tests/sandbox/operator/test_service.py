"""What stands around the calls: events, health, reflection, the gateway, the rig's own operations, the fault plans."""

import json
import ssl
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from pytest_spiral.model.exchange import Code
from spiral_contract.operations import OPERATIONS
from spiral_sandbox.faults import faults_of, known_faults
from spiral_sandbox.operator.conduct import conduct_under
from spiral_sandbox.target import start

KINDS = ("rest", "grpc")


# Events


def listen(surface, **metadata):
    endpoint = surface.component.endpoints["rest"]
    context = ssl.create_default_context(cafile=endpoint["ca"])
    context.load_cert_chain(endpoint["cert"], endpoint["key"])
    url = endpoint["address"].replace("https", "wss") + "/operator/events"
    return connect(url, ssl=context, additional_headers=metadata, open_timeout=10, proxy=None)


@pytest.mark.parametrize("kind", KINDS)
def test_each_step_of_a_command_is_told(surface, kind, word):
    with listen(surface, authorization=f"Bearer {surface.token()}") as socket:
        done = surface.call(kind, "dispatch_command", surface.command(word)).payload
        told = [json.loads(socket.recv(timeout=10)) for _ in range(3)]
    assert told == [
        {"event": event, "command": word, "command_id": done["command_id"], "percent": percent}
        for event, percent in (("command-ack", 0), ("command-progress", 50), ("command-progress", 100))
    ]


def test_a_command_that_is_refused_is_not_told(surface, word):
    with listen(surface, authorization=f"Bearer {surface.token()}") as socket:
        surface.call("rest", "dispatch_command", surface.command("no", agent="nobody"))
        surface.call("rest", "dispatch_command", surface.command(word))
        assert json.loads(socket.recv(timeout=10))["command"] == word


@pytest.mark.parametrize("metadata", [{}, {"authorization": "Bearer never-issued"}])
def test_nobody_listens_without_a_credential(surface, metadata):
    with pytest.raises(InvalidStatus) as refused:
        listen(surface, **metadata)
    assert refused.value.response.status_code == 401


# gRPC's own services


@pytest.fixture
def channel(surface):
    endpoint = surface.component.endpoints["grpc"]
    read = [Path(endpoint[part]).read_bytes() for part in ("ca", "key", "cert")]
    with grpc.secure_channel(endpoint["address"], grpc.ssl_channel_credentials(*read)) as opened:
        yield opened


def test_reflection_lists_every_service_and_its_methods(channel):
    database = ProtoReflectionDescriptorDatabase(channel)
    assert set(database.get_services()) == {
        "abzu.operator.OperatorApi",
        "spiral.connectors.v1.Upload",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }
    file = database.FindFileContainingSymbol("abzu.operator.OperatorApi")
    methods = {method.name for service in file.service for method in service.method}
    rows = {row.grpc_method for row in OPERATIONS.values() if row.grpc_service == "abzu.operator.OperatorApi"}
    assert methods == rows
    (put,) = database.FindFileContainingSymbol("spiral.connectors.v1.Upload").service[0].method
    assert put.client_streaming
    assert not put.server_streaming


@pytest.mark.parametrize("name", ["", "abzu.operator.OperatorApi", "spiral.connectors.v1.Upload"])
def test_health_is_told_for_each_service(channel, name):
    reply = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=name), timeout=10)
    assert reply.status == health_pb2.HealthCheckResponse.SERVING


def test_the_health_of_what_is_not_served_is_not_found(channel):
    with pytest.raises(grpc.RpcError) as refused:
        health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service="tea"), timeout=10)
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND


# The gateway


def test_a_command_is_dispatched_in_a_session_with_a_real_gateway(tmp_path):
    """The connectors' operator_api is the gateway here; taken out of service, it gives no further session."""
    sandbox = start([], 1, tmp_path)
    try:
        gateway, operator = sandbox.component("connectors"), sandbox.component("operator")
        endpoint = gateway.endpoints["operator_api.rest"]
        token = gateway.ask("credential", service="operator_api")["token"]
        operator.ask("gateway.connect", token=token, **{k: endpoint[k] for k in ("address", "ca", "cert", "key")})
        said = {"authorization": f"Bearer {operator.ask('credential', operator='overseer')['token']}"}
        assert dispatch(operator, said) is Code.OK
        served = gateway.ask("served")["counts"]
        assert [(one["operation"], one["status"], one["count"]) for one in served] == [("handshake", 200, 1)]
        assert dispatch(operator, said) is Code.OK  # in the same session
        assert gateway.ask("served")["total"] == 1
        gateway.ask("drain", service="operator_api")
        operator.ask("clock.advance", seconds=48 * 3600)
        said = {"authorization": f"Bearer {operator.ask('credential', operator='overseer')['token']}"}
        assert dispatch(operator, said) is Code.UNAVAILABLE  # the session has expired
        assert gateway.ask("served")["total"] == 4  # three tries
    finally:
        sandbox.stop()


def dispatch(operator, metadata):
    from pytest_spiral.errors import ExchangeError
    from pytest_spiral.model.exchange import Request
    from pytest_spiral.transports import open_transport

    payload = {"operator": "overseer", "agent": "crown", "command": "x"}
    with open_transport("rest", operator.endpoints["rest"]) as rest:
        try:
            return rest.exchange(Request(operation="dispatch_command", payload=payload, metadata=metadata)).code
        except ExchangeError as error:
            return error.code


# The rig


@pytest.mark.parametrize(
    ("op", "arguments", "why"),
    [
        ("brew", {}, "no operation 'brew'"),
        ("credential", {"operator": "stranger"}, "no operator 'stranger'"),
        ("agent.hold", {"agent": "stranger"}, "no agent 'stranger'"),
        ("agent.release", {"agent": "crown"}, "not acquired"),
        ("grpc.fail", {"way": "politely"}, "no way 'politely' to fail"),
        ("configure", {"upload_bytes": 0}, "ValidationError"),
        ("clock.advance", {"seconds": -1}, "ValidationError"),
        ("gateway.connect", {"address": "x"}, "ValidationError"),
    ],
)
def test_what_the_rig_cannot_do_is_refused_with_the_reason(surface, op, arguments, why):
    with pytest.raises(RuntimeError, match=why):
        surface.ask(op, **arguments)


def test_an_agent_that_is_held_cannot_be_held_again(surface):
    surface.ask("agent.hold", agent="razar")
    try:
        with pytest.raises(RuntimeError, match="busy already"):
            surface.ask("agent.hold", agent="razar")
    finally:
        surface.ask("agent.release", agent="razar")


# Fault plans


def test_every_plan_of_this_component_is_built_and_no_other():
    names = faults_of("operator", known_faults())
    assert len(names) == 8
    for name in names:
        assert conduct_under([name]) != conduct_under([])
    with pytest.raises(ValueError, match="no fault plan"):
        conduct_under(["operator.tea"])
    with pytest.raises(ValueError, match="one way at a time"):
        conduct_under(["operator.grpc-unavailable", "operator.grpc-internal"])


def test_a_plan_that_fails_grpc_fails_it_from_the_start_and_leaves_rest_alone(faulty):
    """One of them: what each way does is shown in test_once.py, with the same switch thrown by the rig."""
    surface = faulty("operator.grpc-internal")
    assert surface.call("grpc", "dispatch_command", surface.command("x")).code is Code.INTERNAL
    assert surface.call("rest", "dispatch_command", surface.command("x")).code is Code.OK


def test_each_plan_of_a_way_throws_that_switch():
    for way in ("unavailable", "internal", "deadline", "reset-mid-stream", "detour"):
        assert conduct_under([f"operator.grpc-{way}"]).grpc == way


def test_a_broken_field_breaks_rest_alone(faulty):
    surface = faulty("operator.parity-broken-field")
    rest, grpc_ = (surface.call(kind, "dispatch_command", surface.command("x")).payload["result"] for kind in KINDS)
    assert (rest, grpc_) == ({"acknowledged": "x"}, {"ack": "x"})
