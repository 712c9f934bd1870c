"""A campaign with a fixed plan: attempts fill it in ledger order, and it is judged once, when it is full."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import accumulate

from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.statistics.judged import Judged, Qualifier, Reason
from pytest_spiral.rules.statistics.rate import Tally, judge_rate


def judge_campaign(
    attempts: Sequence[Tally],
    *,
    planned: int,
    at_least: Fraction | None = None,
    at_most: Fraction | None = None,
    confidence: Fraction,
) -> Judged:
    """Judge a rate over attempts that fill one plan of `planned` samples, in the order of the ledger.

    Until the plan is full the result is that of `judge_rate`. When it is full it is judged, once: one that does
    not decide is spent. Later attempts are pooled and can only worsen the result: a pooled upper bound outside the
    limit fails it, a pooled figure outside the limit takes a pass away. An attempt that reaches over the plan's end
    is more than was planned, hence invalid; whoever holds its samples in order can split it there.

    `value`, `lower` and `upper` are pooled over all attempts, but for a pass that later attempts leave standing:
    there they are those of the plan, and `shown` has the pooled ones.
    """

    def judge(tallies: Sequence[Tally], plan: int | None = None) -> Judged:
        pooled = Tally.pooled(tallies)
        return judge_rate(
            pooled.successes,
            pooled.samples,
            at_least=at_least,
            at_most=at_most,
            confidence=confidence,
            planned=plan,
        )

    filled = list(accumulate(attempt.samples for attempt in attempts))
    if not filled or filled[-1] < planned:
        return (
            judge(attempts, planned)
            if filled
            else Judged(Verdict.INVALID, Reason.EMPTY, samples=0, planned=planned, more_needed=planned)
        )
    end = next(number for number, samples in enumerate(filled, start=1) if samples >= planned)
    first = judge(attempts[:end], planned)
    if first.verdict is Verdict.INVALID:
        return first
    later = attempts[end:]
    if later:
        return settle_campaign(first, judge(attempts), judge(later))
    return first if first.verdict is not Verdict.INCONCLUSIVE else _spent(first, first)


def _spent(first: Judged, pooled: Judged) -> Judged:
    """A plan that was judged and has not decided, with the figures of all attempts."""
    why = () if first.reason is None else (first.reason,)
    return replace(
        pooled, verdict=Verdict.INCONCLUSIVE, reason=Reason.PLAN_SPENT, qualifiers=why, planned=first.planned
    )


def settle_campaign(first: Judged, pooled: Judged, later: Judged) -> Judged:
    """A plan that was judged once (`first`), with what came after its end: it can only worsen the result.

    `pooled` is everything judged together, `later` what came after the plan judged alone. A pooled bound outside the
    limit fails, a pooled figure outside the limit takes a pass away, and what the plan had not decided stays spent.
    """
    if first.verdict is Verdict.INVALID:
        return first
    pooled = replace(pooled, planned=first.planned)
    flaky = (Qualifier.FLAKY,)
    if first.verdict is Verdict.FAIL:
        disagree = later.verdict is Verdict.PASS
        return replace(pooled, verdict=Verdict.FAIL, reason=None, qualifiers=flaky if disagree else ())
    if pooled.verdict is Verdict.FAIL:
        return replace(pooled, qualifiers=flaky if first.verdict is Verdict.PASS else ())
    if first.verdict is Verdict.INCONCLUSIVE:
        return _spent(first, pooled)
    if pooled.reason == Reason.POINT_SHORT:
        return replace(pooled, reason=Reason.ATTEMPTS_DISAGREE, qualifiers=flaky)
    shown = (("pooled_value", pooled.value), ("pooled_lower", pooled.lower), ("pooled_upper", pooled.upper))
    return replace(first, shown=shown)
