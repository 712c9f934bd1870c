"""gRPC fails in each of its ways, a real REST call follows, and nothing is done twice."""

import threading
from itertools import count

import grpc
import msgspec
import pytest

from pytest_spiral.errors import ExchangeError
from pytest_spiral.model.exchange import Code, Reply, Request
from pytest_spiral.run import clock
from pytest_spiral.transports import open_transport
from pytest_spiral.transports.base import AnsweredError
from pytest_spiral.transports.fallback import Fallback
from pytest_spiral.transports.memory import MemoryTransport
from pytest_spiral.transports.wrap import Recording
from spiral_contract import operator_pb2
from spiral_sandbox.target import start

PATH = "/abzu.operator.OperatorApi/DispatchCommand"
ORDER = {"operator": "overseer", "agent": "crown", "command": "light"}


def command(**changed):
    return msgspec.structs.replace(Request(operation="dispatch_command", payload=ORDER, deadline_s=4.0), **changed)


def failing(code, **reply):
    """A side that fails with this code, answered where a reply is given."""

    def handle(request):
        if reply:
            raise AnsweredError("no", Reply(code=code, **reply))
        raise ExchangeError(code, "nobody there")

    return MemoryTransport(handle)


class Side:
    """A side that answers, and remembers what it was asked."""

    def __init__(self, code=Code.OK):
        self.asked = []
        self.transport = MemoryTransport(self._answer)
        self.code = code

    def _answer(self, request):
        self.asked.append(request)
        return Reply(code=self.code, payload={"command_id": f"id-{len(self.asked)}"}, wire_status="200")


def fallback(first, second, told=None):
    return Fallback(first, second.transport, clock.mono_ns, (told if told is not None else []).append)


@pytest.mark.parametrize("code", [Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.INTERNAL, Code.CANCELLED])
def test_a_way_of_failing_is_followed_by_rest_and_says_so(code):
    rest, told = Side(), []
    with fallback(failing(code), rest, told) as transport:
        reply = transport.exchange(command(metadata={"x-request-id": "own"}))
        assert (reply.payload, reply.metadata["abzu-fallback"]) == ({"command_id": "id-1"}, "rest")
        assert dict(transport.engaged) == {"dispatch_command": 1}
    (asked,) = rest.asked
    assert asked.metadata["abzu-fallback"] == "rest"
    assert asked.metadata["x-request-id"] == "own-rest"
    assert asked.metadata["idempotency-key"]
    (event,) = told
    assert (event.event, event.operation, event.request, event.code) == (
        "fallback-engaged",
        "dispatch_command",
        "own",
        code,
    )


@pytest.mark.parametrize(
    "code", [Code.INVALID_ARGUMENT, Code.PERMISSION_DENIED, Code.UNAUTHENTICATED, Code.NOT_FOUND, Code.CONFLICT]
)
def test_an_answer_is_an_answer_and_no_reason_to_ask_elsewhere(code):
    rest = Side()
    with fallback(failing(code, wire_status="x"), rest) as transport, pytest.raises(AnsweredError) as refused:
        transport.exchange(command())
    assert (refused.value.code, rest.asked, dict(transport.engaged)) == (code, [], {})


def test_a_call_that_works_over_grpc_is_not_made_over_rest():
    first, rest = Side(), Side()
    with Fallback(first.transport, rest.transport, clock.mono_ns, [].append) as transport:
        assert "abzu-fallback" not in transport.exchange(command()).metadata
    assert (len(first.asked), rest.asked) == (1, [])


def test_both_calls_of_a_command_carry_the_same_key_and_a_given_one_is_kept():
    keys = []

    def refuse(request):
        keys.append(request.metadata["idempotency-key"])
        raise ExchangeError(Code.UNAVAILABLE, "no")

    rest = Side()
    with fallback(MemoryTransport(refuse), rest) as transport:
        transport.exchange(command())
        transport.exchange(command())
        transport.exchange(command(metadata={"Idempotency-Key": "mine"}))
    assert keys == [one.metadata["idempotency-key"] for one in rest.asked]
    assert len(set(keys)) == 3
    assert keys[2] == "mine"


@pytest.mark.parametrize("operation", ["heartbeat", "vector_add_items"])
def test_what_the_server_cannot_know_again_is_not_tried_again(operation):
    rest = Side()
    with fallback(failing(Code.UNAVAILABLE), rest) as transport, pytest.raises(ExchangeError) as error:
        transport.exchange(Request(operation=operation))
    assert (error.value.code, rest.asked) == (Code.UNAVAILABLE, [])


def test_both_calls_together_have_one_deadline():
    ticks = iter([0, 3_000_000_000, 3_000_000_000])
    rest = Side()
    with Fallback(failing(Code.DEADLINE_EXCEEDED), rest.transport, ticks.__next__, [].append) as transport:
        transport.exchange(command(deadline_s=4.0))
    assert rest.asked[0].deadline_s == 1.0
    late = iter([0, 5_000_000_000])
    with (
        Fallback(failing(Code.DEADLINE_EXCEEDED), rest.transport, late.__next__, [].append) as transport,
        pytest.raises(ExchangeError),
    ):
        transport.exchange(command(deadline_s=4.0))


def test_where_both_fail_the_error_is_that_of_rest_and_says_what_came_before():
    with (
        fallback(failing(Code.UNAVAILABLE), Side(Code.PERMISSION_DENIED)) as transport,
        pytest.raises(AnsweredError) as both,
    ):
        transport.exchange(command())
    assert both.value.code is Code.PERMISSION_DENIED
    assert both.value.reply.metadata["abzu-fallback"] == "rest"
    assert both.value.__cause__.code is Code.UNAVAILABLE
    neither = Fallback(failing(Code.INTERNAL), failing(Code.UNAVAILABLE), clock.mono_ns, [].append)
    with neither, pytest.raises(ExchangeError) as lost:
        neither.exchange(command())
    assert (lost.value.code, lost.value.__cause__.code) == (Code.UNAVAILABLE, Code.INTERNAL)


def test_a_transport_that_was_closed_does_not_fall_back():
    rest = Side()
    transport = fallback(Side().transport, rest)
    transport.close()
    with pytest.raises(ExchangeError):
        transport.exchange(command())
    assert rest.asked == []


# Real servers


def acknowledged(_):
    return 200, {}, b'{"command_id": "1"}'


def aborting(code):
    def answer(wire, context):
        context.abort(code, "told to")

    return answer


def silent(released):
    def answer(wire, context):
        released.wait(5)
        return operator_pb2.DispatchCommandResponse().SerializeToString()

    return answer


ABORTS = [
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
]


@pytest.mark.parametrize("code", ABORTS, ids=lambda code: code.name)
def test_over_sockets_each_failure_is_followed_by_one_post(serve_grpc, serve_http, code):
    rest = serve_http(acknowledged)
    with Fallback(
        open_transport("grpc", {"address": serve_grpc({PATH: aborting(code)})}),
        open_transport("rest", {"address": rest.address}),
        clock.mono_ns,
        [].append,
    ) as transport:
        assert transport.exchange(command()).metadata["abzu-fallback"] == "rest"
    assert [(one.method, one.path, one.headers["abzu-fallback"]) for one in rest.asked] == [
        ("POST", "/operator/command", "rest")
    ]


def test_over_sockets_silence_and_a_dead_port_are_followed_by_rest(serve_grpc, serve_http, refused):
    released = threading.Event()
    rest = serve_http(acknowledged)
    for address in (serve_grpc({PATH: silent(released)}), refused):
        with Fallback(
            open_transport("grpc", {"address": address}),
            open_transport("rest", {"address": rest.address}),
            clock.mono_ns,
            [].append,
        ) as transport:
            assert transport.exchange(command(deadline_s=0.6)).metadata["abzu-fallback"] == "rest"
    released.set()
    assert len(rest.asked) == 2


@pytest.fixture(scope="module")
def operator(tmp_path_factory):
    running = start([], 1, tmp_path_factory.mktemp("sandbox"))
    try:
        yield running.component("operator")
    finally:
        running.stop()


NUMBERS = count(1)


@pytest.mark.parametrize("way", ["unavailable", "internal", "deadline", "reset-mid-stream"])
def test_the_servers_own_log_shows_each_command_once(operator, way):
    token = operator.ask("credential", operator="overseer")["token"]
    traces = []

    def recorded(kind):
        return Recording(open_transport(kind, operator.endpoints[kind]), traces.append, clock.mono_ns, str)

    words = [f"command-{next(NUMBERS)}-{way}" for _ in range(3)]
    with Fallback(recorded("grpc"), recorded("rest"), clock.mono_ns, [].append) as transport:
        operator.ask("grpc.fail", way=way)
        try:
            for word in words:
                order = command(
                    payload={**ORDER, "command": word}, metadata={"authorization": f"Bearer {token}"}, deadline_s=1.0
                )
                reply = transport.exchange(order)
                assert reply.payload["result"] == {"ack": word}
                assert reply.metadata["abzu-fallback"] == "rest"
        finally:
            operator.ask("grpc.heal")
        assert transport.engaged["dispatch_command"] == len(words)
    log = operator.ask("commands")["commands"]
    assert [sum(one.get("command") == word for one in log) for word in words] == [1] * len(words)
    # Each of them was two real exchanges, with ids and times of their own.
    assert [one.transport for one in traces] == ["grpc", "rest"] * len(words)
    assert len({one.id for one in traces}) == 2 * len(words)
