"""The server's own log of what it carried out: what proves that nothing was done twice."""

import json
from pathlib import Path
from typing import Any

KEPT = 100_000
"""How many entries a page has at most."""


class CommandLog:
    """One JSON line for each command, handover and upload that was carried out, numbered from 1.

    A line is handed to the operating system before its call is answered: it outlives the process, not the machine.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("xb")
        self._entries: list[dict[str, Any]] = []

    def add(self, **entry: Any) -> None:
        """Write one entry down."""
        numbered = {"number": len(self._entries) + 1, **entry}
        self._file.write(json.dumps(numbered, ensure_ascii=True, separators=(",", ":")).encode() + b"\n")
        self._file.flush()
        self._entries.append(numbered)

    def report(self, after: int, limit: int) -> dict[str, Any]:
        """How many there are, and up to `limit` entries numbered above `after`."""
        return {"total": len(self._entries), "commands": self._entries[after : after + limit]}

    def close(self) -> None:
        """Close the file."""
        self._file.close()
