"""A run that is stopped from outside, or stalls, is sealed as interrupted and names the test that was running."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from pytest_spiral.model.judgement import CriterionVerdict
from pytest_spiral.run.verify import Checked, judge_bundle, verify_bundle

TIMEOUT_S = 90
GATE = (
    """\
first
limit = "max(search) <= 120 ms"
samples = 1""",
    """\
second
limit = "max(search) <= 120 ms"
samples = 1""",
)
TESTS = """\
import threading

@pytest.mark.criterion("S1.first")
def test_first(spiral):
    with spiral.measure("search", unit="ms") as m:
        m.value(1.0)

@pytest.mark.criterion("S1.second")
def test_second(spiral):
    os.write(os.open(os.environ["READY"], os.O_WRONLY), b"x")
    WAIT
"""
WAITS = {
    "lock": "threading.Event().wait()",
    "deaf": """
    while True:
        try:
            threading.Event().wait()
        except BaseException:
            pass
""",
}
STALLED = "no process has recorded anything for 5 s"


@dataclass(frozen=True)
class Stopped:
    """What a run came to that was stopped in its second test."""

    status: int
    out: str
    checked: Checked
    bundle: os.PathLike

    def criterion(self, name: str) -> CriterionVerdict:
        """The verdict of one criterion."""
        return next(one for one in self.checked.judgement.criteria if one.id == name)


def hear_ctrl_c():
    """A shell has what it starts in the background ignore Ctrl-C, and so would every process below it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def killed_at_last(process):
    """A run that does not come to its end fails its test, and is not waited for."""
    try:
        yield
    except BaseException:
        process.kill()
        raise


@pytest.fixture
def stopped(lab, tmp_path):
    """Runs the two tests, sends the signals when the second one is reached, and gives what it came to."""

    def run(*arguments, wait="lock", signals=()):
        lab.gates(*GATE)
        lab.test(TESTS.replace("WAIT", WAITS[wait]))
        ready = tmp_path / "ready"
        os.mkfifo(ready)
        read = os.open(ready, os.O_RDONLY | os.O_NONBLOCK)
        os.set_blocking(read, True)
        write = os.open(ready, os.O_WRONLY)  # the run holds it, so that a run which dies early is heard too
        command = [
            sys.executable,
            "-m",
            "pytest",
            "--spiral-evidence",
            "-pno:hypothesispytest",
            "-pno:anyio",
            *arguments,
        ]
        with subprocess.Popen(
            command, cwd=lab.path, env={**os.environ, "READY": str(ready)}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, pass_fds=(write,),
            preexec_fn=hear_ctrl_c,  # noqa: PLW1509 - one system call
        ) as process, killed_at_last(process):  # fmt: skip
            os.close(write)
            reached = os.read(read, 1)
            os.close(read)
            for number in signals if reached else ():
                process.send_signal(number)
            out, _ = process.communicate(timeout=TIMEOUT_S)
        assert reached, out
        (bundle,) = (lab.path / "reports" / "run").iterdir()
        return Stopped(process.returncode, out, verify_bundle(bundle), bundle)

    return run


def check(ran, why):
    """What holds of every stopped run."""
    assert ran.checked.report.outcome == "sound", (ran.checked.report, ran.out)
    assert ran.checked.status("conditional") == 1
    evidence, judgement = judge_bundle(ran.bundle)
    assert evidence.status == "interrupted"
    assert [(one.why, one.running) for one in evidence.stopped] == [(why, ("test_gate.py::test_second",))]
    assert str(judgement.decision) == "NO-GO"
    assert str(ran.criterion("S1.first").verdict) == "pass"
    second = ran.criterion("S1.second")
    assert (str(second.verdict), second.reason) == ("not-run", "interrupted")
    assert second.sentence == f"test_second was running when the run was stopped: {why}"
    assert "running then: test_gate.py::test_second" in ran.out


@pytest.mark.parametrize("way", [(), ("-p", "no:xdist"), ("-n", "2")], ids=["plain", "without-xdist", "two-workers"])
@pytest.mark.parametrize(("number", "why"), [(signal.SIGTERM, "SIGTERM"), (signal.SIGINT, "Ctrl-C")])
def test_a_signal_ends_the_run_and_seals_it(stopped, way, number, why):
    ran = stopped(*way, signals=[number])
    assert ran.status == 2
    check(ran, why)


def test_a_second_signal_does_not_break_the_seal(stopped):
    ran = stopped(signals=[signal.SIGTERM] * 3)
    assert ran.status == 2
    check(ran, "SIGTERM")


@pytest.mark.parametrize("way", [(), ("-n", "2")], ids=["plain", "two-workers"])
def test_a_stalled_run_is_ended_and_sealed(stopped, way):
    ran = stopped("--spiral-stall=5s", *way)
    assert ran.status == 1
    check(ran, STALLED)


def test_a_run_that_swallows_its_interrupt_is_sealed_without_it(stopped):
    ran = stopped("--spiral-stall=5s", wait="deaf")
    assert ran.status == 1
    check(ran, STALLED)
    assert "so it was ended without it" in ran.out
    assert "sealed, E0" in ran.out


def test_the_deadline_ends_a_run_from_its_ini(stopped, lab):
    lab.write("pytest.ini", "[pytest]\nspiral_deadline = 6s\n")
    ran = stopped()
    assert ran.status == 1
    check(ran, "the deadline of 6 s has come")


def test_a_run_within_its_patience_is_as_ever(lab, way):
    lab.smallest()
    ran = lab.run("--spiral-stall=10m", "--spiral-deadline=1h", *way)
    assert (ran.status, ran.decision) == (0, "GO")
    assert ran.evidence.stopped == ()


@pytest.mark.parametrize("text", ["10", "m", "-1s", "0s", "0.5s", "10 m", "1d", "", "1e3s", "x"])
@pytest.mark.parametrize("option", ["stall", "deadline"])
def test_a_time_that_is_none_is_wrong_use(lab, option, text):
    lab.smallest()
    ran = lab.run(f"--spiral-{option}={text}", evidence=False)
    assert ran.status == 4
    assert f"--spiral-{option} is {text!r}; write a time from 1s up, such as 90s, 10m or 2h." in ran.out


def test_a_handler_that_somebody_else_has_set_is_left_alone(lab):
    lab.smallest()
    lab.write(
        "conftest.py",
        """
import signal, pytest

def mine(*_): pass

signal.signal(signal.SIGTERM, mine)

def pytest_unconfigure():
    assert signal.getsignal(signal.SIGTERM) is mine

@pytest.fixture
def client():
    class Client:
        def search(self, text):
            assert signal.getsignal(signal.SIGTERM) is mine
    return Client()
""",
    )
    assert lab.run(apart=True).decision == "GO"


def test_a_forked_child_still_dies_of_sigterm(lab):
    lab.gates(GATE[0])
    lab.test("""
@pytest.mark.criterion("S1.first")
def test_first(spiral):
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(write)
        os.read(read, 1)
        os._exit(0)
    os.kill(child, signal.SIGTERM)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM
    with spiral.measure("search", unit="ms") as m:
        m.value(1.0)
""")
    ran = lab.run(apart=True)
    assert ran.decision == "GO", ran.out
    assert ran.outcomes == {"passed": 1}


def test_the_handler_is_given_back(lab):
    before = signal.getsignal(signal.SIGTERM)
    lab.smallest()
    assert lab.run().decision == "GO"
    assert signal.getsignal(signal.SIGTERM) is before
