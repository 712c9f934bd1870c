"""A judged run of stage B as values, as the tests of rendering need it."""

import math
from dataclasses import dataclass

import msgspec
import pytest

from pytest_spiral.model.evidence import BundleStart, Scope, TargetCard
from pytest_spiral.model.fidelity import Fidelity
from pytest_spiral.model.gate import Control, Criterion, CriterionCard, Gate, GateCard, Limit, Plan
from pytest_spiral.model.judgement import (
    CriterionVerdict,
    Debt,
    GateDecision,
    Judgement,
    LimitVerdict,
    StageDecision,
)
from pytest_spiral.model.profile import Fact, Profile
from pytest_spiral.model.verdict import Decision, Verdict

GATES = {
    "B1": ("Memory fabric load proof", "@memory-squad"),
    "B2": ("Sonic core rehearsal lock", "@audio-lab"),
    "B3": ("Connector credential rotation", "@integration-guild"),
}
FAULT = "memory.fail-1-in-100"
SOURCE = "suites/stage_b/gates.toml"
HOSTILE = (
    "\x1b[2J\x1b[31mred\x07 \u202egnp.exe\u2066 </script><script>alert(1)</script> | a \\| b `x` [go](http://evil.example) "
    "\n::error::forged\r\n##[error]forged ##vso[task.complete] <img src=x onerror=y> \ud800 &amp; \"'"
)
PATH = "reports/stage_b/20261122T093000Z-stage_b-3f9c1a"
SEALED = "sealed, E0: hashes only"


@dataclass(frozen=True)
class Run:
    """Everything that rendering a run takes."""

    judgement: Judgement
    plan: Plan
    cards: tuple[GateCard, ...]
    start: BundleStart

    def but(self, name, **changes):
        """The same run with fields of one criterion's verdict changed."""
        verdicts = tuple(
            msgspec.structs.replace(one, **changes) if one.id == name else one for one in self.judgement.criteria
        )
        return self.judged(criteria=verdicts)

    def judged(self, **changes):
        """The same run with fields of the judgement changed."""
        return Run(msgspec.structs.replace(self.judgement, **changes), self.plan, self.cards, self.start)

    def started(self, **changes):
        """The same run with fields of its start changed."""
        return Run(self.judgement, self.plan, self.cards, msgspec.structs.replace(self.start, **changes))

    def verdict(self, name):
        """The verdict of a criterion."""
        return next(one for one in self.judgement.criteria if one.id == name)


def latencies(count=200, middle=3.2, spread=0.22):
    """A sorted population in ms with a lognormal shape, at its own quantiles: no chance involved."""
    from statistics import NormalDist

    normal = NormalDist()
    return tuple(round(middle * math.exp(spread * normal.inv_cdf((at + 0.5) / count)), 4) for at in range(count))


def limit(text, verdict=Verdict.PASS, **fields):
    """A judged limit; the statistic is read off its text."""
    head = text.partition("(")[0]
    statistic = "quantile" if head.startswith("p") and head[1:2].isdigit() else head
    return LimitVerdict(limit=text, statistic=statistic, verdict=verdict, **fields)


P95 = limit(
    "p95(retrieval) <= 120 ms",
    value=4.8,
    lower=4.6,
    upper=5.1,
    bound=120,
    unit="ms",
    samples=1000,
    planned=1000,
    warm_up=50,
    margin=114.9,
    confidence="0.95",
    picture=latencies(),
    note="response time (open loop)",
    sentence="4.80 ms against 120 ms",
    where="suites/stage_b/test_b1.py::test_load",
)
FAILURES = limit(
    "failures(retrieval) <= 0",
    value=0,
    bound=0,
    samples=1000,
    planned=1000,
    margin=0,
    sentence="0 of 1,000 failed",
    where="suites/stage_b/test_b1.py::test_load",
)
UNDER_FAULT = limit(
    "failures(retrieval) <= 0",
    Verdict.FAIL,
    value=10,
    bound=0,
    samples=1000,
    planned=1000,
    margin=-10,
    sentence="10 of 1,000 failed",
    where="suites/stage_b/test_b1.py::test_control",
)
RECALL = limit(
    "mean(recall) >= 95 %",
    value=0.9964,
    lower=0.98127,
    bound=0.95,
    unit="1",
    samples=1000,
    planned=1000,
    margin=0.03127,
    confidence="0.95",
)
DROPOUTS = limit(
    "count(dropout) <= 0",
    value=0,
    bound=0,
    margin=0,
    note="0 in 20 s shows at most 539 an hour",
    where="2 runs",
    sentence="2 of 2 runs pass, 2 in a row are needed; worst 0.00 against 0",
)
SYNC = limit("max(av-skew) <= 45 ms", value=11.62, bound=45, unit="ms", samples=240, margin=33.38)
LOST = limit("failures(call) <= 0", value=0, bound=0, samples=640, margin=0)


def passed(name, *limits, **fields):
    return judged(name, Verdict.PASS, limits=limits, ran=True, **fields)


def judged(name, verdict, **fields):
    fields = {"level": "blocker", "original": verdict, "tests": (f"suites/stage_b/test_{name}.py::test_it",), **fields}
    return CriterionVerdict(id=name, gate=name.partition(".")[0], verdict=verdict, **fields)


def limited(name, sentence, requirement="", cause="environment", **fields):
    return judged(
        name,
        Verdict.ENVIRONMENT_LIMITED,
        sentence=sentence,
        requirement=requirement,
        cause=cause,
        reason="requirement-not-met",
        **fields,
    )


def needs_live(name, *limits):
    return judged(
        name,
        Verdict.ENVIRONMENT_LIMITED,
        original=Verdict.PASS,
        fidelity="live",
        cause="environment",
        reason="fidelity",
        sentence="; ".join(["pass on sandbox, needs live", *(one.sentence for one in limits)]),
        limits=limits,
        ran=True,
    )


def verdicts():
    return (
        passed("B1.retrieval-latency", P95),
        passed("B1.query-failures", FAILURES),
        passed("B1.recall", RECALL),
        passed(
            "B1.ingestion-audit", limit("equal(audit, store)", value=0, bound=0, samples=10000, planned=10000, margin=0)
        ),
        passed(
            "B1.sharding",
            limit("equal(one-shard, many)", value=0, bound=0, samples=200, planned=200, margin=0),
            FAILURES,
        ),
        judged(
            "B1.scale",
            Verdict.NOT_RUN,
            level="advisory",
            reason="deselected",
            sentence="runs only with --spiral-items",
        ),
        limited("B1.native-bundle", "module neoabzu_memory not installed", "module.neoabzu_memory"),
        passed("B1.control", UNDER_FAULT),
        needs_live("B2.dropouts", DROPOUTS),
        needs_live("B2.end-to-end"),
        passed("B2.av-sync", SYNC, qualifiers=("marginal",)),
        passed("B2.loudness", level="advisory"),
        passed("B2.presets"),
        passed("B2.components"),
        passed("B2.control"),
        limited("B2.hardware-audio", "no playback device was found", "audio.playback", "hardware"),
        passed("B3.smoke"),
        passed("B3.rotation", LOST),
        passed("B3.windows"),
        limited("B3.elapsed", "48 h on a virtual clock", "clock.trusted"),
        passed("B3.control"),
    )


def plan_of(judged_criteria):
    def criterion(verdict):
        return Criterion(
            id=verdict.id,
            level=verdict.level,
            requires=verdict.requirement or None,
            fidelity=verdict.fidelity or None,
            control=Control(of="B1.query-failures", fault=FAULT) if verdict.id == "B1.control" else None,
            limits=tuple(Limit(text=one.limit, statistic="failures") for one in verdict.limits),
        )

    return Plan(
        gates=tuple(
            Gate(
                id=gate,
                stage="stage_b",
                criteria=tuple(criterion(one) for one in judged_criteria if one.gate == gate),
            )
            for gate in GATES
        )
    )


def cards_of(judged_criteria):
    def card(at, verdict):
        return CriterionCard(id=verdict.id, promise=PROMISES.get(verdict.id, ""), due="C1", line=10 + 7 * at)

    return tuple(
        GateCard(
            id=gate,
            title=title,
            owner=owner,
            objective="Show that the subsystem holds its promise under load.",
            entry=("A1", "A2"),
            due="C1",
            source=SOURCE,
            line=4,
            criteria=tuple(card(at, one) for at, one in enumerate(judged_criteria) if one.gate == gate),
        )
        for gate, (title, owner) in GATES.items()
    )


PROMISES = {
    "B1.retrieval-latency": "95 % of retrievals on 10,000 items answer within 120 ms.",
    "B1.query-failures": "No query fails.",
    "B2.dropouts": "Two live rehearsals in a row have no dropout.",
    "B2.hardware-audio": "The rehearsal holds on a real sound device.",
}


def debt(name, requirement, cause="environment", due="C1"):
    return Debt(
        criterion=name,
        requirement=requirement,
        cause=cause,
        evidence="probe: aplay -l: no soundcards found" if cause == "hardware" else "probe said no",
        owner=GATES[name.partition(".")[0]][1],
        due=due,
        since=1_795_339_800_000_000,
    )


def start_of():
    fact = Fact(
        name="cpu.cores", state="present", kind="hardware", evidence="2", command="os.sched_getaffinity(0)", value=2
    )
    return BundleStart(
        run="20261122T093000Z-stage_b-3f9c1a",
        nonce="0f" * 16,
        opened=1_795_339_800_000_000,
        plan="sha256:" + "ab" * 32,
        target=TargetCard(name="sandbox", fidelity=Fidelity.SANDBOX, seed=7),
        scope=Scope(stages=("stage_b",)),
        profile=Profile(name="sandbox", facts=(fact,)),
        argv=("pytest", "-m", "stage_b", "--spiral-evidence"),
        packages={"pytest": "9.2.0"},
        git={"commit": "3f9c1ad2", "dirty": True},
    )


@pytest.fixture
def stage_b():
    """Stage B on the sandbox, CONDITIONAL GO, as the product's page shows it."""
    criteria = verdicts()
    judgement = Judgement(
        run="20261122T093000Z-stage_b-3f9c1a",
        plan="sha256:" + "ab" * 32,
        rules="spiral-rules/1",
        target="sandbox",
        partial=False,
        decision=Decision.CONDITIONAL_GO,
        permission=1,
        criteria=criteria,
        gates=tuple(
            GateDecision(id=gate, title=title, owner=owner, stage="stage_b", decision=Decision.CONDITIONAL_GO)
            for gate, (title, owner) in GATES.items()
        ),
        stages=(StageDecision(id="stage_b", decision=Decision.CONDITIONAL_GO, weakest="B1.native-bundle"),),
        debts=(
            debt("B1.native-bundle", "module.neoabzu_memory"),
            debt("B2.dropouts", "fidelity live", due="D1"),
            debt("B2.end-to-end", "fidelity live", due="D1"),
            debt("B2.hardware-audio", "audio.playback", "hardware"),
            debt("B3.elapsed", "clock.trusted", due=""),
        ),
        counts={"pass": 15, "environment-limited": 5, "not-run": 1},
        tests={"passed": 22, "skipped": 3},
    )
    return Run(judgement, plan_of(criteria), cards_of(criteria), start_of())


@pytest.fixture
def broken_b1(stage_b):
    """The same run with one query in a hundred failed, recall too short, and a measurement not to be trusted."""
    run = stage_b.but(
        "B1.query-failures",
        verdict=Verdict.FAIL,
        original=Verdict.FAIL,
        reason="limit-broken",
        sentence="10 of 1,000 failed",
        limits=(UNDER_FAULT,),
    )
    run = run.but(
        "B1.recall",
        verdict=Verdict.INCONCLUSIVE,
        original=Verdict.INCONCLUSIVE,
        reason="point-only",
        sentence="0.96 against 0.95: the figure clears the limit and its bound does not",
        limits=(
            limit(
                "mean(recall) >= 95 %",
                Verdict.INCONCLUSIVE,
                value=0.958,
                lower=0.9499996,
                bound=0.95,
                unit="1",
                samples=200,
                planned=1000,
                margin=-0.0000004,
                confidence="0.95",
                reason="point-only",
                sentence="0.96 against 0.95: the figure clears the limit and its bound does not",
            ),
        ),
    )
    run = run.but(
        "B1.ingestion-audit",
        verdict=Verdict.INVALID,
        original=Verdict.INVALID,
        reason="digest-mismatch",
        sentence="the samples on disk are not those that the journal bound",
    )
    gates = tuple(
        msgspec.structs.replace(gate, decision=Decision.NO_GO) if gate.id == "B1" else gate
        for gate in run.judgement.gates
    )
    return run.judged(
        gates=gates,
        decision=Decision.NO_GO,
        permission=0,
        stages=(StageDecision(id="stage_b", decision=Decision.NO_GO, weakest="B1.query-failures"),),
    )


@pytest.fixture
def make_limit():
    """Make a judged limit from its text and figures."""
    return limit


@pytest.fixture
def hostile():
    """A text that tries everything: colours, cursor, direction, markup, tables, CI commands, new lines."""
    return HOSTILE


@pytest.fixture
def path():
    return PATH


@pytest.fixture
def sealed():
    return SEALED
