"""How the operator surface behaves where a fault plan, or the rig, can make it behave otherwise."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, get_args

Way = Literal["", "unavailable", "deadline", "internal", "reset-mid-stream", "detour"]
"""How gRPC fails; empty where it does not.

unavailable       before anything is done
internal          after the call was carried out: the reply is lost
deadline          after the call was carried out: the reply never comes
reset-mid-stream  after the call was carried out, or after the first message of a stream: the connection is cut
detour            the server's own gRPC side cannot reach its handlers, and calls its REST side instead
"""

WAYS: tuple[Way, ...] = get_args(Way)
_SLOW_REST_S = 0.06
_FAULTS = "operator.grpc-"
_OTHERS = frozenset({"operator.parity-broken-field", "operator.double-execution", "operator.slow-rest"})


@dataclass(slots=True)
class Conduct:
    """Sound conduct, unless told otherwise. Only `grpc` can be changed while the server runs."""

    grpc: Way = ""
    forgets_keys: bool = False
    other_field: bool = False
    slow_rest: bool = False

    async def before_rest(self) -> None:
        """What happens before REST reads a call."""
        if self.slow_rest:
            await asyncio.sleep(_SLOW_REST_S)

    def rest_fields(self, operation: str, fields: dict[str, Any]) -> dict[str, Any]:
        """A reply's fields as REST says them."""
        if self.other_field and operation == "dispatch_command":
            return {**fields, "result": {"acknowledged": fields["result"]["ack"]}}
        return fields


def conduct_under(faults: Iterable[str]) -> Conduct:
    """The conduct under these fault plans; raises `ValueError` for one that is not known, and for two ways of gRPC."""
    chosen = set(faults)
    ways = sorted(name for name in chosen if name.removeprefix(_FAULTS) in WAYS[1:])
    if unknown := chosen - set(ways) - _OTHERS:
        raise ValueError(f"no fault plan {min(unknown)!r} for the operator surface")
    if len(ways) > 1:
        raise ValueError(f"gRPC can fail in one way at a time, not in {' and '.join(ways)}")
    return Conduct(
        grpc=next((way for way in WAYS for name in ways if name == _FAULTS + way), ""),
        forgets_keys="operator.double-execution" in chosen,
        other_field="operator.parity-broken-field" in chosen,
        slow_rest="operator.slow-rest" in chosen,
    )
