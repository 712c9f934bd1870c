"""What has changed since a run, below its summary, and since the newest runs of a ledger."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from pytest_spiral.model.freshness import InputChange, Standing
from pytest_spiral.model.gate import Criterion
from pytest_spiral.render.layout import Line, Piece, row, rule
from pytest_spiral.rules.freshness import inputs_of

_MOST = 20
_INDENT = 34
_STANDS: Final = {"stale": "red", "unknown": "yellow"}


def render_freshness(criteria: Iterable[Criterion], changes: Sequence[InputChange], width: int) -> list[Line]:
    """Each change since the run, by criterion, twenty at most; how many are fresh, and how many declare no inputs."""
    whole = list(criteria)
    stale = dict.fromkeys(one.criterion for one in changes)
    declaring = [one for one in whole if inputs_of(one)]
    lines = [rule("inputs since the run", width)]
    for one in changes[:_MOST]:
        lines += row([Piece(f" stale {one.criterion}  ", "red")], [Piece(one.sentence)], width, _INDENT)
    if len(changes) > _MOST:
        lines += row([], [Piece(f"and {len(changes) - _MOST} more changes")], width, 1)
    told = _counted(len(declaring) - len(stale), len(declaring), len(whole) - len(declaring))
    return lines + row([], told, width, 1)


def render_standings(found: Sequence[Standing], width: int) -> list[Line]:
    """Each criterion that is stale, and each of which nobody can tell; how many of all are what."""
    lines = [rule("inputs since the newest sealed runs", width)]
    for one in sorted((one for one in found if one.state in _STANDS), key=lambda one: one.state):
        where = f"on {one.target}" if one.target else "on no target"
        words = f"nobody can tell: {one.sentence}" if one.state == "unknown" else one.sentence
        lead = Piece(f" {one.criterion}  ", _STANDS[one.state])
        lines += row([lead], [Piece(words), Piece(where), Piece(one.run)], width, _INDENT)
    count = Counter(one.state for one in found)
    told = _counted(count["fresh"], count["fresh"] + count["stale"], count["undeclared"])
    unknown = [Piece(f"of {count['unknown']} nobody can tell")] if count["unknown"] else []
    return lines + row([], [*told, *unknown], width, 1)


def _counted(fresh: int, declaring: int, none: int) -> list[Piece]:
    """How many of those that declare inputs are fresh, and how many declare none."""
    told = [Piece(f"{fresh} of {declaring} criteria that declare inputs are fresh")]
    return [*told, Piece(f"{none} declare none, and nobody can tell of them")] if none else told
