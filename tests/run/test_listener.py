"""The launcher's end of the channel: what it notes, what it refuses, and whom it does not hear."""

import contextlib
import json
import os
import socket

import pytest

from pytest_spiral.errors import EvidenceError
from pytest_spiral.ledger.book import Book
from pytest_spiral.model.entry import AttemptCollected, AttemptSealed
from pytest_spiral.model.launcher import Confinement, Terms
from pytest_spiral.run.channel import Channel, LaunchersLedger
from pytest_spiral.run.clock import wall_us
from pytest_spiral.run.listener import Listener

ONE, TWO = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"


@pytest.fixture
def channel_to():
    """Connect to a listener as a process of that name."""
    with contextlib.ExitStack() as stack:
        yield lambda path, name="main": stack.enter_context(contextlib.closing(Channel(path, name)))


@pytest.fixture
def listening(tmp_path):
    """Start a listener; with `uid` for the processes of that user only."""
    made = []

    def start(uid=None, ledger=None):
        path = tmp_path / f"door{len(made)}"
        listener = Listener(path, os.getuid() if uid is None else uid, ledger, None)
        nobody = Confinement(uid=1, gid=1, launcher=0)
        terms = Terms(reports="r", sealed="s", ledger="l", publishes=False, keyid="k", confinement=nobody)
        listener.start(terms)
        made.append(listener)
        return listener, str(path)

    yield start
    for listener in made:
        if listener._thread.is_alive():
            listener.finish()


def say(path, *messages):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
        door.connect(path)
        for one in messages:
            door.send(one if isinstance(one, bytes) else json.dumps(one).encode())


def test_what_is_told_is_kept_in_its_order(listening, channel_to):
    listener, path = listening()
    main, worker = channel_to(path), channel_to(path, "gw0")
    for n in range(3):
        main.tell(n, ONE)
    main.tell(2, ONE)  # an interrupted sender may tell of the last one again
    worker.tell(0, TWO)
    main.wrote("inventory.json", ONE)
    worker.wrote("inventory.json", ONE)
    heard = listener.finish()
    kept = {name: bytes(raw).hex() for name, raw in heard.records.items()}
    assert kept == {"main": "1" * 192, "gw0": "2" * 64}
    assert (heard.files, heard.faults) == ({"inventory.json": ONE}, [])


HELLO = {"kind": "hello", "process": "gw0"}
LIES = {
    "a record too many": [HELLO, {"kind": "told", "n": 1, "digest": ONE}],
    "a record told anew": [HELLO, {"kind": "told", "n": 0, "digest": ONE}, {"kind": "told", "n": 0, "digest": TWO}],
    "an earlier record": [
        HELLO,
        *({"kind": "told", "n": n, "digest": ONE} for n in range(3)),
        {"kind": "told", "n": 0, "digest": ONE},
    ],
    "no name": [{"kind": "told", "n": 0, "digest": ONE}],
    "two names": [HELLO, {"kind": "hello", "process": "gw1"}],
    "another file": [{"kind": "wrote", "path": "a", "digest": ONE}, {"kind": "wrote", "path": "a", "digest": TWO}],
    "no JSON": [b"nonsense"],
    "no digest": [HELLO, {"kind": "told", "n": 0, "digest": "sha256:1"}],
}


@pytest.mark.parametrize("messages", LIES.values(), ids=list(LIES))
def test_what_cannot_be_is_kept_as_a_fault(listening, messages):
    listener, path = listening()
    say(path, *messages)
    assert listener.finish().faults


def test_two_processes_of_one_name_are_a_fault(listening, channel_to):
    listener, path = listening()
    channel = channel_to(path)
    with pytest.raises(EvidenceError, match="knows a process main already"):
        Channel(path, "main")
    channel.tell(0, ONE)
    assert listener.finish().faults == ["two processes called themselves main"]


def test_another_user_is_not_heard(listening):
    listener, path = listening(uid=os.getuid() + 1)
    with pytest.raises(EvidenceError, match="does not answer any more"):
        Channel(path, "main")
    heard = listener.finish()
    assert (heard.records, heard.faults) == ({}, [])


def test_tests_append_to_the_ledger_what_is_theirs_and_once(listening, channel_to, tmp_path):
    book = Book(tmp_path / "ledger.jsonl", wall_us)
    listener, path = listening(ledger=book)
    ledger = LaunchersLedger(channel_to(path))
    ledger.append()
    collected = AttemptCollected(nonce="1", inventory=ONE, draft=True)
    (entry,) = ledger.append(collected)
    assert (entry.record, entry.seq) == (collected, 1)
    assert ledger.append(collected) == (entry,), "the same once more is nothing"
    assert list(ledger.lines()) == list(book.lines())
    with pytest.raises(EvidenceError, match="there is one already"):
        ledger.append(AttemptCollected(nonce="2", inventory=ONE, draft=True))
    sealed = AttemptSealed(
        nonce="1", manifest=ONE, attestation=None, decision=None, verdicts={}, runs={}, subjects={}, draft=True
    )
    with pytest.raises(EvidenceError, match="not for tests to make"):
        ledger.append(sealed)
    listener.close()
    with pytest.raises(EvidenceError, match="given no ledger"):
        ledger.append()
    assert len(list(book.lines())) == 2
