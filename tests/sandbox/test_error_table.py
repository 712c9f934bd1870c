"""Every error that the contract's OpenAPI document names is brought about, over each transport that can bring it about.

The document is the table. A row without a case fails, and so does a case without a row.
"""

import asyncio
import base64
import http.client
import json
import socket
from pathlib import Path
from unittest import mock

import grpc
import pytest
import requests

from pytest_spiral.model.exchange import Code, Reply, Request
from pytest_spiral.rules.statuses import code_of_grpc, code_of_http
from pytest_spiral.transports import open_transport
from pytest_spiral.transports.base import AnsweredError
from spiral_contract import operations
from spiral_contract.operations import OPERATIONS
from spiral_sandbox.connectors import service as connectors
from spiral_sandbox.memory import service as memory
from spiral_sandbox.operator import service as operator
from spiral_sandbox.tls import issue_certificates

DOCUMENT = json.loads(Path(operations.__file__).with_name("openapi.json").read_text(encoding="utf-8"))
KINDS = ("rest", "grpc")
CONNECTOR = "operator_api"
MEBIBYTE = 1 << 20

GOOD = {
    "dispatch_command": {"operator": "overseer", "agent": "crown", "command": "x"},
    "memory_query": {"query": "crown"},
    "handover": {},
    "upload": {"operator": "overseer", "files": [{"name": "a.txt", "content": base64.b64encode(b"alpha").decode()}]},
    "status": {},
    "health": {},
    "handshake": {
        "identity": {"connector_id": CONNECTOR, "version": "1", "instance": "1"},
        "supported_contexts": [{"name": "stage-b-rehearsal"}],
        "rotation": {"rotation_window": "PT48H"},
    },
    "heartbeat": {
        "chakra": "root", "cycle_count": 7, "context": "stage-b-rehearsal",
        "credential_expiry": "2099-01-01T00:00:00Z", "emitted_at": "2026-09-26T18:03:00Z",
    },
    "vector_init": {},
    "vector_search": {"text": "crown", "top_n": 3},
    "vector_add_items": {"items": [{"text": "x"}]},
    "vector_items": {},
    "vector_status": {},
    "vector_audit": {},
}  # fmt: skip

ONE_SIDED = {
    ("vector_init", 413): "there is nothing in its gRPC message that could be large",
    ("health", 413): "only REST sends a body with it, which is read for its size alone",
    **dict.fromkeys(
        [("status", status) for status in (400, 401, 500, 504)],
        "over gRPC it is the health protocol, which asks for no credential and has no errors of its own",
    ),
}
"""Rows that REST alone can bring about, and why."""


def rows():
    """Every (operation, status) of an error in the document."""
    listed = [row for methods in DOCUMENT["paths"].values() for row in methods.values()]
    return [(row["operationId"], int(status)) for row in listed for status in row["responses"] if int(status) >= 400]


class Side:
    """A service in this process: its calls, and how to make each of its errors happen."""

    def __init__(self, started, holder=None, prefix=""):
        self.started = started
        self.ask = started.ask
        self._token = started.ask("credential", **holder)["token"] if holder else ""
        self.endpoints = {kind: started.endpoints[prefix + kind] for kind in KINDS}

    def call(self, kind, operation, payload, token=None, **metadata):
        """The reply to a call that was answered, good or bad."""
        token = self._token if token is None else token
        said = {name.replace("_", "-"): value for name, value in metadata.items()}
        said |= {"authorization": f"Bearer {token}"} if token else {}
        with open_transport(kind, self.endpoints[kind]) as transport:
            try:
                return transport.exchange(Request(operation=operation, payload=payload, metadata=said, deadline_s=15.0))
            except AnsweredError as error:
                return error.reply

    def url(self, operation):
        return self.endpoints["rest"]["address"] + OPERATIONS[operation].rest_path

    def authorized(self):
        return {"authorization": f"Bearer {self._token}"}


# Each gives the reply of a call over a transport that ends with the status.


def badly(side, kind, operation):
    return side.call(kind, operation, GOOD[operation], x_request_id="two words")


def anonymous(side, kind, operation):
    return side.call(kind, operation, GOOD[operation], token="never-issued")


def elsewhere(side, kind, operation):
    other = side.ask("credential", service="operator_upload")["token"]
    return side.call(kind, operation, GOOD[operation], token=other)


def not_permitted(side, kind, operation):
    return side.call(kind, operation, {**GOOD[operation], "operator": "auditor"})


def unknown(side, kind, operation):
    return side.call(kind, operation, {"service": "nobody"})


def large(field, size=MEBIBYTE):
    return lambda side, kind, operation: side.call(kind, operation, {**GOOD[operation], field: "x" * (size + 1)})


def large_identity(side, kind, operation):
    identity = {**GOOD[operation]["identity"], "version": "x" * (MEBIBYTE + 1)}
    return side.call(kind, operation, {**GOOD[operation], "identity": identity})


def large_upload(side, kind, operation):
    side.ask("configure", upload_bytes=4)
    try:
        return side.call(kind, operation, GOOD[operation])
    finally:
        side.ask("configure", upload_bytes=8 << 20)


def large_body(size):
    """Bytes that are no more than bytes, where REST looks at their number."""

    def make(side, _, operation):
        method = OPERATIONS[operation].rest_method
        body = b" " * (size + 1)
        return requests.request(method, side.url(operation), data=body, headers=side.authorized(), timeout=20)

    return make


def many(side, kind, operation):
    return side.call(kind, operation, {"items": [{"text": "x"}] * 10_001})


def defective(side, kind, operation):
    async def fail(*_):
        raise RuntimeError("a defect")

    with mock.patch.dict(side.started.service._operator._operations, {operation: fail}):
        return side.call(kind, operation, GOOD[operation])


def defective_connector(side, kind, operation):
    instead = {operation: lambda *_: {}["nothing"]}
    with mock.patch.dict(side.started.service._connectors[CONNECTOR]._operations, instead):
        return side.call(kind, operation, GOOD[operation])


def defective_memory(method):
    def make(side, kind, operation):
        async def fail(*_):
            raise RuntimeError("a defect")

        with mock.patch.object(side.started.service._desk, method, fail):
            return side.call(kind, operation, GOOD[operation])

    return make


def endless(side, kind, operation):
    async def wait(*_):
        await asyncio.Event().wait()

    with mock.patch.dict(side.started.service._operator._operations, {operation: wait}):
        return side.call(kind, operation, GOOD[operation], x_deadline_ms="40")


def without_gateway(side, kind, operation):
    files = issue_certificates(Path(side.started.folder) / f"{kind}-{operation}").client
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"https://127.0.0.1:{nobody.getsockname()[1]}"
        paths = {"ca": str(files.ca), "cert": str(files.cert), "key": str(files.key)}
        side.ask("gateway.connect", address=address, token="t", **paths)
        try:
            return side.call(kind, operation, GOOD[operation])
        finally:
            side.ask("gateway.disconnect")


def drained(side, kind, operation):
    side.ask("drain", service=CONNECTOR)
    try:
        return side.call(kind, operation, GOOD[operation])
    finally:
        side.ask("resume", service=CONNECTOR)


def anonymous_listener(side, _, operation):
    wire = http.client.HTTPConnection(side.endpoints["rest"]["address"].removeprefix("http://"), timeout=10)
    upgrade = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": "13",
               "sec-websocket-key": "c3BpcmFsLXNwaXJhbC1zcA=="}  # fmt: skip
    try:
        wire.request("GET", OPERATIONS[operation].rest_path, headers=upgrade)
        return wire.getresponse()
    finally:
        wire.close()


def unheard_of(side, kind, operation):
    """A field that the request does not have: our own gRPC client would not send it."""
    if kind == "rest":
        return side.call(kind, operation, {"items": 3})
    row = OPERATIONS[operation]
    with (
        grpc.insecure_channel(side.endpoints[kind]["address"]) as channel,
        pytest.raises(grpc.RpcError) as refused,
    ):
        channel.unary_unary(f"/{row.grpc_service}/{row.grpc_method}")(b"\x08\x03", timeout=10)
    error = refused.value
    return Reply(
        code=code_of_grpc(error.code().name), wire_status=error.code().name, metadata=dict(error.trailing_metadata())
    )


def asked(payload):
    return lambda side, kind, operation: side.call(kind, operation, payload)


_EVERY = {400: badly, 401: anonymous, 500: defective, 504: endless}
_CONNECTOR = {400: badly, 401: anonymous, 403: elsewhere, 500: defective_connector, 503: drained}
CASES = {
    "dispatch_command": {**_EVERY, 403: not_permitted, 413: large("command"), 503: without_gateway},
    "memory_query": {**_EVERY, 413: large("query")},
    "handover": {**_EVERY, 413: large("error")},
    "upload": {**_EVERY, 403: not_permitted, 413: large_upload, 503: without_gateway},
    "status": _EVERY,
    "events": {401: anonymous_listener},
    "health": {**_CONNECTOR, 404: unknown, 413: large_body(MEBIBYTE)},
    "handshake": {**_CONNECTOR, 413: large_identity},
    "heartbeat": {**_CONNECTOR, 413: large("chakra")},
    "vector_init": {400: unheard_of, 413: large_body(32 * MEBIBYTE), 500: defective_memory("initialise")},
    "vector_search": {
        400: asked({"text": "x", "top_n": 0}), 413: large("text", 10_000), 500: defective_memory("search"),
    },
    "vector_add_items": {400: asked({"items": []}), 413: many, 500: defective_memory("add")},
    "vector_items": {400: asked({"limit": 0}), 500: defective_memory("items")},
    "vector_status": {400: asked({"form": 1}), 500: defective_memory("status")},
    "vector_audit": {400: asked({"after": -1}), 500: defective_memory("audit")},
}  # fmt: skip


@pytest.fixture(scope="module")
def sides(start_module_service):
    """The side that serves each tag of the document."""
    vector = Side(start_module_service(memory.build))
    vector.ask("configure", items=50)
    return {
        "operator": Side(start_module_service(operator.build), {"operator": "overseer"}),
        "connector": Side(start_module_service(connectors.build), {"service": CONNECTOR}, f"{CONNECTOR}."),
        "vector": vector,
    }


def side_of(sides, operation):
    listed = [row for methods in DOCUMENT["paths"].values() for row in methods.values()]
    (tag,) = next(row["tags"] for row in listed if row["operationId"] == operation)
    return sides[tag]


def cases():
    return [
        (operation, status, kind)
        for operation, status in rows()
        for kind in KINDS
        if kind == "rest" or (OPERATIONS[operation].grpc_method and (operation, status) not in ONE_SIDED)
    ]


def test_every_row_has_a_case_and_every_case_a_row():
    assert {(operation, status) for operation, made in CASES.items() for status in made} == set(rows())
    assert set(ONE_SIDED) <= set(rows())


@pytest.mark.parametrize(("operation", "status", "kind"), cases())
def test_each_error_of_the_table_comes_about_with_its_code(sides, operation, status, kind):
    side = side_of(sides, operation)
    reply = CASES[operation][status](side, kind, operation)
    said = getattr(reply, "wire_status", None) or getattr(reply, "status_code", None) or reply.status
    own = code_of_grpc(said) if kind == "grpc" else code_of_http(int(said))
    assert own is code_of_http(status)
    if kind == "rest":
        assert int(said) == status
    if kind == "grpc":
        assert reply.metadata["spiral-reason"]
    if OPERATIONS[operation].form != "websocket":  # the control: without what was wrong the call is answered otherwise
        good = side.call(kind, operation, GOOD[operation])
        assert good.code is (Code.UNAUTHENTICATED if operation == "heartbeat" else Code.OK)
        if operation == "heartbeat":
            assert "session" in str(good.payload)
