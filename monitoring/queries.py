"""What boards and rules ask of Prometheus, and what can be wrong with it before any Prometheus is there.

A PromQL expression that parses may still name a metric that nobody emits, or lose the label `environment` on its way, and
then be silent for ever. Both are looked for here.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import promql_parser as promql
import yaml

HERE = Path(__file__).parent
MADE_BY_PROMETHEUS = {"up", "ALERTS"}
"""Series that Prometheus makes by itself: whether a target could be scraped, and the alerts of its rules."""

LABELS_OF_SCRAPING = {"job", "instance", "environment", "alertname"}
"""Labels that no exposition has: the scraper or a rule adds them."""

_SET_OPERATORS = {"and", "or", "unless"}
_LABELS_LOST = {"absent", "absent_over_time", "scalar"}


class Query(NamedTuple):
    """One expression, and where it stands; `records` is the series that a recording rule makes of it, or empty."""

    where: str
    text: str
    records: str = ""


def rule_queries(folder: Path = HERE / "rules") -> Iterator[Query]:
    """Every expression of every rule file."""
    for path in sorted(folder.glob("*.yml")):
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            for rule in group["rules"]:
                name = rule.get("alert") or rule["record"]
                yield Query(f"{path.name} {name}", rule["expr"], rule.get("record", ""))


def board_queries(folder: Path = HERE / "boards") -> Iterator[Query]:
    """Every expression of every board, its variables replaced by what Grafana may put there."""
    for path in sorted(folder.glob("*.json")):
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
            for target in panel.get("targets", []):
                text = target["expr"].replace("$__rate_interval", "1m").replace("$environment", ".*")
                yield Query(f"{path.name} {panel['title']} {target['refId']}", text)


def parts(text: str) -> list[promql.Expr]:
    """The expression and everything in it; ValueError where it does not parse."""
    found: list[promql.Expr] = []
    promql.walk(promql.parse(text), found.append)
    return found


def selectors(text: str) -> Iterator[Any]:
    """Every choice of series in an expression."""
    for one in parts(text):  # that of a range is visited too
        if isinstance(one, promql.VectorSelector):
            yield one


def names(text: str) -> set[str]:
    """The series that an expression names; one that is chosen in another way than by its name gives an empty name."""
    return {one.name or "" for one in selectors(text)}


def labels(text: str) -> set[str]:
    """The labels that an expression names, in whatever way."""
    found = {matcher.name for one in selectors(text) for matcher in one.matchers.matchers}
    for one in parts(text):
        if isinstance(one, promql.AggregateExpr) and one.modifier is not None:
            found |= set(one.modifier.labels)
        if isinstance(one, promql.BinaryExpr) and one.modifier is not None and one.modifier.matching is not None:
            found |= set(one.modifier.matching.labels)
    return found


def environment_flaws(text: str) -> list[str]:
    """Why a rule would not do the same under another value of `environment`; nothing for a good one.

    It must not choose by the label, and must not lose it: an alert has to say where.
    """
    found = [
        f"chooses by environment: {one}"
        for one in selectors(text)
        if any(matcher.name == "environment" for matcher in one.matchers.matchers)
    ]
    for one in parts(text):
        if isinstance(one, promql.AggregateExpr) and not _aggregate_keeps(one):
            found.append(f"adds environments up: {one}")
        if isinstance(one, promql.BinaryExpr) and not _operator_keeps(one):
            found.append(f"matches across environments: {one}")
        if isinstance(one, promql.Call) and one.func.name in _LABELS_LOST:
            found.append(f"loses the labels: {one}")
    return found


def _aggregate_keeps(one: Any) -> bool:
    if one.modifier is None:
        return False
    by = one.modifier.type == promql.AggModifierType.By
    return bool(("environment" in one.modifier.labels) == by)


def _operator_keeps(one: Any) -> bool:
    # `and`, `or` and `unless` keep all labels of the left side, whatever they match on.
    if one.modifier is None or one.modifier.matching is None or str(one.op) in _SET_OPERATORS:
        return True
    on = one.modifier.matching.type == promql.LabelModifierType.Include
    return bool(("environment" in one.modifier.matching.labels) == on)
