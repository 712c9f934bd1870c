"""`spiral ledger`: look at the ledger, check it, heal a fork."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_spiral.cli.command import Answer, Command, plain, styled, terminal_width
from pytest_spiral.cli.ledgers import add_ledger, chain_of, entries_of, ledger_of
from pytest_spiral.errors import UseError

if TYPE_CHECKING:
    from pytest_spiral.model.entry import LedgerHead

_VIEWS = ("rotation", "readiness", "bridge", "doctrine")


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("show", "head", "fsck", "export", "adopt"))
    parser.add_argument("other", nargs="?", default="", help="adopt: the losing ledger, as --ledger names one")
    add_ledger(parser)
    parser.add_argument("--view", choices=_VIEWS, help="export: which view")
    parser.add_argument("--last", type=int, metavar="N", help="show: the last N entries only")
    parser.add_argument(
        "--head", type=Path, action="append", default=[], metavar="FILE",
        help="fsck: a head that `spiral ledger head` printed before; may be repeated",
    )  # fmt: skip
    parser.add_argument("--force", action="store_true", help="adopt: write even where locks are not proven")


def _run(options: argparse.Namespace) -> Answer:
    actions = {"show": _show, "head": _head, "fsck": _fsck, "export": _export, "adopt": _adopt}
    if options.other and options.action != "adopt":
        raise UseError(f"spiral ledger {options.action} takes no further word; name the ledger with --ledger.")
    return actions[options.action](options)


def _show(options: argparse.Namespace) -> Answer:
    from pytest_spiral.model.entry import AttemptOpened
    from pytest_spiral.render.ledger import render_entries

    entries = entries_of(ledger_of(options.ledger))
    runs = {one.record.nonce: one.record.run for one in entries if isinstance(one.record, AttemptOpened)}
    shown = entries[-options.last :] if options.last else entries
    return styled(render_entries(shown, runs, terminal_width()))


def _head(options: argparse.Namespace) -> Answer:
    from pytest_spiral.rules.entries import head_of, render_head, with_branches

    chain = chain_of(ledger_of(options.ledger))
    for _ in with_branches(chain):
        pass  # raises where a branch does not hold: no head is given of such a ledger
    return plain(render_head(head_of(chain)))


def _fsck(options: argparse.Namespace) -> Answer:
    from pytest_spiral.ledger.fsck import fsck
    from pytest_spiral.render.ledger import render_fsck

    ledger = ledger_of(options.ledger)
    found = fsck(ledger.lines(), [_kept(path) for path in options.head])
    if found.head is None and not next(iter(ledger.lines()), b""):
        raise UseError(f"there is no ledger at {ledger.name}.")
    lines = render_fsck(ledger.name, found, terminal_width())
    return styled(lines, 3 if found.findings else 0)


def _kept(path: Path) -> "LedgerHead":
    from pytest_spiral.rules.entries import parse_head

    try:
        return parse_head(path.read_text(encoding="utf-8", errors="replace"))
    except OSError as problem:
        raise UseError(f"{path} cannot be read: {problem.strerror}.") from problem


def _export(options: argparse.Namespace) -> Answer:
    from pytest_spiral.rules.views import view_of

    if options.view is None:
        raise UseError(f"which view? Remedy: spiral ledger export --view {'|'.join(_VIEWS)}.")
    rows = view_of(options.view, entries_of(ledger_of(options.ledger)))
    head = {"format": "spiral-ledger-view/1", "view": options.view, "rows": len(rows)}
    return plain(*(json.dumps(row, sort_keys=True) for row in [head, *rows]))


def _adopt(options: argparse.Namespace) -> Answer:
    from pytest_spiral.ledger.adopt import adopt

    if not options.other:
        raise UseError("which ledger is to be adopted? Remedy: spiral ledger adopt LOSING --ledger WINNING.")
    ledger, losing = ledger_of(options.ledger, forced=options.force), ledger_of(options.other)
    entries_of(losing)
    healed = adopt(ledger, losing.lines())
    if not healed.taken:
        return plain(f"nothing to adopt: {ledger.name} has all of {losing.name}")
    at = ", ".join(str(one.seq) for one in healed.entries)
    return plain(f"adopted {healed.taken} entries after entry {healed.fork} into {ledger.name} (entry {at})")


COMMAND = Command(
    "ledger",
    "show, check or export the ledger of all registered runs; heal a fork",
    "show lists entries, head prints where the ledger stands (keep that line elsewhere: it proves every entry up to\n"
    "itself), fsck checks every line and every head that was kept, export gives a view as JSON lines, adopt LOSING\n"
    "embeds what only another branch of this ledger has.\n\n"
    "exit status: 3 where the ledger is not to be trusted.",
    _add_arguments,
    _run,
)
