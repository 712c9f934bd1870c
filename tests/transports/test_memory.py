"""A function of this process as the other side."""

import threading

import pytest

from pytest_spiral.errors import ExchangeError
from pytest_spiral.model.exchange import Code, Reply, Request
from pytest_spiral.transports.base import AnsweredError
from pytest_spiral.transports.memory import MemoryTransport

ASK = Request(operation="ask", payload={"a": 1}, deadline_s=30)


def code_of(handler, request=ASK):
    with MemoryTransport(handler) as transport, pytest.raises(ExchangeError) as raised:
        transport.exchange(request)
    return raised.value


def test_the_handler_gets_the_request_and_gives_the_reply():
    with MemoryTransport(lambda asked: Reply(code=Code.OK, payload=asked.payload, metadata=asked.metadata)) as memory:
        reply = memory.exchange(ASK)
        assert (memory.name, memory.address) == ("memory", "in-process")
    assert reply.payload == {"a": 1}
    assert len(reply.metadata["x-request-id"]) == 32


@pytest.mark.parametrize("fault", [KeyError("k"), SystemExit(3), KeyboardInterrupt()], ids=repr)
def test_an_exception_of_the_handler_is_internal(fault):
    def handler(_):
        raise fault

    error = code_of(handler)
    assert error.code is Code.INTERNAL
    assert error.__cause__ is fault
    assert type(fault).__name__ in str(error)


def test_an_exchange_error_of_the_handler_goes_on_as_it_is():
    fault = ExchangeError(Code.NOT_FOUND, "no such thing")

    def handler(_):
        raise fault

    assert code_of(handler) is fault


def test_a_reply_with_an_error_code_is_an_answered_error():
    reply = Reply(code=Code.PERMISSION_DENIED, payload={"detail": "no"})
    error = code_of(lambda _: reply)
    assert isinstance(error, AnsweredError)
    assert (error.code, error.reply) == (Code.PERMISSION_DENIED, reply)


def test_what_is_no_reply_is_malformed():
    assert code_of(lambda _: {"code": "ok"}).code is Code.MALFORMED_REPLY


def test_a_handler_that_does_not_end_exceeds_the_deadline():
    ended = threading.Event()
    error = code_of(lambda _: ended.wait(30), Request(operation="ask", deadline_s=0.05))
    ended.set()
    assert error.code is Code.DEADLINE_EXCEEDED
