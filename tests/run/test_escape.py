"""The attempts to get out: each goes through where nothing keeps it, and is refused to a process that gave up its rights."""

import json
import os
import subprocess
import sys

import pytest

from pytest_spiral.errors import UseError
from pytest_spiral.model.launcher import AIMS
from pytest_spiral.run.confine import refuse_elsewhere

PROGRAM = """\
import json, os, pathlib, sys, tempfile
from pytest_spiral.run.confine import Account, give_up, state_of
from pytest_spiral.run.escape import Marks, code_places, try_all

mode, folder = sys.argv[1], pathlib.Path(sys.argv[2])
for name in ("key", "code", "ledger.jsonl"):
    (folder / name).write_text("x")
    (folder / name).chmod(0o600)
marks = Marks(os.getpid(), os.getuid(), os.getgid(), folder / "key", (folder / "code",), folder / "ledger.jsonl")
read, write = os.pipe()
if os.fork() == 0:
    if mode == "confined":
        give_up(Account("nobody", 65534, 65534))
    told = [[one.aim, one.refused] for one in try_all(marks)]
    os.write(write, json.dumps([told, state_of(os.getpid())]).encode())
    os._exit(0)
os.wait()
print(os.read(read, 65536).decode())
"""


def tried(mode, folder):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, mode, str(folder)], capture_output=True, text=True, check=True, timeout=30
    )
    escapes, state = json.loads(done.stdout)
    return dict(escapes), state


def test_elsewhere_than_on_linux_it_says_what_to_do_instead(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(UseError, match="countersign"):
        refuse_elsewhere()


@pytest.fixture
def root_only():
    if os.geteuid() != 0:
        pytest.skip("environment-limited: needs root, which alone can start a process as another user")


def test_every_attempt_goes_through_where_nothing_was_given_up(root_only, tmp_path):
    """The control: an attempt that could not succeed would prove nothing by failing."""
    escapes, state = tried("free", tmp_path)
    assert set(escapes) == {*AIMS, "ledger"}
    assert {aim for aim, refused in escapes.items() if refused} <= {"trace"}, "some kernels let nobody trace"
    assert state["NoNewPrivs"] == "0"


def test_every_attempt_is_refused_to_a_process_that_gave_up_its_rights(root_only, tmp_path):
    escapes, state = tried("confined", tmp_path)
    assert {aim: refused in {"EACCES", "EPERM"} for aim, refused in escapes.items()} == dict.fromkeys(escapes, True)
    assert set(escapes) == {*AIMS, "ledger"}
    assert state["Groups"] == ""
    assert state["NoNewPrivs"] == "1"
    assert {state[f"Cap{name}"] for name in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
    assert state["Uid"].split() == ["65534"] * 4
