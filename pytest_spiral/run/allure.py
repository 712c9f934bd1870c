"""Allure results of a bundle: one for each criterion, and the verdict's label on the claiming tests' own."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pytest_spiral.evidence.folder import Folder
from pytest_spiral.evidence.store import make_folder, replace, write_once
from pytest_spiral.model.evidence import Evidence
from pytest_spiral.model.judgement import CriterionVerdict, Judgement
from pytest_spiral.render.allure import (
    Page,
    add_outcome_label,
    categories,
    claim_labels,
    criterion_result,
    environment_properties,
)
from pytest_spiral.render.allurerc import allurerc
from pytest_spiral.rules.examination import is_kept

FOLDER = "allure-results"
DOCUMENT_MOST = 2**20
TITLES = {
    "stage_a": "Stage A — alpha gate confidence",
    "stage_b": "Stage B — subsystem hardening",
    "stage_c": "Stage C — alpha exit",
    "stage_d": "Stage D — production bridge",
    "stage_e": "Stage E — transport and beta readiness",
    "grpc_adoption": "gRPC adoption milestone",
}


def write_allure(folder: Path, evidence: Evidence, judgement: Judgement) -> None:
    """Write a result for each criterion, label the tests' own results, and say how to make the page; none is durable yet."""
    results = folder / FOLDER
    make_folder(results)
    page = Page(judgement, evidence.plan, evidence.bundle.gates, evidence.bundle, titles=TITLES)
    _label_tests(results, evidence, judgement, page)
    start = evidence.bundle.opened // 1000
    stop = start + sum(test.duration_ns for test in evidence.tests) // 1_000_000
    for verdict in judgement.criteria:
        over = transports(evidence, verdict.id)
        kept = tuple(_documents(folder, evidence, verdict.id))
        result = criterion_result(verdict, page, start_ms=start, stop_ms=stop, transport=over, kept=kept)
        for name, data in result.attachments:
            write_once(results / name, data, durable=False)
        write_once(results / result.name, result.content, durable=False)
    write_once(
        results / "environment.properties", environment_properties(evidence.bundle, judgement).encode(), durable=False
    )
    write_once(results / "categories.json", json.dumps(categories(), indent=1).encode() + b"\n", durable=False)
    write_once(folder / "allurerc.mjs", allurerc(judgement).encode(), durable=False)


def transports(evidence: Evidence, criterion: str) -> str:
    """The transports over which a criterion's figures were taken, as recorded: `grpc, rest`."""
    own = [one for one in evidence.measurements if criterion in one.criteria or criterion == one.control]
    return ", ".join(sorted({name for one in own if one.control in ("", criterion) for name in one.transports}))


def _documents(folder: Path, evidence: Evidence, criterion: str) -> Iterator[tuple[str, str, str, bytes]]:
    """The document that a person examined, and what they signed; a large one stays where the bundle keeps it.

    Tests may have written the record, and whoever seals can read more than they: nothing is read that is not kept.
    """
    for seen in (one.seen for one in evidence.examinations if one.seen.criterion == criterion):
        if seen.bytes <= DOCUMENT_MOST and is_kept(seen, evidence.attached):
            with Folder(folder) as opened:
                yield seen.document, "text/plain", "txt", opened.read(seen.path, DOCUMENT_MOST)
        if seen.statement:
            yield "what was signed", "application/json", "json", seen.statement.encode()


def _label_tests(results: Path, evidence: Evidence, judgement: Judgement, page: Page) -> None:
    """Add epic, feature, story, owner and outcome to what allure-pytest wrote before anything was judged."""
    claims = {_full_name(item.id): item.criteria for item in evidence.inventory.items if item.criteria}
    verdicts = {one.id: one for one in judgement.criteria}
    for path in sorted(results.glob("*-result.json")):
        result: dict[str, Any] = json.loads(path.read_bytes())
        own = _claimed(claims.get(str(result.get("fullName", "")), ()), verdicts)
        if own:
            labelled = add_outcome_label(result, claim_labels(own, page))
            replace(path, json.dumps(labelled, sort_keys=True).encode() + b"\n")


def _claimed(names: Iterable[str], verdicts: dict[str, CriterionVerdict]) -> list[CriterionVerdict]:
    return [verdicts[name] for name in names if name in verdicts]


def _full_name(node: str) -> str:
    """How allure-pytest calls a test: `suites/a/test_x.py::Class::test[1]` is `suites.a.test_x.Class#test`."""
    path, _, rest = node.partition("::")
    *classes, test = rest.partition("[")[0].split("::")
    return ".".join([path.removesuffix(".py").replace("/", "."), *classes]) + f"#{test}"
