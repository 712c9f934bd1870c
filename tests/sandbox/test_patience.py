"""REST hangs up on a client that does not go on, and on no other: real sockets, a short patience, no sleep."""

import asyncio
import contextlib
import socket
import ssl
from collections import Counter
from functools import partial

import pytest

from spiral_sandbox.connectors.service import build as build_connectors
from spiral_sandbox.connectors.surface_rest import rest_app as connector_app
from spiral_sandbox.memory.desk import Desk
from spiral_sandbox.memory.disturbance import Disturbance
from spiral_sandbox.memory.fabric import Fabric
from spiral_sandbox.memory.rest import rest_app as memory_app
from spiral_sandbox.memory.telemetry import Telemetry
from spiral_sandbox.serving import serve_rest
from spiral_sandbox.tls import issue_certificates

SHORT_S = 0.5
LONG_S = 3600.0
ENOUGH_S = 20.0
WHOLE = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
LARGE = 64 << 20


class App:
    """An application that answers when it may, and counts how its requests came to an end."""

    def __init__(self, size=0):
        self.may = asyncio.Event()
        self.begun = asyncio.Event()
        self.ended = Counter()
        self.all_gone = asyncio.Event()
        self._body = bytes(size)

    async def __call__(self, scope, receive, send):
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            self.begun.set()
            await self.may.wait()
            await send({"type": "websocket.close"})
            return
        self.begun.set()
        message = {"more_body": True}
        while message.get("more_body"):
            message = await receive()
        self.ended[message["type"]] += 1
        if message["type"] == "http.disconnect":
            self.all_gone.set()
            return
        await self.may.wait()
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(self._body))]}
        )
        await send({"type": "http.response.body", "body": self._body, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        self.ended["answered"] += 1
        self.all_gone.set()


@contextlib.asynccontextmanager
async def served(app, patience_s=SHORT_S, tls=None):
    server = await serve_rest(app, tls, websockets=True, patience_s=patience_s)
    try:
        yield server
    finally:
        await server.stop()


@contextlib.asynccontextmanager
async def connected(server):
    host, port = server.address.partition("//")[2].split(":")
    async with asyncio.timeout(ENOUGH_S):
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            yield reader, writer
        finally:
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def patience_passed(server):
    """Wait until a client that says nothing is hung up on."""
    async with connected(server) as (reader, _):
        assert await reader.read() == b""


def run(scene):
    return asyncio.run(scene())


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"", b""),
        (b"P", b"HTTP/1.1 408 "),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX-Half", b"HTTP/1.1 408 "),
        (WHOLE[:-1], b""),
        (WHOLE[:-2], b""),
    ],
    ids=["nothing", "one letter", "half a head", "half a body", "no body"],
)
def test_a_client_that_does_not_go_on_is_hung_up_on(sent, said):
    async def scene():
        async with served(App()) as server, connected(server) as (reader, writer):
            writer.write(sent)
            return await reader.read()

    heard = run(scene)
    assert heard.startswith(said)
    assert bool(heard) == bool(said)


def test_with_more_patience_half_a_head_is_waited_for_and_then_answered():
    """The control: what ends the connection is the limit, and nothing else."""

    async def scene():
        app = App()
        app.may.set()
        async with (
            served(app, LONG_S) as patient,
            served(App()) as impatient,
            connected(patient) as (reader, writer),
        ):
            writer.write(WHOLE[:20])
            await patience_passed(impatient)
            writer.write(WHOLE[20:])
            return await reader.readline()

    assert run(scene).startswith(b"HTTP/1.1 200 ")


def test_an_application_whose_body_stays_away_hears_that_its_client_has_gone():
    async def scene():
        app = App()
        async with served(app) as server, connected(server) as (_, writer):
            writer.write(WHOLE[:-1])
            await app.all_gone.wait()
        return app.ended

    assert run(scene) == {"http.disconnect": 1}


async def asked_by_who_leaves(app, path):
    """Ask an application, with a client that goes away in the middle of its body."""
    told = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    said = []

    async def receive():
        return told.pop(0)

    async def send(message):
        said.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [],
    }
    await app({**scope, "root_path": "", "http_version": "1.1", "scheme": "http"}, receive, send)
    return said


def test_a_client_that_leaves_is_no_failure_of_the_memory(tmp_path, caplog):
    async def scene():
        telemetry = Telemetry(tmp_path)
        desk = Desk(Fabric(tmp_path, 1, Disturbance()), telemetry)
        try:
            return await asked_by_who_leaves(memory_app(desk, telemetry.metrics), "/vector/search")
        finally:
            await desk.close()

    assert run(scene)[0]["status"] == 400
    assert caplog.records == []


def test_a_client_that_leaves_is_no_failure_of_a_connector(start_service, caplog):
    connectors = start_service(build_connectors)
    connector = connectors.service._connectors["operator_api"]

    async def scene():
        return await asked_by_who_leaves(connector_app(connector), "/handshake")

    assert run(scene)[0]["status"] == 499
    assert caplog.records == []
    assert connectors.ask("served")["total"] == 0


def test_half_a_head_after_a_whole_request_is_not_waited_for_either():
    async def scene():
        app = App()
        app.may.set()
        async with served(app) as server, connected(server) as (reader, writer):
            writer.write(WHOLE)
            first = await reader.readuntil(b"\r\n\r\n")
            writer.write(WHOLE[:20])
            return first, await reader.read()

    first, second = run(scene)
    assert first.startswith(b"HTTP/1.1 200 ")
    assert second.startswith(b"HTTP/1.1 408 ")


def test_a_call_may_take_longer_than_its_client_may():
    async def scene():
        app = App()
        async with served(app) as server, connected(server) as (reader, writer):
            writer.write(WHOLE)
            await app.begun.wait()
            await patience_passed(server)
            app.may.set()
            return await reader.readline()

    assert run(scene).startswith(b"HTTP/1.1 200 ")


def test_a_listener_of_events_may_be_silent():
    async def scene():
        app = App()
        async with served(app) as server, connected(server) as (reader, writer):
            writer.write(UPGRADE)
            head = await reader.readuntil(b"\r\n\r\n")
            await patience_passed(server)
            app.may.set()
            return head, await reader.readexactly(2)

    head, closing = run(scene)
    assert head.startswith(b"HTTP/1.1 101 ")
    assert closing[0] == 0x88  # a whole frame that closes (RFC 6455, section 5.2)


def test_a_client_that_does_not_take_its_answer_is_hung_up_on():
    """The answer is larger than what the sockets hold, so that the application waits for its client."""

    async def scene():
        app = App(LARGE)
        app.may.set()
        async with served(app) as server, connected(server) as (_, writer):
            writer.transport.pause_reading()
            writer.write(WHOLE)
            await app.all_gone.wait()
        return app.ended

    assert run(scene) == {"http.request": 1, "answered": 1}


def test_a_client_that_takes_a_large_answer_gets_all_of_it():
    """The control: with the same answer, and time enough."""

    async def scene():
        app = App(LARGE)
        app.may.set()
        async with served(app, ENOUGH_S) as server, connected(server) as (reader, writer):
            writer.write(WHOLE)
            await reader.readuntil(b"\r\n\r\n")
            return len(await reader.readexactly(LARGE))

    assert run(scene) == LARGE


def test_over_tls_no_goodbye_is_waited_for(tmp_path):
    parties = issue_certificates(tmp_path / "tls")
    context = ssl.create_default_context(cafile=parties.client.ca)
    context.load_cert_chain(parties.client.cert, parties.client.key)

    def ask(address):
        host, port = address.partition("//")[2].split(":")
        wire = socket.create_connection((host, int(port)), ENOUGH_S)
        secured = context.wrap_socket(wire, server_hostname=host)
        secured.sendall(WHOLE[:20])
        heard = b"".join(iter(partial(secured.recv, 1024), b""))
        with socket.socket(fileno=secured.detach()) as bare:
            bare.settimeout(ENOUGH_S)  # asyncio alone would wait for 30 s
            with contextlib.suppress(ConnectionResetError):
                assert bare.recv(1) == b""
        return heard

    async def scene():
        async with served(App(), tls=parties.server) as server:
            return await asyncio.to_thread(ask, server.address)

    assert run(scene).startswith(b"HTTP/1.1 408 ")
