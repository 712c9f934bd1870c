"""Judging one criterion: its limits, its tests' ends, its control, its subjects, its environment."""

from pytest_spiral.model.attestation import LEVELS
from pytest_spiral.model.fidelity import Fidelity
from pytest_spiral.model.gate import Criterion, Limit
from pytest_spiral.model.judgement import CriterionVerdict, LimitVerdict
from pytest_spiral.model.measurement import Measurement
from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.judge.attempts import among_attempts, examined_among_attempts
from pytest_spiral.rules.judge.context import Context
from pytest_spiral.rules.judge.control import judge_control
from pytest_spiral.rules.judge.examination import examined_fidelity, judge_examination, unproven_signer
from pytest_spiral.rules.judge.finding import PASSED, Finding, broken_limits, overruled, worst
from pytest_spiral.rules.judge.limit import judge_limit
from pytest_spiral.rules.judge.needs import on_requirement
from pytest_spiral.rules.judge.population import PopulationError, is_whole, populations
from pytest_spiral.rules.judge.row import judge_blocks, judge_row
from pytest_spiral.rules.judge.subjects import judge_subjects, shown_fidelity
from pytest_spiral.rules.judge.tests import by_outcome, judge_deliveries, judge_tests
from pytest_spiral.rules.statistics import Qualifier, judge_equality

_UNFED = "not-delivered"
_BLIND = "control-did-not-fail"


def judge_criterion(criterion: Criterion, context: Context) -> CriterionVerdict:
    """Judge one criterion on all evidence; controls that did not fail are applied later, by `judge`."""
    if criterion.planned:
        return _verdict(criterion, context, [Finding(Verdict.NOT_RUN, "planned", "planned, no tests")], ())
    if criterion.method == "examine":
        lines, findings = judge_examination(criterion, context)
        return _verdict(criterion, context, findings, lines)
    findings = judge_tests(criterion, context)
    measurements = context.own(criterion)
    limits: tuple[LimitVerdict, ...] = ()
    if measurements or by_outcome(criterion) or not _all_kept_back(criterion, context):
        limits, found = _judge_evidence(criterion, context, measurements)
        kept = any(one.verdict in (Verdict.NOT_RUN, Verdict.ENVIRONMENT_LIMITED) for one in findings)
        # Where a test did not come to measuring, its own end is the reason; "never measured" would only repeat it.
        told = [one for one in found if not (kept and one.reason == _UNFED)]
        # That a fault was not found out says more of what is guarded than how the control's test ended.
        blind = [one for one in told if one.reason == _BLIND]
        findings = blind + findings + told
        findings += judge_deliveries(criterion, context)
    return _verdict(criterion, context, findings, limits)


def _all_kept_back(criterion: Criterion, context: Context) -> bool:
    """Whether every selected test was kept from running by a need, so that there is nothing to judge."""
    records = [context.tests.get(item.id, ()) for item in context.selected(criterion)]
    return bool(records) and all(own and all(one.raised == "limited" for one in own) for own in records)


def _judge_evidence(
    criterion: Criterion, context: Context, measurements: tuple[Measurement, ...]
) -> tuple[tuple[LimitVerdict, ...], list[Finding]]:
    """What the measurements say, or under a control's fault ought to say; and what they were taken from."""
    findings = [
        Finding(Verdict.INVALID, "samples-order", f"samples of {one.name} are missing or out of order")
        for one in measurements
        if not is_whole(one)
    ]
    if criterion.control is not None:
        limits, found = judge_control(criterion, criterion.control, context, measurements)
        return limits, findings + found
    limits, found = _judge_limits(criterion, context, measurements)
    if measurements or _ran(criterion, context):
        found += judge_subjects(criterion, context)
    return limits, findings + found + broken_limits(limits)


def _judge_limits(
    criterion: Criterion, context: Context, measurements: tuple[Measurement, ...]
) -> tuple[tuple[LimitVerdict, ...], list[Finding]]:
    """Every limit must be fed; the worst counts."""
    verdicts: list[LimitVerdict] = []
    findings: list[Finding] = []
    for limit in criterion.limits:
        if limit.statistic == "all-pass":
            verdicts.append(_all_pass(criterion, limit, context))
            continue
        try:
            found = populations(limit, measurements)
        except PopulationError as error:
            findings.append(Finding(Verdict.INVALID, error.reason, str(error)))
            continue
        if not found:
            sentence = f"no test delivered {' and '.join(limit.measurements)} for {limit.text}"
            findings.append(Finding(Verdict.NOT_RUN, _UNFED, sentence))
            continue
        if criterion.consecutive > 1:
            verdicts.append(judge_row(criterion, limit, found, context))
        else:
            verdicts += [judge_limit(criterion, limit, one, trusted=context.clock_trusted) for one in found]
        findings += judge_blocks(criterion, limit, found, context)
    return tuple(verdicts), findings


def _all_pass(criterion: Criterion, limit: Limit, context: Context) -> LimitVerdict:
    """Every claiming test came to its end without raising, and there are as many as declared."""
    ended = [context.tests.get(item.id, ()) for item in context.selected(criterion)]
    failed = sum(any(one.raised in ("assertion", "error", "timeout") for one in records) for records in ended)
    passed = sum(bool(records) and not any(one.raised for one in records) for records in ended)
    kept = sum(bool(records) and all(one.raised == "limited" for one in records) for records in ended)
    planned = criterion.plan_of(limit) or 0
    if len(ended) > planned:
        verdict, reason = Verdict.INVALID, "more-than-planned"
    elif kept and not failed and passed + kept == planned:
        verdict, reason = Verdict.ENVIRONMENT_LIMITED, "requirement"  # judge_tests says which, or why that is false
    else:
        judged = judge_equality(planned, equal=passed, unequal=failed, missing=planned - passed - failed)
        verdict, reason = judged.verdict, str(judged.reason or "")
    return LimitVerdict(
        limit=limit.text,
        statistic=limit.statistic,
        verdict=verdict,
        reason=reason,
        sentence=f"{passed:,} of {planned:,} tests passed, {failed:,} failed, {planned - passed - failed:,} missing",
        value=failed,
        bound=0,
        samples=len(ended),
        planned=planned,
        failed=failed,
    )


def _ran(criterion: Criterion, context: Context) -> bool:
    """Whether a claiming test came to some end of its own."""
    records = [one for item in context.selected(criterion) for one in context.tests.get(item.id, ())]
    return any(one.raised in ("", "assertion", "error", "timeout") for one in records)


def _verdict(
    criterion: Criterion, context: Context, findings: list[Finding], limits: tuple[LimitVerdict, ...]
) -> CriterionVerdict:
    deciding = worst(findings) or PASSED
    limited = any(one.verdict is Verdict.ENVIRONMENT_LIMITED for one in findings)
    qualifiers = dict.fromkeys(word for one in limits for word in one.qualifiers)
    if criterion.confidence == "none":
        qualifiers[str(Qualifier.SIMPLE_ACCEPTANCE)] = None
    shown = CriterionVerdict(
        id=criterion.id,
        gate=criterion.gate,
        level=criterion.level,
        verdict=deciding.verdict,
        original=deciding.verdict,
        reason=deciding.reason,
        sentence=deciding.sentence,
        requirement=deciding.requirement,
        cause=deciding.cause,
        fidelity=criterion.fidelity or "",
        qualifiers=tuple(qualifiers),
        limits=limits,
        tests=tuple(item.id for item in context.selected(criterion)),
        ran=limited or (_ran(criterion, context) if by_outcome(criterion) else bool(limits)),
    )
    shown = on_requirement(shown, criterion, context)
    if criterion.method == "examine":
        shown = _by_signer(examined_among_attempts(shown, criterion, context), criterion, context)
    else:
        shown = on_requirement(among_attempts(shown, criterion, context, findings), criterion, context)
    return _at_level(_at_fidelity(shown, criterion, context), criterion, context)


def _by_signer(shown: CriterionVerdict, criterion: Criterion, context: Context) -> CriterionVerdict:
    """A pass that rests on a signature of nobody knows whom is a condition; nothing but a pass is changed by it."""
    unproven = unproven_signer(criterion, context)
    return shown if unproven is None or shown.verdict is not Verdict.PASS else overruled(shown, unproven)


def _at_fidelity(shown: CriterionVerdict, criterion: Criterion, context: Context) -> CriterionVerdict:
    """A pass below the fidelity asked for is a condition; nothing but a pass is changed by it."""
    target = context.evidence.bundle.target
    wanted = Fidelity(criterion.fidelity) if criterion.fidelity else None
    examined = criterion.method == "examine"
    found = examined_fidelity(criterion, context) if examined else shown_fidelity(criterion, context)
    if wanted is None or shown.verdict is not Verdict.PASS or found.rank >= wanted.rank:
        return shown
    where = target.name or "no target"
    unseen = f", which nothing shows {where} to be" if target.fidelity.rank >= wanted.rank else ""
    sentence = f"signed in rehearsal, needs {wanted}" if examined else f"pass on {where}, needs {wanted}{unseen}"
    limited = Finding(Verdict.ENVIRONMENT_LIMITED, "fidelity", sentence, shown.requirement, "environment")
    return overruled(shown, limited)


def _at_level(shown: CriterionVerdict, criterion: Criterion, context: Context) -> CriterionVerdict:
    """A pass for which nobody of the level asked for vouches is a condition; nothing but a pass is changed by it."""
    wanted = criterion.assurance
    if wanted is None or shown.verdict is not Verdict.PASS or LEVELS.index(context.level) >= LEVELS.index(wanted):
        return shown
    sentence, need = f"pass at {context.level}, needs assurance {wanted}", f"assurance {wanted}"
    return overruled(shown, Finding(Verdict.ENVIRONMENT_LIMITED, "assurance", sentence, need, "environment"))
