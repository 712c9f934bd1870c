"""`spiral countersign`: verify a bundle that a job signed, then sign it where no test ran."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_spiral.cli.bundles import add_bundle, bundle_of
from pytest_spiral.cli.command import Answer, Command, Span, styled, terminal_width
from pytest_spiral.cli.grounds import add_grounds, grounds_of

if TYPE_CHECKING:
    from pytest_spiral.run.countersign import Countersigned

_WORDS = {
    "signed": "countersigned by {}",
    "signed-before": "countersigned by {} before: nothing was written",
    "refused": "not countersigned: nothing was written",
}


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_bundle(parser)
    parser.add_argument("--key", type=Path, metavar="FILE", required=True, help="the recorder's private key")
    add_grounds(parser, trust_required=True)


def _run(options: argparse.Namespace) -> Answer:
    from pytest_spiral.run.countersign import countersign
    from pytest_spiral.run.signing import load_run_key

    folder = bundle_of(options.bundle)
    grounds = grounds_of(options, folder)
    return _told(countersign(folder, lambda: load_run_key(options.key, folder), grounds), folder)


def _told(done: "Countersigned", folder: Path) -> Answer:
    from pytest_spiral.render.verification import render_proven, render_verification

    checked = done.checked
    lines = render_verification(checked.report, checked.judgement, str(folder), "conditional", terminal_width())
    said = styled([*lines, *render_proven(checked.judgement, checked.proven, checked.level, terminal_width())])
    status = {"untrusted": 3, "unsealed": 1}.get(checked.report.outcome, 0)
    return Answer((*said.lines, (Span(f"  {_WORDS[done.outcome].format(done.keyid)}"),)), status)


COMMAND = Command(
    "countersign",
    "verify a bundle that a job signed, then sign it as a recorder",
    "For a job of its own that runs no test code. The bundle is verified as `spiral verify --trust` does; then the\n"
    "recorder's signature takes the place of the job's, and proves E2. No other file is changed. A NO-GO and a partial\n"
    "run are signed as what they are. May be repeated with the same key.\n\n"
    "exit status: 0 signed, now or before; 1 not sealed; 2 wrong use, as for a key that is no recorder's;\n"
    "3 not to be trusted, as a bundle is that nobody in the trust root has signed.",
    _add_arguments,
    _run,
)
