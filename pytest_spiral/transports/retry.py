"""Calling again where nobody answered, by tenacity; only what may be made twice. Every try is an exchange of its own."""

import contextlib
from collections.abc import Callable

import tenacity
from msgspec.structs import replace

from pytest_spiral.errors import ExchangeError
from pytest_spiral.model.exchange import Code, Exchange, Reply, Request
from pytest_spiral.transports.base import REQUEST_ID, AnsweredError, request_id
from pytest_spiral.transports.patience import pause
from pytest_spiral.transports.repeat import repeatable
from pytest_spiral.transports.wrap import Recording, Wrapper

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0
_LEAST_S = 0.001


class Retrying(Wrapper):
    """Tries a call `retries` times more where no answer came and it is repeatable; each try has a request id of its own.

    A pause of 0.1 s doubles up to 2 s, and no try begins after the request's deadline. What the other side
    answered stands, whatever it is; so does every call that might be done twice.
    """

    def __init__(self, inner: Recording, retries: int, clock_ns: Callable[[], int]) -> None:
        super().__init__(inner)
        self._recording = inner
        self._retries = retries
        self._clock_ns = clock_ns

    def exchange(self, request: Request) -> Reply:
        """The first reply that comes; raises the last error."""
        return self._tried(request, self._recording.exchange)

    def traced(self, request: Request) -> Exchange:
        """The last try as it is recorded; the ones before it are in the trace too."""
        tried: list[Exchange] = []
        with contextlib.suppress(ExchangeError):  # it stands in the exchange
            self._tried(request, lambda again: self._recording.record(again, tried))
        return tried[-1]

    def _tried(self, request: Request, call: Callable[[Request], Reply]) -> Reply:
        own, began = request_id(request), self._clock_ns()
        tries = 1 + (self._retries if repeatable(request) else 0)
        for attempt in tenacity.Retrying(
            stop=tenacity.stop_after_attempt(tries) | tenacity.stop_before_delay(request.deadline_s),
            wait=tenacity.wait_exponential(multiplier=_FIRST_PAUSE_S, max=_LONGEST_PAUSE_S),
            retry=tenacity.retry_if_exception(_nobody_answered),
            sleep=pause,
            reraise=True,
        ):
            with attempt:
                number = attempt.retry_state.attempt_number
                left = max(request.deadline_s - (self._clock_ns() - began) / 1e9, _LEAST_S)
                return call(_own(request, own if number == 1 else f"{own}-{number}", left))
        raise AssertionError("unreachable: the last try returns or raises")


def _own(request: Request, own: str, left: float) -> Request:
    others = {key: value for key, value in request.metadata.items() if key.lower() != REQUEST_ID}
    return replace(request, metadata={**others, REQUEST_ID: own}, deadline_s=left)


def _nobody_answered(error: BaseException) -> bool:
    unavailable = isinstance(error, ExchangeError) and error.code == Code.UNAVAILABLE
    return unavailable and not isinstance(error, AnsweredError)
