"""REST over real sockets: what is sent, what is made of every kind of answer, and that a deadline is one."""

import gzip
import itertools
import json
import shutil
import socket
import struct
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from pytest_spiral.errors import ExchangeError
from pytest_spiral.model.exchange import Code, Request
from pytest_spiral.rules.statuses import TABLE
from pytest_spiral.transports import open_transport, rest, sockets
from pytest_spiral.transports.base import AnsweredError

ENOUGH_S = 30.0
ASK = Request(operation="vector_search", payload={"text": "é", "top_n": 2}, deadline_s=ENOUGH_S)
LENGTH = b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n"


def json_of(value):
    return 200, {"content-type": "application/json"}, json.dumps(value).encode()


def error_of(address, request=ASK, **endpoint):
    with open_transport("rest", {"address": address, **endpoint}) as transport, pytest.raises(ExchangeError) as raised:
        transport.exchange(request)
    return raised.value


def test_a_call_is_json_in_and_json_out(serve_http):
    server = serve_http(lambda _: (200, {"X-Served-By": "us"}, b'{"results": [{"score": 0.5}]}'))
    with open_transport("rest", {"address": server.address}) as transport:
        reply = transport.exchange(ASK)
    assert reply.code is Code.OK
    assert reply.payload == {"results": [{"score": 0.5}]}
    assert reply.wire_status == "200"
    assert reply.metadata["x-served-by"] == "us"
    (asked,) = server.asked
    assert (asked.method, asked.path, json.loads(asked.body)) == ("POST", "/vector/search", ASK.payload)
    assert asked.headers["content-type"] == asked.headers["accept"] == "application/json"


def test_an_address_may_hold_a_path(serve_http):
    server = serve_http(lambda _: json_of({}))
    with open_transport("rest", {"address": server.address + "/base/"}) as transport:
        transport.exchange(ASK)
    assert server.asked[0].path == "/base/vector/search"


def test_the_payload_of_a_get_is_its_query(serve_http):
    server = serve_http(lambda _: json_of({}))
    with open_transport("rest", {"address": server.address}) as transport:
        transport.exchange(Request(operation="health", payload={"service": "a b", "n": 1, "all": True}))
    (asked,) = server.asked
    assert (asked.method, asked.path, asked.body) == ("GET", "/health?service=a+b&n=1&all=true", b"")


def test_metadata_are_headers_and_authorization_passes_through(serve_http):
    server = serve_http(lambda _: json_of({}))
    metadata = {"Authorization": "Bearer t-1", "X-Request-Id": "mine", "trace": "1"}
    with open_transport("rest", {"address": server.address}) as transport:
        transport.exchange(Request(operation="vector_init", metadata=metadata))
        transport.exchange(Request(operation="vector_init"))
    first, second = (asked.headers for asked in server.asked)
    assert (first["authorization"], first["x-request-id"], first["trace"]) == ("Bearer t-1", "mine", "1")
    assert len(second["x-request-id"]) == 32
    assert "authorization" not in second


def test_proxies_and_netrc_of_the_environment_are_ignored(serve_http, monkeypatch, tmp_path, refused):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://{refused}")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password pw\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    server = serve_http(lambda _: json_of({}))
    with open_transport("rest", {"address": server.address}) as transport:
        transport.exchange(ASK)
    assert "authorization" not in server.asked[0].headers
    with pytest.raises(requests.exceptions.ProxyError):  # the control: the environment does say so
        requests.get(server.address, timeout=ENOUGH_S)


def test_cookies_are_not_kept(serve_http):
    server = serve_http(lambda _: (200, {"set-cookie": "session=1"}, b"{}"))
    with open_transport("rest", {"address": server.address}) as transport:
        assert transport.exchange(ASK).metadata["set-cookie"] == "session=1"
        transport.exchange(ASK)
    assert "cookie" not in server.asked[1].headers


def test_calls_one_after_another_share_a_connection(serve_http):
    server = serve_http(lambda _: json_of({}))
    with open_transport("rest", {"address": server.address}) as transport:
        for _ in range(5):
            transport.exchange(ASK)
    assert len({asked.peer for asked in server.asked}) == 1


def test_ten_threads_at_once_each_get_their_own_answer(serve_http):
    server = serve_http(lambda asked: json_of(json.loads(asked.body)))
    with open_transport("rest", {"address": server.address}) as transport, ThreadPoolExecutor(10) as pool:
        asked = [{"text": str(number)} for number in range(200)]
        requests_ = [Request(operation="vector_search", payload=each, deadline_s=ENOUGH_S) for each in asked]
        replies = list(pool.map(transport.exchange, requests_))
    assert [reply.payload for reply in replies] == asked
    assert len({each.headers["x-request-id"] for each in server.asked}) == 200
    assert len({each.peer for each in server.asked}) <= 10


@pytest.mark.parametrize("status", [status for row in TABLE if row.code is not Code.OK for status in row.http])
def test_an_error_status_is_an_answered_error_with_its_code(serve_http, status):
    server = serve_http(lambda _: (status, {"x-served-by": "us"}, b'{"detail": "because\\nof this"}'))
    error = error_of(server.address)
    assert isinstance(error, AnsweredError)
    (code,) = [row.code for row in TABLE if status in row.http]
    assert error.code is error.reply.code is code
    assert (error.reply.wire_status, error.reply.payload) == (str(status), {"detail": "because\nof this"})
    assert error.reply.metadata["x-served-by"] == "us"
    assert str(error).startswith(f"REST at {server.address} answered vector_search with {status} ")
    assert str(error).endswith(": because of this")
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [200, 202, 299])
def test_a_status_of_success_is_a_reply(serve_http, status):
    server = serve_http(lambda _: (status, {}, b"{}"))
    with open_transport("rest", {"address": server.address}) as transport:
        assert transport.exchange(ASK).wire_status == str(status)


def test_an_error_whose_body_is_no_json_keeps_its_code(serve_http):
    error = error_of(serve_http(lambda _: (500, {}, b"<h1>Oh\x1b[31m no</h1>")).address)
    assert (error.code, error.reply.payload) == (Code.INTERNAL, {})
    assert str(error).endswith(": <h1>Oh [31m no</h1>")


def test_a_redirect_is_not_followed(serve_http):
    server = serve_http(lambda _: (302, {"location": "/elsewhere"}, b"{}"))
    assert error_of(server.address).code is Code.MALFORMED_REPLY
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not JSON",
        b"[]",
        b"null",
        b'"text"',
        b'{"a": NaN}',
        b'{"a": 1e999}',
        b'{"a": "\xff"}',
        b'{"a": "\\ud800"}',
        b'{"a": 1} {"a": 2}',
        b'{"a": 1',
        b"[" * 100_000,
    ],
    ids=lambda content: content[:20],
)
def test_success_that_is_no_json_object_is_a_malformed_reply(serve_http, content):
    error = error_of(serve_http(lambda _: (200, {}, content)).address)
    assert isinstance(error, AnsweredError)
    assert error.code is error.reply.code is Code.MALFORMED_REPLY
    assert (error.reply.wire_status, error.reply.payload) == ("200", {})
    assert "answered vector_search with 200 OK and no JSON object" in str(error)


def test_a_compressed_reply_is_read(serve_http):
    server = serve_http(lambda _: (200, {"content-encoding": "gzip"}, gzip.compress(b'{"a": 1}')))
    with open_transport("rest", {"address": server.address}) as transport:
        assert transport.exchange(ASK).payload == {"a": 1}


def test_a_reply_that_is_compressed_wrongly_is_malformed(serve_http):
    error = error_of(serve_http(lambda _: (200, {"content-encoding": "gzip"}, b'{"a": 1}')).address)
    assert error.code is Code.MALFORMED_REPLY


@pytest.mark.parametrize("length", [99, 100, 101])
def test_a_reply_has_a_greatest_length(serve_http, monkeypatch, length):
    monkeypatch.setattr(rest, "MOST_BYTES", 100)
    server = serve_http(lambda _: (200, {}, b"{}".ljust(length)))
    if length <= 100:
        with open_transport("rest", {"address": server.address}) as transport:
            assert transport.exchange(ASK).payload == {}
    else:
        assert error_of(server.address).code is Code.RESOURCE_EXHAUSTED


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (Request(operation="no_such_operation"), Code.UNIMPLEMENTED),
        (Request(operation="vector_search", payload={"n": float("nan")}), Code.INVALID_ARGUMENT),
        (Request(operation="vector_search", payload={"n": {1, 2}}), Code.INVALID_ARGUMENT),
        (Request(operation="vector_search", payload={"n": "\ud800"}), Code.INVALID_ARGUMENT),
        (Request(operation="health", payload={"n": [1]}), Code.INVALID_ARGUMENT),
        (Request(operation="health", payload={"n": "\ud800"}), Code.INVALID_ARGUMENT),
        (Request(operation="health", payload={"\ud800": "n"}), Code.INVALID_ARGUMENT),
        (Request(operation="vector_search", metadata={"host": "elsewhere"}), Code.INVALID_ARGUMENT),
    ],
)
def test_what_cannot_be_sent_is_not_sent(serve_http, request_, code):
    server = serve_http(lambda _: json_of({}))
    error = error_of(server.address, request_)
    assert error.code is code
    assert not isinstance(error, AnsweredError)
    assert server.asked == []


def read_request(connection):
    """Read until the request is whole; these requests have a body that ends with a brace."""
    data = b""
    while not data.endswith(b"}"):
        data += connection.recv(65536) or b"}"


def answering(*parts):
    """Answer with these bytes and close."""

    def behave(connection):
        read_request(connection)
        connection.sendall(b"".join(parts))

    return behave


def resetting(connection):
    """Reset the connection in place of an answer."""
    read_request(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize(
    ("behave", "code"),
    [
        (answering(LENGTH, b'{"a":'), Code.UNAVAILABLE),
        (answering(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"), Code.UNAVAILABLE),
        (answering(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"), Code.UNAVAILABLE),
        (answering(b"HTTP/1.1 200 OK\r\ncontent-le"), Code.MALFORMED_REPLY),
        (answering(b""), Code.UNAVAILABLE),
        (resetting, Code.UNAVAILABLE),
        (answering(b"SSH-2.0-OpenSSH_9.6\r\n"), Code.MALFORMED_REPLY),
        (answering(b"HTTP/1.1 999999 OK\r\n\r\n"), Code.MALFORMED_REPLY),
        (answering(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000 + b"\r\n\r\n"), Code.MALFORMED_REPLY),
        (answering(b"HTTP/1.1 200 OK\r\ncontent-length: 2, 3\r\n\r\n{}"), Code.MALFORMED_REPLY),
        (answering(LENGTH, b"{}".ljust(20)), None),
    ],
)
def test_a_connection_that_goes_wrong_has_its_code(serve_socket, behave, code):
    address = f"http://{serve_socket(behave)}"
    if code is None:  # the control: the same server with a whole answer
        with open_transport("rest", {"address": address}) as transport:
            assert transport.exchange(ASK).payload == {}
    else:
        error = error_of(address)
        assert error.code is code, str(error)
        assert "\n" not in str(error)


def test_a_refused_connection_is_said_in_one_sentence(refused):
    error = error_of(f"http://{refused}")
    assert error.code is Code.UNAVAILABLE
    assert str(error) == f"REST at http://{refused} gave no reply: Connection refused."


def test_a_host_without_an_address_is_unavailable():
    assert error_of("http://no-such-host.invalid").code is Code.UNAVAILABLE


def dripping(before, after, gone, *, plain=True):
    """Answer `before` at once, and `after` one byte every 0.02 s; say when the client has gone."""

    def behave(connection):
        pace = threading.Event()
        try:
            read_request(connection) if plain else connection.recv(65536)
            connection.sendall(before)
            for byte in after:
                pace.wait(0.02)
                connection.sendall(bytes([byte]))
        except OSError:
            gone.set()

    return behave


DRIPS = {
    "header": (b"", b"HTTP/1.1 200 OK\r\nx: yy\r\ncontent-length: 2\r\n\r\n{}"),
    "body": (b"HTTP/1.1 200 OK\r\ncontent-length: 25\r\n\r\n", b"{}".ljust(25)),
    "chunks": (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\n \r\n" * 6 + b"2\r\n{}\r\n0\r\n\r\n"),
    "until close": (b"HTTP/1.0 200 OK\r\n\r\n", b"{}".ljust(25)),
}


@pytest.mark.parametrize(("before", "after"), DRIPS.values(), ids=DRIPS)
def test_a_server_that_drips_exceeds_the_deadline_of_the_whole_call(serve_socket, before, after):
    gone = threading.Event()
    address = f"http://{serve_socket(dripping(before, after + b' ' * 10_000, gone))}"
    error = error_of(address, Request(operation="vector_search", payload={}, deadline_s=0.3))
    assert error.code is Code.DEADLINE_EXCEEDED
    assert gone.wait(ENOUGH_S), "the connection was not cut"


@pytest.mark.parametrize(("before", "after"), DRIPS.values(), ids=DRIPS)
def test_a_limit_on_each_read_would_not_notice_that_server(serve_socket, before, after):
    address = f"http://{serve_socket(dripping(before, after, threading.Event()))}"
    assert requests.post(address, data="{}", timeout=0.3).json() == {}


@pytest.mark.parametrize(("before", "after"), DRIPS.values(), ids=DRIPS)
def test_a_server_that_drips_is_heard_out_within_the_deadline(serve_socket, before, after):
    address = f"http://{serve_socket(dripping(before, after, threading.Event()))}"
    with open_transport("rest", {"address": address}) as transport:
        assert transport.exchange(ASK).payload == {}


def test_a_handshake_that_drips_exceeds_the_deadline(serve_socket, authority):
    record = b"\x16\x03\x03\x40\x00" + b"\x02" * 10_000
    address = f"https://{serve_socket(dripping(b'', record, threading.Event(), plain=False))}"
    error = error_of(address, Request(operation="vector_init", deadline_s=0.5), ca=authority.ca)
    assert error.code is Code.DEADLINE_EXCEEDED


def test_a_server_that_reads_nothing_exceeds_the_deadline(serve_socket):
    done = threading.Event()
    address = f"http://{serve_socket(lambda _: done.wait(ENOUGH_S))}"
    payload = {"text": "x" * 20_000_000}
    error = error_of(address, Request(operation="vector_search", payload=payload, deadline_s=0.5))
    done.set()
    assert error.code is Code.DEADLINE_EXCEEDED


def test_a_call_after_a_cut_one_is_answered(serve_http):
    blocked, numbers = threading.Event(), itertools.count()

    def answer(_):
        if next(numbers) == 0:
            blocked.wait(ENOUGH_S)
        return json_of({"n": 1})

    server = serve_http(answer)
    with open_transport("rest", {"address": server.address}) as transport:
        with pytest.raises(ExchangeError) as late:
            transport.exchange(Request(operation="vector_search", deadline_s=0.3))
        assert transport.exchange(ASK).payload == {"n": 1}
        blocked.set()
    assert late.value.code is Code.DEADLINE_EXCEEDED
    assert len(server.asked) == 2, "a call was sent twice"


def test_closing_ends_a_call_that_is_under_way(serve_http):
    begun, blocked = threading.Event(), threading.Event()

    def answer(_):
        begun.set()
        blocked.wait(ENOUGH_S)
        return json_of({})

    transport = open_transport("rest", {"address": serve_http(answer).address})
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


def test_both_sides_show_a_certificate(serve_http, authority):
    server = serve_http(lambda _: json_of({"a": 1}), authority)
    with open_transport("rest", {"address": server.address, "ca": authority.ca, **authority.client}) as transport:
        assert transport.exchange(ASK).payload == {"a": 1}


def test_a_client_without_a_certificate_is_turned_away(serve_http, authority):
    server = serve_http(lambda _: json_of({}), authority)
    error = error_of(server.address, ca=authority.ca)
    assert error.code is Code.UNAVAILABLE
    assert server.asked == []


def test_a_pair_that_is_being_exchanged_is_read_again(serve_http, authority, stranger, tmp_path, monkeypatch):
    """The certificate is ours already, and the key comes only when the connection has found that they do not fit."""
    files = {"cert": authority.client["cert"], "key": shutil.copy(stranger.client["key"], tmp_path)}
    server = serve_http(lambda _: json_of({"a": 1}), authority)
    monkeypatch.setattr(sockets, "pause", lambda _: shutil.copy(authority.client["key"], files["key"]))
    with open_transport("rest", {"address": server.address, "ca": authority.ca, **files}) as transport:
        assert transport.exchange(ASK).payload == {"a": 1}
    assert len(server.asked) == 1


def test_a_pair_that_never_fits_is_unavailable(serve_http, authority, stranger):
    server = serve_http(lambda _: json_of({}), authority)
    error = error_of(server.address, ca=authority.ca, cert=authority.client["cert"], key=stranger.client["key"])
    assert error.code is Code.UNAVAILABLE
    assert "key values mismatch" in str(error)
    assert server.asked == []


def test_a_client_of_another_authority_is_turned_away(serve_http, authority, stranger):
    server = serve_http(lambda _: json_of({}), authority)
    assert error_of(server.address, ca=authority.ca, **stranger.client).code is Code.UNAVAILABLE
    assert server.asked == []


def test_a_server_of_another_authority_is_not_trusted(serve_http, authority, stranger):
    server = serve_http(lambda _: json_of({}), stranger)
    error = error_of(server.address, ca=authority.ca, **authority.client)
    assert error.code is Code.UNAVAILABLE
    assert "its certificate is not trusted" in str(error)
    assert server.asked == []


def test_a_server_that_no_known_authority_vouches_for_is_not_trusted(serve_http, authority):
    server = serve_http(lambda _: json_of({}), authority)
    assert "its certificate is not trusted" in str(error_of(server.address, **authority.client))


def test_a_certificate_file_that_is_none_is_unavailable(serve_http, authority, tmp_path):
    (tmp_path / "empty.pem").write_text("no certificate")
    server = serve_http(lambda _: json_of({}), authority)
    assert error_of(server.address, ca=str(tmp_path / "empty.pem")).code is Code.UNAVAILABLE
