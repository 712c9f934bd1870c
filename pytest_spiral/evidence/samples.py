"""A measurement's sample file: each sample is down at once, ranges of them are bound into the journal."""

import hashlib
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from pytest_spiral.errors import EvidenceError, MeasurementError
from pytest_spiral.evidence.appender import Appender
from pytest_spiral.evidence.journal import Journal, Refuse
from pytest_spiral.evidence.store import make_folder
from pytest_spiral.model.measurement import Sample
from pytest_spiral.model.record import MeasureClosed, MeasureOpened, Range
from pytest_spiral.rules.integrity import Limits
from pytest_spiral.rules.paths import SAMPLES, check_path
from pytest_spiral.rules.sampling import encode_sample

if TYPE_CHECKING:
    from hashlib import _Hash

RANGE_BYTES: Final = Limits().range
RANGE_NS: Final = 10_000_000_000


class _Bound(NamedTuple):
    """How far the journal binds the file: bytes, samples, and the hash of all those bytes."""

    size: int
    lines: int
    state: "_Hash"


class SampleFile:
    """An open sample file of the measurement that `opened` announces; its record must be in the journal already.

    `folder` is the bundle's; `opened.file` is made by `rules.paths.sample_file`. A range is bound before a sample
    that would take it over 1 MiB, before one that comes 10 s after the range's first, and at the close, so that
    ranges tile the file. No timer runs: samples before a long pause are bound when the next one comes.

    Methods may be called from several threads; in a forked child they do nothing. SIGKILL loses no sample whose
    `add` has returned.
    """

    def __init__(self, folder: Path, opened: MeasureOpened, journal: Journal, refuse: Refuse | None = None) -> None:
        path = folder / check_path(f"{SAMPLES}/{opened.file}")
        make_folder(path.parent)
        self._file = Appender(path)
        self._name = opened.file
        self._journal = journal
        self._refuse = refuse
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._bound = _Bound(0, 0, hashlib.sha256())
        self._binding: tuple[Range, _Bound] | None = None
        self._since = 0

    def add(self, sample: Sample) -> None:
        """Write one sample; returns when it is down.

        Raises MeasurementError for a sample that is not the next one by its `n`, cannot be read back, or takes
        more than 64 KiB; EvidenceError where the disk refuses it; whatever `refuse` raises.
        """
        if os.getpid() != self._pid:
            return
        with self._lock:
            count = self._settled_lines()
            if sample.n != count:
                raise MeasurementError(f"sample {sample.n} of {self._name} comes where {count} is expected.")
            line = encode_sample(sample)
            if self._refuse is not None:
                self._refuse(line)
            self._bind_if_due(len(line))
            self._file.append(line)

    def close(self, raised: str = "", transports: tuple[str, ...] = ()) -> None:
        """Bind what is left and record that the measurement ended; `raised` names what left its block.

        `transports` are those that the target was called over meanwhile.

        Raises EvidenceError. A second call does nothing.
        """
        if os.getpid() != self._pid or not self._file.open:
            return
        with self._lock:
            try:
                self._finish(raised, transports)
            except EvidenceError:
                raise
            except BaseException:  # Ctrl-C or a timeout inside: the measurement is closed all the same
                self._finish(raised, transports)
                raise
            finally:
                self._file.release()

    def _finish(self, raised: str, transports: tuple[str, ...]) -> None:
        self._settled_lines()
        self._bind()
        size, count, state = self._bound
        sha256 = f"sha256:{state.hexdigest()}"
        self._journal.append(
            MeasureClosed(file=self._name, bytes=size, count=count, sha256=sha256, raised=raised, transports=transports)
        )

    def _settled_lines(self) -> int:
        position = self._file.position
        if position.pending or not self._file.open:
            position = self._file.settle()
        if self._binding is not None:
            self._commit()
        return position.lines

    def _bind_if_due(self, coming: int) -> None:
        size = self._file.position.size
        if size == self._bound.size:
            self._since = self._journal.elapsed()
        elif size + coming > self._bound.size + RANGE_BYTES or self._journal.elapsed() - self._since >= RANGE_NS:
            self._bind()
            self._since = self._journal.elapsed()

    def _bind(self) -> None:
        lines, size, _, _ = self._file.position
        start, count, state = self._bound
        if size == start:
            return
        data = self._file.read_back(start, size - start)
        whole = state.copy()
        whole.update(data)
        sha256 = f"sha256:{hashlib.sha256(data).hexdigest()}"
        bound = Range(file=self._name, offset=start, bytes=size - start, count=lines - count, sha256=sha256)
        self._binding = (bound, _Bound(size, lines, whole))
        self._commit()

    def _commit(self) -> None:
        """Append the prepared range. Interrupted, it is appended again: readers take an exact twin for the same."""
        if self._binding is None:
            raise EvidenceError(f"no range of {self._name} is ready to be bound.")
        bound, after = self._binding
        self._journal.append(bound)
        self._bound = after
        self._binding = None
