"""Verifying what a bundle says of itself: layout, strict parsing, digests, journals, inventory."""

from pathlib import Path
from typing import Final

import msgspec

from pytest_spiral.errors import UntrustedError
from pytest_spiral.evidence.census import Census
from pytest_spiral.evidence.findings import Findings, noted
from pytest_spiral.evidence.folder import Entry, Folder
from pytest_spiral.evidence.journals import Journals, Measure, Process, check_ends, read_journals
from pytest_spiral.evidence.ranges import read_samples
from pytest_spiral.evidence.read import (
    UNREAD,
    Gathering,
    check_attached,
    check_plan,
    inventory_parts,
    read_bundle,
    read_earlier,
    read_plan,
)
from pytest_spiral.evidence.reading import Reading
from pytest_spiral.evidence.registered import read_copy
from pytest_spiral.evidence.report import Report, StepState
from pytest_spiral.evidence.state import State, state_of
from pytest_spiral.model import entry as ledger_entry
from pytest_spiral.model.base import Value
from pytest_spiral.model.evidence import BundleStart, EarlierAttempt, Evidence, Inventory, InventoryItem
from pytest_spiral.model.gate import Plan
from pytest_spiral.model.judgement import Judgement
from pytest_spiral.model.manifest import Manifest, ManifestFile
from pytest_spiral.model.measurement import Sample
from pytest_spiral.rules.canonical import digest, parse_canonical, parse_value
from pytest_spiral.rules.integrity import REASONS, Limits, finding, shown
from pytest_spiral.rules.paths import (
    ATTESTATION,
    BUNDLE,
    EARLIER,
    INVENTORY,
    LEDGER,
    MAIN_JOURNAL,
    MANIFEST,
    PLAN,
    SAMPLES,
    SUMMARY,
    case_twins,
    path_faults,
)

_ORDER: Final = (PLAN, BUNDLE, MAIN_JOURNAL, INVENTORY, SUMMARY, MANIFEST, ATTESTATION)
_OUTSIDE: Final = frozenset({MANIFEST, ATTESTATION})
_FINAL: Final[tuple[State, ...]] = ("ended", "unattested", "sealed")


def verify_integrity(folder: Path, limits: Limits | None = None) -> Report:
    """Check what needs nothing but the bundle, in memory that grows with the number of tests' names only.

    1. Layout: regular files only, clean names, what must be there is there, manifest and folder equal as sets.
    2. Strict parsing of every document; the lines of journals and samples are parsed where step 5 reads them.
    3. Digests: every file against the manifest, the plan against bundle.json, attachments against their records.
    5. Journals: chains, sequences, starts and ends; ranges tile the sample files.
    6. Inventory: every selected test has run or was kept from running; nothing else has run.

    Every step runs that still can; all findings are in the report, under stable codes. Steps 4 and 7 to 11 are
    added by `Report.with_step`. Of a folder with more files than the limit, only that is said. An unsealed run is checked as far as it got; its missing rest is one finding that
    says `unsealed-…`. Reads only, follows no link. Raises UseError where there is no folder.
    """
    return examine(folder, limits, gather=False)[0]


def examine(folder: Path, limits: Limits | None = None, *, gather: bool = True) -> tuple[Report, Evidence | None]:
    """As `verify_integrity`, and the evidence, each byte read once for both.

    The evidence is None where anything is untrusted, where the run has no end, or with `gather` false.
    """
    with Folder(folder) as opened:
        work = _Examination(opened, folder, limits or Limits(), gather=gather)
        # 1 layout
        if work.layout():
            # 2 strict parsing
            work.documents()
            # 3 digests
            work.digests()
            # 5 journals
            work.journals()
            # 6 inventory
            work.inventory()
        return work.report(), work.evidence()


class _Examination:
    """One bundle under examination: what each step learns, the next ones use."""

    def __init__(self, folder: Folder, root: Path, limits: Limits, *, gather: bool) -> None:
        self.folder = folder
        self.root = root
        self.limits = limits
        self.note = Findings()
        self.state = state_of(folder, limits)
        self.files: dict[str, int] = {}
        self.manifest: Manifest | None = None
        self.manifest_digest = ""
        self.hashed: dict[str, tuple[int, str]] = {}
        self.start: tuple[BundleStart, bytes] | None = None
        self.plan: Plan | None = None
        self.plan_digest = ""
        self.errors: tuple[str, ...] | None = None
        self.ledger: tuple[ledger_entry.Entry, ...] | None = None
        self.earlier: tuple[EarlierAttempt, ...] = ()
        self.items: list[InventoryItem] = []
        self.census = Census(self.note)
        self.gathering = Gathering() if gather else None
        self.read: Journals | None = None
        self.samples = 0
        self.states: dict[int, tuple[StepState, str]] = {}

    # 1 layout

    def layout(self) -> bool:
        """Look at names and kinds of everything that is there, then at what the manifest lists.

        False where there is more than can be looked at: of a part, nothing more can be said.
        """
        self.states[1] = ("held", "")
        names = []
        for entry in self.folder.entries(self.limits.files):
            if entry.kind == "too-many-files":
                self.note(finding(entry.kind, "", f"more than {self.limits.files} files."))
                return False
            names.append(entry.path)
            self._check_entry(entry)
        for name, twin in case_twins(names):
            self.note(finding("path-twin", name, f"differs from {shown(twin)} by case only."))
        self._check_present()
        if MANIFEST in self.files:
            self._read_manifest()
        self.states[1] = ("held", f"{len(self.files)} files")
        return True

    def _check_entry(self, entry: Entry) -> None:
        self._check_name(entry.path)
        if entry.kind == "file":
            self.files[entry.path] = entry.size
            if entry.size > self.limits.file:
                said = f"{entry.size} bytes, at most {self.limits.file} are read."
                self.note(finding("file-too-large", entry.path, said))
        elif entry.kind != "folder":
            self.note(finding(entry.kind, entry.path, f"{REASONS[entry.kind].meaning}."))

    def _check_name(self, path: str) -> None:
        for code, sentence in path_faults(path):
            self.note(finding(code, path, sentence))

    def _check_present(self) -> None:
        if self.state == "never-opened":
            self.note(finding("never-opened", "", f"{REASONS['never-opened'].meaning}."))
        elif self.state != "sealed":
            code = f"unsealed-{self.state}"
            self.note(finding(code, "", f"{REASONS[code].meaning}."))
        reached = max((at for at, path in enumerate(_ORDER) if path in self.files), default=0)
        if any(path.startswith(f"{SAMPLES}/") for path in self.files):
            reached = max(reached, _ORDER.index(INVENTORY) + 1)
        if SUMMARY in self.files and self.state in ("abandoned", "incomplete"):
            self.note(finding("artifact-missing", MAIN_JOURNAL, "a summary is there, and the main journal has no end."))
        for path in _ORDER[:reached]:
            if path not in self.files:
                self.note(finding("artifact-missing", path, "later files are there, and this one is not."))

    def _read_manifest(self) -> None:
        with noted(self.note, MANIFEST):
            data = self.folder.read(MANIFEST, self.limits.json)
            self.manifest_digest = digest(data)
            self.manifest = parse_canonical(data, Manifest, most=self.limits.json)
            self._compare_sets(self.manifest)

    def _compare_sets(self, manifest: Manifest) -> None:
        before = ""
        for file in manifest.files:
            if file.path <= before:
                self.note(finding("manifest-order", file.path, f"it stands after {shown(before)}."))
            before = file.path
            if file.path in _OUTSIDE:
                self.note(finding("file-extra", file.path, "the manifest cannot list this file."))
            elif file.path not in self.files:
                self._check_name(file.path)
                self.note(finding("file-missing", file.path, "the manifest lists it, and it is not there."))
        listed = {file.path for file in manifest.files}
        for path in self.files:
            if path not in listed and path not in _OUTSIDE:
                self.note(finding("file-extra", path, "it is there, and the manifest does not list it."))

    # 2 strict parsing

    def documents(self) -> None:
        """Parse every document of ours that is there; what is missing was noted before."""
        if BUNDLE in self.files:
            with noted(self.note, BUNDLE):
                self.start = read_bundle(self.folder, self.limits)
        if PLAN in self.files:
            with noted(self.note, PLAN):
                self.plan, self.plan_digest = read_plan(self.folder, self.limits)
        if SUMMARY in self.files:
            with noted(self.note, SUMMARY):
                data = self.folder.read(SUMMARY, self.limits.json)
                parse_value(data, Judgement, most=self.limits.json, depth=self.limits.depth)
        if INVENTORY in self.files:
            with noted(self.note, INVENTORY):
                self._read_inventory()
        if LEDGER in self.files:
            with noted(self.note, LEDGER):
                self.ledger = read_copy(self.folder, self.files[LEDGER], self.limits)
            self.states[11] = ("not-checked", "")  # whether the copy holds is told here, what it says of the run is not
        if self.gathering is not None:
            with noted(self.note, EARLIER):
                self.earlier = read_earlier(self.root, self.files, self.limits)
        self.states[2] = ("held", "")

    def _read_inventory(self) -> None:
        for part in inventory_parts(self.folder, self.limits):
            if isinstance(part, InventoryItem):
                self.census.collected(part)
                if self.gathering is not None:
                    self.items.append(part)
            else:
                self.errors = part
                self.census.all_collected()

    # 3 digests

    def digests(self) -> None:
        """Hash every file that the manifest lists and that is there."""
        if self.start is not None and self.plan is not None:
            check_plan(self.start[0], self.plan_digest, self.note)
        if self.manifest is None:
            self.states[3] = ("not-checked", "there is no manifest that can be read")
            return
        for file in self.manifest.files:
            if file.path in self.files and self.files[file.path] <= self.limits.file:
                with noted(self.note, file.path):
                    self._compare(file)
        self.states[3] = ("held", f"{sum(size for size, _ in self.hashed.values()):,} bytes")

    def _compare(self, file: ManifestFile) -> None:
        found = self.folder.digest(file.path)
        self.hashed[file.path] = found
        if found[0] != file.bytes:
            said = f"{found[0]} bytes, {shown(file.bytes, 24)} were sealed."
            raise UntrustedError("digest-mismatch", said)
        if found[1] != file.sha256:
            raise UntrustedError("digest-mismatch", f"its SHA-256 is {found[1]}, not the sealed one.")

    # 5 journals

    def journals(self) -> None:
        """Read journals, then the samples they bind, then hold attachments against their records."""
        data = self._bundle_bytes()
        if data is None:
            self.states[5] = ("not-checked", "bundle.json cannot be read, and every chain begins there")
            return
        nonce = self.start[0].nonce if self.start is not None else None
        reading = Reading(self.folder, self.files, self.limits, self.note)
        self.read = read_journals(reading, data, nonce, self._take)
        if self.state in _FINAL:
            check_ends(self.read, self.note)
        read_samples(reading, self.read, self._take_samples)
        unread = {path: UNREAD for path, size in self.files.items() if size > self.limits.file}
        check_attached(reading, self.read, {**self.hashed, **unread})
        recovered = ", recovered after a kill" if self.read.recovered is not None else ""
        self.states[5] = ("held", f"{self.read.records} records, {self.samples} samples{recovered}")

    def _bundle_bytes(self) -> bytes | None:
        if self.start is not None:
            return self.start[1]
        try:
            return self.folder.read(BUNDLE, self.limits.json)
        except UntrustedError:
            return None  # step 1 or 2 has told why

    def _take(self, process: str, record: Value) -> None:
        self.census.take(process, record)
        if self.gathering is not None:
            self.gathering.take(process, record, self.census.name_of)

    def _take_samples(self, measure: Measure, samples: list[Sample]) -> None:
        self.samples += len(samples)
        if self.gathering is not None:
            self.gathering.take_samples(measure, samples)

    # 6 inventory

    def inventory(self) -> None:
        """Note selected tests without a record, unless the run says that it was interrupted."""
        end = self.read.end if self.read is not None else None
        if self.errors is None or end is None:
            self.states[6] = ("not-checked", "the inventory or the main journal's end cannot be read")
        elif end.status != "finished":
            self.states[6] = ("held", f"the run was {end.status}: tests may be missing")
        else:
            self.census.missing()
            self.states[6] = ("held", f"{self.census.tests} test records")

    def report(self) -> Report:
        """Everything that was found."""
        report = Report(
            state=self.state,
            run=self.start[0].run if self.start is not None else "",
            manifest=self.manifest_digest,
            files=len(self.files),
            bytes=sum(self.files.values()),
            records=self.read.records if self.read is not None else 0,
            tests=self.census.tests,
            samples=self.samples,
            walls={one.name: one.walls for one in self._processes() if one.walls is not None},
        )
        told = self.note.told()
        for step, (state, note) in self.states.items():
            report = report.with_step(step, [one for one in told if one.step == step], state=state, note=note)
        return report

    def _processes(self) -> list[Process]:
        return list(self.read.processes.values()) if self.read is not None else []

    def evidence(self) -> Evidence | None:
        """What judging looks at, where nothing stands against it."""
        if self.gathering is None or self.report().outcome == "untrusted" or self.read is None:
            return None
        if self.start is None or self.plan is None or self.errors is None or self.read.end is None:
            return None
        inventory = Inventory(items=tuple(self.items), errors=self.errors)
        evidence = self.gathering.evidence(self.start[0], self.plan, inventory, self.read, self.ledger)
        return msgspec.structs.replace(evidence, earlier=self.earlier)
