"""Each operation over both transports: what is answered, what is refused, and with which code."""

import hashlib
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from pytest_spiral.model.exchange import Code

KINDS = ("rest", "grpc")
WIRE = {
    Code.OK: ("200", "OK"),
    Code.INVALID_ARGUMENT: ("400", "INVALID_ARGUMENT"),
    Code.UNAUTHENTICATED: ("401", "UNAUTHENTICATED"),
    Code.PERMISSION_DENIED: ("403", "PERMISSION_DENIED"),
    Code.RESOURCE_EXHAUSTED: ("413", "RESOURCE_EXHAUSTED"),
    Code.INTERNAL: ("500", "INTERNAL"),
    Code.UNAVAILABLE: ("503", "UNAVAILABLE"),
    Code.DEADLINE_EXCEEDED: ("504", "DEADLINE_EXCEEDED"),
}
PAYLOADS = {
    "dispatch_command": {"operator": "overseer", "agent": "crown", "command": "hold the line"},
    "memory_query": {"query": "hold the line"},
    "handover": {"component": "memory", "error": "it is lost"},
    "upload": {"operator": "overseer", "files": []},
}


def answers(surface, operation, payload, **more):
    """(code, reason) over each transport, each as its own wire says it; both must be the same."""
    said = {}
    for kind in KINDS:
        reply = surface.call(kind, operation, payload, **more)
        assert reply.wire_status == WIRE[reply.code][KINDS.index(kind)]
        reason = reply.payload.get("reason") if kind == "rest" else reply.metadata.get("spiral-reason")
        said[kind] = (reply.code, reason)
    assert said["rest"] == said["grpc"]
    return said["rest"]


# What is answered


@pytest.mark.parametrize("kind", KINDS)
def test_a_command_is_carried_out_once_and_acknowledged(surface, kind, word):
    reply = surface.call(kind, "dispatch_command", surface.command(word))
    assert reply.payload["result"] == {"ack": word}
    (logged,) = [entry for entry in surface.ask("commands")["commands"] if entry.get("command") == word]
    assert logged["command_id"] == reply.payload["command_id"]
    assert (logged["transport"], logged["operator"], logged["agent"]) == (kind, "overseer", "crown")


def test_each_command_has_an_id_of_its_own(surface, word):
    ids = {surface.call(kind, "dispatch_command", surface.command(word)).payload["command_id"] for kind in KINDS * 2}
    assert len(ids) == 4


def test_a_command_is_in_its_agents_own_log(surface, tmp_path_factory, word):
    before = {agent["name"]: agent["done"] for agent in surface.ask("agents")}
    surface.call("grpc", "dispatch_command", surface.command(word, agent="razar"))
    after = {agent["name"]: agent["done"] for agent in surface.ask("agents")}
    assert after == {**before, "razar": before["razar"] + 1}
    log = surface.component.log.with_name("operator") / "agents" / "razar.jsonl"
    assert json.loads(log.read_text().splitlines()[-1])["command"] == word


@pytest.mark.parametrize("kind", KINDS)
def test_a_command_is_remembered_and_found_by_its_words(surface, kind, word):
    surface.call(kind, "dispatch_command", surface.command(word))
    results = surface.call(kind, "memory_query", {"query": word}).payload["results"]
    assert word in results[0]["text"]
    assert [hit["score"] for hit in results] == sorted((hit["score"] for hit in results), reverse=True)


def test_both_transports_find_the_same(surface):
    rest, grpc = (surface.call(kind, "memory_query", {"query": "boot the crown"}).payload for kind in KINDS)
    assert rest == grpc
    assert rest != surface.call("rest", "memory_query", {"query": "something else"}).payload  # the control


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("payload", "taken"),
    [({"component": "memory", "error": "lost"}, True), ({"component": "sonic"}, True), ({"component": "tea"}, False)],
)
def test_a_component_is_handed_over_if_somebody_takes_it(surface, kind, payload, taken):
    assert surface.call(kind, "handover", payload).payload == {"handover": taken}


@pytest.mark.parametrize("kind", KINDS)
def test_files_are_stored_whole(surface, kind):
    files = [("a.txt", b"alpha"), ("übersicht (1).bin", bytes(range(256)) * 1000), ("empty", b"")]
    reply = surface.call(kind, "upload", surface.upload(*files, metadata={"run": 7, "tags": ["x", None, 1.5]}))
    assert reply.payload["metadata"] == {"run": 7, "tags": ["x", None, 1.5]}
    command_id = reply.payload["command_id"]
    assert reply.payload["stored"] == [f"{command_id}/{name}" for name, _ in files]
    folder = surface.component.log.with_name("operator") / "uploads"
    assert [(folder / path).read_bytes() for path in reply.payload["stored"]] == [data for _, data in files]
    (logged,) = [entry for entry in surface.ask("commands")["commands"] if entry["command_id"] == command_id]
    assert [one["sha256"] for one in logged["files"]] == [hashlib.sha256(data).hexdigest() for _, data in files]


def test_status_says_what_is_there_and_what_failed_last(surface):
    surface.call("grpc", "memory_query", {"query": ""})
    status = surface.call("rest", "status", {}).payload
    assert {one["name"] for one in status["components"]} == {"archivist", "crown", "razar", "mcp-gateway"}
    assert status["errors"][-1] | {"at": ""} == {
        "operation": "memory_query", "transport": "grpc", "code": "INVALID_ARGUMENT", "reason": "invalid-request",
        "at": "",
    }  # fmt: skip
    assert status["memory"]["items"] >= 200
    assert surface.call("grpc", "status", {}).payload == {"status": "SERVING"}


@pytest.mark.parametrize("kind", KINDS)
def test_the_request_id_is_said_back(surface, kind):
    for query in ("crown", ""):
        reply = surface.call(kind, "memory_query", {"query": query}, x_request_id="id-7")
        assert reply.metadata["x-request-id"] == "id-7"


# What is refused, on both transports alike


@pytest.mark.parametrize("operation", PAYLOADS)
def test_without_a_credential_nothing_is_done(surface, operation):
    assert answers(surface, operation, PAYLOADS[operation], token=None) == (Code.UNAUTHENTICATED, "missing")
    assert answers(surface, operation, PAYLOADS[operation], token="never-issued") == (Code.UNAUTHENTICATED, "unknown")


def test_a_credential_that_has_ended_is_refused(surface):
    token = surface.ask("issue", operator="overseer", lifetime_s=1)["token"]
    surface.ask("clock.advance", seconds=2)
    assert answers(surface, "handover", {}, token=token) == (Code.UNAUTHENTICATED, "expired")
    assert answers(surface, "handover", {}) == (Code.OK, None)  # the control


@pytest.mark.parametrize(
    ("holder", "operator", "agent", "reason"),
    [
        ("auditor", "auditor", "crown", "agent"),
        ("overseer", "overseer", "nobody", "agent"),
        ("auditor", "overseer", "archivist", "other-operator"),
        ("overseer", "stranger", "crown", "other-operator"),
    ],
)
def test_a_command_that_is_not_permitted_is_refused(surface, word, holder, operator, agent, reason):
    payload = surface.command(word, operator, agent)
    token = surface.token(holder)
    assert answers(surface, "dispatch_command", payload, token=token) == (Code.PERMISSION_DENIED, reason)
    assert surface.executed(word) == 0


def test_a_permitted_command_of_the_same_operator_is_carried_out(surface, word):
    payload = surface.command(word, "auditor", "archivist")
    assert answers(surface, "dispatch_command", payload, token=surface.token("auditor")) == (Code.OK, None)


def test_an_upload_that_is_not_permitted_stores_nothing(surface):
    before = surface.ask("uploads")
    payload = surface.upload(("a.txt", b"alpha"), operator="auditor")
    assert answers(surface, "upload", payload, token=surface.token("auditor")) == (Code.PERMISSION_DENIED, "upload")
    assert surface.ask("uploads") == before


@pytest.mark.parametrize(
    ("operation", "payload"),
    [
        ("dispatch_command", {}),
        ("dispatch_command", {"operator": "overseer", "agent": "crown"}),
        ("dispatch_command", {"operator": "overseer", "agent": "crown", "command": ""}),
        ("dispatch_command", {"operator": "overseer", "agent": "crown", "command": " \u2003"}),
        ("dispatch_command", {"operator": "overseer", "agent": "crown", "command": "a\x00b"}),
        ("dispatch_command", {"operator": "overseer", "agent": "crown", "command": "a\nb"}),
        ("dispatch_command", {"operator": "overseer", "agent": "crown", "command": "x" * 4001}),
        ("dispatch_command", {"operator": "Overseer!", "agent": "crown", "command": "x"}),
        ("dispatch_command", {"operator": "overseer", "agent": "../crown", "command": "x"}),
        ("dispatch_command", {"operator": "overseer", "agent": "c" * 65, "command": "x"}),
        ("memory_query", {}),
        ("memory_query", {"query": ""}),
        ("memory_query", {"query": "x" * 4001}),
        ("handover", {"component": "x" * 201}),
        ("handover", {"error": "a\x1bb"}),
        ("upload", {"files": []}),
        ("upload", {"operator": "OVERSEER", "files": []}),
        ("upload", {"operator": "overseer", "metadata": "{", "files": []}),
        ("upload", {"operator": "overseer", "metadata": "[1]", "files": []}),
        ("upload", {"operator": "overseer", "metadata": '{"a":1,"a":2}', "files": []}),
        ("upload", {"operator": "overseer", "metadata": '{"a":NaN}', "files": []}),
        ("upload", {"operator": "overseer", "metadata": '{"a":1e999}', "files": []}),
        ("upload", {"operator": "overseer", "metadata": {"n": 2**53 + 1}, "files": []}),
        ("upload", {"operator": "overseer", "metadata": {"n": 10**400}, "files": []}),
        ("upload", {"operator": "overseer", "metadata": '{"a":"\\ud800"}', "files": []}),
        ("upload", {"operator": "overseer", "metadata": '{"a":' * 40 + "1" + "}" * 40, "files": []}),
        ("upload", {"operator": "overseer", "metadata": '{"a":' * 5000 + "1" + "}" * 5000, "files": []}),
    ],
)  # fmt: skip
def test_a_request_that_cannot_be_accepted_is_refused(surface, operation, payload):
    before = surface.ask("commands")["total"], surface.ask("uploads")
    assert answers(surface, operation, payload) == (Code.INVALID_ARGUMENT, "invalid-request")
    assert (surface.ask("commands")["total"], surface.ask("uploads")) == before


@pytest.mark.parametrize(
    "name",
    ["../up", "/etc/passwd", "a/b", "a\\b", "..", ".", "", ".hidden", "a\x00b", "a\tb", "x" * 201, "ü" * 150, 'a"b'],
)
def test_a_file_name_that_is_a_path_or_worse_is_refused(surface, name):
    before = surface.ask("uploads")
    payload = surface.upload(("good.txt", b"1"), (name, b"2"))
    assert answers(surface, "upload", payload) == (Code.INVALID_ARGUMENT, "invalid-request")
    assert surface.ask("uploads") == before


def test_two_files_of_one_name_are_refused(surface):
    payload = surface.upload(("a.txt", b"1"), ("a.txt", b"2"))
    assert answers(surface, "upload", payload) == (Code.INVALID_ARGUMENT, "invalid-request")


@pytest.mark.parametrize(
    ("name", "value"),
    [("x_request_id", "two words"), ("idempotency_key", "two words"), ("idempotency_key", "k" * 129),
     ("x_deadline_ms", "0"), ("x_deadline_ms", "-5"), ("x_deadline_ms", "soon"), ("x_deadline_ms", "1" * 9)],
)  # fmt: skip
def test_metadata_that_cannot_be_read_is_refused(surface, name, value):
    reason = {"x_request_id": "request-id"}.get(name, name.replace("_", "-"))
    assert answers(surface, "handover", {}, **{name: value}) == (Code.INVALID_ARGUMENT, reason)


def test_a_request_that_is_too_large_is_refused(surface):
    payload = {"query": "x" * (1 << 20)}
    assert answers(surface, "memory_query", payload) == (Code.RESOURCE_EXHAUSTED, "too-large")


def test_an_upload_that_is_too_large_is_refused_and_leaves_nothing(surface):
    surface.ask("configure", upload_bytes=200_000)
    try:
        before = surface.ask("uploads")
        payload = surface.upload(("a", bytes(150_000)), ("b", bytes(50_001)))
        assert answers(surface, "upload", payload) == (Code.RESOURCE_EXHAUSTED, "too-large")
        assert surface.ask("uploads") == before
        payload = surface.upload(("a", bytes(150_000)), ("b", bytes(50_000)))
        assert answers(surface, "upload", payload) == (Code.OK, None)  # the control
    finally:
        surface.ask("configure", upload_bytes=8 << 20)


def test_too_many_files_are_refused(surface):
    payload = surface.upload(*((f"f{number}", b"") for number in range(65)))
    assert answers(surface, "upload", payload) == (Code.RESOURCE_EXHAUSTED, "too-many-files")


@pytest.mark.parametrize("kind", KINDS)
def test_a_failure_of_the_servers_own_is_internal_and_nothing_was_done(surface, kind, word):
    """The agent's log cannot be written: a folder stands in its place."""
    log = surface.component.log.with_name("operator") / "agents" / "razar.jsonl"
    aside = log.rename(log.with_suffix(".aside")) if log.exists() else None
    log.mkdir()
    try:
        reply = surface.call(kind, "dispatch_command", surface.command(word, agent="razar"), idempotency_key=word)
        assert reply.code is Code.INTERNAL
        assert reply.wire_status == ("500" if kind == "rest" else "INTERNAL")
        assert surface.executed(word) == 0
    finally:
        log.rmdir()
        if aside is not None:
            aside.rename(log)
    reply = surface.call(kind, "dispatch_command", surface.command(word, agent="razar"), idempotency_key=word)
    assert (reply.code, surface.executed(word)) == (Code.OK, 1)


def test_a_memory_that_cannot_be_opened_is_internal_and_commands_go_on(faulty):
    surface = faulty()
    folder = surface.component.log.with_name("operator") / "memory.sqlite"
    folder.mkdir()
    assert answers(surface, "memory_query", {"query": "crown"}) == (Code.INTERNAL, "internal")
    assert answers(surface, "dispatch_command", surface.command("hold")) == (Code.OK, None)
    assert surface.executed("hold") == 2
    folder.rmdir()
    assert answers(surface, "memory_query", {"query": "crown"}) == (Code.OK, None)


# Deadlines


def test_a_call_that_takes_too_long_is_ended_and_not_carried_out_later(surface, word):
    surface.ask("agent.hold", agent="crown")
    try:
        said = answers(surface, "dispatch_command", surface.command(word), x_deadline_ms="40")
        assert said == (Code.DEADLINE_EXCEEDED, "deadline")
    finally:
        surface.ask("agent.release", agent="crown")
    surface.call("rest", "dispatch_command", surface.command(f"after {word[::-1]}"))
    assert surface.executed(word) == 0


def given_up(surface, agent):
    """Wait until no command waits for the agent's turn: the service has heard that its caller is gone."""
    end = time.monotonic() + 10
    while any(one["waiting"] for one in surface.ask("agents") if one["name"] == agent):
        assert time.monotonic() < end


def test_the_callers_own_deadline_over_grpc_gives_the_command_up(surface, word):
    surface.ask("agent.hold", agent="crown")
    try:
        reply = surface.call("grpc", "dispatch_command", surface.command(word), seconds=1)
        assert reply.code is Code.DEADLINE_EXCEEDED
        given_up(surface, "crown")
    finally:
        surface.ask("agent.release", agent="crown")
    surface.call("grpc", "dispatch_command", surface.command(f"after {word[::-1]}"))
    assert surface.executed(word) == 0


# The MCP handshake


def test_without_an_mcp_handshake_nothing_is_dispatched_or_uploaded(surface, word):
    """Whoever asks while the gateway is being tried waits for the same three tries."""
    endpoint = surface.component.endpoints["rest"]
    files = {part: endpoint[part] for part in ("ca", "cert", "key")}
    payloads = {"dispatch_command": surface.command(word), "upload": surface.upload((f"{word}.txt", b"1"))}
    with socket.socket() as nobody, ThreadPoolExecutor(4) as pool:
        nobody.bind(("127.0.0.1", 0))
        address = f"https://127.0.0.1:{nobody.getsockname()[1]}"
        surface.ask("gateway.connect", address=address, token="t", **files)
        try:
            calls = {
                (kind, operation): pool.submit(surface.call, kind, operation, payload)
                for kind in KINDS for operation, payload in payloads.items()
            }  # fmt: skip
            for (kind, _), call in calls.items():
                reply = call.result()
                assert (reply.code, reply.wire_status) == (Code.UNAVAILABLE, WIRE[Code.UNAVAILABLE][KINDS.index(kind)])
                reasons = {reply.payload.get("reason"), reply.metadata.get("spiral-reason")}
                assert reasons == {"handshake", None}
            assert answers(surface, "memory_query", {"query": "crown"}) == (Code.OK, None)
            gateway = {"name": "mcp-gateway", "status": "closed"}
            assert gateway in surface.call("rest", "status", {}).payload["components"]
        finally:
            surface.ask("gateway.disconnect")
    assert surface.executed(word) == 0
    assert word not in str(surface.ask("uploads"))
    for operation, payload in payloads.items():
        assert answers(surface, operation, payload) == (Code.OK, None)
