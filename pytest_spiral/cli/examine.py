"""`spiral examine`: which documents wait for a person, and to sign that one was examined."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_spiral.cli.command import Answer, Command, styled, terminal_width
from pytest_spiral.errors import UseError

if TYPE_CHECKING:
    from pytest_spiral.run.examination import Asked


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("selector", nargs="?", default="", help="a stage, a gate or a criterion (default: all of them)")
    parser.add_argument("--root", type=Path, default=Path(), help="where the gates files are (default: here)")
    parser.add_argument("--trust", type=Path, metavar="FILE", help="a trust root: whose signatures count")
    signing = parser.add_mutually_exclusive_group()
    signing.add_argument(
        "--key", type=Path, metavar="FILE", help="sign by this SSH key, or the .pub of one that an agent holds"
    )
    signing.add_argument(
        "--rehearse", action="store_true", help="sign by a key that nobody keeps, as nobody: to try the machinery"
    )
    parser.add_argument("--note", default="", metavar="TEXT", help="words of the signer's, signed with the rest")


def _run(options: argparse.Namespace) -> Answer:
    from pytest_spiral.render.examination import render_examinations
    from pytest_spiral.run.examination import asked_for, look_at
    from pytest_spiral.run.grounds import load_trust

    asked = asked_for(options.root.resolve(), options.selector)
    if options.key or options.rehearse:
        _sign(asked, options)
    elif options.note:
        raise UseError("--note is signed with the rest. Remedy: give the key too, by --key.")
    trust = load_trust(options.trust) if options.trust else None
    standing = [look_at(one, trust) for one in asked]
    lines = render_examinations(standing, options.root, terminal_width(), trusted=trust is not None)
    return styled(lines, 1 if any(one.faults for one in standing) else 0)


def _sign(asked: "tuple[Asked, ...]", options: argparse.Namespace) -> None:
    from pytest_spiral.run.examination import rehearse_examination, sign_examination

    if len(asked) > 1:
        names = ", ".join(one.criterion.id for one in asked)
        raise UseError(f"one document is examined at a time, and there are {names}. Remedy: name one.")
    if not options.note.isprintable():
        raise UseError("--note holds something that is no printable character.")
    if options.rehearse:
        rehearse_examination(asked[0], options.note)
    else:
        sign_examination(asked[0], options.key, options.note)


COMMAND = Command(
    "examine",
    "say which documents wait for a person to examine them, and sign one",
    'For criteria with `method = "examine"`: a person reads the document and signs, with the SSH key they have, that they\n'
    "examined exactly these bytes. The statement and its signature are written beside the gates file, into examined/;\n"
    "commit both. A run keeps document, statement and signature in its bundle; whether the key is the signer's is said by\n"
    "the trust root alone (role spiral-signoff), here and in `spiral verify` by --trust.\n\n"
    "exit status: 0 all of them are signed, and nothing has changed since; 1 not; 2 wrong use.",
    _add_arguments,
    _run,
)
