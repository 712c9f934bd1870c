"""Reading journals: chains, starts and ends, and what their records say about each other."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pytest_spiral.errors import UntrustedError
from pytest_spiral.evidence.findings import Note
from pytest_spiral.evidence.folder import Folder
from pytest_spiral.model.base import Value
from pytest_spiral.model.record import (
    Attached,
    ControlClosed,
    ControlOpened,
    Crash,
    End,
    JournalHead,
    MeasureClosed,
    MeasureOpened,
    Range,
    RunClosed,
    RunOpened,
    Start,
)
from pytest_spiral.rules.canonical import digest
from pytest_spiral.rules.chain import Link, first_link, link_faults, link_of, parse_line
from pytest_spiral.rules.integrity import Limits, finding, shown
from pytest_spiral.rules.paths import JOURNALS, MAIN, MAIN_JOURNAL, SAMPLES, journal_file, path_faults

Take = Callable[[str, Value], None]
"""Takes each record with the name of the process that wrote it, in the order of reading."""

_SUFFIX: Final = ".jsonl"


@dataclass(slots=True)
class Measure:
    """What the journals say of one sample file."""

    opened: MeasureOpened
    process: str
    ranges: list[Range] = field(default_factory=list)
    closed: MeasureClosed | None = None


@dataclass(slots=True)
class Process:
    """How far one journal goes."""

    name: str
    link: Link
    records: int = 0
    end: End | None = None
    torn: bool = False

    @property
    def path(self) -> str:
        """Its journal, inside the bundle."""
        return journal_file(self.name)

    @property
    def head(self) -> JournalHead:
        """Where its journal stands, as the main journal's end must say it."""
        return JournalHead(n=self.link.n, digest=self.link.digest, ended=self.end is not None)


@dataclass(slots=True)
class Journals:
    """What all journals of a bundle say, but for the records that `Take` was given."""

    processes: dict[str, Process] = field(default_factory=dict)
    measures: dict[str, Measure] = field(default_factory=dict)
    attached: list[Attached] = field(default_factory=list)
    crashed: set[str] = field(default_factory=set)

    @property
    def end(self) -> End | None:
        """The main journal's end record."""
        main = self.processes.get(MAIN)
        return main.end if main is not None else None

    @property
    def records(self) -> int:
        """How many records there are."""
        return sum(one.records for one in self.processes.values())

    def ended(self, process: str) -> bool:
        """Whether that process has an end record."""
        known = self.processes.get(process)
        return known is not None and known.end is not None


def journal_heads(folder: Path, limits: Limits | None = None) -> dict[str, JournalHead]:
    """Where every journal but the main one stands, for the main journal's end record; reads last lines only.

    A journal without a whole line stands before its first: -1 and the digest of bundle.json. Raises UntrustedError
    where a last line cannot be read.
    """
    limits = limits or Limits()
    heads = {}
    with Folder(folder) as bundle:
        start = first_link(bundle.read("bundle.json", limits.json))
        for path in journal_paths(entry.path for entry in bundle.entries(limits.files) if entry.kind == "file"):
            if path == MAIN_JOURNAL:
                continue
            process, raw = _process_of(path), bundle.last_line(path, limits.journal_line)
            if raw:
                line, record = parse_line(raw, limits.depth)
                heads[process] = JournalHead(n=line.n, digest=digest(raw), ended=isinstance(record, End))
            else:
                heads[process] = JournalHead(n=start.n, digest=start.digest, ended=False)
    return heads


def journal_paths(paths: Iterable[str]) -> list[str]:
    """The journals among paths: the main one first, then by name."""
    found = [path for path in paths if _is_journal(path)]
    return sorted(found, key=lambda path: (path != MAIN_JOURNAL, path))


def read_journals(
    folder: Folder, paths: Iterable[str], bundle: bytes, nonce: str, limits: Limits, note: Note, take: Take
) -> Journals:
    """Read journals one after the other, each record once, in memory that does not grow with tests.

    `paths` are files of the bundle; those below `journal/` that are no journals are noted. `bundle` is
    `bundle.json`'s bytes, where every chain begins. What is wrong is noted and reading goes on behind it.
    """
    read = Journals()
    present = list(paths)
    known = journal_paths(present)
    for path in set(present) - set(known):
        if path.startswith(f"{JOURNALS}/"):
            note(finding("journal-unlisted", path, "only journals belong into this folder."))
    for path in known:
        process = Process(_process_of(path), first_link(bundle))
        read.processes[process.name] = process
        try:
            _read_one(folder, process, _Reader(read, process, nonce, note, take), limits, note)
        except UntrustedError as problem:
            note(finding(problem.code, path, str(problem)))
    return read


def check_ends(read: Journals, note: Note) -> None:
    """Hold journals that have come to their end against the main journal's end record."""
    if read.end is None:
        note(finding("journal-unended", MAIN_JOURNAL, "the main journal has no end record."))
    heads = read.end.workers if read.end is not None else {}
    for process in read.processes.values():
        if process.torn and process.end is not None:
            note(finding("journal-torn", process.path, "bytes without a line end follow the end record."))
        if process.name != MAIN and read.end is not None:
            _check_worker(read, process, heads.get(process.name), note)
    for name in heads:
        if name not in read.processes:
            note(finding("journal-missing", journal_file(name), "the main journal's end lists it."))


class _Reader:
    """Takes the records of one journal and checks what they say about each other."""

    def __init__(self, read: Journals, process: Process, nonce: str, note: Note, take: Take) -> None:
        self.read = read
        self.process = process
        self.nonce = nonce
        self.note = note
        self.take = take
        self.open: set[tuple[str, ...]] = set()

    def record(self, record: Value) -> None:
        """Check one record and hand it on."""
        process = self.process
        if process.end is not None:
            self._fault("journal-after-end", "a record follows the end record.")
        if (process.records == 0) is not isinstance(record, Start):
            self._fault("journal-start", f"record {process.records} is a {type(record).__name__}.")
        process.records += 1
        match record:
            case Start():
                self._start(record)
            case End():
                process.end = record
            case MeasureOpened():
                self._measure(record)
            case Range() | MeasureClosed():
                self._samples(record)
            case RunOpened() | ControlOpened():
                self.open.add(_block(record))
            case RunClosed() | ControlClosed():
                self._closed(record)
            case Attached():
                self.read.attached.append(record)
            case Crash():
                self.read.crashed.add(record.process)
        self.take(process.name, record)

    def _fault(self, code: str, sentence: str) -> None:
        self.note(finding(code, self.process.path, sentence))

    def _start(self, start: Start) -> None:
        if start.nonce != self.nonce:
            self._fault("journal-foreign", f"its nonce is {shown(start.nonce, 40)!r}, not the run's.")
        if start.process != self.process.name:
            self._fault("journal-foreign", f"process {shown(start.process, 40)!r} wrote it.")

    def _measure(self, opened: MeasureOpened) -> None:
        name = shown(opened.file)
        for code, sentence in path_faults(f"{SAMPLES}/{opened.file}"):
            self._fault(code, f"sample file {name!r}: {sentence}")
        if not opened.file.rpartition("/")[2].startswith(f"{self.process.name}-"):
            self._fault("samples-foreign", f"sample file {name!r} is not named after this process.")
        if opened.file in self.read.measures:
            self._fault("record-order", f"sample file {name!r} is opened twice.")
        else:
            self.read.measures[opened.file] = Measure(opened, self.process.name)

    def _samples(self, record: Range | MeasureClosed) -> None:
        measure = self.read.measures.get(record.file)
        if measure is None or measure.process != self.process.name:
            self._fault("record-order", f"sample file {shown(record.file)!r} was not opened by this process.")
        elif measure.closed is not None:
            self._fault("record-order", f"sample file {shown(record.file)!r} was closed before.")
        elif isinstance(record, MeasureClosed):
            measure.closed = record
        elif not measure.ranges or record != measure.ranges[-1]:  # an interrupted writer may repeat one
            measure.ranges.append(record)

    def _closed(self, record: RunClosed | ControlClosed) -> None:
        if _block(record) not in self.open:
            self._fault("record-order", f"the block {shown(_block(record))} is closed and was not open.")
        self.open.discard(_block(record))


def _block(record: RunOpened | RunClosed | ControlOpened | ControlClosed) -> tuple[str, ...]:
    if isinstance(record, RunOpened | RunClosed):
        return ("run", record.run)
    return ("control", record.control, record.test)


def _read_one(folder: Folder, process: Process, reader: _Reader, limits: Limits, note: Note) -> None:
    path = process.path
    for raw, torn in folder.lines(path, limits.journal_line):
        if torn:
            process.torn = True
            return
        link = process.link
        try:
            line, record = parse_line(raw, limits.depth)
        except UntrustedError as problem:
            note(finding(problem.code, path, f"line {link.n + 1}: {problem}"))
            process.link = Link(n=link.n + 1, digest=digest(raw), mono=link.mono)
            process.records += 1
            continue
        for code, sentence in link_faults(link, line):
            note(finding(code, path, sentence))
        process.link = link_of(line, raw)
        reader.record(record)


def _check_worker(read: Journals, process: Process, head: JournalHead | None, note: Note) -> None:
    end = read.end
    if head is None:
        note(finding("journal-unlisted", process.path, "the main journal's end does not list it."))
    elif head != process.head:
        said = f"record {shown(head.n, 24)}, ended: {head.ended}"
        found = f"record {process.link.n}, ended: {process.end is not None}"
        what = found if said != found else "another line"
        note(finding("journal-head", process.path, f"the main journal's end says {said}; it ends with {what}."))
    elif not head.ended and process.name not in read.crashed and end is not None and end.status == "finished":
        note(finding("crash-unrecorded", process.path, "it has no end record, and no crash of it is recorded."))


def _is_journal(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    return folder == JOURNALS and name.endswith(_SUFFIX) and name != _SUFFIX


def _process_of(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(_SUFFIX)
