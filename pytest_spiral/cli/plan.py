"""`spiral plan`: what a bar asks for, and who gets through, before anything is measured."""

import argparse
from pathlib import Path

from pytest_spiral.cli.command import Answer, Command, as_json, styled, terminal_width


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "selector",
        nargs="?",
        default="",
        help="a stage (stage_b), a gate (B1) or a criterion (A1.first-attempt); default: all",
    )
    parser.add_argument(
        "--true-rate",
        default="99%",
        metavar="SHARE",
        help="how many of the system's samples are good in truth, such as 99.5%% or 0.995 (default: 99%%)",
    )
    parser.add_argument("--root", type=Path, default=Path(), help="the folder with the gates files (default: here)")
    parser.add_argument("--json", action="store_true", help="say it as one JSON object")


def _run(options: argparse.Namespace) -> Answer:
    from pytest_spiral.render.outlook import render_outlook
    from pytest_spiral.run.outlook import look_ahead

    found = look_ahead(options.root.resolve(), options.selector, options.true_rate)
    if options.json:
        return as_json(found)
    return styled(render_outlook(found, terminal_width()))


COMMAND = Command(
    "plan",
    "say how many samples a bar needs, and how likely a good system gets through",
    "A bar has two risks. A bad system may pass: that risk is 1 - confidence, for each criterion, and does not add up,\n"
    "since GO needs all of them. A good system may be sent back: that risk grows with each criterion and each run, and\n"
    "nobody sees it in gates.toml. This shows it, for a system whose samples are good --true-rate of the time.\n\n"
    "For example, `rate(boot) >= 95 %` at 95 % confidence, three runs in a row, and a system that is good for 99 %:\n"
    "  59 samples with none failed     one run passes 55 % of the time, three in a row 17 %\n"
    "  208 samples with at most 5      one run passes 98 % of the time, three in a row 94 %\n"
    "Both are equally hard on a bad system. Eight criteria that pass 98.7 % of the time each give 90 % together.\n\n"
    "With one criterion it draws the chance of a pass by true quality, and lists other plans: take the first one whose\n"
    "chance you can live with. Means, comparisons and durations are not counted, and named.",
    _add_arguments,
    _run,
)
