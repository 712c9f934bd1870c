"""`boot_metrics.prom`: what a run of boots published, in Prometheus' text format.

Names are the operator contract's; `razar_boot_run_info` and `razar_boot_run_time_seconds` are what it lacks, and the
two `razar_boot_sequence_…` count whole boots, where the others count components. All are gauges, as there: each file
is about one run.
"""

from collections.abc import Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from spiral_sandbox.boot.seats import Report

_HELP = {
    "razar_boot_first_attempt_success_total": "Components that were ready at their first attempt.",
    "razar_boot_retry_total": "Attempts after a component's first one.",
    "razar_boot_total_time_seconds": "Seconds from each boot's begin to its outcome, all boots added up.",
    "razar_boot_success_rate": "Share of components that were ready in the end, standbys included.",
    "razar_boot_component_total": "Components that were to be booted.",
    "razar_boot_component_success_total": "Components that were ready in the end, standbys included.",
    "razar_boot_component_failure_total": "Components that were not ready in the end, or never started.",
    "razar_boot_sequence_total": "Boots of the run.",
    "razar_boot_sequence_first_attempt_total": "Boots in which every component was ready at its first attempt.",
    "razar_boot_run_time_seconds": "When the run began, in seconds since 1970.",
}


def figures(reports: Sequence[Report], began_ns: int) -> dict[str, float]:
    """The figures of a run by their names. A run of no component has a success rate of 0."""
    seats = [seat for report in reports for seat in report.seats]
    held = sum(seat.held for seat in seats)
    first = sum(seat.outcome == "ready" and seat.tries == 1 for seat in seats)
    return {
        "razar_boot_first_attempt_success_total": first,
        "razar_boot_retry_total": sum(report.retries for report in reports),
        "razar_boot_total_time_seconds": sum(report.took_ns for report in reports) / 1e9,
        "razar_boot_success_rate": held / len(seats) if seats else 0.0,
        "razar_boot_component_total": len(seats),
        "razar_boot_component_success_total": held,
        "razar_boot_component_failure_total": len(seats) - held,
        "razar_boot_sequence_total": len(reports),
        "razar_boot_sequence_first_attempt_total": sum(report.at_first_attempt for report in reports),
        "razar_boot_run_time_seconds": began_ns / 1e9,
    }


def publish(path: Path, run: str, values: dict[str, float]) -> None:
    """Write the file as a whole: a reader sees the run before or this one, never half of either."""
    registry = CollectorRegistry()
    for name, value in values.items():
        Gauge(name, _HELP[name], registry=registry).set(value)
    Gauge("razar_boot_run_info", "Which run these figures are of.", ["run_id"], registry=registry).labels(run).set(1)
    write_to_textfile(str(path), registry)
