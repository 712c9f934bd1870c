"""The hooks of a session that has gates, each a few lines that hand over to a module of this package.

They are registered once the session is set up, so that a session without gates pays for none of them.
"""

from collections.abc import Generator
from typing import Any

import pytest

from pytest_spiral.plugin.collection import claim, note_collection, take_inventory
from pytest_spiral.plugin.ending import end_session, print_summary
from pytest_spiral.plugin.keys import PROCESS
from pytest_spiral.plugin.workers import attend, invite, note_collected, note_crashed_test, part, scheduler


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


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config) -> None:
    """Get ready for what workers say of their tests."""
    attend(config)


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
