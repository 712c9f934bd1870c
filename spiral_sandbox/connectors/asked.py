"""Control operations by name: with what each is asked, checked before anything is done."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from spiral_sandbox.connectors.clock import VirtualClock
from spiral_sandbox.connectors.served import KEPT
from spiral_sandbox.errors import UnknownOperationError

Seconds = Annotated[int, Meta(ge=0)]
Operations = Mapping[str, tuple[type[Struct], Callable[[Any], Any]]]
"""By name: what the operation is asked with, and what does it."""


class Nothing(Struct, forbid_unknown_fields=True):
    """An operation without arguments."""


class Advance(Struct, forbid_unknown_fields=True):
    """How far a clock is moved."""

    seconds: Seconds


class Page(Struct, forbid_unknown_fields=True):
    """Which entries of a log: so many of those numbered above `after`."""

    after: Annotated[int, Meta(ge=0)] = 0
    limit: Annotated[int, Meta(ge=0, le=KEPT)] = KEPT


def carry_out(
    operations: Operations, op: str, arguments: Mapping[str, Any], named: Mapping[str, Mapping[str, object]]
) -> Any:
    """Do one operation and give what it gives, where it is asynchronous as an awaitable.

    `named` are the things that there are, by the argument that names one of them. Raises `UnknownOperationError`, and
    `ValueError` for arguments that are not the operation's, or that name what is not there; nothing is done then.
    """
    if op not in operations:
        raise UnknownOperationError(f"no operation {op!r}; there are {', '.join(operations)}")
    kind, operate = operations[op]
    asked = msgspec.convert(dict(arguments), type=kind)
    for what, known in named.items():
        name = getattr(asked, what, None)
        if name is not None and name not in known:
            raise ValueError(f"no {what} {name!r}; there are {', '.join(known)}")
    return operate(asked)


def clock_operations(clock: VirtualClock) -> Operations:
    """Telling a clock's time, and moving it."""

    def advance(asked: Advance) -> dict[str, str]:
        clock.advance(asked.seconds)
        return clock.told()

    return {"clock.now": (Nothing, lambda _: clock.told()), "clock.advance": (Advance, advance)}
