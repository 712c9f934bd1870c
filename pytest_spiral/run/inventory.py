"""Writing the inventory: the first process that has collected writes it, the others must agree."""

from collections.abc import Callable
from pathlib import Path

from pytest_spiral.errors import EvidenceError
from pytest_spiral.evidence.store import write_once
from pytest_spiral.model.evidence import Inventory
from pytest_spiral.rules.canonical import digest
from pytest_spiral.rules.inventory import encode_inventory


def write_inventory(folder: Path, inventory: Inventory, refuse: Callable[[bytes], None]) -> str:
    """Write `inventory.json`, and give its digest; raises EvidenceError where another process has collected something else.

    `refuse` looks at the bytes first and raises where a declared secret stands in a test's name.
    """
    data = encode_inventory(inventory)
    refuse(data)
    path = folder / "inventory.json"
    try:
        write_once(path, data)
    except EvidenceError:
        if not path.is_file():
            raise
        if path.read_bytes() != data:
            raise EvidenceError(
                "two processes have collected different tests, so no inventory is true of both. "
                "Remedy: make collection independent of order, time and hash seed."
            ) from None
    return digest(data)
