"""The log of requests as the servers saw them: what proves that none was lost and none was done twice."""

from collections import Counter, deque
from dataclasses import dataclass
from typing import Any

from spiral_sandbox.connectors.paging import page
from spiral_sandbox.connectors.refusal import Code

KEPT = 100_000
"""How many requests are kept one by one."""


@dataclass(frozen=True, slots=True)
class Served:
    """One answered request; `executed` says whether its operation was carried out."""

    service: str
    operation: str
    transport: str
    code: Code
    request_id: str | None
    executed: bool

    def record(self, number: int) -> dict[str, Any]:
        """The entry as JSON values; `status` is the HTTP status, or what it would have been over REST."""
        return {
            "number": number,
            "service": self.service,
            "operation": self.operation,
            "transport": self.transport,
            "status": self.code.value,
            "code": self.code.name,
            "request_id": self.request_id,
            "executed": self.executed,
        }


class ServedLog:
    """Counts without end, and the newest `kept` requests one by one, numbered from 1."""

    def __init__(self, kept: int = KEPT) -> None:
        self._entries: deque[Served] = deque(maxlen=kept)
        self._counts: Counter[tuple[str, str, str, Code]] = Counter()

    def add(self, entry: Served) -> None:
        """Write one request down."""
        self._entries.append(entry)
        self._counts[entry.service, entry.operation, entry.transport, entry.code] += 1

    def report(self, after: int, limit: int) -> dict[str, Any]:
        """Counts of all requests, and up to `limit` entries numbered above `after`.

        `forgotten` tells how many of the oldest entries are no longer kept: above 0, the list proves nothing.
        """
        total = self._counts.total()
        requests = [entry.record(number) for number, entry in page(self._entries, total, after, limit)]
        return {"total": total, "forgotten": total - len(self._entries), "counts": self._rows(), "requests": requests}

    def _rows(self) -> list[dict[str, Any]]:
        return [
            {
                "service": service,
                "operation": operation,
                "transport": transport,
                "status": code.value,
                "code": code.name,
                "count": count,
            }
            for (service, operation, transport, code), count in self._counts.items()
        ]
