"""Recovering a killed run: nothing recorded is lost, nothing is written into the dead folder, and it is NO-GO."""

import fcntl
import hashlib
import os
import shutil
from pathlib import Path

import pytest

from pytest_spiral.errors import UntrustedError, UseError
from pytest_spiral.evidence.journals import journal_heads
from pytest_spiral.evidence.read import read_evidence
from pytest_spiral.evidence.recover import held, remains_of
from pytest_spiral.evidence.samples import SampleFile
from pytest_spiral.evidence.state import classify
from pytest_spiral.evidence.verify import verify_integrity
from pytest_spiral.model import record
from pytest_spiral.model.measurement import Sample
from pytest_spiral.model.verdict import Decision
from pytest_spiral.run.recover import recover
from pytest_spiral.run.verify import verify_bundle

CRITERION = "B1.latency"
TESTS = ("suites/test_b1.py::test_search", "suites/test_b1.py::test_recall", "suites/test_b1.py::test_native")
TORN = b'{"n":4,"prev":"torn'


def write_killed(run, *, workers: bool = False, ended: bool = False):
    """A run with one finished test, killed in its second; with workers, a third process had ended well."""
    run.collect()
    main = run.journal("main")
    process = run.journal("gw0") if workers else main
    samples = run.samples(process, "gw0" if workers else "main")
    for number, value in enumerate((4.25, 3, 117.5, 0.1)):
        samples.add(Sample(n=number, value=value))
    samples.close()
    process.append(record.Test(id=TESTS[0], criteria=(CRITERION,), next=TESTS[1]))
    if not ended:
        opened = run.opened("gw0" if workers else "main", 2, test=TESTS[1])
        process.append(opened)
        left = SampleFile(run.folder, opened, process)
        left.add(Sample(n=0, value=1.5))
    if workers:
        run.journal("gw1").close(record.End())
    if ended:
        for test in TESTS[1:]:
            process.append(record.Test(id=test, criteria=()))
        main.close(record.End(workers=journal_heads(run.folder)))
    else:
        process.release()
        main.release()
    return run


def tree(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(params=[False, True], ids=["plain", "workers"])
def killed(begin, request) -> Path:
    return write_killed(begin(), workers=request.param).folder


def append(folder: Path, path: str, data: bytes) -> None:
    with (folder / path).open("ab") as file:
        file.write(data)


def test_everything_recorded_is_in_the_sibling_and_the_dead_folder_is_untouched(killed):
    before = tree(killed)
    found = recover(killed)
    assert found.outcome == "recovered"
    assert found.folder.name == f"{killed.name}-r1"
    assert tree(killed) == before
    for path in before:
        dead, kept = (killed / path).read_bytes(), (found.folder / path).read_bytes()
        assert kept.startswith(dead)
        assert path == "journal/main.jsonl" or kept == dead
    dead = read_evidence(killed, partial=True)
    assert (found.evidence.tests, found.evidence.measurements) == (dead.tests, dead.measurements)


def test_the_sibling_is_authentic_and_no_go_and_the_dead_folder_still_unsealed(killed):
    found = recover(killed)
    checked = verify_bundle(found.folder)
    assert checked.report.outcome == "sound"
    assert checked.judgement == found.judgement
    assert found.judgement.decision is Decision.NO_GO
    assert (checked.status("conditional"), verify_bundle(killed).status("conditional")) == (1, 1)
    assert [one.code for one in verify_integrity(killed).findings] == ["unsealed-incomplete"]


def test_the_test_that_was_running_is_named(killed):
    found = recover(killed)
    assert TESTS[1] in [one.test for one in found.evidence.crashes]
    assert found.judgement.recovered == f"the run was killed before its end; {TESTS[1]} was running or about to"


def test_before_any_record_of_a_test_the_first_selected_one_was_running(begin):
    run = begin()
    run.collect()
    run.journal("main").release()
    assert [one.test for one in recover(run.folder).evidence.crashes] == [TESTS[0]]


def test_a_second_recovery_gives_the_same_and_changes_nothing(killed):
    first = recover(killed)
    before = tree(first.folder.parent)
    second = recover(killed)
    assert second.outcome == "recovered-before"
    assert (second.folder, second.judgement) == (first.folder, first.judgement)
    assert tree(first.folder.parent) == before
    assert recover(first.folder).outcome == "sealed"


def test_torn_tails_are_cut_and_noted(killed):
    journal = "journal/gw0.jsonl" if (killed / "journal/gw0.jsonl").exists() else "journal/main.jsonl"
    sample = next(str(path.relative_to(killed)) for path in (killed / "samples").rglob("*-2.jsonl"))
    append(killed, journal, TORN)
    append(killed, sample, b'{"n":1,"va')
    found = recover(killed)
    assert found.evidence.recovered.torn == {journal: len(TORN), sample: 10}
    assert verify_bundle(found.folder).report.outcome == "sound"
    assert TORN not in (found.folder / journal).read_bytes()


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (lambda data: data + b"no json\n", "json-syntax"),
        (lambda data: data + data.splitlines(keepends=True)[-1], "journal-sequence"),
        (lambda data: data.replace(b'"duration_ns":0', b'"duration_ns":1', 1), "journal-chain"),
        (lambda data: b"".join(data.splitlines(keepends=True)[1:]), "journal-sequence"),
        (lambda data: data.replace(b'"kind":"test"', b'"kind":"tost"', 1), "record-unknown"),
    ],
)
def test_a_whole_line_that_is_wrong_is_refused_and_nothing_is_left(killed, damage, code):
    journal = next(
        killed / "journal" / f"{name}.jsonl" for name in ("gw0", "main") if (killed / f"journal/{name}.jsonl").exists()
    )
    journal.write_bytes(damage(journal.read_bytes()))
    with pytest.raises(UntrustedError) as refused:
        recover(killed)
    assert refused.value.code == code
    assert [path.name for path in killed.parent.iterdir()] == [killed.name]


def test_samples_that_are_not_the_recorded_ones_are_refused(killed):
    sample = next((killed / "samples").rglob("*-1.jsonl"))
    sample.write_bytes(sample.read_bytes().replace(b"117.5", b"107.5"))
    with pytest.raises(UntrustedError) as refused:
        recover(killed)
    assert refused.value.code == "samples-digest"


def test_a_link_is_refused(killed):
    (killed / "log.txt").symlink_to("/etc/hostname")
    with pytest.raises(UntrustedError) as refused:
        recover(killed)
    assert refused.value.code == "file-irregular"


@pytest.mark.parametrize("process", ["main", "gw0"])
def test_a_run_that_still_goes_on_is_refused(begin, process):
    run = write_killed(begin(), workers=True)
    fd = os.open(run.folder / f"journal/{process}.jsonl", os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    try:
        with pytest.raises(UseError, match=f"a process holds the lock of journal/{process}"):
            recover(run.folder)
    finally:
        os.close(fd)
    assert recover(run.folder).outcome == "recovered"


def test_two_recoveries_at_once_do_not_meet(killed):
    with held(killed), pytest.raises(UseError, match="still being written"), held(killed):
        pass


def test_a_run_that_never_recorded_anything_leaves_nothing(begin):
    run = begin()
    assert recover(run.folder).outcome == "never-opened"
    assert [path.name for path in run.folder.parent.iterdir()] == [run.folder.name]


def test_a_run_without_an_inventory_leaves_nothing_to_judge(begin):
    run = begin()
    run.journal("main").release()
    assert (remains_of(run.folder), recover(run.folder).outcome) == ("abandoned", "abandoned")


def test_a_sealed_run_has_nothing_to_recover(sealed):
    before = tree(sealed.parent)
    assert recover(sealed).outcome == "sealed"
    assert tree(sealed.parent) == before


def test_a_run_that_ended_without_a_manifest_is_sealed_and_stays_a_no_go(begin):
    run = write_killed(begin(), ended=True)
    (run.folder / "summary.json").write_bytes(b"half a summ")
    (run.folder / "summary.md.part-12-34").write_bytes(b"half")
    assert classify(run.folder) == "ended"
    found = recover(run.folder)
    assert verify_bundle(found.folder).report.outcome == "sound"
    assert found.evidence.recovered.state == "ended"
    assert found.evidence.recovered.left == ("summary.json", "summary.md.part-12-34")
    assert found.judgement.decision is Decision.NO_GO
    assert "after its end, before its seal" in found.judgement.recovered
    (main,) = [(run.folder / "journal/main.jsonl").read_bytes()]
    assert (found.folder / "journal/main.jsonl").read_bytes().startswith(main)


def test_what_would_have_passed_is_not_run_and_keeps_what_the_evidence_says(begin):
    run = write_killed(begin(), ended=True)
    (one,) = recover(run.folder).judgement.criteria
    assert str(one.verdict) == "not-run"
    assert one.reason in ("recovered", "not-reached", "not-delivered")


def test_something_else_under_the_siblings_name_is_not_touched(killed):
    other = killed.with_name(f"{killed.name}-r1")
    other.mkdir()
    (other / "mine.txt").write_text("mine")
    with pytest.raises(UseError, match="Remedy: move it away"):
        recover(killed)
    assert (other / "mine.txt").read_text() == "mine"


def test_what_a_killed_recovery_left_is_taken_away(killed):
    part = killed.with_name(f"{killed.name}-r1.part")
    shutil.copytree(killed, part / f"{killed.name}-r1")
    assert recover(killed).outcome == "recovered"
    assert not part.exists()


def test_a_recovery_record_that_lies_about_the_end_is_found(begin):
    run = begin()
    run.collect()
    main = run.journal("main")
    main.append(record.Recovered(state="ended"))
    main.close(record.End(status="crashed"))
    assert "record-order" in [one.code for one in verify_integrity(run.folder).findings]


def test_a_worker_cannot_say_that_it_was_recovered(begin):
    run = begin()
    run.collect()
    main, worker = run.journal("main"), run.journal("gw0")
    worker.append(record.Recovered(state="incomplete"))
    worker.close(record.End())
    main.close(record.End(workers=journal_heads(run.folder)))
    assert "record-order" in [one.code for one in verify_integrity(run.folder).findings]


def test_records_after_an_end_are_still_found_without_a_recovery(begin):
    run = write_killed(begin(), ended=True)
    lines = (run.folder / "journal/main.jsonl").read_bytes()
    append(run.folder, "journal/main.jsonl", lines.splitlines(keepends=True)[-1])
    assert "journal-after-end" in [one.code for one in verify_integrity(run.folder).findings]


def test_a_log_that_still_grew_is_kept_and_recorded_as_it_was_found(killed):
    (killed / "logs").mkdir()
    (killed / "logs/stdout.log").write_bytes(b"half a li\xff")
    (killed / "logs/other.bin").write_bytes(b"who knows")
    found = recover(killed)
    (one,) = [one for one in found.evidence.attached if one.path.startswith("logs/")]
    assert (one.path, one.name, one.bytes) == ("logs/stdout.log", "stdout.log, as it was found", 10)
    assert found.evidence.recovered.left == ("logs/other.bin",)
    assert verify_bundle(found.folder).report.outcome == "sound"
