"""Sessions with the gateway: who has none is refused; what is counted of heartbeats, and told to Prometheus."""

from datetime import timedelta

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from pytest_spiral.errors import ExchangeError
from pytest_spiral.model.exchange import Code, Request
from pytest_spiral.model.session import CONTEXTS, Identity
from pytest_spiral.rules.session import handshake_request, parse_instant, stamp
from pytest_spiral.transports import open_transport
from pytest_spiral.transports.base import AnsweredError
from spiral_sandbox.connectors.conduct import Conduct, conduct_under
from spiral_sandbox.target import known_faults, start

KINDS = ("rest", "grpc")
SERVICE = "operator_api"


class Caller:
    """One connector over one transport."""

    def __init__(self, component, kind):
        self.ask = component.ask
        self.kind = kind
        self.transport = open_transport(kind, component.endpoints[f"{SERVICE}.{kind}"])

    def token(self):
        return self.ask("credential", service=SERVICE)["token"]

    def call(self, operation, payload, token=""):
        """(code, reason of a refusal, payload)."""
        metadata = {"authorization": f"Bearer {token or self.token()}"}
        try:
            reply = self.transport.exchange(Request(operation=operation, payload=payload, metadata=metadata))
        except AnsweredError as error:
            reply = error.reply
        return reply.code, reply.payload.get("reason") or reply.metadata.get("spiral-reason"), reply.payload

    def handshake(self, contexts=CONTEXTS, token=""):
        return self.call("handshake", handshake_request(Identity(SERVICE, "1", "test"), contexts), token)

    def expiry(self, **more):
        return self.handshake(**more)[2]["session"]["credential_expiry"]

    def beat(self, expiry, context=CONTEXTS[0], token=""):
        beat = {
            "chakra": "heart",
            "cycle_count": 3,
            "context": context,
            "credential_expiry": expiry,
            "emitted_at": self.ask("clock.now")["now"],
        }
        return self.call("heartbeat", beat, token)


@pytest.fixture(scope="module")
def component(tmp_path_factory):
    running = start((), 5, tmp_path_factory.mktemp("sandbox"))
    yield running.component("connectors")
    running.stop()


@pytest.fixture(params=KINDS)
def caller(component, request):
    """A caller with a fresh credential, 48 hours after whatever was before."""
    component.ask("clock.advance", seconds=48 * 3600)
    component.ask("rotate", service=SERVICE, overlap_s=3600)
    caller = Caller(component, request.param)
    yield caller
    caller.transport.close()


def later(instant, **by):
    return stamp(parse_instant(instant) + timedelta(**by))


def test_a_heartbeat_without_a_handshake_is_refused(caller):
    made_up = later(caller.ask("clock.now")["now"], hours=48)
    assert caller.beat(made_up)[:2] == (Code.UNAUTHENTICATED, "no-session")
    expiry = caller.expiry()
    assert expiry == made_up  # a good guess at that; it is the session that was missing
    assert caller.beat(expiry)[0] == Code.OK


def test_an_expiry_that_is_made_up_keeps_no_session_alive(caller):
    expiry = caller.expiry()
    assert caller.beat(later(expiry, seconds=1))[:2] == (Code.UNAUTHENTICATED, "no-session")
    assert caller.beat(later(expiry, hours=-1))[:2] == (Code.UNAUTHENTICATED, "no-session")
    assert caller.beat(expiry)[0] == Code.OK


def test_a_session_ends_with_its_credential_and_a_fresh_credential_does_not_revive_it(caller):
    expiry = caller.expiry()
    caller.ask("clock.advance", seconds=48 * 3600)
    caller.ask("renew", service=SERVICE)
    assert caller.beat(expiry)[:2] == (Code.UNAUTHENTICATED, "expired")
    assert caller.beat(caller.expiry())[0] == Code.OK


def test_another_credential_does_not_enter_a_session(caller):
    other = caller.ask("issue", service=SERVICE)["token"]
    expiry = caller.expiry()
    assert caller.beat(expiry, token=other)[:2] == (Code.UNAUTHENTICATED, "no-session")
    assert caller.beat(caller.expiry(token=other), token=other)[0] == Code.OK


def test_in_the_overlap_of_a_rotation_the_session_of_the_old_credential_goes_on(caller):
    caller.ask("clock.advance", seconds=48 * 3600)
    caller.ask("renew", service=SERVICE)
    old, expiry = caller.token(), caller.expiry()
    fresh = caller.ask("rotate", service=SERVICE, overlap_s=3600)["token"]
    assert caller.beat(expiry, token=old)[0] == Code.OK
    assert caller.beat(expiry, token=fresh)[:2] == (Code.UNAUTHENTICATED, "no-session")
    assert caller.beat(caller.expiry(token=fresh), token=fresh)[0] == Code.OK
    caller.ask("clock.advance", seconds=3600)
    assert caller.beat(expiry, token=old)[:2] == (Code.UNAUTHENTICATED, "rotated-out")


def test_a_context_counts_in_the_session_that_accepted_it(caller):
    expiry = caller.expiry(contexts=CONTEXTS[:1])
    assert caller.beat(expiry, CONTEXTS[1])[:2] == (Code.INVALID_ARGUMENT, "context")
    assert caller.beat(expiry, CONTEXTS[0])[0] == Code.OK
    assert caller.beat(caller.expiry(), CONTEXTS[1])[0] == Code.OK


def test_a_session_is_of_the_window_that_it_names(caller):
    _, _, reply = caller.handshake()
    assert reply["rotation"]["window_id"] == caller.ask("rotations")[-1]["window_id"]
    assert reply["rotation"]["last_rotated"] == reply["session"]["issued_at"] == caller.ask("clock.now")["now"]


# What is counted and told


def metrics(component):
    text = component.ask("telemetry")["exposition"]
    return {
        (sample.name, sample.labels.get("connector")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_heartbeat_is_counted_with_its_session_and_its_latency(component, caller):
    before = component.ask("heartbeat.log")["total"]
    _, _, granted = caller.handshake()
    caller.beat(granted["session"]["credential_expiry"])
    (beat,) = component.ask("heartbeat.log", after=before)["beats"]
    now = component.ask("clock.now")["now"]
    assert beat.pop("latency_s") > 0
    assert beat == {
        "number": before + 1,
        "connector": SERVICE,
        "transport": caller.kind,
        "session": granted["session"]["id"],
        "chakra": "heart",
        "cycle_count": 3,
        "context": CONTEXTS[0],
        "emitted_at": now,
        "received_at": now,
    }
    told = metrics(component)
    assert told["operator_mcp_heartbeat_timestamp_seconds", SERVICE] == parse_instant(now).timestamp()
    assert told["operator_mcp_clock_timestamp_seconds", None] == parse_instant(now).timestamp()
    expiry = parse_instant(granted["session"]["credential_expiry"]).timestamp()
    assert told["operator_mcp_session_expiry_timestamp_seconds", SERVICE] == expiry


def test_a_heartbeat_that_is_refused_is_counted_nowhere(component, caller):
    caller.beat(caller.expiry())
    before = component.ask("heartbeat.log")["total"], metrics(component)
    caller.beat(later(component.ask("clock.now")["now"], hours=5))
    assert (component.ask("heartbeat.log")["total"], metrics(component)) == before


def test_a_latency_that_is_withheld_leaves_none_from_before(component, caller):
    name = "operator_mcp_heartbeat_latency_seconds", SERVICE
    expiry = caller.expiry()
    caller.beat(expiry)
    assert name in metrics(component)
    component.ask("heartbeat.latency", service=SERVICE, told=False)
    caller.beat(expiry)
    assert name not in metrics(component)
    component.ask("heartbeat.latency", service=SERVICE, told=True)
    caller.beat(expiry)
    assert metrics(component)[name] > 0


def test_prometheus_scrapes_the_same_from_each_connector(component):
    for service in ("operator_api", "operator_upload", "crown_handshake"):
        endpoint = component.endpoints[f"{service}.rest"]
        with requests.Session() as session:
            session.trust_env = False
            session.verify, session.cert = endpoint["ca"], (endpoint["cert"], endpoint["key"])
            reply = session.get(endpoint["address"] + "/metrics", timeout=10)
        assert reply.headers["content-type"].startswith("text/plain")
        assert reply.text == component.ask("telemetry")["exposition"]


def test_the_gateway_cannot_be_reached_once_it_is_gone(tmp_path):
    running = start((), 5, tmp_path / "sandbox")
    caller = Caller(running.component("connectors"), "rest")
    token = caller.token()
    running.stop()
    with caller.transport, pytest.raises(ExchangeError) as gone:
        caller.transport.exchange(Request(operation="health", metadata={"authorization": f"Bearer {token}"}))
    assert gone.value.code == Code.UNAVAILABLE


# Faults


PLANS = [name for name, plan in known_faults().items() if {"C4", "C5"} & {one[:2] for one in plan.breaks}]
REPLY = {"session": {"credential_expiry": "later", "id": "1"}, "rotation": {"last_rotated": "earlier"}}


def acts(conduct):
    """Everything that a plan of sessions can change, each once, as one value."""
    said = [conduct.handshake(SERVICE, kind, {**REPLY, "by": kind}) for kind in KINDS]
    return (
        said,
        conduct.is_identity("a", "b"),
        [conduct.is_context(offered, "stage-c-prep") for offered in ("stage-c-prep", "stage-z")],
        conduct.ends_sessions(),
        [conduct.hears_heartbeat() for _ in range(3)],
        conduct.times_heartbeats(),
    )


@pytest.mark.parametrize("name", PLANS)
def test_each_plan_changes_one_thing(name):
    sound, broken = acts(Conduct()), acts(conduct_under([name]))
    assert sum(one != other for one, other in zip(sound, broken, strict=True)) == 1


def test_plans_act_together():
    sound, broken = acts(Conduct()), acts(conduct_under(PLANS))
    assert all(one != other for one, other in zip(sound, broken, strict=True))
