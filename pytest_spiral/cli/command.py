"""What a command is: its words for the help, its arguments, and a function from arguments to an answer."""

import argparse
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a line with the style words that colour it (`red`, `green`, `yellow`, `bold`, or none)."""

    text: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command says, line by line, and the exit status it ends with."""

    lines: tuple[tuple[Span, ...], ...]
    status: int = 0


def styled(lines: Iterable[Iterable[Any]], status: int = 0) -> Answer:
    """An answer of rendered lines, whose spans have `text` and `style`."""
    return Answer(tuple(tuple(Span(span.text, span.style) for span in line) for line in lines), status)


def terminal_width() -> int:
    """Columns of the terminal, 100 where there is none, 140 at most."""
    return min(shutil.get_terminal_size((100, 24)).columns, 140)


def plain(*lines: str, status: int = 0) -> Answer:
    """An answer of uncoloured lines."""
    return Answer(tuple((Span(line),) for line in lines), status)


def as_json(value: object) -> Answer:
    """An answer of one indented JSON document."""
    import msgspec

    return plain(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


@dataclass(frozen=True, slots=True)
class Command:
    """One command of `spiral`."""

    name: str
    summary: str
    details: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], Answer]
