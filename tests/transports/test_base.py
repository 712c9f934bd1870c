"""What a transport is opened with, and what it makes of a request before it is sent."""

import subprocess
import sys

import pytest

from pytest_spiral.errors import ExchangeError, UseError
from pytest_spiral.model.exchange import Code, Reply, Request
from pytest_spiral.transports import open_transport
from pytest_spiral.transports.base import Endpoint, Transport, detail_of, one_line, prepared
from pytest_spiral.transports.memory import MemoryTransport


def loaded_after(statement):
    probe = f"{statement}; import sys; print(*sorted({{'grpc', 'requests', 'google.protobuf'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.split()


def test_the_package_loads_no_network_library():
    assert loaded_after("import pytest_spiral.transports, pytest_spiral.transports.wrap") == []


def test_each_kind_loads_its_own_library():
    opened = "from pytest_spiral.transports import open_transport; open_transport({!r}, {!r}).close()"
    assert loaded_after(opened.format("rest", {"address": "http://127.0.0.1:1"})) == ["requests"]
    assert loaded_after(opened.format("grpc", {"address": "127.0.0.1:1"})) == ["google.protobuf", "grpc"]


@pytest.mark.parametrize(("kind", "address"), [("rest", "http://127.0.0.1:1"), ("grpc", "127.0.0.1:1")])
def test_an_opened_transport_says_what_it_is(kind, address):
    with open_transport(kind, {"address": address, "ca": None}) as transport:
        assert isinstance(transport, Transport)
        assert (transport.name, transport.address) == (kind, address)


def test_another_kind_is_refused():
    with pytest.raises(UseError, match="'soap' is no kind of transport"):
        open_transport("soap", {"address": "x"})


@pytest.mark.parametrize(
    ("endpoint", "problem"),
    [
        ({}, "missing required field `address`"),
        ({"address": ""}, "length >= 1"),
        ({"address": 5}, "Expected `str`"),
        ({"address": "http://127.0.0.1:1", "port": 5}, "unknown field `port`"),
        ({"address": "https://127.0.0.1:1", "cert": __file__}, "both `cert` and `key`"),
        ({"address": "https://127.0.0.1:1", "key": __file__}, "both `cert` and `key`"),
        ({"address": "https://127.0.0.1:1", "ca": "/nowhere/ca.pem"}, "/nowhere/ca.pem, which is no file"),
    ],
)
@pytest.mark.parametrize("kind", ["rest", "grpc"])
def test_an_endpoint_that_cannot_be_taken_is_refused(kind, endpoint, problem):
    with pytest.raises(UseError, match=problem):
        open_transport(kind, endpoint)


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("rest", "127.0.0.1:80"),
        ("rest", "ftp://127.0.0.1"),
        ("rest", "http://"),
        ("rest", "http://127.0.0.1:99999"),
        ("rest", "http://[::1"),
        ("rest", "http://127.0.0.1/?x=1"),
        ("rest", "http://me:secret@127.0.0.1"),
        ("grpc", "https://127.0.0.1:80"),
        ("grpc", "127.0.0.1"),
    ],
)
def test_an_address_of_another_kind_is_refused(kind, address):
    with pytest.raises(UseError) as refused:
        open_transport(kind, {"address": address})
    assert "secret" not in str(refused.value)


def test_tls_files_with_a_plain_address_are_refused():
    with pytest.raises(UseError, match="its address is not https"):
        open_transport("rest", {"address": "http://127.0.0.1:1", "ca": __file__})


def test_an_endpoint_keeps_what_it_was_given():
    endpoint = Endpoint.of({"address": "a", "cert": __file__, "key": __file__, "ca": None})
    assert (endpoint.address, endpoint.ca, endpoint.cert, endpoint.key) == ("a", "", __file__, __file__)


def test_a_request_without_an_id_gets_one_of_its_own():
    first, second = (prepared(Request(operation="x")).metadata["x-request-id"] for _ in range(2))
    assert first != second
    assert len(first) == 32


def test_a_request_id_and_other_metadata_are_kept():
    sent = prepared(Request(operation="x", metadata={"X-Request-Id": "mine", "Authorization": "Bearer t"}))
    assert sent.metadata == {"x-request-id": "mine", "authorization": "Bearer t"}


@pytest.mark.parametrize(
    "metadata",
    [
        {"a b": "x"},
        {"": "x"},
        {"schlüssel": "x"},
        {"key": "line\r\nother: x"},
        {"key": "schön"},
        {"key": " x"},
        {"Content-Length": "5"},
        {"host": "elsewhere"},
        {"grpc-timeout": "1S"},
        {"trace-bin": "x"},
        {"Key": "1", "key": "2"},
    ],
)
def test_metadata_that_not_every_transport_carries_is_refused_by_all(metadata):
    with pytest.raises(ExchangeError) as refused:
        prepared(Request(operation="x", metadata=metadata))
    assert refused.value.code is Code.INVALID_ARGUMENT


def test_a_transport_is_closed_by_its_with_block():
    with MemoryTransport(lambda _: Reply(code=Code.OK)) as transport:
        assert transport.exchange(Request(operation="x")).code is Code.OK
    with pytest.raises(ExchangeError) as late:
        transport.exchange(Request(operation="x"))
    assert late.value.code is Code.CANCELLED


def test_foreign_text_becomes_one_harmless_line():
    assert one_line("a\r\n\x1b[31mb\tc\u202e ") == "a [31mb c"


@pytest.mark.parametrize(
    ("payload", "detail"),
    [
        ({"detail": "d", "error": "e"}, "d"),
        ({"message": "m\nn"}, "m n"),
        ({"error": "e"}, "e"),
        ({"detail": [1], "error": "e"}, "e"),
        ({}, ""),
    ],
)
def test_the_sentence_of_an_error_is_found(payload, detail):
    assert detail_of(payload) == detail
