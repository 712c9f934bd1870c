"""Defects of samples: too many bad ones, missing ones, ones in another unit or of another kind."""

import math
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from pytest_spiral.model.evidence import Evidence
from pytest_spiral.model.gate import Limit
from pytest_spiral.model.measurement import Measurement, Sample
from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.limits import COMPARED, bound_of
from pytest_spiral.rules.selftest.defect import Broken, Defect
from pytest_spiral.rules.selftest.scene import Recipe, Scene, counted, failed, numbered, plain
from pytest_spiral.rules.selftest.tails import clearly_too_many, sequential_looks, sequential_turn, too_many
from pytest_spiral.rules.units import dimension

_ADVERSE = ("quantile", "min", "max", "rate", "mean", "duration", *COMPARED)
_ANY_KIND = ("failures", "all-pass")


def _too_many(scene: Scene) -> Iterator[Broken]:
    for limit, recipe, found in scene.fed():
        bad = too_many(scene.criterion, limit, len(counted(found)))
        yield Broken(limit.text, scene.with_counted(found, lambda one: recipe.spoilt(one, limit), bad))  # noqa: B023


def _clearly(scene: Scene) -> Iterator[Broken]:
    for limit, recipe, found in scene.fed():
        if limit.statistic in ("quantile", "rate", "mean", *COMPARED):
            bad = clearly_too_many(limit, len(counted(found)))
            yield Broken(limit.text, scene.with_counted(found, lambda one: recipe.spoilt(one, limit), bad))  # noqa: B023


def _all_bad(scene: Scene) -> Iterator[Broken]:
    for limit, recipe, found in scene.fed():
        whole = len(found.samples)
        yield Broken(
            limit.text,
            scene.with_counted(found, lambda one: recipe.spoilt(one, limit, far=True), whole),  # noqa: B023
        )


def _last_bad(scene: Scene) -> Iterator[Broken]:
    for limit, recipe, found in scene.fed():
        whole = len(counted(found))
        bad = too_many(scene.criterion, limit, whole)
        broken = scene.with_counted(found, lambda one: recipe.spoilt(one, limit), bad, start=whole - bad)  # noqa: B023
        yield Broken(limit.text, broken)


def _at_the_bar(scene: Scene) -> Iterator[Broken]:
    if scene.criterion.confidence in (None, "none"):
        return
    for limit, _, found in scene.fed():
        if limit.statistic == "mean":
            bar = plain(bound_of(limit, "1"))
            changed = scene.with_counted(found, lambda one: _valued(one, bar), len(found.samples))  # noqa: B023
            yield Broken(limit.text, changed)


def _failed_calls(scene: Scene) -> Iterator[Broken]:
    for limit, _, found in scene.fed():
        if limit.statistic in _ADVERSE and not (limit.statistic == "rate" and limit.comparison == "<="):
            bad = too_many(scene.criterion, limit, len(counted(found)))
            yield Broken(limit.text, scene.with_counted(found, failed, bad))


def _empty(scene: Scene) -> Iterator[Broken]:
    for limit, _, found in scene.fed():
        yield Broken(limit.text, scene.with_samples(found, ()))


def _truncated(scene: Scene) -> Iterator[Broken]:
    for limit, _, found in scene.fed():
        if scene.criterion.sequential is None:
            yield Broken(limit.text, scene.with_samples(found, found.samples[:-1]))


def _halved(scene: Scene) -> Iterator[Broken]:
    for limit, _, found in scene.fed():
        if len(counted(found)) > 1 and scene.criterion.sequential is None:
            kept = len(found.samples) - len(counted(found)) // 2
            yield Broken(limit.text, scene.with_samples(found, found.samples[:kept]))


def _gap(scene: Scene) -> Iterator[Broken]:
    for limit, recipe, found in scene.fed():
        if len(found.samples) > 1:
            last = found.samples[-1]
            beyond = msgspec.structs.replace(last, n=last.n + 1)
            if recipe.kind == "item":
                beyond = msgspec.structs.replace(beyond, item=found.samples[-2].item, seen=found.samples[-2].seen)
            yield Broken(limit.text, scene.with_samples(found, (*found.samples[:-2], last, beyond)))


def _one_more(scene: Scene) -> Iterator[Broken]:
    if scene.criterion.census:
        return
    for limit, recipe, found in scene.fed():
        if recipe.kind == "count":
            continue
        more = _next(found.samples[-1], recipe)
        yield Broken(limit.text, scene.with_samples(found, (*found.samples, more)))


def _next(last: Sample, recipe: Recipe) -> Sample:
    """One sample beyond the plan: as good as the last one."""
    more = msgspec.structs.replace(last, n=last.n + 1)
    return msgspec.structs.replace(more, item="one-more") if recipe.kind == "item" else more


def _not_a_number(scene: Scene) -> Iterator[Broken]:
    for limit, recipe, found in scene.fed():
        if recipe.kind == "number":
            for value in (math.nan, -math.inf, math.inf):
                yield Broken(limit.text, scene.with_counted(found, lambda one: _valued(one, value), 1))  # noqa: B023


def _valued(sample: Sample, value: Any) -> Sample:
    """The sample with a number, past the check of its type: a reader must not be the only one to refuse it."""
    changed = msgspec.structs.replace(sample, ns=None, value=0, intended=None, sent=None, done=None)
    msgspec.structs.force_setattr(changed, "value", value)
    return changed


def _thousandfold(scene: Scene) -> Iterator[Broken]:
    """The figures as they are, in a unit a thousand times as large (or as small, where small is bad).

    Where there is room for figures that are good a thousand times as small too, they are taken near the limit.
    """
    for limit, recipe, found in scene.timed():
        if recipe.good <= 0:
            continue
        near = min(recipe.good, int(2 * bound_of(limit, "ns")))
        wrong = recipe.good * 1000 if limit.comparison == "<=" else near // 1000
        if limit.statistic in COMPARED:  # the good figure may be small beside the limit of a difference
            wrong = max(wrong, recipe.good + 1000 * int(bound_of(limit, "ns")))

        def change(one: Sample, wrong: int = wrong, recipe: Recipe = recipe) -> Sample:
            return recipe.taking(one, wrong)

        yield Broken(limit.text, scene.with_counted(found, change, len(found.samples)))


def _other_unit(scene: Scene) -> Iterator[Broken]:
    for limit, recipe, found in scene.fed():
        if limit.statistic in _ADVERSE and limit.statistic != "rate":
            good = msgspec.structs.replace(found, samples=_as_values(found, recipe))
            for unit in ("", "LU" if dimension(recipe.unit) != dimension("LU") else "s"):
                changed = msgspec.structs.replace(good, unit=unit)
                yield Broken(limit.text, scene.with_measurement(found, changed))


def _as_values(found: Measurement, recipe: Recipe) -> tuple[Sample, ...]:
    if recipe.kind != "timed":
        return found.samples
    return tuple(_valued(one, one.ns) for one in found.samples)


def _other_kind(scene: Scene) -> Iterator[Broken]:
    for limit, recipe, found in scene.fed():
        if limit.statistic not in _ANY_KIND:
            said: dict[str, Any] = {"value": 0} if recipe.kind == "outcome" else {"ok": True}
            yield Broken(limit.text, scene.with_counted(found, lambda one: _saying(one, said), 1))  # noqa: B023


def _saying(sample: Sample, said: dict[str, Any]) -> Sample:
    return Sample(n=sample.n, warm=sample.warm, block=sample.block, **said)


def _warm_more(scene: Scene) -> Iterator[Broken]:
    """A sample more is called warm-up, as if it did not count."""
    for limit, _, found in scene.fed():
        warm = sum(one.warm for one in found.samples)
        first = found.samples[warm]
        called = msgspec.structs.replace(first, warm=True, n=warm)
        if first.item is not None:
            called = msgspec.structs.replace(called, item="warm")
        moved = (*found.samples[:warm], called, *found.samples[warm:])
        yield Broken(limit.text, scene.with_samples(found, numbered(moved)))


def _warm_fewer(scene: Scene) -> Iterator[Broken]:
    for limit, _, found in scene.fed():
        if any(one.warm for one in found.samples):
            yield Broken(limit.text, scene.with_samples(found, numbered(found.samples[1:])))


def _warm_late(scene: Scene) -> Iterator[Broken]:
    for limit, _, found in scene.fed():
        warm = [one for one in found.samples if one.warm]
        if warm and len(counted(found)) > 1:
            late = [msgspec.structs.replace(one, block=counted(found)[-1].block) for one in warm]
            first, *rest = counted(found)
            yield Broken(limit.text, scene.with_samples(found, numbered([first, *rest, *late])))


def _twice(scene: Scene) -> Iterator[Broken]:
    for limit, _, found in scene.fed():
        again = msgspec.structs.replace(found, file=f"again-{found.file}")
        yield Broken(limit.text, scene.with_measurement(found, found, again))


def _renamed(scene: Scene) -> Iterator[Broken]:
    for limit, _, found in scene.fed():
        yield Broken(limit.text, _everywhere(scene, found, f"{found.name}-2"))


def _missing(scene: Scene) -> Iterator[Broken]:
    for limit, _, found in scene.fed():
        yield Broken(limit.text, _everywhere(scene, found, None))


def _everywhere(scene: Scene, found: Measurement, name: str | None) -> Evidence:
    """The measurement under another name, or (None) missing, in every test that took it in that run."""
    taken = [
        one if (one.name, one.run) != (found.name, found.run) else name and msgspec.structs.replace(one, name=name)
        for one in scene.evidence.measurements
    ]
    return scene.but(measurements=tuple(one for one in taken if one))


def _left_open(scene: Scene) -> Iterator[Broken]:
    for limit, _, found in scene.fed():
        for changes in ({"closed": False}, {"raised": "RuntimeError"}):
            broken = msgspec.structs.replace(found, **changes)
            yield Broken(limit.text, scene.with_measurement(found, broken))


def _short_exposure(scene: Scene) -> Iterator[Broken]:
    for limit, recipe, found in scene.fed():
        if recipe.kind == "count":
            for share in (0.99, 0):
                less = (recipe.exposure or 0) * share
                changed = scene.with_counted(found, lambda one: msgspec.structs.replace(one, exposure=less), 1)  # noqa: B023
                yield Broken(limit.text, changed)


def _counted_on(scene: Scene) -> Iterator[Broken]:
    """Too many events, and so much more exposure that they would be few enough in it."""
    for limit, recipe, found in scene.fed():
        if limit.statistic == "count-rate":
            over = (recipe.exposure or 0) * 10

            def change(one: Sample, over: float = over, recipe: Recipe = recipe, limit: Limit = limit) -> Sample:
                return msgspec.structs.replace(recipe.spoilt(one, limit), exposure=over)

            yield Broken(limit.text, scene.with_counted(found, change, 1))


def _undecided(scene: Scene) -> Iterator[Broken]:
    """All good, and one fewer than it takes to decide."""
    for limit, _, found in _sequential(scene):
        whole = len(counted(found))
        least = next(size for size in range(1, whole + 1) if sequential_looks(scene.criterion, limit, size))
        yield Broken(limit.text, scene.with_samples(found, found.samples[: len(found.samples) - whole + least - 1]))


def _turned(scene: Scene) -> Iterator[Broken]:
    """A fail was reached, and good samples after it would make it a pass."""
    for limit, recipe, found in _sequential(scene):
        bad = sequential_turn(scene.criterion, limit, len(counted(found)))
        if bad is not None:
            yield Broken(limit.text, scene.with_counted(found, lambda one: recipe.spoilt(one, limit), bad))  # noqa: B023


def _sequential(scene: Scene) -> Iterator[tuple[Limit, Recipe, Measurement]]:
    return scene.fed() if scene.criterion.sequential is not None else iter(())


def _two_figures(scene: Scene) -> Iterator[Broken]:
    for limit, _, found in scene.fed():
        if limit.statistic == "duration":
            first = counted(found)[0]
            yield Broken(limit.text, scene.with_samples(found, numbered([*found.samples, first])))


def _second_test(scene: Scene) -> Iterator[Broken]:
    """Another test that claims the criterion measures the same, badly: the worst counts."""
    for limit, recipe, found in scene.fed():
        bad = tuple(one if one.warm else recipe.spoilt(one, limit, far=True) for one in found.samples)
        others = [one for one in scene.evidence.measurements if one is not found and _beside(one, found, limit)]
        taken = [msgspec.structs.replace(found, samples=bad), *others]
        for run in dict.fromkeys(["", found.run]):
            yield Broken(limit.text, _taken_elsewhere(scene, taken, run))


def _beside(one: Measurement, found: Measurement, limit: Limit) -> bool:
    return one.name in limit.measurements and (one.test, one.run) == (found.test, found.run)


def _taken_elsewhere(scene: Scene, taken: list[Measurement], run: str) -> Evidence:
    test = "selftest.py::test_another"
    evidence = scene.evidence
    item = msgspec.structs.replace(evidence.inventory.items[0], id=test)
    more = tuple(msgspec.structs.replace(one, file=f"another-{one.file}", test=test, run=run) for one in taken)
    return scene.but(
        inventory=msgspec.structs.replace(evidence.inventory, items=(*evidence.inventory.items, item)),
        tests=(*evidence.tests, msgspec.structs.replace(evidence.tests[0], id=test)),
        measurements=(*evidence.measurements, *more),
    )


_FED: Final = "a limit on a measurement"

DEFECTS: Final = (
    Defect("one-too-many", "the least number of bad samples that must not pass, each bad by little", _FED, _too_many),
    Defect("last-too-many", "the same number, at the end instead of the beginning", _FED, _last_bad),
    Defect(
        "plainly-missed",
        "bad samples until the plain figure misses",
        "a rate, a quantile, a mean or a difference",
        _clearly,
    ),
    Defect("all-bad", "every sample on the wrong side, by far", _FED, _all_bad),
    Defect(
        "at-the-bar", "a mean that is the bar itself, so that nothing is proven", "a mean with confidence", _at_the_bar
    ),
    Defect("failed-calls", "so many calls that failed instead", "a limit on figures", _failed_calls),
    Defect("empty", "no samples", _FED, _empty),
    Defect("truncated", "the last sample is missing", _FED, _truncated),
    Defect("halved", "the second half is missing", "more than one sample", _halved),
    Defect("gap", "a number is missing between two samples", "more than one sample", _gap, verdict=Verdict.INVALID),
    Defect("one-more", "one sample more than planned", "a fixed plan", _one_more, verdict=Verdict.INVALID),
    Defect(
        "not-a-number",
        "a figure is NaN, or infinite",
        "figures that are not times",
        _not_a_number,
        verdict=Verdict.INVALID,
    ),
    Defect("thousandfold", "times a thousand times as long, or as short, where that is bad", "times", _thousandfold),
    Defect(
        "other-unit",
        "the same figures in no unit, or in one that does not convert",
        "figures",
        _other_unit,
        verdict=Verdict.INVALID,
    ),
    Defect(
        "other-kind",
        "a sample says another kind of thing",
        "a limit on one kind of sample",
        _other_kind,
        verdict=Verdict.INVALID,
    ),
    Defect("warm-up-more", "a sample more is called warm-up", _FED, _warm_more, verdict=Verdict.INVALID),
    Defect("warm-up-fewer", "a warm-up sample is missing", "declared warm-up", _warm_fewer, verdict=Verdict.INVALID),
    Defect("warm-up-late", "the warm-up comes last", "declared warm-up", _warm_late, verdict=Verdict.INVALID),
    Defect("measured-twice", "the same measurement again, in the same place", _FED, _twice, verdict=Verdict.INVALID),
    Defect("renamed", "the measurement has another name", _FED, _renamed),
    Defect("not-measured", "the measurement is missing", _FED, _missing),
    Defect(
        "left-open",
        "the measurement was not closed, or an exception left it",
        _FED,
        _left_open,
        verdict=Verdict.INVALID,
    ),
    Defect("exposure-short", "a hundredth of the exposure is missing, or all of it", "a count", _short_exposure),
    Defect(
        "counted-on", "too many events, and ten times the exposure to hide them in", "events per exposure", _counted_on
    ),
    Defect(
        "undecided",
        "one good sample fewer than decides",
        "a sequential plan",
        _undecided,
        verdict=Verdict.INCONCLUSIVE,
    ),
    Defect(
        "turned-back",
        "a fail that was reached, and good samples after it",
        "a sequential plan that has room for it",
        _turned,
        verdict=Verdict.FAIL,
    ),
    Defect("two-figures", "two durations where one is meant", "a duration", _two_figures, verdict=Verdict.INVALID),
    Defect("worse-elsewhere", "a second claiming test measures the same, badly", _FED, _second_test),
)
