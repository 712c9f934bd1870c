"""Keeping what a run printed: what tests wrote to descriptors 1 and 2, and what pytest showed at the terminal.

No descriptor is moved: pytest's capturing, pdb and pytest-xdist own them. While a phase of a test is captured, both
lead to pytest's own temporary file, and its bytes are read from there before pytest takes them as text.
"""

import os
from collections.abc import Callable, Generator
from os import SEEK_CUR, lseek
from typing import TYPE_CHECKING, Any

import pytest

from pytest_spiral.errors import EvidenceError
from pytest_spiral.plugin.process import Process

if TYPE_CHECKING:
    from pytest_spiral.run.writer import Writer

_STDOUT, _STDERR = 1, 2


def keep_output(config: pytest.Config, process: Process, writer: "Writer") -> None:
    """Keep what this process prints from now on; recorded by `Writer.keep_spools`."""
    config.pluginmanager.register(Shown(config, process, writer), "spiral-shown")
    if config.getoption("capture") == "fd":
        config.pluginmanager.register(Captured(process, writer), "spiral-captured")


class Captured:
    """Keeps what descriptors 1 and 2 got while they were captured."""

    def __init__(self, process: Process, writer: "Writer") -> None:
        self._process = process
        self._spools = ((_STDOUT, writer.spool("stdout.log")), (_STDERR, writer.spool("stderr.log")))

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_make_collect_report(self) -> Generator[None, Any, Any]:
        """Keep what importing a module printed. Innermost, so that capturing still goes on when this returns."""
        try:
            return (yield)
        finally:
            try:
                if lseek(_STDOUT, 0, SEEK_CUR) or lseek(_STDERR, 0, SEEK_CUR):  # three times a test: no dearer a look
                    self._take()
            except OSError:
                pass  # closed, or no file: capturing does not go on

    pytest_runtest_setup = pytest_make_collect_report
    pytest_runtest_call = pytest_make_collect_report
    pytest_runtest_teardown = pytest_make_collect_report

    def _take(self) -> None:
        try:
            for fd, spool in self._spools:
                spool.take_from(fd)
        except EvidenceError as error:
            self._process.trouble = self._process.trouble or str(error)


class Shown:
    """Keeps what pytest shows."""

    def __init__(self, config: pytest.Config, process: Process, writer: "Writer") -> None:
        self._config = config
        self._process = process
        self._spool = writer.spool("terminal.log")
        self._tee: Tee | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Begin to listen to pytest's reporter, which xdist's workers do not have."""
        reporter: Any = self._config.pluginmanager.getplugin("terminalreporter")
        if reporter is not None:
            self._tee = Tee(reporter._tw._file, self.keep)  # noqa: SLF001 - pytest offers no other way to what it shows
            reporter._tw._file = self._tee  # noqa: SLF001

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        """Give the reporter its file back."""
        reporter: Any = self._config.pluginmanager.getplugin("terminalreporter")
        if self._tee is not None and reporter is not None and reporter._tw._file is self._tee:  # noqa: SLF001
            reporter._tw._file = self._tee.file  # noqa: SLF001
        if self._tee is not None:
            self._tee.let_go()

    def keep(self, text: str) -> None:
        """Keep what pytest shows."""
        try:
            self._spool.add(text.encode("utf-8", "backslashreplace"))
        except EvidenceError as error:
            self._process.trouble = self._process.trouble or str(error)


class Tee:
    """The reporter's file, listened to. A reader that went away (`pytest … | head`) does not end the run."""

    def __init__(self, file: Any, keep: Callable[[str], None]) -> None:
        self.file = file
        self._keep = keep
        self._gone = False

    def write(self, text: str) -> int:
        """Show a text, and keep it."""
        self._keep(text)
        if not self._gone:
            try:
                self.file.write(text)
            except BrokenPipeError:
                self._gone = True
        return len(text)

    def flush(self) -> None:
        """Show what is still held back."""
        if not self._gone:
            try:
                self.file.flush()
            except BrokenPipeError:
                self._gone = True

    def let_go(self) -> None:
        """Give up what a reader that went away never took, so that the flush at pytest's very end does not fail of it."""
        if self._gone:
            devnull = os.open(os.devnull, os.O_WRONLY)
            os.dup2(devnull, self.file.fileno())
            os.close(devnull)
            self.file.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)
