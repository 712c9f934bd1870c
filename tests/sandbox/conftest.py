"""Components of the sandbox in this process: real sockets without TLS, quick to start, and open to being spoilt."""

import asyncio
import json
import socketserver
import threading
from contextlib import contextmanager, suppress

import pytest

from spiral_sandbox.component import Context


class InProcess:
    """A component's service on a loop of its own in this process."""

    def __init__(self, build, folder, faults=(), seed=7):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.service = build(Context(folder, seed, frozenset(faults), tls=None))
        self.endpoints = self.run(self.service.start())

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(20)

    def ask(self, op, /, **arguments):
        return json.loads(json.dumps(self.run(self.service.handle(op, arguments))))

    def stop(self):
        self.run(self.service.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()


@contextmanager
def _starting(folder):
    started = []

    def start(build, *faults):
        started.append(InProcess(build, folder / str(len(started)), faults))
        return started[-1]

    yield start
    for each in started:
        each.stop()


class Dripping(socketserver.ThreadingTCPServer):
    """A peer that says what it was told to at once, and then one byte after the other, each in good time."""

    daemon_threads = True
    _PACE_S, _BYTES = 0.02, 250

    def __init__(self, at_once, each):
        super().__init__(("127.0.0.1", 0), socketserver.BaseRequestHandler)
        self.over = threading.Event()
        self.address = f"http://127.0.0.1:{self.server_address[1]}"
        self._at_once, self._each = at_once, each

    def finish_request(self, request, client_address):
        del client_address
        request.recv(1 << 16)
        with suppress(OSError):
            request.sendall(self._at_once)
            for _ in range(self._BYTES):
                if self.over.wait(self._PACE_S):
                    return
                request.sendall(self._each)


@pytest.fixture(
    params=[
        pytest.param((b"HTTP/1.1 200 OK\r\nX-More: ", b"x"), id="head"),
        pytest.param((b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b" "), id="body"),
    ]
)
def dripping(request):
    """An HTTP peer that keeps its caller waiting, by its head or by its body."""
    with Dripping(*request.param) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.02,))
        serving.start()
        yield server
        server.over.set()
        server.shutdown()
        serving.join()


@pytest.fixture
def start_service(tmp_path):
    """Start a component by its `build`, with faults; all are stopped at the end."""
    with _starting(tmp_path) as start:
        yield start


@pytest.fixture(scope="module")
def start_module_service(tmp_path_factory):
    """The same, for all tests of a module."""
    with _starting(tmp_path_factory.mktemp("services")) as start:
        yield start
