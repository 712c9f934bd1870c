"""`spiral show`: what a bundle says, recomputed."""

import argparse

from pytest_spiral.cli.bundles import add_bundle, add_fresh, sealed_bundle_of
from pytest_spiral.cli.command import Answer, Command, styled, terminal_width


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_bundle(parser, optional=True)
    add_fresh(parser)


def _run(options: argparse.Namespace) -> Answer:
    from pytest_spiral.render.freshness import render_freshness
    from pytest_spiral.render.terminal import render_summary
    from pytest_spiral.run.gate_run import sealed_word
    from pytest_spiral.run.verify import judge_bundle, judge_now

    folder = sealed_bundle_of(options.bundle)
    evidence, judgement, changes = judge_now(folder, options.root) if options.fresh else (*judge_bundle(folder), ())
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
    if options.fresh:
        lines += render_freshness(evidence.plan.criteria(), changes, terminal_width())
    return styled(lines)


COMMAND = Command(
    "show",
    "print a bundle's summary, computed again from its samples",
    "Without a bundle: the one that was opened last under reports/. With --fresh the inputs that criteria declare are\n"
    "compared with what the run recorded of them: whatever rests on one that has changed is stale, which counts as not\n"
    "run. What no criterion declares is not looked at, and a result never goes stale by its age.",
    _add_arguments,
    _run,
)
