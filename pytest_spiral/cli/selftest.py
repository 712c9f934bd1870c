"""`spiral selftest`: whether each criterion can be proven, and whether it can fail."""

import argparse
import json
from pathlib import Path

from pytest_spiral.cli.command import Answer, Command, plain, styled, terminal_width


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "selector",
        nargs="?",
        default="",
        help="a stage (stage_b), a gate (B1) or a criterion (B1.recall); default: all",
    )
    parser.add_argument("--root", type=Path, default=Path(), help="the folder with the gates files (default: here)")
    parser.add_argument("--json", action="store_true", help="say it as one JSON object: two certificates")


def _run(options: argparse.Namespace) -> Answer:
    from pytest_spiral.render.selftest import render_selftest
    from pytest_spiral.run.selftest import certificate_bytes, try_bar

    tried = try_bar(options.root.resolve(), options.selector)
    if options.json:
        both = {name: json.loads(certificate_bytes(one)) for name, one in (("bar", tried.bar), ("judge", tried.judge))}
        return plain(json.dumps(both, indent=2, sort_keys=True), status=tried.status)
    return styled(render_selftest(tried.bar, tried.judge, terminal_width()), tried.status)


COMMAND = Command(
    "selftest",
    "try every criterion with made-up defects: each must be caught",
    "For each criterion, sound evidence is made up, which must pass, and from it evidence with one defect each, which\n"
    "must not: too many failures, a missing sample, a stub, a skipped test and so on. The judge that judges runs\n"
    "judges all of it. The judge itself is tried as well, on a bar that uses every one of its rules.\n\n"
    "exit status: 0 everything was caught, 1 something came through or cannot be proven, 2 wrong use.",
    _add_arguments,
    _run,
)
