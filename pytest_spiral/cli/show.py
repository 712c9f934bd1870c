"""`spiral show`: what a bundle says, recomputed."""

import argparse

from pytest_spiral.cli.bundles import add_bundle, sealed_bundle_of
from pytest_spiral.cli.command import Answer, Command, styled, terminal_width


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_bundle(parser, optional=True)


def _run(options: argparse.Namespace) -> Answer:
    from pytest_spiral.render.terminal import render_summary
    from pytest_spiral.run.gate_run import sealed_word
    from pytest_spiral.run.verify import judge_bundle

    folder = sealed_bundle_of(options.bundle)
    evidence, judgement = judge_bundle(folder)
    lines = render_summary(
        judgement,
        evidence.plan,
        evidence.bundle.gates,
        evidence.bundle,
        str(folder),
        sealed_word(evidence.bundle),
        terminal_width(),
        colour=True,
    )
    return styled(lines)


COMMAND = Command(
    "show",
    "print a bundle's summary, computed again from its samples",
    "Without a bundle: the one that was opened last under reports/.",
    _add_arguments,
    _run,
)
