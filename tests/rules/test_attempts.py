"""A run among its attempts: the worst stands, a plan is spent, a row goes over sessions, and a removed entry never helps."""

import itertools

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_spiral.errors import UntrustedError
from pytest_spiral.model.entry import (
    AttemptCollected,
    AttemptOpened,
    AttemptRecovered,
    AttemptSealed,
    LedgerBegun,
    LedgerHead,
    RegisteredBar,
)
from pytest_spiral.model.examination import Examination, ExaminationStatement
from pytest_spiral.model.record import Attached, DocumentSeen
from pytest_spiral.model.trust import TrustedKey, TrustRoot
from pytest_spiral.rules.attempts import attempts_of, tally_words
from pytest_spiral.rules.bar import bars_of
from pytest_spiral.rules.canonical import digest
from pytest_spiral.rules.entries import NOTHING, encode_entry, parse_entry
from pytest_spiral.rules.history import history_of
from pytest_spiral.rules.judge import judge

PREV = digest(b"x")
BEGAN = 1_795_339_800_000_000
WORDS = ("pass", "fail", "invalid", "inconclusive", "not-run", "environment-limited")


class Desk:
    """A ledger of values for one bench: other runs before and after, and its own."""

    def __init__(self, bench):
        self.bench = bench
        self.evidence = bench.evidence()
        self.entries = []
        self.add(LedgerBegun(nonce="0"))
        self.numbers = itertools.count(1)
        self.pin = None

    def add(self, record, wall=None):
        last = self.entries[-1] if self.entries else None
        seq, prev = (last.seq + 1, last.digest) if last else (0, NOTHING)
        self.entries.append(parse_entry(encode_entry(seq, prev, wall or BEGAN + seq, record)))
        return self

    def opened(
        self, nonce, *, draft=False, bar=None, target=None, subjects=None, run=None, plan=PREV, deadline=BEGAN + 10**9
    ):
        bars = bars_of(self.evidence.plan)
        if bar is not None:
            bars = dict.fromkeys(bars, RegisteredBar(bar=bar))
        where = self.evidence.bundle.target.name if target is None else target
        return AttemptOpened(
            run=run or nonce, nonce=nonce, plan=plan, bundle=PREV, deadline=deadline, draft=draft, criteria=bars,
            subjects={"git": "gitCommit:1"} if subjects is None else subjects, target=where,
        )  # fmt: skip

    def other(self, *words, seen=None, **fields):
        """Another run whose runs came out like that for every criterion; without words it was never sealed."""
        nonce = f"other-{next(self.numbers)}"
        self.add(self.opened(nonce, **fields))
        self.add(AttemptCollected(nonce=nonce, inventory=PREV))
        if words:
            names = [one.id for one in self.evidence.plan.criteria()]
            runs = dict.fromkeys(names, words)
            self.add(AttemptSealed(nonce=nonce, manifest=PREV, runs=runs, subjects=seen or {}))
        return self

    def own(self, *, draft=False, **fields):
        start = self.evidence.bundle
        last = self.entries[-1]
        self.pin = LedgerHead(id=self.entries[0].digest, seq=last.seq, digest=last.digest)
        self.draft = draft
        self.add(self.opened(start.nonce, draft=draft, run=start.run, plan=start.plan, **fields))
        return self.add(AttemptCollected(nonce=start.nonce, inventory=PREV, draft=draft))

    def told(self):
        start = msgspec.structs.replace(
            self.evidence.bundle, ledger=self.pin, mode="draft" if self.draft else "release"
        )
        return msgspec.structs.replace(self.evidence, bundle=start, ledger=tuple(self.entries))

    def judged(self, name):
        return next(one for one in judge(self.told()).criteria if one.id == name)


@pytest.fixture
def desk_of():
    return Desk


@pytest.fixture
def universal(make_bench):
    """A run that proves a universal claim."""
    bench = make_bench().criterion("S1.works", "failures(work) <= 0", samples=3)
    return bench.measure("S1.works", "work", bench.hits(3))


ADA = f"SHA256:{'a' * 43}"
ROOT = TrustRoot(
    keys=(TrustedKey(keyid=ADA, kind="ssh-ed25519", public="", principals=("ada",), roles=("spiral-signoff",)),)
)


@pytest.fixture
def examined(make_bench):
    """A run of nothing but a document that Ada has examined."""
    name, of = "S1.charter", {"document": "charter.md", "bytes": 7, "sha256": digest(b"charter")}
    bench = make_bench().criterion(name, method="examine", document="charter.md", signer="ada")
    said = ExaminationStatement(criterion=name, signer="ada", examined="2026-11-01T08:00:00Z", **of)
    seen = DocumentSeen(criterion=name, path="attachments/charter.md", statement="said", signature="signed", **of)
    bench.add("examinations", Examination(seen=seen, statement=said, keyid=ADA))
    kept = {"path": seen.path, "bytes": seen.bytes, "sha256": seen.sha256}
    return bench.add("attached", Attached(name="charter.md", media_type="text/markdown", **kept))


@pytest.fixture
def planned(make_bench):
    """A run that proves a rate."""
    bench = make_bench().criterion("S1.rate", "rate(work) >= 90 %", samples=60, confidence="0.95")
    return bench.measure("S1.rate", "work", bench.hits(60))


def row(make_bench, *runs, consecutive=3):
    """A run with rehearsals in it: True for each that passes."""
    bench = make_bench().criterion("S1.row", "failures(work) <= 0", samples=3, consecutive=consecutive)
    for number, good in enumerate(runs, start=1):
        bench.run(f"main-{number}", "S1.row")
        bench.measure("S1.row", "work", bench.hits(3) if good else bench.hits(2, 1), run=f"main-{number}")
    return bench


# the worst attempt, and spent plans


@pytest.mark.parametrize(
    ("before", "universal_claim", "rate"),
    [
        ([], ("pass", ""), ("pass", "")),
        (["pass"], ("pass", ""), ("inconclusive", "attempt-missing")),
        (["fail"], ("fail", "worst-attempt"), ("fail", "worst-attempt")),
        (["invalid"], ("invalid", "worst-attempt"), ("invalid", "worst-attempt")),
        (["invalid", "fail"], ("fail", "worst-attempt"), ("fail", "worst-attempt")),
        (["fail", "pass", "pass"], ("fail", "worst-attempt"), ("fail", "worst-attempt")),
        (["inconclusive"], ("pass", ""), ("inconclusive", "attempt-missing")),
        (["not-run"], ("pass", ""), ("inconclusive", "attempt-missing")),
        (["environment-limited"], ("pass", ""), ("pass", "")),
    ],
)
def test_what_earlier_attempts_leave_of_a_pass(universal, planned, before, universal_claim, rate):
    for bench, name, wanted in ((universal, "S1.works", universal_claim), (planned, "S1.rate", rate)):
        desk = Desk(bench)
        for word in before:
            desk.other(word)
        found = desk.own().judged(name)
        assert (str(found.verdict), found.reason) == wanted
        assert found.runs == ("pass",)


def test_best_of_many_is_told_with_its_denominator(universal):
    found = Desk(universal).other("fail").other("fail").own().judged("S1.works")
    assert found.attempts == "attempts 3 of 3: 1 passed, 2 failed"
    assert "flaky" in found.qualifiers


def test_a_later_attempt_takes_a_pass_away(universal):
    desk = Desk(universal).own().other("fail")
    found = desk.judged("S1.works")
    assert (str(found.verdict), found.reason) == ("inconclusive", "attempts-disagree")
    assert found.attempts == "attempts 1 of 2: 1 passed, 1 failed"


@pytest.mark.parametrize(
    "fields",
    [{"subjects": {"git": "gitCommit:2"}}, {"target": "elsewhere"}, {"draft": True}, {"bar": digest(b"other")}],
)
def test_attempts_on_another_subject_target_bar_or_in_a_draft_do_not_stand(universal, fields):
    assert Desk(universal).other("fail", **fields).own().judged("S1.works").reason != "worst-attempt"


def test_a_changed_byte_does_not_reset_the_count(universal):
    found = Desk(universal).other("fail", subjects={"git": "gitCommit:2"}).own().judged("S1.works")
    assert found.attempts == "attempts 2 of 2: 1 passed, 1 failed; 1 on this subject"
    assert str(found.verdict) == "pass"


def test_a_criterion_with_subjects_is_about_what_was_seen(make_bench):
    bench = make_bench().criterion("S1.works", "failures(work) <= 0", samples=3, subjects=("memory",))
    bench.on("sandbox", "sandbox").seen("memory").measure("S1.works", "work", bench.hits(3))
    same, other = {"memory": digest(b"code")}, {"memory": digest(b"other code")}
    commit = {"git": "gitCommit:2"}
    assert Desk(bench).other("fail", seen=same, subjects=commit).own().judged("S1.works").reason == "worst-attempt"
    assert str(Desk(bench).other("fail", seen=other).own().judged("S1.works").verdict) == "pass"


def test_a_bar_that_moved_after_a_failure_caps_the_gate(universal):
    moved = Desk(universal).other("fail", bar=digest(b"other")).own()
    assert "bar moved" in moved.judged("S1.works").qualifiers
    assert str(judge(moved.told()).decision) == "CONDITIONAL GO"
    passed = Desk(universal).other("pass", bar=digest(b"other")).own()
    assert str(judge(passed.told()).decision) == "GO"


def test_a_draft_is_judged_alone_and_told_of_the_others(universal):
    found = Desk(universal).other("fail").own(draft=True).judged("S1.works")
    assert (str(found.verdict), found.attempts) == ("pass", "attempts 2 of 2: 1 passed, 1 failed")


def test_drafts_are_counted_beside(universal):
    found = Desk(universal).other("fail", draft=True).other("pass", draft=True).own().judged("S1.works")
    assert found.attempts == "attempts 1 of 1: 1 passed; 2 drafts beside"


def test_other_attempts_never_better_a_result(make_bench):
    bench = make_bench().criterion("S1.works", "failures(work) <= 0", samples=3)
    bench.measure("S1.works", "work", bench.hits(2, 1))
    found = Desk(bench).other("pass").other("pass").own().judged("S1.works")
    assert (str(found.verdict), found.attempts) == ("fail", "attempts 3 of 3: 2 passed, 1 failed")


# rows


@pytest.mark.parametrize(
    ("before", "own", "verdict"),
    [
        ([], [True], ("inconclusive", "row-short")),
        ([["pass"], ["pass"]], [True], ("pass", "")),
        ([["pass", "pass"]], [True], ("pass", "")),
        ([["pass"], ["fail"]], [True], ("fail", "fail")),
        ([["fail"], ["fail"]], [True], ("fail", "fail")),
        ([["fail"], ["pass"], ["pass"]], [True], ("pass", "")),
        ([["pass"], ["broken"]], [True], ("inconclusive", "row-short")),
        ([["pass"], []], [True], ("inconclusive", "row-short")),
        ([["pass"], ["inconclusive"]], [True], ("inconclusive", "run-not-proven")),
        ([["pass"], ["not-run"]], [True], ("inconclusive", "row-short")),
        ([["pass"], ["pass"]], [False], ("fail", "fail")),
        ([["fail"]], [True, True, True], ("pass", "")),
        ([["pass"]], [True, True], ("pass", "")),
    ],
)
def test_a_row_goes_over_sessions(make_bench, before, own, verdict):
    desk = Desk(row(make_bench, *own))
    for words in before:
        desk.other(*words)
    found = desk.own().judged("S1.row")
    assert (str(found.verdict), found.reason) == verdict
    assert found.runs == tuple("pass" if good else "fail" for good in own)


def test_passes_on_another_subject_are_no_part_of_a_row(make_bench):
    desk = Desk(row(make_bench, True))
    desk.other("pass", "pass", subjects={"git": "gitCommit:2"})
    assert desk.own().judged("S1.row").reason == "row-short"


def test_an_abandoned_run_breaks_a_row_whatever_it_was_about(make_bench):
    desk = Desk(row(make_bench, True)).other("pass", "pass").other(subjects={"git": "gitCommit:2"})
    assert desk.own().judged("S1.row").reason == "row-short"


def test_the_whole_session_is_one_run_without_rehearsals(make_bench):
    bench = make_bench().criterion("S1.row", "failures(work) <= 0", samples=3, consecutive=3)
    bench.measure("S1.row", "work", bench.hits(3))
    assert str(Desk(bench).other("pass").other("pass").own().judged("S1.row").verdict) == "pass"


def test_what_is_wrong_beside_the_samples_is_wrong_in_every_run(make_bench):
    bench = row(make_bench, True, True, True).ran("test_it", "S1.row", raised="error")
    found = Desk(bench).own().judged("S1.row")
    assert (str(found.verdict), found.runs) == ("invalid", ("invalid",) * 3)


def test_a_row_of_passes_below_its_fidelity_is_a_condition(make_bench):
    bench = make_bench().on("sandbox", "sandbox").criterion(
        "S1.row", "failures(work) <= 0", samples=3, consecutive=3, fidelity="staging"
    )  # fmt: skip
    bench.measure("S1.row", "work", bench.hits(3))
    found = Desk(bench).other("pass", "pass").own().judged("S1.row")
    assert (str(found.verdict), str(found.original)) == ("environment-limited", "pass")


def test_passes_where_the_requirement_was_not_met_are_no_passes_of_a_row(make_bench):
    bench = make_bench().criterion("S1.row", "failures(work) <= 0", samples=3, consecutive=3, requires="cpu.cores >= 9")
    bench.fact("cpu.cores", 2).run("main-1", "S1.row").measure("S1.row", "work", bench.hits(3), run="main-1")
    assert Desk(bench).own().judged("S1.row").runs == ("environment-limited",)


# abandoned


def test_a_run_is_abandoned_when_the_ledger_is_past_its_deadline(universal):
    desk = Desk(universal).other("pass", deadline=BEGAN).other(deadline=BEGAN + 50).other(deadline=BEGAN + 10**9)
    sealed, abandoned, going_on = attempts_of(desk.add(LedgerBegun(nonce="1"), wall=BEGAN + 51).entries)
    assert [one.abandoned for one in (sealed, abandoned, going_on)] == [False, True, False]
    assert [one.word("S1.works") for one in (sealed, abandoned, going_on)] == ["pass", "abandoned", "open"]


def test_abandoned_and_recovered_runs_are_shown(universal):
    desk = Desk(universal).other(deadline=BEGAN + 1).other()
    desk.add(AttemptRecovered(nonce="other-2", manifest=PREV))
    assert desk.own().judged("S1.works").attempts == "attempts 3 of 3: 1 passed, 1 abandoned, 1 recovered"


def test_a_second_seal_of_a_run_counts_for_nothing(universal):
    desk = Desk(universal).other("fail")
    desk.add(AttemptSealed(nonce="other-1", manifest=PREV, runs={"S1.works": ("pass",)}))
    assert desk.own().judged("S1.works").attempts == "attempts 2 of 2: 1 passed, 1 failed"


def test_counts_are_told_in_one_order():
    assert tally_words(["fail", "pass", "open", "fail", "not-run"]) == "1 passed, 2 failed, 1 not run, 1 not ended"


# a ledger that does not hold


def no_ledger(evidence):
    return msgspec.structs.replace(evidence, ledger=None)


def no_pin(evidence):
    return msgspec.structs.replace(evidence, bundle=msgspec.structs.replace(evidence.bundle, ledger=None))


def empty(evidence):
    return msgspec.structs.replace(evidence, ledger=())


def cut_before_own(evidence):
    return msgspec.structs.replace(evidence, ledger=evidence.ledger[:-1])


def another_pin(evidence):
    pin = msgspec.structs.replace(evidence.bundle.ledger, digest=digest(b"y"))
    return msgspec.structs.replace(evidence, bundle=msgspec.structs.replace(evidence.bundle, ledger=pin))


def another_ledger(evidence):
    pin = msgspec.structs.replace(evidence.bundle.ledger, id=digest(b"y"))
    return msgspec.structs.replace(evidence, bundle=msgspec.structs.replace(evidence.bundle, ledger=pin))


def a_draft_after_all(evidence):
    return msgspec.structs.replace(evidence, bundle=msgspec.structs.replace(evidence.bundle, mode="draft"))


def another_name(evidence):
    return msgspec.structs.replace(evidence, bundle=msgspec.structs.replace(evidence.bundle, run="another"))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (no_ledger, "ledger-missing"),
        (no_pin, "ledger-missing"),
        (empty, "ledger-other"),
        (cut_before_own, "ledger-unregistered"),
        (another_pin, "ledger-rewritten"),
        (another_ledger, "ledger-other"),
        (a_draft_after_all, "ledger-differs"),
        (another_name, "ledger-differs"),
    ],
)
def test_a_release_run_without_its_ledger_decides_nothing(universal, change, code):
    told = Desk(universal).other("pass").own().told()
    assert str(judge(told).decision) == "GO"
    judged = judge(change(told))
    assert (str(judged.decision), judged.permission, judged.log) == ("NOT-EVALUABLE", 0, "none")
    assert {one.reason for one in judged.criteria} == {"history-broken"}
    assert history_of(change(told)).faults[0][0] == code


@pytest.mark.parametrize("change", [no_ledger, another_pin, cut_before_own, a_draft_after_all])
def test_a_document_of_a_release_run_without_its_ledger_is_unproven_too(examined, change):
    told = Desk(examined).other("pass").own().told()
    assert str(judge(told, trust=ROOT).decision) == "GO"
    for trust in (None, ROOT):
        judged = judge(change(told), trust=trust)
        assert (judged.permission, [one.reason for one in judged.criteria]) == (0, ["history-broken"])


@pytest.mark.parametrize("word", WORDS)
def test_what_other_attempts_came_to_says_nothing_of_a_document(examined, word):
    desk = Desk(examined).other(word).own().other(word)
    judged = judge(desk.told(), trust=ROOT)
    assert (str(judged.decision), judged.criteria[0].qualifiers) == ("GO", ())
    assert judged.criteria[0].attempts.startswith("attempts 2 of 3: ")


def test_a_signer_who_was_changed_after_nobody_had_signed_caps_the_gate(examined):
    moved = Desk(examined).other("not-run", bar=digest(b"signed by who would not")).own()
    judged = judge(moved.told(), trust=ROOT)
    assert (str(judged.decision), judged.criteria[0].qualifiers) == ("CONDITIONAL GO", ("bar moved",))
    assert (
        judge(Desk(examined).other("not-run", bar=digest(b"other")).own(draft=True).told()).criteria[0].qualifiers == ()
    )


def test_a_bar_that_the_ledger_does_not_have_is_found(universal):
    desk = Desk(universal).own(bar=digest(b"other"))
    assert [code for code, _ in history_of(desk.told()).faults] == ["ledger-differs"]


def test_the_log_is_told(universal, bench):
    assert judge(Desk(universal).own().told()).log == "local"
    assert judge(bench.evidence()).log == "none"


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    words=st.lists(st.lists(st.sampled_from((*WORDS, "broken")), max_size=3), max_size=4),
    rechain=st.booleans(),
    pick=st.data(),
)
def test_removing_an_entry_never_raises_permission(make_bench, words, rechain, pick):
    """However the chain is mended: what the run itself noted of the ledger does not fit any more."""
    desk = Desk(row(make_bench, True))
    for one in words:
        desk.other(*one)
    told = desk.own().told()
    before = judge(told).permission
    gone = pick.draw(st.integers(0, len(told.ledger) - 1))
    kept = [one for at, one in enumerate(told.ledger) if at != gone]
    if rechain:
        again = Desk(row(make_bench, True))
        again.entries = []
        for one in kept:
            again.add(one.record, wall=one.wall)
        kept = again.entries
    after = judge(msgspec.structs.replace(told, ledger=tuple(kept)))
    assert after.permission <= before
    assert after.permission == 0


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=5))
def test_an_own_result_is_never_bettered(make_bench, words):
    bench = make_bench().criterion("S1.works", "failures(work) <= 0", samples=3)
    bench.measure("S1.works", "work", bench.hits(3))
    alone = judge(Desk(bench).own().told())
    desk = Desk(bench)
    for word in words:
        desk.other(word)
    assert judge(desk.own().told()).permission <= alone.permission


def test_faults_of_the_chain_have_the_codes_of_the_check(universal):
    told = Desk(universal).other("pass").own().told()
    swapped = (told.ledger[0], told.ledger[2], told.ledger[1], *told.ledger[3:])
    assert [code for code, _ in history_of(msgspec.structs.replace(told, ledger=swapped)).faults] == ["ledger-sequence"]
    with pytest.raises(UntrustedError):
        parse_entry(b"{}\n")
