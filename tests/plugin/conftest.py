"""Runs pytest with the plugin in a folder of its own, and gives back values; what holds in every run is asserted here."""

import importlib
import json
import os
import pkgutil
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

import pytest_spiral
from pytest_spiral.model.evidence import Evidence
from pytest_spiral.model.judgement import CriterionVerdict, Judgement
from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.canonical import canonical_bytes
from pytest_spiral.run.verify import Checked, judge_bundle, verify_bundle

WIDTH = 120
TIMEOUT_S = 60
# Plugins of other projects that happen to be installed; hypothesis and anyio take longer to import than a run takes.
ASIDE = ("hypothesispytest", "anyio", "benchmark")
WAYS = {"plain": (), "without-xdist": ("-p", "no:xdist"), "two-workers": ("-n", "2")}
SMALLEST_GATE = """\
# gates.toml
format = 1
[[gate]]
id = "S1"
title = "Search answers in time"
owner = "@search"
no_control = "first steps"
[[gate.criterion]]
id = "S1.latency"
limit = "p95(search) <= 120 ms"
samples = 100
confidence = 0.95
"""
SMALLEST_TEST = """\
import pytest

@pytest.mark.criterion("S1.latency")
def test_search_is_fast(spiral, client):
    with spiral.measure("search", unit="ms") as m:
        for _ in range(100):
            with m.timed():
                client.search("x")
"""


@pytest.fixture(scope="session", autouse=True)
def _whole_package() -> None:
    """Pytester forgets modules that an inner run imports; loaded twice, one class would become two."""
    for module in pkgutil.walk_packages(pytest_spiral.__path__, "pytest_spiral."):
        if not module.name.startswith("pytest_spiral.cli.main"):
            importlib.import_module(module.name)


@dataclass(frozen=True)
class Ran:
    """What a run of pytest came to. `bundle` and what follows from it are None where none was begun."""

    status: int
    out: str
    outcomes: dict[str, int]
    bundle: Path | None
    judgement: Judgement | None
    checked: Checked | None

    @property
    def verdicts(self) -> dict[str, str]:
        """Criterion id to verdict."""
        assert self.judgement is not None, self.out
        return {one.id: str(one.verdict) for one in self.judgement.criteria}

    @property
    def decision(self) -> str:
        """The decision's word; `none` for a partial run."""
        assert self.judgement is not None, self.out
        return str(self.judgement.decision or "none")

    def criterion(self, name: str) -> CriterionVerdict:
        """The verdict of one criterion."""
        assert self.judgement is not None, self.out
        return next(one for one in self.judgement.criteria if one.id == name)

    @property
    def evidence(self) -> Evidence:
        """What the bundle says, read back."""
        assert self.bundle is not None
        return judge_bundle(self.bundle)[0]

    @property
    def verified(self) -> int:
        """The exit status of `spiral verify --require conditional`."""
        assert self.checked is not None, self.out
        return self.checked.status("conditional")

    def line(self, word: str) -> str:
        """The one line of the output in which `word` stands."""
        found = [line for line in self.out.splitlines() if word in line]
        assert len(found) == 1, f"{word!r} stands in {len(found)} lines of\n{self.out}"
        return found[0]


class Lab:
    """A folder with gates and tests in it, in which pytest is run."""

    def __init__(self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pytester = pytester
        self.path = pytester.path
        self.monkeypatch = monkeypatch
        self.apart = False
        self.write("conftest.py", CONFTEST)

    def write(self, name: str, text: str | bytes) -> Path:
        """Write a file under the folder."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def smallest(self) -> None:
        """Write the smallest gate, as printed in the manual."""
        self.write("gates.toml", SMALLEST_GATE)
        self.write("test_search.py", SMALLEST_TEST)

    def gates(self, *criteria: str, gate: str = "S1", head: str = 'no_control = "a test of the tool"') -> None:
        """Write gates.toml with one gate; each criterion is its TOML lines, the first of them the id's word."""
        self.write("gates.toml", "format = 1\n" + gate_of(gate, head, criteria))

    def test(self, body: str, name: str = "test_gate.py") -> None:
        """Write a test module; `pytest` is imported in it."""
        self.write(name, "import os, signal, pytest\n" + body)

    def run(
        self,
        *arguments: str,
        evidence: bool = True,
        apart: bool = False,
        cwd: Path | None = None,
        wrapper: Iterable[str] = (),
    ) -> Ran:
        """Run pytest; `apart` in a process of its own, which tests that end their process need.

        `cwd` is another folder to run in, `wrapper` the beginning of the command line: both run apart.
        """
        whole = [*(f"-pno:{name}" for name in ASIDE), *(["--spiral-evidence"] if evidence else []), *arguments]
        before = set(self.path.rglob("bundle.json"))
        if apart or cwd or (self.apart and "-n" in arguments):
            status, out = _apart([*wrapper, sys.executable, "-m", "pytest", *whole], cwd or self.path)
        else:
            result = self.pytester.runpytest_inprocess(*whole)
            status, out = int(result.ret), "\n".join([*result.outlines, *result.errlines])
        assert "INTERNALERROR" not in out
        new = sorted(one for one in set(self.path.rglob("bundle.json")) - before if "earlier" not in one.parts)
        assert len(new) <= 1
        ran = _read(status, out, new[0].parent if new else None)
        _check(ran, evidence=evidence)
        return ran


def _apart(command: list[str], cwd: Path) -> tuple[int, str]:
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, check=False, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL
    )
    return done.returncode, (done.stdout + done.stderr).decode(errors="backslashreplace")


CONFTEST = """\
import pytest

@pytest.fixture
def client():
    class Client:
        def search(self, text):
            return sorted(text)
    return Client()
"""


def gate_of(gate: str, head: str, criteria: Iterable[str]) -> str:
    """One gate's TOML."""
    lines = ["[[gate]]", f'id = "{gate}"', f'title = "Gate {gate}"', 'owner = "@owner"', head]
    for one in criteria:
        word, _, rest = one.strip().partition("\n")
        lines += ["[[gate.criterion]]", f'id = "{gate}.{word.strip()}"', rest]
    return "\n".join(lines) + "\n"


def _read(status: int, out: str, bundle: Path | None) -> Ran:
    judgement = checked = None
    if bundle is not None:
        checked = verify_bundle(bundle)
        if (bundle / "summary.json").is_file():
            judgement = msgspec.json.decode((bundle / "summary.json").read_bytes(), type=Judgement)
    return Ran(status, out, _outcomes(out), bundle, judgement, checked)


def _outcomes(out: str) -> dict[str, int]:
    """The counts of pytest's own last line; its `parseoutcomes` knows no word with a hyphen."""
    lines = [line for line in out.splitlines() if re.search(r" in \d+\.\d+s", line)]
    found = re.findall(r"(\d+) ([a-z][a-z-]+)", lines[-1].partition(" in ")[0]) if lines else []
    return {word: int(count) for count, word in found}


def _check(ran: Ran, *, evidence: bool) -> None:
    """What must hold in every run."""
    summary = ran.out.partition("─ spiral: ")[2].partition(" check it ")[0]
    assert all(len(line) <= WIDTH for line in summary.splitlines()), summary
    if not evidence:
        assert ran.bundle is None
        return
    if ran.judgement is None or ran.bundle is None or ran.checked is None:
        assert ran.status != 0
        return
    assert ran.checked.report.outcome == "sound", ran.checked.report
    assert ran.verified == (0 if ran.judgement.permission and not ran.judgement.partial else 1)
    assert sum(ran.judgement.counts.values()) == len(ran.judgement.criteria)
    assert sum(ran.judgement.tests.values()) == len(ran.evidence.tests)
    assert (ran.bundle / "summary.json").read_bytes() == canonical_bytes(msgspec.to_builtins(ran.judgement)) + b"\n"
    blockers = [one.verdict for one in ran.judgement.criteria if one.level == "blocker"]
    if ran.status == 0 and not ran.judgement.partial:
        assert set(blockers) <= {Verdict.PASS, Verdict.ENVIRONMENT_LIMITED, Verdict.INAPPLICABLE}
        assert Verdict.PASS in [one.original for one in ran.judgement.criteria]
    assert ran.judgement.run == ran.bundle.name
    assert json.loads((ran.bundle / "bundle.json").read_bytes())["scope"] is not None
    assert not list(ran.bundle.rglob("*.part-*"))


@pytest.fixture
def lab(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A fresh folder in which pytest can be run."""
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    for name in [name for name in os.environ if name.startswith(("PYTEST_XDIST", "COV_CORE"))]:
        monkeypatch.delenv(name)
    return Lab(pytester, monkeypatch)


@pytest.fixture(params=WAYS.values(), ids=WAYS.keys())
def way(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """The three ways in which a session can run: plain, without xdist, with two workers."""
    ways: tuple[str, ...] = request.param
    return ways


FAKE_TARGET = '''\
"""A target of one component, a child process that lives until its input ends; its faults are named below."""

import subprocess
import sys

FAULTS = ("drop", "no-start", "late")


class Store:
    name, version, identity, digest, endpoints, log = "store", "1", "store-1", "sha256:" + "0" * 64, {}, None

    def __init__(self, faults):
        self.faults = faults
        self.child = subprocess.Popen(["cat"], stdin=subprocess.PIPE)

    def ask(self, op, **arguments):
        if op == "die":
            self.child.kill()
            self.child.wait()
        if self.child.poll() is not None:
            raise RuntimeError("store has gone away")
        return {"found": not ("drop" in self.faults and arguments.get("number") == 3)}


class Fake:
    facts, components = {"clock.trusted": True}, ("store",)

    def __init__(self, name, faults, fidelity):
        self.name, self.faults, self.fidelity, self.started = name, faults, fidelity, None

    def component(self, name):
        if "late" in self.faults:
            raise RuntimeError("store did not come up")
        self.started = self.started or Store(self.faults)
        return self.started

    def lost(self):
        return ["store"] if self.started and self.started.child.poll() is not None else []

    def stop(self):
        if self.started:
            self.started.child.stdin.close()
            self.started.child.wait()
            self.started = None


def start(faults, seed, folder):
    strangers = [one for one in faults if one not in FAULTS]
    if strangers:
        raise ValueError(f"there is no fault {strangers[0]!r}; there are {', '.join(FAULTS)}")
    if "no-start" in faults:
        raise RuntimeError("the port is taken")
    return Fake("fake", faults, "undeclared")


def boast(faults, seed, folder):
    """The same, registered as more than it can show."""
    return Fake("boaster", faults, "live")
'''


@pytest.fixture
def fake_target(lab: Lab) -> str:
    """Installs two targets, as any distribution does: `fake`, and `boaster`, which is registered as live."""
    metadata = "fake_spiral_target-1.0.dist-info"
    lab.write("installed/fake_spiral_target.py", FAKE_TARGET)
    lab.write(f"installed/{metadata}/METADATA", "Metadata-Version: 2.1\nName: fake-spiral-target\nVersion: 1.0\n")
    targets = "fake = fake_spiral_target:start\nboaster = fake_spiral_target:boast\nbroken = no_such_module:start\n"
    lab.write(f"installed/{metadata}/entry_points.txt", f"[spiral.targets]\n{targets}")
    folder = str(lab.path / "installed")
    lab.monkeypatch.syspath_prepend(folder)
    lab.apart = True  # xdist hands its workers the path that it was imported with, which is the outer run's
    lab.monkeypatch.setenv("PYTHONPATH", folder, prepend=os.pathsep)
    return "fake"


@pytest.fixture
def without_rights() -> tuple[str, ...]:
    """The beginning of a command line under which file permissions hold, for root too."""
    if os.geteuid() != 0:
        return ()
    found = shutil.which("setpriv")
    if found is None:
        pytest.skip("root, and no setpriv to drop its capabilities")
    return (found, "--bounding-set=-all", "--inh-caps=-all", "--")


@pytest.fixture
def toml() -> Callable[..., str]:
    """One gate's TOML: `toml("S1", 'no_control = "x"', ["word\\nlimit = …"])`."""
    return gate_of


@pytest.fixture
def smallest() -> tuple[str, str]:
    """The smallest gate and its test, as printed in the manual."""
    return SMALLEST_GATE, SMALLEST_TEST


Any  # noqa: B018
