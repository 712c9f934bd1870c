"""SIGKILL at a random moment of a real run with two workers: controller or worker, nothing lies and nothing is lost."""

import contextlib
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_spiral.evidence.state import classify
from pytest_spiral.run.recover import recover
from pytest_spiral.run.verify import judge_bundle, verify_bundle

MODULES = 4
GATES = "format = 1\n[[gate]]\nid = 'S1'\ntitle = 'Kills'\nowner = '@o'\nno_control = 'a test of the tool'\n" + "".join(
    f"[[gate.criterion]]\nid = 'S1.c{number}'\nlimit = 'max(search) <= 120 ms'\nsamples = 20\n"
    for number in range(MODULES)
)
# Every sample whose call has returned is one byte in a pipe with a name.
CONFTEST = """
import os, pytest

ACKNOWLEDGED = os.open(os.environ["ACKNOWLEDGED"], os.O_WRONLY)

@pytest.fixture
def acknowledge():
    return lambda: os.write(ACKNOWLEDGED, b"s")
"""
TESTS = """
import pytest

@pytest.mark.criterion("S1.cNUMBER")
def test_search(spiral, acknowledge):
    with spiral.measure("search", unit="ms") as m:
        for _ in range(20):
            m.value(1.5)
            acknowledge()

@pytest.mark.parametrize("number", range(10))
def test_other(number):
    pass
"""
TIMEOUT_S = 60


@pytest.fixture
def suite(ground):
    """A folder of four modules with a gate, and its command."""
    (ground / "gates.toml").write_text(GATES)
    (ground / "pytest.ini").write_text("[pytest]\n")
    (ground / "conftest.py").write_text(CONFTEST)
    for number in range(MODULES):
        (ground / f"test_{number}.py").write_text(TESTS.replace("NUMBER", str(number)))
    return ground


class Started:
    """A run of the suite in a process group of its own."""

    def __init__(self, suite: Path, number: int) -> None:
        acknowledged = suite / f"acknowledged-{number}"
        self.reports = suite / f"reports-{number}"
        self.heard = 0
        os.mkfifo(acknowledged)
        self._read = os.open(acknowledged, os.O_RDONLY | os.O_NONBLOCK)
        os.set_blocking(self._read, True)
        write = os.open(acknowledged, os.O_WRONLY)  # the run holds it too, so that its end is the pipe's end
        command = [
            sys.executable, "-m", "pytest", "--spiral-evidence", f"--spiral-reports={self.reports}", "-n", "2",
            "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:anyio",
        ]  # fmt: skip
        self.process = subprocess.Popen(
            command, cwd=suite, env={**os.environ, "ACKNOWLEDGED": str(acknowledged)}, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, pass_fds=(write,),
        )  # fmt: skip
        os.close(write)

    def hear(self, most: int) -> None:
        """Wait for so many acknowledgements, or for the run's end."""
        while self.heard < most and (said := os.read(self._read, most - self.heard)):
            self.heard += len(said)

    def end(self) -> None:
        """Hear the rest; workers outlive a controller by moments, and the run is looked at when they are gone."""
        self.hear(sys.maxsize >> 32)
        self.process.wait(TIMEOUT_S)
        os.close(self._read)

    def kill(self) -> None:
        """End whatever is left of it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)


def processes(group: int) -> list[int]:
    """The processes of one group, as /proc lists them, the leader first."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            _, _, rest = path.read_text().rpartition(")")
            if int(rest.split()[2]) == group:
                found.append(int(path.parent.name))
    return sorted(found, key=lambda one: (one != group, one))


def kill_one(started: Started, chance: random.Random) -> str:
    """Kill the controller or one of its workers; says which."""
    victim = chance.choice(processes(started.process.pid))
    os.kill(victim, signal.SIGKILL)
    return "controller" if victim == started.process.pid else "worker"


def found_wrong(started: Started) -> str:
    """What is wrong with what a killed run left; empty where nothing is."""
    folders = sorted(started.reports.glob("*/*")) if started.reports.is_dir() else []
    states = [classify(one) for one in folders]
    outcomes = [verify_bundle(one).report.outcome for one in folders]
    if not folders or states == ["never-opened"]:
        return "everything is gone" if started.heard else ""
    if outcomes == ["untrusted"]:
        return f"{states}: not to be trusted"
    found = recover(folders[0])
    if found.outcome == "abandoned":
        return "everything is gone" if started.heard else ""
    evidence, judgement = judge_bundle(found.folder or folders[0])
    kept = sum(len(one.samples) for one in evidence.measurements)
    if kept < started.heard:
        return f"{started.heard} samples had returned, {kept} are there"
    whole = kept == 20 * MODULES  # the other tests claim nothing: one of them may have died
    return (
        f"{states} decided {judgement.decision}" if judgement.permission and (states != ["sealed"] or not whole) else ""
    )


def test_a_kill_at_any_moment_loses_nothing_and_never_lies(suite, tally):
    kills = int(os.environ.get("KILLS", "6"))
    wrong, victims = [], set()
    for number in range(kills):
        chance = random.Random(number)
        started = Started(suite, number)
        try:
            started.hear(chance.randrange(1, 20 * MODULES))
            victims.add(kill_one(started, chance))
            started.end()
        finally:
            started.kill()
        problem = found_wrong(started)
        if problem:
            wrong.append(f"kill {number}: {problem}")
    tally(len(wrong), kills, f"random kills ({' and '.join(sorted(victims))}) lost or lied")
    assert wrong == []


def test_a_lost_sample_would_be_found(suite):
    """The control: one acknowledgement more than there are samples is told."""
    started = Started(suite, 0)
    started.end()
    assert started.process.returncode == 0
    assert found_wrong(started) == ""
    started.heard += 1
    assert found_wrong(started) == "81 samples had returned, 80 are there"
