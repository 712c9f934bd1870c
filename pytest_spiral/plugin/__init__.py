"""The pytest plugin: every hook that pytest calls, each a few lines that hand over to a module of this package.

Nothing heavy is imported here: with no gates file and no `--spiral-evidence` the plugin adds options, registers
markers, and does nothing else.
"""

from collections.abc import Generator
from typing import Any

import pytest

from pytest_spiral.plugin.fixtures import grpc_transport, hardware_profile, rest_transport, spiral, transport
from pytest_spiral.plugin.keys import PROCESS
from pytest_spiral.plugin.markers import register_markers
from pytest_spiral.plugin.options import add_options, is_wanted

__all__ = ["grpc_transport", "hardware_profile", "rest_transport", "spiral", "transport"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option group and the ini keys."""
    add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Add the hooks that other plugins and conftest files may implement."""
    from pytest_spiral.plugin import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Read gates and options; open the run before anything of the tests can act."""
    if not is_wanted(config):
        register_markers(config)
        return
    from pytest_spiral.errors import SpiralError
    from pytest_spiral.plugin.session import set_up

    try:
        set_up(config)
    except SpiralError as error:
        raise pytest.UsageError(str(error)) from error


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None, Any, Any]:
    """Find out what every item claims before any is deselected; write the inventory after."""
    if PROCESS not in config.stash:
        return (yield)
    from pytest_spiral.plugin.collection import claim, take_inventory

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
    if PROCESS in collector.config.stash:
        from pytest_spiral.plugin.collection import note_collection

        note_collection(collector, report)
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Keep an item from running where it cannot prove anything here."""
    if PROCESS in item.config.stash:
        from pytest_spiral.plugin.running import keep_from_running

        keep_from_running(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note what ended each phase, and give kept-back items an outcome of their own."""
    report = yield
    if PROCESS in item.config.stash:
        from pytest_spiral.plugin.running import note_phase

        note_phase(item, call, report)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    """Write the test's record when all its phases are over."""
    result = yield
    if PROCESS in item.config.stash:
        from pytest_spiral.plugin.running import record_test

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
    if PROCESS in node.config.stash:
        from pytest_spiral.plugin.workers import invite

        invite(node)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Take over where a worker's journal ended, or that it died."""
    if PROCESS in node.config.stash:
        from pytest_spiral.plugin.workers import part

        part(node, error)


@pytest.hookimpl(optionalhook=True)
def pytest_handlecrashitem(crashitem: str, sched: Any) -> None:
    """Take over which test a dead worker was running."""
    if PROCESS in sched.config.stash:
        from pytest_spiral.plugin.workers import note_crashed_test

        note_crashed_test(sched.config, crashitem)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep each module, and so each gate, on one worker."""
    if PROCESS not in config.stash:
        return None
    from pytest_spiral.plugin.workers import scheduler

    return scheduler(config, log)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Stop the target; in the controller judge and seal, and let the decision set the exit status."""
    if PROCESS in session.config.stash:
        from pytest_spiral.plugin.ending import end_session

        end_session(session)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what the run means."""
    if PROCESS in config.stash:
        from pytest_spiral.plugin.ending import print_summary

        print_summary(terminalreporter, config)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the target where the session never came to its end."""
    process = config.stash.get(PROCESS, None)
    if process is not None:
        process.close_rig()
