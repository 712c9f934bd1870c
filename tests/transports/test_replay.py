"""A trace is played back as it was recorded, and a request that is not in it is told what the nearest is."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_spiral.errors import ExchangeError, UseError
from pytest_spiral.model.exchange import Code, Exchange, Reply, Request
from pytest_spiral.model.parity import TraceDocument
from pytest_spiral.transports import open_transport
from pytest_spiral.transports.base import AnsweredError
from pytest_spiral.transports.replay import ReplayTransport


def asked(number=1, operation="vector_search", **payload):
    return Request(operation=operation, payload={"text": f"q{number}", "top_n": 5, **payload})


def exchange(request, answer, number=0, error=""):
    return Exchange(
        id=f"x{number}",
        transport="rest",
        address="then",
        request=request,
        reply=answer,
        sent_ns=1,
        done_ns=2,
        error=error,
    )


def good(said):
    return Reply(code=Code.OK, payload={"results": [said]}, wire_status="200")


def trace(*exchanges):
    return ReplayTransport(TraceDocument(service="memory", transport="rest", exchanges=exchanges), "trace.json")


def test_answers_come_back_in_the_order_in_which_they_were_recorded():
    played = trace(exchange(asked(1), good("a")), exchange(asked(2), good("b")), exchange(asked(1), good("c")))
    assert [played.exchange(asked(n)).payload["results"][0] for n in (1, 1, 2)] == ["a", "c", "b"]
    with pytest.raises(ExchangeError, match="has no more answers to this vector_search"):
        played.exchange(asked(1))


def test_metadata_makes_no_difference():
    played = trace(exchange(asked(1), good("a")))
    request = msgspec.structs.replace(asked(1), metadata={"authorization": "Bearer other"}, deadline_s=1.0)
    assert played.exchange(request).payload == {"results": ["a"]}


def test_failures_are_played_back_as_they_were():
    refused = Reply(code=Code.PERMISSION_DENIED, wire_status="403")
    played = trace(
        exchange(asked(1), refused, error="permission-denied: REST said no"),
        exchange(asked(2), None, error="deadline-exceeded: too late"),
        exchange(asked(3), None, error="interrupted: KeyboardInterrupt"),
    )
    with pytest.raises(AnsweredError, match="REST said no") as answered:
        played.exchange(asked(1))
    assert answered.value.reply == refused
    with pytest.raises(ExchangeError, match="too late") as late:
        played.exchange(asked(2))
    assert late.value.code is Code.DEADLINE_EXCEEDED
    with pytest.raises(ExchangeError, match="interrupted") as cut:
        played.exchange(asked(3))
    assert cut.value.code is Code.CANCELLED


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (asked(88), 'the nearest is "x1", where /text is "q8", not "q88"'),
        (asked(1, shard=2), 'the nearest is "x0", where /shard is nothing, not 2'),
        (msgspec.structs.replace(asked(1), payload={"text": "q1"}), "where /top_n is 5, not there"),
        (asked(1, "vector_init"), "the nearest operation is vector_search"),
    ],
)
def test_a_request_that_is_not_in_the_trace_names_the_nearest(request_, said):
    played = trace(exchange(asked(1), good("a"), 0), exchange(asked(8), good("b"), 1))
    with pytest.raises(ExchangeError) as missing:
        played.exchange(request_)
    assert missing.value.code is Code.NOT_FOUND
    assert said in str(missing.value)


def test_an_empty_trace_and_a_closed_one_answer_nothing():
    with pytest.raises(ExchangeError, match="and nothing at all"):
        trace().exchange(asked())
    played = trace(exchange(asked(), good("a")))
    played.close()
    with pytest.raises(ExchangeError, match="was closed"):
        played.exchange(asked())


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 3), max_size=12))
def test_a_recorded_session_plays_back_whole(numbers):
    exchanges = tuple(exchange(asked(n), good(at), at) for at, n in enumerate(numbers))
    played = trace(*exchanges)
    assert [played.exchange(asked(n)).payload["results"][0] for n in numbers] == list(range(len(numbers)))


def test_a_trace_file_is_opened_as_an_endpoint(tmp_path):
    path = tmp_path / "rest_trace.json"
    document = TraceDocument(service="memory", transport="rest", exchanges=(exchange(asked(), good(2**60)),))
    path.write_bytes(json.dumps(msgspec.to_builtins(document)).encode())
    endpoint = {"address": "recorded:rest_trace.json", "trace": str(path)}
    with open_transport("rest", endpoint) as played:
        assert (played.name, played.exchange(asked()).payload) == ("replay", {"results": [2**60]})
    for content, said in ((b"[]", "is no trace"), (b'{"format":"spiral-trace/2"}', "format-unknown")):
        path.write_bytes(content)
        with pytest.raises(UseError, match=said):
            open_transport("rest", endpoint)
    path.unlink()
    with pytest.raises(UseError, match="cannot be read"):
        open_transport("rest", endpoint)
