"""Evidence of a run as values, built in a few words, and judged."""

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import pytest

from pytest_spiral.model.evidence import BundleStart, Evidence, Inventory, InventoryItem, Scope, TargetCard
from pytest_spiral.model.fidelity import Fidelity
from pytest_spiral.model.gate import Control, Criterion, CriterionCard, Gate, GateCard, Limit, Plan
from pytest_spiral.model.judgement import CriterionVerdict, Judgement, LimitVerdict
from pytest_spiral.model.measurement import Measurement, Sample
from pytest_spiral.model.profile import Fact, profile_of
from pytest_spiral.model.record import (
    Challenge,
    ControlClosed,
    ControlOpened,
    Crash,
    RunClosed,
    RunOpened,
    SubjectSeen,
    TargetLost,
    Test,
)
from pytest_spiral.rules.canonical import canonical_bytes, digest
from pytest_spiral.rules.judge import judge
from pytest_spiral.rules.limits import parse_limit

NONCE = "3f9c1a00000000000000000000000001"
OPENED = 1_795_339_800_000_000
Words = tuple[str, str]


def values(*numbers: float, **said: Any) -> list[dict[str, Any]]:
    """Samples with numbers."""
    return [{"value": number, **said} for number in numbers]


def timed(*milliseconds: float, **said: Any) -> list[dict[str, Any]]:
    """Samples of service time."""
    return [{"ns": round(one * 1_000_000), **said} for one in milliseconds]


def sent(*milliseconds: float, **said: Any) -> list[dict[str, Any]]:
    """Samples of response time on an open-loop schedule."""
    times = [round(one * 1_000_000) for one in milliseconds]
    return [
        {"ns": ns, "intended": at * 10**9, "sent": at * 10**9, "done": at * 10**9 + ns, **said}
        for at, ns in enumerate(times)
    ]


def hits(good: int, bad: int = 0, **said: Any) -> list[dict[str, Any]]:
    """Samples that hit, then samples that miss."""
    return [{"ok": True, **said}] * good + [{"ok": False, "why": "missed", **said}] * bad


def counts(*pairs: tuple[int, float]) -> list[dict[str, Any]]:
    """Counting samples: (events, exposure)."""
    return [{"count": count, "exposure": exposure} for count, exposure in pairs]


def items(said: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What one side says of listed items."""
    return [{"item": name, "seen": seen} for name, seen in said.items()]


class Bench:
    """A run that is being put together: a plan, an inventory, records, measurements.

    One gate, S1, unless criteria name others; nothing is in it to begin with. Samples are given as the fields that
    they say, without their number.
    """

    values = staticmethod(values)
    timed = staticmethod(timed)
    sent = staticmethod(sent)
    hits = staticmethod(hits)
    counts = staticmethod(counts)
    items = staticmethod(items)

    def __init__(self) -> None:
        self.criteria: list[Criterion] = []
        self.cards: list[GateCard] = []
        self.collected: list[InventoryItem] = []
        self.records: dict[str, list[Any]] = {}
        self.target = TargetCard()
        self.scope = Scope()
        self.stage = ""
        self.facts: list[Fact] = []
        self.errors: tuple[str, ...] = ()
        self.status = "finished"
        self._numbers = itertools.count(1)

    # the bar

    def criterion(self, name: str, *limits: str | tuple[str, int], control: Any = None, **fields: Any) -> "Bench":
        """Register a criterion; a limit is a text, or a text with its own plan."""
        parsed = tuple(self.limit(*((one,) if isinstance(one, str) else one)) for one in limits)
        rule = None if control is None else Control(**control)
        self.criteria.append(Criterion(id=name, limits=parsed, control=rule, **fields))
        return self

    @staticmethod
    def limit(text: str, samples: int | None = None) -> Limit:
        """A limit as the gates file has it."""
        return msgspec.structs.replace(parse_limit(text), samples=samples)

    def control(self, of: str, fault: str = "s.broken", name: str = "S1.control", **fields: Any) -> "Bench":
        """Register a control of a criterion."""
        rule = {key: fields.pop(key) for key in ("verdict",) if key in fields}
        return self.criterion(name, control={"of": of, "fault": fault, **rule}, **fields)

    # what was collected and what ran

    def collect(self, test: str, *criteria: str, **fields: Any) -> "Bench":
        """Collect a test, which leaves no record of its own."""
        self.collected.append(InventoryItem(id=self.node(test), criteria=criteria, **fields))
        return self

    def ran(self, test: str, *criteria: str, raised: str = "", needs: Iterable[str] = (), **fields: Any) -> "Bench":
        """Collect a test unless it is, and record how it ended."""
        if not any(item.id == self.node(test) for item in self.collected):
            self.collect(test, *criteria, needs=tuple(needs))
        self.add("tests", Test(id=self.node(test), criteria=criteria, raised=raised, needs=tuple(needs), **fields))
        return self

    def measure(
        self, criteria: str | tuple[str, ...], name: str, samples: Iterable[Mapping[str, Any]], **fields: Any
    ) -> "Bench":
        """Keep a measurement for criteria; its test is `test_it` unless it says so, and ended well unless it is known."""
        claimed = (criteria,) if isinstance(criteria, str) else criteria
        test = fields.pop("test", "test_it")
        if not any(one.id == self.node(test) for one in self.records.get("tests", ())):
            self.ran(test, *([fields["control"]] if fields.get("control") else claimed))
        number = next(self._numbers)
        taken = tuple(Sample(n=at, **said) for at, said in enumerate(samples))
        self.add(
            "measurements",
            Measurement(
                file=f"{claimed[0]}/main-{number}.jsonl",
                name=name,
                test=self.node(test),
                criteria=claimed,
                samples=taken,
                **{"unit": "", "count": len(taken) if fields.get("closed", True) else None, **fields},
            ),
        )
        return self

    def run(self, run: str, *criteria: str, test: str = "test_it", outcome: str | None = "closed") -> "Bench":
        """Open a run block and close it, unless the outcome is None."""
        self.add("runs_opened", RunOpened(run=run, test=self.node(test), criteria=criteria))
        if outcome is not None:
            self.add("runs_closed", RunClosed(run=run, outcome=outcome))
        return self

    def under_fault(
        self,
        name: str,
        samples: Iterable[Mapping[str, Any]],
        *,
        of: str,
        fault: str = "s.broken",
        control: str = "S1.control",
        test: str = "test_control",
        raised: str | None = "",
        **fields: Any,
    ) -> "Bench":
        """A control block with a measurement in it; `raised` None leaves it open."""
        self.add("controls_opened", ControlOpened(control=control, of=of, fault=fault, test=self.node(test)))
        self.measure(of, name, samples, test=test, control=control, **fields)
        if raised is not None:
            self.add("controls_closed", ControlClosed(control=control, test=self.node(test), raised=raised))
        return self

    def seen(self, subject: str, *whens: str, **fields: Any) -> "Bench":
        """A subject was seen at the start and at the end, and met its challenge, unless fields say otherwise."""
        for when in whens or ("start", "end"):
            known = {
                "identity": f"{subject}-1",
                "version": "1.0",
                "digest": digest(b"code"),
                "registered": self.target.fidelity,
                "challenge": self.challenge(),
            }
            self.add("subjects", SubjectSeen(subject=subject, when=when, **{**known, **fields}))
        return self

    @staticmethod
    def challenge(nonce: str = "n0", **answers: Any) -> Challenge:
        """A challenge that is met, unless answers say otherwise."""
        item = f"challenge-{nonce}"
        met = {"item": item, "found": [f"challenge item {nonce}"], "audited": [item]}
        return Challenge(kind="nonce-item", nonce=nonce, answers={**met, **answers})

    def lost(self, subject: str, test: str = "test_it") -> "Bench":
        """A subject died."""
        return self.add("lost", TargetLost(subject=subject, test=self.node(test), why="it has ended"))

    def crash(self, test: str = "") -> "Bench":
        """A worker died while it ran a test (empty: unknown which)."""
        return self.add("crashes", Crash(process="gw0", test=self.node(test) if test else "", why="signal 11"))

    def fact(self, name: str, value: Any = None, unit: str | None = None, state: str = "present") -> "Bench":
        """A fact of the machine."""
        fact = {"name": name, "state": state, "kind": "hardware", "evidence": f"{value}", "command": "ask"}
        self.facts.append(Fact(**fact, value=value, unit=unit))
        return self

    def on(self, name: str, fidelity: str, **facts: Any) -> "Bench":
        """Register the target."""
        self.target = TargetCard(name=name, fidelity=Fidelity(fidelity), facts=facts)
        return self

    def add(self, kind: str, record: Any) -> "Bench":
        """Add a record of any kind."""
        self.records.setdefault(kind, []).append(record)
        return self

    @staticmethod
    def node(test: str) -> str:
        """A test's node id."""
        return f"tests/test_s1.py::{test}"

    # what comes of it

    def plan(self) -> Plan:
        """The bar, gate by gate in order of first appearance."""
        gates = dict.fromkeys(one.gate for one in self.criteria)
        return Plan(
            gates=tuple(
                Gate(id=gate, stage=self.stage, criteria=tuple(one for one in self.criteria if one.gate == gate))
                for gate in gates
            )
        )

    def evidence(self) -> Evidence:
        """The run's evidence as it stands."""
        plan = self.plan()
        start = BundleStart(
            run="20261122T093000Z-s1-3f9c1a",
            nonce=NONCE,
            opened=OPENED,
            plan=digest(canonical_bytes(plan)),
            target=self.target,
            scope=self.scope,
            profile=profile_of("bench", {fact.name: fact for fact in self.facts}),
            argv=("pytest",),
            gates=tuple(self.cards),
        )
        inventory = Inventory(items=tuple(self.collected), errors=self.errors)
        kept = {kind: tuple(records) for kind, records in self.records.items()}
        return Evidence(bundle=start, plan=plan, inventory=inventory, status=self.status, **kept)

    def card(self, gate: str = "S1", **fields: Any) -> "Bench":
        """Describe a gate."""
        criteria = tuple(CriterionCard(id=one.id, owner="@s1", due="C1") for one in self.criteria)
        self.cards.append(GateCard(id=gate, title="A gate", owner="@s1", criteria=criteria, **fields))
        return self

    def judge(self) -> Judgement:
        """The judgement of all of it."""
        return judge(self.evidence())

    def judged(self, criterion: str) -> CriterionVerdict:
        """How a criterion came out."""
        return next(one for one in self.judge().criteria if one.id == criterion)

    def verdict(self, criterion: str) -> Words:
        """A criterion's verdict and reason."""
        found = self.judged(criterion)
        return str(found.verdict), found.reason

    def figures(self, criterion: str, number: int = 0) -> LimitVerdict:
        """The figures of one limit of a criterion."""
        return self.judged(criterion).limits[number]

    def decision(self) -> str:
        """What the run adds up to."""
        return str(self.judge().decision)


@pytest.fixture
def bench() -> Bench:
    """An empty run."""
    return Bench()


@pytest.fixture(scope="session")
def make_bench() -> type[Bench]:
    """As many empty runs as a test needs."""
    return Bench


@pytest.fixture
def works() -> Bench:
    """A run that is a GO: three of three pieces of work done, and a control that shows that the check can fail."""
    run = Bench().criterion("S1.works", "failures(work) <= 0", samples=3).control("S1.works")
    run.measure("S1.works", "work", hits(3))
    return run.under_fault("work", hits(2, 1), of="S1.works")
