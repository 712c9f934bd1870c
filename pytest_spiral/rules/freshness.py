"""Freshness: which inputs of a criterion have changed since a run recorded them. Never by clock alone.

An input is a path pattern below the root folder (`suites/stage_b/*.py`), `artifact:PATTERN` for files that a build makes
and that have to be there, or `profile`: the machine that it ran on. What a run recorded of a pattern is the digest of
each file that matched it.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from pytest_spiral.model.evidence import BundleStart
from pytest_spiral.model.freshness import InputChange, What
from pytest_spiral.model.gate import Criterion, Plan
from pytest_spiral.model.profile import Profile

PROFILE: Final = "profile"
ARTIFACT: Final = "artifact:"
_NAMED: Final = 3
INPUT_SHAPE: Final = "write a path below the root folder such as `src/**/*.py`, `artifact:dist/*.whl`, or `profile`"

Files = Mapping[str, str]
"""Path of each file that a pattern matched → its digest."""


def input_fault(name: str) -> str:
    """What is wrong with the name of an input; empty where nothing is."""
    pattern = pattern_of(name)
    parts = pattern.split("/")
    if name == PROFILE:
        return ""
    if not pattern.strip() or pattern != pattern.strip() or any(not part for part in parts):
        return "names no path"
    if ".." in parts or "." in parts or "\\" in pattern or ":" in pattern:
        return "is no path below the root folder"
    if any("**" in part and part != "**" for part in parts) or parts[-1] == "**":
        return "matches no files: `**` stands for folders, alone, and before a name"
    return ""


def pattern_of(name: str) -> str:
    """The path pattern of an input: what stands after `artifact:`, or all of it."""
    return name.removeprefix(ARTIFACT)


def patterns_of(plan: Plan) -> tuple[str, ...]:
    """The inputs of a plan that are files, each once, sorted."""
    return tuple(sorted({name for one in plan.criteria() for name in inputs_of(one)} - {PROFILE}))


def inputs_of(criterion: Criterion) -> tuple[str, ...]:
    """What a criterion rests on: its declared inputs, and the document that a person examines."""
    document = criterion.document
    return criterion.inputs if document is None or document in criterion.inputs else (*criterion.inputs, document)


def changes_of(
    plan: Plan, start: BundleStart, now: Mapping[str, Files], machine: Profile | None
) -> tuple[InputChange, ...]:
    """Every change of an input since the run recorded it, by criterion; empty where all of them are fresh.

    `now` has the files that each pattern matches now; `machine` is the machine of now, needed where `profile` is an
    input. What nobody can tell counts as changed: a pattern that was not recorded, or of which nothing was there.
    """
    told = {name: tuple(_told(name, start, now, machine)) for one in plan.criteria() for name in inputs_of(one)}
    return tuple(
        InputChange(criterion=one.id, name=name, what=what, path=path)
        for one in plan.criteria()
        for name in inputs_of(one)
        for what, path in told[name]
    )


def _told(
    name: str, start: BundleStart, now: Mapping[str, Files], machine: Profile | None
) -> Iterator[tuple[What, str]]:
    if name == PROFILE:
        yield from _machine(start.profile, machine)
        return
    before, after = start.inputs.get(name), now.get(name)
    if before is None or after is None:
        yield "unrecorded", ""
        return
    if not before:
        yield "nothing-there", ""
    for path in sorted(before.keys() | after.keys()):
        if path not in after:
            yield "gone", path
        elif path not in before:
            yield "new", path
        elif before[path] != after[path]:
            yield "changed", path


def _machine(before: Profile, after: Profile | None) -> Iterator[tuple[What, str]]:
    """The hardware that was recorded."""
    if after is None:
        yield "unrecorded", ""
        return
    old, new = ({one.name: (one.state, one.value, one.unit) for one in profile.hardware} for profile in (before, after))
    yield from (("changed", name) for name in sorted(old) if old[name] != new.get(name))


def stale_of(changes: Iterable[InputChange]) -> dict[str, str]:
    """Criteria that are stale, each with a sentence that names what changed: three at most, and how many more."""
    found: dict[str, list[InputChange]] = {}
    for one in changes:
        found.setdefault(one.criterion, []).append(one)
    return {name: _sentence(own) for name, own in found.items()}


def _sentence(changes: list[InputChange]) -> str:
    named = "; ".join(one.sentence for one in changes[:_NAMED])
    more = f"; and {len(changes) - _NAMED} more" if len(changes) > _NAMED else ""
    return f"stale, so not run on what is there now: {named}{more}"
