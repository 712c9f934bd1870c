"""What the claiming tests' own ends say about a criterion: nothing is read from a claim, and nothing softens an end."""

from collections.abc import Iterable

from pytest_spiral.model.evidence import InventoryItem
from pytest_spiral.model.gate import Criterion
from pytest_spiral.model.record import Test
from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.judge.context import Context
from pytest_spiral.rules.judge.finding import Finding
from pytest_spiral.rules.requirements import evaluate, parse_requirement

_NOT_RUN = {
    "skip": ("skipped", "was skipped without a declared requirement"),
    "xfail": ("skipped", "gave up as an expected failure"),
    "blocked": ("blocked", "was blocked"),
    "lost": ("target-lost", "was running when the target was lost"),
    "crash": ("crashed", "was running when its process died"),
    "exit": ("interrupted", "was interrupted"),
}


def judge_tests(criterion: Criterion, context: Context) -> list[Finding]:
    """Findings from how the claiming tests ended; empty where all of them simply came to their end."""
    items = context.items.get(criterion.id, ())
    selected = [item for item in items if item.selected]
    if not items:
        return [Finding(Verdict.NOT_RUN, "no-tests", "no collected test claims it")]
    if not selected:
        return [Finding(Verdict.NOT_RUN, "deselected", f"{_tests(len(items))} deselected")]
    return [found for item in selected for found in _judge_test(item, criterion, context)]


def _tests(number: int) -> str:
    return "its test was" if number == 1 else f"its {number} tests were"


def _judge_test(item: InventoryItem, criterion: Criterion, context: Context) -> Iterable[Finding]:
    test = context.tests.get(item.id)
    name = item.id.rpartition("::")[2]
    if test is None or item.id in context.crashed:
        what = "was running when its process died" if item.id in context.crashed else "was never reached"
        code = "crashed" if item.id in context.crashed else "not-reached"
        yield Finding(Verdict.NOT_RUN, code, f"{name} {what}")
    elif test.raised == "limited":
        yield from _limited(item, test, context)
    elif test.raised in _NOT_RUN:
        code, what = _NOT_RUN[test.raised]
        yield Finding(Verdict.NOT_RUN, code, f"{name} {what}{_why(test)}")
    elif test.raised and _by_outcome(criterion):
        yield Finding(Verdict.FAIL, "test-failed", f"{name} failed{_why(test)}")
    elif test.raised:
        yield _raised(name, test, measured=context.delivered(item.id, criterion))


def _by_outcome(criterion: Criterion) -> bool:
    return [limit.statistic for limit in criterion.limits] == ["all-pass"]


def _raised(name: str, test: Test, *, measured: bool) -> Finding:
    """One that raises after measuring makes it `fail` (assertion) or `invalid` (error); before, there is no evidence."""
    if not measured:
        return Finding(Verdict.NOT_RUN, "raised-before-measuring", f"{name} ended before it measured{_why(test)}")
    if test.raised == "assertion":
        return Finding(Verdict.FAIL, "raised-after-measuring", f"{name} failed after measuring{_why(test)}")
    return Finding(Verdict.INVALID, "raised-after-measuring", f"{name} broke after measuring{_why(test)}")


def _limited(item: InventoryItem, test: Test, context: Context) -> Iterable[Finding]:
    """The needs are judged again from the recorded facts: a test that was kept back without an unmet need is a fault."""
    outcomes = [(text, evaluate(parse_requirement(text), context.facts)) for text in item.needs]
    unmet = [(text, outcome) for text, outcome in outcomes if outcome.state == "unmet"]
    unknown = [(text, outcome) for text, outcome in outcomes if outcome.state == "unknown"]
    if unmet:
        text, outcome = unmet[0]
        yield Finding(Verdict.ENVIRONMENT_LIMITED, "requirement", outcome.reason, text, outcome.cause or "environment")
    elif unknown:
        text, outcome = unknown[0]
        sentence = f"the requirement {text} cannot be evaluated: {outcome.reason}"
        yield Finding(Verdict.NOT_RUN, "requirement-unknown", sentence, text)
    else:
        yield Finding(
            Verdict.INVALID, "limited-without-need", f"{test.id} was kept from running, and the facts meet its needs"
        )


def _why(test: Test) -> str:
    text = " ".join(test.why.split()).removeprefix("blocked: ")
    return f" ({text[:160]})" if text else ""
