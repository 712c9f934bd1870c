"""How long verifying takes and how much memory: a large attachment beside sha256sum, and very many results.

    python benchmarks/verify.py attachment --bytes 1000000000 --rounds 3
    python benchmarks/verify.py tests --results 100000 300000 1000000
    python benchmarks/verify.py samples --results 100000 300000 1000000

Each verification is a process of its own, timed from its first look at the bundle to its answer; its peak memory is
the kernel's. Big files are made under --folder (default: the temporary folder) and removed. Nothing is asserted.
"""

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import msgspec

from pytest_spiral.evidence.journal import Journal
from pytest_spiral.evidence.journals import journal_heads
from pytest_spiral.evidence.read import read_evidence
from pytest_spiral.evidence.samples import SampleFile
from pytest_spiral.evidence.seal import write_manifest
from pytest_spiral.evidence.store import create_bundle, write_once
from pytest_spiral.model.evidence import BundleStart, Inventory, InventoryItem, Scope, TargetCard
from pytest_spiral.model.gate import Criterion, Gate, Plan
from pytest_spiral.model.measurement import Sample
from pytest_spiral.model.profile import Profile
from pytest_spiral.model.record import Attached, End, MeasureOpened, Test
from pytest_spiral.rules.canonical import canonical_bytes, digest
from pytest_spiral.rules.inventory import encode_inventory
from pytest_spiral.rules.limits import parse_limit
from pytest_spiral.rules.paths import sample_file
from pytest_spiral.run.gate_run import write_derived
from pytest_spiral.run.selftest import judge_proven

NONCE = "3f9c1a00000000000000000000000001"
RUN = "20261122T093000Z-s1-3f9c1a"
BEGAN = 1_795_339_800_000_000
CRITERION = "S1.works"
CHILD = """
import json, resource, sys, time
from pathlib import Path
from pytest_spiral.run.verify import verify_bundle
before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
checked = verify_bundle(Path(sys.argv[1]))
seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([checked.status("conditional"), seconds, before / 1024, after / 1024]))
"""


class Writing:
    """A run that is being written through the product's own writers."""

    def __init__(self, root: Path, samples: int) -> None:
        limit = parse_limit("failures(work) <= 0")
        criterion = Criterion(id=CRITERION, limits=(limit,), samples=samples)
        plan = canonical_bytes(Plan(gates=(Gate(id="S1", stage="", criteria=(criterion,)),)))
        start = BundleStart(
            run=RUN, nonce=NONCE, opened=BEGAN, plan=digest(plan), target=TargetCard(), scope=Scope(),
            profile=Profile(name="bench", facts=()), argv=("pytest",),
        )  # fmt: skip
        self.folder = create_bundle(root, RUN)
        write_once(self.folder / "plan.json", plan)
        data = msgspec.json.encode(start)
        write_once(self.folder / "bundle.json", data)
        self._prev, self._wall, self._mono = digest(data), count(BEGAN), count()

    def journal(self, process: str) -> Journal:
        """A process's journal."""
        path = self.folder / "journal" / f"{process}.jsonl"
        return Journal(path, self._prev, process, NONCE, self._wall.__next__, self._mono.__next__)

    def measure(self, main: Journal, samples: int) -> None:
        """A measurement that hits each time, by the test that claims the criterion."""
        opened = MeasureOpened(
            file=sample_file(CRITERION, "main", 1), name="work", unit="", test="test_s1.py::test_work",
            criteria=(CRITERION,), planned=samples,
        )  # fmt: skip
        main.append(opened)
        file = SampleFile(self.folder, opened, main)
        for number in range(samples):
            file.add(Sample(n=number, ok=True))
        file.close()
        main.append(Test(id="test_s1.py::test_work", criteria=(CRITERION,)))

    def finish(self, main: Journal, others: list[str]) -> Path:
        """End the run, derive, and seal."""
        items = [
            InventoryItem(id="test_s1.py::test_work", criteria=(CRITERION,)),
            *(InventoryItem(id=one) for one in others),
        ]
        write_once(self.folder / "inventory.json", encode_inventory(Inventory(items=tuple(items))))
        main.close(End(status="finished", exit_status=0, workers=journal_heads(self.folder)))
        evidence = read_evidence(self.folder)
        write_derived(self.folder, evidence, judge_proven(evidence))
        write_manifest(self.folder)
        return self.folder


def with_attachment(root: Path, size: int) -> Path:
    """A bundle with one attachment of so many bytes."""
    run = Writing(root, 3)
    main, block, left = run.journal("main"), os.urandom(1024 * 1024), size
    run.measure(main, 3)
    path = run.folder / "attachments" / "big.bin"
    path.parent.mkdir()
    with path.open("wb") as file:
        while left:
            left -= file.write(block[:left])
    said = subprocess.run(["sha256sum", path], capture_output=True, text=True, check=True).stdout.split()[0]
    name = "attachments/big.bin"
    main.append(
        Attached(path=name, name="big", media_type="application/octet-stream", bytes=size, sha256=f"sha256:{said}")
    )
    return run.finish(main, [])


def with_tests(root: Path, number: int) -> Path:
    """A bundle of so many tests, run by four workers."""
    run = Writing(root, 3)
    main = run.journal("main")
    run.measure(main, 3)
    ids = [f"suites/many/test_part_{at % 500}.py::test_case_of_the_suite[{at}]" for at in range(number)]
    for worker in range(4):
        journal = run.journal(f"gw{worker}")
        for at in range(worker, number, 4):
            journal.append(Test(id=ids[at], duration_ns=1_000_000))
        journal.close(End())
    return run.finish(main, ids)


def with_samples(root: Path, number: int) -> Path:
    """A bundle with one measurement of so many samples."""
    run = Writing(root, number)
    main = run.journal("main")
    run.measure(main, number)
    return run.finish(main, [])


def verified(folder: Path) -> tuple[float, float, float]:
    """Seconds, MB before and MB at most, of a verification; SystemExit where it does not hold."""
    done = subprocess.run([sys.executable, "-c", CHILD, str(folder)], capture_output=True, text=True, check=True)
    status, seconds, before, after = json.loads(done.stdout)
    if status:
        raise SystemExit(f"{folder} does not verify: {status}")
    return seconds, before, after


def timed(act: Callable[[], object]) -> float:
    """Seconds that it takes."""
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def hash_all(path: Path) -> None:
    """Read and hash a file."""
    with path.open("rb") as file:
        hashlib.file_digest(file, "sha256")


def built(make: Callable[[Path, int], Path], folder: Path, size: int) -> Path:
    """Make a bundle in a child process, so that this one's memory, which children inherit, stays small."""
    child = os.fork()
    if child == 0:
        try:
            make(folder, size)
        except BaseException as problem:  # noqa: BLE001 - a child that is not pytest ends here, whatever it met
            print(repr(problem), file=sys.stderr)
            os._exit(1)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        raise SystemExit("the bundle could not be made")
    return folder / RUN


def attachment(root: Path, size: int, rounds: int) -> None:
    """Verify a large attachment, in turn with sha256sum of the same file."""
    big, small = built(with_attachment, root / "big", size), built(with_attachment, root / "small", 1000)
    file, pairs = big / "attachments" / "big.bin", []
    verified(big)  # the file is in memory from here on; not counted
    for _ in range(rounds):
        plain = timed(lambda: subprocess.run(["sha256sum", file], capture_output=True, check=True))
        pairs.append((plain, *verified(big), *verified(small), timed(lambda: hash_all(file))))
    ratios = [pair[1] / pair[0] for pair in pairs]
    more = max(pair[3] for pair in pairs) - min(pair[6] for pair in pairs)
    print(
        f"attachment of {size:,} bytes: {statistics.median(pair[1] for pair in pairs):.2f} s beside "
        f"{statistics.median(pair[0] for pair in pairs):.2f} s of sha256sum, ratio {statistics.median(ratios):.2f} "
        f"({min(ratios):.2f} to {max(ratios):.2f}), and of Python's own SHA-256 alone "
        f"{statistics.median(pair[1] / pair[7] for pair in pairs):.2f}; {more:.0f} MB more memory than with one of 1,000 bytes"
    )


def results(kind: str, root: Path, sizes: list[int]) -> None:
    """Verify bundles of so many tests, or samples."""
    make = with_tests if kind == "tests" else with_samples
    for size in sizes:
        with tempfile.TemporaryDirectory(dir=root) as folder:
            bundle = built(make, Path(folder), size)
            seconds, before, after = verified(bundle)
            held = sum(path.stat().st_size for path in bundle.rglob("*") if path.is_file()) / 1e6
        print(
            f"{size:>10,} {kind}: {seconds:6.1f} s, {after:4.0f} MB at most ({before:.0f} of them before it began), "
            f"{seconds / size * 1e6:5.1f} µs and {(after - before) * 2**20 / size:4.0f} bytes each; {held:,.0f} MB of files",
            flush=True,
        )


def main() -> None:
    """Run one of the benchmarks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("attachment", "tests", "samples"))
    parser.add_argument("--bytes", type=int, default=1_000_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--results", type=int, nargs="+", default=[100_000, 300_000, 1_000_000])
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        if options.what == "attachment":
            attachment(Path(name), options.bytes, options.rounds)
        else:
            results(options.what, Path(name), options.results)


if __name__ == "__main__":
    main()
