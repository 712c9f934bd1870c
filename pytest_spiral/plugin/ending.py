"""The end of a session: judged, sealed, printed, and the exit status that follows."""

from typing import TYPE_CHECKING

import pytest

from pytest_spiral.errors import SpiralError
from pytest_spiral.plugin.closing import finish
from pytest_spiral.plugin.keys import PROCESS
from pytest_spiral.plugin.options import wants_annotations
from pytest_spiral.plugin.process import Process
from pytest_spiral.plugin.session import WORKER_TROUBLE, is_worker
from pytest_spiral.plugin.workers import HEADS, PROBLEMS

if TYPE_CHECKING:
    from pytest_spiral.run.gate_run import Sealed

SEALED: "pytest.StashKey[Sealed]" = pytest.StashKey()
BROKEN: "pytest.StashKey[str]" = pytest.StashKey()
_KEPT_STATUS = (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.USAGE_ERROR)


def end_session(session: pytest.Session) -> None:
    """Judge and seal; the exit status is pytest's own, or 1 where the decision is below what is required.

    Under `spiral record` it is pytest's own: the launcher judges what it seals, and has the last word.
    """
    config = session.config
    process = config.stash[PROCESS]
    guard = config.pluginmanager.getplugin("spiral-guard")
    if guard is not None:
        guard.stop_watching()
    if PROBLEMS in config.stash:
        session.exitstatus = pytest.ExitCode.USAGE_ERROR
    if session.exitstatus == pytest.ExitCode.USAGE_ERROR:  # nothing has run, so nothing is judged
        process.close_rig()
        process.abandon()
        return
    try:
        sealed = finish(session, config.stash.get(HEADS, {}))
    except (SpiralError, OSError) as error:
        process.abandon()
        _break_off(session, str(error))
        return
    if sealed is None:
        return
    config.stash[SEALED] = sealed
    config.hook.pytest_spiral_judged(config=config, judgement=sealed.judgement, bundle=sealed.folder)
    if process.watched:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    if session.exitstatus in _KEPT_STATUS:
        return
    from pytest_spiral.rules.enough import enough

    # Under `spiral record` the decision is the launcher's: it has the earlier attempts too, which are not judged here.
    enough_here = sealed.place is not None or enough(sealed.judgement, process.options.require)
    nothing_ran = session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED
    if not enough_here or (nothing_ran and sealed.judgement.partial):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    elif nothing_ran:  # a gate of nothing but documents that people examine needs no test
        session.exitstatus = pytest.ExitCode.OK


def _break_off(session: pytest.Session, why: str) -> None:
    """Nothing was sealed. A worker leaves it to the controller to say so."""
    if is_worker(session.config):
        session.config.workeroutput[WORKER_TROUBLE] = why  # type: ignore[attr-defined]
        return
    session.config.stash[BROKEN] = why
    if session.exitstatus not in _KEPT_STATUS:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def print_summary(reporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the spiral summary, or why tests were kept back where nothing is judged."""
    if is_worker(config):
        return
    if PROBLEMS in config.stash:
        _print_trouble(reporter, "spiral: usage error", config.stash[PROBLEMS])
    if BROKEN in config.stash:
        _print_trouble(reporter, "spiral: no evidence", config.stash[BROKEN])
    process = config.stash.get(PROCESS, None)
    if process is not None and process.stopped:
        _print_stopped(reporter, process)
    if SEALED in config.stash:
        _print_sealed(reporter, config, config.stash[SEALED])
        return
    _print_kept_back(reporter)


def _print_trouble(reporter: pytest.TerminalReporter, what: str, why: str) -> None:
    from pytest_spiral.render.ci import render_trouble
    from pytest_spiral.render.escape import terminal

    reporter.write_sep("=", what, red=True)
    for line in why.split("\n"):
        reporter.write_line(terminal(line))
    if wants_annotations():
        reporter.write_line(render_trouble(what, why))


def print_forced(config: pytest.Config, sealed: "Sealed | None", why: str, trouble: str) -> None:
    """Say that the run was ended from the watch's thread; without pytest's own ending, this is all that is said."""
    reporter: pytest.TerminalReporter | None = config.pluginmanager.getplugin("terminalreporter")
    if reporter is None:
        return
    reporter.ensure_newline()
    _print_stopped(reporter, config.stash[PROCESS])
    reporter.write_line(f"pytest did not end within the time it was given ({why}), so it was ended without it.")
    if trouble:
        reporter.write_line(trouble)
    if sealed is not None:
        _print_sealed(reporter, config, sealed)
    reporter._tw.flush()  # noqa: SLF001 - as in _print_sealed; nothing flushes it after this


def _print_stopped(reporter: pytest.TerminalReporter, process: Process) -> None:
    from pytest_spiral.render.escape import terminal

    reporter.write_sep("=", "spiral: stopped", red=True)
    reporter.write_line(f"{process.stopped}; what was recorded until then is judged")
    for test in process.running:
        reporter.write_line(f"running then: {terminal(test)}")


def _print_sealed(reporter: pytest.TerminalReporter, config: pytest.Config, sealed: "Sealed") -> None:
    from pytest_spiral.render.ci import render_annotations
    from pytest_spiral.render.quarantine import render_quarantined
    from pytest_spiral.render.terminal import render_summary

    folder = sealed.place or sealed.folder
    shown = (
        folder.relative_to(config.invocation_params.dir)
        if folder.is_relative_to(config.invocation_params.dir)
        else folder
    )
    writer = reporter._tw  # noqa: SLF001 - pytest offers no other way to its width
    for line in render_summary(
        sealed.judgement,
        sealed.evidence.plan,
        sealed.evidence.bundle.gates,
        sealed.evidence.bundle,
        str(shown),
        sealed.word,
        writer.fullwidth,
        colour=True,
    ):
        for span in line:
            markup = dict.fromkeys(span.style.split(), True)
            writer.write(span.text, **markup)
        writer.line()
    for notice in render_quarantined(sealed.evidence.attached):
        writer.line(notice)
    if wants_annotations():
        for annotation in render_annotations(sealed.judgement, sealed.evidence.bundle.gates):
            writer.line(annotation)


def _print_kept_back(reporter: pytest.TerminalReporter) -> None:
    from pytest_spiral.render.escape import terminal

    for outcome in ("environment-limited", "hardware-required", "blocked"):
        reports = reporter.getreports(outcome)
        if reports:
            reporter.write_sep("=", outcome, yellow=True)
        for report in reports:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            reporter.write_line(terminal(f"{report.nodeid}: {reason.removeprefix('Skipped: ')}"))
