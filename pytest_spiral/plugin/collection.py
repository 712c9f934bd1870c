"""Claims and inventory: what was collected, before anything runs."""

import pytest

from pytest_spiral.plugin.keys import CLAIM, PROCESS
from pytest_spiral.plugin.process import Process


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
    kept = [item for item in items if any(one.gate in gates for one in item.stash[CLAIM].criteria)]
    dropped = [item for item in items if item not in kept]
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = kept


def take_inventory(
    session: pytest.Session, config: pytest.Config, collected: list[pytest.Item], selected: list[pytest.Item]
) -> None:
    """Write `inventory.json`, once: every process that collects would write the same."""
    process = config.stash.get(PROCESS, None)
    if process is None or process.writer is None or process.opened is None:
        return
    from pytest_spiral.model.evidence import Inventory, InventoryItem
    from pytest_spiral.run.inventory import write_inventory

    chosen = {id(item) for item in selected}
    listed = []
    for item in collected:
        claimed = item.stash.get(CLAIM, None)
        listed.append(
            InventoryItem(
                id=item.nodeid,
                criteria=claimed.ids if claimed else (),
                needs=claimed.requirements if claimed else (),
                selected=id(item) in chosen,
            )
        )
    errors = tuple(report.nodeid for report in getattr(session, "_spiral_collect_errors", ()))
    write_inventory(process.opened.folder, Inventory(items=tuple(listed), errors=errors))
