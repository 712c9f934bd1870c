"""pytest-xdist: inviting workers into the bundle, and noting how each parted."""

from typing import TYPE_CHECKING, Any

import pytest

from pytest_spiral.evidence.read import last_next
from pytest_spiral.model.record import Crash, JournalHead
from pytest_spiral.plugin.keys import PROCESS
from pytest_spiral.plugin.outcomes import show_outcomes
from pytest_spiral.plugin.process import Process
from pytest_spiral.plugin.session import WORKER_INPUT, WORKER_OUTPUT, WORKER_PROBLEMS, WORKER_TROUBLE
from pytest_spiral.rules.launched import LAUNCHER
from pytest_spiral.rules.paths import journal_file

if TYPE_CHECKING:
    from pytest_spiral.run.writer import Writer

HEADS: "pytest.StashKey[dict[str, JournalHead]]" = pytest.StashKey()
PROBLEMS: "pytest.StashKey[str]" = pytest.StashKey()
_LAST_DEAD: "pytest.StashKey[tuple[str, str]]" = pytest.StashKey()


def attend(config: pytest.Config) -> None:
    """Count in the controller what workers run, and show their outcomes; a process that runs tests does so itself."""
    config.pluginmanager.register(Tally(config.stash[PROCESS]), "spiral-tally")
    show_outcomes(config)


class Tally:
    """Counts the tests that have come to their end in workers, and knows those that run there."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """A test begins."""
        self._process.running[nodeid] = None

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """One more test is over."""
        self._process.running.pop(nodeid, None)
        self._process.ended += 1


def invite(node: Any) -> None:
    """Give a worker the bundle's folder."""
    process = node.config.stash.get(PROCESS, None)
    if process is not None and process.opened is not None:
        node.workerinput[WORKER_INPUT] = str(process.opened.folder)
        if process.opened.channel is not None:
            node.workerinput[LAUNCHER] = process.opened.channel.path


def note_collected(node: Any) -> None:
    """Tell the ledger what was collected; where it refuses, the run goes on and is not sealed."""
    process = node.config.stash.get(PROCESS, None)
    if process is None or process.writer is None:
        return
    from pytest_spiral.errors import EvidenceError
    from pytest_spiral.plugin.collection import register_collection

    try:
        register_collection(process)
    except EvidenceError as error:
        process.trouble = process.trouble or str(error)


def part(node: Any, error: object) -> None:
    """Keep the worker's journal head; where it died, say so in the main journal."""
    config = node.config
    process = config.stash[PROCESS]
    output = getattr(node, "workeroutput", {})
    if output.get(WORKER_PROBLEMS):
        config.stash[PROBLEMS] = output[WORKER_PROBLEMS]
    if process.writer is None:
        return
    process.trouble = process.trouble or output.get(WORKER_TROUBLE, "")
    name = str(node.gateway.id)
    heads = config.stash.setdefault(HEADS, {})
    if WORKER_OUTPUT in output:
        import msgspec

        heads[name] = msgspec.convert(output[WORKER_OUTPUT], JournalHead)
    elif not process.trouble:
        _note_death(config, process.writer, name, str(error or "the worker did not come to its end")[:500])


def _note_death(config: pytest.Config, writer: "Writer", name: str, why: str) -> None:
    running = last_next(writer.folder / journal_file(name))
    config.stash[_LAST_DEAD] = (name, running)
    writer.append(Crash(process=name, test=running, why=why))


def note_crashed_test(config: pytest.Config, test: str) -> None:
    """Xdist says which test the worker that has just died was running; its journal knows that from the second on."""
    process = config.stash[PROCESS]
    name, running = config.stash.get(_LAST_DEAD, ("", ""))
    process.ended += 1
    process.running.pop(test, None)
    if process.writer is not None and name and running != test:
        process.writer.append(Crash(process=name, test=test, why="the worker died while it ran this test"))


def scheduler(config: pytest.Config, log: Any) -> Any:
    """Each module, and so each gate, on one worker, where gates are judged and the user chose nothing else."""
    process = config.stash.get(PROCESS, None)
    if process is None or not process.book.files or config.getoption("dist") not in ("load", "loadfile"):
        return None
    from pytest_spiral.plugin.scheduling import GateScheduling

    return GateScheduling(config, log)
