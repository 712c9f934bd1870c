"""A recorded trace, played back: what was answered then is answered again, and nothing else."""

import difflib
import threading
from collections import deque
from pathlib import Path
from typing import Final

from pytest_spiral.errors import ExchangeError, UntrustedError, UseError
from pytest_spiral.model.exchange import Code, Exchange, Reply, Request
from pytest_spiral.model.parity import TraceDocument
from pytest_spiral.rules.canonical import parse_foreign
from pytest_spiral.rules.parity.differences import differences, shown, text_of
from pytest_spiral.transports.base import AnsweredError, Transport, one_line, prepared

_MOST_BYTES: Final = 64 * 1024 * 1024
_LOOKED_AT: Final = 500  # exchanges among which the nearest is looked for


class ReplayTransport(Transport):
    """Answers each request as the trace has it: by operation and payload, the same request again with the next answer.

    Metadata is not looked at, since credentials are never recorded. Failures that were recorded are raised as they
    were. Its name is `replay` whatever travelled then, so that a recording is never taken for a call.
    """

    def __init__(self, trace: TraceDocument, address: str) -> None:
        self.name = "replay"
        self.address = address
        self._lock = threading.Lock()
        self._closed = False
        self._exchanges = trace.exchanges
        self._left: dict[tuple[str, str], deque[Exchange]] = {}
        for one in trace.exchanges:
            self._left.setdefault(_question(one.request), deque()).append(one)

    def exchange(self, request: Request) -> Reply:
        """The next recorded answer to this request.

        Raises ExchangeError: what was recorded, or NOT_FOUND for a request that is not in the trace (the nearest one is
        named) or was answered as often as it was recorded.
        """
        asked = prepared(request)
        with self._lock:
            if self._closed:
                raise ExchangeError(Code.CANCELLED, f"{self.address} was closed before this call.")
            known = self._left.get(_question(asked))
            one = known.popleft() if known else None
        if one is None:
            raise ExchangeError(Code.NOT_FOUND, self._missing(asked, played=known is not None))
        return _again(one)

    def close(self) -> None:
        """Answer nothing more."""
        with self._lock:
            self._closed = True

    def _missing(self, request: Request, *, played: bool) -> str:
        if played:
            return f"{self.address} has no more answers to this {request.operation}: all that were recorded are played back."
        said = f"{self.address} has no {request.operation} with this payload"
        alike = [one for one in self._exchanges if one.request.operation == request.operation][:_LOOKED_AT]
        if not alike:
            operations = sorted({one.request.operation for one in self._exchanges})
            close = difflib.get_close_matches(request.operation, operations, 1, cutoff=0.0)
            return f"{said}; the nearest operation is {close[0]}." if close else f"{said}, and nothing at all."
        nearest = min(alike, key=lambda one: _distance(request, one))
        first = next(differences(request.payload, nearest.request.payload))
        there = "is nothing" if first.grpc is None else f"is {first.grpc}"
        return f"{said}; the nearest is {shown(nearest.id)}, where {first.pointer or 'the payload'} {there}, not {first.rest or 'there'}."


def open_trace(path: Path, address: str) -> ReplayTransport:
    """A transport that plays a trace file back; raises UseError for one that cannot be read."""
    try:
        return ReplayTransport(parse_foreign(path.read_bytes(), TraceDocument, most=_MOST_BYTES), address)
    except OSError as error:
        raise UseError(f"the trace {address} cannot be read ({error.strerror}).") from error
    except UntrustedError as error:
        raise UseError(f"{address} is no trace ({error.code}: {one_line(str(error))})") from error


def _question(request: Request) -> tuple[str, str]:
    return request.operation, text_of(request.payload)


def _distance(request: Request, recorded: Exchange) -> tuple[int, float]:
    """How many places differ, then how unlike the texts are."""
    places = sum(1 for _ in differences(request.payload, recorded.request.payload))
    texts = text_of(request.payload)[:2000], text_of(recorded.request.payload)[:2000]
    return places, -difflib.SequenceMatcher(None, *texts, autojunk=False).quick_ratio()


def _again(recorded: Exchange) -> Reply:
    code, _, sentence = recorded.error.partition(": ")
    if not recorded.error and recorded.reply is not None:
        return recorded.reply
    if recorded.reply is not None:
        raise AnsweredError(sentence, recorded.reply)
    try:
        raise ExchangeError(Code(code), sentence)
    except ValueError as error:  # it was interrupted, which no code says
        raise ExchangeError(Code.CANCELLED, recorded.error or "there was no answer.") from error
