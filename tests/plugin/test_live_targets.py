"""A live target: the sandbox's components, started by somebody else and found by configuration alone."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import grpc
import pytest

from pytest_spiral.cli.main import main

SERVICES = ("operator_api", "operator_upload", "crown_handshake")
OPERATED = """
import json, sys
from pathlib import Path
from spiral_sandbox.target import start

running = start((), 1, Path(sys.argv[1]))
memory = running.component("memory")
memory.ask("configure", items=50, shards=1)
connectors = running.component("connectors")
tokens = {name: connectors.ask("credential", service=name)["token"] for name in sys.argv[2:]}
endpoints = {one.name: {name: dict(where) for name, where in one.endpoints.items()} for one in (memory, connectors)}
pids = [memory.pid, connectors.pid]
print(json.dumps({"endpoints": endpoints, "tokens": tokens, "pids": pids}), flush=True)
sys.stdin.read()
running.stop()
"""


class Staging:
    """Components in a process group of their own, that nobody but their operator starts or stops."""

    def __init__(self, folder):
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-c", OPERATED, str(folder), *SERVICES],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        told = json.loads(self.process.stdout.readline())
        self.endpoints, self.tokens, self.pids = told["endpoints"], told["tokens"], told["pids"]

    def configured(self, memory="", target="", **more):
        """pyproject.toml with this target as `staging`."""
        at = self.endpoints["memory"]
        files = "\n".join(f'{key} = "{at["rest"][key]}"' for key in ("ca", "cert", "key"))
        lines = [
            f'[tool.spiral.targets.staging]\nfidelity = "staging"\ncontrols = "sandbox"\n{files}\n{target}',
            f'[tool.spiral.targets.staging.components.memory]\nchallenge = "nonce-item"\n{memory}',
            *(f'{kind} = "{at[kind]["address"]}"' for kind in ("rest", "grpc")),
            '[tool.spiral.targets.staging.components.connectors]\nchallenge = "run-certificate"',
        ]
        for service in SERVICES:
            lines.append(f"[tool.spiral.targets.staging.components.connectors.services.{service}]")
            lines += [
                f'{kind} = "{self.endpoints["connectors"][f"{service}.{kind}"]["address"]}"'
                for kind in ("rest", "grpc")
            ]
            lines.append(more.get(service, f'credential = "STAGING_{service.upper()}"'))
        return "\n".join(lines) + "\n"

    def stop(self):
        """End them as their operator does; a second time does nothing."""
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait(20)
        self.process.stdout.close()


@pytest.fixture(scope="module")
def staging(tmp_path_factory):
    """A staging that the tests share and leave as it is."""
    made = Staging(tmp_path_factory.mktemp("staging") / "run")
    yield made
    made.stop()


def exported(lab, staging, **changed):
    for service in SERVICES:
        lab.monkeypatch.setenv(f"STAGING_{service.upper()}", changed.get(service, staging.tokens[service]))


SUITE = """
import pytest
from pytest_spiral.model.exchange import Request

def search(text):
    return Request(operation="vector_search", payload={"text": text, "top_n": 3}, deadline_s=20.0)

def handshake(service, token):
    return Request(
        operation="handshake",
        payload={
            "identity": {"connector_id": service, "version": "1", "instance": "test"},
            "supported_contexts": [{"name": "stage-c-prep"}],
            "rotation": {"rotation_window": "PT48H"},
        },
        metadata={"authorization": f"Bearer {token}"},
    )

@pytest.mark.criterion("S1.searches")
def test_searches(spiral):
    memory = spiral.target.memory
    rest, grpc = (memory.transport(kind) for kind in ("rest", "grpc"))
    rest.exchange(Request(operation="vector_init", deadline_s=20.0))
    with spiral.measure("rest-searches") as left, spiral.measure("grpc-searches") as right:
        for number in range(4):
            asked = search(f"boot {number}")
            spiral.compare(rest.traced(asked), grpc.traced(asked), f"search {number}").feed(left, right)

@pytest.mark.criterion("S1.handshakes")
def test_handshakes(spiral):
    connectors = spiral.target.connectors
    with spiral.measure("rest-handshakes") as left, spiral.measure("grpc-handshakes") as right:
        for service in ("operator_api", "operator_upload", "crown_handshake"):
            asked = handshake(service, connectors.ask("credential", service=service)["token"])
            spiral.compare(*(connectors.transport(kind, service).traced(asked) for kind in ("rest", "grpc")), service).feed(left, right)
"""
GATES = (
    'searches\nlimit = "equal(rest-searches, grpc-searches)"\nsamples = 4\nfidelity = "staging"\nsubjects = ["memory"]',
    'handshakes\nlimit = "equal(rest-handshakes, grpc-handshakes)"\nsamples = 3\nfidelity = "staging"\nsubjects = ["connectors"]',
)
STAGING = "--spiral-target=staging"


def test_suites_run_unchanged_against_a_live_target(lab, staging, way):
    lab.write("pyproject.toml", staging.configured())
    exported(lab, staging)
    lab.gates(*GATES)
    lab.test(SUITE)
    lab.apart = True
    ran = lab.run(STAGING, *way)
    assert ran.verdicts == {"S1.searches": "pass", "S1.handshakes": "pass"}, ran.out
    assert ran.decision == "GO"
    card = ran.evidence.bundle.target
    assert (card.name, card.fidelity) == ("staging", "staging")
    seen = {(one.subject, one.when): one for one in ran.evidence.subjects}
    assert set(seen) == {(name, when) for name in ("memory", "connectors") for when in ("start", "end")}
    assert {one.challenge.kind for one in seen.values()} == {"nonce-item", "run-certificate"}
    assert seen["connectors", "end"].version == "0.1.0"
    assert "comparisons made again" in ran.checked.report.checked(9).note
    kept = b"".join(path.read_bytes() for path in ran.bundle.rglob("*") if path.is_file())
    assert not [name for name, token in staging.tokens.items() if token.encode() in kept]
    assert staging.process.poll() is None  # nobody stopped what nobody started


def test_what_a_live_target_has_no_rig_for_is_blocked_and_controls_run_elsewhere(lab, staging):
    lab.write("pyproject.toml", staging.configured())
    exported(lab, staging)
    control = (
        'control\nmethod = "measure"\ncontrol = { of = "S1.smoke", fault = "connectors.operator-api-503" }\n'
        'subjects = ["connectors"]'
    )
    smoke = 'smoke\nlimit = "failures(smoke) <= 0"\nsamples = 1\nsubjects = ["connectors"]'
    lab.gates(
        'rotation\nlimit = "failures(rotation) <= 0"\nsamples = 1\nsubjects = ["connectors"]', smoke, control, head=""
    )
    lab.test(
        SUITE.partition("@pytest.mark")[0]
        + """
@pytest.mark.criterion("S1.rotation")
def test_rotation(spiral):
    spiral.target.connectors.ask("rotate", service="operator_api", overlap_s=1)

def smoke(spiral, connectors):
    token = connectors.ask("credential", service="operator_api")["token"]
    done = connectors.transport("rest", "operator_api").traced(handshake("operator_api", token))
    with spiral.measure("smoke") as m:
        m.check(not done.error, done.error)

@pytest.mark.criterion("S1.smoke")
def test_smoke(spiral):
    smoke(spiral, spiral.target.connectors)

@pytest.mark.criterion("S1.control")
def test_control(spiral):
    with spiral.control() as faulty:
        assert faulty.name == "sandbox"
        smoke(spiral, faulty.connectors)
"""
    )
    ran = lab.run(STAGING)
    assert (ran.verdicts["S1.smoke"], ran.verdicts["S1.control"]) == ("pass", "pass"), ran.out
    blocked = ran.criterion("S1.rotation")
    assert (str(blocked.verdict), blocked.reason) == ("not-run", "blocked")
    assert "staging is a live target and has no rig" in ran.out


DRILL = "            asked = handshake("
KILLING = """
import os, select, signal

def kill(pids):
    for pid in pids:
        gone = os.pidfd_open(pid)
        os.kill(pid, signal.SIGKILL)
        select.select([gone], [], [])
        os.close(gone)
"""


def test_a_live_target_that_dies_is_lost_and_blocks_what_comes_after(lab, tmp_path_factory):
    own = Staging(tmp_path_factory.mktemp("dying") / "run")
    try:
        lab.write("pyproject.toml", own.configured(target='timeout = "1 s"\nretries = 1'))
        exported(lab, own)
        lab.gates(*GATES)
        lab.test(
            KILLING
            + SUITE.replace(DRILL, f"            if service == 'operator_upload': kill({own.pids})\n{DRILL}")
            + '\n@pytest.mark.criterion("S1.handshakes")\ndef test_more(spiral):\n    pass\n'
        )
        ran = lab.run(STAGING)
    finally:
        own.stop()
    assert set(ran.verdicts.values()) == {"not-run"}, ran.out
    assert {one.reason for one in ran.judgement.criteria} <= {"target-lost", "blocked"}
    assert "connectors" in {one.subject for one in ran.evidence.lost}
    assert ran.decision == "NO-GO"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--spiral-target=stagin"], ["there is no target 'stagin'", "did you mean 'staging'?"]),
        ([STAGING, "--spiral-fault=memory.stub"], ["staging is a live target and takes no faults (memory.stub)"]),
    ],
)
def test_wrong_use_of_a_live_target_is_one_sentence(lab, staging, arguments, words):
    lab.write("pyproject.toml", staging.configured())
    exported(lab, staging)
    lab.gates(*GATES)
    lab.test(SUITE)
    ran = lab.run(*arguments)
    assert ran.status == 4
    assert all(word in ran.out for word in words), ran.out


def test_a_mistake_in_the_configuration_is_wrong_use(lab, staging):
    lab.write("pyproject.toml", staging.configured(target='tiemout = "1 s"'))
    lab.gates(*GATES)
    lab.test(SUITE)
    ran = lab.run(STAGING)
    assert ran.status == 4
    assert "did you mean `timeout`?" in ran.out


# spiral target


@pytest.fixture
def check(tmp_path, monkeypatch, capsys, staging):
    """`spiral target check staging --json`: status and what it found by component."""

    def run(text=None, /, *, environment=None, arguments=()):
        (tmp_path / "pyproject.toml").write_text(text or staging.configured())
        for service in SERVICES:
            monkeypatch.setenv(f"STAGING_{service.upper()}", staging.tokens[service])
        for name, value in (environment or {}).items():
            monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name)
        capsys.readouterr()
        status = main(["target", "check", "staging", "--root", str(tmp_path), "--json", *arguments])
        said = capsys.readouterr()
        found = json.loads(said.out) if said.out else {}
        return status, {one["name"]: one for one in found.get("components", ())}, said.err

    return run


def endpoint(components, component, name):
    (one,) = [one for one in components[component]["endpoints"] if one["name"] == name]
    return one


def test_a_sound_target_is_said_to_be_so(check):
    status, found, _ = check()
    assert status == 0
    assert {name: one["observed"] for name, one in found.items()} == {"memory": "staging", "connectors": "staging"}
    seen = endpoint(found, "connectors", "operator_api.rest")
    assert (seen["version"], seen["tls"], seen["trouble"]) == ("0.1.0", "TLSv1.3", "")
    assert seen["ms"] > 0
    assert check(arguments=["--no-challenge"])[0] == 1  # then nothing is observed


def test_what_was_seen_of_a_target_is_read_by_people_too(tmp_path, monkeypatch, capsys, staging):
    (tmp_path / "pyproject.toml").write_text(staging.configured())
    for service in SERVICES:
        monkeypatch.setenv(f"STAGING_{service.upper()}", staging.tokens[service])
    monkeypatch.setenv("STAGING_CROWN_HANDSHAKE", "wrong-credential")
    assert main(["target", "check", "staging", "--root", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    for words in (
        "target staging, registered staging",
        "memory",
        "observed staging",
        "connectors version 0.1.0",
        "operator_upload.rest",
        "TLSv1.3",
        "the credential in STAGING_CROWN_HANDSHAKE is refused",
        "not sound",
    ):
        assert words in said, said
    assert staging.tokens["operator_api"] not in said


@pytest.mark.parametrize(
    ("environment", "trouble", "said"),
    [
        ({"STAGING_OPERATOR_API": "wrong-credential"}, "credential", "the credential in STAGING_OPERATOR_API is refused (unauthenticated). Remedy"),
        ({"STAGING_OPERATOR_API": ""}, "unset", "the variable STAGING_OPERATOR_API is not set. Remedy: export STAGING_OPERATOR_API"),
    ],
)  # fmt: skip
def test_a_credential_that_does_not_work_has_its_sentence(check, environment, trouble, said):
    status, found, _ = check(environment=environment)
    one = endpoint(found, "connectors", "operator_api.rest")
    assert (status, one["trouble"]) == (1, trouble)
    assert said in one["sentence"]
    assert endpoint(found, "connectors", "operator_upload.rest")["trouble"] == ""


def test_a_credential_that_nobody_named_has_its_sentence(check, staging):
    status, found, _ = check(staging.configured(operator_api=""))
    one = endpoint(found, "connectors", "operator_api.grpc")
    assert (status, one["trouble"]) == (1, "credential")
    assert 'Remedy: name one, as in `credential = "STAGING_TOKEN"`' in one["sentence"]


def test_wrong_tls_and_a_dead_port_have_their_sentences(check, staging, tmp_path):
    import trustme

    stranger = tmp_path / "stranger.pem"
    stranger.write_bytes(trustme.CA().cert_pem.bytes())
    for kind in ("rest", "grpc"):
        status, found, _ = check(staging.configured(memory=f'ca = "{stranger}"'))
        one = endpoint(found, "memory", kind)
        assert (status, one["trouble"]) == (1, "tls")
        assert "Remedy: name its authority as `ca`" in one["sentence"]
        assert found["memory"]["observed"] == "undeclared"
    dead = staging.configured().replace(staging.endpoints["memory"]["rest"]["address"], "https://127.0.0.1:9")
    status, found, _ = check(dead)
    assert (status, endpoint(found, "memory", "rest")["trouble"]) == (1, "unreachable")
    assert "cannot be reached (Connection refused). Remedy" in endpoint(found, "memory", "rest")["sentence"]


def test_a_file_that_is_not_there_is_wrong_use(check, staging):
    status, _, said = check(staging.configured(memory='ca = "no/such.pem"'))
    assert status == 2
    assert "staging names no/such.pem, and there is no such file" in said


def test_targets_are_listed(tmp_path, capsys, staging):
    (tmp_path / "pyproject.toml").write_text(staging.configured())
    assert main(["target", "list", "--root", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "staging   configured in pyproject.toml: registered staging; memory, connectors" in said
    assert "sandbox   installed: spiral_sandbox.target:start" in said
    assert main(["target", "list", "--root", str(tmp_path), "--json"]) == 0
    assert {one["name"] for one in json.loads(capsys.readouterr().out)} == {"sandbox", "staging"}
    assert main(["target", "check", "production", "--root", str(tmp_path)]) == 2
    assert "there is no target 'production'" in capsys.readouterr().err


# A recording as a target: never more than recorded


def test_a_recorded_target_plays_back_and_shows_no_more_than_its_level(lab, staging, tmp_path):
    lab.write("pyproject.toml", staging.configured())
    exported(lab, staging)
    lab.gates(*GATES)
    lab.test(SUITE)
    first = lab.run(STAGING)
    recorded = (
        '[tool.spiral.targets.past]\nfidelity = "recorded"\n[tool.spiral.targets.past.components.memory]\n'
        f'replay = "{first.bundle / "traces" / "memory"}"\n'
    )
    lab.write("pyproject.toml", recorded)
    lab.gates('replayed\nlimit = "failures(replayed) <= 0"\nsamples = 4\nfidelity = "staging"\nsubjects = ["memory"]')
    lab.test(
        SUITE.partition("@pytest.mark")[0]
        + """
@pytest.mark.criterion("S1.replayed")
def test_replayed(spiral):
    memory = spiral.target.memory.transport("rest")
    with spiral.measure("replayed") as m:
        for number in range(4):
            m.check(memory.exchange(search(f"boot {number}")).payload["results"], "nothing was found")
    missing = memory.traced(search("boot 77"))
    assert 'where /text is "boot' in missing.error
"""
    )
    ran = lab.run("--spiral-target=past")
    found = ran.criterion("S1.replayed")
    assert (str(found.verdict), found.reason) == ("environment-limited", "fidelity"), ran.out
    assert ran.evidence.bundle.target.fidelity == "recorded"
    assert ran.decision in ("NOT-EVALUABLE", "CONDITIONAL GO")
    assert {one.challenge.kind for one in ran.evidence.subjects} == {"recorded"}
    assert (ran.bundle / "traces" / "memory" / "replay_trace.json").is_file()


# The real system's loose form


class Loose:
    """A server as the real system is: JSON bytes in generic gRPC handlers, and REST beside it."""

    def __init__(self):
        self.commands = 0
        self.rpc = grpc.server(ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
        handler = grpc.unary_unary_rpc_method_handler(self._rpc)
        methods = grpc.method_handlers_generic_handler("abzu.operator.OperatorApi", {"DispatchCommand": handler})
        self.rpc.add_generic_rpc_handlers((methods,))
        self.port = self.rpc.add_insecure_port("127.0.0.1:0")
        self.rpc.start()
        self.rest = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.thread = Thread(target=self.rest.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def answer(self, payload):
        self.commands += 1
        return {"command_id": f"command-{self.commands}", "result": {"ack": payload["command"]}}

    def _rpc(self, wire, _):
        return json.dumps(self.answer(json.loads(wire))).encode()

    def _handler(self):
        outer = self

        class Handler(BaseHTTPRequestHandler):
            disable_nagle_algorithm = True

            def do_POST(self):
                body = json.dumps(
                    outer.answer(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                ).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                """Say nothing."""

        return Handler

    def stop(self):
        self.rpc.stop(0).wait()
        self.rest.shutdown()
        self.rest.server_close()
        self.thread.join()


@pytest.mark.parametrize(("codec", "verdict"), [("json", "pass"), ("protobuf", "fail")])
def test_the_loose_form_is_tested_unchanged_by_configuration_alone(lab, codec, verdict):
    loose = Loose()
    try:
        lab.write(
            "pyproject.toml",
            '[tool.spiral.targets.real]\nfidelity = "undeclared"\n[tool.spiral.targets.real.components.operator]\n'
            f'rest = "http://127.0.0.1:{loose.rest.server_address[1]}"\ngrpc = "127.0.0.1:{loose.port}"\ncodec = "{codec}"\n',
        )
        lab.gates('commands\nlimit = "equal(rest-commands, grpc-commands)"\nsamples = 2')
        lab.test(
            """
import pytest
from pytest_spiral.model.exchange import Request

@pytest.mark.criterion("S1.commands")
def test_commands(spiral):
    operator = spiral.target.operator
    with spiral.measure("rest-commands") as left, spiral.measure("grpc-commands") as right:
        for word in ("light", "caf\\u00e9"):
            asked = Request(operation="dispatch_command", payload={"operator": "o", "agent": "a", "command": word})
            spiral.compare(*(operator.transport(kind).traced(asked) for kind in ("rest", "grpc")), word).feed(left, right)
"""
        )
        ran = lab.run("--spiral-target=real")
    finally:
        loose.stop()
    assert ran.verdicts == {"S1.commands": verdict}, ran.out
