"""The selftest of a bar: sound evidence passes, no defect does, and a bar that proves nothing is found out."""

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from pytest_spiral.model.gate import Control, Criterion, Gate, Plan
from pytest_spiral.model.selftest import Certificate
from pytest_spiral.rules.canonical import canonical_bytes, digest
from pytest_spiral.rules.criteria import criterion_faults, plan_faults
from pytest_spiral.rules.judge import judge
from pytest_spiral.rules.limits import LimitError, parse_limit
from pytest_spiral.rules.selftest import DEFECTS, MOST_TRIED, prove, scaled, selftest
from pytest_spiral.rules.selftest.facts import facts_for
from pytest_spiral.rules.selftest.reference import REFERENCE
from pytest_spiral.rules.selftest.tails import too_many
from pytest_spiral.rules.statistics import tails


def plan_of(*criteria):
    return Plan(gates=(Gate(id="S1", stage="", criteria=criteria),))


def criterion(*limits, word="one", **fields):
    return Criterion(id=f"S1.{word}", limits=tuple(map(parse_limit, limits)), **fields)


def proof(*limits, **fields):
    one = criterion(*limits, **fields)
    return prove(one, plan_of(one))


# the certificate


@pytest.fixture(scope="module")
def certificate():
    return selftest(REFERENCE)


def test_the_reference_bar_is_a_bar():
    assert plan_faults(REFERENCE) == ()


def test_every_criterion_of_the_reference_bar_is_proven(certificate):
    assert {one.id: one.missed for one in certificate.criteria if one.state != "proven"} == {}
    assert sum(one.tried for one in certificate.criteria) > 900


def test_every_defect_of_the_catalogue_applies_to_some_criterion_of_the_reference_bar(certificate):
    used = {name for one in certificate.criteria for name in one.caught}
    assert [one.id for one in DEFECTS if one.id not in used] == []
    assert len({one.id for one in DEFECTS}) == len(DEFECTS)


def test_a_certificate_names_its_plan_and_reads_back(certificate):
    assert certificate.plan == digest(canonical_bytes(REFERENCE))
    assert msgspec.json.decode(canonical_bytes(certificate), type=Certificate) == certificate
    assert certificate.unproven == ()


def test_the_same_plan_gives_the_same_bytes(certificate):
    assert canonical_bytes(selftest(REFERENCE)) == canonical_bytes(certificate)


# a bar that proves nothing


@pytest.mark.parametrize(
    ("limits", "fields", "state", "sentence"),
    [
        (["failures(x) <= 50"], {"samples": 50}, "blind", "came through"),
        (["failures(x) <= 49"], {"samples": 50}, "proven", ""),
        (["max(x) <= 1 ms", "min(x) >= 2 ms"], {"samples": 5}, "unsound", "no figure of x holds"),
        (["rate(x) >= 90 %", "max(x) <= 1 ms"], {"samples": 60, "confidence": "0.95"}, "unsound", "different kinds"),
        (["failures(x) <= 0"], {"samples": 5, "requires": "memory and not memory"}, "unsound", "no facts were found"),
        (["p95(x) <= 1 ms"], {"samples": 10, "confidence": "0.95"}, "unsound", "too-few-for-any-bound"),
        ([], {"planned": True}, "waits", "planned"),
        ([], {"method": "examine", "document": "a.md", "signer": "ada"}, "proven", ""),
        ([], {"method": "examine", "document": "a.md", "signer": "ada", "fidelity": "live"}, "proven", ""),
    ],
)
def test_what_cannot_be_proven_or_cannot_fail_is_said(limits, fields, state, sentence):
    found = proof(*limits, **fields)
    assert (found.state, sentence in found.sentence) == (state, True), found.sentence


@pytest.mark.parametrize(
    ("limits", "fields", "defect"),
    [
        (["p90(x) <= 1000 s", "min(x) >= 20 us"], {"samples": 50, "confidence": "0.95"}, "thousandfold"),
        (["duration(x) <= 1 h", "duration(x) >= 1 ms"], {}, "thousandfold"),
        (["failures(x) <= 0", "min(x) >= 20 us"], {"samples": 50}, "thousandfold"),
        (["failures(x) <= 30", "p90(x) <= 1 ms"], {"samples": 60, "confidence": "0.95"}, "unresolved"),
        (["failures(x) <= 30", "max(x) <= 1 ms"], {"samples": 60}, "unresolved"),
        (["failures(x) <= 5", "p95(x) >= 0 ms"], {"samples": 90, "confidence": "0.5"}, "one-too-many"),
    ],
)
def test_what_is_no_defect_of_a_limit_is_not_held_against_it(limits, fields, defect):
    """A window so wide that a thousandth of a good time is good too; failures, of which no time is bad; time zero."""
    found = proof(*limits, **fields)
    assert (found.state, found.missed, defect in found.caught) == ("proven", (), True)


def test_a_limit_that_is_always_kept_names_the_defects_that_came_through():
    assert "all-bad" in {one.defect for one in proof("failures(x) <= 50", samples=50).missed}


def test_a_fidelity_that_no_subject_can_show_is_a_condition_at_best():
    found = proof("failures(x) <= 0", samples=3, fidelity="live")
    assert (found.state, found.sentence.partition(":")[0]) == ("proven", "at best environment-limited")


def test_a_control_of_nothing_is_unsound():
    one = criterion(control=Control(of="S1.nobody", fault="s.broken"))
    assert prove(one, plan_of(one)).state == "unsound"


def test_a_control_that_nothing_measured_can_satisfy_is_unsound():
    one = criterion("failures(x) <= 0", samples=3)
    control = criterion(word="control", control=Control(of="S1.one", fault="s.broken", verdict="not-run"))
    found = prove(control, plan_of(one, control))
    assert (found.state, "come out as not-run" in found.sentence) == ("unsound", True)


def test_an_unproven_criterion_is_invalid_unless_it_failed(works):
    evidence = works.evidence()
    judged = {one.id: one for one in judge(evidence, {"S1.works": "made up"}).criteria}
    assert (str(judged["S1.works"].verdict), judged["S1.works"].reason) == ("invalid", "unproven")
    assert str(judged["S1.control"].verdict) == "pass"
    assert str(judge(evidence, {"S1.works": "made up"}).decision) == "NOT-EVALUABLE"
    assert str(judge(evidence).decision) == "GO"


def test_an_unproven_criterion_that_failed_stays_failed(make_bench):
    bench = make_bench().criterion("S1.works", "failures(work) <= 0", samples=2)
    bench.measure("S1.works", "work", bench.hits(1, 1))
    assert str(judge(bench.evidence(), {"S1.works": "made up"}).criteria[0].verdict) == "fail"


# large plans


def test_a_large_plan_is_tried_at_a_smaller_size_and_says_so():
    small, how = scaled(criterion("failures(x) <= 0", samples=1_000_000, warm_up=5_000))
    assert (small.samples, small.warm_up, how) == (100, 20, "samples 100 for 1000000, warm-up 20 for 5000")


def test_a_plan_is_made_no_smaller_than_it_can_be_proven():
    small, _ = scaled(criterion("p99(x) <= 1 ms", samples=1_000, confidence="0.95"))
    assert 299 <= small.samples < 1_000


@pytest.mark.parametrize(
    ("limits", "samples", "state"),
    [
        (["failures(x) <= 500"], 100_000, "proven"),
        (["failures(x) <= 50", "all-pass"], 77, "proven"),
        (["failures(x) <= 6000"], 100_000, "untried"),
        (["failures(x) <= 20000"], 20_000, "blind"),
        (["failures(x) <= 77", "all-pass"], 77, "blind"),
    ],
)
def test_a_limit_on_failures_can_fail_in_the_smaller_plan_where_it_can_in_its_own(limits, samples, state):
    assert proof(*limits, samples=samples).state == state


@pytest.mark.parametrize(
    ("limits", "exposure", "state", "scaled"),
    [
        (["count-rate(x) <= 5000 per d"], "1 d", "proven", ""),
        (["count-rate(x) <= 100 per s"], "90 min", "proven", "exposure 0.09 min for 90 min"),
        (["count-rate(x) <= 100 per s", "count-rate(y) <= 2 per h"], "90 min", "untried", ""),
        (["count-rate(x) <= 2 per h"], "90 items", "unsound", ""),
    ],
)
def test_very_many_events_are_tried_over_less_exposure_or_not_at_all(limits, exposure, state, scaled):
    found = proof(*limits, exposure=exposure, confidence="0.95")
    assert (found.state, found.scaled) == (state, scaled), found.sentence


def test_no_billions_of_events_are_gone_through_to_try_a_plan_on_them(monkeypatch):
    """86 thousand million are allowed in a day: whether none of them proves the limit is no question for a sum."""
    whole, walk = [], tails._walk

    def counted(step, start, stride, **others):
        whole.append(start)
        return walk(step, start, stride, **others)

    monkeypatch.setattr(tails, "_walk", counted)
    found = proof("count-rate(x) <= 1000000 per s", exposure="1 d", confidence="0.95")
    assert (found.state, found.tried > 30) == ("proven", True)
    assert found.scaled == "exposure 0.00000001 d for 1 d"
    assert 0 < max(whole) <= 10 * MOST_TRIED  # one of the defects counts on over ten times the exposure


def test_a_plan_too_large_to_be_tried_is_not_tried_and_stands():
    found = proof("rate(x) >= 99.99 %", samples=40_000, confidence="0.95")
    assert (found.state, f"{MOST_TRIED:,}" in found.sentence) == ("untried", True)


def test_a_control_of_a_plan_too_large_is_not_tried_either():
    one = criterion("rate(x) >= 99.99 %", samples=40_000, confidence="0.95")
    control = criterion(word="control", control=Control(of="S1.one", fault="s.broken"))
    assert prove(control, plan_of(one, control)).state == "untried"


def test_no_plan_keeps_a_verifier_busy_for_long():
    wide = criterion(*(f"failures(x{at}) <= 0" for at in range(100)), samples=100)
    small = criterion("failures(x) <= 0", word="small", samples=3)
    assert [one.state for one in selftest(plan_of(wide, small)).criteria] == ["untried", "proven"]
    planned = [criterion(word=f"c{at}", planned=True) for at in range(1_001)]
    assert [one.state for one in selftest(plan_of(*planned)).criteria] == ["waits"] * 1_000 + ["untried"]


# its parts


@pytest.mark.parametrize(
    ("text", "samples", "bad"),
    [
        ("p95(x) <= 1 ms", 100, 2),  # the 99th of 100 must be within (statistics.md)
        ("p95(x) <= 1 ms", 59, 1),
        ("rate(x) >= 95 %", 208, 6),  # at most 5 failed
        ("rate(x) <= 5 %", 208, 6),
        ("failures(x) <= 2", 20, 3),
        ("max(x) <= 1 ms", 20, 1),
    ],
)
def test_how_many_bad_samples_are_too_many(text, samples, bad):
    one = criterion(text, samples=samples, confidence="0.95")
    assert too_many(one, one.limits[0], samples) == bad


@pytest.mark.parametrize(
    "text",
    [
        "memory >= 64 GiB",
        "not module.numpy",
        'python.version >= "3.11" and python.version < "4"',
        "memory > 1 GiB and memory < 2 GiB or audio.playback",
        "clock.trusted",
        'os.name != "linux" and cpu.cores == 4',
    ],
)
def test_facts_are_found_on_both_sides_of_a_requirement(text):
    assert facts_for(text, "met") is not None
    assert facts_for(text, "unmet") is not None


# any bar that the gates reader would take

NUMBERS = st.sampled_from(["0", "1", "0.5", "20", "120", "1000", "-125", "3.7"])
UNITS = st.sampled_from(["ms", "s", "us", "h", "%", "MB", "LU", "items", "Hz"])
COMPARISONS = st.sampled_from(["<=", ">="])
NAMES = st.sampled_from(["search", "other"])
SHARES = st.sampled_from(["0.5", "5", "50", "80", "95", "99"])
QUANTILES = st.sampled_from(["50", "80", "90", "95", "99"])
LIMITS = st.one_of(
    st.builds("p{}({}) {} {} {}".format, QUANTILES, NAMES, COMPARISONS, NUMBERS, UNITS),
    st.builds("{}({}) {} {} %".format, st.sampled_from(["rate", "mean"]), NAMES, COMPARISONS, SHARES),
    st.builds("{}({}) {} {} {}".format, st.sampled_from(["min", "max"]), NAMES, COMPARISONS, NUMBERS, UNITS),
    st.builds("{}({}) <= {}".format, st.sampled_from(["failures", "count"]), NAMES, st.sampled_from("0123")),
    st.builds("duration({}) {} {} {}".format, NAMES, COMPARISONS, NUMBERS, st.sampled_from(["s", "min", "h", "d"])),
    st.sampled_from(["equal(left, right)", "all-pass"]),
)
CRITERIA = st.fixed_dictionaries(
    {},
    optional={
        "samples": st.integers(4, 300),
        "warm_up": st.integers(0, 30),
        "blocks": st.sampled_from([0, 20, 25, 60]),
        "confidence": st.sampled_from(["0.5", "0.8", "0.9", "0.95", "0.99"]),
        "consecutive": st.integers(1, 6),
        "census": st.booleans(),
        "sampling": st.sampled_from(["open-loop", "closed-loop"]),
        "exposure": st.sampled_from(["20 s", "1 h", "100 items"]),
        "level": st.sampled_from(["blocker", "advisory"]),
        "requires": st.sampled_from(["memory >= 64 GiB", "not module.numpy", "clock.trusted or audio.playback"]),
        "fidelity": st.sampled_from(["simulated", "sandbox", "staging", "live"]),
        "subjects": st.sampled_from([("store",), ("store", "stream")]),
    },
)


QUICK = [Phase.explicit, Phase.reuse, Phase.generate]  # to shrink a bar takes minutes, and its text says enough


@given(st.lists(LIMITS, min_size=1, max_size=2), CRITERIA)
@settings(
    deadline=None,
    max_examples=25,
    phases=QUICK,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
def test_whatever_bar_a_reader_takes_is_proven_or_its_contradiction_is_named(limits, fields):
    try:
        one = criterion(*dict.fromkeys(limits), **fields)
    except LimitError:
        assume(False)
    assume(not list(criterion_faults(one)))
    found = prove(one, plan_of(one))
    assert found.state in ("proven", "unsound", "untried"), found
    if found.state == "unsound":
        assert len(one.limits) > 1 or "blocks" in fields or "sampling" in fields, found


# judging over time


@pytest.mark.parametrize(
    ("limit", "fields"),
    [
        ("rate(x) >= 95 %", {"samples": 400, "sequential": "99 %"}),
        ("rate(x) >= 95 %", {"samples": 73, "sequential": "99 %"}),
        ("rate(x) >= 30 %", {"samples": 500, "sequential": "55 %", "confidence": "0.99"}),
        ("rate(x) >= 95 %", {"samples": 20, "consecutive": 3, "combine": "pooled"}),
        ("rate(x) >= 95 %", {"samples": 208, "consecutive": 3, "combine": "pooled"}),
        ("rate(x) >= 70 %", {"samples": 9, "consecutive": 2, "combine": "pooled", "confidence": "0.99"}),
        ("count-rate(x) <= 2 per h", {"exposure": "10 h"}),
        ("count-rate(x) <= 2 per h", {"exposure": "90 min"}),
        ("count-rate(x) <= 5000 per d", {"exposure": "1 d", "confidence": "0.99"}),
        (
            "count-rate(x) <= 0.5 per requests",
            {"exposure": "7 requests", "confidence": "none", "confidence_reason": "w"},
        ),
    ],
)
def test_bars_that_are_judged_over_time_are_proven(limit, fields):
    found = proof(limit, **{"confidence": "0.95", **fields})
    assert (found.state, found.missed) == ("proven", ())
