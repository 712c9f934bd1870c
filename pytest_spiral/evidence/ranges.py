"""Reading sample files against the ranges that journals bind: every byte belongs to one range, every sample to one line."""

import hashlib
from collections.abc import Callable, Collection
from functools import partial
from typing import BinaryIO

from pytest_spiral.errors import UntrustedError
from pytest_spiral.evidence.findings import Note, noted
from pytest_spiral.evidence.journals import Journals, Measure
from pytest_spiral.evidence.reading import Reading
from pytest_spiral.model.measurement import Sample
from pytest_spiral.model.record import Range
from pytest_spiral.rules.canonical import digest
from pytest_spiral.rules.integrity import Limits, finding, shown
from pytest_spiral.rules.paths import SAMPLES
from pytest_spiral.rules.sampling import parse_samples

TakeSamples = Callable[[Measure, list[Sample]], None]
"""Takes samples of a measurement, a range at a time, in their order."""


def read_samples(reading: Reading, journals: Journals, take: TakeSamples) -> None:
    """Read all sample files, each byte once, holding one range at a time.

    A process that has no end record may leave samples behind its last range, a
    torn last line, and a file whose record was never written, in either order.
    """
    note = reading.note
    for measure in journals.measures.values():
        path = f"{SAMPLES}/{measure.opened.file}"
        ended = journals.ended(measure.process)
        if path not in reading.present:
            if ended or measure.ranges or measure.closed:
                note(finding("samples-missing", path, "the journal names this file."))
            continue
        if measure.closed is None and ended and journals.end is not None and journals.end.status == "finished":
            note(finding("samples-unclosed", path, "its process ended well and never closed it."))
        with noted(note, path):
            _read_one(reading, path, measure, take)
    _check_unlisted(reading.present, journals, note)


def _read_one(reading: Reading, path: str, measure: Measure, take: TakeSamples) -> None:
    """Read one file; raises UntrustedError at the first thing that is wrong, since all after it would be too."""
    count, size, whole, limits = 0, 0, hashlib.sha256(), reading.limits
    with reading.folder.stream(path) as file:
        for bound in measure.ranges:
            block = _read_range(file, bound, size, limits)
            samples = parse_samples(block, count, limits)
            if len(samples) != bound.count:
                raise UntrustedError(
                    "samples-count", f"the range at {size} holds {len(samples)} samples, {bound.count} are recorded."
                )
            take(measure, samples)
            whole.update(block)
            size += len(block)
            count += len(samples)
        if measure.closed is None:
            _read_rest(file, count, limits, partial(take, measure))
        elif file.read(1):
            raise UntrustedError("samples-tiling", f"the file goes on after its last range, which ends at {size}.")
    _check_closed(measure, size, count, f"sha256:{whole.hexdigest()}")


def _read_range(file: BinaryIO, bound: Range, at: int, limits: Limits) -> bytes:
    if bound.offset != at or bound.bytes <= 0:
        said = f"{shown(bound.offset, 24)}, {shown(bound.bytes, 24)} bytes"
        raise UntrustedError("samples-tiling", f"a range begins at {said}; the one before it ends at {at}.")
    if bound.bytes > limits.range:
        raise UntrustedError("samples-tiling", f"a range has {bound.bytes} bytes, at most {limits.range} are allowed.")
    block = file.read(bound.bytes)
    if len(block) < bound.bytes:
        raise UntrustedError("samples-tiling", f"the file ends at {at + len(block)}, a range at {at + bound.bytes}.")
    if digest(block) != bound.sha256:
        raise UntrustedError("samples-digest", f"the {bound.bytes} bytes at {at} are not those that were recorded.")
    if not block.endswith(b"\n"):
        raise UntrustedError("samples-tiling", f"the range at {at} ends inside a line.")
    return block


def _read_rest(file: BinaryIO, count: int, limits: Limits, take: Callable[[list[Sample]], None]) -> None:
    """Samples that were down and not yet bound when the process died; a torn last line is no sample."""
    while (raw := file.readline(limits.sample_line + 1)).endswith(b"\n"):
        take(parse_samples(raw, count, limits))
        count += 1
    if len(raw) > limits.sample_line:
        raise UntrustedError("line-too-long", f"sample {count} takes more than {limits.sample_line} bytes.")


def _check_closed(measure: Measure, size: int, count: int, sha256: str) -> None:
    closed = measure.closed
    if closed is None:
        return
    if closed.bytes != size:
        raise UntrustedError("samples-tiling", f"ranges cover {size} bytes, {shown(closed.bytes, 24)} are recorded.")
    if closed.count != count:
        raise UntrustedError("samples-count", f"{count} samples, {shown(closed.count, 24)} are recorded.")
    if closed.sha256 != sha256:
        raise UntrustedError("samples-digest", "the whole is not what was recorded at its close.")


def _check_unlisted(present: Collection[str], journals: Journals, note: Note) -> None:
    for path in present:
        if not path.startswith(f"{SAMPLES}/"):
            continue
        name = path.removeprefix(f"{SAMPLES}/")
        process = name.rpartition("/")[2].rpartition("-")[0]
        died = process in journals.processes and not journals.ended(process)
        if name not in journals.measures and not died:
            note(finding("samples-unlisted", path, "no record names this sample file."))
