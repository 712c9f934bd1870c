"""Requirements, judged again from the recorded facts: what kept a test back, and what a pass stands on."""

from collections.abc import Iterable

from pytest_spiral.model.evidence import InventoryItem
from pytest_spiral.model.gate import Criterion
from pytest_spiral.model.judgement import CriterionVerdict
from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.judge.context import Context
from pytest_spiral.rules.judge.finding import Finding, overruled
from pytest_spiral.rules.requirements import RequirementError, evaluate, parse_requirement


def judge_kept_back(item: InventoryItem, criterion: Criterion, context: Context) -> Finding:
    """Why a test that was kept from running proves nothing for a criterion.

    Only what declared it can be environment-limited: the criterion's own `requires` and the test's markers count,
    another criterion's requirement does not. Where the facts meet every need, the record is a false claim.
    """
    others = {one.requires for one in context.evidence.plan.criteria() if one.id in item.criteria}
    own = [criterion.requires] if criterion.requires else []
    own += [need for need in item.needs if need not in others]
    found = judge_needs(dict.fromkeys(own), context)
    if found is not None:
        return found
    foreign = judge_needs([need for need in item.needs if need not in own], context)
    name = item.id.rpartition("::")[2]
    if foreign is not None:
        sentence = f"{name} was kept back by a need that this criterion does not declare: {foreign.sentence}"
        return Finding(Verdict.NOT_RUN, "kept-back", sentence)
    return Finding(
        Verdict.INVALID, "limited-without-need", f"{name} was kept from running, and the facts meet its needs"
    )


def judge_needs(needs: Iterable[str], context: Context) -> Finding | None:
    """The need that is not met and decides: an unmet one, else an unknown one; None where all are met."""
    unmet: list[Finding] = []
    doubtful: list[Finding] = []
    for text in needs:
        try:
            outcome = evaluate(parse_requirement(text), context.facts)
        except RequirementError as error:
            return Finding(Verdict.INVALID, "requirement-unreadable", f"{text!r} is no requirement: {error}", text)
        if outcome.state == "unmet":
            cause = outcome.cause or "environment"
            unmet.append(Finding(Verdict.ENVIRONMENT_LIMITED, "requirement", outcome.reason, text, cause))
        elif outcome.state == "unknown":
            sentence = f"the requirement {text} cannot be evaluated: {outcome.reason}"
            doubtful.append(Finding(Verdict.NOT_RUN, "requirement-unknown", sentence, text))
    return next(iter(unmet + doubtful), None)


def on_requirement(shown: CriterionVerdict, criterion: Criterion, context: Context) -> CriterionVerdict:
    """A pass where the criterion's requirement does not hold proves nothing; nothing but a pass is changed by it."""
    if shown.verdict is not Verdict.PASS or not criterion.requires:
        return shown
    found = judge_needs([criterion.requires], context)
    if found is None:
        return shown
    return overruled(shown, found, original=True)
