"""Certificates are exchanged while servers serve: nobody is shut out in between, and who is out of date gets no further."""

import shutil
import socket
import ssl
import stat
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from pytest_spiral.errors import ExchangeError
from pytest_spiral.model.exchange import Code, Request
from pytest_spiral.transports import open_transport
from spiral_sandbox.hot_tls import OLDEST_S, HotTls, RotationOrderError, secured
from spiral_sandbox.target import start
from spiral_sandbox.tls import fingerprint, issue_certificates

KINDS = ("rest", "grpc")
SERVED = {"connectors": ("operator_api.", "health"), "operator": ("", "handover")}


class Caller:
    """Calls of one cheap operation of a component."""

    def __init__(self, component, stack):
        self.component = component
        self._stack = stack
        self._prefix, self._operation = SERVED[component.name]

    def token(self):
        named = {"service": "operator_api"} if self._prefix else {"operator": "overseer"}
        return self.component.ask("credential", **named)["token"]

    def open(self, kind, **files):
        endpoint = {**self.component.endpoints[self._prefix + kind], **files}
        return self._stack.enter_context(open_transport(kind, endpoint))

    def code(self, transport, token):
        metadata = {"authorization": f"Bearer {token}"}
        try:
            return transport.exchange(Request(operation=self._operation, metadata=metadata, deadline_s=10)).code
        except ExchangeError as error:
            return error.code

    def files(self, folder):
        """The client's files as they are now, copied so that a rotation leaves them alone."""
        endpoint = self.component.endpoints[self._prefix + "rest"]
        folder.mkdir()
        return {part: shutil.copy(endpoint[part], folder) for part in ("ca", "cert", "key")}


@pytest.fixture(params=SERVED)
def caller(request, tmp_path):
    sandbox = start([], 1, tmp_path / "sandbox")
    try:
        with ExitStack() as stack:
            yield Caller(sandbox.component(request.param), stack)
    finally:
        sandbox.stop()


class Traffic(threading.Thread):
    """Calls without a pause until told to end, with whatever transport is current."""

    def __init__(self, caller, transport):
        super().__init__()
        self.transport = transport
        self.codes = []
        self._caller, self._token = caller, caller.token()
        self._end, self._more = threading.Event(), threading.Condition()

    def run(self):
        while not self._end.is_set():
            got = self._caller.code(self.transport, self._token)
            with self._more:
                self.codes.append(got)
                self._more.notify_all()

    def await_more(self, count):
        with self._more:
            wanted = len(self.codes) + count
            assert self._more.wait_for(lambda: len(self.codes) >= wanted, 30)

    def end(self):
        self._end.set()
        self.join()


@pytest.mark.timeout(60)
def test_certificates_rotate_under_traffic_and_the_old_ones_get_no_further(caller, tmp_path):
    """Both transports: no call is lost; old connections that are kept in use end; old clients cannot connect again."""
    old = caller.files(tmp_path / "old")
    token = caller.token()
    outdated = {kind: caller.open(kind, **old) for kind in KINDS}
    assert [caller.code(outdated[kind], token) for kind in KINDS] == [Code.OK] * 2
    traffic = {kind: Traffic(caller, caller.open(kind)) for kind in KINDS}
    for one in traffic.values():
        one.start()
        one.await_more(50)
    said = caller.component.ask("tls.rotate")
    assert said["old_authority"] != said["new_authority"]
    assert [caller.code(outdated[kind], token) for kind in KINDS] == [Code.OK] * 2  # both are valid in the overlap
    assert [caller.code(caller.open(kind, **old), token) for kind in KINDS] == [Code.OK] * 2
    for kind, one in traffic.items():
        one.transport = caller.open(kind)  # the client's files are new now
        one.await_more(50)
    assert caller.component.ask("tls.retire")["authority"] == said["new_authority"]
    assert [caller.code(caller.open(kind, **old), token) for kind in KINDS] == [Code.UNAVAILABLE] * 2
    # The connections that were open before are used without a pause, and end all the same.
    for kind in KINDS:
        while caller.code(outdated[kind], token) is Code.OK:
            pass
        assert caller.code(outdated[kind], token) is Code.UNAVAILABLE
    for one in traffic.values():
        one.await_more(50)
        one.end()
        assert set(one.codes) == {Code.OK}
    assert [caller.code(caller.open(kind), token) for kind in KINDS] == [Code.OK] * 2


def test_a_component_that_keeps_old_certificates_is_found_out(tmp_path):
    sandbox = start(["connectors.keeps-old-certificates"], 1, tmp_path / "sandbox")
    try:
        with ExitStack() as stack:
            caller = Caller(sandbox.component("connectors"), stack)
            old = caller.files(tmp_path / "old")
            said = caller.component.ask("tls.rotate")
            assert set(caller.component.ask("tls.retire")) == {"authority", "oldest_connection_s"}  # it claims to
            codes = [caller.code(caller.open(kind, **old), caller.token()) for kind in KINDS]
            assert codes == [Code.OK] * 2
            assert said["old_authority"] != said["new_authority"]
    finally:
        sandbox.stop()


@pytest.fixture
def hot(tmp_path):
    """Credentials of a server, and the client's files, as copies that may be exchanged."""
    issued = issue_certificates(tmp_path / "run")
    own = issued.copy(tmp_path / "own")
    return HotTls(own.server), own, issued


def handshake(server, client, session=None):
    """The client's session after a handshake and one byte from the server; raises ssl.SSLError or OSError."""
    context = ssl.create_default_context(cafile=client.ca)
    context.load_cert_chain(client.cert, client.key)
    ours, theirs = socket.socketpair()

    def serve():
        with theirs:
            try:
                with server.wrap_socket(theirs, server_side=True) as wire:
                    wire.sendall(b"x")
            except OSError:
                pass  # the client is told by the alert

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with ours, context.wrap_socket(ours, server_hostname="127.0.0.1", session=session) as wire:
            if wire.recv(1) != b"x":
                raise ConnectionResetError
            return wire.session, wire.session_reused, wire.getpeercert(binary_form=True)
    finally:
        thread.join()


def test_a_handshake_goes_by_the_credentials_of_its_moment(hot):
    tls, now, before = hot
    front = tls.server_context()
    _, _, shown = handshake(front, before.client)
    tls.rotate()
    assert handshake(front, before.client)[2] == handshake(front, now.client)[2] == shown
    tls.retire()
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        handshake(front, before.client)
    assert handshake(front, now.client)[2] != shown


def test_whoever_loads_the_files_in_the_middle_of_a_step_is_let_in(hot, monkeypatch):
    """After each file that is exchanged; once, a certificate waits for its key, and is no pair that could be shown."""
    tls, now, _ = hot
    front, exchange, seen = tls.server_context(), Path.replace, []

    def watched(path, target):
        done = exchange(path, target)
        try:
            handshake(front, now.client)
        except OSError as error:
            seen.append(getattr(error, "reason", None) or type(error).__name__)
        else:
            seen.append("let in")
        return done

    monkeypatch.setattr(Path, "replace", watched)
    tls.rotate()
    assert seen == ["let in", "KEY_VALUES_MISMATCH", "let in"]
    seen.clear()
    tls.retire()
    assert seen == ["let in"] * 3


def test_a_client_that_trusts_both_is_let_in_by_its_certificate_alone(hot, tmp_path):
    tls, now, before = hot
    front = tls.server_context()
    tls.rotate()
    both = shutil.copy(now.client.ca, tmp_path / "both.pem")
    tls.retire()
    outdated = type(now.client)(both, before.client.cert, before.client.key)
    with pytest.raises(OSError):  # noqa: PT011 - an alert or a reset, as the library has it
        handshake(front, outdated)
    assert handshake(front, type(now.client)(both, now.client.cert, now.client.key))


def test_no_session_is_resumed(hot):
    tls, _, before = hot
    front = tls.server_context()
    session, _, _ = handshake(front, before.client)
    assert not session.has_ticket
    front.num_tickets = 2  # the control: the library's own choice
    session, _, _ = handshake(front, before.client)
    assert session.has_ticket


def test_steps_out_of_order_are_refused_and_change_nothing(hot):
    tls, now, _ = hot
    with pytest.raises(RotationOrderError, match="rotate first"):
        tls.retire()
    tls.rotate()
    content = now.client.cert.read_bytes()
    with pytest.raises(RotationOrderError, match="retire the old"):
        tls.rotate()
    assert now.client.cert.read_bytes() == content
    tls.retire()
    assert tls.rotate()["old_authority"] == fingerprint(now.server.ca.read_bytes())
    with pytest.raises(RotationOrderError, match="without TLS"):
        secured(None)


def test_keys_stay_private_and_nothing_is_left_over(hot):
    tls, now, _ = hot
    folder = now.server.ca.parent
    names = {path.name for path in folder.iterdir()}
    tls.rotate()
    tls.retire()
    assert {path.name for path in folder.iterdir()} == names
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    tls.rotate()
    tls.close()
    assert {path.name for path in folder.iterdir()} == names


def test_the_age_of_a_connection_is_stated():
    assert 0 < OLDEST_S <= 10
