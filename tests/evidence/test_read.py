"""A bundle read back is what was written."""

import msgspec
import pytest

from pytest_spiral.errors import UntrustedError, UseError
from pytest_spiral.evidence.read import read_evidence
from pytest_spiral.model import record
from pytest_spiral.model.evidence import Inventory
from pytest_spiral.model.measurement import Sample
from pytest_spiral.rules.integrity import Limits


def test_everything_that_was_written_is_read(sealed):
    evidence = read_evidence(sealed)
    assert evidence.status == "finished"
    assert [gate.id for gate in evidence.plan.gates] == ["B1"]
    assert [item.selected for item in evidence.inventory.items] == [True, True, True, False]
    assert [(test.id.rpartition("_")[2], test.raised) for test in evidence.tests] == [
        ("search", ""),
        ("recall", "assertion"),
    ]
    assert [one.run for one in evidence.runs_opened] == [one.run for one in evidence.runs_closed] == ["main-1"]
    assert evidence.controls_opened[0].of == "B1.latency"
    assert evidence.controls_closed[0].raised == ""
    assert evidence.facts == evidence.bundle.profile.facts
    assert evidence.subjects[0].challenge == record.Challenge(
        kind="memory.nonce", nonce="ab", answers={"frames": [1, 2.5], "found": True, "id": None}
    )
    assert evidence.crashes == (record.Crash(process="gw1", test="suites/test_b1.py::test_native", why="SIGSEGV"),)
    assert [one.path for one in evidence.attached] == ["log.txt"]
    assert evidence.lost == ()


def test_measurements_are_read_with_all_their_samples(sealed):
    whole, left = read_evidence(sealed).measurements
    assert whole.samples == tuple(Sample(n=n, value=value) for n, value in enumerate((4.25, 3, 117.5, 0.1)))
    assert (whole.name, whole.unit, whole.planned, whole.closed, whole.raised) == ("latency", "ms", 4, True, "")
    assert (left.file, left.closed, len(left.samples)) == ("B1.latency/gw1-1.jsonl", False, 1)


def test_an_inventory_on_one_line_is_read_as_well(forger):
    path = forger.folder / "inventory.json"
    known = msgspec.json.decode(path.read_bytes(), type=Inventory)
    before = read_evidence(forger.folder)
    path.write_bytes(msgspec.json.encode(known) + b"\n")
    assert read_evidence(forger.folder) == before


def test_journals_are_read_main_first_then_by_name(begin):
    run = begin()
    run.collect()
    main = run.journal("main")
    for name in ("gw2", "gw10", "gw1"):
        worker = run.journal(name)
        worker.append(record.Test(id=f"suites/{name}"))
        worker.close(record.End())
    main.append(record.Test(id="suites/main"))
    run.end(main)
    assert [test.id for test in read_evidence(run.folder).tests] == [
        "suites/main",
        "suites/gw1",
        "suites/gw10",
        "suites/gw2",
    ]


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (Limits(files=3), "too-many-files"),
        (Limits(json=10), "file-too-large"),
        (Limits(journal_line=99), "line-too-long"),
    ],
    ids=repr,
)
def test_limits_hold_when_reading(sealed, limits, code):
    with pytest.raises(UntrustedError) as problem:
        read_evidence(sealed, limits)
    assert problem.value.code == code


@pytest.mark.parametrize("gone", ["plan.json", "bundle.json", "inventory.json", "journal/main.jsonl", "log.txt"])
def test_a_missing_file_is_named(sealed, gone):
    (sealed / gone).unlink()
    with pytest.raises(UntrustedError, match=gone):
        read_evidence(sealed)


def test_a_folder_that_is_not_there_is_wrong_use(tmp_path):
    with pytest.raises(UseError):
        read_evidence(tmp_path / "gone")
