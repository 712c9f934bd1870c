"""What the claiming tests' own ends say about a criterion: nothing is read from a claim, and nothing softens an end."""

from collections.abc import Iterable, Iterator

from pytest_spiral.model.evidence import InventoryItem
from pytest_spiral.model.gate import Criterion
from pytest_spiral.model.record import Test
from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.judge.context import Context
from pytest_spiral.rules.judge.finding import Finding
from pytest_spiral.rules.judge.needs import judge_kept_back

_NOT_RUN = {
    "skip": ("skipped", "was skipped without a declared requirement"),
    "xfail": ("skipped", "gave up as an expected failure"),
    "blocked": ("blocked", "was blocked"),
    "lost": ("target-lost", "was running when the target was lost"),
    "crash": ("crashed", "was running when its process died"),
    "exit": ("interrupted", "was interrupted"),
}


def judge_tests(criterion: Criterion, context: Context) -> list[Finding]:
    """Findings from how the claiming tests ended; empty where all of them simply came to their end.

    Every record of a test counts, so that running it again softens nothing.
    """
    items = context.items.get(criterion.id, ())
    selected = context.selected(criterion)
    findings = list(_uncollected(criterion, context))
    if context.evidence.inventory.errors:
        broken = ", ".join(context.evidence.inventory.errors[:3])
        findings.append(Finding(Verdict.NOT_RUN, "collection-error", f"tests could not be collected: {broken}"))
    if not items:
        findings.append(Finding(Verdict.NOT_RUN, "no-tests", "no collected test claims it"))
    elif not selected:
        findings.append(Finding(Verdict.NOT_RUN, "deselected", f"{_tests(len(items))} deselected"))
    return findings + [found for item in selected for found in _judge_test(item, criterion, context)]


def judge_deliveries(criterion: Criterion, context: Context) -> Iterator[Finding]:
    """Each claiming test that came to its end has delivered something, and left no measurement half done."""
    for one in context.own(criterion):
        if (one.raised or not one.closed) and context.came_to_its_end(one.test):
            why = f"an exception left it ({one.raised})" if one.raised else "it was never closed"
            yield Finding(Verdict.INVALID, "measurement-broken", f"{one.name} of {_name(one.test)}: {why}")
    if by_outcome(criterion):
        return
    for item in context.selected(criterion):
        if context.came_to_its_end(item.id) and not context.delivered(item.id, criterion):
            yield Finding(Verdict.NOT_RUN, "not-delivered", f"{_name(item.id)} came to its end and delivered nothing")


def by_outcome(criterion: Criterion) -> bool:
    """Whether the criterion is proven by its tests' outcomes and by nothing that they measure."""
    return [limit.statistic for limit in criterion.limits] == ["all-pass"]


def _tests(number: int) -> str:
    return "its test was" if number == 1 else f"its {number} tests were"


def _name(test: str) -> str:
    return test.rpartition("::")[2]


def _uncollected(criterion: Criterion, context: Context) -> Iterator[Finding]:
    """A record of a test that was not collected and selected for this criterion: then something was taken away."""
    known = {item.id for item in context.selected(criterion)}
    for test in context.told.get(criterion.id, ()):
        if test not in known:
            yield Finding(Verdict.INVALID, "uncollected", f"{_name(test)} tells of it and was not collected for it")
    for test in context.unlisted:  # nobody can tell what it would have proven
        yield Finding(Verdict.INVALID, "uncollected", f"{_name(test)} was to run next and was never collected")


def _judge_test(item: InventoryItem, criterion: Criterion, context: Context) -> Iterable[Finding]:
    records = context.tests.get(item.id, ())
    if item.id in context.crashed:
        yield Finding(Verdict.NOT_RUN, "crashed", f"{_name(item.id)} was running when its process died")
    elif not records and item.id in context.stopped:
        why = f"{_name(item.id)} was running when the run was stopped: {context.stopped[item.id]}"
        yield Finding(Verdict.NOT_RUN, "interrupted", why)
    elif not records:
        yield Finding(Verdict.NOT_RUN, "not-reached", f"{_name(item.id)} was never reached")
    for record in records:
        yield from _judge_end(record, item, criterion, context)


def _judge_end(test: Test, item: InventoryItem, criterion: Criterion, context: Context) -> Iterable[Finding]:
    name = _name(test.id)
    if test.raised == "limited":
        yield judge_kept_back(item, criterion, context)
    elif test.raised in _NOT_RUN:
        code, what = _NOT_RUN[test.raised]
        yield Finding(Verdict.NOT_RUN, code, f"{name} {what}{_why(test)}")
    elif test.raised and by_outcome(criterion):
        yield Finding(Verdict.FAIL, "test-failed", f"{name} failed{_why(test)}")
    elif test.raised:
        yield _raised(name, test, measured=context.delivered(item.id, criterion))


def _raised(name: str, test: Test, *, measured: bool) -> Finding:
    """One that raises after measuring makes it `fail` (assertion) or `invalid` (error); before, there is no evidence."""
    if not measured:
        return Finding(Verdict.NOT_RUN, "raised-before-measuring", f"{name} ended before it measured{_why(test)}")
    if test.raised == "assertion":
        return Finding(Verdict.FAIL, "raised-after-measuring", f"{name} failed after measuring{_why(test)}")
    return Finding(Verdict.INVALID, "raised-after-measuring", f"{name} broke after measuring{_why(test)}")


def _why(test: Test) -> str:
    text = " ".join(test.why.split())
    return f" ({text[:160]})" if text else ""
