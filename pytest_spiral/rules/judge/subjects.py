"""Subjects of a criterion: each was seen, is what it was registered as, and was the same to the end."""

from collections.abc import Iterator, Sequence

from pytest_spiral.model.fidelity import Fidelity
from pytest_spiral.model.gate import Criterion
from pytest_spiral.model.record import SubjectSeen
from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.fidelity import observed_fidelity, shortfall
from pytest_spiral.rules.judge.context import Context
from pytest_spiral.rules.judge.finding import Finding


def judge_subjects(criterion: Criterion, context: Context) -> list[Finding]:
    """Findings about the criterion's subjects; empty where all of them are what they were registered as."""
    return [
        found
        for name in criterion.subjects
        for judge in (_unseen, _below, _changed, _gone)
        for found in judge(name, context.subjects.get(name, ()), context)
    ]


def shown_fidelity(criterion: Criterion, context: Context) -> Fidelity:
    """The level that a criterion was judged on: the least that its subjects showed.

    Where it names no subject nothing was observed, and what is only declared counts as `simulated` at most.
    """
    seen = [observed_fidelity(one) for name in criterion.subjects for one in context.subjects.get(name, ())]
    declared = min(context.evidence.bundle.target.fidelity, Fidelity.SIMULATED, key=lambda level: level.rank)
    return min(seen, key=lambda level: level.rank, default=declared)


def _unseen(name: str, seen: Sequence[SubjectSeen], context: Context) -> Iterator[Finding]:  # noqa: ARG001
    starts = {one.identity for one in seen if one.when == "start"}
    if not starts:
        yield Finding(Verdict.INVALID, "subject-unseen", f"{name} was never seen in this run")
    elif any(one.when == "end" and one.identity not in starts for one in seen):
        yield Finding(Verdict.INVALID, "subject-unseen", f"{name} was seen at the end and not at the start")


def _below(name: str, seen: Sequence[SubjectSeen], context: Context) -> Iterator[Finding]:  # noqa: ARG001
    for one in seen:
        if observed_fidelity(one).rank < one.registered.rank:
            why = shortfall(one.challenge) if one.challenge else "it was not challenged"
            sentence = f"{name} is {observed_fidelity(one)}, not {one.registered}: {why}"
            yield Finding(Verdict.INVALID, "fidelity-below-registered", sentence)


def _changed(name: str, seen: Sequence[SubjectSeen], context: Context) -> Iterator[Finding]:  # noqa: ARG001
    if len({one.digest for one in seen}) > 1:
        yield Finding(Verdict.INVALID, "subject-changed", f"{name} was not the same to the end")


def _gone(name: str, seen: Sequence[SubjectSeen], context: Context) -> Iterator[Finding]:
    """Who was there at the start and not at the end; where a record says why, nothing is known of it, else it is invalid."""
    evidence = context.evidence
    if any(one.subject == name for one in evidence.lost):
        yield Finding(Verdict.NOT_RUN, "target-lost", f"{name} was lost in this run")
        return
    ends = {one.identity for one in seen if one.when == "end"}
    if all(one.identity in ends for one in seen):
        return
    if evidence.crashes:
        yield Finding(Verdict.NOT_RUN, "crashed", f"{name} was not seen at the end, since a process died")
    elif evidence.status != "finished":
        yield Finding(Verdict.NOT_RUN, "interrupted", f"{name} was not seen at the end, since the run was interrupted")
    else:
        yield Finding(Verdict.INVALID, "subject-gone", f"{name} was not there any more at the end")
