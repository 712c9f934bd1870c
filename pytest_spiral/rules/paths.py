"""Names inside a bundle: which paths are allowed, and how the product's own are made."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

PLAN: Final = "plan.json"
BUNDLE: Final = "bundle.json"
INVENTORY: Final = "inventory.json"
SUMMARY: Final = "summary.json"
SELFTEST: Final = "selftest.json"
MANIFEST: Final = "manifest.json"
ATTESTATION: Final = "attestation.dsse.json"
TEST_RESULT: Final = "test-result.dsse.json"
JOURNALS: Final = "journal"
SAMPLES: Final = "samples"
LEDGER: Final = "ledger.jsonl"
EARLIER: Final = "earlier"
RECOVERED: Final = "-r1"
QUARANTINE: Final = "logs/quarantine.json"
QUARANTINED: Final = ".quarantined"
LOGS: Final = "logs"
METRICS: Final = "metrics"
TRACES: Final = "traces"
PARITY: Final = "rest_grpc_diff.json"
HANDSHAKE_PARITY: Final = "rest_grpc_handshake_diff.json"
HANDSHAKES: Final = {"rest": "rest_handshake_with_expiry.json", "grpc": "grpc_trial_handshake.json"}
"""What a side's handshake is called, by transport."""
MAIN: Final = "main"
MAIN_JOURNAL: Final = "journal/main.jsonl"

SEGMENT_LENGTH: Final = 100
PATH_LENGTH: Final = 240
DEPTH: Final = 8

SEGMENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_UNCLEAN: Final = re.compile(r"[^A-Za-z0-9._-]+")
# Windows opens the device whatever stands after the first dot (learn.microsoft.com, "Naming Files").
_DEVICE: Final = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)
_NONCE: Final = re.compile(r"[0-9a-f]{6,}")


def run_id(wall_us: int, slug: str, nonce: str) -> str:
    """A run's name: UTC time, slug, the nonce's first six digits, as in `20261122T093000Z-stage_b-3f9c1a`.

    `wall_us` is microseconds since 1970-01-01 UTC, `nonce` lowercase hexadecimal. ValueError for another nonce.
    """
    if not _NONCE.fullmatch(nonce):
        raise ValueError(f"a nonce is lowercase hexadecimal of at least 6 digits, not {nonce!r}")
    moment = datetime.fromtimestamp(wall_us // 1_000_000, UTC).strftime("%Y%m%dT%H%M%SZ")
    word = clean_segment(slug)[: SEGMENT_LENGTH - len(moment) - 8]
    return f"{moment}-{word}-{nonce[:6]}"


def journal_file(process: str) -> str:
    """Where the journal of a process lies in the bundle."""
    return f"{JOURNALS}/{process}.jsonl"


def journal_process(path: str) -> str:
    """The process whose journal lies there: what `journal_file` was given."""
    return path.rpartition("/")[2].removesuffix(".jsonl")


def sample_file(criterion: str, process: str, number: int) -> str:
    """Where the samples of a process's `number`-th measurement lie, relative to `samples/`."""
    return f"{criterion}/{process}-{number}.jsonl"


def clean_segment(name: str) -> str:
    """A segment that the rules allow and that resembles a foreign name; the original belongs into a record.

    Different names may give the same segment: whoever writes files numbers them.
    """
    ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii")
    clean = _UNCLEAN.sub("_", ascii_only).lstrip("._-")
    if len(clean) > SEGMENT_LENGTH:
        stem, dot, suffix = clean.rpartition(".")
        tail = f"{dot}{suffix}" if stem and len(suffix) <= 10 else ""
        clean = clean[: SEGMENT_LENGTH - len(tail)] + tail
    if not clean:
        return "file"
    return f"x-{clean}"[:SEGMENT_LENGTH] if _DEVICE.fullmatch(clean) else clean


def quarantined_path(path: str) -> str:
    """Where the stub of a quarantined file lies: beside where the file would have been."""
    folder, slash, name = path.rpartition("/")
    return f"{folder}{slash}{name[: SEGMENT_LENGTH - len(QUARANTINED)]}{QUARANTINED}"


def path_faults(path: str) -> Iterator[tuple[str, str]]:
    """What is wrong with one path: reason code and sentence, nothing for a good one."""
    segments = path.split("/")
    if len(path) > PATH_LENGTH:
        yield "path-length", f"the path has {len(path)} characters, at most {PATH_LENGTH} are allowed."
    if len(segments) > DEPTH:
        yield "path-depth", f"the path has {len(segments)} segments, at most {DEPTH} are allowed."
    for segment in segments:
        if not SEGMENT.fullmatch(segment):
            yield "path-name", f"the segment {segment[:SEGMENT_LENGTH]!a} does not match {SEGMENT.pattern}."
        elif _DEVICE.fullmatch(segment):
            yield "path-device", f"the segment {segment!r} is a device on some systems."
        if len(segment) > SEGMENT_LENGTH:
            yield "path-length", f"a segment has {len(segment)} characters, at most {SEGMENT_LENGTH} are allowed."


def check_path(path: str) -> str:
    """Give the path back; ValueError with the first thing that is wrong with it."""
    for _, sentence in path_faults(path):
        raise ValueError(f"{path!r} is no path of a bundle: {sentence}")
    return path


def case_twins(paths: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Pairs of names, files or folders, that differ by case only: the later beside the one seen first."""
    first: dict[str, str] = {}
    told: set[str] = set()
    for path in paths:
        segments = path.split("/")
        for end in range(1, len(segments) + 1):
            name = "/".join(segments[:end])
            known = first.setdefault(name.lower(), name)
            if known != name and name not in told:
                told.add(name)
                yield name, known
