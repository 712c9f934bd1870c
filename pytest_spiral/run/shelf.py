"""Finding the bundle of a run that a ledger names, under the folder of reports."""

from collections.abc import Iterator
from pathlib import Path

from pytest_spiral.rules.canonical import digest
from pytest_spiral.rules.paths import MANIFEST, RECOVERED, SEGMENT


def bundles_of(reports: Path, run: str, manifest: str) -> Iterator[Path]:
    """The folders that have a run's name, or that of its recovery, and the manifest that the ledger has of it.

    Nothing more is checked. A name that no run has leads nowhere.
    """
    if not SEGMENT.fullmatch(run):
        return
    for folder in sorted([*reports.glob(f"*/{run}"), *reports.glob(f"*/{run}{RECOVERED}")]):
        try:
            found = digest((folder / MANIFEST).read_bytes())
        except OSError:
            continue
        if found == manifest:
            yield folder
