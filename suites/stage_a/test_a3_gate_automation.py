"""A3: the gate's own machinery works, from packaging to handoff."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from pytest_spiral.errors import ExchangeError
from pytest_spiral.model.exchange import Code, Request
from pytest_spiral.run.phases import Phases

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("pytest_spiral", "spiral_contract", "spiral_sandbox")
SERVICES = ("operator_api", "operator_upload", "crown_handshake")
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "reports", "node_modules")
WAIT_S = 300
TOOLS = {
    "build": [sys.executable, "-m", "build", "--version"],
    "pytest-cov": [sys.executable, "-c", "import pytest_cov; print(pytest_cov.__version__)"],
    "git": ["git", "--version"],
    "docker": ["docker", "--version"],
    "sox": ["sox", "--version"],
    "ffmpeg": ["ffmpeg", "-version"],
}
ASK_ORIGIN = "import importlib, sys; print(importlib.import_module(sys.argv[1]).__file__)"
ASK_POINTS = """
import json
from importlib.metadata import entry_points
named = {"pytest11": "spiral", "spiral.targets": "sandbox", "console_scripts": "spiral"}
print(json.dumps({group: next(one for one in entry_points(group=group) if one.name == name).load().__module__
    if group != "pytest11" else next(one for one in entry_points(group=group) if one.name == name).load().__name__
    for group, name in named.items()}))
"""
ASK_DEPENDENCIES = """
import json
from importlib.metadata import PackageNotFoundError, requires, version
from packaging.requirements import Requirement
told = {}
for one in map(Requirement, requires("pytest-spiral")):
    if one.marker is None or one.marker.evaluate({"extra": "sandbox"}):
        try:
            told[str(one)] = one.specifier.contains(version(one.name), prereleases=True)
        except PackageNotFoundError:
            told[str(one)] = False
print(json.dumps(told))
"""


def environment_without(*names):
    """This process's environment without some variables, and without what the pytest around has put there."""
    hidden = (*names, "PYTEST_", "COV_", "COVERAGE")
    return {name: value for name, value in os.environ.items() if not name.startswith(hidden)}


class Clean:
    """The sources, copied; what is built of them; and an environment in which nothing of ours is but that.

    Third-party packages are those of the environment that runs the gate, put behind: an editable install there is not
    followed, and whatever is imported says where it came from.
    """

    def __init__(self, folder):
        self.folder = folder
        self.phases = Phases()
        self.sources = folder / "sources"
        self.dist = folder / "dist"
        self.home = folder / "clean"
        self.python = self.home / "bin" / "python"
        self.environment = {**environment_without("PYTHONPATH", "VIRTUAL_ENV"), "PYTHONSAFEPATH": "1"}
        shutil.copytree(ROOT, self.sources, ignore=LEFT_OUT)

    def run(self, name, *command, cwd=None):
        """Run a command of this environment."""
        return self.phases.run(name, command, cwd or self.folder, self.environment, WAIT_S)

    def build(self):
        """Build the sdist, and the wheel from the sdist; gives the status."""
        tool = [sys.executable, "-P", "-m", "build", "--no-isolation", "--outdir", self.dist, self.sources]
        return self.run("build", *tool)[0]

    def install(self):
        """Make the environment and install the wheel; gives the status of either."""
        made, _ = self.run("venv", sys.executable, "-P", "-m", "venv", "--without-pip", self.home)
        inside = Path(sysconfig.get_path("purelib", vars={"base": str(self.home), "platbase": str(self.home)}))
        borrowed = dict.fromkeys((sysconfig.get_path("purelib"), sysconfig.get_path("platlib")))
        (inside / "borrowed.pth").write_text("\n".join(borrowed) + "\n", encoding="utf-8")
        pip = [sys.executable, "-P", "-m", "pip", "--python", self.python, "install", "--no-deps", "--no-index"]
        return made or self.run("install", *pip, "--quiet", *self.dist.glob("*.whl"))[0]

    def ask(self, name, script, *arguments, cwd=""):
        """What a script says in the clean environment, in one of its folders, or why it does not."""
        status, said = self.run(name, self.python, "-c", script, *arguments, cwd=self.folder / cwd)
        return said.strip() if status == 0 else f"status {status}: {said[-300:]}"

    def inner_run(self, gate):
        """Run a gate of the copied suites from the installed wheel; gives the status, the output and the bundle."""
        reports = self.folder / "inner"
        work = self.folder / "acceptance"
        for folder in ("suites", "profiles"):
            shutil.copytree(self.sources / folder, work / folder, dirs_exist_ok=True)
        shutil.copy(self.sources / "pyproject.toml", work)
        stage = f"stage_{gate[0].lower()}"
        options = ["-m", stage, "--spiral-gates", gate, "--spiral-evidence", f"--spiral-reports={reports}"]
        status, said = self.run(
            f"acceptance {gate}", self.python, "-m", "pytest", *options, "-p", "no:cacheprovider", cwd=work
        )
        found = sorted((reports / stage).glob("*")) if (reports / stage).is_dir() else []
        return status, said, found[0] if found else None


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """The clean environment, built and installed once; what went wrong shows in its phases."""
    made = Clean(tmp_path_factory.mktemp("clean"))
    if made.build() == 0:
        made.install()
    yield made
    shutil.rmtree(made.folder, ignore_errors=True)


def packaged_files():
    """What has to be in the wheel: every file of the packages, by its path, with its digest."""
    kinds = {".py", ".pyi", ".toml", ".json", ".jsonl", ".proto", ".typed", ".html", ".css", ".js"}
    paths = [path for name in PACKAGES for path in (ROOT / name).rglob("*")]
    kept = [path for path in paths if path.is_file() and (path.suffix in kinds or path.name == "py.typed")]
    return {path.relative_to(ROOT).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in kept}


def wheel_files(dist):
    """What is in the wheel, without its metadata."""
    with zipfile.ZipFile(next(dist.glob("*.whl"))) as wheel:
        names = [name for name in wheel.namelist() if ".dist-info/" not in name]
        return {name: hashlib.sha256(wheel.read(name)).hexdigest() for name in names}


@pytest.mark.criterion("A3.packaging")
def test_packages_are_built_installed_and_imported(spiral, clean):
    """Sdist and wheel, the wheel made from the sdist, installed where nothing else of ours is, and used from there."""
    with spiral.measure("packaging") as m:
        for phase in ("build", "venv", "install"):
            ended = [one.status for one in clean.phases.done if one.phase == phase]
            m.check(ended == [0], f"{phase} ended with {ended or 'nothing: it was not reached'}")
        for package in PACKAGES:
            origin = clean.ask(f"import {package}", ASK_ORIGIN, package)
            m.check(Path(origin).is_relative_to(clean.home), f"{package} comes from {origin}")
        points = clean.ask("entry points", ASK_POINTS)
        due = {"pytest11": "pytest_spiral.plugin", "spiral.targets": "spiral_sandbox.target",
               "console_scripts": "pytest_spiral.cli.main"}  # fmt: skip
        for group, module in due.items():
            m.check(f'"{group}": "{module}"' in points, f"the entry point in {group} does not load: {points}")
        status, said = clean.run("command", clean.home / "bin" / "spiral", "--help")
        m.check(status == 0 and "doctor" in said, f"the command spiral ended with {status}: {said[-200:]}")
        with tarfile.open(next(clean.dist.glob("*.tar.gz"))) as sdist:
            names = {Path(*Path(name).parts[1:]).as_posix() for name in sdist.getnames()}
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            m.check(name in names, f"the sdist has no {name}")
    with spiral.measure("in-wheel") as in_wheel, spiral.measure("in-sources") as in_sources:
        there, due = wheel_files(clean.dist), packaged_files()
        for name in sorted({*there, *due}):
            in_wheel.item(name, there.get(name, "nothing"))
            in_sources.item(name, due.get(name, "nothing"))
    with spiral.measure("dependencies") as m:
        for requirement, held in json.loads(clean.ask("dependencies", ASK_DEPENDENCIES)).items():
            m.check(held, f"{requirement} is not met by the environment that runs the gate")
    spiral.attach(clean.phases.log(), name="packaging-phases.json")


def measure_health(spiral, connectors):
    """Each connector's own word on its health, over REST and gRPC."""
    with spiral.measure("health") as m:
        for service in SERVICES:
            for kind in ("rest", "grpc"):
                token = connectors.ask("credential", service=service)["token"]
                metadata = {"authorization": f"Bearer {token}"}
                asked = Request(operation="health", payload={"service": service}, metadata=metadata, deadline_s=10.0)
                try:
                    code = connectors.transport(kind, service).exchange(asked).code
                except ExchangeError as error:
                    code = error.code
                m.check(code == Code.OK, f"{service} over {kind} answers {code}")


@pytest.mark.criterion("A3.health")
def test_every_connector_is_healthy(spiral):
    """Three connectors, two transports each; anything but healthy is a failure."""
    measure_health(spiral, spiral.target.connectors)


@pytest.mark.criterion("A3.control")
def test_a_503_is_not_healthy(spiral):
    """A connector that answers 503 is not called healthy."""
    with spiral.control() as broken:
        measure_health(spiral, broken.connectors)


@pytest.mark.criterion("A3.acceptance", "A3.handoff")
def test_acceptance_runs_from_the_wheel_and_hands_over_a_bundle(spiral, clean):
    """Gate A2 of the copied suites runs from the installed wheel; its bundle is verified by both verifiers, alone."""
    status, said, bundle = clean.inner_run("A2")
    with spiral.measure("acceptance") as m:
        m.check(status == 0, f"pytest ended with {status}: {said[-300:]}")
        m.check("gate A2 on sandbox" in said and "NO-GO" not in said, f"A2 did not get through: {said[-600:]}")
        logs = list((bundle / "logs").glob("*")) if bundle else []
        m.check(logs, "the inner run has archived no logs")
        origin = clean.ask("import from the acceptance folder", ASK_ORIGIN, "spiral_sandbox", cwd="acceptance")
        m.check(Path(origin).is_relative_to(clean.home), f"the system under test comes from {origin}")
    with spiral.measure("handoff") as m:
        moved = clean.folder / "handed-over"
        if bundle:
            shutil.move(bundle, moved)
        ours, told = clean.run("verify", clean.home / "bin" / "spiral", "verify", moved)
        m.check(ours == 0, f"spiral verify ended with {ours}: {told[-300:]}")
        second = clean.sources / "tools" / "verify_bundle.py"
        theirs, told = clean.run("verify by the second verifier", sys.executable, "-I", second, moved)
        m.check(theirs == 0, f"the second verifier ended with {theirs}: {told[-300:]}")
        (moved / "plan.json").write_bytes((moved / "plan.json").read_bytes() + b" ")
        spoilt, _ = clean.run("verify what was touched", clean.home / "bin" / "spiral", "verify", moved)
        m.check(spoilt == 3, f"one blank more in the plan, and spiral verify ended with {spoilt}")
    spiral.attach(clean.phases.log(), name="acceptance-phases.json")


COVERAGE = """
[run]
branch = true
source = {source}
parallel = true
patch = subprocess
data_file = {folder}/data
[report]
exclude_also =
    if TYPE_CHECKING:
    \\.\\.\\.$
"""


@pytest.mark.criterion("A3.coverage")
def test_the_system_under_test_is_covered(spiral, tmp_path):
    """The sandbox's own tests run by pytest-cov; lines and branches are added up from the files of its report."""
    phases, report = Phases(), tmp_path / "coverage.json"
    (tmp_path / "coveragerc").write_text(
        COVERAGE.format(folder=tmp_path, source=ROOT / "spiral_sandbox"), encoding="utf-8"
    )
    options = ["-n", "2", "-p", "no:cacheprovider", "--cov", "--cov-branch", f"--cov-config={tmp_path / 'coveragerc'}"]
    command = [sys.executable, "-m", "pytest", "tests/sandbox", "-q", *options]
    status, said = phases.run("coverage", [*command, f"--cov-report=json:{report}"], ROOT, environment_without(), 900)
    spiral.attach(phases.log(), name="coverage-phases.json")
    files = json.loads(report.read_text())["files"] if report.is_file() else {}
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "spiral_sandbox").rglob("*.py")}
    with spiral.measure("coverage-run") as m:
        m.check(status == 0, f"pytest ended with {status}: {said[-300:]}")
        m.check(files, "pytest-cov has written no report")
        missing = sorted(modules - {Path(name).as_posix() for name in files})
        m.check(not missing, f"not in the report: {', '.join(missing[:5])}")
    parts = {
        "line-coverage": ("covered_lines", "num_statements"),
        "branch-coverage": ("covered_branches", "num_branches"),
    }
    for name, (covered, there) in parts.items():
        with spiral.measure(name, unit="%") as m:
            whole = sum(one["summary"][there] for one in files.values())
            if whole:
                m.value(100 * sum(one["summary"][covered] for one in files.values()) / whole)
            else:
                m.failed("there is nothing in the report")


@pytest.mark.criterion("A3.toolchain")
def test_every_tool_works(spiral):
    """Each tool that the gate needs is started and says which one it is."""
    with spiral.measure("tools") as m:
        for name, command in TOOLS.items():
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
            said = (done.stdout + done.stderr).strip()
            m.check(done.returncode == 0 and said, f"{name} ended with {done.returncode}: {said[:200]}")
