"""How far a run has come: a kill after any step leaves exactly one class, and none of them verifies as sound."""

import shutil

import pytest

from pytest_spiral.errors import UntrustedError, UseError
from pytest_spiral.evidence.read import last_next, read_evidence
from pytest_spiral.evidence.seal import write_manifest
from pytest_spiral.evidence.state import classify
from pytest_spiral.evidence.verify import examine, verify_integrity
from pytest_spiral.model import record
from pytest_spiral.model.measurement import Sample

TESTS = ("suites/test_b1.py::test_search", "suites/test_b1.py::test_recall", "suites/test_b1.py::test_native")


@pytest.fixture
def run(begin):
    return begin()


def seen(run):
    """Class, outcome and codes of what lies there now."""
    report, evidence = examine(run.folder)
    assert report.state == classify(run.folder)
    assert evidence is None or report.outcome != "untrusted"
    return report.state, report.outcome, [one.code for one in report.findings]


def test_each_step_of_writing_has_its_class(run):
    assert seen(run) == ("never-opened", "untrusted", ["never-opened"])
    main = run.journal("main")
    assert seen(run) == ("running", "unsealed", ["unsealed-running"])
    run.collect()
    worker = run.journal("gw0")
    samples = run.samples(worker, "gw0")
    samples.add(Sample(n=0, ok=True))
    worker.append(record.Test(id=TESTS[0]))
    assert seen(run) == ("running", "unsealed", ["unsealed-running"])
    samples.close()
    worker.append(record.Test(id=TESTS[1]))
    worker.append(record.Test(id=TESTS[2]))
    worker.close(record.End())
    assert seen(run) == ("running", "unsealed", ["unsealed-running"])
    run.end(main)
    assert seen(run) == ("ended", "unsealed", ["unsealed-ended"])
    run.summarise()
    assert seen(run) == ("ended", "unsealed", ["unsealed-ended"])
    write_manifest(run.folder)
    assert seen(run) == ("sealed", "sound", [])


def test_a_run_killed_before_its_collection_is_abandoned(run):
    run.journal("main").release()
    assert seen(run) == ("abandoned", "unsealed", ["unsealed-abandoned"])


def test_a_run_killed_after_its_collection_is_incomplete(run):
    main = run.journal("main")
    run.collect()
    main.release()
    assert seen(run) == ("incomplete", "unsealed", ["unsealed-incomplete"])


def test_a_run_whose_worker_still_runs_is_running(run):
    main, worker = run.journal("main"), run.journal("gw0")
    main.release()
    assert seen(run)[0] == "running"
    worker.release()
    assert seen(run)[0] == "abandoned"


def test_a_torn_tail_is_what_a_kill_leaves(run):
    main = run.journal("main")
    run.collect()
    main.release()
    with (run.folder / "journal/main.jsonl").open("ab") as file:
        file.write(b'{"n":1,"prev":"sha256:')
    assert seen(run) == ("incomplete", "unsealed", ["unsealed-incomplete"])


def test_only_a_torn_first_line_is_no_opening(run):
    main = run.journal("main")
    main.release()
    path = run.folder / "journal/main.jsonl"
    path.write_bytes(path.read_bytes()[:-1])
    assert seen(run)[:2] == ("never-opened", "untrusted")


@pytest.mark.parametrize("gone", ["plan.json", "bundle.json", "inventory.json"])
def test_a_later_file_without_an_earlier_one_is_no_class_of_a_kill(run, gone):
    main = run.journal("main")
    run.collect()
    samples = run.samples(main, "main")
    samples.add(Sample(n=0, ok=True))
    main.release()
    (run.folder / gone).unlink()
    state, outcome, codes = seen(run)
    assert (state, outcome) == ("incomplete" if gone != "inventory.json" else "abandoned", "untrusted")
    assert "artifact-missing" in codes


def test_a_summary_of_a_run_that_never_ended_is_no_class_of_a_kill(run):
    main = run.journal("main")
    run.collect()
    run.summarise()
    main.release()
    assert seen(run) == ("incomplete", "untrusted", ["unsealed-incomplete", "artifact-missing"])


def test_an_unsealed_run_that_was_edited_is_not_to_be_trusted(run):
    main = run.journal("main")
    run.collect()
    main.append(record.Test(id=TESTS[0], raised="assertion"))
    main.append(record.Test(id=TESTS[1]))
    main.release()
    path = run.folder / "journal/main.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"raised":"assertion"', b'"raised":""'))
    assert seen(run)[:2] == ("incomplete", "untrusted")


def test_an_ended_run_is_checked_like_a_sealed_one(run):
    main = run.journal("main")
    run.collect()
    main.append(record.Test(id=TESTS[0]))
    run.end(main)
    assert seen(run) == ("ended", "untrusted", ["unsealed-ended", "inventory-not-run", "inventory-not-run"])


def test_a_whole_line_that_cannot_be_read_is_no_class_of_a_kill(run):
    main = run.journal("main")
    run.collect()
    main.release()
    with (run.folder / "journal/main.jsonl").open("ab") as file:
        file.write(b'{"n":1,"prev":\n')
    state, outcome, codes = seen(run)
    assert (state, outcome) == ("incomplete", "untrusted")
    assert "json-syntax" in codes


def test_what_a_killed_run_left_can_be_read(run):
    main = run.journal("main")
    run.collect()
    samples = run.samples(main, "main")
    samples.add(Sample(n=0, value=4.5))
    main.append(record.Test(id=TESTS[0], next=TESTS[1]))
    main.release()
    with pytest.raises(UntrustedError) as problem:
        read_evidence(run.folder)
    assert problem.value.code == "journal-unended"
    evidence = read_evidence(run.folder, partial=True)
    assert evidence.status == "crashed"
    assert [test.id for test in evidence.tests] == [TESTS[0]]
    assert [(one.closed, len(one.samples)) for one in evidence.measurements] == [(False, 1)]


def test_the_test_that_was_running_is_named(run, tmp_path):
    path = run.folder / "journal/main.jsonl"
    assert last_next(path) == ""
    main = run.journal("main")
    assert last_next(path) == ""
    main.append(record.Test(id=TESTS[0], next=TESTS[1]))
    main.append(record.TargetLost(subject="memory", test=TESTS[1], why="x"))
    main.release()
    assert last_next(path) == TESTS[1]
    with path.open("ab") as file:
        file.write(b'{"n":3')
    assert last_next(path) == TESTS[1]
    with path.open("ab") as file:
        file.write(b"\n")
    assert last_next(path) == TESTS[1]
    assert last_next(tmp_path / "gone" / "journal" / "main.jsonl") == ""


def test_there_is_nothing_to_classify_where_there_is_no_folder(tmp_path):
    with pytest.raises(UseError):
        classify(tmp_path / "gone")


def test_a_journal_that_is_a_link_opens_nothing(run, tmp_path):
    main = run.journal("main")
    main.release()
    shutil.move(run.folder / "journal/main.jsonl", tmp_path / "elsewhere.jsonl")
    (run.folder / "journal/main.jsonl").symlink_to(tmp_path / "elsewhere.jsonl")
    report = verify_integrity(run.folder)
    assert (report.state, report.outcome) == ("never-opened", "untrusted")
    assert "file-irregular" in {one.code for one in report.findings}
