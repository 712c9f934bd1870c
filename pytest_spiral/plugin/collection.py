"""Claims and inventory: what was collected, before anything runs."""

from typing import TYPE_CHECKING

import pytest

from pytest_spiral.plugin.claims import claim_of
from pytest_spiral.plugin.keys import PROCESS
from pytest_spiral.plugin.process import Process

if TYPE_CHECKING:
    from pytest_spiral.model.evidence import Inventory


def claim(config: pytest.Config, items: list[pytest.Item]) -> list[pytest.Item]:
    """Find out what the items claim, drop those outside `--spiral-gates`; gives all that were collected."""
    process = config.stash.get(PROCESS, None)
    collected = list(items)
    if process is None or not process.book.files:
        return collected
    from pytest_spiral.plugin.claims import claim_all
    from pytest_spiral.plugin.session import check_collection

    problems = claim_all(items, process.book)
    if problems:
        items.clear()
        check_collection(problems, config)
        return []
    _narrow(config, process, items)
    return collected


def _narrow(config: pytest.Config, process: Process, items: list[pytest.Item]) -> None:
    gates = set(process.options.gates)
    if not gates:
        return
    kept: list[pytest.Item] = []
    dropped: list[pytest.Item] = []
    for item in items:
        (kept if any(one.gate in gates for one in claim_of(item).criteria) else dropped).append(item)
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = kept


def note_collection(collector: pytest.Collector, report: pytest.CollectReport) -> None:
    """Remember a module or a folder that could not be collected: its tests are missing from the inventory."""
    if report.failed:
        collector.config.stash[PROCESS].uncollected.append(collector.nodeid)


def take_inventory(config: pytest.Config, collected: list[pytest.Item], selected: list[pytest.Item]) -> None:
    """Write `inventory.json`, once: every process that collects would write the same."""
    process = config.stash.get(PROCESS, None)
    if process is None or process.writer is None or process.opened is None:
        return
    from pytest_spiral.errors import EvidenceError
    from pytest_spiral.plugin.session import check_collection
    from pytest_spiral.rules.paths import INVENTORY
    from pytest_spiral.run.inventory import write_inventory

    inventory = _inventory(process, collected, selected)
    bare = _without_tests(process, inventory) if process.options.release else []
    if bare:
        selected.clear()
        check_collection(bare, config)
        return
    try:
        written = write_inventory(process.opened.folder, inventory, process.writer.refuse)
        if process.opened.channel is not None:
            process.opened.channel.wrote(INVENTORY, written)
        register_collection(process)
    except EvidenceError as error:
        selected.clear()
        check_collection([str(error)], config)


def register_collection(process: Process) -> None:
    """Tell the ledger what was collected, once, in the process that has registered the run. Raises EvidenceError."""
    if process.opened is None or process.opened.logbook is None:
        return
    from pytest_spiral.errors import EvidenceError
    from pytest_spiral.rules.paths import INVENTORY

    try:
        data = (process.opened.folder / INVENTORY).read_bytes()
    except OSError as error:
        raise EvidenceError(f"the inventory cannot be read back ({error.strerror}).") from error
    process.opened.logbook.collect(data)


def _without_tests(process: Process, inventory: "Inventory") -> list[str]:
    """Gates in scope of which no selected test proves anything: a release run is about whole gates.

    A gate of nothing but documents that people examine needs none.
    """
    if process.opened is None:
        return []
    from pytest_spiral.rules.examination import needs_no_test

    scope = process.opened.start.scope
    named = bool(scope.gates or scope.stages)
    claimed = {name.partition(".")[0] for item in inventory.items if item.selected for name in item.criteria}
    testless = {gate.id for gate in process.plan.gates if needs_no_test(gate)}
    bare = [gate.id for gate in process.plan.gates if gate.id not in claimed | testless] if named else []
    if not claimed and not testless and not named:
        return ["--spiral-release finds no test that claims a criterion, so there is nothing to prove."]
    return [
        f"--spiral-release: gate {gate} is in scope and no test proves any of its criteria. "
        "Remedy: write one, or narrow the scope with --spiral-gates."
        for gate in bare
    ]


def _inventory(process: Process, collected: list[pytest.Item], selected: list[pytest.Item]) -> "Inventory":
    from pytest_spiral.model.evidence import Inventory, InventoryItem

    chosen = set(map(id, selected))
    listed = []
    for item in collected:
        claimed = claim_of(item)
        listed.append(
            InventoryItem(
                id=item.nodeid,
                criteria=claimed.ids,
                needs=claimed.requirements,
                selected=id(item) in chosen,
            )
        )
    return Inventory(items=tuple(listed), errors=tuple(process.uncollected))
