"""In-process: the system under test is a function of this process."""

from collections.abc import Callable

from pytest_spiral.errors import ExchangeError
from pytest_spiral.model.exchange import Code, Reply, Request
from pytest_spiral.transports.base import AnsweredError, Transport, prepared
from pytest_spiral.transports.patience import Patience


class MemoryTransport(Transport):
    """Hands each request to `handler`, on a thread of its own so that the deadline holds.

    A handler that is still busy at the deadline goes on, and what it returns is dropped. A reply with another code
    than OK becomes an AnsweredError, as on any transport; an exception that is no ExchangeError becomes INTERNAL.
    """

    def __init__(self, handler: Callable[[Request], Reply]) -> None:
        self.name = "memory"
        self.address = "in-process"
        self._handler = handler
        self._patience = Patience("the handler in this process")

    def exchange(self, request: Request) -> Reply:
        """The handler's reply; raises ExchangeError and nothing else."""
        sent = prepared(request)
        reply = self._patience.run(lambda: self._handle(sent), sent.deadline_s, leave=lambda: None)
        if reply.code is not Code.OK:
            raise AnsweredError(f"the handler in this process answered {sent.operation} with {reply.code}.", reply)
        return reply

    def _handle(self, request: Request) -> Reply:
        try:
            reply: object = self._handler(request)
        except ExchangeError:
            raise
        except BaseException as error:
            # BaseException too: a handler that fails a test or leaves the process must not end a thread unseen.
            raise ExchangeError(
                Code.INTERNAL, f"the handler of {request.operation} raised {type(error).__name__}: {error}"
            ) from error
        if not isinstance(reply, Reply):
            raise ExchangeError(
                Code.MALFORMED_REPLY, f"the handler of {request.operation} returned {type(reply).__name__}, no Reply."
            )
        return reply

    def close(self) -> None:
        """End all waits; the handler itself is the caller's."""
        self._patience.close()
