"""Strata: evidence from different machines, transports or versions, which must not be pooled."""

import math
from collections.abc import Mapping
from dataclasses import replace

from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.statistics.judged import WORST_FIRST, Direction, Judged, Reason


def judge_strata(strata: Mapping[str, Judged]) -> Judged:
    """Judge several strata, each of which was judged alone: the worst counts.

    Among equal verdicts the one with the worst bound counts, then the first by name, so that the order in which
    strata arrive changes nothing. Where the worst of several fails, the reason says that they were judged apart: a
    pool could have passed. `shown` has every stratum's bounds.

    ValueError without a stratum.
    """
    if not strata:
        raise ValueError("there is no worst of no strata")
    worst = min(sorted(strata), key=lambda name: _badness(strata[name]))
    result = strata[worst]
    if len(strata) == 1:
        return result
    bounds = tuple(
        (f"{name}.{side}", figure)
        for name in sorted(strata)
        for side, figure in (("lower", strata[name].lower), ("upper", strata[name].upper))
    )
    apart = Reason.STRATA_JUDGED_APART if result.verdict is Verdict.FAIL else result.reason
    return replace(result, reason=apart, shown=bounds)


def _badness(result: Judged) -> tuple[int, float]:
    """Smaller is worse: the verdict first, then how far inside the limit the bound is."""
    bound = result.adverse_bound
    if bound is None:
        return WORST_FIRST.index(result.verdict), -math.inf
    return WORST_FIRST.index(result.verdict), bound if result.direction is Direction.AT_LEAST else -bound
