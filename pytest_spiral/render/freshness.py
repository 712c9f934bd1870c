"""What has changed since a run, below its summary."""

from collections.abc import Iterable, Sequence

from pytest_spiral.model.freshness import InputChange
from pytest_spiral.model.gate import Criterion
from pytest_spiral.render.layout import Line, Piece, row, rule

_MOST = 20
_INDENT = 34


def render_freshness(criteria: Iterable[Criterion], changes: Sequence[InputChange], width: int) -> list[Line]:
    """Each change since the run, by criterion, twenty at most; how many are fresh, and how many declare no inputs."""
    whole = list(criteria)
    stale = dict.fromkeys(one.criterion for one in changes)
    declaring = [one for one in whole if one.inputs]
    lines = [rule("inputs since the run", width)]
    for one in changes[:_MOST]:
        lines += row([Piece(f" stale {one.criterion}  ", "red")], [Piece(one.sentence)], width, _INDENT)
    if len(changes) > _MOST:
        lines += row([], [Piece(f"and {len(changes) - _MOST} more changes")], width, 1)
    told = f"{len(declaring) - len(stale)} of {len(declaring)} criteria that declare inputs are fresh"
    rest = len(whole) - len(declaring)
    return lines + row(
        [], [Piece(told), Piece(f"{rest} declare none, and nobody can tell of them" if rest else "")], width, 1
    )
