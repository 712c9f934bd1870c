"""The hooks of a session that has gates, each a few lines that hand over to a module of this package.

They are registered once the session is set up, so that a session without gates pays for none of them.
"""

from collections.abc import Generator
from typing import Any

import pytest

from pytest_spiral.plugin.collection import claim, note_collection, take_inventory
from pytest_spiral.plugin.ending import end_session, print_summary
from pytest_spiral.plugin.keys import PROCESS
from pytest_spiral.plugin.running import keep_from_running, note_phase, record_test
from pytest_spiral.plugin.workers import invite, note_collected, note_crashed_test, part, scheduler


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None, Any, Any]:
    """Find out what every item claims before any is deselected; write the inventory after."""
    collected = claim(config, items)
    result = yield
    take_inventory(config, collected, items)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Note what could not be collected."""
    report = yield
    note_collection(collector, report)
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Keep an item from running where it cannot prove anything here."""
    keep_from_running(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note what ended each phase, and give kept-back items an outcome of their own."""
    report = yield
    note_phase(item, call, report)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    """Write the test's record when all its phases are over."""
    result = yield
    record_test(item, nextitem)
    return result


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
    """Show environment-limited, hardware-required and blocked as outcomes of their own."""
    outcome = getattr(report, "spiral_outcome", None)
    if outcome is None:
        return None
    letter = {"environment-limited": "l", "hardware-required": "h", "blocked": "b"}[outcome]
    return outcome, letter, (outcome.upper(), {"yellow": True})


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell an xdist worker where the bundle is."""
    invite(node)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Take over where a worker's journal ended, or that it died."""
    part(node, error)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: Any) -> None:
    """Register what the workers have collected, before any of them runs a test."""
    note_collected(node)


@pytest.hookimpl(optionalhook=True)
def pytest_handlecrashitem(crashitem: str, sched: Any) -> None:
    """Take over which test a dead worker was running."""
    note_crashed_test(sched.config, crashitem)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep each module, and so each gate, on one worker."""
    return scheduler(config, log)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Stop the target; in the controller judge and seal, and let the decision set the exit status."""
    end_session(session)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what the run means."""
    print_summary(terminalreporter, config)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the target where the session never came to its end."""
    process = config.stash.get(PROCESS, None)
    if process is not None:
        process.close_rig()
