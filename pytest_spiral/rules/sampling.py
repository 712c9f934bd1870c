"""A sample file's bytes: one sample a line, numbered from 0, and how lines are read strictly."""

from typing import Any, Final

import msgspec
from msgspec import json

from pytest_spiral.errors import EvidenceError, MeasurementError, UntrustedError
from pytest_spiral.model.base import MOST_INTEGER
from pytest_spiral.model.measurement import Sample
from pytest_spiral.rules.canonical import convert, parse_strict, plain
from pytest_spiral.rules.integrity import Limits, shown

_LIMITS: Final = Limits()
LINE_LIMIT: Final = _LIMITS.sample_line

_ENCODER: Final = json.Encoder()
_DECODER: Final = json.Decoder(Sample)


def encode_sample(sample: Sample) -> bytes:
    """A sample's line with its LF, such that it reads back as the same sample.

    Minus zero is written as zero. Raises MeasurementError for a sample that cannot be read back (another type, a
    number out of range, JSON that does not exist) or that takes more than 64 KiB.
    """
    try:
        line = _ENCODER.encode(sample) + b"\n"
        if not _is_simple(sample) or _DECODER.decode(line) != sample:
            line = _encode_thoroughly(sample)
    except (UnicodeEncodeError, TypeError, msgspec.ValidationError):
        line = _encode_thoroughly(sample)
    if len(line) > LINE_LIMIT:
        raise MeasurementError(f"sample {sample.n} takes {len(line)} bytes, a line at most {LINE_LIMIT}.")
    return line


def parse_samples(block: bytes, first: int, limits: Limits = _LIMITS) -> list[Sample]:
    """Read whole lines strictly; the first sample must be number `first`, the others follow.

    Raises UntrustedError: a `json-…` code, `field-wrong`, `line-too-long`, `samples-order`.
    """
    _check_lengths(block, first, limits.sample_line)
    samples = _parse_own(block)
    if samples is None:
        samples = [_parse_any(line, first + at, limits.depth) for at, line in enumerate(_lines(block))]
    for at, sample in enumerate(samples, first):
        if sample.n != at:
            raise UntrustedError("samples-order", f"sample {shown(sample.n, 24)} stands where {at} belongs.")
    return samples


def _lines(block: bytes) -> list[bytes]:
    return block.removesuffix(b"\n").split(b"\n") if block else []


def _check_lengths(block: bytes, first: int, most: int) -> None:
    if len(block) <= most:
        return
    for number, line in enumerate(_lines(block), first):
        if len(line) >= most:
            raise UntrustedError("line-too-long", f"sample {number} takes more than {most} bytes.")


def _encode_thoroughly(sample: Sample) -> bytes:
    try:
        line = _ENCODER.encode(plain(sample)) + b"\n"
        _DECODER.decode(line)
    except (EvidenceError, msgspec.ValidationError) as problem:
        raise MeasurementError(f"sample {sample.n} cannot be kept: {problem}") from problem
    return line


def _is_simple(sample: Sample) -> bool:
    """Whether equal bytes after decoding and encoding again prove that there is no second reading."""
    if sample.seen is not None:
        return False
    for number in (sample.value, sample.exposure):
        if number is not None and _is_odd(number):
            return False
    whole = (sample.n, sample.ns, sample.count, sample.block, sample.intended, sample.sent, sample.done)
    return all(number is None or -MOST_INTEGER <= number <= MOST_INTEGER for number in whole)


def _is_odd(number: Any) -> bool:
    # Zero is odd because it may be minus zero, or a number too small for a double.
    return number == 0 or (isinstance(number, int) and not -MOST_INTEGER <= number <= MOST_INTEGER)


def _parse_own(block: bytes) -> list[Sample] | None:
    """Read lines that are spelled as this program spells them; None for any others, which proves nothing."""
    try:
        samples: list[Sample] = _DECODER.decode_lines(block)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if _ENCODER.encode_lines(samples) != block or not all(map(_is_simple, samples)):
        return None
    return samples


def _parse_any(line: bytes, number: int, depth: int) -> Sample:
    """Read one line however it is spelled, with every check."""
    try:
        return convert(parse_strict(line, depth=depth), Sample)
    except UntrustedError as problem:
        raise UntrustedError(problem.code, f"sample {number}: {problem}") from problem
