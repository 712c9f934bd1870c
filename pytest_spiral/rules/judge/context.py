"""The evidence, indexed once, as judging a criterion needs it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from pytest_spiral.model.attestation import Level
from pytest_spiral.model.evidence import EarlierAttempt, Evidence, InventoryItem
from pytest_spiral.model.gate import Criterion
from pytest_spiral.model.measurement import Measurement
from pytest_spiral.model.profile import Fact
from pytest_spiral.model.record import ControlOpened, RunOpened, SubjectSeen, Test
from pytest_spiral.model.trust import TrustRoot
from pytest_spiral.rules.facts import all_facts
from pytest_spiral.rules.history import History, history_of

_Record = TypeVar("_Record")


@dataclass(frozen=True, slots=True)
class Context:
    """Evidence by criterion, test and run.

    `tests` are the records of tests that were collected for a criterion, or are told. `told` are the tests of which any
    record says that they prove a criterion, collected or not. `unlisted` are tests that a process was to run next and
    that the inventory does not list. `stopped` are those that were running when the run was stopped, with the reason
    why. `earlier` are attempts that the bundle carries, by nonce. `level` is the level of assurance that was proven of
    all this, `trust` the trust root by which signatures of people count (None: whoever judges has none).
    """

    evidence: Evidence
    items: Mapping[str, tuple[InventoryItem, ...]]
    told: Mapping[str, tuple[str, ...]]
    unlisted: tuple[str, ...]
    tests: Mapping[str, tuple[Test, ...]]
    measured: Mapping[str, tuple[Measurement, ...]]
    controlled: Mapping[str, tuple[Measurement, ...]]
    controls: Mapping[str, tuple[ControlOpened, ...]]
    runs: Mapping[str, tuple[RunOpened, ...]]
    closed: frozenset[str]
    facts: Mapping[str, Fact]
    subjects: Mapping[str, tuple[SubjectSeen, ...]]
    crashed: frozenset[str]
    history: History | None
    stopped: Mapping[str, str]
    earlier: Mapping[str, "Carried"]
    level: Level = "E0"
    trust: TrustRoot | None = None

    def own(self, criterion: Criterion) -> tuple[Measurement, ...]:
        """What was measured for a criterion; for a control, what was measured under its fault."""
        source = self.measured if criterion.control is None else self.controlled
        return source.get(criterion.id, ())

    def delivered(self, test: str, criterion: Criterion) -> bool:
        """Whether a test had begun to measure for a criterion."""
        return any(one.test == test for one in self.own(criterion))

    def selected(self, criterion: Criterion) -> tuple[InventoryItem, ...]:
        """The tests that were collected for a criterion, and selected."""
        return tuple(item for item in self.items.get(criterion.id, ()) if item.selected)

    def came_to_its_end(self, test: str) -> bool:
        """Whether every record of a test says that nothing was raised in it, and there is one."""
        records = self.tests.get(test, ())
        return bool(records) and not any(record.raised for record in records)

    @property
    def observed(self) -> dict[str, str]:
        """The digest of each subject that was seen."""
        return {name: seen[0].digest for name, seen in self.subjects.items()}

    @property
    def stray_runs(self) -> frozenset[str]:
        """Runs that were closed and that no record opens: nobody can tell whose they were."""
        opened = {one.run for one in self.evidence.runs_opened}
        return frozenset(one.run for one in self.evidence.runs_closed) - opened

    @property
    def clock_trusted(self) -> bool:
        """Whether durations were taken on a clock that nobody sets: this machine's, or one that the target vouches for."""
        target = self.evidence.bundle.target
        return not target.name or target.facts.get("clock.trusted") is True


class Carried(NamedTuple):
    """An earlier attempt that the bundle carries, indexed."""

    attempt: EarlierAttempt
    context: Context


def make_context(evidence: Evidence, level: Level = "E0", trust: TrustRoot | None = None) -> Context:
    """Index the evidence: measurements in the order in which their tests were collected, whoever wrote first."""
    measuring = {one.test for one in evidence.measurements}
    place = {item.id: at for at, item in enumerate(evidence.inventory.items) if item.id in measuring}
    measurements = sorted(evidence.measurements, key=lambda one: (place.get(one.test, len(place)), one.test))
    plain = [one for one in measurements if not one.control]
    aside = [one for one in measurements if one.control]
    items = _grouped((name, item) for item in evidence.inventory.items for name in item.criteria)
    told = _told(evidence)
    asked = {item.id for group in items.values() for item in group}.union(*told.values())
    return Context(
        evidence=evidence,
        items=items,
        told=told,
        unlisted=_unlisted(evidence),
        tests=_grouped((test.id, test) for test in evidence.tests if test.id in asked),
        measured=_grouped((name, one) for one in plain for name in one.criteria),
        controlled=_grouped((one.control, one) for one in aside),
        controls=_grouped((one.control, one) for one in evidence.controls_opened),
        runs=_grouped((name, run) for run in evidence.runs_opened for name in run.criteria),
        closed=frozenset(one.run for one in evidence.runs_closed if one.outcome == "closed"),
        facts=all_facts(evidence.bundle.profile, evidence.facts, evidence.bundle.target),
        subjects=_grouped((one.subject, one) for one in sorted(evidence.subjects, key=_identity) if not one.control),
        crashed=frozenset(one.test for one in evidence.crashes),
        history=history_of(evidence),
        stopped={test: one.why for one in evidence.stopped for test in one.running},
        earlier={one.nonce: Carried(one, make_context(one.evidence)) for one in evidence.earlier},
        level=level,
        trust=trust,
    )


def _grouped(pairs: Iterable[tuple[str, _Record]]) -> dict[str, tuple[_Record, ...]]:
    found: dict[str, list[_Record]] = defaultdict(list)
    for name, record in pairs:
        found[name].append(record)
    return {name: tuple(records) for name, records in found.items()}


def _identity(one: SubjectSeen) -> str:
    return one.identity


def _unlisted(evidence: Evidence) -> tuple[str, ...]:
    """Tests that were to run next, have no record, and are not in the inventory.

    Nearly always the next record is that of the test that was to run next, so that little is kept of many tests.
    """
    awaited: set[str] = set()
    following = ""
    for one in evidence.tests:
        if following != one.id:
            awaited.add(following)
        following = one.next
    awaited = (awaited | {following}) - {""}
    if awaited:
        awaited.difference_update(one.id for one in evidence.tests)
        awaited.difference_update(item.id for item in evidence.inventory.items)
    return tuple(sorted(awaited))


def _told(evidence: Evidence) -> dict[str, tuple[str, ...]]:
    """Criterion → tests that a record of any kind ties to it, each once, sorted."""
    pairs: list[tuple[str, str]] = [(name, test.id) for test in evidence.tests for name in test.criteria]
    for one in evidence.measurements:
        pairs += [(name, one.test) for name in ((one.control,) if one.control else one.criteria)]
    pairs += [(name, run.test) for run in evidence.runs_opened for name in run.criteria]
    pairs += [(one.control, one.test) for one in evidence.controls_opened]
    return {name: tuple(sorted(set(tests))) for name, tests in _grouped(pairs).items()}
