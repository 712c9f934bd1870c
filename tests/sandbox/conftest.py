"""Components of the sandbox in this process: real sockets without TLS, quick to start, and open to being spoilt."""

import asyncio
import json
import threading
from contextlib import contextmanager

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
