"""The end of a session: judged, sealed, printed, and the exit status that follows."""

from typing import TYPE_CHECKING

import pytest

from pytest_spiral.errors import SpiralError
from pytest_spiral.plugin.keys import PROCESS
from pytest_spiral.plugin.session import finish, is_worker
from pytest_spiral.plugin.workers import HEADS, PROBLEMS

if TYPE_CHECKING:
    from pytest_spiral.run.gate_run import Sealed

SEALED: "pytest.StashKey[Sealed]" = pytest.StashKey()
BROKEN: "pytest.StashKey[str]" = pytest.StashKey()
_KEPT_STATUS = (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.USAGE_ERROR)


def end_session(session: pytest.Session, exitstatus: int) -> None:
    """Judge and seal; the exit status is pytest's own, or 1 where the decision is below what is required."""
    config = session.config
    if PROBLEMS in config.stash:
        session.exitstatus = pytest.ExitCode.USAGE_ERROR
    try:
        sealed = finish(session, config.stash.get(HEADS, {}), exitstatus)
    except (SpiralError, OSError) as error:
        config.stash[BROKEN] = f"the evidence could not be sealed: {error}"
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        return
    if sealed is None:
        return
    config.stash[SEALED] = sealed
    config.hook.pytest_spiral_judged(config=config, judgement=sealed.judgement, bundle=sealed.folder)
    if session.exitstatus in _KEPT_STATUS:
        return
    from pytest_spiral.rules.enough import enough

    if (
        not enough(sealed.judgement, config.stash[PROCESS].options.require)
        or session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED
    ):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def print_summary(reporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the spiral summary, or why tests were kept back where nothing is judged."""
    if is_worker(config):
        return
    if PROBLEMS in config.stash:
        reporter.write_sep("=", "spiral: usage error", red=True)
        reporter.write_line(config.stash[PROBLEMS])
    if BROKEN in config.stash:
        reporter.write_sep("=", "spiral: no evidence", red=True)
        reporter.write_line(config.stash[BROKEN])
    if SEALED in config.stash:
        _print_sealed(reporter, config, config.stash[SEALED])
        return
    _print_kept_back(reporter)


def _print_sealed(reporter: pytest.TerminalReporter, config: pytest.Config, sealed: "Sealed") -> None:
    from pytest_spiral.render.terminal import render_summary
    from pytest_spiral.run.gate_run import SEALED as SEAL_WORD

    folder = sealed.folder
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
        SEAL_WORD,
        writer.fullwidth,
        colour=True,
    ):
        for span in line:
            markup = dict.fromkeys(span.style.split(), True)
            writer.write(span.text, **markup)
        writer.line()


def _print_kept_back(reporter: pytest.TerminalReporter) -> None:
    for outcome in ("environment-limited", "hardware-required", "blocked"):
        reports = reporter.getreports(outcome)
        if reports:
            reporter.write_sep("=", outcome, yellow=True)
        for report in reports:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            reporter.write_line(f"{report.nodeid}: {reason.removeprefix('Skipped: ')}")
