"""Each boot fault alone, under each policy, comes out as the policy says; and nothing of it runs on."""

import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from spiral_sandbox.boot.flaws import FLAWS, Flaw
from spiral_sandbox.faults import known_faults

REASONS = {
    "dies-at-start": ("died", "ended with status 3"),
    "exits-0": ("exited-0", "ended with status 0"),
    "hangs": ("not-ready", "nothing listens"),
    "unhealthy": ("unhealthy", "unhealthy: "),
    "slow": ("not-ready", "nothing listens"),
    "dies-after-ready": (
        "died-after-ready or died",
        "nothing listens|connection broke|ended with status 4|UNAVAILABLE",
    ),
    "port-taken": ("port-taken", "something listens on 127."),
    "dead-but-healthy": ("check-cannot-fail", "says healthy before the component is started"),
}
FINAL = {"dead-but-healthy"}
# What died just after it was ready may have been seen dead before its answer was believed.
# policy → fault in how many attempts → what the boot comes to, who holds the place, how often anyone was tried
POLICIES = {
    ("steady", 1): ("ready", "steady", 2),
    ("steady", 1000): ("failed", "steady", 3),
    ("spared", 1): ("failed-over", "spared-reserve", 2),
    ("lone", 1000): ("failed", "lone", 1),
}
CASES = [(fault, *policy) for fault, policy in itertools.product(FLAWS, POLICIES)]


@pytest.fixture(scope="module")
def drilled(new_drive, tmp_path_factory):
    """Every case, twelve at a time, in one component: (fault, component, attempts) → reply; and what was left."""
    drive = new_drive(tmp_path_factory.mktemp("drills"))
    asked = [("drill", {"fault": fault, "component": name, "attempts": most}) for fault, name, most in CASES]
    replies = dict(zip(CASES, drive.together(asked, at_once=12), strict=True))
    return replies, drive.left


def events(reply, *names):
    lines = [json.loads(line) for line in Path(reply["log"]).read_text().splitlines()][1:]
    return [line for line in lines if line["event"] in names]


def test_every_fault_has_its_reason():
    assert set(REASONS) == set(FLAWS)
    assert {f"boot.{name}" for name in FLAWS} <= set(known_faults())


@pytest.mark.parametrize(("fault", "component", "attempts"), CASES)
def test_a_fault_comes_out_as_the_policy_says(drilled, fault, component, attempts):
    reply = drilled[0][fault, component, attempts]
    outcome, holder, tries = POLICIES[component, attempts]
    if fault in FINAL and component == "steady":  # another attempt would change nothing, so none is made
        outcome, tries = "failed", 1
    place = reply["components"][component]
    assert (reply["outcome"], place["by"], place["attempts"]) == (outcome, holder, tries), reply
    assert not reply["first_attempt"]
    reason, why = REASONS[fault]
    failed = events(reply, "attempt-failed")
    assert {one["reason"] for one in failed} <= set(reason.split(" or ")), failed
    assert failed
    assert any(word in failed[0]["why"] for word in why.split("|")), failed
    assert len(failed) == (tries if outcome == "failed" else tries - 1)
    assert reply["reason"] == (f"{component}: {failed[-1]['reason']}" if outcome == "failed" else "")


@pytest.mark.parametrize(("fault", "component", "attempts"), CASES)
def test_the_rest_of_the_boot_is_as_ever(drilled, fault, component, attempts):
    places = drilled[0][fault, component, attempts]["components"]
    assert {one["outcome"] for name, one in places.items() if name != component} == {"ready"}
    assert {one["attempts"] for name, one in places.items() if name != component} == {1}


def test_nothing_of_any_drill_runs_on(drilled):
    replies, left = drilled
    assert left == []
    for reply in replies.values():
        assert reply["strays"] == []
        begun = {one["pid"] for one in events(reply, "started")}
        assert begun == {one["pid"] for one in events(reply, "stopped")}


def test_what_does_not_listen_to_sigterm_is_killed(drilled):
    (stopped,) = [one for one in events(drilled[0]["hangs", "lone", 1000], "stopped") if one["component"] == "lone"]
    assert stopped["status"] == -9


def test_the_pause_before_each_retry_is_doubled(drilled):
    assert [one["after_s"] for one in events(drilled[0]["dies-at-start", "steady", 1000], "retry")] == [0.05, 0.1]


def test_a_component_without_a_standby_fails_where_standbys_are_left_alone(drive):
    (reply,) = drive.together([("drill", {"fault": "exits-0", "component": "spared"})], ["boot.no-failover"])
    assert (reply["outcome"], reply["reason"]) == ("failed", "spared: exited-0")


@pytest.fixture(scope="module")
def planned(new_drive, tmp_path_factory):
    """Two boots under each fault plan of the target, each in a component of its own: fault → reply, and what was left."""

    def run(kind):
        drive = new_drive(tmp_path_factory.mktemp(kind))
        (reply,) = drive.together([("run", {"boots": 2, "at_once": 2})], [f"boot.{kind}"])
        return reply, drive.left

    with ThreadPoolExecutor(4) as pool:
        return dict(zip(FLAWS, pool.map(run, FLAWS), strict=True))


@pytest.mark.parametrize("kind", FLAWS)
def test_a_fault_plan_of_the_target_takes_the_first_attempt_away(planned, kind):
    reply, left = planned[kind]
    assert [one["first_attempt"] for one in reply["boots"]] == [False, False]
    expected = "failed" if kind == "dead-but-healthy" else "ready"
    assert {one["outcome"] for one in reply["boots"]} == {expected}
    assert left == []


def test_a_fault_that_is_none_is_refused():
    with pytest.raises(ValueError, match=r"no fault 'dise'.*there are dies-at-start"):
        Flaw("dise", "crown")
    with pytest.raises(ValueError, match="at least one attempt"):
        Flaw("hangs", "crown", 0)
