"""`spiral record`: what its tests cannot reach, what it signs, and what it refuses to sign."""

import contextlib
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from pytest_spiral.evidence.keys import make_key, write_key
from pytest_spiral.model.launcher import AIMS

from .recording import GATES, NOBODY, TESTS, Project, demoted, limited

WAYS = [("-p", "no:xdist"), ("-n", "2")]
REWRITE = """\
import hashlib, json, os, pathlib

def digest(raw):
    return "sha256:" + hashlib.sha256(raw).hexdigest()

def rewrite(folder):
    heads = {}
    for path in sorted((folder / "journal").iterdir(), key=lambda path: path.name == "main.jsonl"):
        prev, lines = digest((folder / "bundle.json").read_bytes()), []
        for line in map(json.loads, path.read_bytes().splitlines()):
            line["prev"] = prev
            if line["kind"] == "test":
                line["body"]["duration_ns"] = 1
            if line["kind"] == "end":
                line["body"]["workers"] = heads
            raw = json.dumps(line, separators=(",", ":")).encode() + b"\\n"
            lines.append(raw)
            prev = digest(raw)
        path.write_bytes(b"".join(lines))
        heads[path.stem] = {"n": len(lines) - 1, "digest": prev, "ended": True}

def pytest_unconfigure(config):
    if not hasattr(config, "workerinput"):
        for folder in pathlib.Path("reports").glob(".recording-*/reports/*/*"):
            rewrite(folder)
"""
CONNECT = """\
import json, os, pathlib, socket

def connect():
    told = pathlib.Path("/proc/self/environ").read_bytes().split(b"\\0")
    path = next(one for one in told if one.startswith(b"SPIRAL_LAUNCHER=")).partition(b"=")[2]
    door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    door.connect(path)
    return door

def ask(door, **message):
    door.send(json.dumps(message).encode())
    return json.loads(door.recv(200_000))

def pytest_runtest_setup(item):
"""


@pytest.fixture
def project():
    python = limited()
    with tempfile.TemporaryDirectory(prefix="record-") as folder:
        yield Project(Path(folder), python)


def told_of(project):
    return json.loads((project.bundle / "bundle.json").read_text())


@pytest.mark.parametrize("way", [(), *WAYS], ids=["plain", "no-xdist", "two-workers"])
def test_a_run_under_the_launcher_is_proven_at_e2(project, way):
    project.plugins = None  # all that are installed
    done = project.record(*way)
    assert done.status == 0, done.said
    assert "1 passed" in done.said
    assert "all refused" in done.said
    assert project.level() == (0, "E2", [])
    assert project.verified()[0].status("go") == 0
    confined = told_of(project)["confinement"]
    assert {one["aim"]: bool(one["refused"]) for one in confined["escapes"]} == dict.fromkeys(AIMS, True)
    assert (confined["uid"], confined["launcher"]) == (NOBODY, 0)
    assert {one.stat().st_uid for one in project.bundle.rglob("*")} == {0}
    assert [one.name for one in (project.folder / "reports").iterdir()] == ["run"], "nothing of the recording is left"


EXAMINED = """\
[[gate]]
id = "S2"
title = "Somebody has read it"
owner = "@store"
no_control = "a document"
[[gate.criterion]]
id = "S2.charter"
method = "examine"
document = "charter.md"
signer = "ada"
"""


@pytest.mark.parametrize("tests", [True, False], ids=["beside tests", "alone"])
def test_a_document_that_is_examined_is_recorded_and_proven_as_well(project, tests):
    project.write("gates.toml", (GATES.replace("LEVEL", "E2") if tests else "format = 1\n") + EXAMINED)
    project.write("charter.md", "# Charter\n")
    if not tests:
        (project.folder / "test_lost.py").unlink()
    assert project.record().status == 1, "nobody has examined it"
    shutil.rmtree(project.folder / "reports")
    ada = make_key()
    write_key(project.home / "ada", ada)
    assert project.spiral("examine", "S2", "--key", project.home / "ada").status == 0
    done = project.record()
    assert done.status == 0, done.said
    root = project.home / "root"
    root.write_text(f'{root.read_text()}ada namespaces="spiral-signoff" {ada.public}\n')
    assert project.level() == (0, "E2", [])
    assert (project.verified()[0].status("go"), project.verified(trust=False)[0].status("go")) == (0, 1)


CLAIMED = """\
import pytest
from pytest_spiral.model.record import DocumentSeen
from pytest_spiral.plugin.keys import PROCESS

@pytest.mark.criterion("S1.lost")
def test_nothing_is_lost(spiral, request):
    seen = DocumentSeen(criterion="S1.lost", document="charter.md", path="PATH", bytes=1, sha256="x", statement="said")
    request.config.stash[PROCESS].writer.append(seen)
    with spiral.measure("work") as m:
        for _ in range(3):
            m.hit()
"""


@pytest.mark.parametrize("path", ["ABSOLUTE", "../../../../recorder.key", "../../../../../../recorder.key"])
def test_a_test_that_claims_to_have_looked_at_the_key_gets_no_copy_of_it(project, path):
    """The launcher can read what its tests cannot: of what a record names it takes what the bundle keeps, nothing else."""
    key = project.home / "recorder.key"
    project.write("test_lost.py", CLAIMED.replace("PATH", path.replace("ABSOLUTE", str(key))))
    done = project.record()
    assert "1 passed" in done.said, done.said
    secret = key.read_text().splitlines()[2]
    copies = [one for one in project.folder.rglob("*") if one.is_file() and secret in one.read_text(errors="replace")]
    assert copies == []


@pytest.mark.parametrize("way", WAYS, ids=["no-xdist", "two-workers"])
def test_a_journal_that_was_rewritten_is_refused(project, way):
    project.write("conftest.py", REWRITE)
    done = project.record(*way)
    assert done.status == 3, done.said
    assert "launcher-journal: " in done.said
    assert "is not the one that was told" in done.said
    assert not list(project.folder.glob("reports/run/*"))
    left = project.verified(bundle=project.left)[0].report.findings
    assert {one.code for one in left} == {"unsealed-ended"}, "nothing but the launcher knows that it was rewritten"


def test_a_test_that_lies_to_the_launcher_keeps_the_run_from_being_signed(project):
    project.write("conftest.py", CONNECT + '    ask(connect(), kind="hello", process="gw9")\n')
    done = project.record()
    assert done.status == 3, done.said
    assert "launcher-journal: journal/gw9.jsonl: its process told of records, and it is not there" in done.said
    assert not list(project.folder.glob("reports/run/*"))


def test_the_controls_of_the_attempts_go_through_as_root_and_leave_e1(project):
    done = project.record(options=["--user", "root"])
    assert done.status == 0, done.said
    assert "isolation: none, so this proves E1 at most" in done.said
    for why in ("the tests ran as root", "the key's file could be read", "the launcher could be sent signals"):
        assert why in done.said
    assert project.level() == (0, "E1", [])
    assert "take this one out of the trust root" in done.said
    recorder = ("countersign", project.bundle, "--key", "../recorder.key", "--trust", "../root")
    refused = project.spiral(*recorder)
    assert (refused.status, "could read the key" in refused.said) == (2, True), refused.said
    succeeded = {one["aim"] for one in told_of(project)["confinement"]["escapes"] if not one["refused"]}
    assert succeeded >= {"key", "descriptors", "signal", "identity", "code"}


def test_an_ordinary_user_is_told_why_and_gets_e1(project):
    own = project.home / "own.key"
    own.write_bytes((project.home / "recorder.key").read_bytes())
    own.chmod(0o600)
    os.chown(own, NOBODY, NOBODY)
    os.chown(project.folder, NOBODY, NOBODY)
    command = [project.python, "-m", "pytest_spiral.cli.main", *project.command("-n", "2", key=str(own))]
    done = demoted(command, cwd=project.folder, env={**project.environment(), "HOME": str(project.folder)}, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the launcher is no root user here" in done.stdout
    assert "the key's file could be read" in done.stdout
    assert project.level() == (0, "E1", [])
    escapes = {one["aim"]: one["refused"] for one in told_of(project)["confinement"]["escapes"]}
    assert escapes["key"] == ""
    assert escapes["memory"], "the launcher has made itself unreadable to its own user"


def test_the_exit_status_is_pytests(project):
    project.write("test_lost.py", TESTS.replace("m.hit()", "m.failed('lost')"))
    done = project.record()
    assert done.status == 1
    assert project.level()[:2] == (1, "E2")


def test_a_lie_about_the_exit_status_does_not_help(project):
    project.write("test_lost.py", TESTS.replace("m.hit()", "m.failed('lost')"))
    project.write("conftest.py", "import os\ndef pytest_unconfigure():\n    os._exit(0)\n")
    done = project.record("-p", "no:xdist")
    assert done.status == 1, done.said
    assert project.level()[:2] == (1, "E2"), "what was recorded before is signed as what it is"


def test_a_run_that_leaves_by_the_back_door_is_not_signed(project):
    project.write("conftest.py", "import os\ndef pytest_runtest_teardown():\n    os._exit(0)\n")
    done = project.record("-p", "no:xdist")
    assert done.status == 1, done.said
    assert "nothing is signed, since the run is incomplete" in done.said
    assert project.spiral("recover", project.left).status == 0


def test_what_a_test_leaves_running_does_not_outlive_the_run(project):
    project.write(
        "conftest.py",
        "import os, subprocess\ndef pytest_unconfigure(config):\n"
        "    if not hasattr(config, 'workerinput'):\n"
        "        left = subprocess.Popen(['sleep', '600'], start_new_session=True, stdout=subprocess.DEVNULL,\n"
        "                                stderr=subprocess.DEVNULL)\n        print(f'left={left.pid}=', flush=True)\n",
    )
    done = project.record()
    assert done.status == 0, done.said
    left = int(done.said.partition("left=")[2].partition("=")[0])
    assert not psutil.pid_exists(left)


@contextlib.contextmanager
def going_on(project, *arguments):
    """A recording whose test waits: the launcher's process, when the test has begun."""
    project.write(
        "test_lost.py",
        # in pieces: a signal that comes right before one long wait would be seen when that is over
        TESTS + "\n\ndef test_that_waits():\n    import threading\n    print('waiting', flush=True)\n"
        "    while not threading.Event().wait(0.1):\n        pass\n",
    )
    command = [sys.executable, "-m", "pytest_spiral.cli.main", *project.command("-s", *arguments)]
    with subprocess.Popen(
        command,
        cwd=project.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=project.environment(),
    ) as launcher:
        for line in launcher.stdout:
            if "waiting" in line:
                break
        try:
            yield launcher
        except BaseException:
            launcher.kill()
            raise


def test_a_signal_is_passed_on_and_the_interrupted_run_is_sealed(project):
    with going_on(project, "-p", "no:xdist") as launcher:
        (below,) = psutil.Process(launcher.pid).children()
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:  # root, who is not the tests' user
            door.connect(below.environ()["SPIRAL_LAUNCHER"])
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # closed before or after this is sent
                door.send(b"nonsense")
                assert door.recv(1) == b""
        launcher.send_signal(signal.SIGTERM)
        said = launcher.stdout.read()
    assert launcher.returncode == 2, said
    assert "spiral: stopped" in said
    assert project.level() == (0, "E2", []), "another user was not heard"
    ends = [json.loads(line) for line in (project.bundle / "journal" / "main.jsonl").read_bytes().splitlines()]
    assert ends[-1]["body"]["status"] == "interrupted"


def test_no_process_remains_when_the_launcher_is_killed(project):
    with going_on(project, "-p", "no:xdist") as launcher:
        below = psutil.Process(launcher.pid).children(recursive=True)
        assert [one.uids().real for one in below] == [NOBODY]
        launcher.kill()
        gone, alive = psutil.wait_procs(below, timeout=20)
    assert (len(gone), alive) == (1, [])
    assert not list(project.folder.glob("reports/run/*"))


def test_the_ledger_is_written_by_the_launcher_alone(project):
    refused = '    told = ask(connect(), kind="register", entry="sealed", body={})\n    assert told["kind"] == "refused", told\n'
    own = '    assert not os.access("reports/ledger.jsonl", os.W_OK)\n    assert os.getuid() == 65534\n'
    project.write("conftest.py", CONNECT + refused + own)
    done = project.record(options=["--ledger", "reports/ledger.jsonl"])
    assert done.status == 0, done.said
    ledger = project.folder / "reports" / "ledger.jsonl"
    kinds = [json.loads(line)["kind"] for line in ledger.read_bytes().splitlines()]
    assert kinds == ["ledger", "opened", "collected", "sealed"]
    assert (ledger.stat().st_uid, stat.S_IMODE(ledger.stat().st_mode) & 0o022) == (0, 0)
    assert project.level(kept=ledger) == (0, "E2", [])
    assert {one["aim"] for one in told_of(project)["confinement"]["escapes"]} == {*AIMS, "ledger"}


def test_what_was_sealed_before_is_no_input_and_makes_nothing_stale(project):
    project.write("gates.toml", GATES.replace("LEVEL", "E2") + 'inputs = ["**/*.json", "*.py"]\n')
    project.write("data.json", "{}")
    opened = set()
    for _ in range(2):
        done = project.record()
        assert done.status == 0, done.said
        (last,) = {*project.folder.glob("reports/run/*")} - opened
        opened.add(last)
    read = json.loads((last / "bundle.json").read_text())["inputs"]
    assert {name: list(files) for name, files in read.items()} == {"**/*.json": ["data.json"], "*.py": ["test_lost.py"]}
    fresh = project.spiral("show", last, "--fresh")
    assert (fresh.status, "1 of 1 criteria that declare inputs are fresh" in fresh.said) == (0, True), fresh.said


POOLED = GATES.replace(
    'limit = "failures(work) <= 0"\nsamples = 3', 'limit = "rate(work) >= 95 %"\nsamples = 59\nconfidence = 0.95'
).replace('assurance = "LEVEL"\n', "")
COUNTED = """\
from pathlib import Path

import pytest

@pytest.mark.criterion("S1.lost")
def test_nothing_is_lost(spiral):
    with spiral.measure("work") as m:
        for _ in range(int(Path("take").read_text())):
            m.hit()
"""


def night(project, count):
    """One release run of `count` samples for the plan of POOLED."""
    project.write("take", str(count))
    return project.record("--spiral-release", options=["--ledger", "reports/ledger.jsonl"])


def test_attempts_that_fill_a_plan_together_end_with_success(project):
    project.write("gates.toml", POOLED)
    project.write("test_lost.py", COUNTED)
    project.write(".gitignore", "take\n")
    git = ["git", "-C", str(project.folder), "-c", "user.name=a", "-c", "user.email=a@b.invalid"]
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "it"]):
        subprocess.run([*git, *arguments], check=True)
    first = night(project, 30)
    assert (first.status, "together with" in first.said) == (1, False), first.said
    opened = project.bundle
    second = night(project, 29)
    assert second.status == 0, second.said
    assert "decision: GO, together with 1 earlier attempt" in second.said
    (last,) = {*project.folder.glob("reports/run/*")} - {opened}
    assert project.verified(bundle=last)[0].status("go") == 0


def test_a_head_that_the_launcher_published_proves_e3(project):
    project.write("gates.toml", GATES.replace("LEVEL", "E3"))
    (project.home / "keep").write_text('#!/bin/sh\ncat > ../head.txt\necho "$1" > ../argument.txt\n')
    (project.home / "keep").chmod(0o755)
    done = project.record(options=["--ledger", "reports/ledger.jsonl", "--publish", "../keep"])
    assert done.status == 0, done.said
    assert project.level() == (0, "E3", [])
    checked, said = project.verified()
    assert (checked.status("go"), checked.proven.decision) == (0, "GO")
    assert "E3: " in said
    assert "log: witnessed" in said
    head = (project.home / "head.txt").read_text()
    assert head == (project.home / "argument.txt").read_text()
    assert head.startswith("spiral-head/1 sha256:")
    assert project.level(kept=project.home / "head.txt") == (0, "E3", [])
    assert "the kept head is the one that was published" in project.verified(kept=project.home / "head.txt")[1]
    assert "log: local" in project.verified(trust=False)[1], "nobody is known to have signed it"


def test_a_command_that_fails_leaves_e2_and_says_so(project):
    done = project.record(options=["--ledger", "reports/ledger.jsonl", "--publish", "false"])
    assert done.status == 0, done.said
    assert project.level() == (0, "E2", [])
    said = project.verified()[1]
    assert "its head was not published: the command ended with status 1" in said
    assert "log: local" in said


WRONG = {
    "nothing to run": (["record", "--key", "../recorder.key"], "nothing is to be run"),
    "no key": (["record", "--key", "none", "--", "PYTHON", "-m", "pytest"], "cannot be read"),
    "no such user": (["record", "--key", "../recorder.key", "--user", "nobody-at-all", "--", "true"], "no account"),
    "no such program": (["record", "--key", "../recorder.key", "--", "no-such-program"], "is no program"),
    "a program that it may not run": (["record", "--key", "../recorder.key", "--", "../locked"], "cannot run"),
    "publishing without a ledger": (
        ["record", "--key", "../recorder.key", "--publish", "true", "--", "true"],
        "no ledger is named",
    ),
}


@pytest.mark.parametrize(("command", "why"), WRONG.values(), ids=list(WRONG))
def test_wrong_use_is_one_sentence_and_leaves_nothing(project, command, why):
    locked = project.home / "locked"
    locked.write_text("#!/bin/sh\n")
    locked.chmod(0o700)
    done = project.spiral(*[project.python if one == "PYTHON" else one for one in command])
    assert (done.status, why in done.said) == (2, True), done.said
    assert not list(project.folder.glob("reports/.recording-*"))


@pytest.mark.parametrize("option", ["--spiral-key=../recorder.key", "--spiral-reports=x", "--spiral-ledger=y"])
def test_what_the_launcher_does_is_not_for_pytest_to_be_told(project, option):
    done = project.record(option)
    assert done.status == 4, done.said
    assert "is for spiral record to know" in done.said


def test_a_ledger_in_the_configuration_is_not_passed_over(project):
    project.write("pytest.ini", "[pytest]\nspiral_ledger = reports/ledger.jsonl\n")
    done = project.record()
    assert done.status == 4, done.said
    assert "--ledger=reports/ledger.jsonl" in done.said


def test_a_folder_that_the_other_user_cannot_read_is_told(project):
    project.folder.chmod(0o700)
    done = project.record()
    assert (done.status, "cannot read" in done.said) == (2, True), done.said


def test_tests_have_a_home_a_temporary_folder_a_cache_and_git(project):
    subprocess.run(["git", "init", "-q", str(project.folder)], check=True)
    project.write("pytest.ini", "[pytest]\nfilterwarnings = error\naddopts = --strict-config\n")
    project.write(
        "conftest.py",
        "import os, pathlib, subprocess, tempfile\n\ndef pytest_runtest_setup(item):\n"
        "    pathlib.Path.home().joinpath('there').write_text('x')\n    tempfile.mkdtemp()\n"
        "    item.config.cache.set('a/b', 1)\n    assert item.config.cache.get('a/b', 0) == 1\n"
        "    subprocess.run(['git', 'status'], check=True, capture_output=True)\n"
        "    assert 'SPIRAL_LAUNCHER' not in os.environ\n",
    )
    done = project.record()
    assert done.status == 0, done.said
    assert not (project.folder / ".pytest_cache").exists()


def test_the_help_says_who_defeats_it():
    done = subprocess.run(
        [sys.executable, "-m", "pytest_spiral.cli.main", "record", "--help"], capture_output=True, text=True, check=True
    )
    assert "Root defeats it" in done.stdout
