"""Defects of how tests ended, and of what was collected: nothing of it may soften a verdict."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from pytest_spiral.model.gate import Limit
from pytest_spiral.model.record import Crash, Raised
from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.selftest.defect import Broken, Defect
from pytest_spiral.rules.selftest.scene import Scene


def _ended(raised: Raised, phase: str = "call") -> Callable[[Scene], Iterator[Broken]]:
    def make(scene: Scene) -> Iterator[Broken]:
        yield Broken("", scene.with_test(raised=raised, phase=phase, why="made up"))

    return make


def _unreached(scene: Scene) -> Iterator[Broken]:
    yield Broken("", scene.but(tests=tuple(one for one in scene.evidence.tests if one.id != scene.test)))


def _crashed(scene: Scene) -> Iterator[Broken]:
    yield Broken("", scene.but(crashes=(Crash(process="main", test=scene.test, why="signal 11"),)))


def _rerun(scene: Scene) -> Iterator[Broken]:
    """It failed first, and passed when it was run again."""
    first = next(one for one in scene.evidence.tests if one.id == scene.test)
    failed = msgspec.structs.replace(first, raised="assertion", phase="call", why="made up")
    yield Broken("", scene.but(tests=(failed, *scene.evidence.tests)))
    yield Broken("", scene.but(tests=(*scene.evidence.tests, failed)))


def _item(scene: Scene, **changes: Any) -> Any:
    items = tuple(
        msgspec.structs.replace(one, **changes) if one.id == scene.test else one
        for one in scene.evidence.inventory.items
    )
    return msgspec.structs.replace(scene.evidence.inventory, items=items)


def _deselected(scene: Scene) -> Iterator[Broken]:
    yield Broken("", scene.but(inventory=_item(scene, selected=False)))


def _uncollected(scene: Scene) -> Iterator[Broken]:
    inventory = scene.evidence.inventory
    kept = tuple(one for one in inventory.items if one.id != scene.test)
    yield Broken("", scene.but(inventory=msgspec.structs.replace(inventory, items=kept)))
    yield Broken("", scene.but(inventory=_item(scene, criteria=("Z9.another",))))


def _uncollectable(scene: Scene) -> Iterator[Broken]:
    inventory = msgspec.structs.replace(scene.evidence.inventory, errors=("test_broken.py",))
    yield Broken("", scene.but(inventory=inventory))


def _silent_test(scene: Scene) -> Iterator[Broken]:
    """Another claiming test came to its end and delivered nothing, or did not come to it."""
    inventory = scene.evidence.inventory
    own = next(one for one in inventory.items if one.id == scene.test)
    test = next(one for one in scene.evidence.tests if one.id == scene.test)
    other = f"{scene.test}_another"
    more = msgspec.structs.replace(inventory, items=(*inventory.items, msgspec.structs.replace(own, id=other)))
    for raised in ("", "skip"):
        record = msgspec.structs.replace(test, id=other, raised=raised)
        yield Broken("", scene.but(inventory=more, tests=(*scene.evidence.tests, record)))


def _fewer_tests(scene: Scene) -> Iterator[Broken]:
    for _ in _bound(scene):
        evidence = scene.evidence
        inventory = msgspec.structs.replace(evidence.inventory, items=evidence.inventory.items[:-1])
        gone = evidence.tests[-1].id
        kept = tuple(one for one in evidence.measurements if one.test != gone)
        yield Broken("", scene.but(inventory=inventory, tests=evidence.tests[:-1], measurements=kept))


def _more_tests(scene: Scene) -> Iterator[Broken]:
    for _ in _bound(scene):
        inventory = scene.evidence.inventory
        more = msgspec.structs.replace(inventory.items[0], id=f"{scene.test}_more")
        record = msgspec.structs.replace(scene.evidence.tests[0], id=more.id)
        items = msgspec.structs.replace(inventory, items=(*inventory.items, more))
        yield Broken("", scene.but(inventory=items, tests=(*scene.evidence.tests, record)))


def _bound(scene: Scene) -> list[Limit]:
    """The limit by which tests themselves are counted, where there is one."""
    return [one for one in scene.criterion.limits if one.statistic == "all-pass"]


def _all_gone(scene: Scene) -> Iterator[Broken]:
    """Nothing at all of it is left."""
    inventory = msgspec.structs.replace(scene.evidence.inventory, items=())
    nothing: dict[str, Any] = dict.fromkeys(
        ("tests", "measurements", "runs_opened", "runs_closed", "controls_opened", "controls_closed"), ()
    )
    yield Broken("", scene.but(inventory=inventory, **nothing))


_ANY: Final = "any criterion"

DEFECTS: Final = (
    Defect("test-skipped", "its test was skipped", _ANY, _ended("skip", "setup"), verdict=Verdict.NOT_RUN),
    Defect("test-xfailed", "its test gave up as an expected failure", _ANY, _ended("xfail"), verdict=Verdict.NOT_RUN),
    Defect(
        "test-kept-back",
        "its test was kept from running, and nothing was missing",
        _ANY,
        _ended("limited", "setup"),
        verdict=Verdict.INVALID,
    ),
    Defect("test-failed", "its test failed, after it had measured", _ANY, _ended("assertion"), verdict=Verdict.FAIL),
    Defect("test-broke", "its test broke, after it had measured", _ANY, _ended("error")),
    Defect("teardown-broke", "its test broke when it cleaned up", _ANY, _ended("error", "teardown")),
    Defect("test-timed-out", "its test was ended for taking too long", _ANY, _ended("timeout")),
    Defect("test-blocked", "its test was blocked", _ANY, _ended("blocked", "setup"), verdict=Verdict.NOT_RUN),
    Defect("target-lost", "the target was lost under its test", _ANY, _ended("lost"), verdict=Verdict.NOT_RUN),
    Defect("test-exited", "its test ended the session", _ANY, _ended("exit"), verdict=Verdict.NOT_RUN),
    Defect("test-crashed", "its test's process died", _ANY, _ended("crash"), verdict=Verdict.NOT_RUN),
    Defect(
        "crash-recorded",
        "its test passed, and a record says that its process died",
        _ANY,
        _crashed,
        verdict=Verdict.NOT_RUN,
    ),
    Defect("test-unreached", "no record tells of its test", _ANY, _unreached, verdict=Verdict.NOT_RUN),
    Defect("test-rerun", "its test failed once, and passed once", _ANY, _rerun, verdict=Verdict.FAIL),
    Defect("test-deselected", "its test was deselected", _ANY, _deselected),
    Defect(
        "test-uncollected", "its test was not collected, or not for it", _ANY, _uncollected, verdict=Verdict.INVALID
    ),
    Defect("collection-error", "a module could not be collected", _ANY, _uncollectable, verdict=Verdict.NOT_RUN),
    Defect("silent-test", "a second claiming test delivered nothing, or was skipped", _ANY, _silent_test),
    Defect("test-missing", "one bound test fewer than declared", "bound tests", _fewer_tests, verdict=Verdict.NOT_RUN),
    Defect("test-more", "one bound test more than declared", "bound tests", _more_tests, verdict=Verdict.INVALID),
    Defect("nothing-left", "no record, no test and no sample is left", _ANY, _all_gone, verdict=Verdict.NOT_RUN),
)
