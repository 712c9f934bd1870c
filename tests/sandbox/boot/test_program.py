"""The booted program by itself: a real process, asked by the real health checks and by whoever else comes along.

Where it is booted it runs without site packages, so that no coverage can see it; here it runs with them, and is ended
by an interrupt, after which Python still writes what it has covered.
"""

import asyncio
import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from spiral_sandbox.boot import checks, supervisor
from spiral_sandbox.boot.checks import Asked
from spiral_sandbox.boot.manifest import Check

NONCE = "cd" * 16
PROGRAM = str(Path(supervisor.__file__).with_name("program.py"))
SECONDS = 20
INTERRUPTED = -signal.SIGINT
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class Booted:
    """The program in a process of its own, and what it has said so far."""

    def __init__(self, folder, kind, flaw=""):
        self.kind, self.folder = kind, folder
        # A loopback address of its own, beyond those of boots: a port found free on 127.0.0.1 may be taken a moment later.
        third, fourth = os.urandom(2)
        self.address = f"127.200.{third}.{1 + fourth % 254}:8080"
        own = {
            "SPIRAL_BOOT_NONCE": NONCE, "SPIRAL_COMPONENT": "one", "SPIRAL_FLAW": flaw,
            "SPIRAL_FOLDER": str(folder), "SPIRAL_ADDRESS": self.address,
        }  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, "-P", PROGRAM, kind],
            env={**os.environ, **own}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=hear_interrupts,  # noqa: PLW1509 - one system call, no lock
        )  # fmt: skip

    def has_said(self, event):
        """Wait until the program has said so; False where it has ended before."""
        return any(f'"event":"{event}"' in line for line in self.process.stdout)

    def ended(self, number=0):
        """End it by a signal, or wait for its own end; gives the status and its errors."""
        if number:
            self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, errors

    def looked_at(self):
        """What the real health check sees; empty for healthy."""
        asked = Asked(Check(kind=self.kind, within_s=SECONDS), self.address, "one", NONCE, {}, self.folder / "log")
        return asyncio.run(checks.look(asked, self.process.pid, None))

    def told(self, *parts, abrupt=False):
        """Send the parts one by one, and give all that comes back; abrupt: hang up at once, and reset."""
        with socket.create_connection(self.address.split(":"), SECONDS) as asker:
            for part in parts:
                asker.sendall(part)
            if abrupt:
                asker.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return b""
            asker.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: asker.recv(4096), b""))


def hear_interrupts():
    """Whoever runs these tests in the background has them ignore interrupts, and a child would inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def booted(tmp_path):
    with contextlib.ExitStack() as stack:

        def start(kind, flaw=""):
            one = Booted(tmp_path, kind, flaw)
            stack.callback(one.process.communicate)
            stack.callback(one.process.kill)
            watch = threading.Timer(SECONDS, one.process.kill)  # what is awaited in vain ends all the same
            watch.start()
            stack.callback(watch.cancel)
            return one

        yield start


@pytest.mark.parametrize("kind", ["http", "grpc"])
@pytest.mark.parametrize(("flaw", "seen"), [("", ""), ("unhealthy", "unhealthy: ")])
def test_a_port_is_answered_in_the_words_of_its_kind(booted, kind, flaw, seen):
    one = booted(kind, flaw)
    assert one.has_said("listening")
    assert one.looked_at()[: len(seen) or None] == seen
    assert one.ended(signal.SIGINT)[0] == INTERRUPTED


@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_whoever_says_nothing_or_hangs_up_does_not_keep_the_next_one_out(booted, kind):
    one = booted(kind)
    assert one.has_said("listening")
    assert one.told() == b""
    assert one.told(b"what is", b" this?") == b""
    one.told(b"GET", abrupt=True)
    assert one.looked_at() == ""
    assert one.ended(signal.SIGINT)[0] == INTERRUPTED


def test_a_request_may_come_in_parts(booted):
    one = booted("http")
    assert one.has_said("listening")
    said = one.told(b"GET /health HTTP/1.1\r\n", b"Host: it\r\n", b"\r\n")
    assert said.startswith(b"HTTP/1.1 200 OK\r\n")
    assert said.endswith(b'{"status":"ok","component":"one","nonce":"%s","pid":%d}' % (NONCE.encode(), one.process.pid))
    assert one.ended(signal.SIGINT)[0] == INTERRUPTED


def test_settings_and_pings_are_acknowledged_and_acknowledgements_are_not(booted):
    one = booted("grpc")
    assert one.has_said("listening")

    def frame(kind, flags, payload=b""):
        return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + bytes(4) + payload

    said = one.told(PREFACE, frame(4, 0), frame(6, 0, b"12345678"), frame(6, 1, b"87654321"), frame(7, 0, bytes(8)))
    assert said == frame(4, 0) + frame(4, 1) + frame(6, 1, b"12345678")
    assert one.ended(signal.SIGINT)[0] == INTERRUPTED


@pytest.mark.parametrize(
    ("kind", "flaw", "name", "left"),
    [
        ("file", "", "ready", f"{NONCE} {{pid}}\n"),
        ("file", "unhealthy", "ready", f"{NONCE} unhealthy\n"),
        ("exit", "", "pulse", "{pid}\n"),
        ("exit", "unhealthy", "pulse", "unhealthy\n"),
    ],
)
def test_a_program_without_a_port_leaves_a_file(booted, tmp_path, kind, flaw, name, left):
    one = booted(kind, flaw)
    assert one.has_said("up")
    assert (tmp_path / name).read_text() == left.format(pid=one.process.pid)
    assert one.ended(signal.SIGINT)[0] == INTERRUPTED


@pytest.mark.parametrize(
    ("kind", "flaw", "event", "status"),
    [("http", "dies-at-start", "begun", 3), ("http", "exits-0", "begun", 0), ("file", "dies-after-ready", "up", 4)],
)
def test_a_flaw_ends_the_program_with_a_status_of_its_own(booted, kind, flaw, event, status):
    one = booted(kind, flaw)
    assert one.has_said(event)
    assert one.ended()[0] == status


def test_one_that_dies_after_it_was_ready_answers_first(booted):
    one = booted("http", "dies-after-ready")
    assert one.has_said("listening")
    assert one.looked_at() == ""
    assert one.ended()[0] == 4


def test_one_that_hangs_does_not_hear_that_it_should_end(booted, system):
    one = booted("http", "hangs")
    status = Path(f"/proc/{one.process.pid}/status")
    ignored = 1 << (signal.SIGTERM - 1)
    assert one.has_said("begun")
    system.await_true(lambda: int(status.read_text().partition("SigIgn:")[2].split()[0], 16) & ignored)
    one.process.send_signal(signal.SIGTERM)
    assert one.ended(signal.SIGINT)[0] == INTERRUPTED


def test_one_that_is_slow_has_not_come_up(booted):
    one = booted("http", "slow")
    assert one.has_said("begun")
    with pytest.raises(ConnectionRefusedError):
        one.told()
    assert one.ended(signal.SIGINT)[0] == INTERRUPTED


def test_an_address_that_is_taken_ends_the_program_as_it_ends_any_server(booted):
    one = booted("http")
    assert one.has_said("listening")
    other = subprocess.run(
        one.process.args, env={**os.environ, "SPIRAL_BOOT_NONCE": NONCE, "SPIRAL_COMPONENT": "other",
                               "SPIRAL_FOLDER": str(one.folder), "SPIRAL_ADDRESS": one.address},
        capture_output=True, text=True, check=False, timeout=SECONDS,
    )  # fmt: skip
    assert other.returncode == 1
    assert "Address already in use" in other.stderr
