"""One process's writing into a bundle: its journal, its sample files, its attachments."""

import io
import json
from collections.abc import Iterable
from contextlib import nullcontext
from mmap import mmap
from pathlib import Path

from pytest_spiral.errors import EvidenceError
from pytest_spiral.evidence.journal import Journal, Tell
from pytest_spiral.evidence.samples import SampleFile
from pytest_spiral.evidence.spool import Spool
from pytest_spiral.evidence.store import make_folder, mapped, replace, write_stream
from pytest_spiral.model.base import Value
from pytest_spiral.model.record import Attached, End, JournalHead, MeasureOpened
from pytest_spiral.model.target import TelemetryKind
from pytest_spiral.rules.paths import LOGS, METRICS, QUARANTINE, TRACES, journal_file, quarantined_path
from pytest_spiral.rules.redact import Redactor
from pytest_spiral.rules.suspects import find_suspects, strike_suspects, stub_of
from pytest_spiral.run import clock
from pytest_spiral.run.traces import Traces

LOG_LIMIT = 8 * 2**20
TELEMETRY_LIMIT = 16 * 2**20
ATTACHMENT_LIMIT = 2**30
ALLURE = "allure-results"


class Writer:
    """Keeps what one process records. `process` is `main` or the name of an xdist worker."""

    def __init__(  # noqa: PLR0913, PLR0917 - what a chain begins with, what must not be in it, and who is told of it
        self,
        folder: Path,
        process: str,
        first_prev: str,
        nonce: str,
        redactor: Redactor,
        tell: Tell | None = None,
    ) -> None:
        self.folder = folder
        self.process = process
        self._redactor = redactor
        self._numbers = 0
        self._spools: dict[str, Spool] = {}
        look = self.refuse if redactor else None  # nothing to look for: each record of each test would pay for it
        self.journal = Journal(
            folder / journal_file(process), first_prev, process, nonce, clock.wall_us, clock.mono_ns, look, tell
        )

    def refuse(self, data: bytes | mmap) -> None:
        """Refuse bytes in which a declared secret stands, before they are written; raises EvidenceError."""
        if self._redactor.find(data):
            raise EvidenceError(
                "a declared secret was about to be written into the evidence; it was refused. "
                "Remedy: keep it out of names, reasons, samples and attachments."
            )

    def number(self) -> int:
        """The next number of this process, from 1: for sample files, runs and attachments."""
        self._numbers += 1
        return self._numbers

    def append(self, record: Value) -> None:
        """Write one record to the journal."""
        self.journal.append(record)

    def open_samples(self, opened: MeasureOpened) -> SampleFile:
        """Begin the sample file of a measurement."""
        return SampleFile(self.folder, opened, self.journal, self.refuse)

    def attach(  # noqa: PLR0913 - an attachment is described by that much
        self,
        path: str,
        source: bytes | Path,
        *,
        name: str,
        media_type: str,
        test: str = "",
        criteria: Iterable[str] = (),
        cut: int = 0,
    ) -> None:
        """Write a content, or a copy of a file of any size, into the bundle and record it.

        Secrets are refused, in its name too. What only looks like a secret is quarantined: a stub is written in its
        place, and recorded as one. At most 1 GiB is kept, and how much was left out is recorded, together with the
        `cut` bytes that the caller has left out already.
        """
        with mapped(source) if isinstance(source, Path) else nullcontext(source) as data:
            suspects = self._looked_through(data, path, name)
            stub = stub_of(name, len(data), suspects).encode()
        if suspects:
            path, source, media_type = quarantined_path(path), stub, "text/plain"
        make_folder((self.folder / path).parent)
        with source.open("rb") if isinstance(source, Path) else io.BytesIO(source) as stream:
            kept = write_stream(self.folder / path, stream, ATTACHMENT_LIMIT)
        self.append(
            Attached(
                path=path,
                name=name,
                media_type=media_type,
                bytes=kept.bytes,
                sha256=kept.sha256,
                test=test,
                criteria=tuple(criteria),
                cut=cut + kept.cut,
                quarantined=suspects,
            )
        )

    def _looked_through(self, data: bytes | mmap, path: str, name: str) -> tuple[str, ...]:
        """What an attachment looks like; raises EvidenceError where a declared secret stands in it or in its name."""
        self.refuse(data)
        self.refuse(f"{path}\n{name}".encode("utf-8", "surrogatepass"))
        return find_suspects(data)

    def keep_traces(self, traces: Traces) -> None:
        """Write `traces/<service>/`: exchanges, what was compared, and how much more there was."""
        for service, file, document in traces.documents():
            data = self._redactor.redact(json.dumps(document, indent=1, sort_keys=True)).encode() + b"\n"
            name = f"{self._prefix}{file}"
            self.attach(f"{TRACES}/{service}/{name}", data, name=name, media_type="application/json")

    def keep_log(self, name: str, path: Path) -> None:
        """Copy a component's own log, redacted, cut in front where it is too long."""
        try:
            data = path.read_bytes()
        except OSError:
            return
        cut = data[-LOG_LIMIT:].decode("utf-8", "backslashreplace")
        self.attach(
            f"{LOGS}/{self._prefix}{name}", self._redactor.redact(cut).encode(), name=name, media_type="text/plain"
        )

    def keep_telemetry(self, component: str, kind: TelemetryKind, path: Path, prefix: str = "") -> None:
        """Copy what a component has emitted: `metrics/<component>.prom`, or `traces/<component>/spans.jsonl`.

        As logs are: redacted, and a stub where something still looks like a secret. At most 16 MiB are kept, whole
        lines from the first one on, so that what is kept can be parsed; `cut` says how many bytes are not. What is
        not there, because its component died or emitted nothing, is not kept.
        """
        try:
            with mapped(path) as data:
                kept = data[: data.rfind(b"\n", 0, TELEMETRY_LIMIT) + 1]
                cut = len(data) - len(kept)
        except OSError:
            return
        own = f"{self._prefix}{prefix}"
        where, media_type = {
            "metrics": (f"{METRICS}/{own}{component}.prom", "text/plain"),
            "spans": (f"{TRACES}/{component}/{own}spans.jsonl", "application/x-ndjson"),
        }[kind]
        self.attach(where, self._redactor.strike(kept), name=path.name, media_type=media_type, cut=cut)

    def spool(self, name: str) -> Spool:
        """A log that grows while the run goes on, without secrets and cut; `keep_spools` records what it came to."""
        path = f"{LOGS}/{self._prefix}{name}"
        made = self._spools[path] = Spool(self.folder / path, self._strike)
        return made

    def _strike(self, data: bytes) -> bytes:
        """The data without declared secrets, and without what looks like one."""
        return strike_suspects(self._redactor.strike(data))

    def keep_spools(self) -> None:
        """Record every spool to which something came; what comes later is not kept. May be called twice."""
        while self._spools:
            path, spool = self._spools.popitem()
            kept = spool.close()
            if kept is not None:
                name = path.removeprefix(f"{LOGS}/")
                media = "application/octet-stream"  # bytes as they came, text or not
                self.append(
                    Attached(path=path, name=name, media_type=media, bytes=kept.bytes, sha256=kept.sha256, cut=kept.cut)
                )

    @property
    def _prefix(self) -> str:
        return "" if self.process == "main" else f"{self.process}-"

    def strike_secrets(self) -> None:
        """Strike declared secrets out of what others wrote into the bundle; raises EvidenceError where ours has one.

        Looks into every file once more before it is sealed. Allure's results are written by another plugin and may
        quote anything, and the log of a worker that died was not looked through at its end; all other files are ours,
        and a secret in them got past a check.
        """
        for path in sorted(self.folder.rglob("*")):
            if not path.is_file():
                continue
            with mapped(path) as data:
                found = self._redactor.find(data)
            if not found:
                continue
            shown = path.relative_to(self.folder)
            if shown.parts[0] not in (ALLURE, LOGS):
                raise EvidenceError(f"a declared secret stands in {shown}; such a run is not sealed.")
            replace(path, self._redactor.strike(path.read_bytes()))

    def quarantine(self) -> None:
        """Strike what looks like a secret out of Allure's results, and record from which files.

        They are another plugin's, refer to each other by name, and are bound by the manifest only: so they are changed
        where they stand, and `logs/quarantine.json` says which.
        """
        struck = []
        for path in sorted((self.folder / ALLURE).glob("*")):
            data = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
            kinds = find_suspects(data)
            if kinds:
                replace(path, strike_suspects(data))
                struck.append({"path": path.relative_to(self.folder).as_posix(), "looked_like": list(kinds)})
        if struck:
            told = json.dumps({"format": "spiral-quarantine/1", "struck": struck}, indent=1).encode() + b"\n"
            self.attach(QUARANTINE, told, name="quarantine.json", media_type="application/json")

    def close(self, end: End) -> JournalHead:
        """Write the journal's last record and close it; gives where it ended."""
        self.journal.close(end)
        return self.journal.head
