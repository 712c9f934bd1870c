"""Every sample in every document is run or parsed.

A comment above a fence says what it is: `file: first/gates.toml` puts it into a folder called `first`; `refused: PATH` is a
gates file that must be refused, with the text of the next fence; `sample: compile` is Python that needs more than a
folder. `expect: first status=0 decision=GO --option` runs pytest in the folder `first`.
"""

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_spiral.cli.main import COMMANDS
from pytest_spiral.errors import GatesFileError
from pytest_spiral.plugin.options import add_options
from pytest_spiral.profiles.declared import parse_declared
from pytest_spiral.rules.expectation import parse_expectation
from pytest_spiral.run.gates import parse_gate_file
from pytest_spiral.run.target_file import parse_targets

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(
    r"(?:^<!-- (?P<note>[^\n]*?) -->\n)?^(?P<marks>`{3,})(?P<language>[^\n`]*)\n(?P<body>.*?)^(?P=marks)\s*$",
    re.MULTILINE | re.DOTALL,
)
EXPECT = re.compile(
    r"^<!-- expect: (?P<folder>[\w-]+) status=(?P<status>\d) decision=(?P<decision>[A-Z -]*?[A-Z])(?P<options>(?: --\S+)*) -->$",
    re.MULTILINE,
)
LANGUAGES = {"python", "toml", "console", "json", "text", "sh"}
TIMEOUT_S = 120


@dataclass(frozen=True)
class Sample:
    """A fenced block: where it stands, its language, the note above it, its text."""

    page: str
    line: int
    language: str
    note: str
    body: str

    @property
    def place(self) -> str:
        """How a failure calls it."""
        return f"{self.page}:{self.line}"


def samples_of(page: str, text: str) -> Iterator[Sample]:
    for match in FENCE.finditer(text):
        line = text[: match.start("marks")].count("\n") + 1
        yield Sample(page, line, match["language"].strip(), match["note"] or "", match["body"])


def pages() -> dict[str, str]:
    left = re.compile(r"(^|/)(\.[^/]+|reports/[^/]+|[^/]+\.egg-info|node_modules|build|dist)/")
    found = {path.relative_to(ROOT).as_posix(): path for path in ROOT.rglob("*.md")}
    return {name: path.read_text() for name, path in sorted(found.items()) if not left.search(name)}


PAGES = pages()
SAMPLES = [sample for page, text in PAGES.items() for sample in samples_of(page, text)]
TUTORIALS = [(page, match) for page, text in PAGES.items() for match in EXPECT.finditer(text)]


def of(language: str) -> list[object]:
    return [pytest.param(one, id=one.place) for one in SAMPLES if one.language == language]


def file_of(sample: Sample) -> tuple[str, str] | None:
    """Folder and path of a sample that belongs to a tutorial."""
    match = re.fullmatch(r"file: ([\w-]+)/(\S+)", sample.note)
    return (match[1], match[2]) if match else None


def run(folder: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    """A command in a folder outside of the project, as a user would run it there."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith(("PYTEST_", "SPIRAL_"))}
    environment |= {"COLUMNS": "100", "PATH": f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"}
    if any(folder.glob("*.dist-info")):
        environment["PYTHONPATH"] = str(folder)  # as installed, whether or not Python looks into the current folder
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )


def write_tutorial(name: str, folder: Path) -> None:
    """Write the files of a tutorial; a project that offers a target is installed for it as far as finding it goes."""
    for sample in SAMPLES:
        place = file_of(sample)
        if place is not None and place[0] == name:
            path = folder / place[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(sample.body)
    project = folder / "pyproject.toml"
    if project.is_file():
        table = tomllib.loads(project.read_text())["project"]
        offered = "".join(
            f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in points.items())
            for group, points in table.get("entry-points", {}).items()
        )
        installed = folder / f"{table['name'].replace('-', '_')}-{table['version']}.dist-info"
        installed.mkdir()
        (installed / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {table['name']}\nVersion: {table['version']}\n"
        )
        (installed / "entry_points.txt").write_text(offered)


def bundle_in(folder: Path) -> Path:
    (found,) = folder.glob("reports/*/*/bundle.json")
    return found.parent


# Tutorials


@pytest.mark.parametrize(
    ("name", "status", "decision", "options"),
    [(one["folder"], int(one["status"]), one["decision"], one["options"].split()) for _, one in TUTORIALS],
    ids=[f"{page}:{one['folder']}" for page, one in TUTORIALS],
)
def test_a_tutorial_ends_as_it_says(tmp_path, name, status, decision, options):
    write_tutorial(name, tmp_path)
    done = run(tmp_path, sys.executable, "-m", "pytest", "--spiral-evidence", "-p", "no:cacheprovider", *options)
    assert done.returncode == status, done.stdout + done.stderr
    bundle = bundle_in(tmp_path)
    assert json.loads((bundle / "summary.json").read_text())["decision"] == decision, done.stdout
    checked = run(tmp_path, "spiral", "verify", str(bundle.relative_to(tmp_path)))
    assert checked.returncode == (0 if status == 0 else 1), checked.stdout


def test_every_file_of_a_tutorial_is_run():
    told = {place[0] for sample in SAMPLES if (place := file_of(sample))}
    assert told == {one["folder"] for _, one in TUTORIALS}
    assert "smallest" in told


def test_the_smallest_gate_is_what_init_writes(tmp_path):
    done = run(tmp_path, "spiral", "init")
    page = PAGES["docs/getting-started.md"]
    assert done.returncode == 0, done.stderr
    assert done.stdout in page
    (gates,) = [one.body for one in SAMPLES if one.note == "file: smallest/gates.toml"]
    assert (tmp_path / "gates.toml").read_text() == gates
    ran = run(tmp_path, sys.executable, "-m", "pytest", "--spiral-evidence", "-p", "no:cacheprovider")
    assert ran.returncode == 0, ran.stdout
    assert run(tmp_path, "spiral", "verify", str(bundle_in(tmp_path)), "--require", "go").returncode == 0


def test_the_smallest_gate_fails_where_its_limit_is_broken(tmp_path):
    write_tutorial("smallest", tmp_path)
    gates = (tmp_path / "gates.toml").read_text()
    (tmp_path / "gates.toml").write_text(gates.replace("120 ms", "0.000001 ms"))
    done = run(tmp_path, sys.executable, "-m", "pytest", "--spiral-evidence", "-p", "no:cacheprovider")
    assert done.returncode == 1, done.stdout
    assert json.loads((bundle_in(tmp_path) / "summary.json").read_text())["decision"] != "GO"


def test_without_its_requirement_the_limited_criterion_is_no_condition(tmp_path):
    write_tutorial("limited", tmp_path)
    gates = (tmp_path / "gates.toml").read_text()
    (tmp_path / "gates.toml").write_text(re.sub(r"requires = .*\n", "", gates))
    done = run(tmp_path, sys.executable, "-m", "pytest", "--spiral-evidence", "-p", "no:cacheprovider")
    assert done.returncode == 1, done.stdout
    summary = json.loads((bundle_in(tmp_path) / "summary.json").read_text())
    assert summary["decision"] == "NO-GO"
    assert {one["id"]: one["verdict"] for one in summary["criteria"]}["S5.native"] == "not-run"


def test_the_hook_of_the_manual_is_called(tmp_path):
    write_tutorial("hook", tmp_path)
    run(tmp_path, sys.executable, "-m", "pytest", "--spiral-evidence", "-p", "no:cacheprovider")
    assert (tmp_path / "decision.txt").read_text() == f"GO {bundle_in(tmp_path).name}\n"


def test_a_changed_digit_is_found_as_the_manual_says(tmp_path):
    write_tutorial("smallest", tmp_path)
    run(tmp_path, sys.executable, "-m", "pytest", "--spiral-evidence", "-p", "no:cacheprovider")
    (samples,) = bundle_in(tmp_path).glob("samples/*/*.jsonl")
    data = samples.read_bytes()
    samples.write_bytes(data.replace(b'"n":7,', b'"n":8,', 1))
    done = run(tmp_path, "spiral", "verify", str(bundle_in(tmp_path)))
    assert done.returncode == 3
    assert "NOT TO BE TRUSTED" in done.stdout
    assert samples.name in done.stdout


# Single samples


def test_every_sample_is_of_a_language_that_is_checked():
    assert SAMPLES
    assert {one.place: one.language for one in SAMPLES if one.language not in LANGUAGES} == {}


@pytest.mark.parametrize("sample", of("python"))
def test_python_compiles_and_is_run(sample):
    compile(sample.body, sample.place, "exec")
    assert file_of(sample) or sample.note == "sample: compile", "this sample is never run; say why it cannot be"


@pytest.mark.parametrize("sample", of("toml"))
def test_toml_is_read_by_what_reads_it(sample, root):
    table = tomllib.loads(sample.body)
    if sample.note.startswith("refused:"):
        name = sample.note.removeprefix("refused: ")
        following = SAMPLES[SAMPLES.index(sample) + 1]
        with pytest.raises(GatesFileError) as caught:
            parse_gate_file(sample.body, root / name, name, "")
        assert str(caught.value) == following.body.strip()
    elif sample.note == "sample: profile":
        assert parse_declared(sample.body.encode(), root / "profiles" / f"{table['name']}.toml").checks
    elif sample.note == "sample: expectation":
        assert parse_expectation(sample.body, sample.place).level
    elif sample.note == "sample: targets":
        assert parse_targets(sample.body)
    elif "gate" in table:
        assert parse_gate_file(sample.body, root / "gates.toml", "gates.toml", "").gates
    else:
        keys = set(table.get("tool", {}).get("pytest", {}).get("ini_options", {}))
        known = {*offered().ini, "testpaths", "addopts"}
        assert keys <= known
        assert keys or "project" in table, "nothing reads this sample"


@pytest.mark.parametrize("sample", of("json"))
def test_json_is_json(sample):
    assert json.loads(sample.body) is not None


def test_requirements_of_the_manual_can_be_read():
    from pytest_spiral.rules.requirements import check_names, parse_requirement

    page = PAGES["docs/profiles.md"].partition("## Requirements")[2]
    lines = next(samples_of("profiles", page)).body.splitlines()
    assert len(lines) >= 4
    assert [line for line in lines if check_names(parse_requirement(line))] == []


# Commands


class Offered:
    """Takes what `add_options` registers."""

    def __init__(self) -> None:
        self.options: dict[str, dict[str, object]] = {}
        self.ini: list[str] = []

    def getgroup(self, *_: str) -> "Offered":
        return self

    def addoption(self, flag: str, **settings: object) -> None:
        self.options[flag] = settings

    def addini(self, name: str, *_: object, **__: object) -> None:
        self.ini.append(name)


def offered() -> Offered:
    found = Offered()
    add_options(found)  # type: ignore[arg-type]  # it has the two methods that are called
    return found


def commands(sample: Sample) -> list[str]:
    """The commands of a console sample: lines after a prompt, or all lines where there is none."""
    lines = [line.partition(" #")[0].strip() for line in sample.body.splitlines() if line.strip()]
    prompted = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    return prompted or lines


def check_command(command: str) -> None:
    """Raises where a command could not be run as it stands: another program, another option, another target."""
    words = [word for word in shlex.split(command) if not re.fullmatch(r"[A-Z_]+=.*", word)]
    program, *rest = words
    name = program.removeprefix(".venv/bin/")
    if name == "spiral":
        check_spiral(rest)
    elif name == "pytest":
        check_pytest(rest)
    elif name == "make":
        check_make(rest)
    elif name.startswith(".ci/"):
        assert (ROOT / name).is_file()
    elif program.startswith(".venv/bin/"):
        assert Path(sys.executable).with_name(name).is_file(), f"{name} is not among the development packages"
    else:
        assert name in {"pip", "npx", "python", "towncrier"}, f"nobody checks {name}"


def check_spiral(words: list[str]) -> None:
    parser = argparse.ArgumentParser(exit_on_error=False, allow_abbrev=False)
    own = {one.name: one for one in COMMANDS}[words[0]]
    own.add_arguments(parser)
    parser.parse_args(words[1:])


def check_pytest(words: list[str]) -> None:
    parser = argparse.ArgumentParser(exit_on_error=False, allow_abbrev=False)
    for flag, settings in offered().options.items():
        parser.add_argument(flag, **settings)  # type: ignore[arg-type]  # what pytest hands to argparse too
    for flag in ("-m", "-n", "-k", "-p"):
        parser.add_argument(flag)
    parser.add_argument("-q", action="store_true")
    parser.add_argument("paths", nargs="*")
    given = parser.parse_args(words)
    assert [one for one in given.paths if not (ROOT / one).exists()] == []
    if given.spiral_fault:
        assert f'name = "{given.spiral_fault[0]}"' in (ROOT / "spiral_sandbox" / "faults.toml").read_text()


def check_make(words: list[str]) -> None:
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert [word for word in words if word not in targets] == []


@pytest.mark.parametrize("sample", [*of("console"), *of("sh")])
def test_commands_can_be_run_as_they_stand(sample):
    given = commands(sample)
    assert given
    for command in given:
        check_command(command)


@pytest.mark.parametrize(
    "command",
    [
        "spiral prove",
        "spiral verify --require maybe BUNDLE",
        "pytest --spiral-evidenze",
        "pytest --spiral-fault memory.fail-1-in-7",
        "pytest tests/no-such-folder",
        "make gates",
        ".venv/bin/rough check .",
        "curl somewhere",
    ],
)
def test_a_command_that_cannot_be_run_is_found(command):
    with pytest.raises((AssertionError, argparse.ArgumentError, KeyError, SystemExit)):
        check_command(command)
