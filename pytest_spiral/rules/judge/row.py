"""Consecutive runs of one session: each of the last r run blocks must pass alone."""

from collections.abc import Sequence

from pytest_spiral.model.gate import Criterion, Limit
from pytest_spiral.model.judgement import LimitVerdict
from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.judge.context import Context
from pytest_spiral.rules.judge.limit import confidence_of, judge_limit
from pytest_spiral.rules.judge.population import Population
from pytest_spiral.rules.judge.sentences import row_sentence
from pytest_spiral.rules.statistics import WORST_FIRST, Judged, Reason, judge_consecutive_each


def judge_row(criterion: Criterion, limit: Limit, found: Sequence[Population], context: Context) -> LimitVerdict:
    """Judge a limit that must hold in `consecutive` runs in a row; what stands in no run block is one run.

    A run block that was opened and not closed breaks the row, as does one in which nothing was measured.
    """
    import msgspec

    facts = context.evidence.bundle.target.facts
    by_run: dict[str, LimitVerdict] = {}
    for population in found:
        verdict = judge_limit(criterion, limit, population, facts)
        before = by_run.get(population.run)
        if before is None or _rank(verdict.verdict) < _rank(before.verdict):
            by_run[population.run] = verdict
    opened = [one.run for one in context.runs.get(criterion.id, ())]
    order = [run for run in opened if run in context.closed or run in by_run] or []
    whole = [by_run.get(run) if run in context.closed else None for run in order]
    if "" in by_run:
        whole.append(by_run[""])
    confidence = confidence_of(criterion)
    judged = judge_consecutive_each(
        [None if one is None else _as_judged(one) for one in whole],
        consecutive=criterion.consecutive,
        attempts=len(whole),
        alpha=None if confidence is None else 1 - confidence,
    )
    shown = [one for one in whole if one is not None]
    worst = min(shown[-criterion.consecutive :], key=lambda one: _rank(one.verdict), default=None)
    if worst is None:
        worst = LimitVerdict(limit=limit.text, statistic=limit.statistic, verdict=Verdict.INVALID)
    return msgspec.structs.replace(
        worst,
        verdict=judged.verdict,
        reason=str(judged.reason or ""),
        sentence=row_sentence(criterion, judged, whole),
        where=f"{len(whole)} runs",
    )


def _rank(verdict: Verdict) -> int:
    return WORST_FIRST.index(verdict)


def _as_judged(one: LimitVerdict) -> Judged:
    """A run's verdict as the row wants it: verdict, reason and bounds."""
    reason = (
        None if one.verdict is Verdict.PASS else one.reason or (None if one.verdict is Verdict.FAIL else Reason.EMPTY)
    )
    return Judged(one.verdict, reason, value=one.value, lower=one.lower, upper=one.upper, samples=one.samples)
