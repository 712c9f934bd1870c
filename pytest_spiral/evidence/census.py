"""Holding the tests that ran against those that were collected."""

from pytest_spiral.evidence.findings import Note
from pytest_spiral.model.base import Value
from pytest_spiral.model.evidence import InventoryItem
from pytest_spiral.model.record import Crash, Test
from pytest_spiral.rules.integrity import finding, shown
from pytest_spiral.rules.paths import INVENTORY, journal_file


class Census:
    """Counts tests off. First every collected item and `all_collected`, then every record, then `missing`.

    A test is accounted for by a record of its own, or by the crash of the process that was running it. Of a test that
    is waited for, the item is known; of one that is done, its name: with so many, each thing is kept once.
    """

    def __init__(self, note: Note) -> None:
        self._note = note
        self._known: dict[str, InventoryItem | str] = {}
        self._complete = False
        self.tests = 0

    def collected(self, item: InventoryItem) -> None:
        """Take one item of the inventory."""
        if item.id in self._known:
            self._note(finding("inventory-doubled", INVENTORY, f"test {shown(item.id)} was collected twice."))
        self._known[item.id] = item

    def all_collected(self) -> None:
        """The inventory is read to its end; where it was not, nothing is held against it."""
        self._complete = True

    def name_of(self, test: str) -> str:
        """The inventory's own text for a test's name; the same text where it does not have the test."""
        known = self._known.get(test, test)
        return known if isinstance(known, str) else known.id

    def take(self, process: str, record: Value) -> None:
        """Take one record of a journal."""
        if isinstance(record, Test):
            self.tests += 1
            if self._complete:
                self._ran(process, record.id)
        elif isinstance(record, Crash):
            self._done(record.test)

    def missing(self) -> None:
        """Note every selected test that no record accounts for."""
        for test, known in self._known.items():
            if not isinstance(known, str) and known.selected:
                self._note(finding("inventory-not-run", INVENTORY, f"no record tells of test {shown(test)}."))

    def _ran(self, process: str, test: str) -> None:
        known = self._known.get(test)
        if known is None:
            path = journal_file(process)
            self._note(finding("inventory-uncollected", path, f"test {shown(test)} has run and was not collected."))
        elif not isinstance(known, str) and not known.selected:
            path = journal_file(process)
            self._note(finding("inventory-deselected", path, f"test {shown(test)} has run and was deselected."))
        else:
            self._done(test)

    def _done(self, test: str) -> None:
        known = self._known.get(test)
        if known is not None and not isinstance(known, str) and known.selected:
            self._known[test] = known.id
