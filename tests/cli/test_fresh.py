"""`--fresh` of `spiral show`, `spiral why` and `spiral status`: exactly the dependants of what changed are stale."""

import shutil
import subprocess
import sys

import pytest

GATES = """\
format = 1
[[gate]]
id = "S1"
title = "Search answers"
owner = "@search"
no_control = "a test of the tool"
[[gate.criterion]]
id = "S1.python"
limit = "failures(search) <= 0"
samples = 3
inputs = ["src/*.py"]
[[gate.criterion]]
id = "S1.data"
limit = "failures(search) <= 0"
samples = 3
inputs = ["data/**/*.json", "profile"]
[[gate.criterion]]
id = "S1.free"
limit = "failures(search) <= 0"
samples = 3
[[gate.criterion]]
id = "S1.notes"
level = "advisory"
method = "examine"
document = "notes.md"
signer = "ada"
"""
TEST = """\
import pytest

@pytest.mark.criterion("S1.python", "S1.data", "S1.free")
def test_search(spiral):
    with spiral.measure("search") as m:
        for number in range(3):
            m.hit()
"""


def spiral(folder, *arguments):
    command = [sys.executable, "-m", "pytest_spiral.cli.main", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fresh")
    for name, text in {
        "gates.toml": GATES, "test_search.py": TEST, "src/a.py": "a = 1\n", "data/deep/x.json": "{}", "other.txt": "o",
        "notes.md": "n",
    }.items():  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    ledger = "--spiral-ledger=reports/ledger.jsonl"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--spiral-evidence",
        ledger,
        "-q",
        "-p",
        "no:xdist",
        "-p",
        "no:cacheprovider",
    ]
    assert subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0
    return folder


@pytest.fixture
def changed(project):
    """Writes a file, and puts it back as it was afterwards."""
    known = {}

    def change(name, text):
        path = project / name
        known[path] = path.read_bytes() if path.exists() else None
        path.write_text(text)

    yield change
    for path, data in known.items():
        path.write_bytes(data) if data is not None else path.unlink()


def test_an_unchanged_tree_is_fresh(project):
    said = spiral(project, "show", "--fresh")
    assert "3 of 3 criteria that declare inputs are fresh" in said
    assert "1 declare none" in said
    assert "stale" not in said
    assert " GO" in said


def test_a_file_that_nobody_declares_makes_nothing_stale(project, changed):
    changed("other.txt", "changed")
    changed("src/note.txt", "new")
    assert "3 of 3 criteria that declare inputs are fresh" in spiral(project, "show", "--fresh")


@pytest.mark.parametrize(
    ("name", "stale", "fresh"),
    [
        ("src/a.py", "S1.python", "S1.data"),
        ("src/new.py", "S1.python", "S1.data"),
        ("data/deep/x.json", "S1.data", "S1.python"),
        ("notes.md", "S1.notes", "S1.python"),
    ],
)
def test_a_changed_input_makes_its_dependants_stale_and_says_which_it_is(project, changed, name, stale, fresh):
    changed(name, "a = 2\n")
    for command in (("show", "--fresh"), ("why", "S1", "--fresh")):
        said = spiral(project, *command)
        assert f"stale {stale}" in said, said
        assert name in said
        assert f"stale {fresh}" not in said
        assert ("NO-GO" in said) == (stale != "S1.notes"), "the notes are advisory"
        assert "not-run" in said
        assert "2 of 3 criteria that declare inputs are fresh" in said
    assert "NO-GO" not in spiral(project, "show")  # the sealed summary stays what it is


def test_the_bundle_verifies_and_names_the_files(project, changed):
    (start,) = project.glob("reports/*/*/bundle.json")
    assert '"src/a.py":"sha256:' in start.read_text()
    changed("src/a.py", "a = 2\n")
    assert "not to be trusted" not in spiral(project, "verify", str(start.parent))


def status(project, *arguments):
    """What `spiral status --fresh` says of inputs, with one blank between words."""
    said = spiral(project, "status", "--fresh", *arguments)
    return " ".join(said.partition("inputs since the newest sealed runs")[2].split())


def test_the_status_names_the_criteria_that_are_stale(project, changed):
    fresh = status(project)
    assert "3 of 3 criteria that declare inputs are fresh 1 declare none, and nobody can tell of them" in fresh
    assert "S1." not in fresh
    changed("src/a.py", "a = 2\n")
    said = status(project)
    assert "S1.python stale, so not run on what is there now: src/a.py changed (src/*.py) on no target" in said
    assert "S1.data" not in said
    assert "2 of 3 criteria that declare inputs are fresh" in said
    assert "src/a.py" not in spiral(project, "status")
    changed("notes.md", "changed")
    assert "S1.notes stale, so not run on what is there now: notes.md changed on no target" in status(project)


def test_of_a_bundle_that_is_gone_or_changed_nobody_can_tell(project, tmp_path):
    gone = status(project, "--reports", str(tmp_path))
    assert gone.count("nobody can tell: its bundle is not under") == 4
    assert "0 of 0 criteria that declare inputs are fresh of 4 nobody can tell" in gone
    (bundle,) = (one.parent for one in project.glob("reports/*/*/bundle.json"))
    copy = shutil.copytree(bundle, tmp_path / "run" / bundle.name)
    start = (copy / "bundle.json").read_bytes()
    (copy / "bundle.json").write_bytes(start.replace(b'"src/a.py"', b'"src/b.py"'))
    assert status(project, "--reports", str(tmp_path)).count("nobody can tell: its bundle is not to be trusted") == 4
