"""Files of a rehearsal: written once, read back, and identified by their bytes."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spiral_sandbox.sonic.errors import SonicError
from spiral_sandbox.sonic.render import RATE, Samples


def write_audio(path: Path, samples: Samples) -> None:
    """Write 16-bit samples (frames x 2) as FLAC, which loses nothing; SonicError if the file is there already."""
    import soundfile

    try:
        with path.open("xb") as file:
            soundfile.write(file, samples, RATE, format="FLAC", subtype="PCM_16")
    except FileExistsError as error:
        raise SonicError(f"The file {path.name} is there already.") from error


def read_audio(path: Path) -> Samples:
    """The 16-bit samples (frames x channels) of an audio file at 48 kHz; SonicError for another rate."""
    import soundfile

    samples, rate = soundfile.read(path, dtype="int16", always_2d=True)
    if rate != RATE:
        raise SonicError(f"The file {path.name} has {rate} samples a second, not {RATE}.")
    return np.asarray(samples, dtype=np.int16)


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write a JSON file with sorted keys; it must not be there yet."""
    with path.open("x", encoding="utf-8") as file:
        json.dump(document, file, sort_keys=True, separators=(",", ":"), allow_nan=False)


def identify(path: Path) -> dict[str, Any]:
    """Path, size in bytes and SHA-256 (hex) of a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"path": str(path), "bytes": path.stat().st_size, "sha256": digest}
