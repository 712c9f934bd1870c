"""`spiral help`: explain one command, or all of them in one go."""

import argparse
import difflib
from collections.abc import Iterator

from pytest_spiral.cli.command import Answer, Command, plain
from pytest_spiral.errors import UseError

_RULE = "─" * 72


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="*", metavar="COMMAND", help="the command, such as verify, or key new")
    parser.add_argument("--all", action="store_true", help="every command with every option, one after another")


def _run(options: argparse.Namespace) -> Answer:
    first = len(options.parser.prog)
    known = {parser.prog[first:].strip(): parser for parser in parsers_of(options.parser)}
    if options.all:
        if options.name:
            raise UseError("spiral help takes a command or --all, not both.")
        return plain(f"\n{_RULE}\n\n".join(parser.format_help() for parser in known.values()).rstrip("\n"))
    wanted = " ".join(options.name)
    if wanted not in known:
        close = difflib.get_close_matches(wanted, known, 1)
        remedy = f"did you mean spiral {close[0]}?" if close else "spiral help lists all of them."
        raise UseError(f"spiral {wanted} is no command. Remedy: {remedy}")
    return plain(known[wanted].format_help().rstrip("\n"))


def parsers_of(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """A parser and those of its commands, in the order of the help; their `prog` is what is typed."""
    yield parser
    for action in parser._actions:  # noqa: SLF001 - argparse has no public way from a parser to its commands
        if isinstance(action.choices, dict):
            for one in action.choices.values():
                yield from parsers_of(one)


COMMAND = Command(
    "help",
    "explain one command, or with --all every one",
    "`spiral help verify` is `spiral verify --help`; `spiral help --all` is the manual of all commands, to search in.",
    _add_arguments,
    _run,
)
