"""Removes coverage data files that hold nothing, and says how many: their processes were killed as they began to write.

    python tools/drop_unbegun_coverage.py [FOLDER]

Tests kill processes on purpose. coverage writes when a process ends, and makes an empty file first, then its tables,
then the row that says which version they are of, then what was measured. A file without that row has nothing to lose,
and `coverage combine` would call it an error. Any other broken file stays, for coverage to name: something may be lost.
"""

import contextlib
import sqlite3
import sys
from pathlib import Path


def main(arguments: list[str]) -> int:
    """Remove what holds nothing in a folder (default: here); the status is 2 for wrong use."""
    if len(arguments) > 1:
        sys.stderr.write("drop_unbegun_coverage.py takes a folder, or nothing.\n")
        return 2
    unbegun = [path for path in sorted(Path(*arguments).glob(".coverage.*")) if is_unbegun(path)]
    for path in unbegun:
        path.unlink()
    if unbegun:
        sys.stdout.write(
            f"Coverage data files that were removed: {len(unbegun)}. "
            "They held nothing: their processes were killed as they began to write.\n"
        )
    return 0


def is_unbegun(path: Path) -> bool:
    """Whether a data file has no row that says of which version its tables are; False for what is no database."""
    try:
        with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as file:
            tables = {name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            return "coverage_schema" not in tables or not file.execute("SELECT 1 FROM coverage_schema").fetchall()
    except sqlite3.DatabaseError:
        return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
