"""The operator's calls over both transports, and against a server in the real system's loose form."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from pytest_spiral.errors import ExchangeError, UseError
from pytest_spiral.model.exchange import Code, Request
from pytest_spiral.transports import open_transport
from pytest_spiral.transports.base import AnsweredError
from pytest_spiral.transports.uploads import Upload
from pytest_spiral.transports.wrap import Recording
from spiral_contract import upload_pb2

DISPATCH = "/abzu.operator.OperatorApi/DispatchCommand"
ORDER = {"operator": "overseer", "agent": "crown", "command": "größer"}


def asked(operation, payload, **more):
    return Request(operation=operation, payload=payload, **more)


# The loose form: JSON bytes in generic handlers


def loose(sent, context):
    """A server as the real system has it: whatever comes is JSON, and so is what goes."""
    try:
        order = json.loads(sent)
        ack = order["command"]
    except (ValueError, KeyError):
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no command")
    context.set_trailing_metadata((("abzu-fallback", "rest"),))
    return json.dumps({"command_id": "c-1", "result": {"ack": ack}, "extra": [1, None]}).encode()


def test_a_loose_server_is_spoken_to_in_json(serve_grpc):
    address = serve_grpc({DISPATCH: loose})
    with open_transport("grpc", {"address": address, "codec": "json"}) as transport:
        reply = transport.exchange(asked("dispatch_command", ORDER))
    assert reply.payload == {"command_id": "c-1", "result": {"ack": "größer"}, "extra": [1, None]}
    assert reply.metadata["abzu-fallback"] == "rest"
    assert reply.wire_status == "OK"


def test_without_that_configuration_it_is_not(serve_grpc):
    address = serve_grpc({DISPATCH: loose})
    with open_transport("grpc", {"address": address}) as transport, pytest.raises(AnsweredError) as refused:
        transport.exchange(asked("dispatch_command", ORDER))
    assert refused.value.code is Code.INVALID_ARGUMENT


def test_a_loose_server_may_be_sent_what_no_message_could_hold(serve_grpc):
    address = serve_grpc({DISPATCH: loose})
    with open_transport("grpc", {"address": address, "codec": "json"}) as transport:
        with pytest.raises(AnsweredError) as refused:
            transport.exchange(asked("dispatch_command", {"command_": 1}))
        assert refused.value.code is Code.INVALID_ARGUMENT
        with pytest.raises(ExchangeError, match="no JSON"):
            transport.exchange(asked("dispatch_command", {"command": float("nan")}))


@pytest.mark.parametrize("answer", [b"", b"[]", b"{", b"\xff", b'{"a":NaN}'])
def test_a_loose_answer_that_is_no_object_is_malformed(serve_grpc, answer):
    address = serve_grpc({DISPATCH: lambda _sent, _context: answer})
    transport = open_transport("grpc", {"address": address, "codec": "json"})
    with transport, pytest.raises(AnsweredError) as malformed:
        transport.exchange(asked("dispatch_command", ORDER))
    assert malformed.value.code is Code.MALFORMED_REPLY


def test_what_has_messages_in_the_real_system_too_keeps_them(serve_grpc):
    with open_transport("grpc", {"address": serve_grpc({}), "codec": "json"}) as transport:
        assert transport.exchange(asked("status", {})).payload == {"status": "SERVING"}


def test_a_codec_that_does_not_exist_or_does_not_apply_is_refused():
    with pytest.raises(UseError, match="codec"):
        open_transport("grpc", {"address": "127.0.0.1:1", "codec": "xml"})
    with pytest.raises(UseError, match="REST always carries JSON"):
        open_transport("rest", {"address": "http://127.0.0.1:1", "codec": "json"})


# Uploads


CONTENT = bytes(range(256)) * 600
PAYLOAD = {
    "operator": "overseer",
    "metadata": {"a": "ü"},
    "files": [{"name": "a b.bin", "content": base64.b64encode(CONTENT).decode()}, {"name": "empty"}],
}


@pytest.fixture
def serve_stream():
    """A gRPC server that takes a stream of uploads and answers with what a function makes of it."""
    servers = []

    def serve(answer):
        handler = grpc.stream_unary_rpc_method_handler(answer)
        server = grpc.server(ThreadPoolExecutor(2), options=[("grpc.so_reuseport", 0)])
        service = grpc.method_handlers_generic_handler("spiral.connectors.v1.Upload", {"Put": handler})
        server.add_generic_rpc_handlers((service,))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        servers.append(server)
        return f"127.0.0.1:{port}"

    yield serve
    for server in servers:
        server.stop(0).wait()


def test_an_upload_is_streamed_in_pieces(serve_stream):
    taken = []

    def answer(stream, _context):
        taken.extend(upload_pb2.PutRequest.FromString(one) for one in stream)
        return upload_pb2.PutReply(command_id="c-2", stored=["x"], metadata={"n": 1}).SerializeToString()

    with open_transport("grpc", {"address": serve_stream(answer)}) as transport:
        reply = transport.exchange(asked("upload", PAYLOAD))
    assert reply.payload == {"command_id": "c-2", "stored": ["x"], "metadata": {"n": 1}}
    assert [one.WhichOneof("part") for one in taken] == ["header", "file", *["chunk"] * 3, "file"]
    assert b"".join(one.chunk for one in taken) == CONTENT
    assert (taken[0].header.operator, json.loads(taken[0].header.metadata)) == ("overseer", {"a": "ü"})


def test_a_stream_that_the_server_ends_early_is_its_answer(serve_stream):
    def answer(stream, context):
        next(stream)
        context.set_trailing_metadata((("spiral-reason", "upload"),))
        context.abort(grpc.StatusCode.PERMISSION_DENIED, "not you")

    with (
        open_transport("grpc", {"address": serve_stream(answer)}) as transport,
        pytest.raises(AnsweredError) as refused,
    ):
        transport.exchange(asked("upload", PAYLOAD))
    assert (refused.value.code, refused.value.reply.metadata["spiral-reason"]) == (Code.PERMISSION_DENIED, "upload")


def test_an_upload_over_rest_is_a_form(serve_http):
    server = serve_http(lambda _: (200, {}, b"{}"))
    with open_transport("rest", {"address": server.address}) as transport:
        transport.exchange(asked("upload", PAYLOAD))
    (seen,) = server.asked
    assert seen.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert CONTENT in seen.body
    assert (
        seen.body.index(b'name="operator"')
        < seen.body.index(b'name="metadata"')
        < seen.body.index(b'filename="a b.bin"')
    )
    assert seen.body.count(b'name="files"') == 2


def test_what_an_upload_leaves_out_is_not_sent(serve_http):
    server = serve_http(lambda _: (200, {}, b"{}"))
    with open_transport("rest", {"address": server.address}) as transport:
        transport.exchange(asked("upload", {}))
    assert b"name=" not in server.asked[0].body
    assert list(Upload.of({}).messages()) == [{"header": {}}]


@pytest.mark.parametrize("kind", ["rest", "grpc"])
@pytest.mark.parametrize(
    "payload",
    [
        {"files": [{"name": "a", "content": "%%"}]},
        {"files": [{}]},
        {"file": []},
        {"metadata": {"a": float("nan")}},
        {"metadata": {"a": "\ud800"}},
        {"metadata": "\ud800"},
        {"operator": "\ud800"},
        {"files": [{"name": "\ud800"}]},
        {"\ud800": "a"},
    ],
)
def test_a_payload_that_is_no_upload_is_not_sent(kind, payload, refused):
    address = refused if kind == "grpc" else f"http://{refused}"
    with open_transport(kind, {"address": address}) as transport, pytest.raises(ExchangeError) as error:
        transport.exchange(asked("upload", payload))
    assert error.value.code is Code.INVALID_ARGUMENT


@pytest.mark.parametrize("kind", ["rest", "grpc"])
def test_events_are_no_call(kind, refused):
    address = refused if kind == "grpc" else f"http://{refused}"
    with open_transport(kind, {"address": address}) as transport, pytest.raises(ExchangeError) as error:
        transport.exchange(asked("events", {}))
    assert error.value.code is Code.UNIMPLEMENTED


def test_a_trace_keeps_trailing_metadata(serve_grpc):
    taken, ticks = [], iter(range(10))
    inner = open_transport("grpc", {"address": serve_grpc({DISPATCH: loose}), "codec": "json"})
    with Recording(inner, taken.append, ticks.__next__, str) as recording:
        recording.exchange(asked("dispatch_command", ORDER))
    assert taken[0].reply.metadata["abzu-fallback"] == "rest"
