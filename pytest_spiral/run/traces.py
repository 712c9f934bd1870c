"""Recorded exchanges, kept until the process ends: the first of each service and transport, and all that were compared."""

import json
import threading
from collections import Counter, OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from pytest_spiral.errors import MeasurementError
from pytest_spiral.model.exchange import Code, Engaged, Exchange, FallbackCounter, FallbackDocument
from pytest_spiral.model.parity import Comparison, LatencyParity, LoadParity, Terms
from pytest_spiral.rules.parity import handshake_checksum, normalised_handshake
from pytest_spiral.rules.paths import HANDSHAKE_PARITY, HANDSHAKES, PARITY

MOST_EXCHANGES = 200
MOST_BYTES = 2**20
MOST_COMPARED = 1000
"""Comparisons of one service that are kept whole; of what comes later, only what does not agree, and as many again."""

MOST_COMPARED_BYTES = 2**24
_RECENT = 64
_TIMES = 20_000
_DEPTH = 24  # levels of a payload that still fit into a document of 32


class Call(NamedTuple):
    """When a call was sent and done, in monotonic nanoseconds, over which transport, and whether it ended with OK."""

    id: str
    transport: str
    sent_ns: int
    done_ns: int
    good: bool

    @classmethod
    def of(cls, exchange: Exchange) -> "Call":
        """What is kept of every exchange."""
        good = exchange.reply is not None and exchange.reply.code is Code.OK
        return cls(exchange.id, exchange.transport, exchange.sent_ns, exchange.done_ns, good)


@dataclass(slots=True)
class _Log:
    """Exchanges of one service over one transport."""

    kept: dict[str, Exchange] = field(default_factory=dict)
    bytes: int = 0
    left_out: int = 0


@dataclass(slots=True)
class _Parity:
    """Comparisons of one service."""

    comparisons: list[Comparison] = field(default_factory=list)
    latency: list[LatencyParity] = field(default_factory=list)
    load: list[LoadParity] = field(default_factory=list)
    terms: dict[str, Terms] = field(default_factory=dict)
    bytes: int = 0
    left_out: int = 0

    def room(self, comparison: Comparison) -> bool:
        """Whether it is kept whole; what does not agree has room of its own."""
        if len(self.comparisons) < MOST_COMPARED and self.bytes < MOST_COMPARED_BYTES:
            return True
        return comparison.outcome != "equal" and len(self.comparisons) < 2 * MOST_COMPARED


class Traces:
    """Exchanges by service and transport, bounded in number and bytes; what is left out is counted."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._logs: dict[tuple[str, str], _Log] = {}
        self._calls: Counter[str] = Counter()
        self._recent: OrderedDict[str, tuple[str, Exchange]] = OrderedDict()
        self._times: OrderedDict[str, tuple[str, Call]] = OrderedDict()
        self._parity: dict[str, _Parity] = {}
        self._fallbacks: dict[str, tuple[list[Engaged], Counter[str]]] = {}

    def keep(self, service: str, transport: str, exchange: Exchange) -> None:
        """Keep an exchange, or count it; the newest can be looked up for a while in any case."""
        with self._lock:
            self._calls[transport] += 1
            _newest(self._times, exchange.id, (service, Call.of(exchange)), _TIMES)
            _newest(self._recent, exchange.id, (service, exchange), _RECENT)
            log = self._logs.setdefault((service, transport), _Log())
            if len(log.kept) >= MOST_EXCHANGES or log.bytes >= MOST_BYTES or exchange.id in log.kept:
                log.left_out += 1  # nothing is written out for it: it may be one of a million
                return
            written = _written(exchange)
            if written is None:
                log.left_out += 1
                return
            log.bytes += written.bytes
            log.kept[exchange.id] = written.exchange

    def recorded(self, exchange: Exchange) -> tuple[str, Exchange]:
        """The service, and the exchange as this process recorded it; MeasurementError for one that it did not."""
        with self._lock:
            for (service, _), log in self._logs.items():
                if exchange.id in log.kept:
                    return service, log.kept[exchange.id]
            service, known = self._recent.get(exchange.id, ("", None))
        written = None if known is None else _written(known)
        if written is None:
            raise _unknown(exchange)
        return service, written.exchange

    def timed(self, exchange: Exchange) -> tuple[str, "Call"]:
        """The service, and when the call was made; MeasurementError for one that this process did not record."""
        with self._lock:
            if exchange.id not in self._times:
                raise _unknown(exchange)
            return self._times[exchange.id]

    def compared(self, service: str, comparison: Comparison, sides: tuple[Exchange, Exchange], terms: Terms) -> None:
        """Keep a comparison with both of its exchanges, or count it."""
        with self._lock:
            parity = self._parity.setdefault(service, _Parity())
            if not parity.room(comparison):
                parity.left_out += 1
                return
            parity.comparisons.append(comparison)
            parity.terms[comparison.operation] = terms
            for exchange in sides:
                log = self._logs.setdefault((service, exchange.transport), _Log())
                if exchange.id not in log.kept:
                    log.kept[exchange.id] = exchange
                    log.left_out -= 1  # where it was counted when it came
                written = _written(exchange)
                parity.bytes += 0 if written is None else written.bytes

    def judged(self, service: str, latency: LatencyParity) -> None:
        """Keep what two one-sided tests came to."""
        with self._lock:
            self._parity.setdefault(service, _Parity()).latency.append(latency)

    def loaded(self, service: str, load: LoadParity) -> None:
        """Keep what a mixed load came to."""
        with self._lock:
            self._parity.setdefault(service, _Parity()).load.append(load)

    def fell_back(self, service: str, engaged: Engaged) -> None:
        """Keep that a call fell back; of more than the first ones, only how many there were."""
        with self._lock:
            kept, counts = self._fallbacks.setdefault(service, ([], Counter()))
            counts[engaged.operation] += 1
            if len(kept) < MOST_EXCHANGES:
                kept.append(engaged)

    def calls(self) -> dict[str, int]:
        """How many exchanges there were so far, by transport."""
        with self._lock:
            return dict(self._calls)

    def documents(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """(service, file name, content), sorted: traces, then what was compared, then the handshake of each side."""
        for (service, transport), log in sorted(self._logs.items()):
            yield (
                service,
                f"{transport}_trace.json",
                {
                    "format": "spiral-trace/1",
                    "service": service,
                    "transport": transport,
                    "exchanges": [msgspec.to_builtins(one) for one in log.kept.values()],
                    "left_out": log.left_out,
                },
            )
        for service, (engaged, counts) in sorted(self._fallbacks.items()):
            counter = FallbackCounter(by_operation=dict(sorted(counts.items())))
            document = msgspec.to_builtins(FallbackDocument(service=service, events=tuple(engaged), counter=counter))
            yield service, "fallbacks.json", document
        for service, parity in sorted(self._parity.items()):
            yield service, PARITY, _document(service, parity)
            yield from self._handshakes(service, parity)

    def _handshakes(self, service: str, parity: _Parity) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """The first handshake that both sides answered well, else the first: each side's own, and what differs."""
        made = [one for one in parity.comparisons if one.operation == "handshake"]
        good = [one for one in made if (one.rest.status, one.grpc.status) == ("200", "OK")]
        for chosen in [*good, *made][:1]:
            for transport, side in (("rest", chosen.rest), ("grpc", chosen.grpc)):
                exchange = self._logs[service, transport].kept[side.exchange]
                document = {
                    "format": "spiral-handshake/1",
                    "service": service,
                    "exchange": msgspec.to_builtins(exchange),
                    "normalised": normalised_handshake(exchange),
                    "checksum": handshake_checksum(exchange),
                }
                yield service, HANDSHAKES[transport], document
            alone = _Parity(comparisons=[chosen], terms={"handshake": parity.terms["handshake"]})
            yield service, HANDSHAKE_PARITY, _document(service, alone)


def _newest(kept: OrderedDict[str, Any], key: str, value: Any, most: int) -> None:
    kept[key] = value
    if len(kept) > most:
        kept.popitem(last=False)


def _unknown(exchange: Exchange) -> MeasurementError:
    return MeasurementError(
        f"the exchange {exchange.id} is none that this run's transports have recorded lately. Remedy: make both calls "
        "by `traced(request)` of the target's transports, and compare them before others are made."
    )


def _document(service: str, parity: _Parity) -> dict[str, Any]:
    return {
        "format": "spiral-parity/1",
        "service": service,
        "terms": {name: msgspec.to_builtins(one) for name, one in sorted(parity.terms.items())},
        "comparisons": [msgspec.to_builtins(one) for one in parity.comparisons],
        "latency": [msgspec.to_builtins(one) for one in parity.latency],
        "load": [msgspec.to_builtins(one) for one in parity.load],
        "left_out": parity.left_out,
    }


class _Written(NamedTuple):
    """An exchange as it stands in a trace, and how long it is there."""

    exchange: Exchange
    bytes: int


def _written(exchange: Exchange) -> _Written | None:
    """The exchange as it will stand in a trace; None where it cannot: nested too deep, or no JSON at all.

    Half of a surrogate pair becomes its escape in plain characters, which any reader takes.
    """
    if _depth(exchange.request.payload) > _DEPTH or (exchange.reply and _depth(exchange.reply.payload) > _DEPTH):
        return None
    built = msgspec.to_builtins(exchange)
    try:
        text = json.dumps(built, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return None
    try:
        return _Written(exchange, len(text.encode()))
    except UnicodeEncodeError:
        return _Written(msgspec.convert(_escaped(built), Exchange), len(text))


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_escaped(key): _escaped(one) for key, one in value.items()}
    return [_escaped(one) for one in value] if isinstance(value, list | tuple) else value


def _depth(value: Any, level: int = 1) -> int:
    """How deep a value is nested, as far as it matters."""
    if level > _DEPTH or not isinstance(value, dict | list):
        return level
    inner = value.values() if isinstance(value, dict) else value
    return max((_depth(one, level + 1) for one in inner if isinstance(one, dict | list)), default=level)
