"""Recording and timing add one thing each, and take nothing away."""

from itertools import count

import msgspec
import pytest

from pytest_spiral.errors import ExchangeError
from pytest_spiral.model.exchange import Code, Exchange, Reply, Request
from pytest_spiral.rules.redact import Redactor
from pytest_spiral.transports.base import AnsweredError
from pytest_spiral.transports.memory import MemoryTransport
from pytest_spiral.transports.wrap import Recording, Timed, Wrapper

SECRET = "hunter2-declared"
TOKEN = "tok-3f9c1a77"
REDACT = Redactor([SECRET]).redact
GOOD = Reply(code=Code.OK, payload={"n": 1}, metadata={"m": "x"}, wire_status="200")


class Direct(Wrapper):
    """A transport that calls a function in the caller's own thread."""

    def __init__(self, handler):
        self.name, self.address = "direct", "here"
        self._handler = handler
        self.closed = False

    def exchange(self, request):
        return self._handler(request)

    def close(self):
        self.closed = True


def raising(error):
    def handler(_):
        raise error

    return handler


def ticking():
    return count(1000, 7).__next__


def record(handler, request, redact=REDACT):
    taken = []
    recording = Recording(Direct(handler), taken.append, ticking(), redact)
    try:
        return recording.exchange(request), taken
    except ExchangeError as error:
        return error, taken


def test_a_call_is_recorded_with_its_own_id_and_times():
    seen = []

    def handler(request):
        seen.append(request)
        return GOOD

    request = Request(operation="ask", payload={"q": 1}, metadata={"k": "v"}, deadline_s=3)
    reply, (exchange,) = record(handler, request)
    assert reply is GOOD
    assert exchange == Exchange(
        id=seen[0].metadata["x-request-id"],
        transport="direct",
        address="here",
        request=seen[0],
        reply=GOOD,
        sent_ns=1000,
        done_ns=1007,
    )
    assert seen[0] == msgspec.structs.replace(request, metadata={"k": "v", "x-request-id": exchange.id})


def test_two_calls_have_two_ids():
    _, (first,) = record(lambda _: GOOD, Request(operation="ask"))
    _, (second,) = record(lambda _: GOOD, Request(operation="ask"))
    assert first.id != second.id


def test_an_id_that_the_caller_chose_is_the_exchange_s_id():
    _, (exchange,) = record(lambda _: GOOD, Request(operation="ask", metadata={"X-Request-ID": "mine"}))
    assert exchange.id == "mine"
    assert exchange.request.metadata == {"x-request-id": "mine"}


def test_a_failed_call_is_recorded_and_its_error_goes_on():
    fault = ExchangeError(Code.UNAVAILABLE, "nobody there")
    error, (exchange,) = record(raising(fault), Request(operation="ask"))
    assert error is fault
    assert error.exchange is exchange
    assert (exchange.reply, exchange.error, exchange.done_ns) == (None, "unavailable: nobody there", 1007)


def test_an_error_that_was_answered_is_recorded_with_its_reply():
    reply = Reply(code=Code.INTERNAL, payload={"detail": f"no {SECRET}"}, wire_status="500")
    error, (exchange,) = record(raising(AnsweredError(f"said {SECRET}", reply)), Request(operation="ask"))
    assert error.reply is reply
    assert exchange.reply == msgspec.structs.replace(reply, payload={"detail": "no ***"})
    assert exchange.error == "internal: said ***"


def test_of_two_recordings_the_inner_one_s_exchange_is_attached():
    inner, outer = [], []
    nested = Recording(
        Recording(Direct(raising(ExchangeError(Code.INTERNAL, "x"))), inner.append, ticking(), str),
        outer.append,
        ticking(),
        str,
    )
    with pytest.raises(ExchangeError) as raised:
        nested.exchange(Request(operation="ask"))
    assert raised.value.exchange is inner[0]
    assert outer[0].id == inner[0].id


def test_an_interrupted_call_is_recorded():
    taken = []
    recording = Recording(Direct(raising(KeyboardInterrupt())), taken.append, ticking(), str)
    with pytest.raises(KeyboardInterrupt):
        recording.exchange(Request(operation="ask"))
    assert [exchange.error for exchange in taken] == ["interrupted: KeyboardInterrupt"]


def test_a_record_that_cannot_be_kept_is_noticed():
    def full(_):
        raise OSError("no space left")

    fault = ExchangeError(Code.INTERNAL, "x")
    for handler, before in ((lambda _: GOOD, None), (raising(fault), fault)):
        with pytest.raises(OSError, match="no space left") as raised:
            Recording(Direct(handler), full, ticking(), str).exchange(Request(operation="ask"))
        assert raised.value.__context__ is before


@pytest.mark.parametrize("key", ["authorization", "Authorization", "cookie", "proxy-authorization"])
def test_secret_metadata_is_sent_and_not_recorded(key):
    seen = []

    def handler(request):
        seen.append(request.metadata[key])
        return msgspec.structs.replace(GOOD, metadata={"set-cookie": "session=1", "m": "x"})

    reply, (exchange,) = record(handler, Request(operation="ask", metadata={key: f"Bearer {TOKEN}"}))
    assert seen == [f"Bearer {TOKEN}"]
    assert reply.metadata == {"set-cookie": "session=1", "m": "x"}
    assert exchange.request.metadata[key] == "***"
    assert exchange.reply.metadata == {"set-cookie": "***", "m": "x"}


def test_the_credential_of_a_call_is_hidden_where_it_comes_back():
    def echo(request):
        shown = request.metadata["authorization"]
        payload = {"headers": [{"value": shown}], "hex": TOKEN.encode().hex(), TOKEN: 1}
        return Reply(code=Code.OK, payload=payload, metadata={"echo": shown})

    reply, (exchange,) = record(echo, Request(operation="ask", metadata={"authorization": f"Bearer {TOKEN}"}))
    assert exchange.reply.payload == {"headers": [{"value": "***"}], "hex": "***", "***": 1}
    assert exchange.reply.metadata == {"echo": "***"}
    assert reply.payload["headers"] == [{"value": f"Bearer {TOKEN}"}]


@pytest.mark.parametrize(
    "request_",
    [
        Request(operation="ask", payload={"a": [{"b": f"x{SECRET}y"}], SECRET: 1}),
        Request(operation="ask", metadata={"x-key": SECRET}),
        Request(operation="ask", metadata={"x-request-id": SECRET}),
        Request(operation="ask", payload={"t": ("tuple", SECRET)}),
    ],
)
@pytest.mark.parametrize("fails", [True, False])
def test_no_declared_secret_is_in_what_is_recorded(request_, fails):
    def handler(request):
        if fails:
            raise AnsweredError(f"no: {request!r}", Reply(code=Code.INTERNAL, payload=request.payload))
        return Reply(code=Code.OK, payload=request.payload, metadata=request.metadata)

    scan = Redactor([SECRET]).find
    _, (kept,) = record(handler, request_)
    assert scan(msgspec.json.encode(kept)) == ()
    _, (bare,) = record(handler, request_, redact=str)
    assert scan(msgspec.json.encode(bare)) != ()


def test_values_that_are_no_text_stay_as_they_are():
    payload = {"i": 1, "f": 0.5, "n": None, "b": True, "l": [1, [2]], "o": {}}
    _, (exchange,) = record(lambda _: Reply(code=Code.OK, payload=payload), Request(operation="ask", payload=payload))
    assert exchange.request.payload == exchange.reply.payload == payload


@pytest.mark.parametrize(
    ("handler", "code"),
    [
        (lambda _: GOOD, Code.OK),
        (raising(ExchangeError(Code.NOT_FOUND, "x")), Code.NOT_FOUND),
        (raising(KeyboardInterrupt()), Code.CANCELLED),
    ],
)
def test_every_call_is_timed_with_the_code_it_ended_with(handler, code):
    observed = []
    timed = Timed(Direct(handler), ticking(), lambda *each: observed.append(each))
    try:
        assert timed.exchange(Request(operation="ask")) is GOOD
    except (ExchangeError, KeyboardInterrupt):
        assert code is not Code.OK
    assert observed == [("ask", 7, code)]


def test_timing_passes_on_the_same_error():
    fault = ExchangeError(Code.NOT_FOUND, "x")
    with pytest.raises(ExchangeError) as raised:
        Timed(Direct(raising(fault)), ticking(), lambda *_: None).exchange(Request(operation="ask"))
    assert raised.value is fault


def test_a_wrapper_is_what_it_holds_and_closes_it():
    direct = Direct(lambda _: GOOD)
    with Timed(Recording(direct, [].append, ticking(), str), ticking(), lambda *_: None) as transport:
        assert (transport.name, transport.address) == ("direct", "here")
        assert not direct.closed
    assert direct.closed


def test_wrappers_hold_any_transport():
    taken = []
    with Recording(
        MemoryTransport(lambda request: Reply(code=Code.OK, payload=request.payload)), taken.append, ticking(), str
    ) as memory:
        assert memory.exchange(Request(operation="ask", payload={"a": 1})).payload == {"a": 1}
    assert [exchange.transport for exchange in taken] == ["memory"]
