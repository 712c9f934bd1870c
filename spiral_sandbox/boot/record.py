"""The boot log: one line of JSON for everything that happens in a run of boots, written before the next thing does.

`spiral-boot-log/1`. The first line has `format`, `run`, `at` (nanoseconds since 1970), `manifest`, `digest`,
`warden` and `boots` (how many are to come). Each further line has `boot` (from 1), `event`, `ns` (monotonic) and:

boot-begun       nonce, components (names, without standbys)
started          component, attempt (from 1), pid
ready            component, attempt
attempt-failed   component, attempt, reason, why
retry            component, attempt (the one that comes), after_s
failed-over      component, to
failed           component, reason
not-started      component, why
settled          outcome
stopping         component, pid
stopped          component, pid, status
swept            pids: what was still there after all was stopped, and was killed
boot-ended       outcome
"""

import json
import time
from pathlib import Path
from typing import Any

FORMAT = "spiral-boot-log/1"


class BootLog:
    """An open boot log; lines of several boots may come in between each other."""

    def __init__(self, path: Path, head: dict[str, Any]) -> None:
        self.path = path
        self._file = path.open("x", encoding="utf-8")
        self._write({"format": FORMAT, **head})

    def note(self, boot: int, event: str, **more: Any) -> int:
        """Write that something happened; gives the line's monotonic time."""
        now = time.monotonic_ns()
        self._write({"boot": boot, "event": event, "ns": now, **more})
        return now

    def close(self) -> None:
        """No more lines."""
        self._file.close()

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line, separators=(",", ":")) + "\n")
        self._file.flush()
