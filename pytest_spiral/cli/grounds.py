"""What a verification goes by: the arguments that name it, for every command that verifies."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_spiral.rules.integrity import Limits
    from pytest_spiral.run.grounds import Grounds


def add_grounds(parser: argparse.ArgumentParser, *, trust_required: bool = False) -> None:
    """Add the arguments that name a trust root, an expectation and a kept ledger."""
    parser.add_argument(
        "--trust", type=Path, metavar="FILE", required=trust_required,
        help="the trust root: an OpenSSH allowed_signers file",
    )  # fmt: skip
    parser.add_argument("--expect", type=Path, metavar="FILE", help="a TOML file that says what is expected of it")
    parser.add_argument(
        "--ledger", type=Path, metavar="FILE",
        help="a ledger, or a line that `spiral ledger head` printed, that did not come with the bundle",
    )  # fmt: skip


def grounds_of(options: argparse.Namespace, folder: Path, limits: "Limits | None" = None) -> "Grounds":
    """Load what was named for the bundle in `folder`. Raises UseError, also for files that lie in it, and UntrustedError."""
    from pytest_spiral.rules.integrity import Limits
    from pytest_spiral.run.grounds import Grounds, load_expectation, load_trust
    from pytest_spiral.run.registered import load_kept

    return Grounds(
        trust=load_trust(options.trust, folder) if options.trust else None,
        expectation=load_expectation(options.expect, folder) if options.expect else None,
        limits=limits or Limits(),
        kept=load_kept(options.ledger, folder) if options.ledger else None,
    )
