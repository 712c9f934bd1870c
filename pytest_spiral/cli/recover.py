"""`spiral recover`: seal what a killed run had recorded."""

import argparse
from typing import TYPE_CHECKING

from pytest_spiral.cli.bundles import add_bundle, bundle_of
from pytest_spiral.cli.command import Answer, Command, plain
from pytest_spiral.cli.ledgers import add_ledger, ledger_of
from pytest_spiral.errors import UseError

if TYPE_CHECKING:
    from pytest_spiral.run.recover import Recovery

_NOTHING = {
    "sealed": "{} is sealed: there is nothing to recover.",
    "logged": "{} is sealed, and its ledger did not have that: it has now.",
    "never-opened": "{} holds no record: there is nothing to recover.",
    "abandoned": "{} was abandoned before its tests were collected: there is nothing to judge.",
}


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_bundle(parser)
    add_ledger(parser, default="the one that the run names, relative to the current folder")
    parser.add_argument("--force", action="store_true", help="write to the ledger even where locks are not proven")


def _run(options: argparse.Namespace) -> Answer:
    from pytest_spiral.run.belated import recorded_ledger
    from pytest_spiral.run.recover import recover

    folder = bundle_of(options.bundle)
    where = options.ledger or recorded_ledger(folder)
    found = recover(folder, ledger_of(where, forced=options.force))
    if found.outcome in _NOTHING:
        return plain(_NOTHING[found.outcome].format(folder))
    return _told(found)


def _told(found: "Recovery") -> Answer:
    from pytest_spiral.render.recovery import render_recovery

    if found.evidence is None or found.judgement is None or found.folder is None:
        raise UseError("there is nothing to tell of a run that was not recovered.")
    again = found.outcome == "recovered-before"
    return plain(*render_recovery(found.evidence, found.judgement, str(found.folder), again=again))


COMMAND = Command(
    "recover",
    "seal what a killed run had recorded, as a NO-GO beside it",
    "The dead folder is read and never written. What it had recorded goes into the folder beside it whose name ends\n"
    "in -r1: torn last lines are cut and noted, the test that was running is named, and the run is judged NO-GO.\n"
    "A registered run's ledger is told. A run that is sealed and not logged is logged. May be repeated.\n\n"
    "exit status: 0 recovered, or nothing to recover; 2 wrong use, as for a run that still goes on;\n"
    "3 the dead run is not what its own records say.",
    _add_arguments,
    _run,
)
