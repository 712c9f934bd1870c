"""Lines for a terminal as values: styled text, wrapped to a width with hanging indentation.

A line knows no escape sequences of its own; whoever prints it gives each span its colour. All text enters through
`Piece`, which escapes it, so that nothing a test says can move the cursor or forge a line.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from pytest_spiral.render import escape

_SGR: Final = {
    "bold": "1",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "cyan": "36",
}
GAP: Final = "   "
"""What stands between two pieces of a line."""


@dataclass(frozen=True, slots=True)
class Span:
    """A text in one style: words such as `red`, `green`, `yellow`, `cyan`, `bold`, by blanks; empty for none.

    ValueError for a text with control characters or an unknown style word.
    """

    text: str
    style: str = ""

    def __post_init__(self) -> None:
        if escape.visible(self.text) != self.text:
            raise ValueError(f"{self.text!r} was not escaped")
        if not set(self.style.split()) <= set(_SGR):
            raise ValueError(f"{self.style!r} is no style")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of output, without its end."""

    spans: tuple[Span, ...] = ()

    def __iter__(self) -> Iterator[Span]:
        """The spans, from left to right."""
        return iter(self.spans)

    @property
    def text(self) -> str:
        """The line without its styles."""
        return "".join(span.text for span in self.spans)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a line that is kept together where there is room; any text, escaped when it is laid out."""

    text: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class _Word:
    span: Span
    gap: str
    opens: bool


def cells(text: str) -> int:
    """Count the terminal cells a text takes: two for wide characters, none for combining marks (UAX #11)."""
    if text.isascii():
        return len(text)
    return sum(_cells_of(character) for character in text)


def padded(text: str, width: int) -> str:
    """Fill a text with blanks up to a width in cells."""
    return text + " " * max(width - cells(text), 0)


def shortened(text: str, width: int) -> str:
    """Cut a text to a width in cells, with an ellipsis where something was left out."""
    seen = escape.terminal(text)
    if cells(seen) <= width:
        return seen
    while seen and cells(seen) > width - 1:
        seen = seen[:-1]
    return f"{seen}…"


def rule(title: str, width: int, stroke: str = "─", style: str = "bold") -> Line:
    """Draw a line over the whole width with a title in its middle."""
    text = f" {escape.terminal(title)} "
    left = max((width - cells(text)) // 2, 1)
    right = max(width - cells(text) - left, 1)
    return Line((Span(stroke * left + text + stroke * right, style),))


def row(lead: Sequence[Piece], body: Sequence[Piece], width: int, indent: int) -> list[Line]:
    """Lay out a row: a lead that is never broken, then pieces that wrap under column `indent`.

    The lead is padded to `indent` (or followed by a gap where it is longer). A piece that does not fit into what
    is left of a line but fits into a line of its own starts a new one; a longer one is broken between words.
    """
    start = [Span(escape.terminal(piece.text), piece.style) for piece in lead if piece.text]
    words = [word for piece in body for word in _words(piece)]
    used = sum(cells(span.text) for span in start)
    if not words:
        return [Line(tuple(start))]
    least = 1 if start and not start[-1].text.endswith(" ") else 0
    start.append(Span(" " * max(indent - used, least)))
    return _filled(start, words, width, indent)


def plain(lines: Iterable[Line]) -> str:
    """Write lines as text without styles, each with its line end and no blanks before it."""
    return "".join(f"{line.text.rstrip()}\n" for line in lines)


def ansi(lines: Iterable[Line]) -> str:
    """Write lines with colours as ECMA-48 select graphic rendition."""
    return "".join(f"{''.join(_coloured(span) for span in line.spans)}\n" for line in lines)


def uncoloured(lines: Iterable[Line]) -> list[Line]:
    """Take all styles from lines."""
    return [Line((Span(line.text),)) for line in lines]


def _words(piece: Piece) -> list[_Word]:
    parts = escape.terminal(piece.text).split()
    return [_Word(Span(part, piece.style), GAP if at == 0 else " ", at == 0) for at, part in enumerate(parts)]


def _filled(start: list[Span], words: list[_Word], width: int, indent: int) -> list[Line]:
    lines: list[Line] = []
    spans, used, fresh = start, sum(cells(span.text) for span in start), True
    for at, word in enumerate(words):
        gap = "" if fresh else word.gap
        if not fresh and used + len(gap) + _reach(words, at, width - indent) > width:
            lines.append(Line(tuple(spans)))
            spans, used, gap = [Span(" " * indent)], indent, ""
        spans.append(Span(gap + word.span.text, word.span.style))
        used, fresh = used + len(gap) + cells(word.span.text), False
    return [*lines, Line(tuple(spans))]


def _reach(words: list[_Word], at: int, room: int) -> int:
    """How many cells must fit for the word to stay on the line: its whole piece, if a line can hold that."""
    if not words[at].opens:
        return cells(words[at].span.text)
    end = next((later for later in range(at + 1, len(words)) if words[later].opens), len(words))
    whole = sum(cells(word.span.text) for word in words[at:end]) + (end - at - 1)
    return whole if whole <= room else cells(words[at].span.text)


def _coloured(span: Span) -> str:
    codes = ";".join(_SGR[word] for word in span.style.split())
    return f"\x1b[{codes}m{span.text}\x1b[0m" if codes and span.text.strip() else span.text


def _cells_of(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1
