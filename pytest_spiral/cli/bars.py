"""`spiral bars`: what moved since the last registered bar, loosened first."""

import argparse
from pathlib import Path

from pytest_spiral.cli.command import Answer, Command, styled, terminal_width
from pytest_spiral.cli.ledgers import add_ledger, entries_of, ledger_of


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_ledger(parser)
    parser.add_argument("--root", type=Path, default=Path(), help="the folder with the gates files (default: here)")
    parser.add_argument(
        "--reports", type=Path, default=Path("reports"), help="where bundles with earlier plans lie (default: reports)"
    )


def _run(options: argparse.Namespace) -> Answer:
    from pytest_spiral.render.ledger import render_moves
    from pytest_spiral.run.bars import moved_bars

    entries = entries_of(ledger_of(options.ledger))
    bars = moved_bars(options.root.resolve(), options.reports, entries)
    return styled(render_moves(bars.moves, bars.criteria, bars.new, terminal_width()))


COMMAND = Command(
    "bars",
    "list what moved since the last registered bar, loosened first",
    "Holds the gates files against what each criterion's last release run registered. Reformatting is no change:\n"
    "120 ms and 0.12 s are one bar. Where no bundle has the earlier plan any more, only that it moved can be told.",
    _add_arguments,
    _run,
)
