"""A1: boots succeed at the first attempt, and the telemetry says so truly."""

import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

RUNS = 3
DEADLINE_S = 600.0
FAULTS = ("dies-at-start", "exits-0", "hangs", "unhealthy", "slow", "dies-after-ready", "port-taken")

# What each policy of the drills promises, for a fault in so many attempts: outcome of the boot, who holds the place,
# attempts that were made. `steady` may try three times, `spared` has a standby, `lone` has neither.
POLICIES = {
    ("steady", 1): ("ready", "steady", 2),
    ("steady", 3): ("failed", "steady", 3),
    ("spared", 1): ("failed-over", "spared-reserve", 2),
    ("lone", 1): ("failed", "lone", 1),
}


@pytest.mark.criterion("A1.environment-validated")
def test_the_environment_is_what_the_profile_declares(spiral, hardware_profile):
    """Every fact that the declared profile states holds here, and each of its environment checks passes."""
    checked = hardware_profile.validate()
    with spiral.measure("environment") as m:
        for one in checked:
            spiral.attach(one.evidence, name=f"{one.name}.txt")
            m.check(one.passed, f"{one.name}: {one.evidence}")


@pytest.mark.criterion("A1.first-attempt", "A1.telemetry")
def test_boots_succeed_at_the_first_attempt(spiral):
    """Three runs of boots, one after the other, each judged alone and each with telemetry of its own."""
    for _ in range(RUNS):
        with spiral.rehearsal():
            name, before = uuid.uuid4().hex, time.time()
            with spiral.measure("first-attempt") as m:
                run = boots(spiral.target.boot, m, run=name)
            spiral.attach(Path(run["log"]), name=f"boot-{name}.jsonl")
            spiral.attach(Path(run["metrics"]), name="boot_metrics.prom")
            check_telemetry(spiral, run, name, before)


@pytest.mark.criterion("A1.gate-hardware")
def test_boots_succeed_on_the_gate_runner(spiral):
    """The same three runs on the machine that decides."""
    for _ in range(RUNS):
        with spiral.rehearsal(), spiral.measure("first-attempt-on-runner") as m:
            boots(spiral.target.boot, m)


def boots(boot, measure, run="", planned=0):
    """Boot as often as the plan says; each boot is a sample, read from the boot log and not from the reply."""
    made = boot.ask("run", boots=planned or measure.planned, run=run, _deadline=DEADLINE_S)
    _, *lines = read_log(made["log"])
    for number, events in sorted(by_boot(lines).items()):
        tried_again = [one["why"] for one in events if one["event"] == "attempt-failed"]
        outcome = events[-1].get("outcome", "without an end")
        measure.check(outcome == "ready" and not tried_again, f"boot {number} is {outcome}: {'; '.join(tried_again)}")
    return made


def read_log(path):
    """The lines of a boot log."""
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def by_boot(lines):
    """The events of each boot, in their order."""
    found = {}
    for line in lines:
        found.setdefault(line["boot"], []).append(line)
    return found


def check_telemetry(spiral, run, name, before):
    """What was published, beside what the boot log says, figure by figure; and both are of this run."""
    head, *lines = read_log(run["log"])
    published = {}
    for family in text_string_to_metric_families(Path(run["metrics"]).read_text(encoding="utf-8")):
        for sample in family.samples:
            published[sample.name] = sample.labels.get("run_id", sample.value)
    with spiral.measure("published") as said, spiral.measure("recomputed") as found:
        for figure, value in recomputed(head, lines).items():
            found.item(figure, value)
        for figure, value in published.items():
            said.item(figure, value)
    with spiral.measure("own-run") as own:
        own.check(published.get("razar_boot_run_info") == name, "boot_metrics.prom is of another run")
        written = published.get("razar_boot_run_time_seconds", 0.0)
        own.check(before <= written <= time.time(), f"boot_metrics.prom says {written}, outside of this run")


def recomputed(head, lines):
    """The figures of a run from what happened in it, line by line; no total that the system has made is used."""
    total = held = first = retries = whole = took_ns = 0
    for events in by_boot(lines).values():
        begun = next(one for one in events if one["event"] == "boot-begun")
        settled = next(one for one in events if one["event"] == "settled")
        ends = {name: ended(name, events) for name in begun["components"]}
        at_first = [name for name, (is_up, failures) in ends.items() if is_up and not failures]
        total, first = total + len(ends), first + len(at_first)
        held += sum(is_up for is_up, _ in ends.values())
        retries += sum(one["event"] == "retry" for one in events)
        whole += len(at_first) == len(ends)
        took_ns += settled["ns"] - begun["ns"]
    return {
        "razar_boot_first_attempt_success_total": first,
        "razar_boot_retry_total": retries,
        "razar_boot_total_time_seconds": took_ns / 1e9,
        "razar_boot_success_rate": held / total,
        "razar_boot_component_total": total,
        "razar_boot_component_success_total": held,
        "razar_boot_component_failure_total": total - held,
        "razar_boot_sequence_total": head["boots"],
        "razar_boot_sequence_first_attempt_total": whole,
        "razar_boot_run_time_seconds": head["at"] / 1e9,
        "razar_boot_run_info": head["run"],
    }


def ended(name, events):
    """Whether a component's place was held in the end, by itself or its standby, and how many attempts had failed."""
    names = {name} | {one["to"] for one in events if one["event"] == "failed-over" and one["component"] == name}
    own = [one["event"] for one in events if one.get("component") in names]
    turns = [event for event in own if event in ("ready", "attempt-failed", "failed", "not-started")]
    return turns[-1:] == ["ready"], turns.count("attempt-failed")


@pytest.mark.criterion("A1.failover")
def test_faults_come_out_as_the_policy_says(spiral):
    """Each fault under each policy: retried, failed over or reported as failed, within the policy's own time."""
    boot = spiral.target.boot
    cases = [(fault, *case) for fault in FAULTS for case in POLICIES.items()]
    with ThreadPoolExecutor(max_workers=len(FAULTS)) as pool:
        drilled = list(pool.map(lambda case: drill(boot, *case), cases))
    with spiral.measure("outcomes") as outcomes, spiral.measure("time-used", unit="%") as used:
        for came, promised, report, seconds in drilled:
            outcomes.check(came == promised, f"{report['why']}: {came}, promised {promised}")
            used.value(100 * seconds / report["limit_s"])


def drill(boot, fault, policy, promised):
    """One drill, timed from outside: what it came to, what was promised, the report, and how long it took."""
    component, attempts = policy
    begun = time.monotonic()
    report = boot.ask("drill", fault=fault, component=component, attempts=attempts)
    seconds = time.monotonic() - begun
    place = report["components"][component]
    came = (report["outcome"], place["by"], place["attempts"])
    return came, promised, {**report, "why": f"{fault} in {attempts} attempts of {component}"}, seconds


@pytest.mark.criterion("A1.control")
def test_a_dead_component_is_found_out(spiral):
    """A boot with a dead component, whose health check is `exit 0`, is not called a boot at the first attempt."""
    with spiral.control() as dead, spiral.measure("first-attempt") as m:
        boots(dead.boot, m, planned=20)
