"""Running `spiral record` for real: a project that another user can read, a Python that it can run, and keys."""

import functools
import os
import runpy
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_spiral.evidence.keys import make_key, write_key
from pytest_spiral.render.verification import render_verification
from pytest_spiral.run.grounds import Grounds, load_trust
from pytest_spiral.run.registered import load_kept
from pytest_spiral.run.verify import verify_bundle

ROOT = Path(__file__).parents[2]
NOBODY = 65534
GATES = """\
format = 1
assurance = "LEVEL"
[[gate]]
id = "S1"
title = "Nothing is lost"
owner = "@store"
no_control = "a test of the tool"
[[gate.criterion]]
id = "S1.lost"
limit = "failures(work) <= 0"
samples = 3
"""
TESTS = """\
import pytest

@pytest.mark.criterion("S1.lost")
def test_nothing_is_lost(spiral):
    with spiral.measure("work") as m:
        for _ in range(3):
            m.hit()
"""
PATHS = os.pathsep.join([str(ROOT), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])


def demoted(command, **options):
    """Run a command as `nobody`, without root's groups."""
    return subprocess.run(
        command, user=NOBODY, group=NOBODY, extra_groups=[], capture_output=True, text=True, check=False, **options
    )


@functools.cache
def common_python():
    """A Python of this version that `nobody` can run with what is installed here; why there is none, as the second."""
    if os.geteuid() != 0:
        return "", "only root can start a process as another user, and this is not root"
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    why = f"no {version} that uid {NOBODY} can run"
    for one in (sys.executable, shutil.which(version, path="/usr/local/bin:/usr/bin:/bin")):
        if one is None:
            continue
        try:
            done = demoted([one, "-c", "import xdist, msgspec, pytest_spiral"], cwd="/", env={"PYTHONPATH": PATHS})
        except OSError as problem:
            why = f"{one}: {problem.strerror}"
            continue
        if done.returncode == 0:
            return one, ""
        why = f"{one}: {done.stderr.strip()[-300:]}"
    return "", why


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it said."""

    status: int
    said: str


class Project:
    """A small project with a gate, in a folder that everybody can read; keys beside it that root alone can read."""

    def __init__(self, folder, python):
        self.folder, self.python, self.home = folder / "project", python, folder
        self.plugins = "pytest_spiral.plugin,xdist.plugin"
        self.folder.mkdir()
        folder.chmod(0o755)
        (folder / "tmp").mkdir()
        (folder / "tmp").chmod(0o1777)
        self.write("gates.toml", GATES.replace("LEVEL", "E2"))
        self.write("test_lost.py", TESTS)
        key = make_key()
        write_key(folder / "recorder.key", key)
        (folder / "root").write_text(f'ci@example.org namespaces="spiral-recorder" {key.public}\n')

    def write(self, name, text):
        (self.folder / name).write_text(text)

    def environment(self):
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("COV_", "COVERAGE_", "PYTEST_"))
        }
        few = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": self.plugins} if self.plugins else {}
        return {**kept, **few, "PYTHONPATH": PATHS, "COLUMNS": "200", "TMPDIR": str(self.home / "tmp")}

    def spiral(self, *arguments, python=sys.executable):
        done = subprocess.run(
            [python, "-m", "pytest_spiral.cli.main", *map(str, arguments)], cwd=self.folder, capture_output=True,
            text=True, check=False, timeout=60, env=self.environment(),
        )  # fmt: skip
        assert "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
        return Done(done.returncode, done.stdout + done.stderr)

    def command(self, *arguments, options=(), key="../recorder.key"):
        return ["record", "--key", key, *options, "--", self.python, "-m", "pytest", *arguments]

    def record(self, *arguments, options=(), key="../recorder.key"):
        return self.spiral(*self.command(*arguments, options=options, key=key))

    @property
    def bundle(self):
        (found,) = self.folder.glob("reports/run/*")
        return found

    @property
    def left(self):
        (found,) = self.folder.glob("reports/.recording-*/reports/run/*")
        return found

    def verified(self, *, bundle=None, kept=None, trust=True):
        """What verifying comes to, with a ledger or a head that was kept; and all that is said of it."""
        bundle = bundle or self.bundle
        root = load_trust(self.home / "root") if trust else None
        checked = verify_bundle(bundle, Grounds(trust=root, kept=load_kept(kept) if kept else None))
        lines = render_verification(checked.report, checked.judgement, str(bundle), "conditional", 400)
        return checked, "\n".join("".join(span.text for span in line) for line in lines)

    def level(self, **grounds):
        """Status, level and codes of verifying, which the second verifier must see as well but for E3."""
        checked = self.verified(**grounds)[0]
        second = runpy.run_path(str(ROOT / "tools" / "verify_bundle.py"))
        check = second["Check"](str(self.bundle), second["read_trust"]((self.home / "root").read_text()))
        assert (check.level, check.found) == (min(checked.level, "E2"), {})
        return checked.status("conditional"), checked.level, sorted({one.code for one in checked.report.findings})


def limited():
    """Skip where no test can be started as another user."""
    python, why = common_python()
    if not python:
        pytest.skip(f"environment-limited: needs root, and a Python that another user can run; {why}")
    return python
