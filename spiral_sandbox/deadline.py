"""A deadline for the whole of a call that blocks; a library's own is for each wait for bytes, and bytes may come one by one."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

_Result = TypeVar("_Result")


def within(seconds: float, work: Callable[[], _Result]) -> _Result:
    """What the work gives, or raises; TimeoutError where it takes longer than so many seconds.

    It is done on a thread of its own. After the deadline that is left to itself: it ends with its work, or the process.
    """
    outcome: Future[_Result] = Future()

    def do() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:  # noqa: BLE001  whatever it is, it is the caller's
            outcome.set_exception(error)

    threading.Thread(target=do, name="within", daemon=True).start()
    try:
        return outcome.result(seconds)
    except TimeoutError as error:
        if outcome.done():
            raise  # the work's own
        raise TimeoutError(f"not done within {seconds:g} s") from error
