"""`spiral show`: what a bundle says, recomputed."""

import argparse
import shutil

from pytest_spiral.cli.bundles import add_bundle, bundle_of
from pytest_spiral.cli.command import Answer, Command


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_bundle(parser, optional=True)


def _run(options: argparse.Namespace) -> Answer:
    from pytest_spiral.render.terminal import render_summary
    from pytest_spiral.run.verify import judge_bundle, seal_word

    folder = bundle_of(options.bundle)
    evidence, judgement = judge_bundle(folder)
    width = min(shutil.get_terminal_size((100, 24)).columns, 140)
    lines = render_summary(judgement, evidence.plan, evidence.bundle, str(folder), seal_word(folder), width)
    return Answer(tuple(tuple(line) for line in lines))


COMMAND = Command(
    "show",
    "print a bundle's summary, computed again from its samples",
    "Without a bundle: the one that was opened last under reports/.",
    _add_arguments,
    _run,
)
