"""REST and gRPC are compared by real calls, and whoever has the bundle compares them again."""

import json

import pytest

EQUAL = (
    'handshakes\nlimit = "equal(rest-handshake, grpc-handshake)"\nsamples = 3\ncensus = true\nsubjects = ["connectors"]'
)
SUITE = """
import pytest
from pytest_spiral.model.exchange import Request

SERVICES = ("operator_api", "operator_upload", "crown_handshake")

def handshake(service, token):
    return Request(
        operation="handshake",
        payload={
            "identity": {"connector_id": service, "version": "1", "instance": "test"},
            "supported_contexts": [{"name": name} for name in ("stage-c-prep", "stage-b-rehearsal")],
            "rotation": {"rotation_window": "PT48H"},
        },
        metadata={"authorization": f"Bearer {token}"},
    )

@pytest.mark.criterion("S1.handshakes")
def test_handshakes(spiral):
    connectors = spiral.target.connectors
    with spiral.measure("rest-handshake") as rest, spiral.measure("grpc-handshake") as grpc:
        for service in SERVICES:
            token = connectors.ask("credential", service=service)["token"]
            left, right = (connectors.transport(kind, service).traced(handshake(service, token)) for kind in ("rest", "grpc"))
            spiral.compare(left, right, service).feed(rest, grpc)
            EXTRA
"""
SANDBOX = "--spiral-target=sandbox"


def comparing(lab, extra="pass"):
    lab.gates(EQUAL)
    lab.test(SUITE.replace("EXTRA", extra))


def documents(bundle, service):
    """The JSON documents of a service's traces; its telemetry is JSON lines, as many as were exported."""
    return {path.name: json.loads(path.read_text()) for path in (bundle / "traces" / service).glob("*.json")}


def test_handshakes_of_all_connectors_agree_each_from_its_own_exchange(lab, way):
    comparing(
        lab,
        """for operation, wrong in (("handshake", "wrong-token"), ("health", token)):
                asked = handshake(service, wrong) if operation == "handshake" else Request(
                    operation="health", payload={"service": service}, metadata={"authorization": f"Bearer {token}"})
                compared = spiral.compare(*(connectors.transport(kind, service).traced(asked) for kind in ("rest", "grpc")))
                assert compared.equal, compared.why""",
    )
    ran = lab.run(SANDBOX, *way)
    assert ran.verdicts == {"S1.handshakes": "pass"}, ran.out
    found = [documents(ran.bundle, service) for service in ("operator_api", "operator_upload", "crown_handshake")]
    for made in found:
        prefix = "" if "rest_grpc_diff.json" in made else next(iter(made)).partition("-")[0] + "-"
        assert set(made) == {
            f"{prefix}{name}"
            for name in (
                "rest_trace.json",
                "grpc_trace.json",
                "rest_grpc_diff.json",
                "rest_handshake_with_expiry.json",
                "grpc_trial_handshake.json",
                "rest_grpc_handshake_diff.json",
            )
        }
        rest, grpc = (made[prefix + name] for name in ("rest_handshake_with_expiry.json", "grpc_trial_handshake.json"))
        assert rest["exchange"]["id"] != grpc["exchange"]["id"]
        assert rest["exchange"]["sent_ns"] < rest["exchange"]["done_ns"] <= grpc["exchange"]["sent_ns"]
        assert rest["normalised"]["session"]["credential_expiry"] == grpc["normalised"]["session"]["credential_expiry"]
        assert rest["checksum"] != grpc["checksum"]  # each has a session of its own
        (one,) = made[f"{prefix}rest_grpc_handshake_diff.json"]["comparisons"]
        assert (one["outcome"], one["rest"]["checksum"]) == ("equal", one["grpc"]["checksum"])
        assert {rule["rule"] for rule in one["normalised"]} >= {"per-call-id", "per-call-instant", "status-map"}
        assert [one["outcome"] for one in made[f"{prefix}rest_grpc_diff.json"]["comparisons"]] == ["equal"] * 3
    step = ran.checked.report.checked(9)
    assert (step.state, step.note) == ("held", "12 comparisons made again from their traces")


def test_a_field_changed_on_one_side_fails_and_is_named(lab):
    comparing(lab)
    lab.write("conftest.py", CHANGING)
    ran = lab.run(SANDBOX)
    assert ran.verdicts == {"S1.handshakes": "fail"}, ran.out
    (one, *_) = documents(ran.bundle, "operator_upload")["rest_grpc_diff.json"]["comparisons"]
    assert [(at["pointer"], at["rest"], at["grpc"]) for at in one["differences"]] == [
        ("/payload/rotation/rotation_window", '"PT48H"', '"PT24H"')
    ]
    assert ran.checked.report.checked(9).note.endswith("2 of them not equal")  # in both of its documents


CHANGING = """
import msgspec, pytest
from pytest_spiral.transports.rpc import GrpcTransport

plain = GrpcTransport.exchange

def changed(self, request):
    reply = plain(self, request)
    if request.payload.get("identity", {}).get("connector_id") != "operator_upload":
        return reply
    rotation = {**reply.payload["rotation"], "rotation_window": "PT24H"}
    return msgspec.structs.replace(reply, payload={**reply.payload, "rotation": rotation})

@pytest.fixture(autouse=True)
def _changing(monkeypatch):
    monkeypatch.setattr(GrpcTransport, "exchange", changed)
"""


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ("spiral.compare(left, left).feed(rest, grpc)", "both sides travelled by rest"),
        ("import msgspec; spiral.compare(left, msgspec.structs.replace(right, id='x'))", "have recorded lately"),
        (
            """other = connectors.transport("grpc", "operator_upload").traced(handshake(service, token))
            spiral.compare(left, other)""",
            "compare one service with itself",
        ),
    ],
)
def test_what_is_no_comparison_makes_the_criterion_invalid(lab, extra, said):
    comparing(lab, extra)
    ran = lab.run(SANDBOX)
    assert ran.verdicts == {"S1.handshakes": "invalid"}, ran.out
    assert said in ran.out


OPERATED = """
import pytest
from pytest_spiral.model.exchange import Request

@pytest.fixture
def asked(spiral):
    token = spiral.target.operator.ask("credential", operator="overseer")["token"]

    def request(operation, **payload):
        return Request(operation=operation, payload=payload, metadata={"authorization": f"Bearer {token}"}, deadline_s=20.0)

    return request

@pytest.mark.criterion("S1.reach")
def test_latency(spiral, asked):
    operator = spiral.target.operator
    pairs = []
    for number in range(40):
        order = ("rest", "grpc") if number % 2 else ("grpc", "rest")
        taken = {kind: operator.transport(kind).traced(asked("memory_query", query=f"q{number}")) for kind in order}
        pairs.append((taken["rest"], taken["grpc"]))
    judged = spiral.compare_latency(pairs, "memory_query", margin="9 s")
    with spiral.measure("reach", unit="ms") as m:
        m.value(judged.reach_ms)

@pytest.mark.criterion("S1.once")
def test_fallback(spiral, asked):
    operator = spiral.target.operator
    with spiral.measure("once") as m, operator.fallback() as transport:
        for way in ("unavailable", "internal"):
            operator.ask("grpc.fail", way=way)
            reply = transport.exchange(asked("dispatch_command", operator="overseer", agent="crown", command=f"light {way}"))
            operator.ask("grpc.heal")
            done = [one for one in operator.ask("commands")["commands"] if one.get("command") == f"light {way}"]
            m.check(len(done) == 1 and reply.metadata["abzu-fallback"] == "rest", f"{way}: done {len(done)} times")
"""


def test_latency_and_fallbacks_are_in_the_bundle_and_hold(lab):
    lab.gates(
        'reach\nlimit = "max(reach) <= 9 s"\nsamples = 1\nsubjects = ["operator"]',
        'once\nlimit = "failures(once) <= 0"\nsamples = 2\nsubjects = ["operator"]',
    )
    lab.test(OPERATED)
    ran = lab.run(SANDBOX)
    assert ran.verdicts == {"S1.reach": "pass", "S1.once": "pass"}, ran.out
    made = documents(ran.bundle, "operator")
    (judged,) = made["rest_grpc_diff.json"]["latency"]
    assert (judged["verdict"], len(judged["pairs"])) == ("pass", 40)
    told = made["fallbacks.json"]
    assert told["counter"] == {
        "name": "operator_api_transport_fallback_total",
        "transport": "grpc",
        "by_operation": {"dispatch_command": 2},
    }
    assert [(one["event"], one["code"]) for one in told["events"]] == [
        ("fallback-engaged", "unavailable"),
        ("fallback-engaged", "internal"),
    ]
    for number, event in enumerate(told["events"]):
        outer = made["fallback_trace.json"]["exchanges"][number]
        assert (outer["id"], outer["reply"]["metadata"]["abzu-fallback"]) == (event["request"], "rest")
        for transport in ("grpc", "rest"):
            (own,) = [
                one for one in made[f"{transport}_trace.json"]["exchanges"] if one["id"] == f"{outer['id']}-{transport}"
            ]
            assert bool(own["error"]) is (transport == "grpc")
    assert ran.checked.report.checked(9).state == "held"
