"""Comparing what two transports said to one question, each in an exchange of its own."""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

from pytest_spiral.model.exchange import Code, Exchange
from pytest_spiral.model.parity import (
    Comparison,
    Normalised,
    Outcome,
    ParitySide,
    Refusal,
    SideName,
    Terms,
)
from pytest_spiral.rules.parity.differences import differences, shown
from pytest_spiral.rules.parity.normalise import REQUEST_ID, checksum, view_of
from pytest_spiral.rules.parity.pointer import ABSENT, found

SEEN: Final = "parity"
"""The key under which a sample says the checksum of what a side said; a verifier looks for the comparison behind it."""

MOST_DIFFERENCES: Final = 50
"""How many differences one comparison lists; the rest are counted."""


def compare_exchanges(  # noqa: PLR0913 - two sides, and what is said of them
    rest: Exchange,
    grpc: Exchange,
    terms: Terms,
    *,
    item: str = "",
    effects: tuple[Mapping[str, int], Mapping[str, int]] = ({}, {}),
    claimed: tuple[str, str] = ("", ""),
) -> Comparison:
    """Compare the answers of two separate exchanges: equal, different at these places, or no comparison at all.

    Each side is normalised by itself, by the rules of protobuf's JSON mapping, the table of statuses, and the terms
    that were declared for the operation; what was normalised away is listed, with what had stood there. `effects` are
    counts of what each call changed. `claimed` are checksums that somebody states for the sides: one that was not
    computed from its own side makes the comparison invalid, and so does anything that shows that both sides are one
    exchange.
    """
    notes = _Notes()
    sides: tuple[tuple[SideName, Exchange], ...] = (("rest", rest), ("grpc", grpc))
    views = [
        view_of(name, exchange, terms, done, notes.taking(name))
        for (name, exchange), done in zip(sides, effects, strict=True)
    ]
    sums = (checksum(views[0]), checksum(views[1]))
    refusals = tuple(_refusals(rest, grpc, terms, sums, claimed))
    every = differences(views[0], views[1])
    listed = tuple(islice(every, MOST_DIFFERENCES))
    outcome: Outcome = "invalid" if refusals else "different" if listed else "equal"
    return Comparison(
        item=item or rest.request.operation,
        operation=rest.request.operation,
        outcome=outcome,
        rest=_side(rest, sums[0], effects[0]),
        grpc=_side(grpc, sums[1], effects[1]),
        refusals=refusals,
        differences=listed,
        more=sum(1 for _ in every),
        normalised=notes.listed(),
    )


def _side(exchange: Exchange, own: str, effects: Mapping[str, int]) -> ParitySide:
    return ParitySide(
        exchange=exchange.id,
        address=exchange.address,
        sent_ns=exchange.sent_ns,
        done_ns=exchange.done_ns,
        status=exchange.reply.wire_status if exchange.reply is not None else "",
        checksum=own,
        effects=dict(effects),
    )


def _refusals(
    rest: Exchange, grpc: Exchange, terms: Terms, sums: tuple[str, str], claimed: tuple[str, str]
) -> Iterator[Refusal]:
    """What shows that there are no two sides, or that they were not asked the same."""
    for code, holds, sentence in (
        ("one-transport", rest.transport == grpc.transport, f"both sides travelled by {rest.transport}"),
        ("one-exchange", _one_id(rest, grpc), f"both sides are the exchange {shown(rest.id)}"),
        ("one-start", rest.sent_ns == grpc.sent_ns, "both sides were sent at the same instant of the same clock"),
        ("time-order", min(rest.done_ns - rest.sent_ns, grpc.done_ns - grpc.sent_ns) < 0, "a side was done before it was sent"),
        ("other-question", _question(rest) != _question(grpc), "the sides were not asked the same"),
        ("unanswered", rest.reply is None and grpc.reply is None, "neither side answered, and silence equals silence"),
        ("empty", _empty(rest) and _empty(grpc), "both sides answered with nothing, and nothing equals nothing"),
    ):  # fmt: skip
        if holds:
            yield Refusal(code=code, sentence=f"{sentence}.")
    yield from _copied(rest, grpc, terms)
    for name, own, other, said in (("rest", *sums, claimed[0]), ("grpc", *reversed(sums), claimed[1])):
        if said and said != own:
            whose = "is the other side's" if said == other else "was not computed from its own exchange"
            yield Refusal(code="foreign-checksum", sentence=f"the checksum stated for {name}, {shown(said)}, {whose}.")


def _one_id(rest: Exchange, grpc: Exchange) -> bool:
    own, other = (one.request.metadata.get(REQUEST_ID, one.id) for one in (rest, grpc))
    return rest.id == grpc.id or own == other


def _question(exchange: Exchange) -> tuple[str, str]:
    return exchange.request.operation, checksum(exchange.request.payload)


def _empty(exchange: Exchange) -> bool:
    return exchange.reply is not None and exchange.reply.code is Code.OK and not exchange.reply.payload


def _copied(rest: Exchange, grpc: Exchange, terms: Terms) -> Iterator[Refusal]:
    """An id that a server makes anew for each call, and that both sides have alike, came from one call."""
    if rest.reply is None or grpc.reply is None:
        return
    views = [{"payload": one.reply.payload, "metadata": one.reply.metadata} for one in (rest, grpc) if one.reply]
    for pointer in terms.ids:
        left, right = (found(view, pointer) for view in views)
        if left is not ABSENT and left == right and left not in ("", None):
            yield Refusal(code="one-reply", sentence=f"both sides have the same {pointer}, {shown(left)}.")


class _Notes:
    """Collects what was normalised away, alike places together."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], dict[SideName, list[Any]]] = {}

    def taking(self, side: SideName) -> Callable[[str, str, Any], None]:
        """A note-taker for one side."""

        def note(rule: str, pointer: str, value: Any) -> None:
            where = "/".join("*" if step.isdecimal() else step for step in pointer.split("/"))
            taken = self._found.setdefault((rule, where), {}).setdefault(side, [0, shown(value)])
            taken[0] += 1

        return note

    def listed(self) -> tuple[Normalised, ...]:
        """Everything that was noted, in order."""
        none: list[Any] = [0, ""]
        return tuple(
            Normalised(
                rule=rule,
                pointer=pointer,
                rest_count=sides.get("rest", none)[0],
                grpc_count=sides.get("grpc", none)[0],
                rest=sides.get("rest", none)[1],
                grpc=sides.get("grpc", none)[1],
            )
            for (rule, pointer), sides in sorted(self._found.items())
        )
