"""Publishing a ledger's head: what the command is given, and every way in which it fails."""

import sys

import pytest

from pytest_spiral.errors import UseError
from pytest_spiral.model.entry import LedgerHead
from pytest_spiral.rules.entries import parse_head, render_head
from pytest_spiral.run.publish import publish_head, words_of

HEAD = LedgerHead(id=f"sha256:{'1' * 64}", seq=7, digest=f"sha256:{'2' * 64}")
KEEP = "import sys, pathlib; pathlib.Path('kept').write_text(sys.stdin.read() + sys.argv[1])"


def test_the_command_gets_the_head_as_its_last_argument_and_on_its_input(tmp_path):
    done = publish_head((sys.executable, "-c", KEEP), HEAD, tmp_path, "job")
    assert (done.ok, done.head, done.by, done.why) == (True, HEAD, "job", "")
    line, argument = (tmp_path / "kept").read_text().split("\n")
    assert line == argument == render_head(HEAD)
    assert parse_head(argument) == HEAD


FAILING = {
    "a status": ("import sys; sys.exit(3)", "ended with status 3"),
    "no end": ("import signal; signal.pause()", "took more than 0.5 s"),
    "closed input": ("import os; os.close(0); raise SystemExit(1)", "ended with status 1"),
}


@pytest.mark.parametrize(("program", "why"), FAILING.values(), ids=list(FAILING))
def test_a_command_that_fails_is_told(tmp_path, program, why):
    done = publish_head(
        (sys.executable, "-c", program), HEAD, tmp_path, "launcher", patience=0.5 if "0.5" in why else 30
    )
    assert not done.ok
    assert why in done.why


def test_a_command_that_does_not_start_is_told(tmp_path):
    assert "does not start" in publish_head(("./no-such",), HEAD, tmp_path, "job").why


@pytest.mark.parametrize("command", ["", "  ", "keep 'it"])
def test_what_is_no_command_is_wrong_use(command):
    with pytest.raises(UseError, match="spiral_ledger_publish"):
        words_of(command, "spiral_ledger_publish")
