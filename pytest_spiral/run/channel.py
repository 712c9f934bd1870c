"""The way from a pytest process to the launcher: what it has written, and the ledger, which the launcher alone writes."""

import socket
import threading
from collections.abc import Iterator
from typing import Final, TypeVar

import msgspec

from pytest_spiral.errors import EvidenceError
from pytest_spiral.model.base import Value
from pytest_spiral.model.entry import KIND_OF, AttemptOpened, Entry, LedgerHead
from pytest_spiral.model.launcher import (
    Answer,
    AskLedger,
    Hello,
    LedgerLine,
    Published,
    Question,
    Refused,
    Register,
    Registered,
    Terms,
    Told,
    Wrote,
)
from pytest_spiral.rules.canonical import plain
from pytest_spiral.rules.entries import parse_entry

PACKET: Final = 192 * 1024
"""The largest message: a ledger's line of 64 KiB, with every byte escaped, in JSON."""

_Kind = TypeVar("_Kind", Terms, Registered, LedgerLine)
_DECODE: Final = msgspec.json.Decoder(Answer).decode
_GONE: Final = "spiral record does not answer any more, so nothing that is recorded now can be signed."


class Channel:
    """A process's connection to the launcher. Messages are whole or not there at all, whatever interrupts a sender.

    Methods may be called from several threads; they raise EvidenceError where the launcher is gone, or refuses.
    """

    def __init__(self, path: str, process: str) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._socket.connect(path)
            self.published: Published | None = None
            self.terms = self._ask(Hello(process=process), Terms)
        except OSError as problem:
            self.close()
            raise EvidenceError(f"spiral record is not there ({problem.strerror}). {_GONE}") from problem
        except EvidenceError:
            self.close()
            raise

    def close(self) -> None:
        """Part from the launcher; a process that ends does so by itself. May be called twice."""
        self._socket.close()

    def tell(self, n: int, digest: str) -> None:
        """Say that record `n` of this process's journal is on disk."""
        self._send(Told(n=n, digest=digest))

    def wrote(self, path: str, digest: str) -> None:
        """Say that a file was written which no record names."""
        self._send(Wrote(path=path, digest=digest))

    def register(self, record: Value | None) -> Entry | None:
        """Have a record appended to the ledger; None: have the ledger begun where there is none."""
        if record is None:
            self._ask(Register(), Registered)
            return None
        body = msgspec.Raw(msgspec.json.encode(plain(record)))
        answer = self._ask(Register(entry=KIND_OF[type(record)], body=body), Registered)
        if isinstance(record, AttemptOpened):
            self.published = answer.published
        return parse_entry(answer.line.encode())

    def ledger_lines(self) -> Iterator[bytes]:
        """The ledger's raw lines."""
        with self._lock:
            self._send(AskLedger())
            lines = []
            while line := self._receive(LedgerLine).line:
                lines.append(line.encode())
        yield from lines

    def publish(self, head: LedgerHead) -> Published | None:
        """What came of publishing, which the launcher has done when it registered the run."""
        return self.published if self.published is not None and self.published.head == head else None

    def _ask(self, question: Question, kind: type[_Kind]) -> _Kind:
        with self._lock:
            self._send(question)
            return self._receive(kind)

    def _send(self, message: Question) -> None:
        try:
            self._socket.send(msgspec.json.encode(message))
        except OSError as problem:
            raise EvidenceError(_GONE) from problem

    def _receive(self, kind: type[_Kind]) -> _Kind:
        try:
            data = self._socket.recv(PACKET)
        except OSError as problem:
            raise EvidenceError(_GONE) from problem
        if not data:
            raise EvidenceError(_GONE)
        answer = _DECODE(data)
        if isinstance(answer, Refused):
            raise EvidenceError(answer.why)
        if not isinstance(answer, kind):
            raise EvidenceError(f"spiral record answers {type(answer).__name__} where {kind.__name__} is expected.")
        return answer


class LaunchersLedger:
    """The ledger as tests see it: the launcher writes it, for a run's own `opened` and `collected` only. A `Store`."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    @property
    def name(self) -> str:
        """How the launcher calls it."""
        return self._channel.terms.ledger

    def append(self, *records: Value) -> tuple[Entry, ...]:
        """Have records appended, one after the other. Raises EvidenceError."""
        if not records:
            self._channel.register(None)
        entries = [self._channel.register(one) for one in records]
        return tuple(one for one in entries if one is not None)

    def lines(self) -> Iterator[bytes]:
        """The raw lines, from entry 0."""
        return self._channel.ledger_lines()
