"""Entry point of `spiral`. This module alone prints and exits."""

import argparse
import os
import sys
from collections.abc import Sequence

from pytest_spiral.cli import (
    bars,
    countersign,
    doctor,
    examine,
    history,
    init,
    judge,
    key,
    ledger,
    manual,
    plan,
    record,
    recover,
    run,
    selftest,
    show,
    status,
    target,
    verify,
    why,
)
from pytest_spiral.cli.command import Answer, Command
from pytest_spiral.errors import SpiralError, UntrustedError

COMMANDS: tuple[Command, ...] = (
    init.COMMAND,
    doctor.COMMAND,
    target.COMMAND,
    why.COMMAND,
    verify.COMMAND,
    run.COMMAND,
    record.COMMAND,
    countersign.COMMAND,
    examine.COMMAND,
    show.COMMAND,
    judge.COMMAND,
    plan.COMMAND,
    recover.COMMAND,
    selftest.COMMAND,
    status.COMMAND,
    history.COMMAND,
    bars.COMMAND,
    ledger.COMMAND,
    key.COMMAND,
    manual.COMMAND,
)
_COLOURS = {"red": "31", "green": "32", "yellow": "33", "cyan": "36", "bold": "1", "dim": "2"}
_EPILOG = "Each command explains itself: spiral COMMAND --help; all of them: spiral help --all. Exit status 2 is wrong use, 3 is evidence not to be trusted."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives its exit status. Wrong use is one sentence on standard error and status 2."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if getattr(options, "command", None) is None:
        parser.print_help()
        return 2
    options.say = _say
    try:
        answer: Answer = options.command.run(options)
    except UntrustedError as error:
        _complain(f"{error.code}: {error}")
        return 3
    except SpiralError as error:
        _complain(str(error))
        return 2
    try:
        _print(answer)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read this has seen enough (`spiral show … | head`). Python's own flush at exit must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return answer.status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="spiral", description="Release gates that are proven: start, look, check.", epilog=_EPILOG
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for command in COMMANDS:
        own = commands.add_parser(
            command.name,
            help=command.summary,
            description=f"{command.summary}\n\n{command.details}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(own)
        own.set_defaults(command=command, parser=parser)
    return parser


def _say(line: str) -> None:
    """Print a line of a command that is not over yet."""
    print(_seen(line), flush=True)


def _complain(text: str) -> None:
    """Say what is wrong; it may quote a hostile file, so each of its lines is made safe for a terminal."""
    from pytest_spiral.render.escape import terminal

    print("\n".join(terminal(line) for line in f"spiral: {text}".split("\n")), file=sys.stderr)


def _print(answer: Answer) -> None:
    """Print an answer: byte for byte, or for a terminal with colours, and with nothing in it that a reader cannot see."""
    on_terminal = _on_terminal()
    for line in answer.lines:
        print("".join(_styled(_seen(span.text), span.style) if on_terminal else span.text for span in line))


def _on_terminal() -> bool:
    return sys.stdout.isatty()


def _seen(text: str) -> str:
    from pytest_spiral.render.escape import visible

    return "\n".join(visible(line) for line in text.split("\n"))


def _styled(text: str, style: str) -> str:
    codes = ";".join(_COLOURS[word] for word in style.split() if word in _COLOURS)
    return f"\x1b[{codes}m{text}\x1b[0m" if codes else text


if __name__ == "__main__":
    sys.exit(main())
