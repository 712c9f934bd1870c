"""Reading journals: chains, starts and ends, and what their records say about each other."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pytest_spiral.errors import UntrustedError
from pytest_spiral.evidence.findings import Note, noted
from pytest_spiral.evidence.folder import Folder
from pytest_spiral.evidence.reading import Reading
from pytest_spiral.model.base import Value
from pytest_spiral.model.launcher import Published
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
    Recovered,
    RunClosed,
    RunOpened,
    Start,
)
from pytest_spiral.rules.canonical import digest
from pytest_spiral.rules.chain import Link, first_link, link_faults, link_of, parse_line
from pytest_spiral.rules.integrity import Limits, finding, shown
from pytest_spiral.rules.paths import BUNDLE, JOURNALS, MAIN, MAIN_JOURNAL, SAMPLES, journal_file, path_faults

Take = Callable[[str, Value], None]
"""Takes each record with the name of the process that wrote it, in the order of reading."""

_SUFFIX: Final = ".jsonl"
_AFTER_START: Final = 2


@dataclass(slots=True)
class Measure:
    """What the journals say of one sample file."""

    opened: MeasureOpened
    process: str
    ranges: list[Range] = field(default_factory=list)
    closed: MeasureClosed | None = None


@dataclass(slots=True)
class Process:
    """How far one journal goes; `walls` are the earliest and latest wall time of its records.

    `cut_short` is true where the end record was added by a recovery: the process itself never came to its end.
    """

    name: str
    link: Link
    records: int = 0
    end: End | None = None
    torn: bool = False
    cut_short: bool = False
    walls: tuple[int, int] | None = None

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
    recovered: Recovered | None = None

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
        """Whether that process has come to its end and recorded it."""
        known = self.processes.get(process)
        return known is not None and known.end is not None and not known.cut_short


def journal_heads(folder: Path, limits: Limits | None = None) -> dict[str, JournalHead]:
    """Where every journal but the main one stands, for the main journal's end record; reads last lines only.

    A journal without a whole line stands before its first: -1 and the digest of bundle.json. Raises UntrustedError
    where a last line cannot be read.
    """
    limits = limits or Limits()
    with Folder(folder) as opened:
        start = first_link(opened.read(BUNDLE, limits.json))
        workers = [path for path in journal_paths(opened.names(JOURNALS, limits.files)) if path != MAIN_JOURNAL]
        return {process_of(path): _head(opened.last_line(path, limits.journal_line), start, limits) for path in workers}


def journal_sizes(folder: Path) -> tuple[tuple[str, int], ...]:
    """Every journal's name and size: it changes with each record. Empty where they cannot be seen."""
    try:
        with os.scandir(folder / JOURNALS) as names:
            return tuple(sorted((one.name, one.stat().st_size) for one in names))
    except OSError:
        return ()


def journal_paths(paths: Iterable[str]) -> list[str]:
    """The journals among paths: the main one first, then by name."""
    found = [path for path in paths if _is_journal(path)]
    return sorted(found, key=lambda path: (path != MAIN_JOURNAL, path))


def process_of(path: str) -> str:
    """The name of the process that wrote a journal."""
    return path.rpartition("/")[2].removesuffix(_SUFFIX)


def read_journals(reading: Reading, bundle: bytes, nonce: str | None, take: Take) -> Journals:
    """Read journals one after the other, each record once, in memory that does not grow with tests.

    Files below `journal/` that are no journals are noted. `bundle` is `bundle.json`'s bytes, where every chain begins, `nonce` is in it (None: it cannot be read). What is wrong is noted and reading goes on behind it.
    """
    read = Journals()
    known = journal_paths(reading.present)
    for path in reading.present:
        if path.startswith(f"{JOURNALS}/") and not _is_journal(path):
            reading.note(finding("journal-unlisted", path, "only journals belong into this folder."))
    for path in known:
        process = Process(process_of(path), first_link(bundle))
        read.processes[process.name] = process
        with noted(reading.note, path):
            _read_one(reading, process, _Records(read, process, nonce, reading.note, take))
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


class _Records:
    """Takes the records of one journal and checks what they say about each other."""

    def __init__(self, read: Journals, process: Process, nonce: str | None, note: Note, take: Take) -> None:
        self.read = read
        self.process = process
        self.nonce = nonce
        self.note = note
        self.take = take
        self.open: set[tuple[str, ...]] = set()
        self.checks: dict[type[Value], Callable[[Any], None]] = {
            Start: self._start,
            End: self._end,
            MeasureOpened: self._measure,
            Range: self._samples,
            MeasureClosed: self._samples,
            RunOpened: self._opened,
            RunClosed: self._closed,
            ControlOpened: self._opened,
            ControlClosed: self._closed,
            Attached: read.attached.append,
            Crash: self._crash,
            Recovered: self._recovered,
            Published: self._published,
        }

    def record(self, record: Value) -> None:
        """Check one record and hand it on."""
        process = self.process
        if process.end is not None and not isinstance(record, Recovered):
            self._fault("journal-after-end", "a record follows the end record.")
        if (process.records == 0) is not isinstance(record, Start):
            self._fault("journal-start", f"record {process.records} is a {type(record).__name__}.")
        process.records += 1
        check = self.checks.get(type(record))
        if check is not None:
            check(record)
        self.take(process.name, record)

    def _fault(self, code: str, sentence: str) -> None:
        self.note(finding(code, self.process.path, sentence))

    def _start(self, start: Start) -> None:
        if self.nonce is not None and start.nonce != self.nonce:
            self._fault("journal-foreign", f"its nonce is {shown(start.nonce, 40)!r}, not the run's.")
        if start.process != self.process.name:
            self._fault("journal-foreign", f"process {shown(start.process, 40)!r} wrote it.")

    def _end(self, end: End) -> None:
        self.process.end = end

    def _crash(self, crash: Crash) -> None:
        self.read.crashed.add(crash.process)

    def _published(self, published: Published) -> None:  # noqa: ARG002 - step 11 looks at what it says
        """Publishing comes before anything else, collection above all: its place in the chain is what shows that."""
        if self.process.name != MAIN or self.process.records != _AFTER_START:
            self._fault("record-order", "publishing is recorded once, right after the main journal's start.")

    def _recovered(self, recovered: Recovered) -> None:
        process = self.process
        if process.name != MAIN or self.read.recovered is not None:
            self._fault("record-order", "a run is recovered once, in its main journal.")
        elif (process.end is None) is not (recovered.state == "incomplete"):
            self._fault("record-order", f"it says that the run was {recovered.state}, and its records do not.")
        process.cut_short = process.end is None
        process.end = None
        self.read.recovered = recovered

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
        elif record in (measure.closed, *measure.ranges[-1:]):
            pass  # an interrupted writer may repeat its last one
        elif measure.closed is not None:
            self._fault("record-order", f"sample file {shown(record.file)!r} was closed before.")
        elif isinstance(record, MeasureClosed):
            measure.closed = record
        else:
            measure.ranges.append(record)

    def _opened(self, record: RunOpened | ControlOpened) -> None:
        self.open.add(_block(record))

    def _closed(self, record: RunClosed | ControlClosed) -> None:
        if _block(record) not in self.open:
            self._fault("record-order", f"the block {shown(_block(record))} is closed and was not open.")
        self.open.discard(_block(record))


def _block(record: RunOpened | RunClosed | ControlOpened | ControlClosed) -> tuple[str, ...]:
    if isinstance(record, RunOpened | RunClosed):
        return ("run", record.run)
    return ("control", record.control, record.test)


def _read_one(reading: Reading, process: Process, reader: "_Records") -> None:
    path, note, depth = process.path, reading.note, reading.limits.depth
    for raw, torn in reading.folder.lines(path, reading.limits.journal_line):
        if torn:
            process.torn = True
            return
        link = process.link
        try:
            line, record = parse_line(raw, depth)
        except UntrustedError as problem:
            note(finding(problem.code, path, f"line {link.n + 1}: {problem}"))
            process.link = Link(n=link.n + 1, digest=digest(raw), mono=link.mono)
            process.records += 1
            continue
        for code, sentence in link_faults(link, line):
            note(finding(code, path, sentence))
        process.link = link_of(line, raw)
        first, last = process.walls or (line.wall, line.wall)
        process.walls = (min(first, line.wall), max(last, line.wall))
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


def _head(raw: bytes, start: Link, limits: Limits) -> JournalHead:
    if not raw:
        return JournalHead(n=start.n, digest=start.digest, ended=False)
    line, record = parse_line(raw, limits.depth)
    return JournalHead(n=line.n, digest=digest(raw), ended=isinstance(record, End))


def _is_journal(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    return folder == JOURNALS and name.endswith(_SUFFIX) and name != _SUFFIX
