"""Finding the ledger that a command is about."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_spiral.errors import UseError

if TYPE_CHECKING:
    from pytest_spiral.ledger.store import Store
    from pytest_spiral.model.entry import Entry


def add_ledger(parser: argparse.ArgumentParser, default: str = "reports/ledger.jsonl") -> None:
    """Add the option that names a ledger; `default` says what is taken without it."""
    parser.add_argument(
        "--ledger",
        metavar="WHERE",
        default="",
        help=f"a file, git:refs/spiral/ledger, or git:REMOTE:refs/spiral/ledger (default: {default})",
    )


def ledger_of(where: str, *, forced: bool = False) -> "Store":
    """The ledger named, or the default one; UseError for a word that names none."""
    from pytest_spiral.ledger.places import DEFAULT, find_ledger
    from pytest_spiral.run.clock import wall_us

    return find_ledger(where or DEFAULT, Path.cwd(), wall_us, forced=forced)


def entries_of(ledger: "Store") -> "list[Entry]":
    """Everything that counts in a ledger; UseError where there is none, UntrustedError where it does not hold."""
    from pytest_spiral.rules.entries import with_branches

    return list(with_branches(chain_of(ledger)))


def chain_of(ledger: "Store") -> "list[Entry]":
    """The ledger's own entries, without those of branches; raises as `entries_of`, but for branches."""
    from pytest_spiral.rules.entries import read_entries

    lines = list(ledger.lines())
    if not lines:
        raise UseError(
            f"there is no ledger at {ledger.name}. Remedy: pytest --spiral-evidence --spiral-ledger={ledger.name}."
        )
    return list(read_entries(lines))
