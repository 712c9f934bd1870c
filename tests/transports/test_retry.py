"""What may be made twice is tried again where nobody answered; every try is an exchange of its own."""

import pytest

from pytest_spiral.errors import ExchangeError
from pytest_spiral.model.exchange import Code, Reply, Request
from pytest_spiral.run import clock
from pytest_spiral.transports.base import AnsweredError
from pytest_spiral.transports.memory import MemoryTransport
from pytest_spiral.transports.retry import Retrying
from pytest_spiral.transports.wrap import Credentialed, Recording, Watching

SEARCH = Request(operation="vector_search", payload={"text": "x"}, metadata={"x-request-id": "own"})
KEY = {"idempotency-key": "k"}


def retrying(fails, retries=3, error=None):
    """A side that fails so often before it answers; gives the transport and what was recorded."""
    left, taken = [fails], []

    def handle(request):
        if left[0]:
            left[0] -= 1
            raise error or ExchangeError(Code.UNAVAILABLE, "connection refused")
        return Reply(code=Code.OK, payload={"n": 1})

    recording = Recording(MemoryTransport(handle), taken.append, clock.mono_ns, str)
    return Retrying(recording, retries, clock.mono_ns), taken


def test_a_read_is_tried_again_until_somebody_answers():
    transport, taken = retrying(2)
    assert transport.exchange(SEARCH).payload == {"n": 1}
    assert [one.id for one in taken] == ["own", "own-2", "own-3"]
    assert [one.error.partition(":")[0] for one in taken] == ["unavailable", "unavailable", ""]


def test_the_last_error_is_raised_when_nobody_answers():
    transport, taken = retrying(9, retries=2)
    with pytest.raises(ExchangeError, match="connection refused"):
        transport.exchange(SEARCH)
    assert len(taken) == 3


def test_traced_gives_the_last_try():
    transport, taken = retrying(1)
    assert (transport.traced(SEARCH).id, len(taken)) == ("own-2", 2)
    transport, taken = retrying(9, retries=1)
    assert (transport.traced(SEARCH).reply, len(taken)) == (None, 2)


@pytest.mark.parametrize(
    "error",
    [
        AnsweredError("503", Reply(code=Code.UNAVAILABLE)),
        ExchangeError(Code.DEADLINE_EXCEEDED, "late"),
        ExchangeError(Code.MALFORMED_REPLY, "what"),
    ],
)
def test_an_answer_and_a_lost_answer_stand(error):
    transport, taken = retrying(1, error=error)
    with pytest.raises(ExchangeError):
        transport.exchange(SEARCH)
    assert len(taken) == 1


@pytest.mark.parametrize(
    ("operation", "metadata", "tries"),
    [
        ("dispatch_command", {}, 1),
        ("dispatch_command", KEY, 2),
        ("heartbeat", KEY, 1),
        ("vector_add_items", KEY, 1),
        ("health", {}, 2),
    ],
)
def test_only_what_may_be_made_twice_is_made_twice(operation, metadata, tries):
    transport, taken = retrying(1)
    request = Request(operation=operation, metadata=metadata)
    if tries == 1:
        with pytest.raises(ExchangeError):
            transport.exchange(request)
    else:
        transport.exchange(request)
    assert len(taken) == tries


def test_nothing_is_tried_again_after_the_deadline():
    transport, taken = retrying(99, retries=50)
    with pytest.raises(ExchangeError):
        transport.exchange(Request(operation="health", deadline_s=0.5))
    assert 2 <= len(taken) < 6
    assert taken[-1].request.deadline_s < taken[0].request.deadline_s


def test_no_try_is_waited_for_that_would_begin_after_the_deadline():
    transport, taken = retrying(1)
    with pytest.raises(ExchangeError):
        transport.exchange(Request(operation="health", deadline_s=0.05))  # the first pause is longer
    assert len(taken) == 1


def test_a_credential_is_sent_where_a_call_has_none_and_is_in_no_trace():
    seen, taken = [], []
    inner = Credentialed(MemoryTransport(lambda one: seen.append(one) or Reply(code=Code.OK)), "very-secret-token")
    recording = Recording(inner, taken.append, clock.mono_ns, str)
    recording.exchange(SEARCH)
    recording.exchange(Request(operation="health", metadata={"Authorization": "Bearer own"}))
    assert [one.metadata["authorization"] for one in seen] == ["Bearer very-secret-token", "Bearer own"]
    assert "very-secret-token" not in repr(taken)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ExchangeError(Code.UNAVAILABLE, "gone"), 1),
        (ExchangeError(Code.DEADLINE_EXCEEDED, "late"), 1),
        (AnsweredError("503", Reply(code=Code.UNAVAILABLE)), 0),
        (ExchangeError(Code.INVALID_ARGUMENT, "no"), 0),
    ],
)
def test_a_call_that_nobody_answered_is_told(error, told):
    lost = []

    def handle(request):
        raise error

    with Watching(MemoryTransport(handle), lambda: lost.append(1)) as watching, pytest.raises(ExchangeError):
        watching.exchange(SEARCH)
    assert len(lost) == told
