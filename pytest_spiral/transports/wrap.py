"""Transports that hold another one and add one thing. None drops what the other returns or replaces what it raises."""

import contextlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

from msgspec.structs import replace

from pytest_spiral.errors import ExchangeError
from pytest_spiral.model.exchange import Code, Exchange, Reply, Request
from pytest_spiral.rules.redact import REPLACEMENT, SHORTEST_SECRET, Redactor
from pytest_spiral.transports.base import REQUEST_ID, AnsweredError, Transport, request_id

SECRET_METADATA = frozenset({"authorization", "cookie", "proxy-authorization", "set-cookie"})
"""Metadata that is never recorded, whatever it holds."""

Redact = Callable[[str], str]
V = TypeVar("V", Request, Reply)


class Wrapper(Transport):
    """Reaches what the inner transport reaches, and closes it."""

    def __init__(self, inner: Transport) -> None:
        self.name = inner.name
        self.address = inner.address
        self._inner = inner

    def exchange(self, request: Request) -> Reply:
        """The inner transport's exchange."""
        return self._inner.exchange(request)

    def close(self) -> None:
        """Close the inner transport."""
        self._inner.close()


class Recording(Wrapper):
    """Makes an Exchange of every call, failed ones too, and hands it to `sink`.

    The exchange's id is the request id that is sent; its times come from `clock_ns` (monotonic nanoseconds), read
    before and after the inner call. Secrets are replaced by `***`: the metadata in SECRET_METADATA, every value that
    `redact` knows, and the credential of this very call wherever it comes back. An ExchangeError goes on as it is,
    with the exchange attached (unless an inner wrapper has attached one). `sink` may be called by several threads; an
    error of its own is not held back, since evidence that is lost must be noticed.
    """

    def __init__(
        self, inner: Transport, sink: Callable[[Exchange], None], clock_ns: Callable[[], int], redact: Redact
    ) -> None:
        super().__init__(inner)
        self._sink = sink
        self._clock_ns = clock_ns
        self._redact = redact

    def exchange(self, request: Request) -> Reply:
        """The inner transport's exchange, recorded."""
        return self.record(request, [])

    def record(self, request: Request, taken: list[Exchange]) -> Reply:
        """The inner transport's exchange, recorded at the end of `taken` and then in the sink."""
        own = request_id(request)
        others = {key: value for key, value in request.metadata.items() if key.lower() != REQUEST_ID}
        sent = replace(request, metadata={**others, REQUEST_ID: own})
        sent_ns = self._clock_ns()
        try:
            reply = self._inner.exchange(sent)
        except ExchangeError as error:
            taken.append(self._taken(sent, sent_ns, _answer(error), f"{error.code}: {error}"))
            error.exchange = error.exchange or taken[-1]
            self._sink(taken[-1])
            raise
        except BaseException as error:
            self._sink(self._taken(sent, sent_ns, None, f"interrupted: {type(error).__name__}"))
            raise
        taken.append(self._taken(sent, sent_ns, reply, ""))
        self._sink(taken[-1])
        return reply

    def traced(self, request: Request) -> Exchange:
        """Send a request and give the exchange as it is recorded; a call that fails is an exchange too, and no error."""
        taken: list[Exchange] = []
        with contextlib.suppress(ExchangeError):  # it stands in the exchange
            self.record(request, taken)
        return taken[-1]

    def _taken(self, request: Request, sent_ns: int, reply: Reply | None, error: str) -> Exchange:
        done_ns = self._clock_ns()
        hide = _hiding(request, self._redact)
        return Exchange(
            id=hide(request.metadata[REQUEST_ID]),
            transport=self.name,
            address=hide(self.address),
            request=_clean(request, hide),
            reply=None if reply is None else _clean(reply, hide),
            sent_ns=sent_ns,
            done_ns=done_ns,
            error=hide(error),
        )


def _answer(error: ExchangeError) -> Reply | None:
    return error.reply if isinstance(error, AnsweredError) else None


def _hiding(request: Request, redact: Redact) -> Redact:
    """`redact`, and the credentials of this request: a server may say back what it was sent."""
    shown = [value for key, value in request.metadata.items() if key.lower() in SECRET_METADATA]
    words = {word for value in shown for word in (value, value.rpartition(" ")[2]) if len(word) >= SHORTEST_SECRET}
    own = _redactor(frozenset(words))
    return lambda text: redact(own.redact(text))


@lru_cache(maxsize=64)
def _redactor(words: frozenset[str]) -> Redactor:
    # One credential serves many calls, and making a redactor takes longer than a call.
    return Redactor(words)


def _clean(value: V, hide: Redact) -> V:
    metadata = {
        key: REPLACEMENT if key.lower() in SECRET_METADATA else hide(text) for key, text in value.metadata.items()
    }
    return replace(value, payload=_cleaned(value.payload, hide), metadata=metadata)


def _cleaned(value: Any, hide: Redact) -> Any:
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, dict):
        return {hide(key): _cleaned(item, hide) for key, item in value.items()}
    if isinstance(value, list | tuple) and not _NUMBERS.issuperset(map(type, value)):
        return [_cleaned(item, hide) for item in value]
    return value


# A list of these alone, such as an embedding, hides nothing, and need not be gone through number by number.
_NUMBERS = frozenset({float, int, bool, type(None)})


class Credentialed(Wrapper):
    """Sends a bearer credential with every call that has no `authorization` of its own.

    It stands inside of what records, so that the credential is in no trace.
    """

    def __init__(self, inner: Transport, token: str) -> None:
        super().__init__(inner)
        self._token = token

    def exchange(self, request: Request) -> Reply:
        """The inner transport's exchange, with the credential."""
        if any(key.lower() == "authorization" for key in request.metadata):
            return self._inner.exchange(request)
        metadata = {**request.metadata, "authorization": f"Bearer {self._token}"}
        return self._inner.exchange(replace(request, metadata=metadata))


class Watching(Wrapper):
    """Tells `lost` of every call that nobody answered, so that whoever owns the endpoint looks whether it is still there."""

    def __init__(self, inner: Transport, lost: Callable[[], None]) -> None:
        super().__init__(inner)
        self._lost = lost

    def exchange(self, request: Request) -> Reply:
        """The inner transport's exchange."""
        try:
            return self._inner.exchange(request)
        except ExchangeError as error:
            if not isinstance(error, AnsweredError) and error.code in (Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED):
                self._lost()
            raise


class Timed(Wrapper):
    """Tells `observe` of every call: operation, nanoseconds by `clock_ns`, and the code it ended with."""

    def __init__(
        self, inner: Transport, clock_ns: Callable[[], int], observe: Callable[[str, int, Code], None]
    ) -> None:
        super().__init__(inner)
        self._clock_ns = clock_ns
        self._observe = observe

    def exchange(self, request: Request) -> Reply:
        """The inner transport's exchange, timed."""
        began = self._clock_ns()
        code = Code.CANCELLED  # what is said of a call that is interrupted
        try:
            reply = self._inner.exchange(request)
            code = reply.code
        except ExchangeError as error:
            code = Code(error.code)
            raise
        finally:
            self._observe(request.operation, self._clock_ns() - began, code)
        return reply
