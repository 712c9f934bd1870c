"""`spiral target`: which targets there are, and what one of them shows before anything is run on it."""

import argparse
from pathlib import Path

from pytest_spiral.cli.command import Answer, Command, plain, styled, terminal_width


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", dest="action", required=True)
    listed = actions.add_parser("list", help="say which targets are installed, and which pyproject.toml configures")
    check = actions.add_parser(
        "check", help="say what can be reached, how real it is, in which versions, in how many ms"
    )
    check.add_argument("name", metavar="NAME", help="the target, such as staging")
    check.add_argument("--no-challenge", action="store_true", help="connect only; then no fidelity is observed")
    for one in (listed, check):
        one.add_argument("--root", type=Path, default=Path(), help="the folder of pyproject.toml (default: here)")
        one.add_argument("--json", action="store_true", help="print everything that was found as one JSON object")


def _run(options: argparse.Namespace) -> Answer:
    return {"list": _list, "check": _check}[options.action](options)


def _list(options: argparse.Namespace) -> Answer:
    import msgspec

    from pytest_spiral.render.target_check import render_target_list
    from pytest_spiral.run.target_check import list_targets

    targets = list_targets(options.root.resolve())
    if options.json:
        return plain(msgspec.json.encode([{"name": name, "what": said} for name, said in targets]).decode())
    return styled(render_target_list(targets, terminal_width()))


def _check(options: argparse.Namespace) -> Answer:
    import msgspec

    from pytest_spiral.render.target_check import render_target_check
    from pytest_spiral.run.target_check import check_target

    look = check_target(options.name, options.root.resolve(), challenged=not options.no_challenge)
    status = 0 if look.sound else 1
    if options.json:
        return plain(msgspec.json.encode(look).decode(), status=status)
    return styled(render_target_check(look, terminal_width()), status)


COMMAND = Command(
    "target",
    "list the targets, and say what one of them shows",
    "A live target is configured in pyproject.toml, `[tool.spiral.targets.staging]`. The check connects to every\n"
    "endpoint, asks for its health with its credential, and challenges every component: exit status 0 where all of\n"
    "that holds, else 1.",
    _add_arguments,
    _run,
)
