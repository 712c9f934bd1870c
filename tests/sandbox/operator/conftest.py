"""A running operator surface in a process of its own, and callers that speak to it over both transports."""

import base64
import itertools
from contextlib import ExitStack, contextmanager

import pytest

from pytest_spiral.errors import ExchangeError
from pytest_spiral.model.exchange import Reply, Request
from pytest_spiral.transports import open_transport
from pytest_spiral.transports.base import AnsweredError
from spiral_sandbox.target import start

KINDS = ("rest", "grpc")
_NUMBERS = itertools.count(1)


class Surface:
    """The component with a transport of each kind, and the words for a call."""

    def __init__(self, component):
        self.component = component
        self.ask = component.ask
        self.transports = {kind: open_transport(kind, component.endpoints[kind]) for kind in KINDS}

    def token(self, operator="overseer"):
        return self.ask("credential", operator=operator)["token"]

    def call(self, kind, operation, payload, *, token="", seconds=10.0, **metadata):
        """A reply, good or bad, of a call with the overseer's credential (None: without one)."""
        said = {name.replace("_", "-"): value for name, value in metadata.items()}
        if token is not None:
            said["authorization"] = f"Bearer {token or self.token()}"
        request = Request(operation=operation, payload=payload, metadata=said, deadline_s=seconds)
        try:
            return self.transports[kind].exchange(request)
        except AnsweredError as error:
            return error.reply
        except ExchangeError as error:
            return Reply(code=error.code, wire_status="none")

    @staticmethod
    def command(text, operator="overseer", agent="crown"):
        """A command's payload."""
        return {"operator": operator, "agent": agent, "command": text}

    @staticmethod
    def upload(*files, operator="overseer", **more):
        """An upload's payload; files are pairs (name, bytes)."""
        listed = [{"name": name, "content": base64.b64encode(data).decode()} for name, data in files]
        return {"operator": operator, "files": listed, **more}

    def executed(self, word):
        """How often something with this word was carried out, by the server's own log."""
        entries = self.ask("commands")["commands"]
        return sum(word in str({**entry, "key": "", "request_id": ""}) for entry in entries)

    def close(self):
        for transport in self.transports.values():
            transport.close()


@pytest.fixture
def word():
    """A word that stands in no other test's commands."""
    return f"word-{next(_NUMBERS)}-of-this-test"


@contextmanager
def running(folder, *faults):
    """A sandbox of its own with these faults, and its operator surface."""
    sandbox = start(faults, 1, folder)
    try:
        surface = Surface(sandbox.component("operator"))
        yield surface
        surface.close()
    finally:
        sandbox.stop()


@pytest.fixture(scope="session")
def surface(tmp_path_factory):
    """The surface that tests share; whoever changes it changes it back."""
    with running(tmp_path_factory.mktemp("operator")) as shared:
        yield shared


@pytest.fixture
def faulty(tmp_path):
    """Start a surface of its own with faults in it."""
    with ExitStack() as stack:
        yield lambda *faults: stack.enter_context(running(tmp_path / "-".join(faults), *faults))
