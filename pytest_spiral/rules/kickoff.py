"""Whether the beta kickoff may open: only where every connector's parity was compared, all of it, and all of it is equal."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from pytest_spiral.model.parity import Comparison

EXPECTED: Final[Mapping[str, frozenset[str]]] = {
    "operator": frozenset({"dispatch_command", "memory_query", "handover", "upload", "status"}),
    "memory": frozenset({"vector_init", "vector_search"}),
    "operator_api": frozenset({"health", "handshake", "heartbeat"}),
    "operator_upload": frozenset({"health", "handshake", "heartbeat"}),
    "crown_handshake": frozenset({"health", "handshake", "heartbeat"}),
}
"""The operations of each service that both transports offer (`spiral_contract/operations.py`)."""

_GOOD: Final = ("200", "OK")


@dataclass(frozen=True, slots=True)
class Kickoff:
    """Whether it opens, and every reason why not."""

    reasons: tuple[str, ...]

    @property
    def opens(self) -> bool:
        """Whether there is no reason against it."""
        return not self.reasons


def judge_kickoff(
    compared: Mapping[str, Iterable[Comparison]], expected: Mapping[str, frozenset[str]] = EXPECTED
) -> Kickoff:
    """Refuse the kickoff for each comparison that is not equal, each that was never made, and each that proves nothing.

    `compared` has the comparisons by service. An operation counts as compared where both sides answered it well at
    least once: that both refuse everything is no parity. Nothing at all to expect is no reason to open.
    """
    if not expected or not any(expected.values()):
        return Kickoff(("no connector is expected to have parity, so there is nothing to go by",))
    return Kickoff(
        tuple(reason for service in sorted(expected) for reason in _against(service, compared, expected[service]))
    )


def _against(service: str, compared: Mapping[str, Iterable[Comparison]], operations: frozenset[str]) -> Iterator[str]:
    made = tuple(compared.get(service, ()))
    if not made:
        yield f"{service}: nothing was compared"
        return
    for one in made:
        if one.refusals:
            yield f"{service} {one.item}: no comparison, {one.refusals[0].code}"
        elif one.outcome != "equal":
            first = one.differences[0].pointer if one.differences else "a place that is not listed"
            yield f"{service} {one.item}: {one.outcome} at {first or 'the whole'}"
    answered = {one.operation for one in made if (one.rest.status, one.grpc.status) == _GOOD}
    for operation in sorted(operations - answered):
        yield f"{service}: {operation} was not answered well by both transports in any comparison"
