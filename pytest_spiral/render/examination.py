"""Documents that people examine, as lines: what is asked for, how it stands, what to do next."""

import shlex
from collections.abc import Iterable
from pathlib import Path

from pytest_spiral.model.examination import Standing
from pytest_spiral.render.layout import Line, Piece, row, rule
from pytest_spiral.rules.examination import examined_words

_INDENT = 12


def render_examinations(
    found: Iterable[Standing], root: Path, width: int = 100, *, trusted: bool = False
) -> list[Line]:
    """Render each examination: document, signer, how it stands, and the command that signs it."""
    lines: list[Line] = []
    for one in found:
        lines += [rule(one.criterion, width)]
        for name, pieces in _fields(one, root, trusted=trusted):
            lines += row([Piece(f" {name}".ljust(_INDENT))], pieces, width, _INDENT)
    return lines


def _fields(one: Standing, root: Path, *, trusted: bool) -> Iterable[tuple[str, list[Piece]]]:
    seen = one.examination.seen
    if one.promise:
        yield "promise", [Piece(one.promise)]
    told = f"{seen.bytes:,} bytes, {seen.sha256}" if seen.path else "not there"
    yield "document", [Piece(seen.document, "bold"), Piece(told)]
    yield "signer", [Piece(one.signer)]
    if one.faults:
        yield "stands", [Piece(f"{sentence} [{code}]", "red") for code, sentence in one.faults[:1]]
        where = "" if root == Path() else f" --root {shlex.quote(str(root))}"
        yield "next", [Piece("read it, then"), Piece(f"spiral examine {one.criterion}{where} --key KEY", "bold")]
        return
    statement, rehearsal = one.examination.statement, one.examination.rehearsed
    yield "stands", [Piece(examined_words(statement) if statement else "", "yellow" if rehearsal else "green")]
    whose = _NOBODYS if rehearsal else _PROVEN if trusted else _WHOSE
    yield "key", [Piece(one.examination.keyid), Piece(whose)]


_NOBODYS = "made for the rehearsal, and kept by nobody"
_PROVEN = "as the trust root says"
_WHOSE = "whose it is, a trust root says: --trust FILE"
