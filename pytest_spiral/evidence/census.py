"""Holding the tests that ran against those that were collected."""

from typing import Final

from pytest_spiral.evidence.findings import Note
from pytest_spiral.model.base import Value
from pytest_spiral.model.evidence import InventoryItem
from pytest_spiral.model.record import Crash, Test
from pytest_spiral.rules.integrity import finding, shown
from pytest_spiral.rules.paths import INVENTORY, journal_file

_WAITING: Final = 0
_DESELECTED: Final = 1
_DONE: Final = 2


class Census:
    """Counts tests off. First every collected item and `all_collected`, then every record, then `missing`.

    A test is accounted for by a record of its own, or by the crash of the process that was running it.
    """

    def __init__(self, note: Note) -> None:
        self._note = note
        self._known: dict[str, int] = {}
        self._complete = False
        self.tests = 0

    def collected(self, item: InventoryItem) -> None:
        """Take one item of the inventory."""
        if item.id in self._known:
            self._note(finding("inventory-doubled", INVENTORY, f"test {shown(item.id)} was collected twice."))
        self._known[item.id] = _WAITING if item.selected else _DESELECTED

    def all_collected(self) -> None:
        """The inventory is read to its end; where it was not, nothing is held against it."""
        self._complete = True

    def take(self, process: str, record: Value) -> None:
        """Take one record of a journal."""
        if isinstance(record, Test):
            self.tests += 1
            if self._complete:
                self._ran(process, record.id)
        elif isinstance(record, Crash) and self._known.get(record.test) == _WAITING:
            self._known[record.test] = _DONE

    def missing(self) -> None:
        """Note every selected test that no record accounts for."""
        for test, state in self._known.items():
            if state == _WAITING:
                self._note(finding("inventory-not-run", INVENTORY, f"no record tells of test {shown(test)}."))

    def _ran(self, process: str, test: str) -> None:
        known = self._known.get(test)
        if known is None:
            path = journal_file(process)
            self._note(finding("inventory-uncollected", path, f"test {shown(test)} has run and was not collected."))
        elif known == _DESELECTED:
            path = journal_file(process)
            self._note(finding("inventory-deselected", path, f"test {shown(test)} has run and was deselected."))
        elif known == _WAITING:
            self._known[test] = _DONE
