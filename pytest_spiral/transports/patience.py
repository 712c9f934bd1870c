"""Waiting for a call, and no longer than its deadline: the call runs on a thread of ours, and the caller can leave it.

A time limit on a socket counts anew with every byte that arrives. Only somebody who waits outside of the call bounds
it as a whole.
"""

import threading
from collections.abc import Callable
from contextvars import Context, copy_context
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from pytest_spiral.errors import ExchangeError
from pytest_spiral.model.exchange import Code
from pytest_spiral.transports.base import LONGEST_S

T = TypeVar("T")


def pause(seconds: float) -> None:
    """Wait, and leave the other threads to their work."""
    threading.Event().wait(seconds)


class Job(Generic[T]):
    """One call on its way through a worker, and the news of it for the thread that waits."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self._context: Context = copy_context()
        self._result: T
        self._error: BaseException | None = None
        self._news: SimpleQueue[Code] = SimpleQueue()

    def run(self) -> None:
        """Make the call in the caller's context and keep what came of it."""
        try:
            self._result = self._context.run(self._call)
        except BaseException as error:  # noqa: BLE001 - it is raised again, in the thread that waits
            self._error = error

    def tell(self, news: Code) -> None:
        """Wake the thread that waits: OK where there is an outcome, CANCELLED where it should wait no longer."""
        self._news.put(news)

    def wait(self, seconds: float) -> Code:
        """The first news, or DEADLINE_EXCEEDED where none came in time."""
        try:
            return self._news.get(timeout=seconds)
        except Empty:
            return Code.DEADLINE_EXCEEDED

    def outcome(self) -> T:
        """What the call returned; raises what it raised."""
        if self._error is not None:
            try:
                raise self._error
            finally:
                self._error = None  # the error refers to this frame: no cycle is left behind
        return self._result


class Worker:
    """A thread that makes one call after another. It ends with the process if it is left in a call."""

    def __init__(self, name: str, rest: Callable[["Worker"], bool]) -> None:
        self._inbox: SimpleQueue[Job[Any] | None] = SimpleQueue()
        self._rest = rest
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def take(self, job: Job[Any]) -> None:
        """Make this call next."""
        self._inbox.put(job)

    def dismiss(self) -> None:
        """End a worker that is at rest."""
        self._inbox.put(None)
        self._thread.join()

    def _work(self) -> None:
        resting = True
        while resting and (job := self._inbox.get()) is not None:
            job.run()
            # At rest before the caller knows: its next call finds this worker, and the connection that it keeps.
            resting = self._rest(self)
            job.tell(Code.OK)
            del job


class Patience:
    """Runs calls with a deadline each, on as many threads as there are calls at once."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._resting: list[Worker] = []
        self._awaited: set[Job[Any]] = set()
        self._closed = False

    def run(self, call: Callable[[], T], seconds: float, leave: Callable[[], None]) -> T:
        """What the call returns or raises, if that takes no longer than `seconds`.

        Otherwise ExchangeError is raised, DEADLINE_EXCEEDED or (after `close`) CANCELLED, and `leave` is called: it
        makes the call end soon, if it can. It is called as well where the wait itself is interrupted.
        """
        job = Job(call)
        self._hand_out(job)
        try:
            news = job.wait(min(seconds, LONGEST_S))
        except BaseException:
            leave()
            raise
        finally:
            with self._lock:
                self._awaited.discard(job)
        if news is Code.OK:
            return job.outcome()
        leave()
        raise ExchangeError(news, f"{self._name} {self._left(news, seconds)}.")

    @staticmethod
    def _left(news: Code, seconds: float) -> str:
        late = f"gave no whole reply within {seconds:g} s"
        return late if news is Code.DEADLINE_EXCEEDED else "was closed during this call"

    def _hand_out(self, job: Job[Any]) -> None:
        with self._lock:
            if self._closed:
                raise ExchangeError(Code.CANCELLED, f"{self._name} was closed before this call.")
            self._awaited.add(job)
            worker = self._resting.pop() if self._resting else Worker(self._name, self._rest)
        worker.take(job)

    def _rest(self, worker: Worker) -> bool:
        with self._lock:
            if not self._closed:
                self._resting.append(worker)
            return not self._closed

    def close(self) -> None:
        """Take no more calls, end all waits as CANCELLED; a thread ends when its call has ended."""
        with self._lock:
            self._closed = True
            resting, self._resting = self._resting, []
            for job in self._awaited:
                job.tell(Code.CANCELLED)
        for worker in resting:
            worker.dismiss()
