"""A bundle as values: what judging looks at, read strictly, each byte once."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

import msgspec

from pytest_spiral.errors import UntrustedError, UseError
from pytest_spiral.evidence.findings import Note, noted, refuse
from pytest_spiral.evidence.folder import Folder
from pytest_spiral.evidence.journals import Journals, Measure, check_ends, journal_paths, read_journals
from pytest_spiral.evidence.ranges import read_samples
from pytest_spiral.evidence.reading import Reading
from pytest_spiral.evidence.recorded import RecordedTests
from pytest_spiral.evidence.registered import read_copy
from pytest_spiral.evidence.sshsig import check_document
from pytest_spiral.model.base import Value
from pytest_spiral.model.entry import Entry
from pytest_spiral.model.evidence import BundleStart, EarlierAttempt, Evidence, Inventory, InventoryItem
from pytest_spiral.model.gate import Plan
from pytest_spiral.model.launcher import Published
from pytest_spiral.model.manifest import Manifest, ManifestFile
from pytest_spiral.model.measurement import Measurement, Sample
from pytest_spiral.model.record import (
    Attached,
    ControlClosed,
    ControlOpened,
    Crash,
    DocumentSeen,
    FactSeen,
    MeasureOpened,
    RunClosed,
    RunOpened,
    Stopped,
    SubjectSeen,
    TargetLost,
    Test,
)
from pytest_spiral.rules.canonical import digest, parse_canonical, parse_value
from pytest_spiral.rules.chain import parse_line
from pytest_spiral.rules.integrity import Limits, finding, shown
from pytest_spiral.rules.inventory import parse_inventory
from pytest_spiral.rules.paths import BUNDLE, EARLIER, INVENTORY, JOURNALS, LEDGER, MANIFEST, PLAN, SAMPLES

_SHARED: Final = tuple(
    field.name
    for field in msgspec.structs.fields(MeasureOpened)
    if field.name in {one.name for one in msgspec.structs.fields(Measurement)}
)
UNREAD: Final = (-1, "")
"""Stands for size and digest of a file that is larger than what is read."""

_DONE: Final[dict[type[Value], str]] = {
    RunOpened: "runs_opened",
    RunClosed: "runs_closed",
    ControlOpened: "controls_opened",
    ControlClosed: "controls_closed",
    FactSeen: "facts",
    SubjectSeen: "subjects",
    TargetLost: "lost",
    Crash: "crashes",
    Attached: "attached",
    DocumentSeen: "examinations",
    Stopped: "stopped",
    Published: "published",
}
_READ: Final[dict[type[Value], Callable[[Any], Value]]] = {FactSeen: attrgetter("fact"), DocumentSeen: check_document}
"""What judging looks at in the place of a record."""


class Gathering:
    """Gathers records and samples into `Evidence`: a `Take` and a `TakeSamples` in one."""

    def __init__(self) -> None:
        self._records: dict[str, list[Any]] = {name: [] for name in _DONE.values()}
        self._tests = RecordedTests()
        self._samples: dict[str, list[Sample]] = {}

    def take(self, process: str, record: Value, name_of: Callable[[str], str] = str) -> None:  # noqa: ARG002 - the order of calls says it
        """Keep one record. `name_of` gives the text that stands for a test's name, so that it is kept once."""
        if isinstance(record, Test):
            self._tests.add(record, name_of)
            return
        name = _DONE.get(type(record))
        if name is not None:
            read = _READ.get(type(record))
            self._records[name].append(record if read is None else read(record))

    def take_samples(self, measure: Measure, samples: list[Sample]) -> None:
        """Keep samples of a measurement."""
        self._samples.setdefault(measure.opened.file, []).extend(samples)

    def evidence(
        self,
        bundle: BundleStart,
        plan: Plan,
        inventory: Inventory,
        journals: Journals,
        ledger: tuple[Entry, ...] | None = None,
    ) -> Evidence:
        """All that was gathered. A run without a main end counts as crashed."""
        kept = {name: tuple(records) for name, records in self._records.items()}
        return Evidence(
            bundle=bundle,
            plan=plan,
            inventory=inventory,
            tests=self._tests,
            measurements=tuple(map(self._measurement, journals.measures.values())),
            status=journals.end.status if journals.end is not None else "crashed",
            ledger=ledger,
            recovered=journals.recovered,
            **kept,
        )

    def _measurement(self, measure: Measure) -> Measurement:
        said = {name: getattr(measure.opened, name) for name in _SHARED}
        return Measurement(
            **said,
            samples=tuple(self._samples.pop(measure.opened.file, ())),
            closed=measure.closed is not None,
            count=measure.closed.count if measure.closed is not None else None,
            raised=measure.closed.raised if measure.closed is not None else "",
            transports=measure.closed.transports if measure.closed is not None else (),
        )


def read_evidence(
    folder: Path, limits: Limits | None = None, *, partial: bool = False, ledger: tuple[Entry, ...] | None = None
) -> Evidence:
    """Read the evidence of a run whose main journal has its end record, sealed or about to be.

    `ledger` are the entries to judge by where the bundle has no copy of the ledger.

    Looks at the plan, bundle.json, the inventory, journals, samples and attachments, not at the manifest. With
    `partial`, ends and the inventory may be missing: what a killed run left. Raises UntrustedError with the reason
    code of the first thing that is wrong, UseError where there is no folder.
    """
    limits = limits or Limits()
    gathering = Gathering()
    with Folder(folder) as opened:
        present = _present(opened, limits)
        bundle, data, plan = _documents(opened, limits)
        inventory = Inventory()
        if INVENTORY in present or not partial:
            with noted(refuse, INVENTORY):
                inventory = read_inventory(opened, limits)
        reading = Reading(opened, present, limits, refuse)
        journals = read_journals(reading, data, bundle.nonce, gathering.take)
        if journals.end is not None or not partial:
            check_ends(journals, refuse)
        read_samples(reading, journals, gathering.take_samples)
        check_attached(reading, journals, {})
        with noted(refuse, LEDGER):
            ledger = read_copy(opened, present[LEDGER], limits) if LEDGER in present else ledger
    evidence = gathering.evidence(bundle, plan, inventory, journals, ledger)
    return msgspec.structs.replace(evidence, earlier=read_earlier(folder, present, limits))


def read_earlier(folder: Path, present: Iterable[str], limits: Limits) -> tuple[EarlierAttempt, ...]:
    """What a bundle carries of earlier attempts, each held against its own manifest; `present` are the bundle's files.

    Raises UntrustedError `earlier-broken` for what is not exactly what that attempt had sealed.
    """
    parts = [path.split("/") for path in present if path.startswith(f"{EARLIER}/")]
    found = []
    for nonce in sorted({part[1] for part in parts}):
        try:
            found.append(_read_carried(folder / EARLIER / nonce, nonce, limits))
        except (UntrustedError, UseError) as problem:
            raise UntrustedError("earlier-broken", f"{EARLIER}/{nonce}: {problem}") from problem
    return tuple(found)


def _read_carried(folder: Path, nonce: str, limits: Limits) -> EarlierAttempt:
    gathering = Gathering()
    with Folder(folder) as opened:
        present = _present(opened, limits)
        manifest = opened.read(MANIFEST, limits.json)
        sealed = {one.path: one for one in parse_canonical(manifest, Manifest, most=limits.json).files}
        _check_carried(opened, present, sealed)
        bundle, data, plan = _documents(opened, limits)
        if bundle.nonce != nonce:
            raise UntrustedError("journal-foreign", "it is another run than its folder says.")
        inventory = read_inventory(opened, limits)
        reading = Reading(opened, present, limits, refuse)
        journals = read_journals(reading, data, nonce, gathering.take)
        check_ends(journals, refuse)
        not_here = sealed.keys() - present.keys()
        left = [one.opened for file, one in journals.measures.items() if f"{SAMPLES}/{file}" in not_here]
        for one in left:
            del journals.measures[one.file]
        read_samples(reading, journals, gathering.take_samples)
    return EarlierAttempt(
        nonce=nonce,
        bundle=digest(data),
        manifest=digest(manifest),
        evidence=gathering.evidence(bundle, plan, inventory, journals),
        left=tuple(sorted({name for one in left for name in one.criteria if not one.control})),
    )


def _check_carried(folder: Folder, present: Iterable[str], sealed: Mapping[str, ManifestFile]) -> None:
    """Hold each file that is carried against the attempt's own manifest; the others are not here."""
    for path in present:
        known = sealed.get(path)
        if path != MANIFEST and (known is None or folder.digest(path) != (known.bytes, known.sha256)):
            raise UntrustedError("digest-mismatch", f"{path} is not the file that was sealed.")


def read_bundle(folder: Folder, limits: Limits) -> tuple[BundleStart, bytes]:
    """`bundle.json` and its bytes; raises UntrustedError."""
    data = folder.read(BUNDLE, limits.json)
    return parse_value(data, BundleStart, most=limits.json, depth=limits.depth), data


def read_plan(folder: Folder, limits: Limits) -> tuple[Plan, str]:
    """`plan.json`, which is canonical, and its digest; raises UntrustedError."""
    data = folder.read(PLAN, limits.json)
    return parse_canonical(data, Plan, most=limits.json), digest(data)


def read_inventory(folder: Folder, limits: Limits) -> Inventory:
    """The whole inventory; raises UntrustedError."""
    items: list[InventoryItem] = []
    errors: tuple[str, ...] = ()
    for part in inventory_parts(folder, limits):
        if isinstance(part, InventoryItem):
            items.append(part)
        else:
            errors = part
    return Inventory(items=tuple(items), errors=errors)


def inventory_parts(folder: Folder, limits: Limits) -> Iterator[InventoryItem | tuple[str, ...]]:
    """The inventory's items one by one, then its collection errors; raises UntrustedError."""
    return parse_inventory((line.raw for line in folder.lines(INVENTORY, limits.json)), limits)


def last_next(journal: Path) -> str:
    """What a process was running when it died: the `next` of its journal's last test record, empty where unknown.

    Reads as far as lines can be read; raises nothing for a journal that is missing or broken.
    """
    running = ""
    try:
        with Folder(journal.parent.parent) as opened:
            for raw, torn in opened.lines(f"{journal.parent.name}/{journal.name}", Limits().journal_line):
                record = None if torn else parse_line(raw)[1]
                running = record.next if isinstance(record, Test) else running
    except (UntrustedError, UseError):
        return running
    return running


def unfinished(folder: Path, begun: Iterable[str]) -> tuple[str, ...]:
    """The tests that were running when a run was stopped, or about to run: those begun, and each journal's `next`.

    A test that a journal has a record of is none of them: word of its end may not have come to whoever asks. Reads
    as far as lines can be read.
    """
    running, over = dict.fromkeys(begun), set()
    with Folder(folder) as opened:
        for path in journal_paths(opened.names(JOURNALS, Limits().files)):
            last = None
            with suppress(UntrustedError):
                for raw, torn in opened.lines(path, Limits().journal_line):
                    record = None if torn else parse_line(raw)[1]
                    if isinstance(record, Test):
                        over.add(record.id)
                        last = record
            if last is not None and last.next:
                running[last.next] = None
    return tuple(one for one in running if one not in over)


def check_plan(bundle: BundleStart, plan: str, note: Note) -> None:
    """Note a plan, given by its digest, that is not the one that bundle.json registered."""
    if bundle.plan != plan:
        note(finding("plan-mismatch", PLAN, f"its digest is {plan}, registered is {shown(bundle.plan, 80)}."))


def check_attached(reading: Reading, journals: Journals, known: Mapping[str, tuple[int, str]]) -> None:
    """Hold attachments against their records. `known` has sizes and digests of files that were hashed already."""
    for record in journals.attached:
        if known.get(record.path) == UNREAD:
            continue  # larger than the limit, which was noted
        with noted(reading.note, record.path):
            _check_one(reading.folder, record, known)


def _check_one(folder: Folder, record: Attached, known: Mapping[str, tuple[int, str]]) -> None:
    try:
        found = known.get(record.path) or folder.digest(record.path)
    except UntrustedError as problem:
        raise UntrustedError("attachment-missing", f"a record names it: {problem}") from problem
    if found != (record.bytes, record.sha256):
        raise UntrustedError("attachment-mismatch", "size or digest differ from those of its record.")


def _present(folder: Folder, limits: Limits) -> dict[str, int]:
    """Path → size of every regular file."""
    present = {}
    for entry in folder.entries(limits.files):
        if entry.kind == "too-many-files":
            raise UntrustedError(entry.kind, f"the bundle holds more than {limits.files} files.")
        if entry.kind == "file-unreadable":
            raise UntrustedError(entry.kind, f"{entry.path or 'the bundle'} cannot be read, so nothing can be judged.")
        if entry.kind == "file":
            present[entry.path] = entry.size
    return present


def _documents(folder: Folder, limits: Limits) -> tuple[BundleStart, bytes, Plan]:
    with noted(refuse, BUNDLE):
        bundle, data = read_bundle(folder, limits)
    with noted(refuse, PLAN):
        plan, registered = read_plan(folder, limits)
    check_plan(bundle, registered, refuse)
    return bundle, data, plan
