"""A gate over time, as lines: every run with its figures, and where they lie between each other and the limit."""

import math
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from pytest_spiral.model.chronicle import Chronicle, ChronicleRow, CriterionChronicle
from pytest_spiral.model.judgement import LimitVerdict
from pytest_spiral.render.figures import comparison_of
from pytest_spiral.render.layout import Line, Piece, row, rule
from pytest_spiral.render.words import limit_words

_MARKS: Final = {
    "pass": "P", "fail": "F", "invalid": "!", "inconclusive": "?", "not-run": ".", "environment-limited": "e",
    "inapplicable": "-", "abandoned": "x", "recovered": "r", "open": "o", "broken": "x",
}  # fmt: skip
_LEGEND: Final = (
    "P pass  F fail  ! invalid  ? inconclusive  . not run  e environment-limited  x abandoned  r recovered  o not ended",
    "small letters in brackets are drafts; in the pictures: * the figure, ] or [ its bound, | the limit",
)
_STYLES: Final = {"pass": "green", "fail": "red", "invalid": "red bold", "inconclusive": "yellow"}
_LIMITED: Final = "environment-limited"
_WIDE: Final = 24
_INDENT: Final = 34


def render_history(chronicle: Chronicle, width: int) -> list[Line]:
    """Render a gate's criteria over time, each attempt a row, oldest first, and its figures under the picture's scale."""
    lines = [rule(f"history of {chronicle.gate}", width)]
    for one in chronicle.criteria:
        lines += _criterion(one, width)
    for text in _LEGEND:
        lines += row([], [Piece(text)], width, 1)
    return lines


def _criterion(one: CriterionChronicle, width: int) -> list[Line]:
    strip = "".join(f"({_mark(each).lower()})" if each.draft else _mark(each) for each in one.rows)
    where = f"on {one.target}" if one.target else "on no target"
    lines = row([Piece(f" {one.criterion}", "bold")], [Piece(where), Piece(strip), Piece(one.attempts)], width, _INDENT)
    scales = _scales(one.rows)
    bars = {each.bar for each in one.rows}
    for at, each in enumerate(one.rows):
        moved = len(bars) > 1 and at > 0 and each.bar != one.rows[at - 1].bar
        lines += _row(each, scales, moved=moved, width=width)
    return lines


def _verdict_words(one: ChronicleRow) -> str:
    """How a run came out, and what was left of that; no attempt makes a pass a condition, only what it was shown on."""
    if one.verdict in ("", one.word):
        return one.verdict
    return (
        f"{one.word}, {one.verdict}" if one.verdict == _LIMITED else f"{one.word} alone, {one.verdict} among attempts"
    )


def _row(one: ChronicleRow, scales: dict[str, tuple[float, float]], *, moved: bool, width: int) -> list[Line]:
    number = "draft" if one.draft else f"#{one.number}"
    when = datetime.fromtimestamp(one.wall // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%MZ")
    verdict = _verdict_words(one)
    lead = [Piece(f"   {number:<6}{when}  ")]
    body = [Piece(verdict or one.word, _STYLES.get(one.verdict or one.word, ""))]
    body += [Piece("bar moved", "yellow")] if moved else []
    body += [Piece(one.missing, "yellow")] if one.missing else []
    lines = row(lead, [*body, Piece(one.run)], width, _INDENT)
    for limit in one.limits:
        picture = picture_of(limit, scales.get(limit.limit))
        words = dict.fromkeys((limit.limit, *limit_words(limit, where=True)))
        lines += row([Piece(f"     {picture:<{_WIDE + 2}} ")], [Piece(word) for word in words if word], width, _INDENT)
    return lines


def _mark(one: ChronicleRow) -> str:
    return _MARKS.get(one.verdict or one.word, "?")


def _scales(rows: Iterable[ChronicleRow]) -> dict[str, tuple[float, float]]:
    """Limit → the least and the greatest of all figures, bounds and the limit itself, over all runs."""
    figures: dict[str, list[float]] = {}
    for limit in (each for one in rows for each in one.limits):
        figures.setdefault(limit.limit, []).extend(one for one in _figures(limit) if one is not None)
    return {name: (min(found), max(found)) for name, found in figures.items() if found}


def _figures(limit: LimitVerdict) -> tuple[float | None, float | None, float | None]:
    """(value, the bound that has to be within the limit, the limit); None where there is no finite one."""
    adverse = limit.lower if comparison_of(limit) == ">=" else limit.upper
    found = [
        None if one is None or not math.isfinite(one) else float(one) for one in (limit.value, adverse, limit.bound)
    ]
    return found[0], found[1], found[2]


def picture_of(limit: LimitVerdict, scale: tuple[float, float] | None) -> str:
    """Where figure, bound and limit lie between the ends of the scale: `..*...]..|...`; empty without a figure."""
    value, bound, at = _figures(limit)
    if scale is None or (value is None and bound is None):
        return ""
    least, most = scale
    cells = ["."] * _WIDE

    def put(number: float | None, mark: str) -> None:
        if number is not None:
            share = (number - least) / (most - least) if most > least else 0.5
            cells[round(share * (_WIDE - 1))] = mark

    put(at, "|")
    put(bound, "[" if comparison_of(limit) == ">=" else "]")
    put(value, "*")
    return "".join(cells)
