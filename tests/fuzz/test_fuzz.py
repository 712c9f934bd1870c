"""`make fuzz`: with atheris it fuzzes and finds; without, it says so in one sentence."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parent / "fuzz.py"
WITHOUT = "import runpy, sys; sys.modules['atheris'] = None; sys.argv[1:] = sys.argv[2:]; runpy.run_path(sys.argv[0], run_name='__main__')"


def fuzzed(*arguments, without=False):
    program = ["-c", f"import sys; sys.argv[0] = sys.argv[1]; {WITHOUT}", str(PROGRAM)] if without else [str(PROGRAM)]
    return subprocess.run(
        [sys.executable, *program, *arguments],
        capture_output=True, text=True, check=False, timeout=120, cwd=PROGRAM.parents[2],
    )  # fmt: skip


def test_without_atheris_it_is_environment_limited():
    done = fuzzed(without=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("environment-limited: atheris cannot be imported by Python ")
    assert done.stderr.endswith("that it has a wheel for.\n")
    assert done.stderr.count("\n") == 1


def test_with_atheris_it_fuzzes():
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("environment-limited: needs atheris; importlib.util.find_spec('atheris') gives None")
    done = fuzzed("--seconds", "1", "quantity")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 of 1 parsers raised anything but their own errors" in done.stdout
