"""Defects of controls: a fault that is not found out, a block that is not what was declared."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from pytest_spiral.model.evidence import Evidence
from pytest_spiral.model.measurement import Measurement
from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.selftest.defect import Broken, Defect
from pytest_spiral.rules.selftest.scene import Scene, numbered


def _own(scene: Scene) -> list[Measurement]:
    return [one for one in scene.evidence.measurements if one.control == scene.criterion.id]


def _blind(scene: Scene) -> Iterator[Broken]:
    """Under the fault everything is as good as without it."""
    for one in scene.controls or (scene,):
        if one.criterion.control is not None:
            yield Broken(one.criterion.id, _as_good(one))


def _as_good(scene: Scene) -> Evidence:
    sound: dict[str, Measurement] = {one.name: one for one in scene.evidence.measurements if not one.control}
    kept = [
        _with(one, samples=sound[one.name].samples, unit=sound[one.name].unit, clock=sound[one.name].clock)
        if one.control == scene.criterion.id
        else one
        for one in scene.evidence.measurements
    ]
    return scene.but(measurements=tuple(kept))


def _short(scene: Scene) -> Iterator[Broken]:
    """Too few samples, all of them good: missing ones find no fault out."""
    if scene.criterion.control is None:
        return
    good = _as_good(scene)
    for kept in (0, 1):
        measurements = tuple(
            _with(one, samples=numbered(one.samples[: len(one.samples) * kept // 2]))
            if one.control == scene.criterion.id
            else one
            for one in good.measurements
        )
        yield Broken(scene.criterion.id, msgspec.structs.replace(good, measurements=measurements))


def _not_run(scene: Scene) -> Iterator[Broken]:
    if scene.criterion.control is not None:
        kept = tuple(one for one in scene.evidence.measurements if one.control != scene.criterion.id)
        yield Broken("", scene.but(measurements=kept))
        yield Broken("", scene.but(measurements=kept, controls_opened=(), controls_closed=()))


def _renamed(scene: Scene) -> Iterator[Broken]:
    if scene.criterion.control is not None:
        own = _own(scene)
        kept = [_with(one, name=f"{one.name}-2") if one in own else one for one in scene.evidence.measurements]
        yield Broken("", scene.but(measurements=tuple(kept)))


def _other_fault(scene: Scene) -> Iterator[Broken]:
    for opened in _opened(scene):
        yield Broken("", scene.but(controls_opened=(_with(opened, fault="another.fault"),)))
        yield Broken("", scene.but(controls_opened=(_with(opened, of="Z9.another"),)))


def _unopened(scene: Scene) -> Iterator[Broken]:
    for opened in _opened(scene):
        yield Broken("", scene.but(controls_opened=()))
        yield Broken("", scene.but(controls_opened=(_with(opened, test="selftest.py::test_0"),)))
        yield Broken("", _elsewhere(scene, f"{opened.test}_another"))


def _elsewhere(scene: Scene, test: str) -> Evidence:
    """A second test of the control, which measured and opened no block."""
    inventory = scene.evidence.inventory
    item, record = inventory.items[-1], scene.evidence.tests[-1]
    more = [_with(one, file=f"another-{one.file}", test=test) for one in _own(scene)]
    return scene.but(
        inventory=_with(inventory, items=(*inventory.items, _with(item, id=test))),
        tests=(*scene.evidence.tests, _with(record, id=test)),
        measurements=(*scene.evidence.measurements, *more),
    )


def _broken(scene: Scene) -> Iterator[Broken]:
    if scene.criterion.control is not None:
        yield Broken("", scene.but(controls_closed=()))
        raised = tuple(_with(one, raised="RuntimeError") for one in scene.evidence.controls_closed)
        yield Broken("", scene.but(controls_closed=raised))


def _twice(scene: Scene) -> Iterator[Broken]:
    if scene.criterion.control is not None:
        again = [_with(one, file=f"again-{one.file}") for one in _own(scene)]
        yield Broken("", scene.but(measurements=(*scene.evidence.measurements, *again)))


def _opened(scene: Scene) -> Any:
    return scene.evidence.controls_opened if scene.criterion.control is not None else ()


def _with(one: Any, **changes: Any) -> Any:
    return msgspec.structs.replace(one, **changes)


_CONTROL: Final = "a control"

DEFECTS: Final = (
    Defect(
        "fault-not-found",
        "what was measured under the fault is as good as without it",
        "a control, or what it guards",
        _blind,
    ),
    Defect(
        "fault-not-shown", "samples under the fault are missing, and those that are there are good", _CONTROL, _short
    ),
    Defect("control-not-run", "nothing was measured under the fault", _CONTROL, _not_run, verdict=Verdict.NOT_RUN),
    Defect(
        "control-renamed",
        "what was measured under the fault has another name",
        _CONTROL,
        _renamed,
        verdict=Verdict.NOT_RUN,
    ),
    Defect(
        "control-differs",
        "the block ran with another fault, or for another criterion",
        _CONTROL,
        _other_fault,
        verdict=Verdict.INVALID,
    ),
    Defect("control-unopened", "the record that opens the block is missing, or another test's", _CONTROL, _unopened),
    Defect(
        "control-broken",
        "the block was not closed, or an exception left it",
        _CONTROL,
        _broken,
        verdict=Verdict.INVALID,
    ),
    Defect("control-twice", "the same was measured twice in the block", _CONTROL, _twice, verdict=Verdict.INVALID),
)
