"""A run that was killed and recovered: what it measured is shown, and none of it gives a permission."""

from pytest_spiral.model.evidence import Evidence
from pytest_spiral.model.judgement import CriterionVerdict
from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.judge.finding import Finding, overruled

_PERMITTING = frozenset({Verdict.PASS, Verdict.INAPPLICABLE, Verdict.ENVIRONMENT_LIMITED})


def demote_recovered(verdicts: list[CriterionVerdict], evidence: Evidence) -> list[CriterionVerdict]:
    """The verdicts of a recovered run: whatever would not stand in the way is not-run.

    Nobody saw how such a run would have ended, so every gate with a blocker is NO-GO or worse. What the evidence
    alone says stays in `original`.
    """
    if evidence.recovered is None:
        return verdicts
    return [_demoted(one) if one.verdict in _PERMITTING else one for one in verdicts]


def _demoted(one: CriterionVerdict) -> CriterionVerdict:
    sentence = f"{one.original} by what was recovered; the run was killed, so it decides nothing"
    return overruled(one, Finding(Verdict.NOT_RUN, "recovered", sentence))


def recovery_words(evidence: Evidence) -> str:
    """What a recovered run had come to and what it was doing; empty for a run that came to its own end."""
    if evidence.recovered is None:
        return ""
    running = tuple(dict.fromkeys(one.test for one in evidence.crashes if one.test))
    was = f"; {', '.join(running)} was running or about to" if running else ""
    when = "after its end, before its seal" if evidence.recovered.state == "ended" else "before its end"
    return f"the run was killed {when}{was}"
