"""The sandbox's scaffold: processes that come when called, answer, and never stay behind."""

import asyncio
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import psutil
import pytest
import requests
import trustme
from grpc_health.v1 import health_pb2, health_pb2_grpc

import spiral_sandbox.target
from spiral_sandbox.component import digest_of
from spiral_sandbox.errors import (
    ComponentLostError,
    ComponentRefusalError,
    ComponentStartError,
    ComponentTimeoutError,
    FaultFileError,
    SandboxError,
)
from spiral_sandbox.faults import chosen_faults, faults_of, known_faults, parse_faults
from spiral_sandbox.serving import serve_rest
from spiral_sandbox.target import start

SECONDS = 20


@pytest.fixture
def running(tmp_path):
    sandbox = start([], seed=1, folder=tmp_path)
    yield sandbox
    sandbox.stop()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    sandbox = start([], seed=1, folder=tmp_path_factory.mktemp("shared"))
    yield sandbox
    sandbox.stop()


def is_gone(pid):
    """Whether a process has ended; one that nobody has collected yet has ended too."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def await_true(condition):
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the deadline passed"
        time.sleep(0.02)


# Who a component is, and how it comes up


def test_nothing_runs_before_it_is_asked_for(running):
    children = {child.pid for child in psutil.Process().children(recursive=True)}
    pid = running.component("memory").pid
    assert pid not in children
    assert pid in {child.pid for child in psutil.Process().children(recursive=True)}


def test_a_component_says_who_it_is(shared):
    memory = shared.component("memory")
    assert memory.name == "memory"
    assert memory.version
    assert re.fullmatch("[0-9a-f]{32}", memory.identity)
    assert memory.digest == digest_of("memory")
    assert memory.log.exists()
    assert json.loads(json.dumps(memory.endpoints)) == memory.endpoints


def test_each_process_is_someone_else_running_the_same_source(shared, running):
    one, other = shared.component("memory"), running.component("memory")
    assert one.identity != other.identity
    assert one.digest == other.digest


def test_another_component_has_another_digest():
    assert digest_of("memory") != digest_of("sonic")


def test_callers_at_the_same_time_get_one_process(running):
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(running.component, ["memory"] * 8))
    assert len({id(component) for component in found}) == 1


def test_the_sandbox_says_what_it_is(shared):
    assert (shared.name, shared.fidelity) == ("sandbox", "sandbox")
    assert shared.components == ("memory", "sonic", "connectors", "operator", "boot")
    assert shared.facts["clock.trusted"] is False
    assert shared.faults == known_faults()


def test_there_is_no_component_of_another_name(shared):
    with pytest.raises(SandboxError, match="no component 'memroy'"):
        shared.component("memroy")


def test_a_component_that_cannot_start_says_why(running, tmp_path):
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.sqlite").write_bytes(b"this is no database" * 100)
    with pytest.raises(ComponentStartError, match="memory could not start: NotADBError"):
        running.component("memory")
    assert running.lost() == ()


def test_a_component_that_ends_before_it_is_ready_shows_its_log(running, monkeypatch):
    command = [sys.executable, "-c", "import sys; sys.exit('no such luck')"]
    monkeypatch.setattr(spiral_sandbox.target, "_command", lambda _name: command)
    with pytest.raises(ComponentStartError, match=r"ended before it was ready.*\n.*no such luck"):
        running.component("memory")


def test_a_component_that_is_not_ready_in_time_is_ended(running, monkeypatch):
    monkeypatch.setattr(spiral_sandbox.target, "_command", lambda _name: ["sleep", "600"])
    monkeypatch.setattr(spiral_sandbox.target, "READY_SECONDS", 0.1)
    monkeypatch.setattr(spiral_sandbox.target, "STOP_SECONDS", -0.9)
    before = set(psutil.Process().children())
    with pytest.raises(ComponentStartError, match="was not ready in time"):
        running.component("memory")
    assert set(psutil.Process().children()) <= before


def test_a_component_of_another_installation_is_refused(running, monkeypatch):
    monkeypatch.setattr(spiral_sandbox.target, "__file__", "/elsewhere/spiral_sandbox/target.py")
    with pytest.raises(ComponentStartError, match="not from /elsewhere/spiral_sandbox"):
        running.component("memory")


# The control channel


def test_an_operator_is_answered(shared):
    assert shared.component("memory").ask("configure", items=20)["items"] == 0


def test_an_operation_that_does_not_exist_is_refused(shared):
    with pytest.raises(ComponentRefusalError, match=r"UnknownOperationError.*'rehearse'"):
        shared.component("memory").ask("rehearse")


def test_an_argument_that_is_not_understood_is_refused(shared):
    with pytest.raises(ComponentRefusalError, match="itmes"):
        shared.component("memory").ask("configure", itmes=20)


def test_answers_find_the_question_they_belong_to(shared):
    ask = shared.component("memory").ask
    with ThreadPoolExecutor(8) as pool:
        refused = [pool.submit(ask, f"op-{number}") for number in range(40)]
    for number, future in enumerate(refused):
        with pytest.raises(ComponentRefusalError, match=f"'op-{number}'"):
            future.result()


def test_a_late_answer_is_not_taken_for_the_next_one(running):
    memory = running.component("memory")
    os.kill(memory.pid, signal.SIGSTOP)
    try:
        with pytest.raises(ComponentTimeoutError, match=r"within 0\.05 s"):
            memory.ask("configure", shards=2, _deadline=0.05)
    finally:
        os.kill(memory.pid, signal.SIGCONT)
    assert memory.ask("configure", shards=3)["shards"] == [0, 0, 0]


def test_a_component_that_died_is_named_and_cannot_be_asked(running):
    memory = running.component("memory")
    assert running.lost() == ()
    os.kill(memory.pid, signal.SIGKILL)
    await_true(lambda: running.lost() == ("memory",))
    with pytest.raises(ComponentLostError, match="memory is gone"):
        memory.ask("configure")


def test_a_question_that_is_open_when_the_component_dies_is_answered_with_the_loss(running):
    memory = running.component("memory")
    os.kill(memory.pid, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(memory.ask, "configure")
        os.kill(memory.pid, signal.SIGKILL)
        with pytest.raises(ComponentLostError):
            answer.result(SECONDS)


def test_what_a_component_prints_does_not_break_the_channel():
    script = """
        import os, sys
        from spiral_sandbox.component import take_stdout
        replies = take_stdout()
        print("a stray line")
        os.system("echo another")
        replies.send({"ready": 1})
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, check=True, timeout=SECONDS
    )
    assert done.stdout == b'{"ready":1}\n'
    assert b"a stray line" in done.stderr
    assert b"another" in done.stderr


# How it ends


def test_stop_ends_the_process_and_removes_the_keys(running, tmp_path):
    memory = running.component("memory")
    assert (tmp_path / "tls" / "server.key").exists()
    running.stop()
    assert is_gone(memory.pid)
    assert not (tmp_path / "tls").exists()
    assert (tmp_path / "memory" / "memory.sqlite").exists()


def test_a_component_stops_in_order_when_told(running):
    memory = running.component("memory")
    running.stop()
    assert memory._process.returncode == 0


def test_a_second_stop_does_nothing_and_nothing_starts_after_it(running):
    memory = running.component("memory")
    running.stop()
    running.stop()
    assert running.lost() == ()
    with pytest.raises(ComponentLostError, match="was stopped"):
        running.component("memory")
    with pytest.raises(ComponentLostError):
        memory.ask("configure")


def test_a_component_that_does_not_react_is_ended_by_force(running, monkeypatch):
    memory = running.component("memory")
    os.kill(memory.pid, signal.SIGSTOP)
    monkeypatch.setattr(spiral_sandbox.target, "STOP_SECONDS", -0.9)
    running.stop()
    assert memory._process.returncode == -signal.SIGKILL


def test_a_forked_process_does_not_end_its_parents_components(running, monkeypatch):
    memory = running.component("memory")
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(running, "_owner", os.getpid() + 1)
        running.stop()
    assert memory.alive


PARENT = """
    import sys, pathlib, subprocess
    from spiral_sandbox.target import start
    memory = start([], 1, pathlib.Path(sys.argv[1])).component("memory")
    held = memory._process.stdin.fileno()
    keeper = subprocess.Popen(["sleep", "600"], pass_fds=[held]) if sys.argv[2] == "held" else None
    print(memory.pid, keeper.pid if keeper else 0, flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize(
    "pipe",
    [
        "closed",
        pytest.param("held", marks=pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="no pidfd_open here")),
    ],
)
def test_a_parent_that_is_killed_leaves_no_child(tmp_path, pipe):
    """Held: another process has the other end of the component's input open, so there is no end of file."""
    command = [sys.executable, "-c", textwrap.dedent(PARENT), str(tmp_path), pipe]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        child, keeper = map(int, parent.stdout.readline().split())
        try:
            assert not is_gone(child)
            parent.kill()
            await_true(lambda: is_gone(child))
        finally:
            if keeper:
                os.kill(keeper, signal.SIGKILL)


def test_a_parent_that_exits_without_stopping_leaves_no_child(tmp_path):
    command = [sys.executable, "-c", textwrap.dedent(PARENT), str(tmp_path), "closed"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        child, _ = map(int, parent.stdout.readline().split())
        parent.stdin.close()
        assert parent.wait(SECONDS) == 0
    await_true(lambda: is_gone(child))
    assert not (tmp_path / "tls").exists()


def test_a_component_that_hangs_while_it_stops_is_cut_off():
    script = """
        import asyncio, threading
        from spiral_sandbox import component
        component.STOP_SECONDS = 0.05
        loop = asyncio.new_event_loop()
        threading.Thread(target=component.Lifeline().feed, args=(loop, asyncio.Queue()), daemon=True).start()
        threading.Event().wait()
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdin=subprocess.PIPE) as process:
        process.stdin.close()
        try:
            assert process.wait(SECONDS) == 1
        finally:
            process.kill()


# Who may talk to it


def read(path):
    return Path(path).read_bytes()


def check_grpc(endpoint, credentials):
    # A pooled connection of another test would hide a refused handshake.
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.secure_channel(endpoint["address"], credentials, options=options) as channel:
        return health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=SECONDS).status


def check_rest(endpoint, cert):
    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(f"{endpoint['address']}/vector/status", verify=endpoint["ca"], cert=cert, timeout=SECONDS)
    return answer.status_code


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stranger")
    leaf = trustme.CA().issue_cert("stranger@example.org")
    leaf.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    leaf.private_key_pem.write_to_path(folder / "key.pem")
    return str(folder / "cert.pem"), str(folder / "key.pem")


def test_a_client_of_the_run_is_let_in(shared):
    rest, rpc = (shared.component("memory").endpoints[name] for name in ("rest", "grpc"))
    assert check_rest(rest, (rest["cert"], rest["key"])) == 200
    credentials = grpc.ssl_channel_credentials(read(rpc["ca"]), read(rpc["key"]), read(rpc["cert"]))
    assert check_grpc(rpc, credentials) == health_pb2.HealthCheckResponse.SERVING


def test_a_client_without_a_certificate_is_refused(shared):
    rest, rpc = (shared.component("memory").endpoints[name] for name in ("rest", "grpc"))
    with pytest.raises(requests.exceptions.ConnectionError):
        check_rest(rest, None)
    with pytest.raises(grpc.RpcError) as refused:
        check_grpc(rpc, grpc.ssl_channel_credentials(read(rpc["ca"])))
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


def test_a_client_of_another_authority_is_refused(shared, stranger):
    rest, rpc = (shared.component("memory").endpoints[name] for name in ("rest", "grpc"))
    with pytest.raises(requests.exceptions.ConnectionError):
        check_rest(rest, stranger)
    cert, key = stranger
    with pytest.raises(grpc.RpcError) as refused:
        check_grpc(rpc, grpc.ssl_channel_credentials(read(rpc["ca"]), read(key), read(cert)))
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


def test_servers_listen_on_loopback_only(shared):
    sockets = psutil.Process(shared.component("memory").pid).net_connections("all")
    listening = {entry.laddr.ip.removeprefix("::ffff:") for entry in sockets if entry.status == psutil.CONN_LISTEN}
    assert listening == {"127.0.0.1"}


def test_keys_are_for_their_owner_only_and_the_authoritys_is_not_written(running, tmp_path):
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "tls").iterdir()}
    assert modes == dict.fromkeys(("ca.pem", "server.pem", "server.key", "client.pem", "client.key"), 0o600)
    assert stat.S_IMODE((tmp_path / "tls").stat().st_mode) == 0o700
    assert b"PRIVATE KEY" not in read(tmp_path / "tls" / "ca.pem")


def test_a_folder_belongs_to_one_sandbox(running, tmp_path):
    with pytest.raises(SandboxError, match="belongs to another sandbox"):
        start([], seed=1, folder=tmp_path)


def test_rest_connections_do_not_wait_for_acknowledgements():
    async def option():
        async def app(_scope, _receive, send):
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        server = await serve_rest(app, None)
        try:
            host, port = server.address.removeprefix("http://").split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            status = await reader.readline()
            (connection,) = server._server.server_state.connections
            transport = connection.transport
            writer.close()
            return status, transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        finally:
            await server.stop()

    status, no_delay = asyncio.run(option())
    assert status.startswith(b"HTTP/1.1 204")
    assert no_delay


# Fault plans


def test_a_fault_that_does_not_exist_is_refused_with_the_nearest_ones(tmp_path):
    with pytest.raises(ValueError, match=r"'memory\.slow-shrad'; did you mean memory\.slow-shard"):
        start(["memory.slow-shrad"], seed=1, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_fault_goes_to_its_own_component_only():
    names = chosen_faults(["memory.slow-shard", "sonic.stalled-callback"])
    assert faults_of("memory", names) == {"memory.slow-shard"}
    assert faults_of("sonic", names) == {"sonic.stalled-callback"}
    assert faults_of("connectors", names) == frozenset()


def test_the_plans_that_gates_rely_on_are_there():
    plans = known_faults()
    assert plans["memory.fail-1-in-100"].breaks == ("B1.query-failures", "B1.sharding")
    assert plans["memory.slow-shard"].breaks == ("B1.retrieval-latency",)
    assert plans["sonic.silent-step"].starves == ("B2.dropouts", "B2.av-sync")
    assert plans["sonic.stalled-callback"].breaks == ("B2.dropouts",)
    assert plans["connectors.rotation-without-change"].breaks == ("B3.rotation",)
    assert plans["connectors.operator-api-503"].breaks == ("B3.smoke",)
    assert plans["connectors.operator-api-503"].blocks == ("B3.rotation", "B3.certificates")


PLAN = """
format = 1
[[fault]]
name = "memory.slow-shard"
component = "memory"
what = "slow"
breaks = ["B1.retrieval-latency"]
blocks = []
"""


def test_a_file_of_plans_is_read():
    (plan,) = parse_faults(PLAN).values()
    assert (plan.name, plan.component, plan.what) == ("memory.slow-shard", "memory", "slow")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("format = 1", "format = 2"),
        ("format = 1", ""),
        ("blocks = []", ""),
        ("blocks = []", "blocks = []\nseverity = 3"),
        ("blocks = []", 'blocks = ["B1.retrieval-latency"]'),
        ('"memory"', '"memroy"'),
        ('"memory"', '"sonic"'),
        ('"memory.slow-shard"', '"memory.Slow Shard"'),
        ('what = "slow"', 'what = ""'),
        ('what = "slow"', "what = 1"),
        ('["B1.retrieval-latency"]', "[]"),
        ('["B1.retrieval-latency"]', '["retrieval-latency"]'),
        ('["B1.retrieval-latency"]', '"B1.retrieval-latency"'),
        ("format = 1", "format = "),
    ],
)
def test_a_file_of_plans_that_is_not_understood_is_refused(old, new):
    assert old in PLAN
    with pytest.raises(FaultFileError, match=r"fault"):
        parse_faults(PLAN.replace(old, new))


def test_a_plan_that_is_there_twice_is_refused():
    with pytest.raises(FaultFileError, match="twice"):
        parse_faults(PLAN + PLAN.replace("format = 1", ""))
