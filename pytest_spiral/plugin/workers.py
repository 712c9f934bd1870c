"""pytest-xdist: inviting workers into the bundle, and noting how each parted."""

from typing import Any

import pytest

from pytest_spiral.model.record import Crash, JournalHead
from pytest_spiral.plugin.keys import PROCESS
from pytest_spiral.plugin.session import WORKER_INPUT, WORKER_OUTPUT

HEADS: "pytest.StashKey[dict[str, JournalHead]]" = pytest.StashKey()
PROBLEMS: "pytest.StashKey[str]" = pytest.StashKey()


def invite(node: Any) -> None:
    """Give a worker the bundle's folder."""
    process = node.config.stash.get(PROCESS, None)
    if process is not None and process.opened is not None:
        node.workerinput[WORKER_INPUT] = str(process.opened.folder)


def part(node: Any, error: object) -> None:
    """Keep the worker's journal head; where it died, say so in the main journal."""
    config = node.config
    process = config.stash.get(PROCESS, None)
    output = getattr(node, "workeroutput", {})
    if output.get("spiral_problems"):
        config.stash[PROBLEMS] = output["spiral_problems"]
    if process is None or process.writer is None:
        return
    name = str(node.gateway.id)
    heads = config.stash.setdefault(HEADS, {})
    if WORKER_OUTPUT in output:
        import msgspec

        heads[name] = msgspec.convert(output[WORKER_OUTPUT], JournalHead)
        return
    running = _running(process.opened.folder, name)
    process.writer.append(
        Crash(process=name, test=running, why=str(error or "the worker did not come to its end")[:500])
    )


def _running(folder: Any, name: str) -> str:
    """What a dead worker was running: the `next` of its last test record."""
    from pytest_spiral.evidence.read import last_next

    return last_next(folder / "journal" / f"{name}.jsonl")


def scheduler(config: pytest.Config, log: Any) -> Any:
    """Xdist's load-file scheduling where gates are judged and the user chose no other."""
    process = config.stash.get(PROCESS, None)
    if process is None or not process.book.files or config.getoption("dist") != "load":
        return None
    from xdist.scheduler import LoadFileScheduling

    return LoadFileScheduling(config, log)
