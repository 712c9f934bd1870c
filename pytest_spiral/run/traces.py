"""Recorded exchanges, kept until the process ends: the first of each service and transport, and how many more."""

import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from pytest_spiral.model.exchange import Exchange

MOST_EXCHANGES = 200
MOST_BYTES = 2**20


class Traces:
    """Exchanges by service and transport, bounded in number and bytes; what is left out is counted."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str], list[Any]] = {}
        self._bytes: dict[tuple[str, str], int] = {}
        self._left_out: dict[tuple[str, str], int] = {}
        self._calls: Counter[str] = Counter()

    def keep(self, service: str, transport: str, exchange: Exchange) -> None:
        """Keep an exchange, or count it."""
        key = (service, transport)
        with self._lock:
            self._calls[transport] += 1
            kept = self._kept.setdefault(key, [])
            if len(kept) >= MOST_EXCHANGES or self._bytes.get(key, 0) >= MOST_BYTES:
                self._left_out[key] = self._left_out.get(key, 0) + 1
                return
            self._bytes[key] = self._bytes.get(key, 0) + len(msgspec.json.encode(exchange))
            kept.append(msgspec.to_builtins(exchange))

    def calls(self) -> dict[str, int]:
        """How many exchanges there were so far, by transport."""
        with self._lock:
            return dict(self._calls)

    def documents(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """(service, transport, the trace file's content), sorted."""
        for (service, transport), kept in sorted(self._kept.items()):
            yield (
                service,
                transport,
                {
                    "format": "spiral-trace/1",
                    "service": service,
                    "transport": transport,
                    "exchanges": kept,
                    "left_out": self._left_out.get((service, transport), 0),
                },
            )
