"""A criterion among its attempts: how this session's runs came out, and what the others in the ledger leave of that."""

from collections.abc import Sequence
from typing import cast

import msgspec

from pytest_spiral.model.entry import Word
from pytest_spiral.model.gate import Criterion
from pytest_spiral.model.judgement import CriterionVerdict, LimitVerdict
from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.attempts import Campaign, campaign_of, disagree, stand, stand_in_row, worst_run
from pytest_spiral.rules.criteria import confidence_of
from pytest_spiral.rules.history import History
from pytest_spiral.rules.judge.context import Context
from pytest_spiral.rules.judge.finding import Finding, overruled, worst
from pytest_spiral.rules.judge.needs import judge_needs
from pytest_spiral.rules.judge.pool import pool_attempts
from pytest_spiral.rules.statistics import Qualifier, Reason


def among_attempts(
    shown: CriterionVerdict, criterion: Criterion, context: Context, findings: Sequence[Finding]
) -> CriterionVerdict:
    """The verdict with this session's runs, then with what other attempts leave of it.

    A draft is told of the others and judged alone. Where the ledger does not hold, nothing can be judged.
    """
    outside = _outside(findings, shown.limits)
    unmet = judge_needs([criterion.requires], context) if criterion.requires else None
    own = _runs(shown, criterion, [one for one in (outside, unmet) if one is not None])
    shown, campaign = _told(msgspec.structs.replace(shown, runs=own), criterion, context)
    if campaign is None:
        return shown
    shown = _qualified(shown, own, campaign)
    if criterion.consecutive > 1 and outside is None and own and criterion.combine == "each":
        return _in_row(shown, criterion, own, campaign)
    if criterion.combine == "pooled" and set(campaign.before) - {"pass"}:
        shown = _begun(shown)
        own = (_word(shown.verdict),)
    filled = pool_attempts(shown, criterion, context, findings)
    word = worst_run(own) if filled is None else _word(filled.verdict)
    shown = shown if filled is None else filled
    standing = stand(criterion, word, campaign, pooled=filled is not None)
    if standing is None:
        return shown
    return overruled(shown, Finding(standing.verdict, str(standing.reason), standing.sentence))


def examined_among_attempts(shown: CriterionVerdict, criterion: Criterion, context: Context) -> CriterionVerdict:
    """The verdict on a document among its attempts: it has been examined or not, however often a run looked.

    What other attempts came to changes nothing. That the ledger holds, and that the bar did not move after an attempt
    that was not passed, is asked as of any criterion.
    """
    shown = msgspec.structs.replace(shown, runs=(_word(shown.verdict),))
    shown, campaign = _told(shown, criterion, context)
    moved = (str(Qualifier.BAR_MOVED),) if campaign is not None and campaign.moved else ()
    return msgspec.structs.replace(shown, qualifiers=(*shown.qualifiers, *moved))


def _told(shown: CriterionVerdict, criterion: Criterion, context: Context) -> tuple[CriterionVerdict, Campaign | None]:
    """The verdict that tells of its attempts, and their campaign; None where they have no say, or nothing can be judged."""
    history = context.history
    if history is None:
        return shown, None
    if history.faults or history.own is None:
        return _broken(shown, history), None
    campaign = campaign_of(criterion, history.attempts, history.own, context.observed)
    shown = msgspec.structs.replace(shown, attempts=campaign.sentence(worst_run(cast("tuple[Word, ...]", shown.runs))))
    return shown, None if history.own.draft else campaign


def _broken(shown: CriterionVerdict, history: History) -> CriterionVerdict:
    told = "; ".join(f"{code}: {sentence}" for code, sentence in history.faults) or "this run is not in it."
    return overruled(
        shown, Finding(Verdict.INVALID, "history-broken", f"its ledger does not hold: {told}"), original=True
    )


def _outside(findings: Sequence[Finding], limits: Sequence[LimitVerdict]) -> Finding | None:
    """The worst finding that a row of runs does not account for."""
    rows = {(one.verdict, one.reason or str(one.verdict), one.sentence) for one in limits if one.runs}
    return worst([one for one in findings if (one.verdict, one.reason, one.sentence) not in rows])


def _runs(shown: CriterionVerdict, criterion: Criterion, outside: Sequence[Finding]) -> tuple[Word, ...]:
    """Each run of this session by all limits together; what stands against one beside the limits stands against all."""
    rows = [one.runs for one in shown.limits if one.runs]
    if criterion.consecutive == 1 or criterion.combine == "pooled" or not rows:
        return (_word(shown.verdict),)
    beside = [_word(one.verdict) for one in outside]
    length = max(map(len, rows))
    whole = [(*row, *("broken" for _ in range(length - len(row)))) for row in rows]
    return tuple(worst_run([*map(_word, words), *beside]) for words in zip(*whole, strict=True))


def _word(verdict: str) -> Word:
    return cast("Word", str(verdict))


def _qualified(shown: CriterionVerdict, own: Sequence[Word], campaign: Campaign) -> CriterionVerdict:
    found = dict.fromkeys([*shown.qualifiers, *disagree([*campaign.before, *own, *campaign.after])])
    if campaign.moved:
        found[Qualifier.BAR_MOVED] = None
    return msgspec.structs.replace(shown, qualifiers=tuple(str(one) for one in found))


def _begun(shown: CriterionVerdict) -> CriterionVerdict:
    """Pooled runs are the first ones of one session; where that has not passed, a later one would be a second chance."""
    if shown.verdict is not Verdict.PASS:
        return shown
    sentence = "an earlier session has begun the row, and pooled runs are the first ones of one session"
    return overruled(shown, Finding(Verdict.INCONCLUSIVE, Reason.ROW_HUNTED, sentence))


def _in_row(
    shown: CriterionVerdict, criterion: Criterion, own: tuple[Word, ...], campaign: Campaign
) -> CriterionVerdict:
    """The row over all sessions takes the place of this session's own."""
    confidence = confidence_of(criterion)
    judged, runs = stand_in_row(criterion, own, campaign, None if confidence is None else 1 - confidence)
    passed = runs.count("pass")
    sentence = f"{passed} of {len(runs)} runs of all sessions pass, {criterion.consecutive} in a row are needed"
    reason = "" if judged.verdict is Verdict.PASS else str(judged.reason or judged.verdict)
    return msgspec.structs.replace(
        shown,
        verdict=judged.verdict,
        original=judged.verdict,
        reason=reason,
        sentence="" if judged.verdict is Verdict.PASS else sentence,
        limits=tuple(_limit(one, judged.verdict, sentence, len(runs)) for one in shown.limits),
    )


def _limit(limit: LimitVerdict, verdict: Verdict, sentence: str, runs: int) -> LimitVerdict:
    """A row that this session alone was too short for, and that the sessions before complete."""
    if not limit.runs or verdict is not Verdict.PASS or limit.verdict is not Verdict.INCONCLUSIVE:
        return limit
    return msgspec.structs.replace(limit, verdict=verdict, reason="", sentence=sentence, where=f"{runs} runs")
