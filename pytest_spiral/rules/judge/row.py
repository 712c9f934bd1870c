"""Consecutive runs of one session: each of the last r run blocks must pass alone."""

from collections.abc import Sequence

import msgspec

from pytest_spiral.model.gate import Criterion, Limit
from pytest_spiral.model.judgement import LimitVerdict
from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.judge.context import Context
from pytest_spiral.rules.judge.limit import confidence_of, judge_limit
from pytest_spiral.rules.judge.population import Population
from pytest_spiral.rules.judge.sentences import row_sentence
from pytest_spiral.rules.statistics import WORST_FIRST, Judged, Reason, judge_consecutive_each
from pytest_spiral.rules.statistics.consecutive import BROKEN


def judge_row(criterion: Criterion, limit: Limit, found: Sequence[Population], context: Context) -> LimitVerdict:
    """Judge a limit that must hold in `consecutive` runs in a row; what stands in no run block is one run.

    A run block that was opened and not closed breaks the row, as does one in which nothing was measured. Where nobody
    can tell which run came last, the worst ones are taken for the last.
    """
    by_run = _by_run(criterion, limit, found, context)
    opened = [one.run for one in context.runs.get(criterion.id, ())]
    strangers = sorted({run for run in by_run if run} - set(opened) | context.stray_runs)
    if strangers:
        return _unopened(limit, strangers)
    whole = [by_run.get(run) if run in context.closed else None for run in opened]
    whole += [by_run[""]] if "" in by_run else []
    if not _ordered(opened, outside="" in by_run):
        whole.sort(key=_badness)
    confidence = confidence_of(criterion)
    judged = judge_consecutive_each(
        [None if one is None else _as_judged(one) for one in whole],
        consecutive=criterion.consecutive,
        attempts=len(whole),
        alpha=None if confidence is None else 1 - confidence,
    )
    shown = [one for one in whole if one is not None]
    empty = LimitVerdict(limit=limit.text, statistic=limit.statistic, verdict=Verdict.INVALID)
    worst = min(shown[-criterion.consecutive :], key=lambda one: _rank(one.verdict), default=empty)
    return msgspec.structs.replace(
        worst,
        verdict=judged.verdict,
        reason=str(judged.reason or ""),
        sentence=row_sentence(criterion, judged, whole),
        where=f"{len(whole)} runs",
        runs=tuple(BROKEN if one is None else str(one.verdict) for one in whole),
    )


def _by_run(
    criterion: Criterion, limit: Limit, found: Sequence[Population], context: Context
) -> dict[str, LimitVerdict]:
    """The worst verdict of each run; no run at all stands under the empty name."""
    by_run: dict[str, LimitVerdict] = {}
    for population in found:
        verdict = judge_limit(criterion, limit, population, trusted=context.clock_trusted)
        before = by_run.get(population.run)
        if before is None or _rank(verdict.verdict) < _rank(before.verdict):
            by_run[population.run] = verdict
    return by_run


def _unopened(limit: Limit, strangers: Sequence[str]) -> LimitVerdict:
    return LimitVerdict(
        limit=limit.text,
        statistic=limit.statistic,
        verdict=Verdict.INVALID,
        reason="run-unopened",
        sentence=f"no record opens the run {strangers[0]}, so nobody can tell where in the row it stands",
    )


def _ordered(opened: Sequence[str], *, outside: bool) -> bool:
    """Whether one process opened all runs, and nothing was measured outside of them: a journal has an order, two have none."""
    return len({run.rpartition("-")[0] for run in opened}) <= 1 and not (opened and outside)


def _badness(one: LimitVerdict | None) -> int:
    """Passes first, then what breaks a row, then what fails it."""
    return -_rank(Verdict.INVALID if one is None else one.verdict)


def _rank(verdict: Verdict) -> int:
    return WORST_FIRST.index(verdict)


def _as_judged(one: LimitVerdict) -> Judged:
    """A run's verdict as the row wants it: verdict, reason and bounds."""
    reason = (
        None if one.verdict is Verdict.PASS else one.reason or (None if one.verdict is Verdict.FAIL else Reason.EMPTY)
    )
    return Judged(one.verdict, reason, value=one.value, lower=one.lower, upper=one.upper, samples=one.samples)
