"""Judging one criterion: its limits, its tests' ends, its control, its subjects, its environment."""

from pytest_spiral.model.fidelity import Fidelity
from pytest_spiral.model.gate import Criterion, Limit
from pytest_spiral.model.judgement import CriterionVerdict, LimitVerdict
from pytest_spiral.model.measurement import Measurement
from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.fidelity import observed_fidelity, shortfall
from pytest_spiral.rules.judge.context import Context
from pytest_spiral.rules.judge.finding import Finding, worst
from pytest_spiral.rules.judge.limit import judge_limit
from pytest_spiral.rules.judge.population import PopulationError, populations
from pytest_spiral.rules.judge.row import judge_row
from pytest_spiral.rules.judge.tests import judge_tests
from pytest_spiral.rules.statistics import Qualifier


def judge_criterion(criterion: Criterion, context: Context) -> CriterionVerdict:
    """Judge one criterion on all evidence; controls that did not fail are applied later, by `judge_controls`."""
    if criterion.planned:
        return _verdict(criterion, context, [Finding(Verdict.NOT_RUN, "planned", "planned, no tests")], ())
    if criterion.method == "examine":
        wanted = "wants a document that a person has examined and signed; none is here"
        return _verdict(criterion, context, [Finding(Verdict.NOT_RUN, "unsigned", wanted)], ())
    findings = judge_tests(criterion, context)
    limits: tuple[LimitVerdict, ...] = ()
    if criterion.control is not None:
        limits, found = _judge_control(criterion, context)
        findings += found
    elif not _all_limited(findings):
        limits, found = _judge_limits(criterion, context, context.measured.get(criterion.id, ()))
        findings += [] if _kept_from_measuring(findings) else found
        findings += _from_limits(limits)
        findings += _judge_subjects(criterion, context)
    return _verdict(criterion, context, findings, limits)


def _all_limited(findings: list[Finding]) -> bool:
    return bool(findings) and all(one.verdict is Verdict.ENVIRONMENT_LIMITED for one in findings)


def _kept_from_measuring(findings: list[Finding]) -> bool:
    """Where a test did not come to measuring, its own end is the reason; "never measured" would only repeat it."""
    return any(one.verdict is Verdict.NOT_RUN for one in findings)


def _from_limits(limits: tuple[LimitVerdict, ...]) -> list[Finding]:
    return [
        Finding(one.verdict, one.reason or str(one.verdict), one.sentence)
        for one in limits
        if one.verdict is not Verdict.PASS
    ]


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
            findings.append(Finding(Verdict.NOT_RUN, "not-delivered", sentence))
        elif criterion.consecutive > 1:
            verdicts.append(judge_row(criterion, limit, found, context))
        else:
            facts = context.evidence.bundle.target.facts
            verdicts += [judge_limit(criterion, limit, one, facts) for one in found]
    return tuple(verdicts), findings


def _all_pass(criterion: Criterion, limit: Limit, context: Context) -> LimitVerdict:
    """Every claiming test came to its end without raising, and there are as many as declared."""
    from pytest_spiral.rules.statistics import judge_equality

    ended = [context.tests.get(item.id) for item in context.items.get(criterion.id, ()) if item.selected]
    passed = sum(test is not None and not test.raised for test in ended)
    failed = sum(test is not None and test.raised in ("assertion", "error", "timeout") for test in ended)
    planned = criterion.plan_of(limit) or 0
    if len(ended) > planned:
        verdict, reason = Verdict.INVALID, "more-than-planned"
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


def _judge_control(criterion: Criterion, context: Context) -> tuple[tuple[LimitVerdict, ...], list[Finding]]:
    """What was measured under the fault, judged by the guarded criterion's bar, must come out as declared."""
    rule = criterion.control
    if rule is None:
        return (), []
    measurements = context.controlled.get(criterion.id, ())
    blocks = [one for one in context.evidence.controls_opened if one.control == criterion.id]
    guarded = context.evidence.plan.criterion(rule.of)
    fed = [limit for limit in guarded.limits if any(one.name in limit.measurements for one in measurements)]
    if not blocks or not fed:
        return (), [
            Finding(Verdict.NOT_RUN, "control-not-run", f"nothing of {rule.of} was measured under {rule.fault}")
        ]
    if any(one.fault != rule.fault or one.of != rule.of for one in blocks):
        return (), [Finding(Verdict.INVALID, "control-differs", "the control ran with another fault than declared")]
    facts = context.evidence.bundle.target.facts
    limits = tuple(judge_limit(guarded, limit, one, facts) for limit in fed for one in populations(limit, measurements))
    if any(one.verdict == rule.verdict for one in limits):
        return limits, []
    sentence = (
        f"{rule.fault} was not found out: {rule.of} came out as {', '.join(sorted({one.verdict for one in limits}))}"
    )
    return limits, [Finding(Verdict.FAIL, "control-did-not-fail", sentence)]


def _judge_subjects(criterion: Criterion, context: Context) -> list[Finding]:
    """Each subject was seen, is what it was registered as, and was the same to the end."""
    findings: list[Finding] = []
    for name in criterion.subjects:
        seen = context.subjects.get(name, ())
        if not any(one.when == "start" for one in seen):
            findings.append(Finding(Verdict.INVALID, "subject-unseen", f"{name} was never seen in this run"))
        for one in seen:
            if observed_fidelity(one).rank < one.registered.rank:
                why = shortfall(one.challenge) if one.challenge else "it was not challenged"
                sentence = f"{name} is {observed_fidelity(one)}, not {one.registered}: {why}"
                findings.append(Finding(Verdict.INVALID, "fidelity-below-registered", sentence))
        findings += _changed(name, context)
    return findings


def _changed(name: str, context: Context) -> list[Finding]:
    """A subject that was seen at the start is seen at the end, the same, unless it was lost."""
    seen = context.subjects.get(name, ())
    if context.evidence.status != "finished" or any(one.subject == name for one in context.evidence.lost):
        return []
    ends = {one.identity: one.digest for one in seen if one.when == "end"}
    dead = bool(context.crashed)
    for one in seen:
        if one.when == "start" and one.identity not in ends and not dead:
            return [Finding(Verdict.INVALID, "subject-gone", f"{name} was not there any more at the end")]
        if one.when == "start" and ends.get(one.identity, one.digest) != one.digest:
            return [Finding(Verdict.INVALID, "subject-changed", f"{name} was not the same at the end")]
    return []


def _verdict(
    criterion: Criterion, context: Context, findings: list[Finding], limits: tuple[LimitVerdict, ...]
) -> CriterionVerdict:
    deciding = worst(findings)
    qualifiers = dict.fromkeys(word for one in limits for word in one.qualifiers)
    if criterion.confidence == "none":
        qualifiers[str(Qualifier.SIMPLE_ACCEPTANCE)] = None
    shown = CriterionVerdict(
        id=criterion.id,
        gate=criterion.gate,
        level=criterion.level,
        verdict=deciding.verdict if deciding else Verdict.PASS,
        original=deciding.verdict if deciding else Verdict.PASS,
        reason=deciding.reason if deciding else "",
        sentence=deciding.sentence if deciding else "",
        requirement=deciding.requirement if deciding else "",
        cause=deciding.cause if deciding else "",  # type: ignore[arg-type]  # the words that requirements give
        fidelity=criterion.fidelity or "",
        qualifiers=tuple(qualifiers),
        limits=limits,
        tests=tuple(item.id for item in context.items.get(criterion.id, ()) if item.selected),
        ran=bool(limits) or any(one.verdict is Verdict.ENVIRONMENT_LIMITED for one in findings),
    )
    return _at_fidelity(shown, criterion, context)


def _at_fidelity(shown: CriterionVerdict, criterion: Criterion, context: Context) -> CriterionVerdict:
    """A pass below the fidelity asked for is a condition; nothing but a pass is changed by it."""
    import msgspec

    target = context.evidence.bundle.target
    wanted = Fidelity(criterion.fidelity) if criterion.fidelity else None
    if wanted is None or shown.verdict is not Verdict.PASS or target.fidelity.rank >= wanted.rank:
        return shown
    where = target.name or "no target"
    return msgspec.structs.replace(
        shown,
        verdict=Verdict.ENVIRONMENT_LIMITED,
        reason="fidelity",
        cause="environment",
        sentence=f"pass on {where}, needs {wanted}",
    )
