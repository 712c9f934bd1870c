"""Consecutive runs of one session: each of the last r run blocks must pass alone."""

from collections.abc import Iterator, Sequence

import msgspec

from pytest_spiral.model.gate import Criterion, Limit
from pytest_spiral.model.judgement import LimitVerdict
from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.judge.context import Context
from pytest_spiral.rules.judge.finding import Finding
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
    ordered = _ordered(opened, outside="" in by_run)
    runs = opened if ordered else sorted(opened)
    whole = [by_run.get(run) if run in context.closed else None for run in runs]
    whole += [by_run[""]] if "" in by_run else []
    if not ordered:
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


def judge_blocks(
    criterion: Criterion, limit: Limit, found: Sequence[Population], context: Context
) -> Iterator[Finding]:
    """What keeps run blocks from being judged: one that no record opens, or in which only its neighbours were measured.

    A test that measures in one of its run blocks measures in each, so that nobody chooses the runs that count. An
    empty run of a row breaks the row, and is no finding of its own.
    """
    filled = {(one.test, one.run) for one in found if one.run}
    opened = dict.fromkeys((one.test, one.run) for one in context.runs.get(criterion.id, ()))
    strangers = {run for _, run in filled} - {run for _, run in opened}
    for run in sorted(strangers | context.stray_runs if filled or criterion.consecutive > 1 else ()):
        sentence = f"no record opens the run {run}, so nobody can tell where among the others it stands"
        yield Finding(Verdict.INVALID, "run-unopened", sentence)
    tests = {test for test, _ in filled} if criterion.consecutive == 1 else set()
    names = " and ".join(limit.measurements)
    for test, run in opened:
        if test in tests and (test, run) not in filled:
            sentence = f"{names} was not measured in run {run} of {test.rpartition('::')[2]}"
            yield Finding(Verdict.NOT_RUN, "run-empty", sentence)


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
