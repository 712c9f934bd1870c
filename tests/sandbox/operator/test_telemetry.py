"""What the surface tells of its calls: the same names and labels for both transports, and nothing where nothing was."""

import json
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from pytest_spiral.model.exchange import Code

KINDS = ("rest", "grpc")
NAMES = {
    "operator_api_transport_latency_ms",
    "operator_api_transport_errors",
    "operator_api_transport_fallback",
}


@pytest.fixture
def fresh(faulty):
    """A surface that nobody has called yet."""
    return faulty()


def samples(surface):
    """(name, labels) → value of what has happened, as Prometheus would scrape it."""
    return {key: value for key, value in series(surface).items() if value}


def series(surface):
    """(name, labels) → value of everything but buckets."""
    endpoint = surface.component.endpoints["rest"]
    reply = requests.get(
        f"{endpoint['address']}/metrics", verify=endpoint["ca"], cert=(endpoint["cert"], endpoint["key"]), timeout=10
    )
    assert reply.headers["content-type"].startswith("text/plain; version=")
    families = list(text_string_to_metric_families(reply.text))
    assert {family.name for family in families} == NAMES
    assert all(family.documentation for family in families)
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families for sample in family.samples if "le" not in sample.labels
    }  # fmt: skip


def spans(surface):
    """Every span with its attributes and events, by name, as the OTLP JSON lines say it."""
    files = surface.ask("telemetry")
    found = []
    for line in Path(files["spans"]).read_text().splitlines():
        for resource in json.loads(line)["resourceSpans"]:
            for scope in resource["scopeSpans"]:
                found += scope["spans"]
    return [
        (
            span["name"],
            {one["key"]: next(iter(one["value"].values())) for one in span["attributes"]},
            [event["name"] for event in span.get("events", [])],
        )
        for span in found
    ]


def test_every_series_is_there_before_anything_has_happened(fresh):
    told = series(fresh)
    assert set(told.values()) == {0}
    pairs = {tuple(dict(labels)[label] for label in ("operation", "transport")) for _, labels in told}
    served = ("dispatch_command", "memory_query", "handover", "upload")
    assert pairs == {(name, kind) for name in served for kind in KINDS} | {("status", "rest")}
    assert {dict(labels)["reason"] for name, labels in told if name == "operator_api_transport_errors_total"} == {
        "validation", "permission", "handshake", "exception",
    }  # fmt: skip


def test_both_transports_tell_the_same_with_the_same_labels(fresh):
    """Every error of the table, over both; then the labels differ in the transport alone."""
    for kind in KINDS:
        fresh.call(kind, "dispatch_command", fresh.command("fine"))
        fresh.call(kind, "dispatch_command", {})
        fresh.call(kind, "dispatch_command", fresh.command("x", agent="nobody"))
        fresh.call(kind, "memory_query", {"query": "fine"}, token=None)
        fresh.call(kind, "handover", {})
        fresh.call(kind, "upload", fresh.upload(("a", b"1"), operator="auditor"))
    told = samples(fresh)
    by_kind = {
        kind: {
            (name, tuple(label for label in labels if label[0] != "transport")): value
            for (name, labels), value in told.items() if ("transport", kind) in labels and not name.endswith("_sum")
        }
        for kind in KINDS
    }  # fmt: skip
    assert by_kind["rest"] == by_kind["grpc"]
    assert by_kind["rest"] == {
        ("operator_api_transport_latency_ms_count", (("operation", "dispatch_command"),)): 1,
        ("operator_api_transport_latency_ms_count", (("operation", "handover"),)): 1,
        ("operator_api_transport_errors_total", (("operation", "dispatch_command"), ("reason", "validation"))): 1,
        ("operator_api_transport_errors_total", (("operation", "dispatch_command"), ("reason", "permission"))): 1,
        ("operator_api_transport_errors_total", (("operation", "memory_query"), ("reason", "permission"))): 1,
        ("operator_api_transport_errors_total", (("operation", "upload"), ("reason", "permission"))): 1,
    }


def latencies(surface, kind):
    """How many calls were timed and how long they took together: the histogram of commands over one transport."""
    labels = (("operation", "dispatch_command"), ("transport", kind))
    told = series(surface)
    return [told[f"operator_api_transport_latency_ms_{what}", labels] for what in ("count", "sum")]


@pytest.mark.parametrize("kind", KINDS)
def test_a_flood_of_refusals_leaves_the_latencies_as_they_were(fresh, kind):
    fresh.call(kind, "dispatch_command", fresh.command("carried out"))
    before = latencies(fresh, kind)
    for number in range(20):
        fresh.call(kind, "dispatch_command", {})
        fresh.call(kind, "dispatch_command", fresh.command("no credential"), token=None)
        fresh.call(kind, "dispatch_command", fresh.command("no agent", agent="nobody"))
        fresh.call(kind, "dispatch_command", fresh.command("no key"), idempotency_key=f"{number} {number}")
    assert before[0] == 1
    assert before[1] > 0
    assert latencies(fresh, kind) == before
    told = samples(fresh)
    for reason in ("validation", "permission"):
        labels = (("operation", "dispatch_command"), ("reason", reason), ("transport", kind))
        assert told["operator_api_transport_errors_total", labels] == 40


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_that_failed_by_the_servers_fault_has_a_latency(fresh, kind):
    fresh.ask("agent.hold", agent="crown")
    late = fresh.call(kind, "dispatch_command", fresh.command("late"), x_deadline_ms="50")
    assert late.code is Code.DEADLINE_EXCEEDED
    count, took_ms = latencies(fresh, kind)
    assert count == 1
    assert took_ms >= 50
    labels = (("operation", "dispatch_command"), ("reason", "exception"), ("transport", kind))
    assert samples(fresh)["operator_api_transport_errors_total", labels] == 1


def test_fallbacks_are_counted_where_they_leave_and_where_they_arrive(fresh):
    for kind in KINDS:
        fresh.call(kind, "dispatch_command", fresh.command("straight"))
    fresh.ask("grpc.fail", way="detour")
    fresh.call("grpc", "dispatch_command", fresh.command("detour"))
    fresh.ask("grpc.heal")
    fresh.call("rest", "dispatch_command", fresh.command("by the client"), abzu_fallback="rest")
    told = {key: value for key, value in samples(fresh).items() if "fallback" in key[0]}
    assert told == {
        ("operator_api_transport_fallback_total", (("operation", "dispatch_command"), ("transport", kind))): count
        for kind, count in (("grpc", 1), ("rest", 2))
    }
    engaged = [(name, attributes["fallback"], events) for name, attributes, events in spans(fresh)]
    steps = ["command-ack", "command-progress", "command-progress"]
    assert engaged == [
        ("operator_api.dispatch_command", False, steps),
        ("operator_api.grpc.dispatch_command", False, steps),
        ("operator_api.dispatch_command", True, ["rest-fallback-engaged", *steps]),
        ("operator_api.grpc.dispatch_command", True, ["fallback-engaged"]),
        ("operator_api.dispatch_command", True, ["rest-fallback-engaged", *steps]),
    ]


def test_a_span_says_who_had_whom_do_what(fresh):
    ids = [fresh.call(kind, "dispatch_command", fresh.command("hold")).payload["command_id"] for kind in KINDS]
    said = {"fallback": False, "operator": "overseer", "agent": "crown", "command": "hold"}
    assert [(name, attributes) for name, attributes, _ in spans(fresh)] == [
        ("operator_api.dispatch_command", {"transport": "rest", **said, "command_id": ids[0]}),
        ("operator_api.grpc.dispatch_command", {"transport": "grpc", **said, "command_id": ids[1]}),
    ]


def test_no_span_and_no_metric_holds_a_credential(fresh):
    token = fresh.token()
    for kind in KINDS:
        fresh.call(kind, "dispatch_command", fresh.command("x"))
        assert fresh.call(kind, "dispatch_command", {}).code is Code.INVALID_ARGUMENT
    folder = fresh.component.log.with_name("operator")
    files = fresh.ask("telemetry")
    for path in (Path(files["spans"]), Path(files["metrics"]), fresh.component.log, folder / "commands.jsonl"):
        assert token not in path.read_text()


def test_each_failure_of_grpc_is_counted(fresh):
    labels = (("operation", "dispatch_command"), ("reason", "exception"), ("transport", "grpc"))
    for number, way in enumerate(("unavailable", "internal", "deadline", "reset-mid-stream"), start=1):
        fresh.ask("grpc.fail", way=way)
        fresh.call("grpc", "dispatch_command", fresh.command("x"), seconds=1 if way == "deadline" else 5)
        assert samples(fresh)["operator_api_transport_errors_total", labels] == number


def test_at_the_end_everything_is_on_disk(tmp_path, faulty):
    surface = faulty("operator.slow-rest")
    surface.call("rest", "handover", {})
    folder = surface.component.log.with_name("operator")
    surface.close()
    surface.component.close()
    surface.component.reap()
    assert b'"operator_api.handover"' in (folder / "spans.jsonl").read_bytes()
    assert 'operation="handover",transport="rest"} 1.0' in (folder / "operator.prom").read_text()
