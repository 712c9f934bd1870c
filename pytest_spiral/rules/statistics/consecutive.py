"""Runs in a row: a criterion that must hold several times, one after another."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.statistics.arguments import check_inside
from pytest_spiral.rules.statistics.judged import (
    Direction,
    Judged,
    Qualifier,
    Reason,
    merged_qualifiers,
)
from pytest_spiral.rules.statistics.rate import Tally, judge_rate

BROKEN = "broken"
"""The word for a run that was abandoned or is invalid, in the row of a result."""

_WHOLE = {Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE}


def judge_consecutive_each(
    runs: Sequence[Judged | None], *, consecutive: int, attempts: int | None = None, alpha: Fraction | None
) -> Judged:
    """Judge a row in which each of the last `consecutive` runs must pass alone.

    `runs` are all runs in order, or at least the last ones, each judged by itself; None is an abandoned run. It and
    any run without a sound result of its own (invalid, not run, environment-limited) break the row. `attempts` is how
    many runs there were in all. Since the last runs may be waited for, (N - r + 1) alpha^r must not exceed alpha
    (each run alone: intersection-union test, Berger 1982); `alpha` None where runs are judged without confidence.
    `lower` and `upper` are the worst bounds in the row.

    ValueError unless `consecutive` is at least 1 and `attempts` covers the runs.
    """
    total = _attempts(runs, attempts, consecutive)
    window = [run if run is not None and run.verdict in _WHOLE else None for run in runs[-consecutive:]]
    whole = [run for run in window if run is not None]
    false_row = None
    if alpha is not None:
        false_row = max(0, total - consecutive + 1) * check_inside("alpha", alpha) ** consecutive
    verdict, reason = _row_verdict(window, consecutive, hunted=false_row is not None and false_row > (alpha or 0))
    lowers = [run.lower for run in whole if run.lower is not None]
    uppers = [run.upper for run in whole if run.upper is not None]
    return Judged(
        verdict,
        reason,
        merged_qualifiers(whole),
        lower=min(lowers, default=None),
        upper=max(uppers, default=None),
        limit=whole[-1].limit if whole else None,
        direction=whole[-1].direction if whole else None,
        row=tuple(BROKEN if run is None else str(run.verdict) for run in window),
        more_needed=_runs_needed(window, consecutive) if verdict is Verdict.INCONCLUSIVE else None,
        shown=(("attempts", total), ("false_row", false_row)),
    )


def _row_verdict(window: Sequence[Judged | None], consecutive: int, *, hunted: bool) -> tuple[Verdict, Reason | None]:
    if any(run is not None and run.verdict is Verdict.FAIL for run in window):
        return Verdict.FAIL, None
    if len(window) < consecutive or None in window:
        return Verdict.INCONCLUSIVE, Reason.ROW_SHORT
    if any(run is not None and run.verdict is not Verdict.PASS for run in window):
        return Verdict.INCONCLUSIVE, Reason.RUN_NOT_PROVEN
    if hunted:
        return Verdict.INCONCLUSIVE, Reason.ROW_HUNTED
    return Verdict.PASS, None


def _runs_needed(window: Sequence[Judged | None], consecutive: int) -> int | None:
    """How many passing runs would complete the row; None where the row is whole and more would not help."""
    passing = 0
    for run in reversed(window):
        if run is None or run.verdict is not Verdict.PASS:
            break
        passing += 1
    return consecutive - passing or None


def judge_consecutive_pooled(  # noqa: PLR0913 - named parts of one limit and its plan
    runs: Sequence[Tally | None],
    *,
    consecutive: int,
    attempts: int | None = None,
    at_least: Fraction,
    confidence: Fraction,
    planned: int | None = None,
) -> Judged:
    """Judge a row of runs whose samples are pooled: the first `consecutive` ones, and those only.

    Every run's plain figure must be at the bar, and so must the pooled lower bound. None is an abandoned run; it
    breaks the row for good, as does a run with fewer samples than `planned`. Further runs cannot repair a row that
    was judged, they only make it worse: a second window would be a second chance.

    ValueError unless `consecutive` is at least 1 and `attempts` covers the runs.
    """
    total = _attempts(runs, attempts, consecutive)
    row = [
        BROKEN if run is None else str(_judge_tally(run, at_least, confidence).verdict) for run in runs[-consecutive:]
    ]
    whole = [run if run is not None and (planned is None or run.samples >= planned) else None for run in runs]
    first = _judge_pool(whole[:consecutive], consecutive, at_least, confidence)
    if total == len(runs) and total > consecutive and first.verdict is Verdict.PASS:
        first = _worsened(first, whole, at_least, confidence)
    elif total > consecutive and first.verdict is not Verdict.FAIL:
        latest = _judge_pool(whole[-consecutive:], consecutive, at_least, confidence)
        first = replace(latest, verdict=Verdict.INCONCLUSIVE, reason=Reason.ROW_HUNTED)
    return replace(first, row=tuple(row), shown=(("attempts", total),))


def _judge_pool(runs: Sequence[Tally | None], consecutive: int, at_least: Fraction, confidence: Fraction) -> Judged:
    whole = [run for run in runs if run is not None]
    if not whole:
        return Judged(Verdict.INCONCLUSIVE, Reason.ROW_SHORT, limit=at_least, direction=Direction.AT_LEAST)
    pooled = _judge_tally(Tally.pooled(whole), at_least, confidence)
    if len(whole) < consecutive:
        missing = consecutive - len(runs) or None
        return replace(pooled, verdict=Verdict.INCONCLUSIVE, reason=Reason.ROW_SHORT, more_needed=missing)
    if pooled.verdict is Verdict.FAIL:
        return pooled
    if any(Fraction(run.successes, run.samples) < at_least for run in whole):
        return replace(pooled, verdict=Verdict.INCONCLUSIVE, reason=Reason.RUN_BELOW_BAR)
    return pooled


def _worsened(first: Judged, runs: Sequence[Tally | None], at_least: Fraction, confidence: Fraction) -> Judged:
    """A passed row with all later runs pooled to it, which may take the pass away."""
    pooled = _judge_tally(Tally.pooled(run for run in runs if run is not None), at_least, confidence)
    if pooled.verdict is Verdict.FAIL:
        return replace(pooled, qualifiers=(Qualifier.FLAKY,))
    if pooled.reason == Reason.POINT_SHORT:
        return replace(pooled, reason=Reason.ATTEMPTS_DISAGREE, qualifiers=(Qualifier.FLAKY,))
    return first


def _judge_tally(tally: Tally, at_least: Fraction, confidence: Fraction) -> Judged:
    return judge_rate(tally.successes, tally.samples, at_least=at_least, confidence=confidence)


def _attempts(runs: Sequence[object], attempts: int | None, consecutive: int) -> int:
    total = len(runs) if attempts is None else attempts
    if consecutive < 1:
        raise ValueError(f"a row has at least one run, got {consecutive}")
    if total < len(runs):
        raise ValueError(f"{len(runs)} runs are more than {total} attempts")
    return total
