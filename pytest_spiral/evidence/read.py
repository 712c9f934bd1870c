"""A bundle as values: what judging looks at, read strictly, each byte once."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from pytest_spiral.errors import UntrustedError
from pytest_spiral.evidence.findings import Note, refuse
from pytest_spiral.evidence.folder import Folder
from pytest_spiral.evidence.journals import Journals, Measure, check_ends, read_journals
from pytest_spiral.evidence.ranges import read_samples
from pytest_spiral.model.base import Value
from pytest_spiral.model.evidence import BundleStart, Evidence, Inventory, InventoryItem
from pytest_spiral.model.gate import Plan
from pytest_spiral.model.measurement import Measurement, Sample
from pytest_spiral.model.record import (
    Attached,
    ControlClosed,
    ControlOpened,
    Crash,
    FactSeen,
    MeasureOpened,
    RunClosed,
    RunOpened,
    SubjectSeen,
    TargetLost,
    Test,
)
from pytest_spiral.rules.canonical import digest, parse_canonical, parse_value
from pytest_spiral.rules.integrity import Finding, Limits, finding
from pytest_spiral.rules.inventory import parse_items
from pytest_spiral.rules.paths import BUNDLE, INVENTORY, PLAN

_SHARED: Final = tuple(
    field.name
    for field in msgspec.structs.fields(MeasureOpened)
    if field.name in {one.name for one in msgspec.structs.fields(Measurement)}
)
_DONE: Final[dict[type[Value], str]] = {
    Test: "tests",
    RunOpened: "runs_opened",
    RunClosed: "runs_closed",
    ControlOpened: "controls_opened",
    ControlClosed: "controls_closed",
    FactSeen: "facts",
    SubjectSeen: "subjects",
    TargetLost: "lost",
    Crash: "crashes",
    Attached: "attached",
}


class Gathering:
    """Gathers records and samples into `Evidence`: a `Take` and a `TakeSamples` in one."""

    def __init__(self) -> None:
        self._records: dict[str, list[Any]] = {name: [] for name in _DONE.values()}
        self._samples: dict[str, list[Sample]] = {}

    def take(self, process: str, record: Value) -> None:  # noqa: ARG002 - the order of calls says it
        """Keep one record."""
        name = _DONE.get(type(record))
        if name is not None:
            self._records[name].append(record.fact if isinstance(record, FactSeen) else record)

    def take_samples(self, measure: Measure, samples: list[Sample]) -> None:
        """Keep samples of a measurement."""
        self._samples.setdefault(measure.opened.file, []).extend(samples)

    def evidence(self, bundle: BundleStart, plan: Plan, inventory: Inventory, journals: Journals) -> Evidence:
        """All that was gathered. A run without a main end counts as crashed."""
        kept = {name: tuple(records) for name, records in self._records.items()}
        return Evidence(
            bundle=bundle,
            plan=plan,
            inventory=inventory,
            measurements=tuple(map(self._measurement, journals.measures.values())),
            status=journals.end.status if journals.end is not None else "crashed",
            **kept,
        )

    def _measurement(self, measure: Measure) -> Measurement:
        said = {name: getattr(measure.opened, name) for name in _SHARED}
        return Measurement(
            **said,
            samples=tuple(self._samples.pop(measure.opened.file, ())),
            closed=measure.closed is not None,
            raised=measure.closed.raised if measure.closed is not None else "",
        )


def read_evidence(folder: Path, limits: Limits | None = None, *, partial: bool = False) -> Evidence:
    """Read the evidence of a run whose main journal has its end record, sealed or about to be.

    Looks at the plan, bundle.json, the inventory, journals, samples and attachments, not at the manifest. With
    `partial`, ends may be missing: what a killed run left. Raises UntrustedError with the reason code of the
    first thing that is wrong, UseError where there is no folder.
    """
    limits = limits or Limits()
    gathering = Gathering()
    with Folder(folder) as opened:
        present = _present(opened, limits)
        try:
            bundle, data = read_bundle(opened, limits)
            plan = read_plan(opened, bundle, limits)
            inventory = read_inventory(opened, limits) if INVENTORY in present or not partial else Inventory()
        except UntrustedError as problem:
            raise UntrustedError(problem.code, f"{shown_path(problem)}{problem}") from problem
        journals = read_journals(opened, present, data, bundle.nonce, limits, refuse, gathering.take)
        if journals.end is not None or not partial:
            check_ends(journals, refuse)
        read_samples(opened, present, journals, limits, refuse, gathering.take_samples)
        check_attached(opened, journals, {}, refuse)
    return gathering.evidence(bundle, plan, inventory, journals)
