"""SIGKILL at a random moment loses no record and no sample whose call had returned."""

import os
import random
import signal
import subprocess
import sys

import pytest

from pytest_spiral.evidence.read import read_evidence
from pytest_spiral.evidence.state import classify
from pytest_spiral.evidence.store import write_once
from pytest_spiral.evidence.verify import verify_integrity
from pytest_spiral.model.evidence import Inventory, InventoryItem
from pytest_spiral.rules.inventory import encode_inventory

WRITER = """
import itertools, os, sys, time
from pathlib import Path
from pytest_spiral.evidence.journal import Journal
from pytest_spiral.evidence.samples import SampleFile
from pytest_spiral.model import record
from pytest_spiral.model.measurement import Sample

folder, first_prev, nonce = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
wall, mono = lambda: time.time_ns() // 1000, time.monotonic_ns
journal = Journal(folder / "journal/main.jsonl", first_prev, "main", nonce, wall, mono)
for number in itertools.count():
    name = f"B1.latency/main-{number}.jsonl"
    opened = record.MeasureOpened(file=name, name="latency", unit="ms", test="t", criteria=("B1.latency",))
    journal.append(opened)
    samples = SampleFile(folder, opened, journal)
    for n in range(20):
        samples.add(Sample(n=n, ns=n))
        os.write(1, b"s")
    samples.close()
    journal.append(record.Test(id=f"t{number}", why="x" * 500))
    os.write(1, b"t")
"""


@pytest.mark.parametrize("seed", range(20))
def test_what_was_acknowledged_is_there_after_a_kill(begin, seed):
    run = begin()
    inventory = Inventory(items=tuple(InventoryItem(id=f"t{number}") for number in range(500)))
    write_once(run.folder / "inventory.json", encode_inventory(inventory))
    acknowledgements = random.Random(seed).randrange(1, 1500)
    command = [sys.executable, "-c", WRITER, str(run.folder), run.first_prev, "3f9c1a00000000000000000000000001"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        heard = b""
        while len(heard) < acknowledgements:
            heard += os.read(writer.stdout.fileno(), acknowledgements - len(heard))
        writer.send_signal(signal.SIGKILL)
        heard += writer.stdout.read()
    assert writer.returncode == -signal.SIGKILL
    assert classify(run.folder) == "incomplete"
    assert [one.code for one in verify_integrity(run.folder).findings] == ["unsealed-incomplete"]
    evidence = read_evidence(run.folder, partial=True)
    tests, samples = heard.count(b"t"), heard.count(b"s")
    assert tests <= len(evidence.tests) <= tests + 1
    assert samples <= sum(len(one.samples) for one in evidence.measurements) <= samples + 1
    assert [test.id for test in evidence.tests] == [f"t{number}" for number in range(len(evidence.tests))]
