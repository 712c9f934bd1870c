"""From a word on the command line to a ledger's store."""

from pathlib import Path

from pytest_spiral.errors import UseError
from pytest_spiral.ledger.book import Book
from pytest_spiral.ledger.gitref import PREFIX, GitLedger, parse_place
from pytest_spiral.ledger.store import Store, Wall

DEFAULT = "reports/ledger.jsonl"
"""Where a ledger lies unless something else is said, relative to the root folder."""


def find_ledger(where: str, root: Path, wall: Wall, *, forced: bool = False) -> Store:
    """The store that a word names: a file relative to `root`, or `git:refs/…` or `git:REMOTE:refs/…` of its repository.

    Looks at nothing yet. `forced` takes a file on a file system where locks are not proven. Raises UseError for a word
    that names none.
    """
    if where.startswith(PREFIX):
        return GitLedger(root, parse_place(where), wall)
    if not where.strip():
        raise UseError("no ledger is named. Remedy: write --spiral-ledger=reports/ledger.jsonl.")
    return Book(root / where, wall, forced=forced)
