"""The evidence, indexed once, as judging a criterion needs it."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from pytest_spiral.model.evidence import Evidence, InventoryItem
from pytest_spiral.model.gate import Criterion
from pytest_spiral.model.measurement import Measurement
from pytest_spiral.model.profile import Fact
from pytest_spiral.model.record import RunOpened, SubjectSeen, Test
from pytest_spiral.rules.facts import all_facts


@dataclass(frozen=True, slots=True)
class Context:
    """Evidence by criterion, test and run."""

    evidence: Evidence
    items: Mapping[str, tuple[InventoryItem, ...]]
    tests: Mapping[str, Test]
    measured: Mapping[str, tuple[Measurement, ...]]
    controlled: Mapping[str, tuple[Measurement, ...]]
    runs: Mapping[str, tuple[RunOpened, ...]]
    closed: frozenset[str]
    facts: Mapping[str, Fact]
    subjects: Mapping[str, tuple[SubjectSeen, ...]]
    crashed: frozenset[str]

    def delivered(self, test: str, criterion: Criterion) -> bool:
        """Whether a test had begun to measure for a criterion, or for its control."""
        own = self.measured.get(criterion.id, ()) + self.controlled.get(criterion.id, ())
        return any(one.test == test for one in own)


def make_context(evidence: Evidence) -> Context:
    """Index the evidence."""
    items: dict[str, list[InventoryItem]] = defaultdict(list)
    for item in evidence.inventory.items:
        for name in item.criteria:
            items[name].append(item)
    measured: dict[str, list[Measurement]] = defaultdict(list)
    controlled: dict[str, list[Measurement]] = defaultdict(list)
    for one in evidence.measurements:
        if one.control:
            controlled[one.control].append(one)
        else:
            for name in one.criteria:
                measured[name].append(one)
    runs: dict[str, list[RunOpened]] = defaultdict(list)
    for opened in evidence.runs_opened:
        for name in opened.criteria:
            runs[name].append(opened)
    subjects: dict[str, list[SubjectSeen]] = defaultdict(list)
    for seen in evidence.subjects:
        if not seen.control:
            subjects[seen.subject].append(seen)
    return Context(
        evidence=evidence,
        items={name: tuple(found) for name, found in items.items()},
        tests={test.id: test for test in evidence.tests},
        measured={name: tuple(found) for name, found in measured.items()},
        controlled={name: tuple(found) for name, found in controlled.items()},
        runs={name: tuple(found) for name, found in runs.items()},
        closed=frozenset(one.run for one in evidence.runs_closed if one.outcome == "closed"),
        facts=all_facts(evidence.bundle.profile, evidence.facts, evidence.bundle.target),
        subjects={name: tuple(found) for name, found in subjects.items()},
        crashed=frozenset(one.test for one in evidence.crashes),
    )
