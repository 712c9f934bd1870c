"""kimicho guides: reads tasks and what must come before what, and puts them in an order that can be walked."""

import re
from collections.abc import Mapping
from itertools import pairwise

from spiral_sandbox.crown.agents.turn import Answer, Turn, subject_of

_CLAUSE = re.compile(r"[;.!?\n]|,?\s+then\s+")
_ORDER = re.compile(r"\s+(before|after)\s+")
_MINUTES = re.compile(r"\b(\d{1,6}) min\b")


def guide(turn: Turn) -> Answer:
    """The tasks in order; a task that waits for itself is stuck and said to be. Minutes are added up by air_star."""
    clauses = [part.strip() for part in _CLAUSE.split(subject_of(turn.text)) if part.strip()]
    needs = _needs(clauses[: turn.figures["most"]])
    plan = _walk(turn, needs)
    stuck = [task for task in needs if task not in plan]
    points = [f"{place}. {task}" for place, task in enumerate(plan, start=1)]
    points += [f"stuck: {task} waits for {', '.join(sorted(needs[task] - set(plan)))}" for task in stuck]
    minutes = [int(found) for found in _MINUTES.findall(turn.text)]
    if len(minutes) > 1:
        total = turn.call("air_star", f"check: {' + '.join(map(str, minutes))} = {sum(minutes)}")
        points.append(f"in {sum(minutes)} min" if total.accepted else "in a time that does not add up")
    text = "; ".join(points) if points else "there is nothing to do"
    return Answer(text=text, points=points, keep=[f"next: {plan[0]}"] if plan else [], accepted=not stuck)


def _needs(clauses: list[str]) -> dict[str, set[str]]:
    """What each task waits for, tasks in the order in which they are named."""
    needs: dict[str, set[str]] = {}
    for clause in clauses:
        parts = _ORDER.split(clause)
        tasks = [_task(part) for part in parts[::2]]
        for task in tasks:
            needs.setdefault(task, set())
        for word, (one, other) in zip(parts[1::2], pairwise(tasks), strict=True):
            later, earlier = (one, other) if word == "after" else (other, one)
            needs[later].add(earlier)
    return needs


def _task(part: str) -> str:
    return " ".join(_MINUTES.sub("", part).split()) or "something"


def _walk(turn: Turn, needs: Mapping[str, set[str]]) -> list[str]:
    """Tasks whose needs are met, one after the other; where several can come next, a roaming model draws."""
    plan: list[str] = []
    while ready := [task for task in needs if task not in plan and needs[task] <= set(plan)]:
        roams = len(ready) > 1 and turn.figures["explores"]
        plan.append(turn.pick("what comes next", dict.fromkeys(ready, 1)).name if roams else ready[0])
    return plan
