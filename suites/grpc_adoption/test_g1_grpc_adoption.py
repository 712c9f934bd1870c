"""G1: gRPC answers as REST does, and where it fails a real REST call follows, without loss and without doing twice."""

import base64
import hashlib
import json
import struct
import subprocess
import uuid

import msgspec
import pytest

from pytest_spiral.model.exchange import Code, Request

WAYS = ("unavailable", "deadline", "internal", "reset-mid-stream")
"""In which ways gRPC fails: the call is refused, never answered, its reply is lost, its connection is cut."""

SEARCHES = 60
PLAN = {"calls": 500, "every_ms": 10, "margin": "25 ms"}
"""A load of each arm; the bar itself stands in gates.toml."""

DEADLINE_S = 1.5
NAMESPACE = "spiral-rehearsal"


def said(exchange):
    """The code that a recorded call ended with."""
    return exchange.reply.code if exchange.reply else "no reply"


def command(word):
    """A command that nobody else gives."""
    return {"operator": "overseer", "agent": "crown", "command": word}


def upload(word):
    """An upload of one small file that nobody else sends."""
    return {"operator": "overseer", "files": [{"name": f"{word}.txt", "content": base64.b64encode(b"alpha").decode()}]}


class Caller:
    """Calls to the operator surface in the overseer's name."""

    def __init__(self, operator):
        self.operator = operator
        self._token = operator.ask("credential", operator="overseer")["token"]

    def request(self, operation, payload, seconds=10.0, **metadata):
        """One request with the credential and metadata of its own."""
        metadata = {"authorization": f"Bearer {self._token}", **metadata}
        return Request(operation=operation, payload=payload, metadata=metadata, deadline_s=seconds)

    def done(self, word):
        """How often something with this word was carried out, by the server's own log."""
        entries = self._entries("commands", "commands")
        return sum(entry.get("command") == word or word in str(entry.get("files")) for entry in entries)

    def served(self, request_id):
        """Over which transports the server answered calls with this id well."""
        entries = self._entries("served", "requests")
        return [one["transport"] for one in entries if one["request_id"] == request_id and one["code"] == "OK"]

    def _entries(self, log, under):
        """All entries of one of the server's own logs, page by page."""
        after = 0
        while page := self.operator.ask(log, after=after)[under]:
            yield from page
            after = page[-1]["number"]


# Traces


@pytest.mark.criterion("G1.traces")
def test_grpc_calls_are_traced(spiral, gateway):
    """Every operation's request and reply over gRPC are recorded whole, and no credential in them."""
    with spiral.measure("traced") as m:
        for name, operation, exchange in rehearsal(spiral, gateway):
            whole = exchange.request.payload is not None and exchange.reply and exchange.reply.payload
            timed = exchange.transport == "grpc" and exchange.id and 0 < exchange.sent_ns < exchange.done_ns
            m.check(whole and timed and said(exchange) == Code.OK, f"{name} {operation}: {said(exchange)}")
            shown = exchange.request.metadata.get("authorization", "***")
            m.check(shown == "***", f"{name} {operation}: the credential stands in the trace")


def rehearsal(spiral, gateway):
    """Each operation once over gRPC: component or service, operation, exchange."""
    caller = Caller(spiral.target.operator)
    word = uuid.uuid4().hex
    for operation, payload in (
        ("dispatch_command", command(word)),
        ("memory_query", {"query": word}),
        ("handover", {"component": "memory"}),
        ("upload", upload(word)),
    ):
        yield "operator", operation, caller.operator.transport("grpc").traced(caller.request(operation, payload))
    for operation, payload in (("vector_init", {}), ("vector_search", {"text": "light the lamps", "top_n": 5})):
        asked = Request(operation=operation, payload=payload, deadline_s=30.0)
        yield "memory", operation, spiral.target.memory.transport("grpc").traced(asked)
    for service in gateway.services:
        for _, operation, payload, token, _ in gateway.questions(service)[:3]:
            yield service, operation, gateway.traced("grpc", service, operation, payload, token)


# Vectors


@pytest.mark.criterion("G1.vector-parity")
def test_vector_service_answers_as_rest(spiral):
    """Init and searches say the same over both transports; REST's scores, as 32-bit floats, are gRPC's."""
    memory = spiral.target.memory
    with (
        spiral.measure("rest-vectors") as rest,
        spiral.measure("grpc-vectors") as grpc,
        spiral.measure("scores") as scores,
    ):
        asked = [("vector_init", {})]
        asked += [
            ("vector_search", {"text": f"lamp {number} of the spiral", "top_n": 10}) for number in range(SEARCHES)
        ]
        for number, (operation, payload) in enumerate(asked):
            request = Request(operation=operation, payload=payload, deadline_s=30.0)
            sides = [memory.transport(kind).traced(request) for kind in ("rest", "grpc")]
            spiral.compare(*sides, f"{operation} {number}").feed(rest, grpc)
            if operation == "vector_search":
                ours, theirs = ([one["score"] for one in side.reply.payload["results"]] for side in sides)
                rounded = [single(score) for score in ours]
                scores.check(
                    ours and rounded == [single(score) for score in theirs], f"search {number}: {ours}, {theirs}"
                )


def single(score):
    """A score as a 32-bit float has it."""
    return struct.unpack("<f", struct.pack("<f", score))[0]


# Fallback


def measure_fallback(spiral, target):
    """Deliver all that the promise of fallback asks for; gRPC is healed afterwards."""
    caller = Caller(target.operator)
    caller.operator.ask("grpc.heal")  # where there is no rig to make gRPC fail, the test is blocked before it measures
    with (
        spiral.measure("answered") as answered,
        spiral.measure("marked") as marked,
        spiral.measure("real-rest") as real,
        spiral.measure("done-once") as once,
    ):
        for way in WAYS:
            caller.operator.ask("grpc.fail", way=way)
            fall_back(caller, way, answered, marked, real, once)
            caller.operator.ask("grpc.heal")
        caller.operator.ask("grpc.stop")
        fall_back(caller, "stopped", answered, marked, real, once)
        caller.operator.ask("grpc.start")
    with spiral.measure("detour") as m:
        check_detour(caller, m)


def fall_back(caller, way, *measures):
    """Three calls through the fallback while gRPC fails, and what the server's own logs say of them."""
    answered, marked, real, once = measures
    with caller.operator.fallback() as transport:
        for operation, payload in (("dispatch_command", command), ("upload", upload), ("memory_query", None)):
            word, own = f"w{uuid.uuid4().hex}", uuid.uuid4().hex
            fields = {"query": word} if payload is None else payload(word)
            asked = caller.request(operation, fields, DEADLINE_S, **{"x-request-id": own})
            exchange = transport.traced(asked)
            answered.check(said(exchange) == Code.OK, f"{way} {operation}: {said(exchange)}")
            mark = exchange.reply.metadata.get("abzu-fallback") if exchange.reply else None
            marked.check(mark == "rest", f"{way} {operation}: the reply is marked {mark}")
            over = caller.served(f"{own}-rest")
            real.check(over == ["rest"], f"{way} {operation}: the server answered it over {over or 'nothing'}")
            expected = 0 if payload is None else 1
            count = caller.done(word)
            once.check(count == expected, f"{way} {operation}: carried out {count} times")


def check_detour(caller, measure):
    """The server's own gRPC side may go by REST: a real call, said in trailing metadata, done once; healed, no more of it."""
    caller.operator.ask("grpc.fail", way="detour")
    for expected in ("rest", None):
        word, own = f"w{uuid.uuid4().hex}", uuid.uuid4().hex
        request = caller.request("dispatch_command", command(word), **{"x-request-id": own})
        exchange = caller.operator.transport("grpc").traced(request)
        mark = exchange.reply.metadata.get("abzu-fallback") if exchange.reply else "no reply"
        measure.check(said(exchange) == Code.OK and mark == expected, f"detour: {said(exchange)}, marked {mark}")
        over, count = caller.served(own), caller.done(word)
        measure.check(over == [expected or "grpc"] and count == 1, f"detour: over {over}, carried out {count} times")
        caller.operator.ask("grpc.heal")


@pytest.mark.criterion("G1.fallback")
def test_calls_fall_back_to_rest(spiral):
    """However gRPC fails, a real REST call follows and says so; the server's own log has each command once."""
    measure_fallback(spiral, spiral.target)


@pytest.mark.criterion("G1.control")
def test_a_server_that_does_things_twice_is_found_out(spiral):
    """Where the server forgets which commands it has carried out, its log shows it."""
    with spiral.control() as forgetful:
        measure_fallback(spiral, forgetful)


# Mixed load


@pytest.mark.criterion("G1.mixed-load")
def test_mixed_load_is_no_slower_than_rest(spiral):
    """REST, gRPC and the fallback in turn, then REST and calls that do fall back: no P95 grows by more than the bar."""
    caller = Caller(spiral.target.operator)

    def request(number):
        return caller.request("memory_query", {"query": f"light {number % 50}"})

    caller.operator.ask("grpc.heal")  # without a rig, blocked before the load
    loads = [load_that_shows_something(spiral, request, "mixed")]
    caller.operator.ask("grpc.fail", way="unavailable")
    try:
        loads.append(load_that_shows_something(spiral, request, "fallen back", ways=("rest", "fallback")))
    finally:
        caller.operator.ask("grpc.heal")
    with spiral.measure("load-failures") as failures:
        for load in loads:
            for arm in (load.candidate, load.baseline):
                for number, time in enumerate(arm.times):
                    failures.check(time is not None, f"{load.item}: call {number} of {'/'.join(arm.ways)} failed")
    with spiral.measure("growth", unit="ms") as growth:
        for load in loads:
            growth.value(load.growth_ms)


def load_that_shows_something(spiral, request, item, **ways):
    """A load, compared with REST alone; blocked where the machine was too busy for it to show anything."""
    load = spiral.compare_load("operator", request, item, **ways, **PLAN)
    if load.growth_ms is None or load.verdict == "inconclusive":
        why = f"the load {item!r} is {load.verdict} ({load.reason})"
        spiral.blocked(f"{why}: this machine was too busy for it to show anything; run it again on a quiet one")
    return load


# Sign-off


@pytest.mark.criterion("G1.sign-off")
def test_the_operator_signs_the_traces(spiral, gateway, tmp_path):
    """The operator's SSH signature is on the digest of the rehearsal's traces; on no other digest, key or purpose."""
    exchanges = [msgspec.to_builtins(exchange) for *_, exchange in rehearsal(spiral, gateway)]
    digest = digest_of(exchanges)
    exchanges[0]["request"]["payload"] = {"operator": "overseer", "agent": "crown", "command": "another"}
    owner, other = (make_key(tmp_path / name) for name in ("overseer", "stranger"))
    allowed = tmp_path / "allowed_signers"
    allowed.write_text(f'overseer namespaces="{NAMESPACE}" {owner.with_suffix(".pub").read_text()}')
    with spiral.measure("signed") as m:
        signature = sign(owner, digest)
        m.check(is_signed(allowed, digest, signature), "the operator's own signature does not verify")
        m.check(not is_signed(allowed, digest_of(exchanges), signature), "it verifies for traces that were altered")
        m.check(not is_signed(allowed, digest, sign(other, digest)), "a stranger's signature verifies")
        m.check(not is_signed(allowed, digest, sign(owner, digest, "file")), "a signature for another purpose verifies")
    for name, content in (
        ("digest.txt", digest),
        ("digest.sig", signature),
        ("allowed_signers.txt", allowed.read_text()),
    ):
        spiral.attach(content, name)


def digest_of(exchanges):
    """SHA-256 over the exchanges as JSON with sorted keys, as a line of text."""
    text = json.dumps(exchanges, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}\n"


def make_key(path):
    """A key of this rehearsal's own: it shows that the check works, not who signed. A live target's owner has theirs."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", path], check=True, timeout=30)
    return path


def sign(key, text, namespace=NAMESPACE):
    """An SSH signature over the text."""
    command_line = ["ssh-keygen", "-q", "-Y", "sign", "-f", key, "-n", namespace]
    return subprocess.run(command_line, input=text, capture_output=True, text=True, check=True, timeout=30).stdout


def is_signed(allowed, text, signature):
    """Whether ssh-keygen takes the signature for the operator's, over this text and for this purpose."""
    path = allowed.with_suffix(".sig")
    path.write_text(signature)
    command_line = ["ssh-keygen", "-Y", "verify", "-f", allowed, "-I", "overseer", "-n", NAMESPACE, "-s", path]
    return (
        subprocess.run(command_line, input=text, capture_output=True, text=True, check=False, timeout=30).returncode
        == 0
    )
