"""Defects of times: clocks that are too coarse or can be set, schedules, blocks of samples that hang together."""

from collections.abc import Iterator
from typing import Final

import msgspec

from pytest_spiral.model.gate import Limit
from pytest_spiral.model.measurement import Measurement, Sample
from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.limits import COMPARED, bound_of
from pytest_spiral.rules.selftest.defect import Broken, Defect
from pytest_spiral.rules.selftest.scene import Scene, counted
from pytest_spiral.rules.selftest.tails import too_many

_RESOLVED = ("quantile", "min", "max", *COMPARED)
_FEWEST_CLUSTERED = 10
_LEAST_NS = 20


def _coarse(scene: Scene) -> Iterator[Broken]:
    for limit, _, found in scene.timed():
        if limit.statistic in _RESOLVED:
            coarse = abs(int(bound_of(limit, "ns"))) // 10 + 1
            yield Broken(
                limit.text, scene.with_measurement(found, msgspec.structs.replace(found, resolution_ns=coarse))
            )


def _unresolved(scene: Scene) -> Iterator[Broken]:
    """Figures inside the limit by less than the clock can tell."""
    for limit, recipe, found in scene.timed():
        bound = int(bound_of(limit, "ns"))
        if bound < _LEAST_NS:
            continue
        unit = bound // _LEAST_NS
        near = bound - unit // 2 if limit.comparison == "<=" else bound + unit // 2
        near += recipe.good if limit.statistic in COMPARED else 0
        taken = msgspec.structs.replace(found, resolution_ns=unit)
        samples = tuple(one if one.warm else recipe.taking(one, near) for one in found.samples)
        yield Broken(limit.text, scene.with_measurement(found, msgspec.structs.replace(taken, samples=samples)))


def _virtual(scene: Scene) -> Iterator[Broken]:
    for limit, _, found in scene.fed():
        if limit.statistic == "duration":
            yield Broken(limit.text, scene.with_measurement(found, msgspec.structs.replace(found, clock="virtual")))
            bundle = scene.evidence.bundle
            facts = {**bundle.target.facts, "clock.trusted": False}
            target = msgspec.structs.replace(bundle.target, facts=facts)
            yield Broken(limit.text, scene.but(bundle=msgspec.structs.replace(bundle, target=target)))


def _closed_loop(scene: Scene) -> Iterator[Broken]:
    for limit, recipe, found in scene.fed():
        if recipe.open_loop and limit.statistic in ("quantile", "regression"):
            for number in (1, len(found.samples)):
                yield Broken(limit.text, scene.with_counted(found, _unscheduled, number))


def _unscheduled(sample: Sample) -> Sample:
    return msgspec.structs.replace(sample, intended=None, sent=None, done=None)


def _disagreeing(scene: Scene) -> Iterator[Broken]:
    for limit, recipe, found in scene.timed():
        if limit.statistic not in _RESOLVED:
            continue
        if recipe.open_loop or recipe.turn is not None:
            yield Broken(limit.text, scene.with_counted(found, _sooner, 1))
            yield Broken(limit.text, scene.with_counted(found, _before_sent, 1))
        else:
            yield Broken(limit.text, scene.with_counted(found, _negative, 1))


def _sooner(sample: Sample) -> Sample:
    """One digit changed: the time that counts is not the one that its own marks give."""
    return msgspec.structs.replace(sample, ns=(sample.ns or 0) - 1)


def _before_sent(sample: Sample) -> Sample:
    return msgspec.structs.replace(sample, sent=(sample.done or 0) + 1)


def _negative(sample: Sample) -> Sample:
    return msgspec.structs.replace(sample, ns=-1)


def _one_block(scene: Scene) -> Iterator[Broken]:
    for limit, found in _blocked(scene):
        for whole in (None, 0):
            changed = [one if one.warm else msgspec.structs.replace(one, block=whole) for one in found.samples]
            yield Broken(limit.text, scene.with_samples(found, tuple(changed)))


def _fewer_blocks(scene: Scene) -> Iterator[Broken]:
    for limit, found in _blocked(scene):
        last = scene.criterion.blocks - 1
        changed = [msgspec.structs.replace(one, block=last - 1) if one.block == last else one for one in found.samples]
        yield Broken(limit.text, scene.with_samples(found, tuple(changed)))


def _mixed_blocks(scene: Scene) -> Iterator[Broken]:
    for limit, found in _blocked(scene):
        *most, last = found.samples
        yield Broken(limit.text, scene.with_samples(found, (*most, msgspec.structs.replace(last, block=0))))


def _clustered(scene: Scene) -> Iterator[Broken]:
    """One bad sample fewer than too many, all in one place: they hang together, so that fewer samples speak."""
    if scene.criterion.confidence in (None, "none"):
        return
    for limit, found in _blocked(scene):
        recipe = scene.recipes[found.name]
        bad = too_many(scene.criterion, limit, len(counted(found))) - 1
        if bad >= _FEWEST_CLUSTERED:
            changed = scene.with_counted(found, lambda one: recipe.spoilt(one, limit, far=True), bad)  # noqa: B023
            yield Broken(limit.text, changed)


def _blocked(scene: Scene) -> Iterator[tuple[Limit, Measurement]]:
    for limit, recipe, found in scene.fed():
        if recipe.blocks and limit.statistic == "quantile":
            yield limit, found


DEFECTS: Final = (
    Defect(
        "coarse-timer",
        "the clock's resolution is over a tenth of the limit",
        "a limit on times",
        _coarse,
        verdict=Verdict.INVALID,
    ),
    Defect(
        "unresolved",
        "every figure is inside the limit by less than the clock can tell",
        "a limit on times",
        _unresolved,
    ),
    Defect("settable-clock", "the time passed on a clock that can be set", "a duration", _virtual, leaves="condition"),
    Defect(
        "closed-loop",
        "samples do not say when they were intended",
        "an open loop",
        _closed_loop,
        verdict=Verdict.INVALID,
    ),
    Defect(
        "times-disagree", "one time of a sample is changed", "a limit on times", _disagreeing, verdict=Verdict.INVALID
    ),
    Defect("one-block", "all samples in one block, or in none", "declared blocks", _one_block),
    Defect("fewer-blocks", "one block fewer than declared", "declared blocks", _fewer_blocks),
    Defect(
        "mixed-blocks",
        "a sample goes back to a block that was over",
        "declared blocks",
        _mixed_blocks,
        verdict=Verdict.INVALID,
    ),
    Defect(
        "clustered",
        "no more bad samples than allowed, all in one place",
        "declared blocks, and ten bad samples allowed",
        _clustered,
    ),
)
