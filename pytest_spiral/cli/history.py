"""`spiral history B1`: a gate's attempts over time, with their figures and denominators."""

import argparse
from pathlib import Path

from pytest_spiral.cli.command import Answer, Command, as_json, styled, terminal_width
from pytest_spiral.cli.ledgers import add_ledger, chain_of, ledger_of


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("gate", help="a gate, such as B1")
    add_ledger(parser)
    parser.add_argument(
        "--reports", type=Path, default=Path("reports"), help="where the bundles lie (default: reports)"
    )
    parser.add_argument("--json", action="store_true", help="as JSON")


def _run(options: argparse.Namespace) -> Answer:
    from pytest_spiral.render.history import render_history
    from pytest_spiral.rules.entries import head_of, with_branches
    from pytest_spiral.run.grounds import Kept
    from pytest_spiral.run.history import chronicle_of

    own = chain_of(ledger_of(options.ledger))
    kept = Kept(head_of(own), tuple(own))
    found = chronicle_of(options.gate, list(with_branches(own)), options.reports, kept)
    if options.json:
        return as_json(found)
    return styled(render_history(found, terminal_width()))


COMMAND = Command(
    "history",
    "show a gate's attempts over time, with figures, verdicts and denominators",
    "Attempts and drafts come from the ledger, in its order. Figures are judged again from the bundles under reports/\n"
    "that verify and are what the ledger has; where one is gone, its attempt is shown without figures.",
    _add_arguments,
    _run,
)
