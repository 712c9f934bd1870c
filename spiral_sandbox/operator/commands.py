"""The server's own log of what it carried out: what proves that nothing was done twice."""

import itertools
import json
from pathlib import Path
from typing import Any


class CommandLog:
    """One JSON line for each command, handover and upload that was carried out, numbered from 1.

    A line is handed to the operating system before its call is answered: it outlives the process, not the machine. It
    is read from there too, so that nothing piles up in memory.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("xb")
        self._total = 0

    def add(self, **entry: Any) -> None:
        """Write one entry down."""
        numbered = {"number": self._total + 1, **entry}
        self._file.write(json.dumps(numbered, ensure_ascii=True, separators=(",", ":")).encode() + b"\n")
        self._file.flush()
        self._total += 1

    def report(self, after: int, limit: int) -> dict[str, Any]:
        """How many there are, and up to `limit` entries numbered above `after`."""
        with self._path.open("rb") as file:
            commands = [json.loads(line) for line in itertools.islice(file, after, after + limit)]
        return {"total": self._total, "commands": commands}

    def close(self) -> None:
        """Close the file."""
        self._file.close()
