"""Both transports against the sandbox's memory: a real process, mutual TLS, the contract's own calls."""

import struct
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from pytest_spiral.errors import ExchangeError
from pytest_spiral.model.exchange import Code, Request
from pytest_spiral.transports import open_transport
from pytest_spiral.transports.base import AnsweredError
from pytest_spiral.transports.wrap import Recording
from spiral_sandbox.target import start

KINDS = ("rest", "grpc")
TOKEN = "tok-of-this-very-run"


@pytest.fixture(scope="module")
def memory(tmp_path_factory):
    running = start([], 1, tmp_path_factory.mktemp("sandbox"))
    try:
        component = running.component("memory")
        component.ask("configure", items=200, shards=2)
        yield component
    finally:
        running.stop()


@pytest.fixture(scope="module")
def transports(memory):
    with (
        open_transport("rest", memory.endpoints["rest"]) as rest,
        open_transport("grpc", memory.endpoints["grpc"]) as grpc,
    ):
        for transport in (rest, grpc):
            transport.exchange(Request(operation="vector_init", deadline_s=60))
        yield {"rest": rest, "grpc": grpc}


def asked(text, top_n=5):
    return Request(operation="vector_search", payload={"text": text, "top_n": top_n}, deadline_s=30)


def single(number):
    return struct.unpack("f", struct.pack("f", number))[0]


def rounded(reply):
    """Texts, scores and embeddings, every number as 32 bits hold it."""
    return [
        (hit["text"], single(hit["score"]), [single(number) for number in hit["embedding"]])
        for hit in reply.payload["results"]
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_init_says_what_is_stored(transports, kind):
    reply = transports[kind].exchange(Request(operation="vector_init", deadline_s=60))
    assert reply.payload == {"message": "200 items in 2 shards"}


def test_a_search_finds_the_same_over_both(transports):
    rest, grpc = (rounded(transports[kind].exchange(asked("boot sequence"))) for kind in KINDS)
    assert len(rest) == 5
    assert rest == grpc
    assert rest != rounded(transports["grpc"].exchange(asked("another question")))  # the control


@pytest.mark.parametrize("kind", KINDS)
def test_the_text_of_an_item_is_found_first(transports, kind):
    (hit,) = transports[kind].exchange(asked("boot sequence", 1)).payload["results"]
    (again,) = transports[kind].exchange(asked(hit["text"], 1)).payload["results"]
    assert again["text"] == hit["text"]
    assert again["score"] == pytest.approx(1, abs=1e-5)


def test_a_request_that_is_refused_is_refused_alike_over_both(transports):
    codes = {}
    for kind in KINDS:
        with pytest.raises(AnsweredError) as refused:
            transports[kind].exchange(asked("x", 1001))
        codes[kind] = (refused.value.code, refused.value.reply.wire_status)
    assert codes == {"rest": (Code.INVALID_ARGUMENT, "400"), "grpc": (Code.INVALID_ARGUMENT, "INVALID_ARGUMENT")}


@pytest.mark.parametrize("kind", KINDS)
def test_ten_threads_search_at_once(transports, kind):
    texts = [f"question {number}" for number in range(10)]
    one_by_one = [rounded(transports[kind].exchange(asked(text))) for text in texts]
    with ThreadPoolExecutor(10) as pool:
        at_once = [rounded(reply) for reply in pool.map(lambda text: transports[kind].exchange(asked(text)), texts)]
    assert at_once == one_by_one


@pytest.mark.parametrize("kind", KINDS)
def test_a_client_without_a_certificate_is_turned_away(memory, transports, kind):
    endpoint = memory.endpoints[kind]
    nobody = open_transport(kind, {"address": endpoint["address"], "ca": endpoint["ca"]})
    with nobody, pytest.raises(ExchangeError) as refused:
        nobody.exchange(asked("x"))
    assert refused.value.code is Code.UNAVAILABLE


@pytest.mark.parametrize("kind", KINDS)
def test_a_recorded_search_holds_the_reply_and_no_credential(transports, kind):
    taken, ticks = [], iter(range(100))
    recording = Recording(transports[kind], taken.append, ticks.__next__, str)
    request = msgspec.structs.replace(asked("boot sequence"), metadata={"authorization": f"Bearer {TOKEN}"})
    reply = recording.exchange(request)
    (exchange,) = taken
    assert exchange.reply.payload == reply.payload
    assert (exchange.transport, exchange.sent_ns, exchange.done_ns) == (kind, 0, 1)
    assert TOKEN.encode() in msgspec.json.encode(request)
    assert TOKEN.encode() not in msgspec.json.encode(exchange)
