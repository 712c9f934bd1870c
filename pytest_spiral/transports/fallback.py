"""gRPC first, and where it fails a real call over REST: never twice what may be done once only."""

import threading
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from pytest_spiral.errors import ExchangeError
from pytest_spiral.model.exchange import Code, Engaged, Reply, Request
from pytest_spiral.transports.base import REQUEST_ID, AnsweredError, Transport, prepared
from pytest_spiral.transports.repeat import IDEMPOTENCY_KEY, KEYED, repeatable

MARK: Final = ("abzu-fallback", "rest")
"""Metadata of the REST call, and of the reply that it gave (`docs/transports.md`, Fallback)."""

FAILURES: Final = frozenset({Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.INTERNAL, Code.CANCELLED})
"""How gRPC fails as a way to travel; a stream that is reset ends as one of these. Every other code is an answer."""

SHARE: Final = 0.5
"""The part of a call's deadline that gRPC has, so that REST has some of it left."""


class Fallback(Transport):
    """Calls over gRPC; where that fails, over REST, within one deadline.

    A command gets an idempotency key before its first call, the same one for both, so that the server does it once
    however gRPC failed. A call that the server cannot know again (`repeatable` says which) does not fall back: its
    error is raised. `tell` hears of every fallback when REST is about to be called, `engaged` counts them by operation;
    both are client-side twins of the span event `fallback-engaged` and of `operator_api_transport_fallback_total`.
    Closing it closes both transports.
    """

    def __init__(
        self, grpc: Transport, rest: Transport, clock_ns: Callable[[], int], tell: Callable[[Engaged], None]
    ) -> None:
        self.name = "fallback"
        self.address = f"{grpc.address}, else {rest.address}"
        self.engaged: Counter[str] = Counter()
        self._grpc = grpc
        self._rest = rest
        self._clock_ns = clock_ns
        self._tell = tell
        self._lock = threading.Lock()
        self._closed = False

    def exchange(self, request: Request) -> Reply:
        """GRPC's reply, or REST's, whose metadata then says so; raises ExchangeError and nothing else.

        Where both fail, the error is REST's, with gRPC's as its cause.
        """
        sent = _keyed(prepared(request))
        began = self._clock_ns()
        first = sent.deadline_s * SHARE if repeatable(sent) else sent.deadline_s
        try:
            return self._grpc.exchange(_own(sent, "grpc", first))
        except ExchangeError as error:
            left = sent.deadline_s - (self._clock_ns() - began) / 1e9
            if self._closed or error.code not in FAILURES or not repeatable(sent) or left <= 0:
                raise
            return self._fall_back(sent, left, error)

    def close(self) -> None:
        """Close both transports."""
        self._closed = True
        self._grpc.close()
        self._rest.close()

    def _fall_back(self, sent: Request, left: float, error: ExchangeError) -> Reply:
        own = sent.metadata[REQUEST_ID]
        with self._lock:
            self.engaged[sent.operation] += 1
        self._tell(
            Engaged(
                at_ns=self._clock_ns(),
                operation=sent.operation,
                request=own,
                code=Code(error.code),
                reason=str(error),
                answered=isinstance(error, AnsweredError),
            )
        )
        second_call = _own(sent, "rest", left)
        marked = replace(second_call, metadata={**second_call.metadata, MARK[0]: MARK[1]})
        try:
            reply = self._rest.exchange(marked)
        except AnsweredError as second:
            raise AnsweredError(str(second), _marked(second.reply)) from error
        except ExchangeError as second:
            raise second from error
        return _marked(reply)


def _own(request: Request, way: str, left: float) -> Request:
    """The request as one way takes it: an exchange of its own has an id of its own, and shows whose part it is."""
    metadata = {**request.metadata, REQUEST_ID: f"{request.metadata[REQUEST_ID]}-{way}"}
    return replace(request, metadata=metadata, deadline_s=left)


def _keyed(request: Request) -> Request:
    """A command with an idempotency key; one that has one keeps it."""
    if request.operation not in KEYED or IDEMPOTENCY_KEY in request.metadata:
        return request
    return replace(request, metadata={**request.metadata, IDEMPOTENCY_KEY: uuid.uuid4().hex})


def _marked(reply: Reply) -> Reply:
    return replace(reply, metadata={**reply.metadata, MARK[0]: MARK[1]})
