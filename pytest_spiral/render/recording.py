"""What `spiral record` says when a run is over: whether it was signed, and how its tests were kept from the key."""

from pytest_spiral.model.judgement import Judgement
from pytest_spiral.model.launcher import Confinement
from pytest_spiral.render.figures import counted
from pytest_spiral.rules.confinement import confinement_faults

_EXPOSED = (
    "a recorder's key that tests could read is none any more: make another, and take this one out of the trust root"
)


def render_recorded(keyid: str, path: str, state: str) -> list[str]:
    """The first line: what lies where. `keyid` is who signed, empty where nobody did; `path` empty: no run is there."""
    if keyid:
        return [f"spiral record: sealed, signed by {keyid}: {path}", f"  check it: spiral verify {path} --trust FILE"]
    if path:
        return [f"spiral record: nothing is signed, since the run is {state}: {path}"]
    return ["spiral record: nothing was recorded, and nothing is signed"]


def render_pooled(judgement: Judgement, earlier: int) -> list[str]:
    """What the run came to with `earlier` attempts of its ledger, which pytest's own summary has not; else nothing."""
    if not earlier or judgement.decision is None:
        return []
    attempts = counted(earlier, "earlier attempt", "earlier attempts")
    return [f"  decision: {judgement.decision.value}, together with {attempts}; pytest has judged this run alone"]


def render_confinement(confinement: Confinement) -> list[str]:
    """How the tests were confined; where they were not, each reason why the level is E1 at most."""
    faults = list(confinement_faults(confinement))
    if faults:
        lines = ["  isolation: none, so this proves E1 at most:", *(f"    {sentence}" for sentence in faults)]
        read = any(one.aim == "key" and not one.refused for one in confinement.escapes)
        return [*lines, f"  {_EXPOSED}"] if read else lines
    told = ", ".join(f"{one.aim} {one.refused}" for one in confinement.escapes)
    tried = counted(len(confinement.escapes), "attempt", "attempts")
    return [f"  isolation: launcher: as uid {confinement.uid}, {tried} to get out, all refused ({told})"]
