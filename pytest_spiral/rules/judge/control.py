"""Controls: what was measured under a fault, judged by the guarded criterion's bar, must come out as declared."""

from typing import Final

from pytest_spiral.model.gate import Control, Criterion
from pytest_spiral.model.judgement import LimitVerdict
from pytest_spiral.model.measurement import Measurement
from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.judge.context import Context
from pytest_spiral.rules.judge.finding import Finding
from pytest_spiral.rules.judge.limit import judge_limit
from pytest_spiral.rules.judge.population import PopulationError, populations
from pytest_spiral.rules.statistics import Reason

_Judged = tuple[tuple[LimitVerdict, ...], list[Finding]]
_MISSING: Final = frozenset(
    {Reason.INCOMPLETE, Reason.CANNOT_PASS, Reason.EMPTY, "one-sided", "warm-up-differs", "no-single-duration"}
)
"""Reasons that too few samples give. A fault was not found out because samples are missing."""


def judge_control(
    criterion: Criterion, rule: Control, context: Context, measurements: tuple[Measurement, ...]
) -> _Judged:
    """The limits as they came out under the fault, and why the control is no pass; no finding where it is one."""
    guarded = next((one for one in context.evidence.plan.criteria() if one.id == rule.of), None)
    fed = [] if guarded is None else [one for one in guarded.limits if _feeds(measurements, one.measurements)]
    blocks = context.controls.get(criterion.id, ())
    if guarded is None or not blocks or not fed:
        nothing = f"nothing of {rule.of} was measured under {rule.fault}"
        return (), [Finding(Verdict.NOT_RUN, "control-not-run", nothing)]
    try:
        groups = [(limit, one) for limit in fed for one in populations(limit, measurements)]
    except PopulationError as error:
        return (), [Finding(Verdict.INVALID, error.reason, str(error))]
    limits = tuple(judge_limit(guarded, limit, one, trusted=context.clock_trusted) for limit, one in groups)
    findings = _broken_blocks(criterion, rule, context, measurements)
    if not any(_found_out(one, rule) for one in limits):
        words = ", ".join(sorted({str(one.verdict) for one in limits}))
        sentence = f"{rule.fault} was not found out: {rule.of} came out as {words}"
        findings.append(Finding(Verdict.FAIL, "control-did-not-fail", sentence))
    return limits, findings


def _feeds(measurements: tuple[Measurement, ...], names: tuple[str, ...]) -> bool:
    return any(one.name in names for one in measurements)


def _found_out(limit: LimitVerdict, rule: Control) -> bool:
    return limit.verdict == rule.verdict and limit.reason not in _MISSING


def _broken_blocks(
    criterion: Criterion, rule: Control, context: Context, measurements: tuple[Measurement, ...]
) -> list[Finding]:
    """Every block ran with the declared fault and came to its end; every measurement stands in one."""
    blocks = context.controls.get(criterion.id, ())
    findings = []
    if any(one.fault != rule.fault or one.of != rule.of for one in blocks):
        findings.append(Finding(Verdict.INVALID, "control-differs", "the control ran with another fault than declared"))
    for one in measurements:
        if one.test not in {block.test for block in blocks}:
            sentence = f"{one.name} was measured under a fault that no record of its test opens"
            findings.append(Finding(Verdict.INVALID, "control-unopened", sentence))
    for test in dict.fromkeys(block.test for block in blocks):
        if context.came_to_its_end(test) and not _closed_well(criterion, test, context):
            sentence = f"the block under {rule.fault} did not come to its end"
            findings.append(Finding(Verdict.INVALID, "control-broken", sentence))
    return findings


def _closed_well(criterion: Criterion, test: str, context: Context) -> bool:
    opened = sum(one.test == test for one in context.controls.get(criterion.id, ()))
    ends = [one for one in context.evidence.controls_closed if (one.control, one.test) == (criterion.id, test)]
    return len(ends) >= opened and not any(one.raised for one in ends)
