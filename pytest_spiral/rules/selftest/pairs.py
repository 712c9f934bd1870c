"""Defects of comparisons of two measurements, and of rows of runs."""

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import msgspec

from pytest_spiral.model.gate import Limit
from pytest_spiral.model.measurement import Measurement, Sample
from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.limits import COMPARED
from pytest_spiral.rules.selftest.defect import Broken, Defect
from pytest_spiral.rules.selftest.scene import Recipe, Scene, counted, failed, numbered


def _pairs(scene: Scene, *statistics: str) -> Iterator[tuple[Limit, Measurement, Measurement]]:
    """Each limit of these kinds with both of its measurements in the last run."""
    for limit, _, found in scene.fed():
        if limit.statistic in statistics:
            same = [one for one in scene.evidence.measurements if one.test == found.test and one.run == found.run]
            yield limit, found, next(one for one in same if one.name == limit.measurements[1])


def _says_else(scene: Scene) -> Iterator[Broken]:
    for limit, left, right in _pairs(scene, "equal"):
        for side in (left, right):
            *most, last = side.samples
            for seen in _others(last.seen):
                other = msgspec.structs.replace(last, seen=seen)
                yield Broken(limit.text, scene.with_samples(side, (*most, other)))


def _others(seen: Any) -> tuple[Any, ...]:
    """What reads much the same and is not: a text for a number, nothing, a list of it, the next number."""
    return str(seen), None, [seen], seen + 1


def _one_side(scene: Scene) -> Iterator[Broken]:
    for limit, left, right in _pairs(scene, "equal", *COMPARED):
        for side in (left, right):
            yield Broken(limit.text, scene.with_measurement(side))
            yield Broken(limit.text, scene.with_samples(side, side.samples[:-1]))


def _both_short(scene: Scene) -> Iterator[Broken]:
    for limit, left, right in _pairs(scene, "equal"):
        short = [msgspec.structs.replace(one, samples=one.samples[:-1]) for one in (left, right)]
        kept = [one for one in scene.evidence.measurements if one is not left and one is not right]
        yield Broken(limit.text, scene.but(measurements=(*kept, *short)))


def _item_twice(scene: Scene) -> Iterator[Broken]:
    for limit, left, right in _pairs(scene, "equal"):
        for side in (left, right):
            if len(counted(side)) > 1:
                *most, last = side.samples
                again = msgspec.structs.replace(most[-1], n=last.n)
                yield Broken(limit.text, scene.with_samples(side, (*most, again)))


def _other_side(scene: Scene) -> Iterator[Broken]:
    """The side that is held against is the bad one: as far off the other way, or with nothing to hold against."""
    for limit, _, other in _pairs(scene, *COMPARED):
        recipe = scene.recipes[other.name]
        if limit.statistic == "equivalence":
            yield Broken(limit.text, scene.with_samples(other, _spoilt(other, recipe, limit)))
        gone = tuple(one if one.warm else failed(one) for one in other.samples)
        yield Broken(limit.text, scene.with_samples(other, gone))


def _uneven(scene: Scene) -> Iterator[Broken]:
    """Every second sample of the baseline is slow, so that it differs from itself, and the other side looks fast."""
    for limit, _, other in _pairs(scene, "regression"):
        recipe, first = scene.recipes[other.name], len(other.samples) - len(counted(other))
        changed = [
            one if one.warm or (one.n - first) % 2 else recipe.spoilt(one, limit, far=True) for one in other.samples
        ]
        yield Broken(limit.text, scene.with_samples(other, tuple(changed)))


def _not_in_turns(scene: Scene) -> Iterator[Broken]:
    """All calls of the one side, and then all of the other."""
    for limit, found, other in _timed_pairs(scene):
        after = max(one.done or 0 for one in (*found.samples, *other.samples)) + 1
        yield Broken(limit.text, scene.with_samples(other, tuple(_later(one, after) for one in other.samples)))


def _later(sample: Sample, by: int) -> Sample:
    moved = {name: at + by for name in ("intended", "sent", "done") if (at := getattr(sample, name)) is not None}
    return msgspec.structs.replace(sample, **moved)


def _untold(scene: Scene) -> Iterator[Broken]:
    """One sample of either side does not say when it was taken."""
    for limit, *sides in _timed_pairs(scene):
        for side in sides:
            *most, last = side.samples
            untold = msgspec.structs.replace(last, intended=None, sent=None, done=None)
            yield Broken(limit.text, scene.with_samples(side, (*most, untold)))


def _timed_pairs(scene: Scene) -> Iterator[tuple[Limit, Measurement, Measurement]]:
    return (one for one in _pairs(scene, *COMPARED) if scene.recipes[one[1].name].turn is not None)


def _run_missing(scene: Scene) -> Iterator[Broken]:
    if scene.criterion.consecutive > 1 and scene.evidence.runs_opened:
        gone = scene.evidence.runs_opened[0].run
        evidence = scene.evidence
        yield Broken(
            "",
            scene.but(
                runs_opened=tuple(one for one in evidence.runs_opened if one.run != gone),
                runs_closed=tuple(one for one in evidence.runs_closed if one.run != gone),
                measurements=tuple(one for one in evidence.measurements if one.run != gone),
            ),
        )


def _run_unopened(scene: Scene) -> Iterator[Broken]:
    if scene.criterion.consecutive > 1:
        yield Broken("", scene.but(runs_opened=scene.evidence.runs_opened[1:]))


def _run_abandoned(scene: Scene) -> Iterator[Broken]:
    if scene.criterion.consecutive > 1:
        *most, last = scene.evidence.runs_closed
        yield Broken("", scene.but(runs_closed=tuple(most)))
        yield Broken("", scene.but(runs_closed=(*most, msgspec.structs.replace(last, outcome="abandoned"))))


def _run_silent(scene: Scene) -> Iterator[Broken]:
    if scene.criterion.consecutive > 1:
        last = scene.evidence.runs_opened[-1].run
        kept = tuple(one for one in scene.evidence.measurements if one.run != last)
        yield Broken("", scene.but(measurements=kept))


def _no_runs(scene: Scene) -> Iterator[Broken]:
    """All of it in one go, without a run block."""
    if scene.criterion.consecutive > 1:
        last = scene.evidence.runs_opened[-1].run
        kept = tuple(msgspec.structs.replace(one, run="") for one in scene.evidence.measurements if one.run == last)
        yield Broken("", scene.but(runs_opened=(), runs_closed=(), measurements=kept))


def _hunted(scene: Scene) -> Iterator[Broken]:
    """Bad runs first, as many as it takes for a row of good ones to come by chance."""
    criterion = scene.criterion
    if criterion.consecutive < 2 or criterion.confidence in (None, "none"):
        return
    alpha = 1 - Fraction(Decimal(criterion.confidence or "0"))
    before = int(alpha ** (1 - criterion.consecutive))
    if before > _MOST_HUNTED:
        return
    for limit, recipe, found in scene.fed():
        bad = _spoilt(found, recipe, limit)
        runs = [f"main-0{at}" for at in range(before)]
        evidence = scene.evidence
        opened = [msgspec.structs.replace(evidence.runs_opened[0], run=run) for run in runs]
        closed = [msgspec.structs.replace(evidence.runs_closed[0], run=run) for run in runs]
        taken = [msgspec.structs.replace(found, file=f"{run}.jsonl", run=run, samples=bad) for run in runs]
        yield Broken(
            limit.text,
            scene.but(
                runs_opened=(*opened, *evidence.runs_opened),
                runs_closed=(*closed, *evidence.runs_closed),
                measurements=(*taken, *evidence.measurements),
            ),
        )


def _run_fails(scene: Scene) -> Iterator[Broken]:
    """Each run in turn is a bad one: none of the row may be."""
    if scene.criterion.consecutive > 1:
        for limit, recipe, found in scene.fed():
            for one in scene.evidence.measurements:
                if one.name == found.name and one is not found:
                    yield Broken(limit.text, scene.with_samples(one, _spoilt(one, recipe, limit)))


def _spoilt(found: Measurement, recipe: Recipe, limit: Limit) -> Any:
    return numbered([one if one.warm else recipe.spoilt(one, limit, far=True) for one in found.samples])


_MOST_HUNTED: Final = 40
_RUNS: Final = "consecutive runs"
_EQUAL: Final = "a comparison item by item"
_DIFFERENCE: Final = "a limit on how far two measurements are apart"
_TIMES: Final = "the same, of times"

DEFECTS: Final = (
    Defect(
        "one-differs",
        "one side says something else of one item: a text for a number, nothing, more",
        _EQUAL,
        _says_else,
        verdict=Verdict.FAIL,
    ),
    Defect("one-sided", "one side is missing, or lacks an item", "a comparison", _one_side),
    Defect("both-short", "an item is missing on both sides", _EQUAL, _both_short, verdict=Verdict.NOT_RUN),
    Defect(
        "item-twice",
        "one side lists an item twice, and another not at all",
        _EQUAL,
        _item_twice,
        verdict=Verdict.INVALID,
    ),
    Defect("other-side", "what is held against is bad: as far off, or all of it failed", _DIFFERENCE, _other_side),
    Defect(
        "uneven-baseline",
        "every second sample of what is held against is bad",
        "a limit on a regression",
        _uneven,
    ),
    Defect(
        "not-in-turns", "all of one side, and then all of the other", _TIMES, _not_in_turns, verdict=Verdict.INVALID
    ),
    Defect("untold", "a sample does not say when it was taken", _TIMES, _untold, verdict=Verdict.INVALID),
    Defect("run-missing", "a run is missing", _RUNS, _run_missing),
    Defect("run-unopened", "the record that opens a run is missing", _RUNS, _run_unopened),
    Defect("run-abandoned", "a run was abandoned, or never closed", _RUNS, _run_abandoned),
    Defect("run-silent", "nothing was measured in a run", _RUNS, _run_silent),
    Defect("one-long-run", "the samples of one run, in no run block", _RUNS, _no_runs),
    Defect(
        "row-hunted", "so many bad runs before that such a row comes by chance", "two runs, with confidence", _hunted
    ),
    Defect("run-fails", "an earlier run of the row is a bad one", _RUNS, _run_fails),
)
