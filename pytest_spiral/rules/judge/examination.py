"""Judging a document that a person examined: it is there, they signed exactly these bytes, and they are who may."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pytest_spiral.model.examination import Examination
from pytest_spiral.model.fidelity import Fidelity
from pytest_spiral.model.gate import Criterion
from pytest_spiral.model.judgement import LimitVerdict
from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.examination import REHEARSED, examination_faults, examined_words, is_kept
from pytest_spiral.rules.judge.context import Context
from pytest_spiral.rules.judge.finding import PASSED, Finding

VERDICTS: Final[Mapping[str, Verdict]] = MappingProxyType(
    {
        "document-missing": Verdict.NOT_RUN,
        "unsigned": Verdict.NOT_RUN,
        "document-changed": Verdict.NOT_RUN,
        "other-signer": Verdict.NOT_RUN,
        "rehearsal": Verdict.NOT_RUN,
        "examined-other": Verdict.INVALID,
        "examined-twice": Verdict.INVALID,
        "examined-later": Verdict.INVALID,
        "document-unkept": Verdict.INVALID,
        "signature-broken": Verdict.INVALID,
        "signer-untrusted": Verdict.INVALID,
    }
)
"""What stands against an examination, by reason code: nobody has examined it yet, or what says so is false."""

_ROOT: Final = "a trust root"


def judge_examination(criterion: Criterion, context: Context) -> tuple[tuple[LimitVerdict, ...], list[Finding]]:
    """The document's line, where somebody has signed, and what stands against a pass."""
    found = _examinations(criterion, context)
    if not found:
        return (), [_finding("unsigned", f"no record tells that the run looked at {criterion.document}")]
    if len(found) > 1:
        sentence = f"the run looked at {criterion.document} {len(found)} times, and once is right"
        return (), [_finding("examined-twice", sentence)]
    (one,) = found
    faults = examination_faults(criterion, one, context.evidence.bundle.opened, context.trust)
    findings = [_finding(code, sentence) for code, sentence in faults] + _unkept(one, context)
    return _line(one, findings), findings[:1]


def unproven_signer(criterion: Criterion, context: Context) -> Finding | None:
    """Where nobody can say whose key signed, what makes a pass a condition; a rehearsal says itself that it is none."""
    for one in _examinations(criterion, context) if context.trust is None else ():
        if not one.rehearsed:
            sentence = f"signed by {one.keyid}; whose key that is, {_ROOT} has to say"
            return Finding(Verdict.ENVIRONMENT_LIMITED, "signer-unproven", sentence, _ROOT, "environment")
    return None


def examined_fidelity(criterion: Criterion, context: Context) -> Fidelity:
    """How real an examination is: a person's is live, whatever the target; one in rehearsal is not."""
    return REHEARSED if any(one.rehearsed for one in _examinations(criterion, context)) else Fidelity.LIVE


def _examinations(criterion: Criterion, context: Context) -> list[Examination]:
    """What the run recorded of the criterion's document."""
    return [one for one in context.evidence.examinations if one.seen.criterion == criterion.id]


def _finding(code: str, sentence: str) -> Finding:
    return Finding(VERDICTS[code], code, sentence)


def _unkept(one: Examination, context: Context) -> list[Finding]:
    """A document that was there, and that the bundle does not keep."""
    if not one.seen.path or is_kept(one.seen, context.evidence.attached):
        return []
    return [_finding("document-unkept", f"the bundle does not keep {one.seen.document} as it was examined")]


def _line(one: Examination, findings: list[Finding]) -> tuple[LimitVerdict, ...]:
    """The examination as a line among figures; none where nobody has signed."""
    if one.statement is None:
        return ()
    first = next(iter(findings), PASSED)
    return (
        LimitVerdict(
            limit=f"examined({one.seen.document})",
            statistic="examined",
            verdict=first.verdict,
            reason=first.reason,
            sentence=first.sentence,
            note=examined_words(one.statement),
        ),
    )
