"""Records of a journal: one type a kind. Everything a verdict rests on is one of these, or a sample.

A line of a journal is `{n, prev, wall, mono, kind, body}` and LF (`docs/evidence-format.md`). Times: `wall` is
microseconds since 1970-01-01 UTC, `mono` nanoseconds since the start of that journal.
"""

from typing import Any, Literal

import msgspec

from pytest_spiral.model.base import Value
from pytest_spiral.model.fidelity import Fidelity
from pytest_spiral.model.launcher import Published
from pytest_spiral.model.profile import Fact

Raised = Literal["", "assertion", "error", "skip", "xfail", "limited", "blocked", "lost", "crash", "exit", "timeout"]


class Line(Value, frozen=True, kw_only=True, gc=False):
    """A journal line as it stands; `body` is still undecoded JSON."""

    n: int
    prev: str
    wall: int
    mono: int
    kind: str
    body: msgspec.Raw


class Start(Value, frozen=True, kw_only=True):
    """First record of each journal. `process` is `main` or the worker's name."""

    process: str
    nonce: str
    format: Literal["spiral-journal/1"] = "spiral-journal/1"


class End(Value, frozen=True, kw_only=True):
    """Last record of each journal. In `main`, `workers` holds the last sequence and digest of every other journal."""

    status: Literal["finished", "interrupted", "crashed"] = "finished"
    exit_status: int = 0
    workers: dict[str, "JournalHead"] = {}


class JournalHead(Value, frozen=True, kw_only=True):
    """Where a journal ended: sequence and digest of its last line; `ended` is false for a worker that died."""

    n: int
    digest: str
    ended: bool


class Test(Value, frozen=True, kw_only=True, gc=False):
    """A test has run, or was kept from running.

    `raised` says what ended it (empty: nothing did), `phase` where. `next` is the test that this process starts
    after it, so that a kill can name the one that was running. `criteria` are the claimed ids.
    """

    id: str
    criteria: tuple[str, ...] = ()
    raised: Raised = ""
    phase: Literal["", "setup", "call", "teardown"] = ""
    why: str = ""
    needs: tuple[str, ...] = ()
    duration_ns: int = 0
    next: str = ""


class MeasureOpened(Value, frozen=True, kw_only=True):
    """A measurement was announced: `file` (relative to samples/) identifies it for the records that follow.

    `run` is the id of the run block it stands in (empty: the whole test), `control` the id of the control
    criterion in whose block it stands. `planned` is how many samples were announced (0: not announced).
    """

    file: str
    name: str
    unit: str
    test: str
    criteria: tuple[str, ...]
    run: str = ""
    control: str = ""
    planned: int = 0
    clock: Literal["monotonic", "virtual", "none"] = "none"
    resolution_ns: int = 0


class Range(Value, frozen=True, kw_only=True):
    """Bytes of a sample file that are down: ranges tile the file. At most 1 MiB or 10 s each."""

    file: str
    offset: int
    bytes: int
    count: int
    sha256: str


class MeasureClosed(Value, frozen=True, kw_only=True):
    """A measurement ended. `raised` is empty, or says that an exception left its block.

    `transports` names those over which the target was called while it was open, as they were seen, sorted.
    """

    file: str
    bytes: int
    count: int
    sha256: str
    raised: str = ""
    transports: tuple[str, ...] = ()


class RunOpened(Value, frozen=True, kw_only=True):
    """A run block (`spiral.rehearsal()`) began."""

    run: str
    test: str
    criteria: tuple[str, ...]


class RunClosed(Value, frozen=True, kw_only=True):
    """A run block ended; `abandoned` where an exception left it."""

    run: str
    outcome: Literal["closed", "abandoned"]


class ControlOpened(Value, frozen=True, kw_only=True):
    """A control block began: a second target with `fault` is up."""

    control: str
    of: str
    fault: str
    test: str


class ControlClosed(Value, frozen=True, kw_only=True):
    """A control block ended; `raised` where an exception left it."""

    control: str
    test: str
    raised: str = ""


class FactSeen(Value, frozen=True, kw_only=True):
    """A fact was probed while the run went on (for a requirement that needed it)."""

    fact: Fact


class Challenge(Value, frozen=True, kw_only=True):
    """What was asked of a subject, and what it answered: the transcript from which fidelity is derived.

    `kind` names the rule in `pytest_spiral.rules.fidelity` that reads `answers`.
    """

    kind: str
    nonce: str
    answers: dict[str, Any]


class SubjectSeen(Value, frozen=True, kw_only=True):
    """A component of the target was identified and challenged, at the start or at the end of its use."""

    subject: str
    when: Literal["start", "end"]
    identity: str
    version: str
    digest: str
    registered: Fidelity
    challenge: Challenge | None = None
    control: str = ""


class TargetLost(Value, frozen=True, kw_only=True):
    """A component of the target died in mid-run."""

    subject: str
    test: str
    why: str


class Attached(Value, frozen=True, kw_only=True):
    """A file was attached: `path` inside the bundle, `name` as it was called. `cut` is how many bytes were left out.

    `quarantined` says what the content looked like, where a stub stands in its place.
    """

    path: str
    name: str
    media_type: str
    bytes: int
    sha256: str
    test: str = ""
    criteria: tuple[str, ...] = ()
    cut: int = 0
    quarantined: tuple[str, ...] = ()


class DocumentSeen(Value, frozen=True, kw_only=True):
    """The document of a criterion that a person examines, as it lay there when the run was opened.

    `path` is where the bundle keeps it (empty: there was none), `bytes` and `sha256` are its own. `statement` and
    `signature` are the texts that lay beside the gates file: what a person signed, and how (empty: nobody has).
    """

    criterion: str
    document: str
    path: str = ""
    bytes: int = 0
    sha256: str = ""
    statement: str = ""
    signature: str = ""


class Crash(Value, frozen=True, kw_only=True):
    """A worker process died; `test` is what it was running (empty: unknown)."""

    process: str
    test: str
    why: str


class Stopped(Value, frozen=True, kw_only=True):
    """The run was stopped before all of its tests were over: `why`, and the tests that were running then."""

    why: str
    running: tuple[str, ...] = ()


class Recovered(Value, frozen=True, kw_only=True):
    """In `main` only: the run was killed, and what it had recorded was copied into this bundle.

    It follows the run's own last record, even an `end`. `state` is what the run had come to. `torn` has, by path,
    how many bytes behind the last whole line were cut off. `left` names the first files that no record vouches for
    and that were left behind, of `left_count`. The crash records that follow name the tests that were running.
    """

    state: Literal["incomplete", "ended"]
    torn: dict[str, int] = {}
    left: tuple[str, ...] = ()
    left_count: int = 0


RECORDS: dict[str, type[Value]] = {
    "start": Start,
    "end": End,
    "test": Test,
    "measure-opened": MeasureOpened,
    "range": Range,
    "measure-closed": MeasureClosed,
    "run-opened": RunOpened,
    "run-closed": RunClosed,
    "control-opened": ControlOpened,
    "control-closed": ControlClosed,
    "fact": FactSeen,
    "subject": SubjectSeen,
    "target-lost": TargetLost,
    "attached": Attached,
    "document": DocumentSeen,
    "crash": Crash,
    "stopped": Stopped,
    "recovered": Recovered,
    "published": Published,
}

KINDS: dict[type[Value], str] = {record: kind for kind, record in RECORDS.items()}
