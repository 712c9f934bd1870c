"""Writing the inventory: the first process that has collected writes it, the others must agree."""

from pathlib import Path

from pytest_spiral.errors import EvidenceError
from pytest_spiral.evidence.store import write_once
from pytest_spiral.model.evidence import Inventory
from pytest_spiral.rules.inventory import encode_inventory


def write_inventory(folder: Path, inventory: Inventory) -> None:
    """Write `inventory.json`; raises EvidenceError where another process has collected something else."""
    data = encode_inventory(inventory)
    path = folder / "inventory.json"
    try:
        write_once(path, data)
    except EvidenceError:
        if not path.is_file() or path.read_bytes() != data:
            raise EvidenceError(
                "two processes have collected different tests, so no inventory is true of both. "
                "Remedy: make collection independent of order, time and hash seed."
            ) from None
