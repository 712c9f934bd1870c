"""Waivers: whether a result is still what was accepted."""

import math
from dataclasses import dataclass

from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.statistics.arguments import exact
from pytest_spiral.rules.statistics.judged import Direction, Judged, Number, Reason

_MISSING_EVIDENCE = {Reason.INCOMPLETE, Reason.CANNOT_PASS, Reason.ROW_SHORT, Reason.CONTINUE}


@dataclass(frozen=True, slots=True)
class WaivedFigures:
    """What a waiver accepted: the observed value, and the bound that had to clear the limit (None: it had none)."""

    value: Number
    bound: float | None


@dataclass(frozen=True, slots=True)
class Coverage:
    """Whether a waiver covers a result, and why not: a stable code, None where it does."""

    covered: bool
    reason: str | None = None


def cover(waived: WaivedFigures, observed: Judged) -> Coverage:
    """Whether a waiver that accepted `waived` covers the observed result.

    Only a fail, or an inconclusive result of a full plan, can be waived: missing evidence never is (the result's own
    reason is given back). A later result is covered only if value and bound are both no worse than what was
    accepted (`worse-value`, `worse-bound`; `no-figure` where one of them is missing).
    """
    if observed.verdict not in {Verdict.FAIL, Verdict.INCONCLUSIVE}:
        return Coverage(covered=False, reason=f"verdict-{observed.verdict}")
    short = observed.planned is not None and (observed.samples or 0) < observed.planned
    if observed.reason in _MISSING_EVIDENCE or short:
        return Coverage(covered=False, reason=observed.reason or Reason.INCOMPLETE)
    bound = observed.adverse_bound
    if observed.value is None or observed.direction is None or (bound is None) != (waived.bound is None):
        return Coverage(covered=False, reason="no-figure")
    if _worse(observed.value, waived.value, observed.direction):
        return Coverage(covered=False, reason="worse-value")
    if bound is not None and waived.bound is not None and _worse(bound, waived.bound, observed.direction):
        return Coverage(covered=False, reason="worse-bound")
    return Coverage(covered=True)


def _worse(observed: Number, accepted: Number, direction: Direction) -> bool:
    """Whether the observed figure is worse than the accepted one, both as they are written."""
    if not (math.isfinite(observed) and math.isfinite(accepted)):
        return observed != accepted and (observed > accepted) == (direction is Direction.AT_MOST)
    if direction is Direction.AT_LEAST:
        return exact(observed) < exact(accepted)
    return exact(observed) > exact(accepted)
