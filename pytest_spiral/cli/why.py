"""`spiral why B1`: on one screen, why a gate is not green, and what to run next."""

import argparse
import shutil
from pathlib import Path

from pytest_spiral.cli.bundles import bundle_of
from pytest_spiral.cli.command import Answer, Command


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("selector", help="a stage (stage_b), a gate (B1) or a criterion (B1.recall)")
    parser.add_argument("--bundle", type=Path, help="the bundle's folder (default: the newest under reports/)")


def _run(options: argparse.Namespace) -> Answer:
    from pytest_spiral.render.show import render_why
    from pytest_spiral.run.verify import judge_bundle

    folder = bundle_of(options.bundle)
    evidence, judgement = judge_bundle(folder)
    width = min(shutil.get_terminal_size((100, 24)).columns, 140)
    return Answer(tuple(tuple(line) for line in render_why(judgement, evidence, options.selector, str(folder), width)))


COMMAND = Command(
    "why",
    "say why a gate is not a GO, and what to run next",
    "What stands in the way comes first, worst first, each with its figures and the probe that says so.",
    _add_arguments,
    _run,
)
