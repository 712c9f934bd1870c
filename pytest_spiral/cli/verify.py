"""`spiral verify`: check a bundle offline and recompute its decision."""

import argparse
import json
from pathlib import Path

from pytest_spiral.cli.bundles import add_bundle, bundle_of
from pytest_spiral.cli.command import Answer, Command, plain, styled, terminal_width


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_bundle(parser)
    parser.add_argument(
        "--require", choices=("go", "conditional"), default="conditional", help="the least decision that exits 0"
    )
    parser.add_argument(
        "--ledger", type=Path, metavar="FILE",
        help="a ledger, or a line that `spiral ledger head` printed, that did not come with the bundle",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="say it as one JSON object")


def _run(options: argparse.Namespace) -> Answer:
    from pytest_spiral.render.verification import render_standing, render_verification
    from pytest_spiral.run.registered import load_kept
    from pytest_spiral.run.verify import verify_bundle

    folder = bundle_of(options.bundle)
    checked = verify_bundle(folder, load_kept(options.ledger) if options.ledger else None)
    status = checked.status(options.require)
    if options.json:
        return plain(json.dumps(checked.as_json(options.require), indent=2, sort_keys=True), status=status)
    return styled(
        [
            *render_verification(checked.report, checked.judgement, str(folder), options.require, terminal_width()),
            *render_standing(checked.judgement, checked.standing, terminal_width()),
        ],
        status,
    )


COMMAND = Command(
    "verify",
    "check a bundle and recompute its decision, offline",
    "Reads, never writes, needs no network, and trusts nothing that the bundle says of itself: digests, journals and\n"
    "inventory are checked, every verdict is computed again from the raw samples and compared with the summary.\n\n"
    "exit status: 0 the decision is at least --require; 1 authentic but below it, partial, or not sealed;\n"
    "2 wrong use; 3 not to be trusted.",
    _add_arguments,
    _run,
)
