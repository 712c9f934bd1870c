"""The bundle's copy of the ledger that its run was registered in."""

from pytest_spiral.errors import UntrustedError
from pytest_spiral.evidence.folder import Folder
from pytest_spiral.model.entry import Entry
from pytest_spiral.rules.entries import read_entries
from pytest_spiral.rules.integrity import Limits
from pytest_spiral.rules.paths import LEDGER


def read_copy(folder: Folder, size: int, limits: Limits) -> tuple[Entry, ...]:
    """The entries of `ledger.jsonl`, which has `size` bytes; raises UntrustedError, `file-too-large` among it."""
    if size > limits.ledger:
        raise UntrustedError("file-too-large", f"{size} bytes, a copy of a ledger has at most {limits.ledger}.")
    return tuple(read_entries(line.raw for line in folder.lines(LEDGER, limits.journal_line)))
