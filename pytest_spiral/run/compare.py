"""Comparing two recorded calls: what a suite holds of it, and what it feeds to its measurements."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from pytest_spiral.errors import MeasurementError
from pytest_spiral.model.exchange import Exchange
from pytest_spiral.model.parity import Comparison, LatencyParity, Pair
from pytest_spiral.rules.parity import SEEN, compare_exchanges, judge_latency, terms_of
from pytest_spiral.rules.units import UnitError, convert, parse_quantity
from pytest_spiral.run.traces import Call, Traces
from pytest_spiral.transports.shapes import shape_of

_NAMED = 3
_NOTHING = "absent or at its default"


class Takes(Protocol):
    """A measurement that takes what one side says of an item."""

    def item(self, name: str, seen: object) -> None:
        """What this side says of the listed item."""
        ...


@dataclass(frozen=True, slots=True)
class Compared:
    """Two recorded calls, compared; the bundle has both exchanges and everything that was normalised away."""

    comparison: Comparison

    @property
    def equal(self) -> bool:
        """Whether both sides said the same, each in an exchange of its own."""
        return self.comparison.outcome == "equal"

    @property
    def why(self) -> str:
        """Where they differ, or why there is nothing to compare; empty where they are equal."""
        if self.comparison.refusals:
            return f"{self.comparison.item}: no comparison, since {self.comparison.refusals[0].sentence}"
        if self.equal:
            return ""
        named = [
            f"{one.pointer} is {one.rest or _NOTHING} over REST and {one.grpc or _NOTHING} over gRPC"
            for one in self.comparison.differences[:_NAMED]
        ]
        more = len(self.comparison.differences) + self.comparison.more - len(named)
        return f"{self.comparison.item}: {'; '.join(named)}" + (f"; and {more} more" if more else "")

    def feed(self, rest: Takes, grpc: Takes) -> None:
        """Say in two measurements what each side said, for `equal(a, b)`: its own checksum under the item's name.

        Raises MeasurementError where there is no comparison, so that the criterion is invalid and not merely short.
        """
        if self.comparison.refusals:
            raise MeasurementError(self.why)
        rest.item(self.comparison.item, {SEEN: self.comparison.rest.checksum})
        grpc.item(self.comparison.item, {SEEN: self.comparison.grpc.checksum})


def compare(
    traces: Traces,
    sides: tuple[Exchange, Exchange],
    item: str,
    effects: tuple[Mapping[str, int], Mapping[str, int]],
) -> Compared:
    """Compare two calls that were recorded, as they were recorded, and keep the comparison for the bundle.

    MeasurementError for an exchange that this process did not record, for two services, and for swapped sides.
    """
    (service, rest), (other, grpc) = map(traces.recorded, sides)
    if service != other:
        raise MeasurementError(f"a call to {service} is compared with one to {other}; compare one service with itself.")
    if (rest.transport, grpc.transport) == ("grpc", "rest"):
        raise MeasurementError("REST's exchange is compared with gRPC's, and these are the other way round; swap them.")
    terms = terms_of(rest.request.operation, shape_of(rest.request.operation))
    comparison = compare_exchanges(
        rest, grpc, terms, item=item or f"{service} {rest.request.operation}", effects=effects
    )
    traces.compared(service, comparison, (rest, grpc), terms)
    return Compared(comparison)


def compare_latency(
    traces: Traces, pairs: Iterable[tuple[Exchange, Exchange]], *, item: str, margin: str, confidence: str
) -> LatencyParity:
    """Judge by two one-sided tests that gRPC takes as long as REST, within ± the margin, and keep the pairs.

    A pair of which a call did not end with OK is lost, and widens the interval. MeasurementError for a margin that is
    no time, pairs of more than one service, and for none.
    """
    try:
        wanted, sure = parse_quantity(margin), Fraction(confidence)
        margin_ns = convert(wanted.number, wanted.unit, "ns")
    except (UnitError, ValueError, ZeroDivisionError) as error:
        raise MeasurementError(
            f"{item}: {error}; give a margin such as '2 ms' and a confidence such as '0.95'."
        ) from error
    taken = [(traces.timed(rest), traces.timed(grpc)) for rest, grpc in pairs]
    services = {service for pair in taken for service, _ in pair}
    if len(services) != 1:
        raise MeasurementError(f"{item}: {len(taken)} pairs of {len(services)} services; compare one service.")
    calls = [(rest, grpc) for (_, rest), (_, grpc) in taken]
    if any(call.transport != name for pair in calls for call, name in zip(pair, ("rest", "grpc"), strict=True)):
        raise MeasurementError(f"{item}: a pair is a call over REST and then one over gRPC, whichever was made first.")
    good = [(rest, grpc) for rest, grpc in calls if rest.good and grpc.good]
    judged = judge_latency(
        [_pair(rest, grpc) for rest, grpc in good],
        item=item,
        margin_ns=margin_ns,
        confidence=sure,
        planned=len(taken),
        lost=len(taken) - len(good),
    )
    traces.judged(services.pop(), judged)
    return judged


def _pair(rest: Call, grpc: Call) -> Pair:
    return Pair(
        rest_sent=rest.sent_ns,
        rest_done=rest.done_ns,
        grpc_sent=grpc.sent_ns,
        grpc_done=grpc.done_ns,
        rest=rest.id,
        grpc=grpc.id,
    )
