"""gRPC over real sockets: what is sent, what is made of every status, and that nothing is shared or repeated."""

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from pytest_spiral.errors import ExchangeError
from pytest_spiral.model.exchange import Code, Request
from pytest_spiral.rules.statuses import code_of_grpc
from pytest_spiral.transports import open_transport, rpc
from pytest_spiral.transports.base import AnsweredError
from spiral_contract import connectors_pb2, vector_pb2

ENOUGH_S = 30.0
SEARCH = "/neoabzu.vector.VectorService/Search"
ASK = Request(operation="vector_search", payload={"text": "é", "top_n": 2}, deadline_s=ENOUGH_S)
FAILURES = [status for status in grpc.StatusCode if status is not grpc.StatusCode.OK]


def found(*results):
    return vector_pb2.SearchResponse(results=results).SerializeToString()


def echo(request, _):
    """Find the text that was asked for."""
    return found(vector_pb2.SearchResult(text=vector_pb2.SearchRequest.FromString(request).text))


def aborting(status, details="because\nof this", metadata=()):
    def answer(_, context):
        context.abort_with_status(Status(status, details, metadata))

    return answer


class Status(grpc.Status):
    def __init__(self, code, details, metadata):
        self.code, self.details, self.trailing_metadata = code, details, metadata


def error_of(address, request=ASK, **endpoint):
    with open_transport("grpc", {"address": address, **endpoint}) as transport, pytest.raises(ExchangeError) as raised:
        transport.exchange(request)
    return raised.value


def test_a_call_is_a_message_in_and_a_message_out(serve_grpc):
    asked = []

    def answer(request, context):
        asked.append((vector_pb2.SearchRequest.FromString(request), dict(context.invocation_metadata())))
        context.send_initial_metadata((("served-by", "us"),))
        context.set_trailing_metadata((("abzu-fallback", "rest"), ("n", "1"), ("n", "2"), ("raw-bin", b"\xff")))
        return found(vector_pb2.SearchResult(text="t", score=0.5, embedding=[0.25, 1]))

    metadata = {"Authorization": "Bearer t-1", "X-Request-Id": "mine"}
    with open_transport("grpc", {"address": serve_grpc({SEARCH: answer})}) as transport:
        reply = transport.exchange(Request(operation="vector_search", payload=ASK.payload, metadata=metadata))
    assert (reply.code, reply.wire_status) == (Code.OK, "OK")
    assert reply.payload == {"results": [{"text": "t", "score": 0.5, "embedding": [0.25, 1.0]}]}
    assert reply.metadata == {"served-by": "us", "abzu-fallback": "rest", "n": "1, 2", "raw-bin": "/w=="}
    ((request, sent),) = asked
    assert (request.text, request.top_n) == ("é", 2)
    assert (sent["authorization"], sent["x-request-id"]) == ("Bearer t-1", "mine")


def test_an_empty_reply_has_its_fields_at_their_default(serve_grpc):
    with open_transport("grpc", {"address": serve_grpc({SEARCH: lambda *_: b""})}) as transport:
        assert transport.exchange(ASK).payload == {"results": []}


def test_another_service_of_the_contract_is_reached_the_same_way(serve_grpc):
    def answer(request, _):
        beat = connectors_pb2.HeartbeatRequest.FromString(request)
        return connectors_pb2.HeartbeatReply(accepted=True, cycle_count=beat.cycle_count).SerializeToString()

    address = serve_grpc({"/spiral.connectors.v1.Connector/Heartbeat": answer})
    with open_transport("grpc", {"address": address}) as transport:
        reply = transport.exchange(Request(operation="heartbeat", payload={"chakra": "root", "cycle_count": 2**60}))
    assert (reply.payload["accepted"], reply.payload["cycle_count"]) == (True, 2**60)


@pytest.mark.parametrize(("service", "status"), [("", "SERVING"), ("memory", "NOT_SERVING")])
def test_health_is_asked_by_service(serve_grpc, service, status):
    with open_transport("grpc", {"address": serve_grpc({})}) as transport:
        reply = transport.exchange(Request(operation="health", payload={"service": service}))
    assert reply.payload == {"status": status}


def test_health_of_an_unknown_service_is_not_found(serve_grpc):
    error = error_of(serve_grpc({}), Request(operation="health", payload={"service": "nobody"}))
    assert error.code is Code.NOT_FOUND


@pytest.mark.parametrize("status", FAILURES, ids=lambda status: status.name)
@pytest.mark.parametrize("metadata", [(), (("reason", "why"),)], ids=["bare", "with metadata"])
def test_every_status_of_grpc_is_an_error_with_its_code(serve_grpc, status, metadata):
    address = serve_grpc({SEARCH: aborting(status, metadata=metadata)})
    error = error_of(address)
    assert error.code is code_of_grpc(status.name)
    assert str(error) == f"gRPC at {address} ended vector_search with {status.name}: because of this"
    if metadata:
        assert (error.reply.wire_status, error.reply.metadata) == (status.name, {"reason": "why"})


@pytest.mark.parametrize(
    ("status", "answered"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, True),
        (grpc.StatusCode.PERMISSION_DENIED, True),
        (grpc.StatusCode.UNAVAILABLE, False),
        (grpc.StatusCode.INTERNAL, False),
    ],
)
def test_without_metadata_only_a_status_that_the_library_never_makes_counts_as_answered(serve_grpc, status, answered):
    error = error_of(serve_grpc({SEARCH: aborting(status)}))
    assert isinstance(error, AnsweredError) == answered


def test_a_method_that_the_server_does_not_have_is_unimplemented(serve_grpc):
    assert error_of(serve_grpc({})).code is Code.UNIMPLEMENTED


def test_an_exception_of_the_server_is_internal(serve_grpc):
    def answer(*_):
        raise KeyError("k")

    assert error_of(serve_grpc({SEARCH: answer})).code is Code.INTERNAL


@pytest.mark.parametrize("wire", [b"\xff\xff", found(vector_pb2.SearchResult(score=float("nan")))])
def test_a_reply_that_is_no_sound_message_is_malformed(serve_grpc, wire):
    error = error_of(serve_grpc({SEARCH: lambda *_: wire}))
    assert isinstance(error, AnsweredError)
    assert error.code is error.reply.code is Code.MALFORMED_REPLY
    assert error.reply.wire_status == "OK"


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (Request(operation="no_such_operation"), Code.UNIMPLEMENTED),
        (Request(operation="vector_status"), Code.UNIMPLEMENTED),
        (Request(operation="vector_search", payload={"txt": "misspelled"}), Code.INVALID_ARGUMENT),
        (Request(operation="vector_search", metadata={"grpc-timeout": "1S"}), Code.INVALID_ARGUMENT),
    ],
)
def test_what_cannot_be_sent_is_not_sent(serve_grpc, request_, code):
    asked = []

    def answer(*_):
        asked.append(1)
        return b""

    error = error_of(serve_grpc({SEARCH: answer}), request_)
    assert error.code is code
    assert not isinstance(error, AnsweredError)
    assert asked == []


def test_a_call_that_takes_too_long_exceeds_its_deadline(serve_grpc):
    done = threading.Event()
    address = serve_grpc({SEARCH: lambda *_: bytes(done.wait(ENOUGH_S))})
    error = error_of(address, Request(operation="vector_search", deadline_s=0.3))
    done.set()
    assert error.code is Code.DEADLINE_EXCEEDED


def test_a_server_that_accepts_and_says_nothing_exceeds_the_deadline(serve_socket):
    done = threading.Event()
    address = serve_socket(lambda _: done.wait(ENOUGH_S))
    error = error_of(address, Request(operation="vector_search", deadline_s=0.3))
    done.set()
    assert error.code is Code.DEADLINE_EXCEEDED


def test_a_refused_connection_is_said_in_one_sentence(refused):
    error = error_of(refused)
    assert error.code is Code.UNAVAILABLE
    assert "Connection refused" in str(error)
    assert "\n" not in str(error)
    assert not isinstance(error, AnsweredError)


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"])
def test_a_server_that_speaks_something_else_is_unavailable(serve_socket, said):
    def behave(connection):
        connection.recv(65536)
        connection.sendall(said)

    assert error_of(serve_socket(behave)).code is Code.UNAVAILABLE


def test_ten_threads_at_once_each_get_their_own_answer(serve_grpc):
    with open_transport("grpc", {"address": serve_grpc({SEARCH: echo})}) as transport, ThreadPoolExecutor(10) as pool:
        texts = [str(number) for number in range(200)]
        requests = [Request(operation="vector_search", payload={"text": text}, deadline_s=ENOUGH_S) for text in texts]
        replies = list(pool.map(transport.exchange, requests))
    assert [reply.payload["results"][0]["text"] for reply in replies] == texts


def test_a_reply_longer_than_grpc_s_own_limit_is_taken(serve_grpc):
    text = "x" * 5_000_000
    address = serve_grpc({SEARCH: lambda *_: found(vector_pb2.SearchResult(text=text))})
    with open_transport("grpc", {"address": address}) as transport:
        assert transport.exchange(ASK).payload["results"][0]["text"] == text


def test_each_transport_has_a_connection_of_its_own(serve_grpc):
    seen = []

    def answer(_, context):
        seen.append(context.peer())
        return b""

    address = serve_grpc({SEARCH: answer})
    with open_transport("grpc", {"address": address}) as one, open_transport("grpc", {"address": address}) as other:
        for transport in (one, other, one):
            transport.exchange(ASK)
    assert seen[0] == seen[2] != seen[1]
    seen.clear()
    with grpc.insecure_channel(address) as one, grpc.insecure_channel(address) as other:  # the control: gRPC's default
        for channel in (one, other):
            channel.unary_unary(SEARCH)(b"", timeout=ENOUGH_S)
    assert seen[0] == seen[1]


def test_proxies_of_the_environment_are_ignored(serve_grpc, monkeypatch, refused):
    monkeypatch.setenv("http_proxy", f"http://{refused}")
    for name in ("no_proxy", "no_grpc_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    address = serve_grpc({SEARCH: echo})
    with open_transport("grpc", {"address": address}) as transport:
        assert transport.exchange(ASK).code is Code.OK
    with grpc.insecure_channel(address) as channel, pytest.raises(grpc.RpcError):  # the control: it is set
        channel.unary_unary(SEARCH)(b"", timeout=ENOUGH_S)


def test_closing_ends_a_call_that_is_under_way(serve_grpc):
    begun, blocked = threading.Event(), threading.Event()

    def answer(*_):
        begun.set()
        blocked.wait(ENOUGH_S)
        return b""

    transport = open_transport("grpc", {"address": serve_grpc({SEARCH: answer})})
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(transport.exchange, ASK)
        assert begun.wait(ENOUGH_S)
        transport.close()
        transport.close()
        with pytest.raises(ExchangeError) as ended:
            waiting.result(ENOUGH_S)
        blocked.set()
    assert ended.value.code is Code.CANCELLED
    with pytest.raises(ExchangeError) as ended:
        transport.exchange(ASK)
    assert ended.value.code is Code.CANCELLED


def test_both_sides_show_a_certificate(serve_grpc, authority):
    address = serve_grpc({SEARCH: echo}, authority)
    with open_transport("grpc", {"address": address, "ca": authority.ca, **authority.client}) as transport:
        assert transport.exchange(ASK).payload["results"][0]["text"] == "é"


def test_a_client_without_a_certificate_is_turned_away_even_beside_one_that_has_it(serve_grpc, authority):
    address = serve_grpc({SEARCH: echo}, authority)
    with open_transport("grpc", {"address": address, "ca": authority.ca, **authority.client}) as transport:
        assert transport.exchange(ASK).code is Code.OK
        assert error_of(address, ca=authority.ca).code is Code.UNAVAILABLE


def test_a_client_of_another_authority_is_turned_away(serve_grpc, authority, stranger):
    address = serve_grpc({SEARCH: echo}, authority)
    assert error_of(address, ca=authority.ca, **stranger.client).code is Code.UNAVAILABLE


def test_a_server_of_another_authority_is_not_trusted(serve_grpc, authority, stranger):
    address = serve_grpc({SEARCH: echo}, stranger)
    error = error_of(address, ca=authority.ca, **authority.client)
    assert error.code is Code.UNAVAILABLE
    assert "CERTIFICATE_VERIFY_FAILED" in str(error).upper().replace(" ", "_")


def test_a_certificate_file_that_is_none_is_unavailable(serve_grpc, authority, tmp_path):
    (tmp_path / "empty.pem").write_text("no certificate")
    assert error_of(serve_grpc({SEARCH: echo}, authority), ca=str(tmp_path / "empty.pem")).code is Code.UNAVAILABLE


# Certificates that are exchanged


def test_a_call_goes_by_the_files_as_they_are_now(serve_grpc, authority, stranger, tmp_path):
    """The files of another authority take the place of ours under the same names, and back."""
    ours, theirs = ({"ca": one.ca, **one.client} for one in (authority, stranger))
    files = {part: shutil.copy(path, tmp_path / part) for part, path in ours.items()}
    address = serve_grpc({}, authority)
    with open_transport("grpc", {"address": address, **{part: str(path) for part, path in files.items()}}) as transport:
        assert transport.exchange(Request(operation="health")).code is Code.OK
        for part, path in files.items():
            exchange_file(path, theirs[part])
        with pytest.raises(ExchangeError) as refused:
            transport.exchange(Request(operation="health"))
        assert refused.value.code is Code.UNAVAILABLE
        for part, path in files.items():
            exchange_file(path, ours[part])
        assert transport.exchange(Request(operation="health")).code is Code.OK


def test_half_an_exchange_changes_nothing_yet(serve_grpc, authority, stranger, tmp_path):
    files = {
        part: shutil.copy(path, tmp_path / part) for part, path in {"ca": authority.ca, **authority.client}.items()
    }
    address = serve_grpc({}, authority)
    with open_transport("grpc", {"address": address, **{part: str(path) for part, path in files.items()}}) as transport:
        exchange_file(files["cert"], stranger.client["cert"])  # and the key is still ours
        assert transport.exchange(Request(operation="health")).code is Code.OK
        files["key"].unlink()
        assert transport.exchange(Request(operation="health")).code is Code.OK


def test_a_pair_that_is_being_exchanged_is_waited_for(serve_grpc, authority, stranger, tmp_path, monkeypatch):
    """The certificate is ours already, and the key comes only when it was found that they do not fit."""
    files = {"cert": authority.client["cert"], "key": shutil.copy(stranger.client["key"], tmp_path)}
    address = serve_grpc({}, authority)
    monkeypatch.setattr(rpc, "pause", lambda _: exchange_file(files["key"], authority.client["key"]))
    with open_transport("grpc", {"address": address, "ca": authority.ca, **files}) as transport:
        assert transport.exchange(Request(operation="health")).code is Code.OK


def test_files_that_are_exchanged_while_they_are_read_are_read_again(
    serve_grpc, authority, stranger, tmp_path, monkeypatch
):
    files = {part: shutil.copy(path, tmp_path) for part, path in stranger.client.items()}
    address = serve_grpc({}, authority)
    read = Path.read_bytes

    def read_slowly(path):
        content = read(path)
        if str(path) == files["cert"]:
            for part, ours in authority.client.items():
                exchange_file(files[part], ours)
        return content

    monkeypatch.setattr(Path, "read_bytes", read_slowly)
    monkeypatch.setattr(rpc, "pause", lambda _: monkeypatch.undo())
    with open_transport("grpc", {"address": address, "ca": authority.ca, **files}) as transport:
        assert transport._channels.current() is transport._channels._open[0]
        assert transport.exchange(Request(operation="health")).code is Code.OK


def test_a_call_after_the_close_opens_no_channel_of_new_files(serve_grpc, authority, tmp_path):
    ours = {"ca": authority.ca, **authority.client}
    files = {part: shutil.copy(path, tmp_path / part) for part, path in ours.items()}
    address = serve_grpc({}, authority)
    transport = open_transport("grpc", {"address": address, **{part: str(path) for part, path in files.items()}})
    assert transport.exchange(Request(operation="health")).code is Code.OK
    transport.close()
    for part, path in files.items():
        exchange_file(path, ours[part])
    with pytest.raises(ExchangeError) as ended:
        transport.exchange(Request(operation="health"))
    assert ended.value.code is Code.CANCELLED


def exchange_file(path, source):
    shutil.copy(source, f"{path}.new")
    Path(f"{path}.new").replace(path)
