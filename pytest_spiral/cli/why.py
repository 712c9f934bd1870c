"""`spiral why B1`: on one screen, why a gate is not green, and what to run next."""

import argparse
from pathlib import Path

from pytest_spiral.cli.bundles import add_fresh, sealed_bundle_of
from pytest_spiral.cli.command import Answer, Command, styled, terminal_width


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("selector", help="a stage (stage_b), a gate (B1) or a criterion (B1.recall)")
    parser.add_argument("--bundle", type=Path, help="the bundle's folder (default: the newest under reports/)")
    add_fresh(parser)


def _run(options: argparse.Namespace) -> Answer:
    from pytest_spiral.render.freshness import render_freshness
    from pytest_spiral.render.show import render_why
    from pytest_spiral.rules.examination import is_kept
    from pytest_spiral.run.verify import judge_bundle, judge_now

    folder = sealed_bundle_of(options.bundle)
    evidence, judgement, changes = judge_now(folder, options.root) if options.fresh else (*judge_bundle(folder), ())
    files: dict[str, list[str]] = {}
    for one in evidence.measurements:
        for name in [one.control] if one.control else one.criteria:
            files.setdefault(name, []).append(f"samples/{one.file}")
    for seen in (one.seen for one in evidence.examinations if is_kept(one.seen, evidence.attached)):
        files.setdefault(seen.criterion, []).append(seen.path)
    lines = render_why(
        judgement,
        evidence.plan,
        evidence.bundle.gates,
        options.selector,
        start=evidence.bundle,
        width=terminal_width(),
        path=str(folder),
        files=files,
    )
    if options.fresh:
        lines += render_freshness(evidence.plan.criteria(), changes, terminal_width())
    return styled(lines)


COMMAND = Command(
    "why",
    "say why a gate is not a GO, and what to run next",
    "What stands in the way comes first, worst first, each with its figures and the probe that says so.\n"
    "With --fresh also what has gone stale: an input that its criterion declares has changed since the run.",
    _add_arguments,
    _run,
)
