"""The selftest as lines: each criterion with how many defects it caught, what came through, and each defect in turn."""

from collections.abc import Sequence
from typing import Final

from pytest_spiral.model.selftest import Certificate, CriterionProof
from pytest_spiral.render.figures import counted
from pytest_spiral.render.layout import Line, Piece, cells, row, rule

_STYLES: Final = {"proven": "green", "waits": "yellow", "untried": "yellow", "blind": "red", "unsound": "red"}
_WORD: Final = max(map(len, _STYLES)) + 2
_LISTED: Final = 3
"""Criteria that a defect's line names before it only counts them."""


def render_selftest(bar: Certificate, judge: Certificate, width: int) -> list[Line]:
    """Render criteria by defects: a line a criterion, a line a defect, what came through, and the judge's own."""
    lines = [rule("selftest of the bar", width), *_criteria(bar.criteria, width)]
    lines += [rule("defects", width), *_defects(bar, width)]
    lines += [rule("the judge, on a bar that uses all of its rules", width)]
    lines += _criteria([one for one in judge.criteria if one.state != "proven"], width)
    return [*lines, *_total("the judge", judge.criteria, width), *_total("this bar", bar.criteria, width)]


def _criteria(proofs: Sequence[CriterionProof], width: int) -> list[Line]:
    names = max((cells(one.id) for one in proofs), default=0)
    lines: list[Line] = []
    for one in proofs:
        lead = [Piece(f" {one.id.ljust(names)}  "), Piece(one.state.ljust(_WORD), _STYLES[one.state])]
        lines += row(lead, [Piece(text) for text in _figures(one)], width, names + _WORD + 3)
        for miss in one.missed:
            where = f" ({miss.where})" if miss.where else ""
            lines += row(
                [Piece(f"   {miss.defect} ", "red")], [Piece(f"came through{where}: {miss.verdict}")], width, 8
            )
    return lines


def _figures(one: CriterionProof) -> list[str]:
    tried = [] if not one.tried else [f"{one.tried - len(one.missed):,} of {one.tried:,} caught"]
    defects = [counted(len(one.caught), "defect")] if one.tried else []
    return [*tried, *defects, *(text for text in (one.scaled and f"at {one.scaled}", one.sentence) if text)]


def _defects(bar: Certificate, width: int) -> list[Line]:
    """Each defect of the catalogue: how many criteria caught it, of those it applies to."""
    names = max(cells(card.id) for card in bar.defects)
    tried = [one for one in bar.criteria if one.tried]
    lines: list[Line] = []
    for card in bar.defects:
        caught = [one.id for one in tried if card.id in one.caught]
        missed = [one.id for one in tried if any(miss.defect == card.id for miss in one.missed)]
        whole = len(caught) + len(missed)
        style = "red" if missed else "green" if caught else "yellow"
        share = f"{len(caught)} of {whole}" if whole else "none"
        through = f"came through: {_some(missed)}" if missed else ""
        says = [card.makes, through or ("" if whole else f"applies to {card.applies}")]
        lead = [Piece(f" {card.id.ljust(names)}  "), Piece(share.ljust(_WORD), style)]
        lines += row(lead, [Piece(text) for text in says if text], width, names + _WORD + 3)
    return lines


def _some(names: Sequence[str]) -> str:
    more = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {more} more" if more > 0 else "")


def _total(what: str, proofs: Sequence[CriterionProof], width: int) -> list[Line]:
    tried = sum(one.tried for one in proofs)
    caught = tried - sum(len(one.missed) for one in proofs)
    unsound = [one for one in proofs if one.state == "unsound"]
    held = caught == tried and not unsound
    waits = sum(one.state in ("waits", "untried") for one in proofs)
    beside = [f"{len(proofs) - waits} of {counted(len(proofs), 'criterion', 'criteria')} tried"]
    beside += [f"{counted(len(unsound), 'criterion', 'criteria')} cannot be proven"] if unsound else []
    lead = [Piece(f" {what}: {caught:,} of {tried:,} caught", "green bold" if held else "red bold")]
    return row(lead, [Piece(text) for text in beside], width, 4)
