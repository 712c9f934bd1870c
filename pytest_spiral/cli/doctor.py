"""`spiral doctor`: what this machine can prove, before anything runs."""

import argparse
from pathlib import Path

from pytest_spiral.cli.command import Answer, Command, styled, terminal_width


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--target", default="", help="also ask this target what it states, such as sandbox")
    parser.add_argument("--root", type=Path, default=Path(), help="the folder with the gates files (default: here)")


def _run(options: argparse.Namespace) -> Answer:
    from pytest_spiral.render.doctor import render_doctor
    from pytest_spiral.run.doctor import examine

    seen = examine(options.root.resolve(), options.target)
    return styled(render_doctor(seen.facts, seen.needs, seen.target, terminal_width()))


COMMAND = Command(
    "doctor",
    "say what this machine can prove, and what it cannot",
    "Probes the machine, reads the gates files, and lists for each criterion whether its requirement is met here,\n"
    "with the probe's own output where it is not.",
    _add_arguments,
    _run,
)
