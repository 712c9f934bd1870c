"""One run with evidence in which every component is used, and whose archive is what boards and rules are held against."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "monitoring"
GATES = """\
format = 1
[[gate]]
id = "M1"
title = "Every component is used"
owner = "@ops-team"
no_control = "a test of the tool"
subjects = ["operator", "memory", "connectors", "boot"]
[[gate.criterion]]
id = "M1.used"
limit = "failures(used) <= 0"
samples = 4
"""
TEST = """\
import pytest
from exercise import use_connectors, use_memory, use_operator

@pytest.mark.criterion("M1.used")
def test_used(spiral):
    with spiral.measure("used") as m:
        for name, use in (("operator", use_operator), ("memory", use_memory), ("connectors", use_connectors)):
            component = getattr(spiral.target, name)
            use(component.ask, component.transport)
            m.hit()
        spiral.target.boot.ask("run", boots=2, at_once=2)
        m.hit()
"""


def load(name, path):
    """A module from its file, under a name of its own."""
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def queries():
    return load("monitoring_queries", MONITORING / "queries.py")


@pytest.fixture(scope="session")
def boards():
    return load("monitoring_boards", MONITORING / "boards.py")


@pytest.fixture(scope="session")
def exercise():
    return load("monitoring_exercise", Path(__file__).parent / "exercise.py")


@pytest.fixture(scope="session")
def bundle(tmp_path_factory):
    """The bundle of a run on the sandbox."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "gates.toml").write_text(GATES)
    (folder / "test_used.py").write_text(TEST)
    (folder / "pytest.ini").write_text("[pytest]\nspiral_gate_files = gates.toml\n")
    shutil.copy(Path(__file__).parent / "exercise.py", folder)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--spiral-evidence"]
    options = ["--spiral-target=sandbox", f"--spiral-reports={folder / 'reports'}"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    ran = subprocess.run(
        [*command, *options], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    (sealed,) = folder.glob("reports/*/*/manifest.json")
    return sealed.parent


@pytest.fixture(scope="session")
def series(bundle):
    """Series that the archive has, by name, with the labels that stand on them."""
    found = {}
    for path in sorted(bundle.glob("metrics/*.prom")):
        for family in text_string_to_metric_families(path.read_text(encoding="utf-8")):
            for sample in family.samples:
                found.setdefault(sample.name, set()).update(sample.labels)
    return found


def tool(name):
    """Where a tool is; without it the test is environment-limited, with what the probe said."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"environment-limited: needs {name} (Debian: apt-get install prometheus); which {name}: nothing")
    return found


@pytest.fixture(scope="session")
def promtool():
    """Run promtool; gives status and output."""
    path = tool("promtool")

    def run(*arguments, **how):
        done = subprocess.run([path, *map(str, arguments)], capture_output=True, timeout=60, check=False, **how)
        return done.returncode, (done.stdout + done.stderr).decode()

    return run


@pytest.fixture(scope="session")
def prometheus():
    return tool("prometheus")


@pytest.fixture(scope="session")
def spans(bundle):
    """Names of the operator's spans in the archive."""
    lines = (bundle / "traces" / "operator" / "spans.jsonl").read_text(encoding="utf-8").splitlines()
    resources = [one for line in lines for one in json.loads(line)["resourceSpans"]]
    return [span["name"] for one in resources for scope in one["scopeSpans"] for span in scope["spans"]]
