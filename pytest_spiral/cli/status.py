"""`spiral status`: how often each criterion was tried, and how that came out."""

import argparse

from pytest_spiral.cli.command import Answer, Command, styled, terminal_width
from pytest_spiral.cli.ledgers import add_ledger, entries_of, ledger_of


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_ledger(parser)


def _run(options: argparse.Namespace) -> Answer:
    from pytest_spiral.render.ledger import render_status
    from pytest_spiral.rules.views import by_criterion

    return styled(render_status(by_criterion(entries_of(ledger_of(options.ledger))), terminal_width()))


COMMAND = Command(
    "status",
    "count the attempts of each criterion, the abandoned runs and the drafts",
    "Reads the ledger. Release runs are attempts; drafts stand beside them. A run that was opened and not sealed by its\n"
    "deadline is abandoned, and is named.",
    _add_arguments,
    _run,
)
