"""Data files of processes that were killed as they began to write: removed and counted, and no other is."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from coverage import CoverageData

TOOL = Path(__file__).parents[2] / "tools" / "drop_unbegun_coverage.py"
SAID = "Coverage data files that were removed: {}. They held nothing: their processes were killed as they began to write.\n"


def run(*words, folder):
    return subprocess.run([sys.executable, *map(str, words)], cwd=folder, capture_output=True, text=True, check=False)


def combined(folder):
    """What `coverage combine` says of a folder, and the files that are left."""
    done = run("-m", "coverage", "combine", folder=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr, {path.name for path in folder.glob(".coverage*")}


@pytest.fixture
def measured(tmp_path):
    """A folder with what one whole process measured."""
    data = CoverageData(str(tmp_path / ".coverage.whole"))
    data.add_lines({str(tmp_path / "program.py"): [1, 2, 3]})
    data.write()
    data.close()
    return tmp_path


def cut_short(path, statement):
    """A data file as a kill leaves it: coverage makes its tables, and then puts rows into them."""
    data = CoverageData(str(path))
    data.add_lines({"program.py": [1]})
    data.write()
    data.close()
    file = sqlite3.connect(path)
    file.execute(statement)
    file.commit()
    file.close()


def test_files_without_a_beginning_are_removed_and_counted(measured):
    (measured / ".coverage.empty").touch()
    cut_short(measured / ".coverage.no-row", "DELETE FROM coverage_schema")
    cut_short(measured / ".coverage.no-table", "DROP TABLE coverage_schema")
    done = run(TOOL, folder=measured)
    assert (done.returncode, done.stdout, done.stderr) == (0, SAID.format(3), "")
    assert combined(measured) == ("Combined 1 file\n", {".coverage"})


def test_without_the_tool_coverage_calls_them_errors_and_leaves_them(measured):
    """The control: what the tool is for."""
    (measured / ".coverage.empty").touch()
    cut_short(measured / ".coverage.no-row", "DELETE FROM coverage_schema")
    said, left = combined(measured)
    assert "2 files errored" in said
    assert left == {".coverage", ".coverage.empty", ".coverage.no-row"}


def test_a_file_that_may_have_lost_something_is_left_for_coverage_to_name(measured):
    """The control: half of a file, and one that is no database, are no files without a beginning."""
    whole = (measured / ".coverage.whole").read_bytes()
    (measured / ".coverage.half").write_bytes(whole[: len(whole) // 2])
    (measured / ".coverage.other").write_bytes(b"no database, and longer than a page of one" * 200)
    done = run(TOOL, measured, folder=measured.parent)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert {path.name for path in measured.iterdir()} == {".coverage.half", ".coverage.other", ".coverage.whole"}
    assert "2 files errored" in combined(measured)[0]


def test_what_was_measured_and_combined_stays(measured):
    before = (measured / ".coverage.whole").read_bytes()
    assert run(TOOL, folder=measured).stdout == ""
    assert (measured / ".coverage.whole").read_bytes() == before


def test_wrong_use_is_told():
    done = run(TOOL, "one", "two", folder=".")
    assert (done.returncode, done.stderr) == (2, "drop_unbegun_coverage.py takes a folder, or nothing.\n")
