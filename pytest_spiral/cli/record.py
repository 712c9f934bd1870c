"""`spiral record`: run pytest where its tests cannot reach the key, and sign what they recorded."""

import argparse
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_spiral.cli.command import Answer, Command, plain
from pytest_spiral.errors import EvidenceError, UntrustedError, UseError

if TYPE_CHECKING:
    from pytest_spiral.ledger.store import Store
    from pytest_spiral.run.launcher import Order, Recorded
    from pytest_spiral.run.listener import Publish

_UNSEALED = 3


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--key", type=Path, metavar="FILE", required=True, help="the recorder's private key")
    parser.add_argument(
        "--user", metavar="NAME", default="nobody", help="the account that pytest runs as (default: nobody)"
    )
    parser.add_argument(
        "--reports", type=Path, metavar="DIR", default=Path("reports"), help="folder for the bundles (default: reports)"
    )
    parser.add_argument("--ledger", metavar="WHERE", default="", help="register the run in this ledger, out of reach")
    parser.add_argument(
        "--publish", metavar="COMMAND", default="",
        help="give the ledger's head to a witness by this command, before tests are collected",
    )  # fmt: skip
    parser.add_argument("command_line", nargs=argparse.REMAINDER, metavar="-- pytest …", help="what is to be run")


def _run(options: argparse.Namespace) -> Answer:
    from pytest_spiral.run.confine import refuse_elsewhere

    refuse_elsewhere()
    from pytest_spiral.run.launcher import record

    order = _order(options)
    try:
        done = record(order)
    except (UntrustedError, UseError):
        raise
    except EvidenceError as problem:
        return plain(f"spiral record: not sealed: {problem}", status=_UNSEALED)
    return _told(done)


def _order(options: argparse.Namespace) -> "Order":
    from pytest_spiral.run.confine import find_account
    from pytest_spiral.run.launcher import Order
    from pytest_spiral.run.signing import load_run_key

    here, reports = Path.cwd(), options.reports.absolute()
    ledger = _ledger(options, here)
    why = "" if os.geteuid() == 0 else "the launcher is no root user here, so it cannot start tests as another one"
    return Order(
        command=_command(options.command_line),
        folder=here,
        environment=dict(os.environ),
        reports=reports,
        key=options.key,
        load_key=lambda: load_run_key(options.key, reports),
        account=None if why else find_account(options.user),
        why=why,
        ledger=ledger,
        ledger_file=None if ledger is None or options.ledger.startswith("git:") else here / options.ledger,
        publish=_publish(options, here),
    )


def _command(given: list[str]) -> tuple[str, ...]:
    """The command with its program's path: that beside this Python first, then those on PATH. Raises UseError."""
    words = given[1:] if given[:1] == ["--"] else given
    if not words:
        raise UseError("nothing is to be run. Remedy: spiral record --key FILE -- pytest -m stage_b.")
    beside = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    found = shutil.which(words[0], path=beside)
    if found is None:
        raise UseError(f"{words[0]} is no program that is found here.")
    return (found, *words[1:])


def _ledger(options: argparse.Namespace, here: Path) -> "Store | None":
    if not options.ledger:
        if options.publish:
            raise UseError("--publish gives a ledger's head away, and no ledger is named. Remedy: --ledger WHERE.")
        return None
    from pytest_spiral.ledger.places import find_ledger
    from pytest_spiral.run.clock import wall_us

    return find_ledger(options.ledger, here, wall_us)


def _publish(options: argparse.Namespace, here: Path) -> "Publish | None":
    if not options.publish:
        return None
    from pytest_spiral.run.publish import publish_head, words_of

    words = words_of(options.publish, "--publish")
    return lambda head: publish_head(words, head, here, "launcher")


def _told(done: "Recorded") -> Answer:
    from pytest_spiral.render.recording import render_confinement, render_pooled, render_recorded
    from pytest_spiral.rules.enough import enough

    lines = render_confinement(done.confinement)
    if done.sealed is None:
        status = done.status or (1 if done.left is not None else 0)
        left = str(done.left) if done.left is not None else ""
        return plain(*render_recorded("", left, done.state), *lines, status=status)
    sealed = done.sealed
    path = os.path.relpath(sealed.folder)
    status = done.status
    if status == 0 and not enough(sealed.judgement, sealed.evidence.bundle.require):
        status = 1  # pytest leaves the decision to whoever seals
    signer = sealed.evidence.bundle.signer
    said = render_recorded(signer.keyid if signer is not None else "", path, done.state)
    pooled = render_pooled(sealed.judgement, len(sealed.evidence.earlier))
    return plain(*said, *pooled, *lines, status=status)


COMMAND = Command(
    "record",
    "run pytest where its tests cannot reach the recorder's key, then sign what they recorded",
    "Starts the command as another user, without groups, capabilities and any way to gain them. From there it first\n"
    "tries to read the key, the launcher's memory and environment, to trace and to signal it, and more: all of that\n"
    "must be refused, and stands in bundle.json. pytest sends the digest of each record while it is written; the bundle\n"
    "is signed where the journals are exactly that. Evidence is on: --spiral-evidence need not be given.\n"
    "Linux only. Root defeats it: whoever is root, or can become root, on this machine can take the key and sign\n"
    "anything. As an ordinary user the run goes on, and its signature proves E1 at most.\n\n"
    "exit status: pytest's own; 1 where that is 0 and the decision is below what is required; 2 wrong use;\n"
    "3 not sealed, since what lies there is not what was told.",
    _add_arguments,
    _run,
)
