"""How fast the ledger is: durable appends, beside plain fsyncs; checking a million entries, beside hashing them.

`python benchmarks/ledger.py [--appends 500] [--entries 1000000]` prints figures in pairs. Nothing is asserted.
"""

import argparse
import hashlib
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from pytest_spiral.ledger.book import Book
from pytest_spiral.ledger.fsck import fsck
from pytest_spiral.ledger.gitref import GitLedger, parse_place
from pytest_spiral.model.base import Value
from pytest_spiral.model.entry import AttemptCollected, AttemptOpened, AttemptSealed, LedgerBegun, RegisteredBar
from pytest_spiral.rules.canonical import digest
from pytest_spiral.rules.entries import NOTHING, encode_entry

BEGAN = 1_795_339_800_000_000


def record(number: int) -> AttemptCollected:
    """An entry like no other."""
    return AttemptCollected(nonce=f"{number:032x}", inventory=digest(b"inventory"))


def timed(act: Callable[[], object]) -> float:
    """Seconds that it takes."""
    start = perf_counter()
    act()
    return perf_counter() - start


def plain_appends(path: Path, count: int) -> None:
    """The same number of lines, written and synced, and nothing else."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number in range(count):
        os.write(fd, encode_entry(number, NOTHING, BEGAN, record(number)))
        os.fsync(fd)
    os.close(fd)


def appends(folder: Path, count: int, first: int = 0) -> None:
    """Durable appends of ours."""
    book = Book(folder / "ledger.jsonl", lambda: BEGAN)
    for number in range(first, first + count):
        book.append(record(number))


def git_appends(folder: Path, count: int) -> None:
    """Appends to a ref of a fresh repository."""
    subprocess.run(["git", "init", "-q", folder / "git"], check=True)
    ledger = GitLedger(folder / "git", parse_place("git:refs/spiral/ledger"), lambda: BEGAN)
    for number in range(count):
        ledger.append(record(number))


def part_of_run(number: int) -> Value:
    """The first, second or third entry of a run."""
    nonce, some = f"{number // 3:032x}", digest(b"anything")
    if number % 3 == 0:
        bars = {"S1.latency": RegisteredBar(bar=some)}
        return AttemptOpened(run="run", nonce=nonce, plan=some, bundle=some, deadline=BEGAN, criteria=bars)
    return (
        AttemptCollected(nonce=nonce, inventory=some) if number % 3 == 1 else AttemptSealed(nonce=nonce, manifest=some)
    )


def write_entries(path: Path, count: int) -> None:
    """A ledger of so many entries: runs that were opened, collected and sealed."""
    prev = NOTHING
    with path.open("wb") as file:
        for number in range(count):
            made = LedgerBegun(nonce="0") if number == 0 else part_of_run(number - 1)
            line = encode_entry(number, prev, BEGAN + number, made)
            prev = digest(line)
            file.write(line)


def hash_all(path: Path) -> None:
    """Read and hash a file."""
    with path.open("rb") as file:
        hashlib.file_digest(file, "sha256")


def check(path: Path) -> None:
    """Check a ledger whole; SystemExit where it is not."""
    found = fsck(Book(path, lambda: BEGAN).lines())
    if found.head is None or found.findings:
        raise SystemExit(f"the ledger does not hold: {found.findings[:1]}")


def main() -> int:
    """Print all pairs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--appends", type=int, default=500)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="where to write (default: a temporary folder)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder, many = Path(name), options.appends
        plain, ours = timed(lambda: plain_appends(folder / "plain", many)), timed(lambda: appends(folder, many))
        lines = [
            f"durable appends       {many / ours:9.0f} a second, beside {many / plain:.0f} of write and fsync alone"
        ]
        git = timed(lambda: git_appends(folder, 20))
        lines.append(f"appends to a git ref  {20 / git:9.1f} a second")
        big = folder / "big"
        big.mkdir()
        write_entries(big / "ledger.jsonl", options.entries)
        size = (big / "ledger.jsonl").stat().st_size / 1e6
        hashing, checking = timed(lambda: hash_all(big / "ledger.jsonl")), timed(lambda: check(big / "ledger.jsonl"))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        lines.append(
            f"fsck {options.entries:>10,} entries {checking:6.1f} s for {size:.0f} MB, beside {hashing:.1f} s of sha256 alone; "
            f"at most {memory:.0f} MB of memory"
        )
        after = timed(lambda: appends(big, 10, options.entries))
        lines.append(f"appends to that one   {10 / after:9.1f} a second")
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
