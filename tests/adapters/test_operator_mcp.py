"""The operator's MCP adapter against a gateway whose answers each test writes, and against the sandbox's own."""

from datetime import UTC, datetime, timedelta

import pytest

from pytest_spiral.adapters.operator_mcp import BACK_OFF_S, PASSING, TIMEOUT_S, TRIES, OperatorMCPAdapter
from pytest_spiral.errors import ExchangeError, SessionError
from pytest_spiral.model.exchange import Code, Reply
from pytest_spiral.model.session import CONTEXTS, EXPIRY, HEARTBEAT, Identity, Pulse
from pytest_spiral.rules.session import stamp
from pytest_spiral.transports import open_transport
from spiral_sandbox.target import start

T0 = datetime(2025, 9, 26, 18, 3, tzinfo=UTC)
IDENTITY = Identity("operator_api", "1.0.0", "test")
PULSE = Pulse("heart", 7, CONTEXTS[0])


class Gateway:
    """Answers from a list, one answer a call, the last one for ever; keeps what it was asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def exchange(self, request):
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        answer = answer(request) if callable(answer) else answer
        if isinstance(answer, Code):
            raise ExchangeError(answer, "the test says so")
        return Reply(code=Code.OK, payload=answer)


def granted(**session):
    return {
        "authenticated": True,
        "session": {"id": "s-1", "issued_at": stamp(T0), "credential_expiry": stamp(T0 + EXPIRY), **session},
        "accepted_contexts": [{"name": name, "status": "accepted"} for name in CONTEXTS],
        "rotation": {
            "connector_id": "operator_api",
            "rotation_window": "PT48H",
            "window_id": "20250926T180300Z-PT48H",
        },
    }


def taken(request):
    """The gateway's word for a heartbeat that it took."""
    said = {key: request.payload[key] for key in ("chakra", "cycle_count", "context")}
    return {"accepted": True, **said, "received_at": stamp(T0), "next_due": stamp(T0 + HEARTBEAT)}


class Rig:
    """An adapter with a clock that the test moves, and a note of every pause."""

    def __init__(self, *answers, token=lambda: "token-1"):
        self.now = T0
        self.pauses = []
        self.gateway = Gateway(*answers)
        self.adapter = OperatorMCPAdapter(self.gateway, IDENTITY, token, now=lambda: self.now, pause=self.pauses.append)


def test_a_handshake_opens_a_session_and_says_who_asks():
    rig = Rig(granted())
    session = rig.adapter.handshake()
    assert (session.id, session.accepted, session.refused) == ("s-1", CONTEXTS, ())
    assert session.expiry - session.issued_at == timedelta(hours=48)
    assert rig.adapter.session is session
    assert rig.adapter.due == T0 + timedelta(seconds=30)
    (asked,) = rig.gateway.asked
    assert (asked.operation, asked.deadline_s) == ("handshake", TIMEOUT_S)
    assert asked.metadata == {"authorization": "Bearer token-1"}
    assert asked.payload["identity"]["connector_id"] == "operator_api"
    assert [context["name"] for context in asked.payload["supported_contexts"]] == list(CONTEXTS)


def test_a_heartbeat_says_all_that_the_contract_asks_for():
    rig = Rig(granted(), taken)
    rig.adapter.handshake()
    rig.now += timedelta(seconds=30)
    assert rig.adapter.heartbeat(PULSE) == rig.adapter.due == T0 + HEARTBEAT
    assert rig.gateway.asked[1].payload == {
        "chakra": "heart",
        "cycle_count": 7,
        "context": CONTEXTS[0],
        "credential_expiry": stamp(T0 + EXPIRY),
        "emitted_at": stamp(T0 + HEARTBEAT),
    }


# Retry


def test_what_passes_is_tried_three_times_with_a_pause_that_doubles():
    rig = Rig(Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, granted())
    assert rig.adapter.handshake().id == "s-1"
    assert rig.pauses == [BACK_OFF_S, 2 * BACK_OFF_S] == [0.5, 1.0]


@pytest.mark.parametrize("code", sorted(PASSING))
def test_after_three_tries_the_last_failure_is_told(code):
    rig = Rig(code)
    with pytest.raises(ExchangeError) as told:
        rig.adapter.handshake()
    assert (told.value.code, len(rig.gateway.asked), rig.adapter.session) == (code, TRIES, None)


@pytest.mark.parametrize("code", sorted(set(Code) - PASSING - {Code.OK}))
def test_a_refusal_is_not_asked_for_again(code):
    rig = Rig(code)
    with pytest.raises(ExchangeError):
        rig.adapter.handshake()
    assert (len(rig.gateway.asked), rig.pauses) == (1, [])


def test_each_try_shows_the_credential_of_that_moment():
    tokens = iter(["old", "new"])
    rig = Rig(Code.UNAVAILABLE, granted(), token=lambda: next(tokens))
    rig.adapter.handshake()
    shown = [asked.metadata["authorization"] for asked in rig.gateway.asked]
    assert shown == ["Bearer old", "Bearer new"]


# Expiry


def test_a_session_is_over_when_its_credential_is():
    rig = Rig(granted(), taken)
    rig.adapter.handshake()
    rig.now = T0 + EXPIRY - timedelta(seconds=1)
    assert rig.adapter.heartbeat(PULSE)
    rig.now = T0 + EXPIRY
    assert (rig.adapter.session, rig.adapter.due) == (None, None)
    with pytest.raises(SessionError, match="shake hands again"):
        rig.adapter.heartbeat(PULSE)
    assert len(rig.gateway.asked) == 2  # nothing was sent in it


def test_a_session_that_the_gateway_says_is_over_is_forgotten():
    rig = Rig(granted(), Code.UNAUTHENTICATED)
    rig.adapter.handshake()
    with pytest.raises(ExchangeError):
        rig.adapter.heartbeat(PULSE)
    with pytest.raises(SessionError, match="there is no session"):
        rig.adapter.heartbeat(PULSE)


def test_a_handshake_that_fails_leaves_no_session_from_before():
    rig = Rig(granted(), Code.PERMISSION_DENIED)
    rig.adapter.handshake()
    with pytest.raises(ExchangeError):
        rig.adapter.handshake()
    assert rig.adapter.session is None


# What is said back


def test_no_heartbeat_is_sent_in_a_context_that_was_refused():
    reply = granted()
    reply["accepted_contexts"][1]["status"] = "refused"
    rig = Rig(reply)
    assert rig.adapter.handshake().refused == (CONTEXTS[1],)
    with pytest.raises(SessionError, match="was not accepted"):
        rig.adapter.heartbeat(Pulse("heart", 0, CONTEXTS[1]))
    assert len(rig.gateway.asked) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"accepted": False},
        {"accepted": None},
        {"chakra": "root"},
        {"cycle_count": 8},
        {"context": CONTEXTS[1]},
        {"next_due": ""},
        {"next_due": "soon"},
    ],
    ids=str,
)
def test_a_heartbeat_that_comes_back_as_another_is_none(other):
    rig = Rig(granted(), lambda request: taken(request) | other)
    rig.adapter.handshake()
    with pytest.raises(SessionError):
        rig.adapter.heartbeat(PULSE)


@pytest.mark.parametrize(("chakra", "count"), [("", 0), (" \t", 0), ("heart", -1)])
def test_a_pulse_that_says_nothing_is_refused_before_it_is_sent(chakra, count):
    with pytest.raises(ValueError, match="heartbeat"):
        Pulse(chakra, count, CONTEXTS[0])


@pytest.mark.parametrize("who", [("", "1", "i"), ("c", " ", "i"), ("c", "1", "")])
def test_an_identity_is_whole(who):
    with pytest.raises(ValueError, match="an identity has"):
        Identity(*who)


# Against the sandbox


@pytest.fixture(scope="module")
def connectors(tmp_path_factory):
    running = start((), 3, tmp_path_factory.mktemp("sandbox"))
    yield running.component("connectors")
    running.stop()


@pytest.mark.parametrize("kind", ["rest", "grpc"])
def test_a_real_gateway_that_comes_back_in_time_grants_a_session(connectors, kind):
    pauses = []

    def pause(seconds):
        pauses.append(seconds)
        if len(pauses) == 2:
            connectors.ask("resume", service="operator_upload")

    with open_transport(kind, connectors.endpoints[f"operator_upload.{kind}"]) as transport:
        adapter = OperatorMCPAdapter(
            transport,
            Identity("operator_upload", "1.0.0", "test"),
            lambda: connectors.ask("credential", service="operator_upload")["token"],
            now=lambda: datetime.fromisoformat(connectors.ask("clock.now")["now"]),
            pause=pause,
        )
        connectors.ask("drain", service="operator_upload")
        session = adapter.handshake()
        assert pauses == [0.5, 1.0]
        assert session.accepted == CONTEXTS
        due = adapter.heartbeat(PULSE)
    assert due - datetime.fromisoformat(connectors.ask("clock.now")["now"]) == HEARTBEAT
