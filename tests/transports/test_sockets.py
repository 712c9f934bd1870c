"""A grip on a call's socket: it can be cut from another thread, and what was cut sends nothing any more."""

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from pytest_spiral.transports.sockets import Grip, GripAdapter, gripped

ENOUGH_S = 30.0


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def session():
    with requests.Session() as session:
        session.trust_env = False
        session.mount("http://", GripAdapter())
        yield session


def test_cutting_wakes_whoever_reads(pair):
    ours, _ = pair
    grip = Grip()
    grip.hold(ours)
    with ThreadPoolExecutor(1) as reader:
        reading = reader.submit(ours.recv, 1)
        grip.cut()
        assert reading.result(ENOUGH_S) == b""


def test_a_call_that_was_cut_gets_no_socket(pair):
    grip = Grip()
    grip.cut()
    with pytest.raises(ConnectionAbortedError):
        grip.hold(pair[0])


def test_cutting_what_has_ended_does_no_harm(pair):
    grip = Grip()
    grip.hold(pair[0])
    pair[0].close()
    grip.cut()
    grip.drop()


def test_dropping_closes_the_socket_for_everybody(pair):
    ours, theirs = pair
    grip = Grip()
    grip.hold(ours)
    grip.drop()
    assert ours.fileno() == -1
    assert theirs.recv(1) == b""


@pytest.mark.parametrize("kept", [False, True], ids=["new connection", "kept connection"])
def test_a_call_that_was_cut_before_it_was_sent_is_not_sent(serve_http, session, kept):
    server = serve_http(lambda _: (200, {}, b"{}"))
    if kept:
        with gripped(Grip()):
            session.get(server.address)
    grip = Grip()
    grip.cut()
    with gripped(grip), pytest.raises(requests.ConnectionError):
        session.get(server.address)
    assert len(server.asked) == int(kept)
    with gripped(Grip()):  # the control: the same session with a grip that was not cut
        assert session.get(server.address).json() == {}


def test_the_connection_of_a_call_can_be_cut_while_it_waits(serve_socket, session):
    grip = Grip()

    def behave(connection):
        connection.recv(65536)
        grip.cut()
        assert connection.recv(1) == b""

    with gripped(grip), pytest.raises(requests.ConnectionError):
        session.get(f"http://{serve_socket(behave)}", timeout=ENOUGH_S)
