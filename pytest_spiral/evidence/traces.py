"""Verifying what was compared: each comparison is made again from the two exchanges that the traces hold."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from pytest_spiral.errors import UntrustedError
from pytest_spiral.evidence.folder import Folder
from pytest_spiral.model.exchange import Exchange
from pytest_spiral.model.measurement import Measurement
from pytest_spiral.model.parity import (
    Comparison,
    HandshakeDocument,
    LatencyParity,
    LoadParity,
    ParityDocument,
    ParitySide,
    TraceDocument,
)
from pytest_spiral.rules.canonical import parse_foreign
from pytest_spiral.rules.integrity import Finding, Limits, finding, shown
from pytest_spiral.rules.parity import (
    SEEN,
    compare_exchanges,
    handshake_checksum,
    judge_again,
    judge_load_again,
    normalised_handshake,
    terms_of,
)
from pytest_spiral.rules.paths import HANDSHAKE_PARITY, HANDSHAKES, PARITY, QUARANTINED, SAMPLES, TRACES

T = TypeVar("T", bound=msgspec.Struct)
J = TypeVar("J", LatencyParity, LoadParity)

_LONGEST: Final = 400
# Any of these says that there were no two sides; the others say that the sides cannot be compared, which is no forgery.
_ONE_SIDE: Final = frozenset({"one-exchange", "one-start", "one-transport", "one-reply"})


@dataclass(slots=True)
class Traced:
    """What was found about a bundle's comparisons: findings, and how many were made again."""

    findings: list[Finding] = field(default_factory=list)
    again: int = 0
    different: int = 0
    hidden: int = 0
    left_out: int = 0
    seen: set[tuple[str, str]] = field(default_factory=set)

    @property
    def note(self) -> str:
        """What step 9 says of it; empty where nothing was compared."""
        parts = [f"{self.again} comparisons made again from their traces"] if self.again else []
        parts += [f"{self.different} of them not equal"] if self.different else []
        parts += [f"{self.left_out} more were only counted"] if self.left_out else []
        parts += [f"{self.hidden} not made again, since their traces are quarantined"] if self.hidden else []
        return ", ".join(parts)


def check_traces(folder: Path, limits: Limits) -> Traced:
    """Make every comparison, handshake form and latency judgement of a bundle again; reads only, raises nothing.

    A comparison that says `invalid`, and stands by it, is sound evidence of an unsound comparison; one that says
    `equal` or `different` of a single exchange is a finding.
    """
    traced = Traced()
    with Folder(folder) as opened:
        by_folder: dict[str, list[str]] = {}
        for path in (one.path for one in opened.entries(limits.files) if one.kind == "file"):
            if path.startswith(f"{TRACES}/"):
                by_folder.setdefault(path.rpartition("/")[0], []).append(path)
        for paths in by_folder.values():
            _Service(opened, paths, limits, traced).check()
    return traced


def unbacked(measurements: Iterable[Measurement], traced: Traced) -> Iterator[Finding]:
    """Samples that say what a side said, of a comparison that the traces do not have.

    Where comparisons were only counted, or their traces are quarantined, the samples stand alone, and step 9 says so.
    """
    if traced.hidden or traced.left_out:
        return
    for measurement in measurements:
        for sample in measurement.samples:
            said = sample.seen.get(SEEN) if isinstance(sample.seen, dict) else None
            backed = isinstance(said, str) and (sample.item, said) in traced.seen
            if said is not None and not backed:
                sentence = f"sample {sample.n} says {shown(said)} of {shown(sample.item)}, and no comparison does."
                yield finding("parity-unbacked", f"{SAMPLES}/{measurement.file}", shown(sentence, _LONGEST))
                break


class _Service:
    """The traces of one service, of all processes."""

    def __init__(self, folder: Folder, paths: Sequence[str], limits: Limits, traced: Traced) -> None:
        self._folder = folder
        self._paths = paths
        self._limits = limits
        self._traced = traced
        self._exchanges: dict[str, Exchange] = {}
        self._hidden = any(path.endswith(QUARANTINED) for path in paths)

    def check(self) -> None:
        """Read the traces, then hold against them whatever was made of them."""
        diffs = [path for path in self._paths if path.endswith((PARITY, HANDSHAKE_PARITY))]
        handshakes = [path for path in self._paths if path.endswith(tuple(HANDSHAKES.values()))]
        if not diffs and not handshakes:
            return
        for path in (one for one in self._paths if one.endswith("_trace.json")):
            if (document := self._read(path, TraceDocument)) is not None:
                self._take(path, document)
        for path in diffs:
            if (parity := self._read(path, ParityDocument)) is not None:
                self._make_again(path, parity)
        for path in handshakes:
            if (handshake := self._read(path, HandshakeDocument)) is not None:
                self._hold(path, handshake)

    def _make_again(self, path: str, parity: ParityDocument) -> None:
        self._traced.left_out += parity.left_out
        for comparison in parity.comparisons:
            self._traced.seen |= {(comparison.item, one.checksum) for one in _sides(comparison)}
            self._compare(path, parity, comparison)
        for latency in parity.latency:
            self._hold_latency(path, latency)
        for load in parity.load:
            self._hold_judged(path, load, judge_load_again, "times")

    def _read(self, path: str, kind: type[T]) -> T | None:
        try:
            return parse_foreign(
                self._folder.read(path, self._limits.json), kind, most=self._limits.json, depth=self._limits.depth
            )
        except UntrustedError as problem:
            self._note(problem.code, path, str(problem))
        return None

    def _note(self, code: str, path: str, sentence: str) -> None:
        self._traced.findings.append(finding(code, path, shown(sentence, _LONGEST)))

    def _take(self, path: str, document: TraceDocument) -> None:
        for exchange in document.exchanges:
            if exchange.id in self._exchanges:
                self._note(
                    "parity-one-side", path, f"the exchange {exchange.id} stands in two traces, or twice in one."
                )
            if exchange.transport != document.transport:
                self._note("parity-one-side", path, f"the exchange {exchange.id} travelled by {exchange.transport}.")
            self._exchanges[exchange.id] = exchange

    def _compare(self, path: str, parity: ParityDocument, said: Comparison) -> None:
        sides = [self._exchanges.get(side.exchange) for side in (said.rest, said.grpc)]
        rest, grpc = sides
        if rest is None or grpc is None:
            if self._hidden:
                self._traced.hidden += 1
            else:
                self._note("parity-trace-missing", path, f"{said.item}: the traces do not have both of its exchanges.")
            return
        terms = parity.terms.get(said.operation)
        if terms != terms_of(said.operation, terms.shape if terms is not None else {}):
            self._note("parity-mismatch", path, f"{said.item}: the terms of {said.operation} are not those declared.")
            return
        effects = (said.rest.effects, said.grpc.effects)
        claimed = (said.rest.checksum, said.grpc.checksum)
        made = compare_exchanges(rest, grpc, terms, item=said.item, effects=effects, claimed=claimed)
        self._traced.again += 1
        self._traced.different += made.outcome != "equal"
        for code, sentence in _faults(said, made):
            self._note(code, path, f"{said.item}: {sentence}")

    def _hold_latency(self, path: str, said: LatencyParity) -> None:
        for pair in said.pairs:
            for name, sent, done in (
                (pair.rest, pair.rest_sent, pair.rest_done),
                (pair.grpc, pair.grpc_sent, pair.grpc_done),
            ):
                known = self._exchanges.get(name)
                if known is not None and (known.sent_ns, known.done_ns) != (sent, done):
                    self._note("parity-mismatch", path, f"{said.item}: the times of {name} are not those of its trace.")
        self._hold_judged(path, said, judge_again, "pairs")

    def _hold_judged(self, path: str, said: J, judge: Callable[[J], J], basis: str) -> None:
        """Judge again what is recorded; `basis` is what it is judged from."""
        try:
            again = judge(said)
        except ValueError as problem:
            self._note("parity-mismatch", path, f"{said.item}: it cannot be judged again ({problem}).")
            return
        if again != said:
            sentence = f"{said.item}: it says {said.verdict}, and its {basis} give {again.verdict}, or other figures."
            self._note("parity-mismatch", path, sentence)

    def _hold(self, path: str, said: HandshakeDocument) -> None:
        known = self._exchanges.get(said.exchange.id)
        if known is None and self._hidden:
            self._traced.hidden += 1
        elif known != said.exchange:
            self._note("parity-trace-missing", path, f"its exchange {said.exchange.id} is not the one in the trace.")
        elif (HANDSHAKES.get(known.transport) or "?") not in path:
            self._note("parity-one-side", path, f"its exchange travelled by {known.transport}.")
        elif said.checksum != handshake_checksum(known) or said.normalised != normalised_handshake(known):
            self._note("parity-checksum", path, "its normal form or its checksum is not what its own exchange gives.")


def _faults(said: Comparison, made: Comparison) -> Iterator[tuple[str, str]]:
    """How what is said of two exchanges differs from what they give."""
    foreign = [one for one in made.refusals if one.code == "foreign-checksum"]
    for one in foreign:
        yield "parity-checksum", one.sentence
    one_side = [one for one in made.refusals if one.code in _ONE_SIDE]
    if one_side and said.outcome != "invalid":
        yield "parity-one-side", one_side[0].sentence
    elif not foreign and said != made:
        yield "parity-mismatch", _told(said, made)


def _told(said: Comparison, made: Comparison) -> str:
    if said.outcome != made.outcome:
        return f"it says {said.outcome}, and its exchanges are {made.outcome}."
    for name, own, true in zip(("REST", "gRPC"), _sides(said), _sides(made), strict=True):
        if own != true:
            return f"what it says of the exchange over {name} is not in the trace."
    return "its differences, or what it says was normalised away, are not those of its exchanges."


def _sides(comparison: Comparison) -> tuple[ParitySide, ParitySide]:
    return comparison.rest, comparison.grpc
