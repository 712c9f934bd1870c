"""What no sound client sends, on raw sockets: refused with the mapped code, nothing stored, and the server lives on."""

import itertools
import json
import select
import socket
import ssl
import struct
import threading
from contextlib import ExitStack, contextmanager
from pathlib import Path

import grpc
import psutil
import pytest

from pytest_spiral.model.exchange import Code
from pytest_spiral.transports import open_transport
from spiral_contract import operator_pb2 as pb
from spiral_contract import upload_pb2
from spiral_sandbox.tls import issue_certificates

MEBIBYTE = 1 << 20
DISPATCH = "/abzu.operator.OperatorApi/DispatchCommand"
PUT = "/spiral.connectors.v1.Upload/Put"


@pytest.fixture(autouse=True)
def nothing_is_stored_and_it_lives_on(surface):
    before = surface.ask("commands")["total"], surface.ask("uploads")
    yield
    assert surface.call("rest", "memory_query", {"query": "crown"}).code is Code.OK
    assert surface.call("grpc", "memory_query", {"query": "crown"}).code is Code.OK
    assert (surface.ask("commands")["total"], surface.ask("uploads")) == before


@contextmanager
def deadline(surface, seconds):
    """The server waits that long for a body; then as long as before again."""
    surface.ask("configure", deadline_s=seconds)
    try:
        yield
    finally:
        surface.ask("configure", deadline_s=10)


def code_of_upload(surface, stream, over):
    """What an upload of that stream is refused with; `over` is set then, for the stream to end."""
    metadata = [("authorization", f"Bearer {surface.token()}")]
    try:
        with channel(surface) as opened, pytest.raises(grpc.RpcError) as refused:
            opened.stream_unary(PUT)(stream, metadata=metadata, timeout=20)
    finally:
        over.set()
    return refused.value.code()


@contextmanager
def connected(surface):
    """A TLS connection to the REST side."""
    endpoint = surface.component.endpoints["rest"]
    context = ssl.create_default_context(cafile=endpoint["ca"])
    context.load_cert_chain(endpoint["cert"], endpoint["key"])
    port = int(endpoint["address"].rpartition(":")[2])
    with (
        socket.create_connection(("127.0.0.1", port), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as wire,
    ):
        yield wire


def head(surface, path, length, kind="application/json", token=""):
    lines = (
        f"POST {path} HTTP/1.1", "host: localhost", f"content-type: {kind}", f"content-length: {length}",
        f"authorization: Bearer {token or surface.token()}", "connection: close", "", "",
    )  # fmt: skip
    return "\r\n".join(lines).encode()


def answered(wire):
    """Status and JSON body of the response."""
    text = b""
    while chunk := wire.recv(65536):
        text += chunk
    top, _, body = text.partition(b"\r\n\r\n")
    return int(top.split()[1]), json.loads(body)


def posted(surface, path, body, kind="application/json"):
    with connected(surface) as wire:
        wire.sendall(head(surface, path, len(body), kind) + body)
        return answered(wire)


@contextmanager
def channel(surface):
    endpoint = surface.component.endpoints["grpc"]
    read = [Path(endpoint[part]).read_bytes() for part in ("ca", "key", "cert")]
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1)]
    with grpc.secure_channel(endpoint["address"], grpc.ssl_channel_credentials(*read), options) as opened:
        yield opened


def sent(surface, path, *messages, streamed=False):
    """The status name with which a call of raw messages ends."""
    metadata = [("authorization", f"Bearer {surface.token()}")]
    with channel(surface) as opened:
        try:
            if streamed:
                opened.stream_unary(path)(iter(messages), metadata=metadata, timeout=20)
            else:
                opened.unary_unary(path)(messages[0], metadata=metadata, timeout=20)
        except grpc.RpcError as error:
            return error.code().name
    return "OK"


GOOD = b'{"operator":"overseer","agent":"crown","command":"x"}'


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"null", b"[]", b'"x"', b"\xff\xfe", GOOD[:-1], GOOD + b"x", b'{"operator":"overseer","operator":"overseer","agent":"crown","command":"x"}',
     GOOD[:-1] + b',"more":1}', GOOD.replace(b'"x"', b"7"), GOOD.replace(b'"x"', b"null"), GOOD.replace(b'"x"', b"NaN"),
     GOOD.replace(b'"x"', b'["x"]'), GOOD.replace(b'"x"', b'"\\ud800"'), b"[" * 100_000, GOOD.replace(b'"x"', b"1" * 5000)],
    ids=lambda body: body[:40].decode("latin-1"),
)  # fmt: skip
def test_json_that_is_none_of_a_command_is_refused(surface, body):
    status, said = posted(surface, "/operator/command", body)
    assert (status, said["code"], said["reason"]) == (400, "INVALID_ARGUMENT", "invalid-request")


def field(number, wire_type, content):
    return bytes([number << 3 | wire_type]) + content


COMMAND = pb.DispatchCommandRequest(operator="overseer", agent="crown", command="x").SerializeToString()


@pytest.mark.parametrize(
    "wire",
    [
        b"\xff",
        COMMAND[:-1],
        COMMAND + field(9, 0, b"\x01"),
        field(1, 0, b"\x05"),
        COMMAND + field(3, 2, b"\x01\xff"),
        b"",
    ],
    ids=["no message", "cut short", "unknown field", "wrong type", "no UTF-8", "empty"],
)
def test_bytes_that_are_none_of_a_command_are_refused(surface, wire):
    assert sent(surface, DISPATCH, wire) == "INVALID_ARGUMENT"


@pytest.mark.parametrize("size", [MEBIBYTE + 1, 7 * MEBIBYTE, 10 * MEBIBYTE])
def test_a_large_message_is_refused_on_both(surface, size):
    body = b'{"query":"' + b"x" * size + b'"}'
    status, said = posted(surface, "/memory/query", body)
    assert (status, said["code"]) == (413, "RESOURCE_EXHAUSTED")
    wire = pb.MemoryQueryRequest(query="x" * size).SerializeToString()
    assert sent(surface, "/abzu.operator.OperatorApi/MemoryQuery", wire) == "RESOURCE_EXHAUSTED"


# Uploads

FORM = "multipart/form-data; boundary=edge"


def form(*parts, end=b"--edge--\r\n"):
    """A form of (headers, content)."""
    return b"".join(b"--edge\r\n" + top + b"\r\n\r\n" + content + b"\r\n" for top, content in parts) + end


def part(name, content, filename=None):
    named = "" if filename is None else f'; filename="{filename}"'
    return f'Content-Disposition: form-data; name="{name}"{named}'.encode(), content


OPERATOR, FILE = part("operator", b"overseer"), part("files[]", b"alpha", "a.txt")


@pytest.mark.parametrize(
    "body",
    [form(FILE), form(FILE, OPERATOR), form(OPERATOR, OPERATOR), form(OPERATOR, part("other", b"1")), form(OPERATOR, part("files", b"1")),
     form(OPERATOR, FILE, end=b""), form(OPERATOR, part("files", b"1", "../x")), form(OPERATOR, part("files", b"1", "a%22b")),
     form(part("operator", b"\xff")), form(OPERATOR, FILE, part("metadata", b"{}")), b"", b"nothing of the kind",
     form((b"Content-Disposition: form-data", b"x")), form((b"X: " + b"y" * 100_000, b"x"))],
    ids=["no operator", "file first", "twice", "unknown field", "no file name", "no end", "path", "escaped", "no UTF-8",
         "field after file", "empty", "no form", "no name", "long header"],
)  # fmt: skip
def test_a_form_that_is_no_upload_is_refused(surface, body):
    status, said = posted(surface, "/operator/upload", body, FORM)
    assert (status, said["code"]) == (400, "INVALID_ARGUMENT")


@pytest.mark.parametrize(
    "kind", ["application/json", "multipart/form-data", "multipart/form-data; boundary=" + "b" * 300, ""]
)
def test_a_form_without_its_boundary_is_refused(surface, kind):
    status, _ = posted(surface, "/operator/upload", form(OPERATOR, FILE), kind)
    assert status == 400


def test_metadata_that_is_too_large_is_refused(surface):
    status, said = posted(surface, "/operator/upload", form(OPERATOR, part("metadata", b"x" * 70_000)), FORM)
    assert (status, said["code"]) == (413, "RESOURCE_EXHAUSTED")


HEADER = upload_pb2.PutRequest(header={"operator": "overseer"}).SerializeToString()
START = upload_pb2.PutRequest(file={"name": "a.txt"}).SerializeToString()
CHUNK = upload_pb2.PutRequest(chunk=b"alpha").SerializeToString()


@pytest.mark.parametrize(
    ("messages", "code"),
    [((), "INVALID_ARGUMENT"), ((CHUNK,), "INVALID_ARGUMENT"), ((START, CHUNK), "INVALID_ARGUMENT"),
     ((HEADER, HEADER), "INVALID_ARGUMENT"), ((HEADER, CHUNK), "INVALID_ARGUMENT"), ((HEADER, b""), "INVALID_ARGUMENT"),
     ((HEADER, b"\xff"), "INVALID_ARGUMENT"), ((HEADER, START + field(9, 0, b"\x01")), "INVALID_ARGUMENT"),
     ((HEADER, START, upload_pb2.PutRequest(chunk=bytes(MEBIBYTE + 1)).SerializeToString()), "RESOURCE_EXHAUSTED")],
)  # fmt: skip
def test_a_stream_that_is_no_upload_is_refused(surface, messages, code):
    assert sent(surface, PUT, *messages, streamed=True) == code


def test_two_gigabytes_are_refused_early_and_with_bounded_memory(surface):
    """Over REST only the head claims 2 GiB; as much is sent as the server takes before it answers or hangs up."""
    process = psutil.Process(surface.component.pid)
    before = process.memory_info().rss
    top = form(OPERATOR, end=b"") + b"--edge\r\n" + part("files", b"", "big")[0] + b"\r\n\r\n"
    block, sent_bytes = bytes(MEBIBYTE), 0
    with connected(surface) as wire:
        wire.sendall(head(surface, "/operator/upload", 2 << 30, FORM) + top)
        try:
            while sent_bytes < 2 << 30:
                wire.sendall(block)
                sent_bytes += len(block)
        except OSError:
            pass  # the server has hung up, as it may
    assert sent_bytes < 200 * MEBIBYTE

    def stream():
        yield HEADER
        yield START
        chunk = upload_pb2.PutRequest(chunk=block[: MEBIBYTE // 2]).SerializeToString()
        for _ in range(4096):
            yield chunk

    assert sent(surface, PUT, *(), streamed=True) == "INVALID_ARGUMENT"
    metadata = [("authorization", f"Bearer {surface.token()}")]
    with channel(surface) as opened, pytest.raises(grpc.RpcError) as refused:
        opened.stream_unary(PUT)(stream(), metadata=metadata, timeout=60)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert process.memory_info().rss - before < 96 * MEBIBYTE


def test_the_sender_of_ten_megabytes_gets_to_read_the_answer(surface):
    body = form(OPERATOR, part("files", bytes(10 * MEBIBYTE), "ten"))
    status, said = posted(surface, "/operator/upload", body, FORM)
    assert (status, said["reason"]) == (413, "too-large")


# Connections


@pytest.mark.parametrize(("path", "kind"), [("/operator/command", "application/json"), ("/operator/upload", FORM)])
def test_a_body_that_never_comes_ends_at_the_deadline(surface, path, kind):
    with deadline(surface, 0.2), connected(surface) as wire:
        wire.sendall(head(surface, path, 1000, kind) + form(OPERATOR, end=b"")[:30])
        status, said = answered(wire)
    assert (status, said["code"]) == (504, "DEADLINE_EXCEEDED")


def test_a_stream_that_never_goes_on_ends_at_the_deadline(surface):
    over = threading.Event()

    def stream():
        yield HEADER
        over.wait(20)

    with deadline(surface, 0.2):
        assert code_of_upload(surface, stream(), over) is grpc.StatusCode.DEADLINE_EXCEEDED


@pytest.mark.parametrize(("path", "kind"), [("/operator/command", "application/json"), ("/operator/upload", FORM)])
def test_a_body_that_drips_ends_at_the_deadline_too(surface, path, kind):
    """Each byte comes soon after the one before, and all of them would take a minute."""
    body = iter(form(OPERATOR, FILE, end=b"").ljust(3000, b"x"))
    with deadline(surface, 0.3), connected(surface) as wire:
        wire.sendall(head(surface, path, 3000, kind))
        while not select.select([wire], [], [], 0.02)[0]:
            wire.sendall(bytes([next(body)]))
        status, said = answered(wire)
    assert (status, said["code"]) == (504, "DEADLINE_EXCEEDED")


def test_a_stream_that_drips_ends_at_the_deadline_too(surface):
    over = threading.Event()

    def stream():
        yield HEADER
        yield START
        while not over.wait(0.02):
            yield upload_pb2.PutRequest(chunk=b"x").SerializeToString()

    with deadline(surface, 0.3):
        assert code_of_upload(surface, stream(), over) is grpc.StatusCode.DEADLINE_EXCEEDED


HALF_OPEN = 100
"""Connections to each side, a fifth of them left at each point."""


def half_open(surface, kind, point):
    """A connection that was begun and is not gone on with; closed, it is reset, without a goodbye of any protocol."""
    endpoint = surface.component.endpoints[kind]
    plain = socket.create_connection(("127.0.0.1", int(endpoint["address"].rpartition(":")[2])), timeout=20)
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if point == "hello":
        plain.sendall(b"\x16\x03\x01\x02\x00\x01")  # the beginning of TLS's first message
    if point in ("connected", "hello"):
        return plain
    context = ssl.create_default_context(cafile=endpoint["ca"])
    context.load_cert_chain(endpoint["cert"], endpoint["key"])
    if kind == "grpc":
        context.set_alpn_protocols(["h2"])
    wire = context.wrap_socket(plain, server_hostname="127.0.0.1", suppress_ragged_eofs=True)
    said = head(surface, "/operator/upload", 1000, FORM) + form(OPERATOR, FILE, end=b"")
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9)[:5]
    sent_bytes = {"secured": b"", "head": said[:40], "body": said} if kind == "rest" else {
        "secured": b"", "head": preface[:10], "body": preface
    }  # fmt: skip
    wire.sendall(sent_bytes[point])
    return wire


def test_connections_that_are_left_half_open_keep_nobody_waiting(surface):
    """Two hundred callers that vanish in the middle; others are answered meanwhile, and all is let go afterwards."""
    process = psutil.Process(surface.component.pid)
    before, descriptors = process.memory_info().rss, process.num_fds()
    points = itertools.cycle(("connected", "hello", "secured", "head", "body"))
    with ExitStack() as held:
        for kind in ("rest", "grpc"):
            for _ in range(HALF_OPEN):
                held.callback(half_open(surface, kind, next(points)).close)
        assert process.num_fds() > descriptors + HALF_OPEN  # the control: they are there
        for kind in ("rest", "grpc"):
            assert surface.call(kind, "memory_query", {"query": "crown"}).code is Code.OK
        assert process.memory_info().rss - before < 96 * MEBIBYTE
    while process.num_fds() > descriptors + HALF_OPEN // 10 or surface.ask("uploads")["incoming"]:
        pass  # each look is a round trip; pytest's own time limit ends a wait in vain


def test_a_caller_that_hangs_up_in_mid_upload_leaves_nothing(surface):
    with connected(surface) as wire:
        wire.sendall(head(surface, "/operator/upload", 1000, FORM) + form(OPERATOR, FILE, end=b""))
        while not surface.ask("uploads")["incoming"]:
            pass  # each look is a round trip; pytest's own time limit ends a wait in vain
    while surface.ask("uploads")["incoming"]:
        pass


@pytest.mark.parametrize("kind", ["rest", "grpc"])
def test_certificates_of_another_authority_are_refused(surface, tmp_path, kind):
    stranger = issue_certificates(tmp_path / "other").client
    endpoint = {**surface.component.endpoints[kind], "cert": str(stranger.cert), "key": str(stranger.key)}
    with open_transport(kind, endpoint) as transport:
        said = {}
        surface.transports[kind], kept = transport, surface.transports[kind]
        try:
            said = surface.call(kind, "memory_query", {"query": "crown"})
        finally:
            surface.transports[kind] = kept
    assert (said.code, said.wire_status) == (Code.UNAVAILABLE, "none")
