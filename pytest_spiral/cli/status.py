"""`spiral status`: how often each criterion was tried, and how that came out."""

import argparse
from pathlib import Path

from pytest_spiral.cli.bundles import add_fresh
from pytest_spiral.cli.command import Answer, Command, styled, terminal_width
from pytest_spiral.cli.ledgers import add_ledger, entries_of, ledger_of


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_ledger(parser)
    add_fresh(parser)
    parser.add_argument(
        "--reports", type=Path, default=Path("reports"), help="where the bundles lie, for --fresh (default: reports)"
    )


def _run(options: argparse.Namespace) -> Answer:
    from pytest_spiral.render.freshness import render_standings
    from pytest_spiral.render.ledger import render_status
    from pytest_spiral.rules.views import by_criterion
    from pytest_spiral.run.fresh import freshness_of

    campaigns = by_criterion(entries_of(ledger_of(options.ledger)))
    lines = render_status(campaigns, terminal_width())
    if options.fresh:
        lines += render_standings(freshness_of(campaigns, options.reports, options.root), terminal_width())
    return styled(lines)


COMMAND = Command(
    "status",
    "count the attempts of each criterion, the abandoned runs and the drafts",
    "Reads the ledger. Release runs are attempts; drafts stand beside them. A run that was opened and not sealed by its\n"
    "deadline is abandoned, and is named. With --fresh each criterion is named whose newest sealed run is stale, since an\n"
    "input that it declares has changed, or of which nobody can tell, since its bundle is not there or does not verify.",
    _add_arguments,
    _run,
)
