"""Boots: in order, several at a time, with telemetry that says what the log says."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pytest_spiral.rules.fidelity import shortfall
from pytest_spiral.run.challenge import challenge
from spiral_sandbox.boot.supervisor import host_of
from spiral_sandbox.target import start

SHELL = """
format = 1
name = "shells"
[[component]]
name = "first"
run = ["/bin/sh", "-c", "exit 1"]
check = { kind = "file", path = "{folder}/ready" }
[[component]]
name = "second"
after = ["first"]
run = ["/bin/sh", "-c", "exit 1"]
check = { kind = "file", path = "{folder}/ready" }
[[component]]
name = "third"
after = ["second"]
run = ["/bin/sh", "-c", "exit 1"]
check = { kind = "file", path = "{folder}/ready" }
"""
NONCE = "5e" * 16


def published(reply):
    families = text_string_to_metric_families(Path(reply["metrics"]).read_text())
    return {sample.name: sample.value for family in families for sample in family.samples}


def test_components_come_up_in_order_and_go_down_in_the_reverse_order(drive):
    (reply,) = drive.together([("boot", {})])
    assert (reply["outcome"], reply["first_attempt"]) == ("ready", True)
    events = drive.events(reply)
    at = {(one["event"], one.get("component")): place for place, one in enumerate(events)}
    for name, after in (("fabric", "vault"), ("crown", "vault"), ("operator", "fabric"), ("operator", "crown")):
        assert at["started", name] > at["ready", after]
        assert at["stopped", name] < at["stopping", after]
    assert [one["event"] for one in events][-2:] == ["swept", "boot-ended"]
    assert all(early["ns"] <= late["ns"] for early, late in pairwise(events))


def test_the_nonce_is_in_each_components_own_log(drive):
    (reply,) = drive.together([("boot", {"nonce": NONCE})])
    assert set(reply["started"]) == {"vault", "fabric", "crown", "operator"}
    assert len(set(reply["started"].values())) == 4
    for name, pid in reply["started"].items():
        lines = [json.loads(line) for line in reply["written"][name].splitlines()]
        assert {(one["nonce"], one["pid"], one["component"]) for one in lines} == {(NONCE, pid, name)}


@pytest.mark.parametrize("nonce", ["short", "ab" * 40, 'ab"} evil ' * 2, "AB" * 16])
def test_a_nonce_is_hexadecimal(drive, nonce):
    with pytest.raises(ValueError, match="hexadecimal digits"):
        drive.together([("boot", {"nonce": nonce})])


def test_boots_side_by_side_do_not_disturb_each_other(drive):
    (reply,) = drive.together([("run", {"boots": 12, "at_once": 6, "run": "r1"})])
    assert reply["run"] == "r1"
    assert [one["boot"] for one in reply["boots"]] == list(range(1, 13))
    assert all(one["first_attempt"] for one in reply["boots"])
    assert len({host_of(one["nonce"]) for one in reply["boots"]}) == 12
    assert drive.left == []


def test_what_waits_for_a_failed_component_is_not_started(drive):
    reply = drive.boot(SHELL)
    places = {name: one["outcome"] for name, one in reply["components"].items()}
    assert places == {"first": "failed", "second": "not-started", "third": "not-started"}
    assert (reply["outcome"], reply["reason"]) == ("failed", "first: died")
    assert [one["component"] for one in drive.events(reply) if one["event"] == "started"] == ["first"]


def test_the_metrics_of_clean_boots(drive):
    (reply,) = drive.together([("run", {"boots": 3})])
    said = published(reply)
    took_ms = sum(one["took_ms"] for one in reply["boots"])
    assert said.pop("razar_boot_total_time_seconds") == pytest.approx(took_ms / 1000)
    assert said.pop("razar_boot_run_time_seconds") > 1.7e9
    assert said == {
        "razar_boot_first_attempt_success_total": 12,
        "razar_boot_retry_total": 0,
        "razar_boot_success_rate": 1,
        "razar_boot_component_total": 12,
        "razar_boot_component_success_total": 12,
        "razar_boot_component_failure_total": 0,
        "razar_boot_sequence_total": 3,
        "razar_boot_sequence_first_attempt_total": 3,
        "razar_boot_run_info": 1,
    }


@pytest.mark.parametrize(
    ("fault", "first", "retries", "held", "rate"),
    [("exits-0", 6, 2, 8, 1.0), ("dead-but-healthy", 4, 0, 4, 0.5)],
)
def test_the_metrics_of_faulty_boots(drive, fault, first, retries, held, rate):
    (reply,) = drive.together([("run", {"boots": 2})], [f"boot.{fault}"])
    said = published(reply)
    names = ("first_attempt_success_total", "retry_total", "component_success_total", "success_rate")
    assert [said[f"razar_boot_{name}"] for name in names] == [first, retries, held, rate]
    assert said["razar_boot_component_failure_total"] == 8 - held
    assert said["razar_boot_sequence_first_attempt_total"] == 0


def test_each_run_publishes_its_own_metrics_unless_the_fault_keeps_the_first(drive):
    for name, faults, told in (("one", (), "one"), ("two", (), "two"), ("three", ("boot.stale-metrics",), "two")):
        (reply,) = drive.together([("run", {"boots": 1, "run": name})], faults)
        assert f'run_id="{told}"' in Path(reply["metrics"]).read_text()


@pytest.mark.parametrize(
    ("op", "given", "words"),
    [
        ("reboot", {}, "no operation 'reboot'; it has run, boot, drill, faults"),
        ("run", {"boots": 0}, "1 to 10000 boots"),
        ("run", {"boots": 1, "at_once": 0}, "1 to 64 at once"),
        ("drill", {"fault": "hangs", "component": "crown"}, "'crown' is no component of the drills"),
        ("drill", {"fault": "hang", "component": "lone"}, "no fault 'hang'"),
        ("boot", {"manifest": "/no/such.toml"}, "cannot be read"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(drive, op, given, words):
    with pytest.raises((ValueError, RuntimeError)) as caught:
        drive.together([(op, given)])
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_two_faults_at_once_are_refused(drive):
    with pytest.raises(ValueError, match="one fault at a time"):
        drive.together([("faults", {})], ["boot.hangs", "boot.slow"])


def test_the_faults_of_a_drill_can_be_listed(drive):
    assert "port-taken" in drive.together([("faults", {})])[0]


class Stub:
    """What claims to boot: it has an answer for every nonce, and one that was true once."""

    name = "boot"

    def __init__(self, answer):
        self._answer = answer

    def ask(self, _op, *, nonce):
        return self._answer(nonce)


def test_a_boot_is_challenged_by_its_nonce_and_a_stub_is_found_out(tmp_path):
    sandbox = start([], seed=1, folder=tmp_path)
    try:
        honest = challenge(sandbox.component("boot"), NONCE)
    finally:
        sandbox.stop()
    assert shortfall(honest) == ""
    assert set(honest.answers["started"]) == {"vault", "fabric", "crown", "operator"}
    replayed = challenge(Stub(lambda _nonce: honest.answers), "6f" * 16)
    assert "nonce is not in the log of crown, fabric, operator, vault" in shortfall(replayed)
    silent = challenge(Stub(lambda _nonce: {"outcome": "ready", "started": {}, "written": {}}), NONCE)
    assert "started no component" in shortfall(silent)
    assert shortfall(challenge(Stub(lambda _nonce: {}), NONCE))
