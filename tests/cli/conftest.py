"""The command `spiral` over bundles of real runs, and gives back status and text."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass

import pytest

from pytest_spiral.cli.main import main

ONE_GATE = """\
format = 1
[[gate]]
id = "S1"
title = "Search answers"
owner = "@search"
no_control = "a test of the tool"
[[gate.criterion]]
id = "S1.latency"
limit = "p95(search) <= 120 ms"
samples = 100
confidence = 0.95
[[gate.criterion]]
id = "S1.failures"
limit = "failures(search) <= 0"
samples = 100
"""
NATIVE = """\
[[gate.criterion]]
id = "S1.native"
limit = "failures(native) <= 0"
samples = 1
requires = "module.no_such_module_anywhere"
"""
TWO_GATES = ONE_GATE.replace('tool"\n', 'tool"\ndue = "S2"\n') + NATIVE
TESTS = """\
import pytest

@pytest.mark.criterion("S1.latency", "S1.failures")
def test_search(spiral):
    with spiral.measure("search", unit="ms") as m:
        for number in range(100):
            if number == 41 and BROKEN:
                m.failed("no answer")
            else:
                m.value(4.5)

@pytest.mark.criterion("S1.native")
def test_native(spiral):
    raise AssertionError("never reached")
"""


@dataclass(frozen=True)
class Said:
    """What a command said, and its exit status."""

    status: int
    out: str
    err: str


@pytest.fixture
def spiral_command(capsys, monkeypatch, tmp_path):
    """Run `spiral` with these arguments in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments):
        capsys.readouterr()
        try:
            status = main([str(one) for one in arguments])
        except SystemExit as end:  # argparse: --help and wrong arguments
            status = end.code
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return Said(status, said.out, said.err)

    return run


def make_bundle(folder, *, broken, seal=True, options=(), gates=TWO_GATES):
    """Run the two tests with evidence in a process of their own; gives the bundle's folder."""
    folder.mkdir()
    (folder / "gates.toml").write_text(gates)
    tests = TESTS if "S1.native" in gates else TESTS.partition('@pytest.mark.criterion("S1.native")')[0]
    (folder / "test_search.py").write_text(tests.replace("BROKEN", str(broken)))
    if not seal:
        (folder / "conftest.py").write_text("import os\ndef pytest_sessionfinish():\n    os._exit(0)\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--spiral-evidence", "-p", "no:cacheprovider", "-p", "no:allure_pytest", *options],
        cwd=folder, capture_output=True, text=True, check=False, timeout=60, env={**os.environ, "COLUMNS": "100"},
    )  # fmt: skip
    (bundle,) = (folder / "reports" / "run").iterdir()
    assert done.returncode == (1 if broken and seal else 0), done.stdout + done.stderr
    return bundle


@pytest.fixture(scope="session")
def make_run():
    """Make a bundle of a real run, as `make_bundle`."""
    return make_bundle


@pytest.fixture(scope="session")
def kept_bundles(tmp_path_factory):
    """Bundles by what they come to; never changed, only copied."""
    folder = tmp_path_factory.mktemp("kept")
    return {
        "conditional": make_bundle(folder / "conditional", broken=False),
        "no-go": make_bundle(folder / "no-go", broken=True),
        "unsealed": make_bundle(folder / "unsealed", broken=False, seal=False),
    }


@pytest.fixture(scope="session")
def keys(tmp_path_factory):
    """A folder with `job.key`, which signed the bundle `signed`, and a trust root that trusts it as a job."""
    folder = tmp_path_factory.mktemp("keys")
    assert main(["key", "new", str(folder / "job.key"), "--comment", "runner 2"]) == 0
    trust = ["key", "trust", "--trust", str(folder / "trusted"), str(folder / "job.key.pub")]
    assert main([*trust, "--principal", "ci@example.org", "--role", "spiral-job"]) == 0
    return folder


@pytest.fixture(scope="session")
def signed_bundle(tmp_path_factory, keys):
    """A bundle of a real run, signed; never changed."""
    folder = tmp_path_factory.mktemp("signed") / "run"
    return make_bundle(folder, broken=False, options=[f"--spiral-key={keys / 'job.key'}"])


@pytest.fixture
def bundle(kept_bundles, tmp_path):
    """A copy of a kept bundle, to read or to damage."""

    def copied(name):
        return shutil.copytree(kept_bundles[name], tmp_path / "reports" / "run" / kept_bundles[name].name)

    return copied
