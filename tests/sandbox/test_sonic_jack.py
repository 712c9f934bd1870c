"""jackd's dummy driver as the device: what its server counts, what it falls back to, and that it leaves nobody behind."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_spiral.profiles.probe import probe
from spiral_sandbox.sonic.backend import open_virtual
from spiral_sandbox.sonic.deadlines import Dropout, Xrun, with_xruns
from spiral_sandbox.sonic.errors import StreamError
from spiral_sandbox.sonic.flaws import Flaw, flaw_for
from spiral_sandbox.sonic.jack_device import JackDevice
from spiral_sandbox.sonic.jack_server import missing
from spiral_sandbox.sonic.service import SonicService

STALL_NS = 150_000_000


@pytest.fixture
def jackd():
    """A machine with jackd, its binding, and the right to real time; else the test says what the probes said."""
    why = missing()
    if why:
        facts = "; ".join(f"{name}: {probe(name).evidence}" for name in ("tool.jackd", "module.jack"))
        pytest.skip(f"environment-limited: {why} ({facts})")


def rehearse(folder, *faults, make=open_virtual, **asked):
    service = SonicService(folder, flaw_for(faults), make)
    return asyncio.run(service.handle("rehearse", {"seconds": 1.5, "name": "take", **asked}))


MS = 1_000_000
TIMES = [20 * MS * at for at in range(10)]


@pytest.mark.parametrize(
    ("dropouts", "xruns", "seen"),
    [
        ([], [], []),
        ([Dropout(5, 30 * MS)], [], [Dropout(5, 30 * MS)]),
        ([], [Xrun(95 * MS, 7 * MS)], [Dropout(5, 7 * MS)]),
        ([Dropout(5, 30 * MS)], [Xrun(95 * MS, 50 * MS)], [Dropout(5, 50 * MS)]),
        ([Dropout(5, 30 * MS)], [Xrun(95 * MS, 10 * MS)], [Dropout(5, 30 * MS)]),
        ([Dropout(5, 30 * MS)], [Xrun(101 * MS, 50 * MS)], [Dropout(5, 50 * MS)]),  # told after the callback came
        ([Dropout(7, 30 * MS)], [Xrun(61 * MS, 9 * MS)], [Dropout(4, 9 * MS), Dropout(7, 30 * MS)]),
        ([], [Xrun(1 * MS, 40 * MS)], []),  # before the third callback, the first that is judged
    ],
)
def test_what_the_server_and_the_deadlines_have_both_seen_is_counted_once(dropouts, xruns, seen):
    assert list(with_xruns(dropouts, xruns, TIMES, 3)) == seen


@pytest.mark.timeout(60)
@pytest.mark.usefixtures("jackd")
def test_two_stalls_are_seen_by_the_server_itself(tmp_path):
    report = rehearse(tmp_path, "sonic.stalled-callback")
    assert report["scheduling"]["backend"].startswith("jackd dummy, synchronous, real-time")
    assert report["scheduling"]["backend_why"] == ""
    assert sum(xrun["late_ns"] >= STALL_NS for xrun in report["xruns"]) == 2
    assert sum(dropout["late_ns"] >= STALL_NS for dropout in report["dropouts"]) == 2


@pytest.mark.timeout(60)
@pytest.mark.usefixtures("jackd")
def test_a_stream_plays_to_its_end_and_the_server_ends_with_it(tmp_path, has_ended):
    opened = []

    def device():
        opened.append(JackDevice())
        return opened[0]

    report = rehearse(tmp_path, make=device)
    assert report["scan"]["as_rendered"]
    assert report["wall_s"] >= report["media_s"] == 1.5
    assert report["period_frames"] == 1024
    assert has_ended(opened[0].pid, 0)


@pytest.mark.timeout(60)
@pytest.mark.usefixtures("jackd")
def test_a_server_that_is_killed_ends_the_rehearsal_with_what_happened(tmp_path, has_ended):
    opened = []

    def device():
        opened.append(JackDevice())
        return opened[0]

    class Killed(Flaw):
        def enter(self, position, count, total):
            if position <= total // 2 < position + count:
                os.kill(opened[0].pid, signal.SIGKILL)

    service = SonicService(tmp_path, Killed(), device)
    with pytest.raises(StreamError, match="JACK server is gone"):
        asyncio.run(service.handle("rehearse", {"seconds": 3.0, "name": "take"}))
    assert has_ended(opened[0].pid, 0)


@pytest.mark.timeout(60)
@pytest.mark.usefixtures("jackd")
def test_a_component_that_is_killed_takes_its_server_with_it(has_ended):
    script = (
        "import threading; from spiral_sandbox.sonic.jack_device import JackDevice; "
        "device = JackDevice(); print(device.pid, flush=True); threading.Event().wait()"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as component:
        assert component.stdout is not None
        server = int(component.stdout.readline())
        assert Path(f"/proc/{server}/comm").read_text().strip() == "jackd"
        component.kill()
    assert has_ended(server, 10)


@pytest.mark.timeout(60)
def test_without_jackd_the_stream_runs_on_miniaudio_and_says_why(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    report = rehearse(tmp_path)
    assert report["scheduling"]["backend"].startswith("miniaudio")
    assert "jackd is not on PATH" in report["scheduling"]["backend_why"]
    assert report["xruns"] is None


@pytest.mark.usefixtures("jackd")
@pytest.mark.timeout(60)
def test_a_server_that_ends_at_once_is_no_device(tmp_path, monkeypatch):
    broken = tmp_path / "jackd"
    broken.write_text("#!/bin/sh\nexit 7\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(StreamError, match="jackd ended with status 7"):
        JackDevice()
    device = open_virtual()
    assert device.name.startswith("miniaudio")
    assert "status 7" in device.why
    device.close()


@pytest.mark.timeout(60)
@pytest.mark.usefixtures("jackd")
def test_servers_that_were_killed_do_not_use_up_the_places_for_servers(has_ended):
    for _ in range(9):  # libjack's registry has eight
        device = JackDevice()
        os.kill(device.pid, signal.SIGKILL)
        assert has_ended(device.pid, 10)
        device.close()


@pytest.mark.timeout(60)
@pytest.mark.usefixtures("jackd")
def test_two_servers_run_side_by_side_each_with_a_name_of_its_own(has_ended):
    first = JackDevice()
    try:
        second = JackDevice()
        second.close()
        assert first.pid != second.pid
        assert not has_ended(first.pid, 0)
    finally:
        first.close()
    assert has_ended(first.pid, 0)
    first.close()
