"""A small run, and a recovery, in a child process that waits to be traced: `python workload.py COUNTS`.

Reads lines `record ROOT` or `recover FOLDER` from its standard input, or the same of a registered run: `register ROOT`
and `catch-up FOLDER`, with a ledger beside ROOT. For each it forks a child that stops itself (SIGSTOP), prints the
child's id, and when the child is over its wait status. Acknowledgements go into COUNTS by
shared memory, so that counting them needs no call that could be made to fail: how many samples and tests had
returned, and whether the seal had.
"""

import mmap
import os
import signal
import struct
import sys
from pathlib import Path

import msgspec

from pytest_spiral.errors import SpiralError
from pytest_spiral.evidence.store import create_bundle, write_once
from pytest_spiral.ledger.book import Book
from pytest_spiral.model.evidence import BundleStart, Inventory, InventoryItem, Scope, TargetCard
from pytest_spiral.model.gate import Criterion, Gate, Limit, Plan
from pytest_spiral.model.measurement import Sample
from pytest_spiral.model.profile import Profile
from pytest_spiral.model.record import MeasureOpened, Test
from pytest_spiral.rules.canonical import canonical_bytes, digest
from pytest_spiral.rules.paths import INVENTORY, run_id, sample_file
from pytest_spiral.rules.redact import Redactor
from pytest_spiral.run import clock
from pytest_spiral.run.gate_run import Opened, end_of, seal_run
from pytest_spiral.run.inventory import write_inventory
from pytest_spiral.run.logbook import Logbook, standing_head
from pytest_spiral.run.recover import recover
from pytest_spiral.run.writer import Writer

TESTS = ("test_a.py::test_one", "test_a.py::test_two")
CRITERIA = ("S1.one", "S1.two")
SAMPLES = 3
COUNTS = struct.Struct("=III")
REFUSED = 3


def book_of(root):
    """The ledger of the runs in a folder."""
    return Book(root.with_name(f"{root.name}.ledger"), clock.wall_us)


def begin(root, ledger=None):
    """What opening a run writes, without asking git and the package list."""
    head = None if ledger is None else standing_head(ledger)
    nonce = "3f9c1a00000000000000000000000001"
    limit = Limit(
        text="max(latency) <= 120 ms",
        statistic="max",
        measurements=("latency",),
        comparison="<=",
        bound="120",
        unit="ms",
    )
    criteria = tuple(Criterion(id=name, limits=(limit,), samples=SAMPLES) for name in CRITERIA)
    bar = Plan(gates=(Gate(id="S1", stage="", criteria=criteria),))
    plan = canonical_bytes(msgspec.to_builtins(bar))
    opened = 1_795_339_800_000_000 if ledger is None else clock.wall_us()
    folder = create_bundle(root, run_id(opened, "run", nonce))
    start = BundleStart(
        run=folder.name, nonce=nonce, opened=opened, plan=digest(plan), target=TargetCard(), scope=Scope(),
        profile=Profile(name="bench", facts=()), argv=("pytest",), ledger=head,
    )  # fmt: skip
    write_once(folder / "plan.json", plan)
    data = msgspec.json.encode(start) + b"\n"
    write_once(folder / "bundle.json", data)
    logbook = None if ledger is None else Logbook(ledger, start, digest(data))
    if logbook is not None:
        logbook.open(bar)
    return Opened(folder, start, digest(data), logbook=logbook)


def record(root, counts, ledger=None):
    """A whole run: two tests that measure, an attachment, the seal."""
    samples = tests = 0
    opened = begin(root, ledger)
    writer = opened.writer("main", Redactor([]))
    items = [InventoryItem(id=test, criteria=(name,)) for test, name in zip(TESTS, CRITERIA, strict=True)]
    write_inventory(opened.folder, Inventory(items=tuple(items)), writer.refuse)
    if opened.logbook is not None:
        opened.logbook.collect((opened.folder / INVENTORY).read_bytes())
    for test, name in zip(TESTS, CRITERIA, strict=True):
        samples = measure(writer, test, name, samples, tests, counts)
        following = TESTS[1] if test == TESTS[0] else ""
        writer.append(Test(id=test, criteria=(name,), duration_ns=1, next=following))
        tests += 1
        counts[:] = COUNTS.pack(samples, tests, 0)
    writer.attach("attachments/note.txt", b"a note\n", name="note.txt", media_type="text/plain")
    writer.close(end_of("finished", 0, {}))
    seal_run(opened)
    counts[:] = COUNTS.pack(samples, tests, 1)


def measure(writer: Writer, test, name, samples, tests, counts):
    opened = MeasureOpened(
        file=sample_file(name, "main", writer.number()),
        name="latency",
        unit="ms",
        test=test,
        criteria=(name,),
        planned=SAMPLES,
    )
    writer.append(opened)
    file = writer.open_samples(opened)
    for number in range(SAMPLES):
        file.add(Sample(n=number, value=1.5))
        samples += 1
        counts[:] = COUNTS.pack(samples, tests, 0)
    file.close()
    return samples


def work(command, path, counts):
    """One command in the child; 0, or 3 where our own error was raised."""
    try:
        if command == "record":
            record(Path(path), counts)
        elif command == "register":
            record(Path(path), counts, book_of(Path(path)))
        elif command == "catch-up":
            recover(Path(path), book_of(Path(path).parent))
        else:
            recover(Path(path))
    except (SpiralError, OSError) as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
        return REFUSED
    return 0


def main():
    with Path(sys.argv[1]).open("r+b") as file, mmap.mmap(file.fileno(), COUNTS.size) as counts:
        os.write(1, b"ready\n")
        for line in sys.stdin:
            command, path = line.split()
            counts[:] = COUNTS.pack(0, 0, 0)
            child = os.fork()
            if not child:
                os.kill(os.getpid(), signal.SIGSTOP)
                os._exit(work(command, path, counts))
            os.waitid(os.P_PID, child, os.WSTOPPED | os.WNOWAIT)
            os.write(1, f"{child}\n".encode())
            os.write(1, f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n".encode())


if __name__ == "__main__":
    main()
