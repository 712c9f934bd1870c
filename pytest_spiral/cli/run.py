"""`spiral run`: one gate, from the probes to the check of its bundle, with a log of every command."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_spiral.cli.command import Answer, Command, plain
from pytest_spiral.errors import UseError

if TYPE_CHECKING:
    from pytest_spiral.model.gate import Gate
    from pytest_spiral.run.automation import Automated


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("gate", metavar="GATE", help="the gate's id, such as A3")
    parser.add_argument("--root", type=Path, default=Path(), help="the folder with the gates files (default: here)")
    parser.add_argument(
        "--reports", type=Path, metavar="DIR", default=Path("reports"),
        help="folder for bundle and command log, relative to --root (default: reports)",
    )  # fmt: skip
    parser.add_argument(
        "--require", choices=("go", "conditional"), default="conditional", help="the least decision that exits 0"
    )
    parser.add_argument(
        "--secret", metavar="NAME", action="append", default=[],
        help="strike this environment variable's value out of the command log, as those that the gate requires",
    )  # fmt: skip
    parser.add_argument("pytest", nargs="*", metavar="-- …", help="more words for pytest")


def _run(options: argparse.Namespace) -> Answer:
    from pytest_spiral.run.automation import Order, find_gate, run_gate
    from pytest_spiral.run.phases import Phases

    root = options.root.resolve()
    if not root.is_dir():
        raise UseError(f"{options.root} is no folder.")
    gate = find_gate(root, options.gate)
    order = Order(gate.id, root, (root / options.reports).absolute(), options.require, tuple(options.pytest))
    return _told(run_gate(order, gate, Phases(_cleaner(gate, options.secret), getattr(options, "say", None))))


def _cleaner(gate: "Gate", named: list[str]) -> Callable[[str], str]:
    """What takes secrets out of the log: those named, those that the gate requires, and what looks like one."""
    from pytest_spiral.profiles.probe.secrets import values_of
    from pytest_spiral.rules.redact import Redactor
    from pytest_spiral.rules.requirements import secret_names
    from pytest_spiral.rules.suspects import strike_suspects

    required = secret_names(one.requires for one in gate.criteria if one.requires)
    try:
        redactor = Redactor(values_of(sorted({*named, *required})))
    except ValueError as error:
        raise UseError(f"{error}: too short to be struck out of a log.") from error
    return lambda text: strike_suspects(redactor.redact(text).encode(errors="backslashreplace")).decode(
        errors="replace"
    )


def _told(done: "Automated") -> Answer:
    lines = ["", "phase    status   seconds"]
    for one in done.phases:
        status = f"skipped: {one.skipped}" if one.status is None else f"{one.status:<6}   {one.seconds:.1f}"
        lines.append(f"{one.phase:<8} {status}")
    lines.append(f"bundle   {_short(done.bundle) if done.bundle is not None else 'none'}")
    lines.append(f"log      {_short(done.log)}")
    return plain(*lines, status=done.status)


def _short(path: Path) -> str:
    return os.path.relpath(path)


COMMAND = Command(
    "run",
    "run one gate with evidence, verify its bundle, and log every command",
    "Three phases, each a command of its own: probe (spiral doctor), gate (pytest with evidence, narrowed to the gate),\n"
    "verify (spiral verify on the bundle that was opened). The log says of each what was run, how it ended, how long it\n"
    "took and what it said: DIR/commands/GATE-TIME.json. A phase that was skipped is never a success.\n\n"
    "exit status: that of the first phase that did not succeed, pytest's or verify's own; 1 where one was skipped or\n"
    "killed; 2 wrong use.",
    _add_arguments,
    _run,
)
