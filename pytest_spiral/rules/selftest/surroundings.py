"""Defects of what was tested and where: subjects, fidelity, requirements."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from pytest_spiral.model.evidence import Evidence
from pytest_spiral.model.fidelity import Fidelity
from pytest_spiral.model.profile import profile_of
from pytest_spiral.model.record import SubjectSeen, TargetLost
from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.requirements import parse_requirement
from pytest_spiral.rules.selftest.defect import Broken, Defect
from pytest_spiral.rules.selftest.facts import STATED, facts_for
from pytest_spiral.rules.selftest.scene import Scene

_Change = Callable[[SubjectSeen], SubjectSeen | None]


def _each_subject(scene: Scene, change: _Change) -> Iterator[Broken]:
    """Each subject in turn with its records changed, or (None) left out."""
    for name in scene.criterion.subjects if scene.criterion.control is None else ():
        changed = [change(one) if one.subject == name else one for one in scene.evidence.subjects]
        yield Broken(name, scene.but(subjects=tuple(one for one in changed if one is not None)))


def _unseen(scene: Scene) -> Iterator[Broken]:
    yield from _each_subject(scene, lambda _: None)


def _only_end(scene: Scene) -> Iterator[Broken]:
    yield from _each_subject(scene, lambda one: one if one.when == "end" else None)


def _gone(scene: Scene) -> Iterator[Broken]:
    yield from _each_subject(scene, lambda one: one if one.when == "start" else None)


def _stub(scene: Scene) -> Iterator[Broken]:
    """A stand-in answers the challenge with words that anybody could have said."""
    yield from _each_subject(scene, _answering_nothing)


def _answering_nothing(one: SubjectSeen) -> SubjectSeen:
    challenge = one.challenge
    answers = {"item": "item", "found": ["item"], "audited": ["item"]}
    return _with(one, challenge=None if challenge is None else msgspec.structs.replace(challenge, answers=answers))


def _stub_at_end(scene: Scene) -> Iterator[Broken]:
    yield from _each_subject(scene, lambda one: _answering_nothing(one) if one.when == "end" else one)


def _unchallenged(scene: Scene) -> Iterator[Broken]:
    yield from _each_subject(scene, lambda one: _with(one, challenge=None))


def _changed(scene: Scene) -> Iterator[Broken]:
    other = f"sha256:{'1' * 64}"
    yield from _each_subject(scene, lambda one: _with(one, digest=other) if one.when == "end" else one)


def _swapped(scene: Scene) -> Iterator[Broken]:
    yield from _each_subject(scene, lambda one: _with(one, identity="another") if one.when == "end" else one)


def _lost(scene: Scene) -> Iterator[Broken]:
    for name in scene.criterion.subjects if scene.criterion.control is None else ():
        yield Broken(name, scene.but(lost=(TargetLost(subject=name, test=scene.test, why="made up"),)))


def _with(one: SubjectSeen, **changes: Any) -> SubjectSeen:
    return msgspec.structs.replace(one, **changes)


def _below(scene: Scene) -> Iterator[Broken]:
    """The target, and what its subjects were registered as, is one level below what is asked for."""
    wanted = Fidelity(scene.criterion.fidelity) if scene.criterion.fidelity else Fidelity.UNDECLARED
    if wanted.rank == 0:
        return
    lower = list(Fidelity)[wanted.rank - 1]
    bundle = scene.evidence.bundle
    target = msgspec.structs.replace(bundle.target, fidelity=lower)
    yield Broken(
        "",
        scene.but(
            bundle=msgspec.structs.replace(bundle, target=target),
            subjects=tuple(_with(one, registered=lower) for one in scene.evidence.subjects),
        ),
    )


def _boasting(scene: Scene) -> Iterator[Broken]:
    """The target is registered as what is asked for, and its subjects show less."""
    if scene.criterion.fidelity and scene.criterion.subjects:
        lower = tuple(_with(one, registered=Fidelity.SIMULATED) for one in scene.evidence.subjects)
        if Fidelity(scene.criterion.fidelity).rank > Fidelity.SIMULATED.rank:
            yield Broken("", scene.but(subjects=lower))


def _unmet(scene: Scene) -> Iterator[Broken]:
    facts = facts_for(scene.criterion.requires, "unmet")
    if facts is not None:
        yield Broken("", _on(scene, facts))


def _unknown(scene: Scene) -> Iterator[Broken]:
    """What a target does not state is no doubt: it is known not to vouch for it. So only a machine's facts are taken."""
    requires = scene.criterion.requires
    if requires and not any(name.startswith(STATED) for name in parse_requirement(requires).names):
        bundle = scene.evidence.bundle
        yield Broken("", scene.but(bundle=msgspec.structs.replace(bundle, profile=profile_of("selftest", {}))))


def _on(scene: Scene, facts: tuple[Any, ...]) -> Evidence:
    """The evidence on a machine and a target of these facts and no others."""
    bundle = scene.evidence.bundle
    stated = {one.name: one.value for one in facts if one.name.startswith(STATED) and one.value is not None}
    machine = {one.name: one for one in facts if one.name not in stated}
    target = msgspec.structs.replace(bundle.target, facts=stated)
    profile = profile_of("selftest", machine)
    return scene.but(bundle=msgspec.structs.replace(bundle, target=target, profile=profile))


def _scope(scene: Scene, **changes: Any) -> Iterator[Broken]:
    bundle = scene.evidence.bundle
    scope = msgspec.structs.replace(bundle.scope, **changes)
    yield Broken("", scene.but(bundle=msgspec.structs.replace(bundle, scope=scope)))


def _gate_missing(scene: Scene) -> Iterator[Broken]:
    yield from _scope(scene, gates=(*scene.evidence.bundle.scope.gates, "Z9"))


def _narrowed(scene: Scene) -> Iterator[Broken]:
    yield from _scope(scene, narrowed=("-k something",))


def _unconfident(scene: Scene) -> Iterator[Broken]:
    if scene.criterion.confidence == "none" and scene.criterion.level == "blocker":
        yield Broken("", scene.evidence)


_SUBJECTS: Final = "named subjects"

DEFECTS: Final = (
    Defect("subject-unseen", "a subject was never seen", _SUBJECTS, _unseen, verdict=Verdict.INVALID),
    Defect("subject-seen-late", "a subject was seen at the end only", _SUBJECTS, _only_end, verdict=Verdict.INVALID),
    Defect("subject-gone", "a subject was not there any more at the end", _SUBJECTS, _gone, verdict=Verdict.INVALID),
    Defect("subject-stub", "a stand-in that cannot meet the challenge", _SUBJECTS, _stub, verdict=Verdict.INVALID),
    Defect(
        "subject-stub-later",
        "a stand-in took the subject's place before the end",
        _SUBJECTS,
        _stub_at_end,
        verdict=Verdict.INVALID,
    ),
    Defect("subject-unchallenged", "nothing was asked of a subject", _SUBJECTS, _unchallenged, verdict=Verdict.INVALID),
    Defect(
        "subject-changed", "a subject's code is another one at the end", _SUBJECTS, _changed, verdict=Verdict.INVALID
    ),
    Defect("subject-swapped", "another instance stands there at the end", _SUBJECTS, _swapped, verdict=Verdict.INVALID),
    Defect("subject-lost", "a subject died", _SUBJECTS, _lost, verdict=Verdict.NOT_RUN),
    Defect("fidelity-below", "a target one level below", "a fidelity", _below, leaves="condition"),
    Defect(
        "fidelity-boasted",
        "a target registered as real, whose subjects are not",
        "a fidelity and named subjects",
        _boasting,
        leaves="condition",
    ),
    Defect("requirement-unmet", "facts that do not meet the requirement", "a requirement", _unmet, leaves="condition"),
    Defect("requirement-unknown", "no facts at all", "a requirement on the machine", _unknown, verdict=Verdict.NOT_RUN),
    Defect("gate-missing", "a gate was named that is not in the plan", "any criterion", _gate_missing, "no-decision"),
    Defect("narrowed", "tests were kept out of the run", "any criterion", _narrowed, "no-decision"),
    Defect(
        "no-confidence", "nothing: a plain comparison permits a condition at most", "no confidence", _unconfident, "cap"
    ),
)
