"""No process is left, whatever ends: proven by looking at the system, never at a list of our own."""

import os
import signal
import subprocess
import sys
import threading

import psutil
import pytest

from spiral_sandbox.boot.strays import strays
from spiral_sandbox.errors import SandboxError
from spiral_sandbox.target import start

LONG = """
format = 1
name = "long"
[[component]]
name = "family"
run = ["/bin/sh", "-c", "{child} /bin/sh -c 'echo $$ > {{folder}}/child; exec sleep 600' & exec sleep 601"]
check = {{ kind = "exit", run = ["/bin/sh", "-c", "{check}"] }}
ready_within_s = 60.0
"""
NEVER, SOON = "exit 1", "test -s {folder}/child"


@pytest.fixture
def sandbox(tmp_path):
    running = start([], seed=1, folder=tmp_path)
    yield running
    running.stop()


def begin(running, folder, system, child=""):
    """Have a boot begin that never becomes ready; gives the mark of its processes and the thread that waits for it."""
    (folder / "long.toml").write_text(LONG.format(child=child, check=NEVER))
    boot = running.component("boot")
    mark = boot.facts["boot.mark"]
    broke = []

    def ask():
        try:
            boot.ask("boot", manifest=str(folder / "long.toml"))
        except SandboxError as error:
            broke.append(str(error))

    thread = threading.Thread(target=ask)
    thread.start()
    system.await_true(lambda: len(sleeping(mark)) == 2)
    return boot, mark, thread, broke


def sleeping(mark):
    """The processes of the family: a `sleep` in it, and the one that the family itself has become."""
    return [pid for pid in strays(mark) if _name(pid) == "sleep"]


def _name(pid):
    try:
        return psutil.Process(pid).name()
    except psutil.NoSuchProcess:  # a check that has ended between the two looks
        return ""


def test_the_view_of_the_system_finds_what_is_there(tmp_path, sandbox, system):
    _, mark, *_ = begin(sandbox, tmp_path, system)
    assert set(system.marked(mark)) >= set(sleeping(mark))


@pytest.mark.parametrize("child", ["", "setsid"], ids=["in-its-group", "in-a-session-of-its-own"])
def test_a_supervisor_that_is_killed_leaves_no_orphan(tmp_path, sandbox, system, child):
    boot, mark, thread, broke = begin(sandbox, tmp_path, system, child)
    os.kill(boot.pid, signal.SIGKILL)
    system.await_true(lambda: system.marked(mark) == [])
    thread.join(20)
    assert broke
    system.await_true(lambda: wardens(mark) == [])


@pytest.mark.parametrize("child", ["", "setsid"], ids=["in-its-group", "in-a-session-of-its-own"])
def test_a_warden_that_is_killed_leaves_no_orphan(tmp_path, sandbox, system, child):
    boot, mark, thread, broke = begin(sandbox, tmp_path, system, child)
    warden = warden_of(boot)
    os.kill(warden, signal.SIGKILL)
    thread.join(20)
    assert "warden is gone" in broke[0]
    with pytest.raises(SandboxError, match="warden is gone, so nothing can be started"):
        boot.ask("boot")
    assert system.marked(mark) == [], "the component's own child is killed by the supervisor"


def test_the_kernel_ends_components_where_supervisor_and_warden_are_killed_at_once(tmp_path, sandbox, system):
    boot, mark, thread, _ = begin(sandbox, tmp_path, system)
    warden = warden_of(boot)
    (family,) = [pid for pid in sleeping(mark) if psutil.Process(pid).ppid() == warden]
    for pid in (boot.pid, warden):
        os.kill(pid, signal.SIGSTOP)  # neither can act before both are killed
    for pid in (warden, boot.pid):
        os.kill(pid, signal.SIGKILL)
    system.await_true(lambda: family not in system.marked(mark))
    thread.join(20)
    for pid in system.marked(mark):  # the component's own child: a gap that the docstring of the warden names
        os.kill(pid, signal.SIGKILL)


def test_a_sandbox_that_is_stopped_leaves_no_orphan(tmp_path, sandbox, system):
    _, mark, thread, _ = begin(sandbox, tmp_path, system)
    sandbox.stop()
    assert system.marked(mark) == []
    thread.join(20)


@pytest.mark.parametrize(("child", "found"), [("", 0), ("setsid", 1)], ids=["in-its-group", "in-a-session-of-its-own"])
def test_a_components_own_children_end_with_it(drive, child, found):
    reply = drive.boot(LONG.format(child=child, check=SOON))
    assert reply["outcome"] == "ready"
    assert len(reply["strays"]) == found, "what left the group is found by its environment, killed and told"
    assert drive.left == []


def warden_of(boot):
    """The component's one child; the warden's own, just forked, look like it for a moment."""
    (warden,) = psutil.Process(boot.pid).children()
    return warden.pid


def wardens(mark):
    return [one.pid for one in psutil.process_iter() if mark in _arguments(one)]


def _arguments(process):
    try:
        return process.cmdline()
    except psutil.Error:
        return []


OWNER = """
import sys
from pathlib import Path
from spiral_sandbox.target import start

boot = start([], seed=1, folder=Path(sys.argv[1])).component("boot")
print(boot.facts["boot.mark"], flush=True)
boot.ask("boot", manifest=sys.argv[2])
"""


def test_a_run_that_is_killed_leaves_no_orphan(tmp_path, system):
    (tmp_path / "long.toml").write_text(LONG.format(child="setsid", check=NEVER))
    command = [sys.executable, "-c", OWNER, str(tmp_path / "sandbox"), str(tmp_path / "long.toml")]
    (tmp_path / "sandbox").mkdir()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        mark = owner.stdout.readline().strip()
        system.await_true(lambda: len(sleeping(mark)) == 2)
        owner.kill()
    system.await_true(lambda: system.marked(mark) == [] and wardens(mark) == [])
