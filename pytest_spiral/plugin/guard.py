"""Ending a run from outside: SIGTERM, Ctrl-C, and the watch over stalls and deadlines."""

import os
import signal
import threading
import weakref
from collections.abc import Callable, Iterable
from types import FrameType
from typing import TYPE_CHECKING, Any

import pytest

from pytest_spiral.errors import SpiralError
from pytest_spiral.evidence.forks import at_fork
from pytest_spiral.plugin.process import Process

if TYPE_CHECKING:
    from pytest_spiral.run.watch import Watch


class Guard:
    """Makes SIGTERM an interrupt that seals, and ends a run that stalls; in the controller, or where there is none.

    The signal's handler is taken only where nobody else has, and given back at the end. A forked child that gets
    the signal dies of it, as it would without us.
    """

    def __init__(self, config: pytest.Config, process: Process) -> None:
        self._config = config
        self._process = process
        self._watch: Watch | None = None
        main = threading.current_thread() is threading.main_thread()
        self._forget_forks: Callable[[], None] | None = None
        self._handles = main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        if self._handles:
            signal.signal(signal.SIGTERM, self._terminated)
            self._forget_forks = _keep_from_children(self)

    def pytest_sessionstart(self) -> None:
        """Begin to watch, where patience has an end."""
        options, opened = self._process.options, self._process.opened
        if opened is None or not (options.stall or options.deadline):
            return
        from pytest_spiral.evidence.journals import journal_sizes
        from pytest_spiral.run.clock import mono_ns
        from pytest_spiral.run.watch import Patience, Watch

        patience = Patience(options.stall, options.deadline)
        self._watch = Watch(patience, lambda: journal_sizes(opened.folder), mono_ns, self._end, self._force)
        self._watch.start()

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Note that the run is interrupted, and not by pytest itself."""
        if type(excinfo.value) is KeyboardInterrupt:
            self._process.stopped = self._process.stopped or "Ctrl-C"

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        """Give the signal back."""
        self.stop_watching()
        self.give_back()
        if self._forget_forks is not None:
            self._forget_forks()

    @property
    def handles(self) -> bool:
        """Whether SIGTERM comes here."""
        return self._handles and signal.getsignal(signal.SIGTERM) == self._terminated

    def give_back(self) -> None:
        """Let SIGTERM end the process again."""
        if self.handles:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def stop_watching(self) -> None:
        """The session is being sealed, or is over: the watch must not act any more."""
        if self._watch is not None:
            self._watch.stop()

    def _terminated(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - what a handler is given
        if self._process.stopped and not self._process.watched:
            return  # it is being sealed already: a second signal must not break the seal
        self._process.stopped = self._process.stopped or "SIGTERM"
        raise KeyboardInterrupt(self._process.stopped)

    def _end(self, why: str) -> None:
        """In the watch's thread: interrupt the main thread, also where it waits for a lock."""
        self._process.stopped = self._process.stopped or why
        self._process.watched = True
        main = threading.main_thread().ident
        if main is not None:
            signal.pthread_kill(main, signal.SIGTERM if self.handles else signal.SIGINT)

    def _force(self, why: str) -> None:
        """In the watch's thread, where the main one does not react: seal without it, and end the process."""
        if is_distributed(self._config):
            return  # the controller only waits for a queue; it is ending its workers now
        try:
            self._seal(why)
        finally:
            os._exit(1)

    def _seal(self, why: str) -> None:
        from pytest_spiral.plugin.closing import check_collected, close_and_seal
        from pytest_spiral.plugin.ending import print_forced

        capture: Any = self._config.pluginmanager.getplugin("capturemanager")
        if capture is not None:
            capture.suspend_global_capture(in_=True)  # else the reason would end in the captured output
        try:
            check_collected(self._process)
            sealed, trouble = close_and_seal(self._process, "interrupted", 1, {}), ""
        except (SpiralError, OSError) as error:
            sealed, trouble = None, str(error)
        print_forced(self._config, sealed, why, trouble)


def _keep_from_children(guard: Guard) -> Callable[[], None]:
    """Have a forked child die of SIGTERM. The signal is held back over the fork, where Python would lose it.

    Gives what ends it.
    """
    known = weakref.ref(guard)
    masks: list[Iterable[int]] = []

    def hold() -> None:
        held = known()
        if held is not None and held.handles:
            masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM}))

    def let_go() -> None:
        if masks:
            signal.pthread_sigmask(signal.SIG_SETMASK, masks.pop())

    def be_a_child() -> None:
        held = known()
        if held is not None:
            held.give_back()
        let_go()

    return at_fork(before=hold, after_in_parent=let_go, after_in_child=be_a_child)


def is_distributed(config: pytest.Config) -> bool:
    """Whether this process hands its tests to xdist's workers."""
    return config.pluginmanager.has_plugin("dsession")
