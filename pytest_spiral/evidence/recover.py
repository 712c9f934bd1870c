"""Taking over what a killed run had recorded: the dead folder is locked and read, and nothing is written into it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from pytest_spiral.errors import UntrustedError, UseError
from pytest_spiral.evidence.findings import noted, refuse
from pytest_spiral.evidence.folder import Folder
from pytest_spiral.evidence.journals import journal_heads, journal_paths, process_of
from pytest_spiral.evidence.read import inventory_parts
from pytest_spiral.evidence.store import add_lines, make_folder, write_stream
from pytest_spiral.evidence.verify import verify_integrity
from pytest_spiral.model.base import Value
from pytest_spiral.model.evidence import InventoryItem
from pytest_spiral.model.record import Attached, Crash, End, MeasureOpened, Recovered, RunOpened, Test
from pytest_spiral.rules.canonical import digest
from pytest_spiral.rules.chain import encode_line, parse_line
from pytest_spiral.rules.integrity import Limits, finding
from pytest_spiral.rules.paths import BUNDLE, INVENTORY, JOURNALS, LOGS, MAIN, MAIN_JOURNAL, PLAN, SAMPLES, path_faults

Remains = Literal["never-opened", "abandoned", "incomplete", "ended"]

_WHY: Final = "the process was killed; what it had recorded was recovered"
_LEFT_NAMED: Final = 20


@dataclass(slots=True)
class _Survey:
    """What one journal of the dead run says: how many bytes are whole lines, and what its process was doing."""

    path: str
    size: int = 0
    torn: int = 0
    tests: int = 0
    running: str = ""
    ended: bool = False
    crashed: set[str] = field(default_factory=set)
    attached: list[str] = field(default_factory=list)

    @property
    def process(self) -> str:
        return process_of(self.path)

    def take(self, record: Value) -> None:
        if isinstance(record, Test):
            self.tests += 1
            self.running = record.next
        elif isinstance(record, MeasureOpened | RunOpened):
            self.running = record.test
        elif isinstance(record, Attached):
            self.attached.append(record.path)
        elif isinstance(record, Crash):
            self.crashed.add(record.process)
        elif isinstance(record, End):
            self.ended = True
            self.running = ""


@contextmanager
def held(folder: Path, limits: Limits | None = None) -> Iterator[None]:
    """Hold the lock of every journal of a run, so that neither a writer nor another recovery is at work.

    Raises UseError where a process holds one: the run is still going on. UntrustedError for a journal that is no
    regular file.
    """
    limits = limits or Limits()
    taken: list[int] = []
    try:
        with Folder(folder) as opened:
            for path in journal_paths(opened.names(JOURNALS, limits.files)):
                try:
                    taken.append(opened.lock(path))
                except BlockingIOError as problem:
                    raise UseError(
                        f"{folder} is still being written: a process holds the lock of {path}. "
                        "Remedy: wait until the run is over, or end it."
                    ) from problem
        yield
    finally:
        for fd in taken:
            os.close(fd)


def remains_of(folder: Path, limits: Limits | None = None) -> Remains:
    """What a dead run without a manifest had come to, whoever holds its locks; UntrustedError for an unreadable line."""
    limits = limits or Limits()
    with Folder(folder) as opened:
        if not opened.has(MAIN_JOURNAL):
            return "never-opened"
        last = opened.last_line(MAIN_JOURNAL, limits.journal_line)
        if not last:
            return "never-opened"
        with noted(refuse, MAIN_JOURNAL):
            ended = isinstance(parse_line(last, limits.depth)[1], End)
        if ended:
            return "ended"
        return "incomplete" if opened.has(INVENTORY) else "abandoned"


def salvage(dead: Path, into: Path, wall: int, limits: Limits | None = None) -> Recovered:
    """Copy what the dead run had recorded into the folder `into`, which must not exist, and end its main journal.

    Kept are the plan, bundle.json, the inventory, whole lines of journals and sample files, every file that a record
    names, and the logs that grew while the run went on. Torn tails are cut and files that no record names are left
    behind; the `recovered` record says so. `wall` is the time of recovery, in microseconds since 1970 UTC. The caller holds the run's locks.

    Raises UntrustedError, with its reason code, where the dead run is not what its own records say: a whole line
    that cannot be read, a broken chain, a link. EvidenceError where the disk refuses.
    """
    limits = limits or Limits()
    make_folder(into / JOURNALS)
    make_folder(into / SAMPLES)
    with Folder(dead) as opened:
        present = _present(opened, limits)
        surveys = [_survey(opened, path, limits) for path in journal_paths(present)]
        torn: dict[str, int] = {one.path: one.torn for one in surveys if one.torn}
        logs = sorted(path for path in present.keys() - _attached(surveys) if _is_log(path))
        kept = {*logs, PLAN, BUNDLE, INVENTORY, *(one.path for one in surveys), *_attached(surveys)} & present.keys()
        sizes = {one.path: one.size for one in surveys}
        for path in sorted(present):
            if path.startswith(f"{SAMPLES}/") and _is_sample(path):
                sizes[path] = _whole(opened, path, present[path], limits)
                if sizes[path] < present[path]:
                    torn[path] = present[path] - sizes[path]
                kept.add(path)
        for path in sorted(kept):
            _copy(opened, path, into, sizes.get(path, present[path]))
        running = _running(opened, surveys, limits)
    _check(into, limits)
    left = sorted(present.keys() - kept)
    recovered = Recovered(
        state="ended" if surveys[0].ended else "incomplete",
        torn=torn,
        left=tuple(left[:_LEFT_NAMED]),
        left_count=len(left),
    )
    _end(into, [recovered, *_found(into, logs), *_crashes(surveys, running)], wall, limits)
    return recovered


def _present(folder: Folder, limits: Limits) -> dict[str, int]:
    """Every file with its size; UntrustedError for anything that is neither file nor folder, or has a wrong name."""
    present: dict[str, int] = {}
    for entry in folder.entries(limits.files):
        if entry.kind not in ("file", "folder"):
            refuse(finding(entry.kind, entry.path, "a run of ours does not leave this behind."))
        for code, sentence in path_faults(entry.path):
            refuse(finding(code, entry.path, sentence))
        if entry.kind == "file":
            present[entry.path] = entry.size
    return present


def _survey(folder: Folder, path: str, limits: Limits) -> _Survey:
    survey = _Survey(path)
    for number, (raw, torn) in enumerate(folder.lines(path, limits.journal_line), 1):
        if torn:
            survey.torn = len(raw)
            break
        try:
            survey.take(parse_line(raw, limits.depth)[1])
        except UntrustedError as problem:
            refuse(finding(problem.code, path, f"line {number} is whole and cannot be read: {problem}"))
        survey.size += len(raw)
    return survey


def _attached(surveys: list[_Survey]) -> set[str]:
    return {path for one in surveys for path in one.attached}


def _is_sample(path: str) -> bool:
    """Whether a file is a sample file, and not one that was half written when the process died."""
    return path.endswith(".jsonl")


def _is_log(path: str) -> bool:
    """Whether a file is a log of ours, which is recorded when it is whole."""
    folder, _, name = path.partition("/")
    return folder == LOGS and name.endswith(".log") and "/" not in name


def _found(into: Path, logs: list[str]) -> list[Attached]:
    """Records of the logs that the dead run had not recorded yet: bytes as they were found."""
    found = []
    with Folder(into) as opened:
        for path in logs:
            size, sha256 = opened.digest(path)
            name = f"{path.removeprefix(f'{LOGS}/')}, as it was found"
            media = "application/octet-stream"
            found.append(Attached(path=path, name=name, media_type=media, bytes=size, sha256=sha256))
    return found


def _whole(folder: Folder, path: str, size: int, limits: Limits) -> int:
    """How many bytes of a file of lines are whole lines."""
    with folder.stream(path) as file:
        file.seek(max(0, size - limits.sample_line - 1))
        tail = file.read()
    return size - (len(tail) - tail.rfind(b"\n") - 1)


def _copy(folder: Folder, path: str, into: Path, size: int) -> None:
    make_folder((into / path).parent)
    with folder.stream(path) as source:
        write_stream(into / path, source, size)


def _running(folder: Folder, surveys: list[_Survey], limits: Limits) -> dict[str, str]:
    """Process → the test that it was running or about to run; processes that came to their end have none.

    A process that has not recorded any test yet was at its first one: without workers, that is the inventory's.
    """
    running = {one.process: one.running for one in surveys if not one.ended}
    main = surveys[0]
    if len(surveys) == 1 and not main.ended and not main.tests and not main.running and folder.has(INVENTORY):
        parts = inventory_parts(folder, limits)
        running[MAIN] = next((one.id for one in parts if isinstance(one, InventoryItem) and one.selected), "")
    return running


def _crashes(surveys: list[_Survey], running: dict[str, str]) -> list[Crash]:
    """A crash for each process that died unrecorded."""
    known = {name for one in surveys for name in one.crashed}
    died = [one.process for one in surveys if not one.ended and one.process not in known]
    return [Crash(process=name, test=running.get(name, ""), why=_WHY) for name in died]


def _check(into: Path, limits: Limits) -> None:
    """Refuse a copy in which anything but its end is wrong; raises UntrustedError with the first code."""
    report = verify_integrity(into, limits)
    if report.outcome == "untrusted":
        refuse(next(one for one in report.findings if not one.code.startswith("unsealed-")))


def _end(into: Path, records: list[Value], wall: int, limits: Limits) -> None:
    """Continue the copy of the main journal with these records and an end.

    The monotonic clock of the dead process is gone: the records carry the last time that it had shown.
    """
    with Folder(into) as opened:
        raw = opened.last_line(MAIN_JOURNAL, limits.journal_line)
    line = parse_line(raw, limits.depth)[0]
    at, prev, lines = line.n, digest(raw), []
    for record in [*records, End(status="crashed", exit_status=1, workers=journal_heads(into, limits))]:
        at += 1
        lines.append(encode_line(at, prev, wall, line.mono, record))
        prev = digest(lines[-1])
    add_lines(into / MAIN_JOURNAL, b"".join(lines))
