"""`spiral verify`: check a bundle offline and recompute its decision."""

import argparse
import json

from pytest_spiral.cli.bundles import add_bundle, bundle_of
from pytest_spiral.cli.command import Answer, Command, plain, styled, terminal_width
from pytest_spiral.cli.grounds import add_grounds, grounds_of
from pytest_spiral.errors import UseError


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_bundle(parser)
    parser.add_argument(
        "--require", choices=("go", "conditional"), default="conditional", help="the least decision that exits 0"
    )
    add_grounds(parser)
    parser.add_argument("--json", action="store_true", help="say it as one JSON object")
    limits = parser.add_argument_group("limits", "Read more than the format allows by default, never less.")
    for name, least in _limits().items():
        limits.add_argument(
            f"--limits-{name.replace('_', '-')}", type=int, metavar="N", default=least, help=f"default {least}"
        )


def _limits() -> dict[str, int]:
    from pytest_spiral.rules.integrity import Limits

    known = Limits()
    return {name: getattr(known, name) for name in known.__struct_fields__}


def _run(options: argparse.Namespace) -> Answer:
    from pytest_spiral.render.verification import render_proven, render_standing, render_verification
    from pytest_spiral.rules.integrity import Limits
    from pytest_spiral.run.verify import verify_bundle

    folder = bundle_of(options.bundle)
    raised = {name: getattr(options, f"limits_{name}") for name in _limits()}
    for name, least in _limits().items():
        if raised[name] < least:
            raise UseError(f"--limits-{name.replace('_', '-')} is {raised[name]}; it can only be raised, from {least}.")
    checked = verify_bundle(folder, grounds_of(options, folder, Limits(**raised)))
    status = checked.status(options.require)
    if options.json:
        return plain(json.dumps(checked.as_json(options.require), indent=2, sort_keys=True), status=status)
    return styled(
        [
            *render_verification(checked.report, checked.judgement, str(folder), options.require, terminal_width()),
            *render_proven(checked.judgement, checked.proven, checked.level, terminal_width()),
            *render_standing(checked.proven or checked.judgement, checked.standing, terminal_width()),
        ],
        status,
    )


COMMAND = Command(
    "verify",
    "check a bundle and recompute its decision, offline",
    "Reads, never writes, needs no network, and trusts nothing that the bundle says of itself: digests, journals and\n"
    "inventory are checked, every verdict is computed again from the raw samples and compared with the summary.\n"
    "Who signed is proven by --trust only; keep that file and --expect where the change under test cannot reach.\n\n"
    "exit status: 0 the decision is at least --require; 1 authentic but below it, partial, or not sealed;\n"
    "2 wrong use; 3 not to be trusted.",
    _add_arguments,
    _run,
)
