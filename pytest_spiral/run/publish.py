"""Giving a ledger's head to a witness, by a command of the user's, before anything of the run is collected."""

import os
import shlex
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

from pytest_spiral.errors import UseError
from pytest_spiral.model.entry import LedgerHead
from pytest_spiral.model.launcher import Published
from pytest_spiral.rules.entries import render_head

PATIENCE_S: Final = 60.0
"""How long the command may take."""


def words_of(command: str, name: str) -> tuple[str, ...]:
    """The command's words, as a shell would take them; no shell runs it. Raises UseError; `name` is the setting's."""
    try:
        words = tuple(shlex.split(command))
    except ValueError as problem:
        raise UseError(f"{name} is no command: {problem}. Remedy: close its quotes.") from problem
    if not words:
        raise UseError(f"{name} names no command. Remedy: write one such as `tools/keep-head`, or leave it out.")
    return words


def publish_head(
    command: tuple[str, ...],
    head: LedgerHead,
    folder: Path,
    by: Literal["launcher", "job"],
    patience: float = PATIENCE_S,
) -> Published:
    """Run the command in that folder, with the head as one more argument, and as a line on its standard input.

    The head is as `spiral ledger head` prints it. The command is ended, with what it has started, when patience ends.
    Never raises: what went wrong is in `why`.
    """
    line = render_head(head)
    try:
        done = subprocess.Popen([*command, line], stdin=subprocess.PIPE, cwd=folder, start_new_session=True)
    except OSError as problem:
        return Published(head=head, by=by, ok=False, why=f"the command does not start: {problem.strerror}")
    with done:
        try:
            done.communicate(f"{line}\n".encode(), timeout=patience)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(done.pid, signal.SIGKILL)
            return Published(head=head, by=by, ok=False, why=f"the command took more than {patience:g} s")
    if done.returncode:
        return Published(head=head, by=by, ok=False, why=f"the command ended with status {done.returncode}")
    return Published(head=head, by=by, ok=True)
