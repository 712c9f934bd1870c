"""Taking evidence away never raises the permission, whatever is taken and in whatever order.

Runs are built here as the product leaves them: a run block is opened before it is closed, a test that was lost with its
process has no record, a lost subject is not seen at the end. What is removed is any record, measurement, sample or
inventory item. One thing at a time may be anything; where more and more is removed, each test, run block and subject
keeps one record that tells of it. Without its last trace a thing was never there, for all that a judge can know: that
the journals' chains, the inventory and the ledger find (tests/run/test_verify_steps.py).
"""

import dataclasses
from collections import Counter

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pytest_spiral.model.evidence import Evidence, Scope
from pytest_spiral.model.examination import Examination, ExaminationStatement
from pytest_spiral.model.profile import Fact
from pytest_spiral.model.record import Attached, DocumentSeen, RunOpened
from pytest_spiral.model.trust import TrustedKey, TrustRoot
from pytest_spiral.rules.canonical import canonical_bytes
from pytest_spiral.rules.judge import criterion as criterion_module
from pytest_spiral.rules.judge import judge
from pytest_spiral.rules.judge import needs as needs_module
from pytest_spiral.rules.judge import subjects as subjects_module
from pytest_spiral.rules.judge import tests as tests_module

ADA = f"SHA256:{'a' * 43}"
ROOT = TrustRoot(
    keys=(TrustedKey(keyid=ADA, kind="ssh-ed25519", public="", principals=("ada",), roles=("spiral-signoff",)),)
)

# Building runs


def mostly(good, *others):
    """Five times out of six what is good."""
    return st.sampled_from([good] * 5 * len(others) + list(others))


ENDS = mostly("", "assertion", "error", "skip", "xfail", "blocked", "lost", "exit", "timeout")
WORDS = mostly("good", "bad", "short", "long", "abandoned", "empty")


class Maker:
    """Puts a run together, piece by piece, as `draw` says."""

    def __init__(self, draw, bench):
        self.draw = draw
        self.bench = bench
        self.made = Counter()

    def fields(self):
        """What any criterion may say of itself."""
        fields = {
            "level": self.draw(mostly("blocker", "advisory")),
            "fidelity": self.draw(mostly(None, "live", "stub")),
        }
        fields["requires"] = self.draw(
            st.sampled_from([None, None, None, "audio.playback", "not audio.playback", "tool.sox"])
        )
        return fields | {"subjects": self.draw(st.sampled_from([(), ("memory",)]))}

    def name(self, gate=None):
        """A new criterion's id."""
        gate = gate or self.draw(st.sampled_from(["S1", "S1", "S2"]))
        self.made["criterion"] += 1
        return f"{gate}.c{self.made['criterion']}"

    def test(self, *criteria, ends=ENDS):
        """A new test and its end; it may have died with its process, never been reached, been kept back or left out."""
        self.made["test"] += 1
        test = f"test_{self.made['test']}"
        end = self.draw(mostly("", "crash", "unreached", "limited", "deselected") | ends)
        if end == "deselected":
            self.bench.collect(test, *criteria, selected=False)
        elif end in {"crash", "unreached"}:
            self.bench.collect(test, *criteria)
            if end == "crash":
                self.bench.crash(self.draw(st.sampled_from([test, ""])))
        else:
            needs = (
                tuple(self.draw(st.sampled_from([("audio.playback",), ("tool.sox",), ()]))) if end == "limited" else ()
            )
            self.bench.ran(test, *criteria, raised=end, needs=needs)
        return test, end

    def hits(self, planned):
        """Pieces of work; now and then one fails, comes too much or does not come."""
        number = planned + self.draw(mostly(0, -1, 1))
        bad = self.draw(mostly(0, 1)) if number else 0
        at = self.draw(st.integers(0, max(0, number - 1)))
        return [{"ok": not (bad and at == one)} for one in range(number)]

    def measure(self, criteria, name, samples, test, end, **fields):
        """A measurement, of a test that came so far."""
        if end not in {"", "assertion", "error", "timeout", "exit", "crash", "lost"}:
            return
        if not any(item.id == self.bench.node(test) for item in self.bench.collected):
            return
        records = list(self.bench.records.get("tests", ()))
        if end == "crash":
            fields |= {"closed": False}
        self.bench.measure(criteria, name, samples, test=test, **fields)
        if end == "crash":
            self.bench.records["tests"] = records

    # one method for each way in which a criterion is proven

    def failures(self):
        name, planned = self.name(), self.draw(st.integers(1, 3))
        self.bench.criterion(
            name, "failures(work) <= 0", samples=planned, census=self.draw(st.booleans()), **self.fields()
        )
        for _ in range(self.draw(mostly(1, 2))):
            test, end = self.test(name)
            self.measure(name, "work", self.hits(planned), test, end, planned=planned + self.draw(mostly(0, 1)))
        return name

    def warmed(self):
        name = self.name()
        self.bench.criterion(name, "failures(work) <= 0", samples=2, warm_up=1, **self.fields())
        test, end = self.test(name)
        warm = [{"ok": False, "warm": True}] * self.draw(mostly(1, 2))
        self.measure(name, "work", [*warm, *self.hits(2)], test, end)

    def spread(self):
        name = self.name()
        self.bench.criterion(
            name, "max(offset) <= 45 ms", "min(offset) >= -45 ms", samples=2, census=True, **self.fields()
        )
        test, end = self.test(name, ends=st.just(""))
        if end != "limited":
            numbers = self.draw(st.lists(mostly(0, 50, -50), min_size=1, max_size=3))
            self.measure(name, "offset", self.bench.values(*numbers), test, end, unit="ms")

    def confident(self):
        name, bad = self.name(), self.draw(mostly(0, 1, 9))
        self.bench.criterion(name, "rate(boot) >= 60 %", samples=6, confidence="0.95", **self.fields())
        test, end = self.test(name)
        self.measure(name, "boot", self.bench.hits(max(0, 6 - bad), min(bad, 6)), test, end)

    def accepted(self):
        name = self.name()
        fields = {"confidence": "none", "confidence_reason": "a first look"}
        self.bench.criterion(name, "rate(boot) >= 50 %", samples=2, **fields, **self.fields())
        test, end = self.test(name)
        self.measure(name, "boot", self.hits(2), test, end)

    def counted(self):
        name = self.name()
        self.bench.criterion(name, "count(dropouts) <= 0", exposure="2 s", **self.fields())
        test, end = self.test(name)
        pairs = [(self.draw(mostly(0, 1)), 1.0) for _ in range(self.draw(mostly(2, 1, 3)))]
        self.measure(name, "dropouts", self.bench.counts(*pairs), test, end)

    def elapsed(self):
        name = self.name()
        self.bench.criterion(name, "duration(window) >= 1 h", **self.fields())
        test, end = self.test(name)
        hours = self.draw(mostly((1.5,), (0.5,), (1.5, 1.5), ()))
        fields = {"unit": "h", "clock": self.draw(mostly("monotonic", "virtual"))}
        self.measure(name, "window", self.bench.values(*hours), test, end, **fields)

    def compared(self):
        name = self.name()
        self.bench.criterion(name, "equal(rest, grpc)", samples=2, census=self.draw(st.booleans()), **self.fields())
        test, end = self.test(name)
        for side in ("rest", "grpc"):
            said = {one: self.draw(mostly(1, 2)) for one in "abc"[: self.draw(mostly(2, 1, 3))]}
            self.measure(name, side, self.bench.items(said), test, end)

    def bound(self):
        name, planned = self.name(), self.draw(st.integers(1, 2))
        self.bench.criterion(name, "all-pass", samples=planned, **self.fields())
        for _ in range(planned + self.draw(mostly(0, 1))):
            self.test(name)

    def row(self):
        name = self.name()
        consecutive = self.draw(st.sampled_from([1, 2]))
        self.bench.criterion(name, "failures(work) <= 0", samples=2, consecutive=consecutive, **self.fields())
        for _ in range(self.draw(mostly(1, 2))):
            test, end = self.test(name)
            process = self.draw(st.sampled_from(["main", "gw0"]))
            for word in self.draw(st.lists(WORDS, min_size=2, max_size=4)):
                self.rehearse(name, word, process, test, end)

    def rehearse(self, name, word, process, test, end):
        if end not in {"", "assertion", "error"}:
            return
        self.made["run"] += 1
        run = f"{process}-{self.made['run']}"
        self.bench.run(run, name, test=test, outcome="abandoned" if word == "abandoned" else "closed")
        taken = {"bad": (1, 1), "short": (1, 0), "long": (3, 0)}.get(word, (2, 0))
        if word != "empty":
            self.measure(name, "work", self.bench.hits(*taken), test, end, run=run)

    def guarded(self):
        name = self.failures()
        control = f"{name}x"
        expected = self.draw(mostly("fail", "inconclusive", "invalid", "not-run"))
        rule = {"of": name, "fault": "s.broken", "verdict": expected}
        self.bench.criterion(control, control=rule, level=self.draw(mostly("blocker", "advisory")))
        test, end = self.test(control, ends=mostly("", "assertion"))
        if end == "":
            taken = self.draw(mostly(self.bench.hits(1, 1), self.bench.hits(3), self.bench.hits(1), []))
            fault = self.draw(mostly("s.broken", "s.other"))
            self.bench.under_fault("work", taken, of=name, control=control, test=test, fault=fault)

    def controlled_sides(self):
        name = self.name()
        control = f"{name}x"
        self.bench.criterion(name, "equal(rest, grpc)", samples=2)
        rule = {"of": name, "fault": "s.broken", "verdict": self.draw(st.sampled_from(["fail", "not-run"]))}
        self.bench.criterion(control, control=rule)
        test, end = self.test(name)
        for side in ("rest", "grpc"):
            self.measure(name, side, self.bench.items({"a": 1, "b": 2}), test, end)
        test, end = self.test(control, ends=st.just(""))
        if end == "":
            said = self.draw(st.sampled_from([{"a": 1, "b": 2}, {"a": 1}, {"a": 1, "b": 3}]))
            self.bench.under_fault("rest", self.bench.items({"a": 1, "b": 2}), of=name, control=control, test=test)
            self.bench.measure(name, "grpc", self.bench.items(said), test=test, control=control)

    def shared(self):
        """Two criteria that one test proves."""
        one, two = self.name("S1"), self.name("S2")
        self.bench.criterion(one, "failures(work) <= 0", samples=2, **self.fields())
        self.bench.criterion(two, "failures(other) <= 0", samples=2, **self.fields())
        test, end = self.test(one, two)
        self.measure(one, "work", self.hits(2), test, end)
        self.measure(two, "other", self.hits(2), test, end)

    def examined(self):
        """A document, and what somebody has, or has not, signed of it; sometimes its gate has nothing else."""
        name, document = self.name(self.draw(st.sampled_from([None, "S3"]))), "docs/charter.md"
        fidelity = self.draw(st.sampled_from([None, "live"]))
        self.bench.criterion(name, method="examine", document=document, signer="ada", fidelity=fidelity)
        flaw = self.draw(mostly("", "unlooked", "missing", "unsigned", "broken", "other", "changed", "later", "unkept"))
        if flaw == "unlooked":
            return
        path, size, sha = ("", 0, "") if flaw == "missing" else (f"attachments/{name}", 7, f"sha256:{'1' * 64}")
        texts = {} if flaw == "unsigned" else {"statement": "said", "signature": "signed"}
        seen = DocumentSeen(criterion=name, document=document, path=path, bytes=size, sha256=sha, **texts)
        said = ExaminationStatement(
            criterion=name,
            document=document,
            bytes=size + (flaw == "changed"),
            sha256=sha,
            signer="bob" if flaw == "other" else "ada",
            examined="2999-01-01T00:00:00Z" if flaw == "later" else "1970-01-01T00:00:00Z",
            rehearsal=self.draw(st.booleans()),
        )
        held = flaw not in {"unsigned", "broken"}
        signed = (
            {"statement": said, "keyid": self.draw(mostly(ADA, "SHA256:stranger"))} if held else {"fault": "made up"}
        )
        self.bench.add("examinations", Examination(seen=seen, **signed))
        if path and flaw != "unkept":
            self.bench.add("attached", Attached(path=path, name="charter.md", media_type="", bytes=size, sha256=sha))

    def planned(self):
        self.bench.criterion(self.name(), planned=True)


WAYS = (
    "failures", "warmed", "spread", "confident", "accepted", "counted", "elapsed", "compared", "bound", "row", "guarded",
    "controlled_sides", "shared", "examined",
)  # fmt: skip


def subjects(draw, bench):
    """Each process's own memory: sound, or with one flaw."""
    for identity in ("memory-1", "memory-2")[: draw(st.integers(1, 2))]:
        flaw = draw(st.sampled_from(["", "", "", "", "stub", "unchallenged", "changed", "lost"]))
        known = {"identity": identity}
        if flaw == "stub":
            known["challenge"] = bench.challenge(found=[])
        if flaw == "unchallenged":
            known["challenge"] = None
        bench.seen("memory", "start", **known)
        if flaw == "lost":
            bench.lost("memory")
        else:
            bench.seen("memory", "end", **known, **({"digest": "sha256:" + "0" * 64} if flaw == "changed" else {}))


def a_run(draw, bench, ways=WAYS, most=3):
    """The evidence of a run that is rich, and sound but for a flaw here and there."""
    bench.stage = "stage_x"
    bench.on("sandbox", "sandbox", **{"clock.trusted": draw(st.booleans())})
    maker = Maker(draw, bench)
    for way in draw(st.lists(st.sampled_from(ways), min_size=1, max_size=most)):
        getattr(maker, way)()
    if draw(mostly(False, True)):
        maker.planned()
    bench.scope = draw(st.sampled_from([Scope(), Scope(stages=("stage_x",)), Scope(gates=("S1",))]))
    subjects(draw, bench)
    for name in ("audio.playback", "tool.sox"):
        state = draw(st.sampled_from(["present", "absent", "unknown"]))
        value = True if state == "present" else None
        bench.add("facts", Fact(name=name, state=state, kind="hardware", evidence=state, command="ask", value=value))
    bench.status = draw(mostly("finished", "interrupted"))
    return bench.evidence()


# Taking away

# Entries of the ledger are taken away in test_attempts.py; that a run was recovered, which is one record and no list,
# is bound by its main journal's chain.
KINDS = tuple(
    one.name
    for one in msgspec.structs.fields(Evidence)
    if one.name not in {"bundle", "plan", "inventory", "status", "recovered", "ledger"}
)


def handles(evidence):
    """Everything that can be taken away, one by one: (kind, position) or ("samples", position, position)."""
    yield from ((kind, at) for kind in KINDS for at in range(len(getattr(evidence, kind))))
    yield from (("inventory", at) for at in range(len(evidence.inventory.items)))
    for at, one in enumerate(evidence.measurements):
        yield from (("samples", at, number) for number in range(len(one.samples)))


def without(evidence, handle):
    """The evidence with one thing taken away."""
    kind, at, *more = handle
    if kind == "inventory":
        items = drop(evidence.inventory.items, at)
        return msgspec.structs.replace(evidence, inventory=msgspec.structs.replace(evidence.inventory, items=items))
    if kind == "samples":
        one = evidence.measurements[at]
        changed = msgspec.structs.replace(one, samples=drop(one.samples, more[0]))
        kept = (*evidence.measurements[:at], changed, *evidence.measurements[at + 1 :])
        return msgspec.structs.replace(evidence, measurements=kept)
    return msgspec.structs.replace(evidence, **{kind: drop(getattr(evidence, kind), at)})


def drop(listed, at):
    return (*listed[:at], *listed[at + 1 :])


def traces(evidence):
    """What some record tells of: tests with what they prove, run blocks, subjects."""
    found = {("test", item.id, name) for item in evidence.inventory.items if item.selected for name in item.criteria}
    found |= {("test", one.id, name) for one in evidence.tests for name in one.criteria}
    found |= {("test", one.test, name) for one in evidence.runs_opened for name in one.criteria}
    found |= {("test", one.test, one.control) for one in evidence.controls_opened}
    found |= {("run", one.run) for one in (*evidence.runs_opened, *evidence.runs_closed)}
    for one in evidence.measurements:
        found |= {("test", one.test, name) for name in ((one.control,) if one.control else one.criteria)}
        found |= {("run", one.run)} if one.run else set()
    return found | {("subject", one.subject, one.identity) for one in evidence.subjects}


def rises(evidence, handle, permission):
    """Why taking that away is a fault of the judge; empty where it is none."""
    after = judge(without(evidence, handle), trust=ROOT)
    if after.permission <= permission:
        return ""
    return f"{permission} to {after.permission} without {handle}: {after.decision}"


RUNS = settings(deadline=None, max_examples=80, suppress_health_check=list(HealthCheck))


def take_one(evidence):
    """The property of one thing taken away; AssertionError where it does not hold."""
    permission = judge(evidence, trust=ROOT).permission
    reached = traces(msgspec.structs.replace(evidence, inventory=type(evidence.inventory)()))
    for handle in handles(evidence):
        if handle[0] == "inventory" and traces(without(evidence, handle)) != traces(evidence) | reached:
            continue  # a test that left no record: only the inventory itself tells of it
        assert not rises(evidence, handle, permission)


def take_many(data, bench):
    """The property of a chain of subsets; AssertionError where it does not hold."""
    evidence = a_run(data.draw, bench)
    told, permission = traces(evidence), judge(evidence, trust=ROOT).permission
    for _ in range(data.draw(st.integers(2, 12))):
        left = [one for one in handles(evidence) if traces(without(evidence, one)) == told]
        if not left:
            return
        handle = data.draw(st.sampled_from(left))
        assert not rises(evidence, handle, permission)
        evidence = without(evidence, handle)


@given(data=st.data())
@RUNS
def test_taking_any_one_thing_away_never_raises_the_permission(make_bench, data):
    take_one(a_run(data.draw, make_bench()))


@given(data=st.data())
@RUNS
def test_taking_more_and_more_away_never_raises_the_permission(make_bench, data):
    take_many(data, make_bench())


# The control: judges that are wrong, each in one way, and the property finds each of them


judge_evidence = criterion_module._judge_evidence
judge_examination = criterion_module.judge_examination
judge_test = tests_module._judge_test
evaluate = needs_module.evaluate
DELIVERIES = (criterion_module, "judge_deliveries")


def says_nothing(*arguments, **fields):
    """In place of a check: it finds nothing."""
    return iter(())


def takes_any(measurement):
    """In place of counting samples: however many there are, they are all."""
    return True


def reads_the_claim(criterion, context, measurements):
    """In place of judging evidence: where nothing was measured, the test's own end is taken for a proof."""
    limits, findings = judge_evidence(criterion, context, measurements)
    return limits, [one for one in findings if measurements]


def is_never_far(requirement, facts):
    """In place of evaluating a requirement: what is not known is taken for met."""
    outcome = evaluate(requirement, facts)
    return outcome if outcome.state == "unmet" else dataclasses.replace(outcome, state="met")


def forgets(item, criterion, context):
    """In place of judging a test's end: one without a record is nothing to speak of."""
    return judge_test(item, criterion, context) if context.tests.get(item.id) else iter(())


def takes_unlooked(criterion, context):
    """In place of judging a document: one of which no record tells is nothing to speak of."""
    told = any(one.seen.criterion == criterion.id for one in context.evidence.examinations)
    return judge_examination(criterion, context) if told else ((), [])


CHECKS = {
    "reads a claim": (["failures"], {(criterion_module, "_judge_evidence"): reads_the_claim, DELIVERIES: says_nothing}),
    "asks for no delivery": (["failures"], {DELIVERIES: says_nothing}),
    "takes any subset of samples": (["failures"], {(criterion_module, "is_whole"): takes_any}),
    "takes any subset of run blocks": (["row"], {(criterion_module, "judge_blocks"): says_nothing}),
    "takes tests that were not collected": (["bound"], {(tests_module, "_uncollected"): says_nothing}),
    "forgets tests without a record": (["counted"], {(tests_module, "_judge_test"): forgets}),
    "takes what is unknown for met": (["elapsed"], {(needs_module, "evaluate"): is_never_far}),
    "forgets documents without a record": (["examined"], {(criterion_module, "judge_examination"): takes_unlooked}),
    "asks for no subject at the end": (["elapsed"], {(subjects_module, "_gone"): says_nothing}),
    "asks for no subject at the start": (["elapsed"], {(subjects_module, "_unseen"): says_nothing}),
}


@pytest.mark.parametrize("check", CHECKS)
def test_a_judge_that_lacks_a_check_is_found_out(make_bench, monkeypatch, check):
    ways, changes = CHECKS[check]
    for (module, name), wrong in changes.items():
        monkeypatch.setattr(module, name, wrong)

    @given(data=st.data())
    @settings(RUNS, max_examples=2000, phases=[Phase.generate], derandomize=True, database=None)
    def holds(data):
        take_one(a_run(data.draw, make_bench(), ways, most=1))

    with pytest.raises(AssertionError, match=r"0 to [12] without|1 to 2 without"):
        holds()


# The order of records


def owner_of(record):
    """Whose order a record stands in: its process's where a run block was opened, its test's, or nobody's."""
    if isinstance(record, RunOpened):
        return record.run.rpartition("-")[0]
    return getattr(record, "test", "") or getattr(record, "id", "") or repr(record)


def shuffled(draw, evidence):
    """The same records, as if the processes that wrote them had been named otherwise: each keeps its own order."""
    changes = {}
    for kind in KINDS:
        listed = getattr(evidence, kind)
        owners = [owner_of(one) for one in listed]
        order = draw(st.permutations(list(dict.fromkeys(owners))))
        changes[kind] = tuple(one for owner in order for one, own in zip(listed, owners, strict=True) if own == owner)
    return msgspec.structs.replace(evidence, **changes)


@given(data=st.data())
@RUNS
def test_the_order_in_which_processes_wrote_changes_no_byte(make_bench, data):
    evidence = a_run(data.draw, make_bench())
    assert canonical_bytes(judge(shuffled(data.draw, evidence))) == canonical_bytes(judge(evidence))
