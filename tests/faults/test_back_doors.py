"""Ways out of pytest that say 0, a fork, a full disk, a closed stdout: none of them makes evidence that it is not."""

import os
import subprocess
import sys

import pytest

from pytest_spiral.evidence.state import classify
from pytest_spiral.run.recover import recover
from pytest_spiral.run.verify import judge_bundle, verify_bundle

GATES = """\
format = 1
[[gate]]
id = "S1"
title = "Back doors"
owner = "@o"
no_control = "a test of the tool"
[[gate.criterion]]
id = "S1.first"
limit = "max(search) <= 120 ms"
samples = 1
[[gate.criterion]]
id = "S1.second"
limit = "max(search) <= 120 ms"
samples = 1
"""
TESTS = """\
import os, sys, pytest

@pytest.mark.criterion("S1.first")
def test_first(spiral):
    with spiral.measure("search", unit="ms") as m:
        m.value(1.0)

@pytest.mark.criterion("S1.second")
def test_second(spiral):
    with spiral.measure("search", unit="ms") as m:
        m.value(1.0)
        BODY
"""
TIMEOUT_S = 90


@pytest.fixture
def run(ground):
    """Runs the two tests with this in the second one; gives status, output and the bundle's folder."""

    def started(body="pass", *arguments, reports="reports", before=(), **how):
        (ground / "gates.toml").write_text(GATES)
        (ground / "pytest.ini").write_text("[pytest]\n")
        (ground / "test_gate.py").write_text(TESTS.replace("BODY", body))
        command = [
            *before, sys.executable, "-m", "pytest", "--spiral-evidence", f"--spiral-reports={reports}",
            "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:anyio", "-p", "no:allure_pytest", *arguments,
        ]  # fmt: skip
        how = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, **how}
        done = subprocess.run(command, cwd=ground, check=False, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL, **how)
        (folder,) = (ground / reports).glob("*/*")
        return done.returncode, (done.stdout or b"").decode(errors="replace"), folder

    return started


BACK_DOORS = {
    "os._exit": "os._exit(0)",
    "sys.exit": "sys.exit(0)",
    "pytest.exit": "pytest.exit('enough', returncode=0)",
    "raised": "raise SystemExit(0)",
}


@pytest.mark.parametrize("way", [(), ("-n", "2")], ids=["plain", "two-workers"])
@pytest.mark.parametrize("door", BACK_DOORS)
def test_a_back_door_never_leads_to_a_go(run, door, way):
    status, out, folder = run(BACK_DOORS[door], *way)
    checked = verify_bundle(folder)
    assert checked.report.outcome != "untrusted", (out, checked.report)
    assert checked.status("conditional") == 1
    assert status != 0 or (door == "os._exit" and classify(folder) == "incomplete")
    recovered = recover(folder)
    kept = recovered.folder or folder
    evidence, judgement = judge_bundle(kept)
    assert judgement.permission == 0
    assert sum(len(one.samples) for one in evidence.measurements) == 2
    assert verify_bundle(kept).status("conditional") == 1


@pytest.mark.parametrize("door", ["os._exit", "pytest.exit"])
def test_the_test_that_took_the_back_door_is_named(run, door):
    _, _, folder = run(BACK_DOORS[door])
    assert "test_gate.py::test_second was running" in recover(folder).judgement.recovered


def test_a_run_without_a_back_door_is_a_go(run):
    status, _, folder = run()
    assert (status, verify_bundle(folder).status("go")) == (0, 0)


def test_a_forked_child_that_goes_on_as_pytest_records_nothing(run):
    body = """child = os.fork()
        if child:
            os.waitpid(child, 0)"""
    _, out, folder = run(body)
    checked = verify_bundle(folder)
    assert checked.report.outcome == "sound", (out, checked.report)
    evidence, _ = judge_bundle(folder)
    assert sorted(one.id for one in evidence.tests) == ["test_gate.py::test_first", "test_gate.py::test_second"]


# Disk


@pytest.fixture
def small_disk(ground):
    """A file system of 640 KiB, mounted in the folder; environment-limited where that is refused."""
    place = ground / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=640k", "tmpfs", str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"environment-limited: needs the right to mount; {' '.join(command[:3])}: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


FILL = """
        for number in range(200_000):
            m.value(1.0)
"""


@pytest.mark.parametrize("way", [(), ("-n", "2")], ids=["plain", "two-workers"])
def test_a_disk_that_fills_up_fails_loudly_and_keeps_what_was_there(run, small_disk, way):
    status, out, folder = run(FILL, *way, reports=small_disk.name)
    assert status in (1, 2)  # with workers, pytest-xdist calls it interrupted
    assert "the disk is full; free some space" in out
    checked = verify_bundle(folder)
    assert checked.report.outcome == "unsealed", checked.report
    assert checked.status("conditional") == 1
    assert b"S1.first" in b"".join(path.read_bytes() for path in (folder / "journal").iterdir())


def test_a_recovery_onto_a_full_disk_fails_loudly_and_one_with_room_succeeds(run, small_disk, ground):
    _, _, folder = run(FILL, reports=small_disk.name)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    done = subprocess.run(
        [sys.executable, "-m", "pytest_spiral.cli.main", "recover", str(folder)],
        capture_output=True, text=True, check=False, timeout=TIMEOUT_S,
    )  # fmt: skip
    assert done.returncode == 2
    assert "the disk is full; free some space" in done.stderr
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    found = recover(folder)
    assert verify_bundle(found.folder).report.outcome == "sound"
    assert found.judgement.permission == 0


def test_a_disk_without_room_is_told_before_the_first_test(run, small_disk):
    (small_disk / "run" / "none").mkdir(parents=True)
    (small_disk / "ballast").write_bytes(bytes(600 * 1024))
    with pytest.raises(ValueError, match="values to unpack"):
        run(reports=small_disk.name)
    written = [path.name for path in (small_disk / "run").rglob("*") if path.is_file()]
    assert "plan.json" not in written


# Stdout


@pytest.mark.parametrize("way", [(), ("-n", "2")], ids=["plain", "two-workers"])
def test_a_closed_stdout_makes_no_evidence_that_it_is_not(run, way):
    status, _, folder = run("pass", *way, before=("sh", "-c", 'exec "$@" >&-', "sh"))
    checked = verify_bundle(folder)
    assert checked.report.outcome != "untrusted"
    assert (status == 0) is (checked.status("go") == 0)


@pytest.mark.parametrize("way", [(), ("-n", "2")], ids=["plain", "two-workers"])
def test_a_reader_that_went_away_does_not_end_the_run(run, way):
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as closed:
        status, _, folder = run("pass", *way, stdout=closed, stderr=subprocess.DEVNULL)
    assert verify_bundle(folder).status("go") == 0
    assert status == 0
    assert b"test session starts" in (folder / "logs/terminal.log").read_bytes()
