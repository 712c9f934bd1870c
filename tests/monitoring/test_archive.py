"""The sandbox's telemetry in a bundle: every metric and span of the contract, under the seal."""

import json

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pytest_spiral.run.verify import verify_bundle

CONTRACT = {
    "operator": {
        "operator_api_transport_latency_ms": "histogram",
        "operator_api_transport_errors": "counter",
        "operator_api_transport_fallback": "counter",
    },
    "memory": {
        "neoabzu_vector_init_latency_seconds": "histogram",
        "neoabzu_vector_search_latency_seconds": "histogram",
        "neoabzu_vector_init": "counter",
        "neoabzu_vector_search": "counter",
        "neoabzu_vector_store_size": "gauge",
    },
    "connectors": {
        "operator_mcp_heartbeats": "counter",
        "operator_mcp_heartbeat_timestamp_seconds": "gauge",
        "operator_mcp_heartbeat_latency_seconds": "gauge",
    },
    "boot": {
        "razar_boot_first_attempt_success_total": "gauge",
        "razar_boot_retry_total": "gauge",
        "razar_boot_total_time_seconds": "gauge",
        "razar_boot_success_rate": "gauge",
        "razar_boot_component_total": "gauge",
        "razar_boot_component_success_total": "gauge",
        "razar_boot_component_failure_total": "gauge",
    },
}


def families(bundle, component):
    text = (bundle / "metrics" / f"{component}.prom").read_text(encoding="utf-8")
    return {family.name: family for family in text_string_to_metric_families(text)}


@pytest.mark.parametrize("component", sorted(CONTRACT))
def test_each_metric_of_the_contract_is_archived(bundle, component):
    found = {name: family.type for name, family in families(bundle, component).items()}
    assert CONTRACT[component].items() <= found.items()


def test_what_was_done_is_what_was_archived(bundle, spans):
    stored = families(bundle, "memory")["neoabzu_vector_store_size"].samples[0].value
    assert stored == 50 + 2  # one item of each challenge
    beats = families(bundle, "connectors")["operator_mcp_heartbeats"].samples
    assert [one.value for one in beats] == [1] * 6
    fallbacks = families(bundle, "operator")["operator_api_transport_fallback"].samples
    engaged = {one.labels["transport"]: one.value for one in fallbacks if one.labels["operation"] == "dispatch_command"}
    assert engaged == {"rest": 1, "grpc": 1}
    assert {"operator_api.dispatch_command", "operator_api.grpc.dispatch_command"} <= set(spans)


def test_the_archive_is_attached_and_verified(bundle):
    lines = (bundle / "journal" / "main.jsonl").read_text().splitlines()
    attached = {one["body"]["path"]: one["body"] for one in map(json.loads, lines) if one["kind"] == "attached"}
    for component in CONTRACT:
        assert attached[f"metrics/{component}.prom"]["cut"] == 0
    assert attached["traces/operator/spans.jsonl"]["bytes"] > 0
    assert verify_bundle(bundle).report.outcome == "sound"


def test_no_credential_is_in_the_archive(bundle):
    for path in (*bundle.glob("metrics/*"), *bundle.glob("traces/*/spans.jsonl")):
        assert "earer " not in path.read_text(encoding="utf-8")
