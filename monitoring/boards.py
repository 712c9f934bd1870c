"""The Grafana boards, made from code: `python monitoring/boards.py` writes them into `monitoring/boards/`.

With `--check` nothing is written, and the exit status is 1 where a board differs from what would be; `--outline` prints
what is on each board. Data source and environment are variables of a board; neither is fixed in it.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.builders import dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.builders.common import LineStyle
from grafana_foundation_sdk.builders.dashboard import DatasourceVariable, QueryVariable, Row, ThresholdsConfig
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataSourceRef,
    DynamicConfigValue,
    Threshold,
    ThresholdsMode,
    VariableOption,
    VariableRefresh,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

FOLDER = Path(__file__).parent / "boards"
SOURCE = DataSourceRef(type_val="prometheus", uid="${source}")
HERE = 'environment=~"$environment"'
REST, GRPC = f'transport="rest",{HERE}', f'transport="grpc",{HERE}'
RATE = "[$__rate_interval]"
LATENCY = "operator_api_transport_latency_ms"
ERRORS = "operator_api_transport_errors_total"
FALLBACKS = "operator_api_transport_fallback_total"
GATEWAY = "operator_mcp"
HEARTBEATS = f"{GATEWAY}_heartbeats_total"
SEARCH, INIT = "neoabzu_vector_search", "neoabzu_vector_init"

Query = tuple[str, str]
"""An expression, and the legend of its series."""


def quantile(share: float, name: str, where: str, by: str = "environment, operation") -> str:
    """A quantile over merged buckets: quantiles are never averaged."""
    return f"histogram_quantile({share}, sum by ({by}, le) (rate({name}_bucket{{{where}}}{RATE})))"


def per_second(name: str, by: str, where: str = HERE) -> str:
    """How often something happens, added up over instances."""
    return f"sum by ({by}) (rate({name}{{{where}}}{RATE}))"


def targets(queries: Sequence[Query], *, instant: bool = False, as_table: bool = False) -> list[prometheus.Dataquery]:
    """The queries of a panel, by letters from A."""
    made = []
    for letter, (expression, legend) in zip("ABCDEFGH", queries, strict=False):
        query = prometheus.Dataquery().ref_id(letter).datasource(SOURCE).expr(expression).legend_format(legend)
        if as_table:
            query.format(PromQueryFormat.TABLE)
        made.append(query.instant() if instant else query.range())
    return made


def steps(*colours: tuple[float | None, str]) -> ThresholdsConfig:
    """From which value on a panel has which colour."""
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps([Threshold(value, name) for value, name in colours])


def chart(title: str, says: str, unit: str, *queries: Query, wide: int = 12, baseline: str = "") -> Any:
    """Lines over time. Series whose legend begins with `baseline` are dashed: what the others are held against."""
    panel = timeseries.Panel().title(title).description(says).datasource(SOURCE).unit(unit).targets(targets(queries))
    if baseline:
        dashes = LineStyle().fill("dash").dash([8, 6]).build()
        # Between slashes: Grafana takes anything else for the whole name.
        panel.override_by_regexp(f"/^{baseline}/", [DynamicConfigValue("custom.lineStyle", dashes)])
    return panel.min(0).span(wide).height(8)


def figure(title: str, says: str, unit: str, *queries: Query, colours: ThresholdsConfig, wide: int = 6) -> Any:
    """The newest value. Where there is none the panel says so: nothing is not zero."""
    panel = stat.Panel().title(title).description(says).datasource(SOURCE).unit(unit).no_value("no data")
    return panel.targets(targets(queries, instant=True)).thresholds(colours).span(wide).height(6)


def listing(title: str, says: str, *queries: Query, wide: int = 12) -> Any:
    """Series as rows."""
    panel = table.Panel().title(title).description(says).datasource(SOURCE).no_value("none")
    return panel.targets(targets(queries, instant=True, as_table=True)).span(wide).height(6)


def board(title: str, uid: str, says: str, seen: str) -> dashboard.Dashboard:
    """An empty board with its two variables; `seen` is a metric by which environments are found."""
    environments = QueryVariable("environment").label("Environment").datasource(SOURCE).multi(multi=True)
    environments.query(f"label_values({seen}, environment)").refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
    environments.include_all(include_all=True).all_value(".*").current(VariableOption(text="All", value="$__all"))
    made = dashboard.Dashboard(title).uid(uid).description(says).tags(["spiral"]).readonly()
    made.timezone("utc").time("now-1h", "now").refresh("30s").tooltip(DashboardCursorSync.CROSSHAIR)
    return made.variables([DatasourceVariable("source").label("Source").type("prometheus"), environments])


def add_row(made: dashboard.Dashboard, title: str, panels: Sequence[Any]) -> None:
    """Put panels below a heading, from left to right."""
    made.with_row(Row(title))
    for panel in panels:
        made.with_panel(panel)


OPERATION = "{{environment}} {{operation}}"
RED_BELOW_ONE = steps((None, "red"), (1, "green"))
RED_FROM_ONE = steps((None, "green"), (1, "red"))
PLAIN = steps((None, "text"))


def alive() -> list[Any]:
    """Whether hearts beat and metrics come."""
    clock = f"{GATEWAY}_clock_timestamp_seconds{{{HERE}}}"
    newest = f"{GATEWAY}_heartbeat_timestamp_seconds{{{HERE}}}"
    expiry = f"{GATEWAY}_session_expiry_timestamp_seconds{{{HERE}}}"
    connector = "{{environment}} {{connector}}"
    return [
        figure(
            "Heartbeats in two minutes",
            "Accepted heartbeats of each connector. One is due every 30 s; none is an alert.",
            "short",
            (f"sum by (environment, connector) (increase({HEARTBEATS}{{{HERE}}}[2m]))", connector),
            colours=RED_BELOW_ONE,
            wide=8,
        ),
        figure(
            "Scraped",
            "1: Prometheus reads this job's metrics. Without them every other panel is about the past.",
            "short",
            (f'min by (environment, job) (up{{job=~"spiral-.+",{HERE}}})', "{{environment}} {{job}}"),
            colours=RED_BELOW_ONE,
            wide=8,
        ),
        listing(
            "Alerts", "Alerts of the rules beside this board.", (f'ALERTS{{alertname=~"Spiral.+",{HERE}}}', ""), wide=8
        ),
        figure(
            "Age of the newest heartbeat",
            "By the gateway's own clock, which in the sandbox is virtual. One is due every 30 s.",
            "s",
            (f"{clock} - ignoring (connector) group_right () {newest}", connector),
            colours=steps((None, "green"), (60, "red")),
            wide=8,
        ),
        figure(
            "Latency of the newest heartbeat",
            "From reading it to counting it. A connector that is missing here tells none, which is an alert.",
            "s",
            (f"{GATEWAY}_heartbeat_latency_seconds{{{HERE}}}", connector),
            colours=PLAIN,
            wide=8,
        ),
        figure(
            "Time left to the newest session",
            "Until its credential ends, by the gateway's own clock.",
            "s",
            (f"{expiry} - ignoring (connector) group_left () {clock}", connector),
            colours=steps((None, "red"), (3600, "green")),
            wide=8,
        ),
    ]


def latencies() -> list[Any]:
    """How long calls take over each transport."""
    rest, grpc = quantile(0.95, LATENCY, REST), quantile(0.95, LATENCY, GRPC)
    return [
        chart(
            "95th percentile of latency",
            "In the server, from merged buckets. Refused calls are not in it: they are quick, and would flatter.",
            "ms",
            (rest, f"rest {OPERATION}"),
            (grpc, f"grpc {OPERATION}"),
            baseline="rest",
        ),
        chart(
            "Latency of gRPC as a multiple of REST's",
            "95th percentiles, one divided by the other. 1 is the same.",
            "short",
            (f"{grpc} / {rest}", OPERATION),
        ),
    ]


def outcomes() -> list[Any]:
    """How many calls there are over each transport, and what becomes of them."""
    counted, by, both = f"{LATENCY}_count", "environment, operation", "environment, operation, transport"
    return [
        chart(
            "Calls per second that were not refused",
            "A transport that nobody calls proves nothing about parity. Refused calls are among the errors.",
            "reqps",
            (per_second(counted, by, REST), f"rest {OPERATION}"),
            (per_second(counted, by, GRPC), f"grpc {OPERATION}"),
            baseline="rest",
        ),
        chart(
            "Share of calls that failed by the server's fault",
            "Of those not refused, over 30 minutes; what the alert for broken parity compares.",
            "percentunit",
            (f"spiral:fault_share:increase30m{{{REST}}}", f"rest {OPERATION}"),
            (f"spiral:fault_share:increase30m{{{GRPC}}}", f"grpc {OPERATION}"),
            baseline="rest",
        ),
        chart(
            "Errors per second by reason",
            "validation and permission are the caller's, handshake and exception ours.",
            "reqps",
            (per_second(ERRORS, f"{both}, reason"), f"{{{{transport}}}} {OPERATION} {{{{reason}}}}"),
            baseline="rest",
        ),
        chart(
            "Fallbacks per second",
            "Calls that took the way over REST because gRPC failed. With fallbacks, REST is compared with itself.",
            "reqps",
            (per_second(FALLBACKS, both), f"{{{{transport}}}} {OPERATION}"),
        ),
    ]


def budget() -> list[Any]:
    """How much of the error budget is used."""
    return [
        chart(
            "How fast the budget burns",
            "Share of faults as a multiple of the 1 % that the budget allows. 1 uses it up in just 30 days. "
            "Refused calls are no calls here.",
            "short",
            (f"spiral:fault_share:rate1h{{{HERE}}} / 0.01", "1 h {{environment}}"),
            (f"spiral:fault_share:rate6h{{{HERE}}} / 0.01", "6 h {{environment}}"),
            wide=24,
        )
    ]


def memory() -> list[Any]:
    """The vector store."""
    return [
        chart(
            "95th percentile of search",
            "Searches that succeeded; the contract has no label for the transport here.",
            "s",
            (quantile(0.95, f"{SEARCH}_latency_seconds", HERE, "environment"), "search {{environment}}"),
            (quantile(0.95, f"{INIT}_latency_seconds", HERE, "environment"), "init {{environment}}"),
            wide=8,
        ),
        chart(
            "Searches per second",
            "All, and those that succeeded.",
            "reqps",
            (per_second(f"{SEARCH}_total", "environment"), "all {{environment}}"),
            (per_second(f"{SEARCH}_latency_seconds_count", "environment"), "succeeded {{environment}}"),
            (per_second(f"{INIT}_total", "environment"), "init {{environment}}"),
            wide=8,
        ),
        figure(
            "Items stored",
            "In the vector store.",
            "short",
            (f"sum by (environment) (neoabzu_vector_store_size{{{HERE}}})", "{{environment}}"),
            colours=PLAIN,
            wide=8,
        ),
    ]


def told(name: str) -> str:
    """A figure of the newest run of boots."""
    return f"razar_boot_{name}{{{HERE}}}"


def newest_run() -> list[Any]:
    """How the newest run of boots went, and how old it is."""
    return [
        figure(
            "Components that came up",
            "Share of components that were ready in the end, standbys included. The roadmap asks for 95 %.",
            "percentunit",
            (told("success_rate"), "{{environment}}"),
            colours=steps((None, "red"), (0.95, "green")),
        ),
        figure(
            "Boots at the first attempt",
            "Share of boots in which every component was ready at its first attempt.",
            "percentunit",
            (f"{told('sequence_first_attempt_total')} / {told('sequence_total')}", "{{environment}}"),
            colours=steps((None, "red"), (0.95, "green")),
        ),
        figure(
            "Age of the run",
            "Since the run began. Old telemetry is not new: a green figure of last month says nothing of today.",
            "s",
            (f"time() - {told('run_time_seconds')}", "{{environment}}"),
            colours=steps((None, "green"), (7 * 86400, "red")),
        ),
        listing("Which run", "The run's id, to find its bundle by.", (told("run_info"), ""), wide=6),
        figure(
            "Components",
            "To be booted, ready in the end, ready at the first attempt.",
            "short",
            (told("component_total"), "all {{environment}}"),
            (told("component_success_total"), "ready {{environment}}"),
            (told("first_attempt_success_total"), "at first {{environment}}"),
            colours=PLAIN,
            wide=12,
        ),
        figure(
            "Components that did not come up",
            "Not ready in the end, or never started.",
            "short",
            (told("component_failure_total"), "{{environment}}"),
            colours=RED_FROM_ONE,
        ),
        figure(
            "Retries",
            "Attempts after a component's first one.",
            "short",
            (told("retry_total"), "{{environment}}"),
            colours=RED_FROM_ONE,
        ),
    ]


def runs() -> list[Any]:
    """Run after run."""
    return [
        chart(
            "Share of components that came up",
            "A step is another run.",
            "percentunit",
            (told("success_rate"), "{{environment}}"),
        ),
        chart(
            "Seconds for one boot",
            "Mean over the run: the file tells no more than the sum.",
            "s",
            (f"{told('total_time_seconds')} / {told('sequence_total')}", "{{environment}}"),
        ),
    ]


def transport() -> dashboard.Dashboard:
    """The transport board: REST is the baseline, gRPC is held against it."""
    made = board(
        "Spiral: transports",
        "spiral-transport",
        "Is it alive, and does gRPC do what REST does? REST is dashed.",
        f"{LATENCY}_count",
    )
    add_row(made, "Is it alive?", alive())
    add_row(made, "gRPC against REST", latencies() + outcomes())
    add_row(made, "Error budget", budget())
    add_row(made, "Memory", memory())
    return made


def boot() -> dashboard.Dashboard:
    """The boot board: the newest run of boots, and the runs before it."""
    made = board(
        "Spiral: boots",
        "spiral-boot",
        "The newest run of boots as boot_metrics.prom tells it, and how runs went before.",
        "razar_boot_run_time_seconds",
    )
    add_row(made, "The newest run", newest_run())
    add_row(made, "Run after run", runs())
    return made


def boards() -> dict[str, str]:
    """Every board by the name of its file, as JSON with sorted keys."""
    made = {"transport.json": transport(), "boot.json": boot()}
    return {
        name: json.dumps(whole(one), sort_keys=True, indent=2, ensure_ascii=False) + "\n" for name, one in made.items()
    }


def whole(made: dashboard.Dashboard) -> dict[str, Any]:
    """A board with what the builders leave to whoever loads it: each panel has a number, and no key that says nothing."""
    document: dict[str, Any] = json.loads(json.dumps(made.build(), cls=JSONEncoder))
    panels = ({key: value for key, value in panel.items() if value is not None} for panel in document["panels"])
    document["panels"] = [{**panel, "id": number} for number, panel in enumerate(panels, start=1)]
    return document


def outline(document: dict[str, Any]) -> Iterator[str]:
    """A board as text: its rows, its panels from left to right, what each asks for."""
    yield f"{document['title']} ({document['uid']})"
    for panel in document["panels"]:
        if panel["type"] == "row":
            yield f"  {panel['title']}"
            continue
        place = panel["gridPos"]
        yield f"    {panel['title']} [{panel['type']}, {place['w']} of 24 wide, at {place['x']}:{place['y']}]"
        yield from (f"      {query['refId']}: {query['expr']}" for query in panel["targets"])


def main(arguments: list[str]) -> int:
    """Write the boards, check them, or print what is on them."""
    made = boards()
    if arguments == ["--outline"]:
        print("\n".join(line for text in made.values() for line in outline(json.loads(text))))
        return 0
    if arguments == ["--check"]:
        stale = [name for name, text in made.items() if (FOLDER / name).read_text(encoding="utf-8") != text]
        print(f"not what boards.py makes: {', '.join(stale)}" if stale else "boards are current")
        return 1 if stale else 0
    for name, text in made.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
