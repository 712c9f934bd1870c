"""A call gets its deadline and not more; whoever gives up says so to the call."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar

import pytest

from pytest_spiral.errors import ExchangeError
from pytest_spiral.model.exchange import Code
from pytest_spiral.transports.patience import Patience

ENOUGH_S = 30.0


@pytest.fixture
def patience():
    made = Patience("the other side")
    yield made
    made.close()


def nothing():
    pass


def test_what_the_call_returns_is_returned(patience):
    assert patience.run(lambda: 41 + 1, ENOUGH_S, nothing) == 42


def test_what_the_call_raises_is_raised(patience):
    fault = KeyError("as it is")

    def call():
        raise fault

    with pytest.raises(KeyError) as raised:
        patience.run(call, ENOUGH_S, nothing)
    assert raised.value is fault


def test_a_call_that_does_not_end_is_left(patience):
    leave = threading.Event()
    with pytest.raises(ExchangeError, match=r"the other side gave no whole reply within 0\.05 s") as late:
        patience.run(lambda: leave.wait(ENOUGH_S), 0.05, leave.set)
    assert late.value.code is Code.DEADLINE_EXCEEDED
    assert leave.is_set()


def test_a_call_that_ends_is_not_left(patience):
    leave = threading.Event()
    patience.run(nothing, ENOUGH_S, leave.set)
    assert not leave.is_set()


def test_a_timeout_of_the_call_itself_is_no_deadline_of_ours(patience):
    def call():
        raise TimeoutError("inner")

    with pytest.raises(TimeoutError, match="inner"):
        patience.run(call, ENOUGH_S, nothing)


def test_one_caller_stays_on_one_thread(patience):
    threads = {patience.run(threading.get_ident, ENOUGH_S, nothing) for _ in range(20)}
    assert len(threads) == 1
    assert threads != {threading.get_ident()}


def test_callers_at_once_each_have_a_thread(patience):
    together = threading.Barrier(5)

    def call():
        together.wait(ENOUGH_S)
        return threading.get_ident()

    with ThreadPoolExecutor(5) as callers:
        threads = list(callers.map(lambda _: patience.run(call, ENOUGH_S, nothing), range(5)))
    assert len(set(threads)) == 5


def test_a_thread_that_was_left_is_used_again_once_its_call_has_ended(patience):
    idents, ended = [], threading.Event()

    def call():
        idents.append(threading.get_ident())
        ended.wait(ENOUGH_S)

    with pytest.raises(ExchangeError):
        patience.run(call, 0.05, nothing)
    busy = patience.run(threading.get_ident, ENOUGH_S, nothing)
    assert busy != idents[0]
    ended.set()
    (left,) = [thread for thread in threading.enumerate() if thread.ident == idents[0]]
    patience.close()
    left.join(ENOUGH_S)
    assert not left.is_alive()


def test_the_call_sees_the_context_of_its_caller(patience):
    variable = ContextVar("variable", default="unset")
    variable.set("of the caller")
    assert patience.run(variable.get, ENOUGH_S, nothing) == "of the caller"


def test_closing_ends_calls_that_are_under_way(patience):
    begun, leave = threading.Event(), threading.Event()

    def call():
        begun.set()
        leave.wait(ENOUGH_S)

    with ThreadPoolExecutor(1) as caller:
        waiting = caller.submit(patience.run, call, ENOUGH_S, leave.set)
        assert begun.wait(ENOUGH_S)
        patience.close()
        with pytest.raises(ExchangeError, match="was closed during this call") as ended:
            waiting.result(ENOUGH_S)
    assert ended.value.code is Code.CANCELLED
    assert leave.is_set()


def test_nothing_is_called_after_closing(patience):
    patience.close()
    patience.close()
    called = threading.Event()
    with pytest.raises(ExchangeError, match="was closed before this call") as ended:
        patience.run(called.set, ENOUGH_S, nothing)
    assert ended.value.code is Code.CANCELLED
    assert not called.is_set()


def test_closing_ends_the_threads_at_rest(patience):
    ident = patience.run(threading.get_ident, ENOUGH_S, nothing)
    assert ident in {thread.ident for thread in threading.enumerate()}
    patience.close()
    assert ident not in {thread.ident for thread in threading.enumerate()}
