"""`spiral judge`: repeat the judging of a bundle, or ask what other limits would have said."""

import argparse
from pathlib import Path

from pytest_spiral.cli.bundles import add_bundle, sealed_bundle_of
from pytest_spiral.cli.command import Answer, Command, plain


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_bundle(parser)
    parser.add_argument(
        "--limits", type=Path, metavar="FILE", help="a gates.toml to judge by instead; the answer is watermarked"
    )


def _run(options: argparse.Namespace) -> Answer:
    from pytest_spiral.run.gate_run import summary_bytes
    from pytest_spiral.run.verify import judge_bundle, what_if

    folder = sealed_bundle_of(options.bundle)
    judgement = what_if(folder, options.limits) if options.limits else judge_bundle(folder)[1]
    return plain(summary_bytes(judgement).decode().rstrip("\n"))


COMMAND = Command(
    "judge",
    "judge a bundle again: the same bytes as its summary.json",
    "With --limits the raw samples are judged by another gates file. Such an answer is watermarked WHAT-IF, and can\n"
    "never be signed or enter a packet.",
    _add_arguments,
    _run,
)
