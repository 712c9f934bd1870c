"""Consecutive runs of one session: each of the last r run blocks must pass alone, or the first r of them together."""

from collections.abc import Iterator, Sequence
from fractions import Fraction

import msgspec

from pytest_spiral.model.gate import Criterion, Limit
from pytest_spiral.model.judgement import LimitVerdict
from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.criteria import confidence_of
from pytest_spiral.rules.judge.context import Context
from pytest_spiral.rules.judge.finding import Finding
from pytest_spiral.rules.judge.limit import judge_limit
from pytest_spiral.rules.judge.population import Population
from pytest_spiral.rules.judge.sentences import row_sentence
from pytest_spiral.rules.limits import bound_of
from pytest_spiral.rules.statistics import (
    WORST_FIRST,
    Judged,
    Reason,
    Tally,
    independence_note,
    judge_consecutive_each,
    judge_consecutive_pooled,
)
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
    if criterion.combine == "pooled":
        first = ordered or len(whole) == criterion.consecutive  # all there are need no order
        return _pooled(criterion, limit, whole if first else [None] * len(whole))
    confidence = confidence_of(criterion)
    judged = judge_consecutive_each(
        [None if one is None else _as_judged(one) for one in whole],
        consecutive=criterion.consecutive,
        attempts=len(whole),
        alpha=None if confidence is None else 1 - confidence,
    )
    return _shown(criterion, limit, whole, judged)


def _pooled(criterion: Criterion, limit: Limit, whole: list[LimitVerdict | None]) -> LimitVerdict:
    """The first runs together: each plain figure at the bar, and the lower bound of all their samples.

    A run that cannot be judged, or that lost a sample, is a broken one: nobody knows what it would have shown.
    """
    tallies = [_tally(one) for one in whole]
    judged = judge_consecutive_pooled(
        tallies,
        consecutive=criterion.consecutive,
        at_least=bound_of(limit, "1"),
        confidence=confidence_of(criterion) or Fraction(0),
        planned=criterion.plan_of(limit),
    )
    shown = _shown(criterion, limit, whole, judged)
    first = [one for one in tallies[: criterion.consecutive] if one is not None]
    samples, hits = sum(one.samples for one in first), sum(one.successes for one in first)
    note = f"{hits} of {samples} in the first {len(first)} runs together" if first else ""
    value = float(judged.value) if judged.value is not None else None
    margin = None if judged.lower is None else judged.lower - float(bound_of(limit, "1"))
    return msgspec.structs.replace(
        shown,
        value=value,
        lower=judged.lower,
        upper=judged.upper,
        samples=samples,
        planned=(criterion.plan_of(limit) or 0) * criterion.consecutive,
        failed=samples - hits,
        margin=margin,
        note=note,
        where=f"the first {criterion.consecutive} of {len(whole)} runs",
        qualifiers=tuple(dict.fromkeys((*map(str, judged.qualifiers), *independence_note(samples - hits)))),
    )


def _tally(one: LimitVerdict | None) -> Tally | None:
    sound = one is not None and one.verdict in (Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE)
    if one is None or not sound or not one.samples or one.samples != one.planned:
        return None
    return Tally(one.samples - one.failed, one.samples)


def _shown(criterion: Criterion, limit: Limit, whole: list[LimitVerdict | None], judged: Judged) -> LimitVerdict:
    """The figures of the worst of the last runs, with what the row gives."""
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
