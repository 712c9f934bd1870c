"""Attempts that fill one plan: pooled in the ledger's order, judged once, and never a pass that is not carried."""

import itertools
from fractions import Fraction

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_spiral.model.entry import AttemptCollected, AttemptRecovered, AttemptSealed
from pytest_spiral.model.evidence import EarlierAttempt
from pytest_spiral.model.profile import Fact, profile_of
from pytest_spiral.rules.canonical import digest
from pytest_spiral.rules.judge import judge
from pytest_spiral.rules.judge.earlier import wanted
from pytest_spiral.rules.statistics import Tally, judge_campaign

from .test_attempts import PREV, Desk

NAME = "S1.rate"
PLAN = 60


class Pool:
    """Attempts at one plan: each a bench with samples of the same criterion, the last one is the run's own."""

    def __init__(self, make_bench, limit="rate(work) >= 90 %", plan=PLAN, confidence="0.95", **fields):
        self.make_bench = make_bench
        self.bar = (limit, {"samples": plan, "confidence": confidence, **fields})
        self.earlier = []
        self.numbers = itertools.count(1)
        self.steps = []

    def bench(self, samples, **fields):
        limit, bar = self.bar
        bench = self.make_bench().criterion(NAME, limit, **bar)
        for name in bar.get("subjects", ()):
            bench.on("sandbox", "sandbox").seen(name, **fields.pop("seen", {}))
        ended = fields.pop("ended", True)
        if not ended:
            bench.collect("test_it", NAME)
            bench.ran("test_it", NAME, raised="exit")
        return bench.measure(NAME, "work", samples, **fields)

    def then(self, samples, word="inconclusive", *, carry=True, change=None, opened=None, end="sealed", **fields):
        """An earlier attempt; `change` spoils what is carried of it, `opened` what the ledger says of its opening."""
        self.steps.append((samples, word, carry, change, opened or {}, end, fields))
        return self

    def own(self, samples, **fields):
        """The judged verdict of the run whose own samples these are."""
        desk = Desk(self.bench(samples, **fields))
        carried = [one for one in (self._add(desk, *step) for step in self.steps) if one is not None]
        told = desk.own().told()
        self.evidence = msgspec.structs.replace(told, earlier=tuple(carried))
        return next(one for one in judge(self.evidence).criteria if one.id == NAME)

    def _add(self, desk, samples, word, carry, change, opened, end, fields):
        nonce = f"earlier-{next(self.numbers)}"
        evidence = self.bench(samples, **fields).evidence()
        evidence = msgspec.structs.replace(evidence, bundle=msgspec.structs.replace(evidence.bundle, nonce=nonce))
        if change is not None:
            evidence = change(evidence)
        seen = {one.subject: one.digest for one in evidence.subjects}
        desk.add(desk.opened(nonce, plan=desk.evidence.bundle.plan, **opened))
        if end == "opened":
            return None
        desk.add(AttemptCollected(nonce=nonce, inventory=PREV))
        if end == "sealed":
            desk.add(AttemptSealed(nonce=nonce, manifest=PREV, runs={NAME: (word,)}, subjects=seen))
        elif end == "recovered":
            desk.add(AttemptRecovered(nonce=nonce, manifest=PREV, runs={NAME: (word,)}, subjects=seen))
        elif end == "nothing":
            desk.add(AttemptRecovered(nonce=nonce))
        return EarlierAttempt(nonce=nonce, bundle=PREV, manifest=PREV, evidence=evidence) if carry else None


@pytest.fixture
def pool_of(make_bench):
    return lambda *arguments, **fields: Pool(make_bench, *arguments, **fields)


def hits(good, bad=0):
    return [{"ok": True}] * good + [{"ok": False, "why": "missed"}] * bad


def words(found):
    return str(found.verdict), found.reason


# one plan, several sessions


def test_three_short_sessions_fill_one_plan(pool_of):
    pool = pool_of()
    first = pool.own(hits(20))
    assert (*words(first), first.sentence) == ("inconclusive", "incomplete", "inconclusive (incomplete), 40 more")
    second = pool.then(hits(20)).own(hits(20))
    assert (*words(second), second.sentence) == ("inconclusive", "incomplete", "inconclusive (incomplete), 20 more")
    third = pool.then(hits(20)).own(hits(20))
    assert (*words(third), third.limits[0].samples) == ("pass", "", 60)
    assert third.limits[0].note.endswith("3 attempts: 20 + 20 + 20 samples for a plan of 60")
    assert third.attempts == "attempts 3 of 3: 3 inconclusive"
    assert third.runs == ("inconclusive",), "what this session says alone"
    assert third.original == third.verdict


@pytest.mark.parametrize(
    ("before", "own", "wanted_words"),
    [
        ([(55, 3)], (2, 0), ("inconclusive", "point-only")),
        ([(58, 2)], (2, 0), ("inconclusive", "plan-spent")),
        ([(20, 0)], (20, 20), ("fail", "fail")),
        ([(60, 0)], (60, 0), ("pass", "")),
        ([(60, 0)], (57, 3), ("pass", "")),
        ([(60, 0)], (50, 10), ("pass", "")),
        ([(60, 0)], (48, 12), ("fail", "fail")),
        ([(60, 0), (50, 10)], (50, 10), ("inconclusive", "attempts-disagree")),
        ([(56, 4)], (60, 0), ("inconclusive", "plan-spent")),
        ([(56, 4)], (600, 0), ("invalid", "more-than-planned")),
        ([(40, 0)], (60, 0), ("pass", "")),
    ],
)
def test_a_plan_is_judged_once_and_what_comes_after_only_worsens(pool_of, before, own, wanted_words):
    pool = pool_of()
    for good, bad in before:
        pool.then(hits(good, bad))
    assert words(pool.own(hits(*own))) == wanted_words


def test_a_spent_plan_says_so(pool_of):
    found = pool_of().then(hits(56, 4)).own(hits(60))
    assert words(found) == ("inconclusive", "plan-spent")
    assert words(pool_of().then(hits(36, 4)).own(hits(20)))[1] == "point-only", "judged now, and not before"


def test_keep_adding_until_it_passes_does_not_pass(pool_of):
    """The control: all samples together would prove the bar, and the plan was judged before."""
    pool = pool_of().then(hits(56, 4))
    for _ in range(9):
        pool.then(hits(60))
    assert words(pool.own(hits(60))) == ("inconclusive", "plan-spent")
    assert words(Pool(pool.make_bench, plan=660).own([*hits(56, 4), *hits(600)])) == ("pass", "")


@pytest.mark.parametrize("word", ["fail", "invalid"])
def test_an_attempt_that_failed_stands_whatever_is_pooled(pool_of, word):
    found = pool_of().then(hits(20), word).own(hits(60))
    assert words(found) == (word, "worst-attempt")


def test_a_session_that_fails_alone_fails_whatever_was_before(pool_of):
    assert words(pool_of().then(hits(60), "pass").own(hits(40, 20)))[0] == "fail"


def test_quantiles_and_means_are_pooled(pool_of):
    fast = [{"value": 1.0}] * 59
    quantile = pool_of("p95(work) <= 120 ms", plan=118)
    assert words(quantile.then(fast, unit="ms").own(fast, unit="ms")) == ("pass", "")
    slow = pool_of("p95(work) <= 120 ms", plan=118).then([{"value": 500.0}] * 59, unit="ms")
    assert words(slow.own(fast, unit="ms"))[0] == "fail"
    good = [{"value": 0.99}] * 200
    assert words(pool_of("mean(work) >= 80 %", plan=400).then(good, unit="1").own(good, unit="1")) == ("pass", "")


def test_blocks_of_different_attempts_are_different_blocks(pool_of):
    samples = [{"value": 1.0, "block": at // 10} for at in range(100)]
    pool = pool_of("p95(work) <= 120 ms", plan=200, blocks=20)
    assert words(pool.then(samples, unit="ms").own(samples, unit="ms")) == ("pass", "")
    assert words(pool_of("p95(work) <= 120 ms", plan=100, blocks=20).own(samples, unit="ms"))[1] == "too-few-blocks"


def test_warm_up_is_left_out_of_each_session(pool_of):
    warm = [{"ok": False, "why": "cold", "warm": True}] * 2
    pool = pool_of(warm_up=2).then([*warm, *hits(30)])
    found = pool.own([*warm, *hits(30)])
    assert (*words(found), found.limits[0].samples) == ("pass", "", 60)
    broken = pool_of(warm_up=2).then(hits(30)).own([*warm, *hits(30)])
    assert words(broken) == ("invalid", "earlier-unjudgeable")


# what is missing, and what is not the same


@pytest.mark.parametrize(
    ("end", "carry", "reason"),
    [
        ("sealed", False, "attempt-missing"),
        ("collected", False, "attempt-missing"),
        ("recovered", False, "attempt-missing"),
        ("recovered", True, ""),
        ("opened", False, ""),
        ("nothing", False, ""),
    ],
)
def test_an_attempt_that_is_missing_counts_against_a_pass(pool_of, end, carry, reason):
    found = pool_of().then(hits(20), end=end, carry=carry).own(hits(60))
    assert words(found) == (("inconclusive", reason) if reason else ("pass", ""))
    assert words(pool_of().then(hits(20), end=end, carry=carry).own(hits(20, 40)))[0] == "fail", "never for one"


def test_an_attempt_by_another_bar_commit_or_target_is_no_part_of_the_plan(pool_of):
    for opened in ({"bar": digest(b"x")}, {"subjects": {"git": "gitCommit:2"}}, {"target": "x"}, {"draft": True}):
        found = pool_of().then(hits(20), carry=False, opened=opened).own(hits(60))
        assert found.limits[0].samples == 60
        assert found.reason != "attempt-missing"
        assert words(pool_of().then(hits(40), opened=opened).own(hits(20)))[0] == "inconclusive"


def test_a_draft_is_judged_alone(pool_of):
    pool = pool_of().then(hits(40))
    pool.own(hits(20))
    start = msgspec.structs.replace(pool.evidence.bundle, mode="draft", ledger=None)
    alone = msgspec.structs.replace(pool.evidence, bundle=start, ledger=None)
    assert words(judge(alone).criteria[0]) == ("inconclusive", "incomplete")


def profile(evidence):
    bundle = evidence.bundle
    return msgspec.structs.replace(evidence, bundle=replace_profile(bundle))


def replace_profile(bundle):
    return msgspec.structs.replace(bundle, profile=msgspec.structs.replace(bundle.profile, name="another"))


def version(evidence):
    bundle = msgspec.structs.replace(evidence.bundle, packages={"pytest-spiral": "9.9"})
    return msgspec.structs.replace(evidence, bundle=bundle)


def measured(**fields):
    def change(evidence):
        (one,) = evidence.measurements
        return msgspec.structs.replace(evidence, measurements=(msgspec.structs.replace(one, **fields),))

    return change


def another_test(evidence):
    items = tuple(msgspec.structs.replace(one, id="t.py::test_it[grpc]") for one in evidence.inventory.items)
    tests = tuple(msgspec.structs.replace(one, id="t.py::test_it[grpc]") for one in evidence.tests)
    changed = msgspec.structs.replace(
        evidence, inventory=msgspec.structs.replace(evidence.inventory, items=items), tests=tests
    )
    return measured(test="t.py::test_it[grpc]")(changed)


@pytest.mark.parametrize("change", [profile, version, measured(clock="virtual"), measured(unit="x"), another_test])
def test_what_is_not_equal_is_judged_apart_and_the_worst_counts(pool_of, change):
    short = pool_of().then(hits(20), change=change).own(hits(60))
    assert words(short) == ("inconclusive", "stratum-not-proven")
    bad = pool_of().then(hits(30, 30), change=change).own(hits(60))
    assert words(bad) == ("fail", "strata-judged-apart")
    assert words(pool_of().then(hits(60), change=change).own(hits(60))) == ("pass", "")
    filled = pool_of().then(hits(40), change=change).own(hits(20))
    assert words(filled)[0] == "inconclusive", "it fills nothing"


def other_manifest(one):
    return msgspec.structs.replace(one, manifest=digest(b"other"))


def other_bundle(one):
    return msgspec.structs.replace(one, bundle=digest(b"other"))


def other_plan(one):
    bundle = msgspec.structs.replace(one.evidence.bundle, plan=digest(b"other"))
    return msgspec.structs.replace(one, evidence=msgspec.structs.replace(one.evidence, bundle=bundle))


@pytest.mark.parametrize("change", [other_manifest, other_bundle, other_plan])
def test_what_is_carried_must_be_what_the_ledger_has(pool_of, change):
    pool = pool_of().then(hits(40))
    assert words(pool.own(hits(20))) == ("pass", "")
    spoilt = msgspec.structs.replace(pool.evidence, earlier=tuple(map(change, pool.evidence.earlier)))
    assert words(judge(spoilt).criteria[0]) == ("invalid", "earlier-broken")
    left = tuple(msgspec.structs.replace(one, left=(NAME,)) for one in pool.evidence.earlier)
    assert words(judge(msgspec.structs.replace(pool.evidence, earlier=left)).criteria[0])[1] == "attempt-missing"


def test_the_subject_that_was_seen_must_be_the_same(pool_of):
    pool = pool_of(subjects=("memory",)).then(hits(40), opened={"subjects": {"git": "gitCommit:2"}})
    assert words(pool.own(hits(20))) == ("pass", "")
    other = {"digest": digest(b"other code")}
    assert words(pool_of(subjects=("memory",)).then(hits(40), seen=other).own(hits(20)))[1] == "incomplete"


def test_the_call_that_was_under_way_when_a_session_was_cut_short_is_lost(pool_of):
    """Else whoever kills a run when a call hangs has a better rate."""
    limit = "rate(work) >= 95 %"
    whole = pool_of(limit, plan=59).then(hits(30)).own(hits(29))
    cut = pool_of(limit, plan=59).then(hits(30), "not-run", ended=False, closed=False).own(hits(29))
    assert (words(whole), words(cut)[0]) == (("pass", ""), "inconclusive")
    assert "1 lost" in cut.limits[0].note
    wide = pool_of("rate(work) >= 90 %").then(hits(30), "not-run", ended=False, closed=False).own(hits(30))
    assert words(wide) == ("pass", "")


def test_what_a_short_session_announced_and_did_not_take_is_lost(pool_of):
    assert words(pool_of("rate(work) >= 95 %", plan=59).then(hits(30), planned=31).own(hits(29)))[0] == "inconclusive"
    assert words(pool_of("rate(work) >= 95 %", plan=59).then(hits(30), planned=59).own(hits(29))) == ("pass", "")


def test_a_census_a_row_and_run_blocks_are_not_pooled(pool_of, make_bench):
    row = pool_of(consecutive=2).then(hits(60), "pass")
    assert wanted_of(row, hits(60)) == ()
    blocks = pool_of().then(hits(60), "pass", run="main-1")
    blocks.own(hits(60), run="main-1")
    assert wanted(blocks.evidence) == ()


def test_a_level_of_assurance_is_not_lent_to_what_others_measured(pool_of):
    found = pool_of(assurance="E2").then(hits(40)).own(hits(60))
    assert words(found) == ("inconclusive", "plan-spent")
    assert words(pool_of().then(hits(40)).own(hits(60))) == ("pass", "")


def cores(number):
    fact = Fact(name="cpu.cores", state="present", kind="environment", evidence="x", command="x", value=number)

    def change(evidence):
        bundle = msgspec.structs.replace(evidence.bundle, profile=profile_of("bench", {"cpu.cores": fact}))
        return msgspec.structs.replace(evidence, bundle=bundle)

    return change


@pytest.mark.parametrize(("there", "verdict"), [(8, "pass"), (2, "inconclusive")])
def test_what_was_measured_where_the_requirement_does_not_hold_fills_nothing(pool_of, there, verdict):
    pool = pool_of(requires="cpu.cores >= 4").then(hits(40), change=cores(there))
    pool.own(hits(20))
    here = cores(8)(pool.evidence)
    assert str(judge(here).criteria[0].verdict) == verdict


def wanted_of(pool, samples):
    pool.own(samples)
    return wanted(pool.evidence)


def test_what_has_to_be_carried(pool_of):
    pool = pool_of().then(hits(20)).then(hits(20), end="collected", carry=False).then(hits(1), opened={"draft": True})
    (one,) = wanted_of(pool, hits(20))
    assert (one.nonce, one.manifest, one.criteria) == ("earlier-1", PREV, (NAME,))
    assert wanted_of(pool_of().then(hits(20), "fail"), hits(20)) == (), "that stands by its word"
    assert wanted_of(pool_of().then(hits(20), "environment-limited"), hits(20)) == ()


def test_a_later_attempt_that_failed_takes_a_pooled_pass_away(make_bench, pool_of):
    pool = pool_of().then(hits(40))
    pool.own(hits(20))
    desk = Desk(pool.bench(hits(20)))
    desk.entries = list(pool.evidence.ledger)
    desk.add(desk.opened("later", plan=pool.evidence.bundle.plan))
    desk.add(AttemptCollected(nonce="later", inventory=PREV))
    desk.add(AttemptSealed(nonce="later", manifest=PREV, runs={NAME: ("fail",)}))
    after = msgspec.structs.replace(pool.evidence, ledger=tuple(desk.entries))
    assert words(judge(after).criteria[0]) == ("inconclusive", "attempts-disagree")


tallies = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 6)), min_size=1, max_size=4)


@given(before=tallies, own=st.tuples(st.integers(0, 30), st.integers(0, 6)), carried=st.booleans())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_pool_is_never_better_than_the_campaign_by_its_figures(make_bench, before, own, carried):
    """`judge_campaign` judges tallies; here the samples are there, and a session that fails alone fails."""
    if not sum(own):
        return
    runs = [(good, bad) for good, bad in before if good + bad]
    pool = Pool(make_bench, plan=40)
    for good, bad in runs:
        pool.then(hits(good, bad), carry=carried)
    found = pool.own(hits(*own))
    if not carried and runs:
        assert str(found.verdict) != "pass"
        return
    sizes = [sum(one) for one in [*runs, own]]
    ends = list(itertools.accumulate(sizes))
    if 40 not in ends and ends[-1] > 40:
        return  # an attempt reaches over the plan's end, which tallies cannot split
    campaign = judge_campaign(
        [Tally(good, good + bad) for good, bad in [*runs, own]],
        planned=40,
        at_least=Fraction(9, 10),
        confidence=Fraction(19, 20),
    )
    if str(found.verdict) == "pass":
        assert str(campaign.verdict) == "pass"
    if str(campaign.verdict) == "fail":
        assert str(found.verdict) == "fail"
