"""The crown component: what the operator of the rig can ask of crown.

scenarios     the recorded scenarios
recorded      the recorded log of one
run           run one anew; its log
configure     which agents are live ones, and where
note          keep a note in long-term memory
open          open a session
say           ask in a session
presets       choose the modulation presets of a script in a session
close         close a session; its log
log           the log of a session so far
replay        replay a log here
drill         replay logs in a fresh process, in surroundings of one's choice
"""

import asyncio
from typing import Any

from spiral_sandbox.component import Context
from spiral_sandbox.crown.desk import Desk
from spiral_sandbox.crown.disturbance import STUB, disturbance_of
from spiral_sandbox.crown.stub import Stub
from spiral_sandbox.errors import UnknownOperationError

_ASIDE = frozenset({"replay", "drill", "run"})
"""Operations that touch no session: they may run beside each other. All others run one after the other."""

_OPERATIONS = ("scenarios", "recorded", "configure", "note", "open", "say", "presets", "close", "log", *sorted(_ASIDE))


class CrownService:
    """Crown as a component of the sandbox."""

    version = "1.0.0"

    def __init__(self, desk: Desk | Stub) -> None:
        self._desk = desk
        self._turn = asyncio.Lock()

    async def start(self) -> dict[str, dict[str, object]]:
        """Nothing is served: crown is asked by the rig alone."""
        return {}

    async def handle(self, op: str, args: dict[str, Any]) -> Any:
        """Do one operation and return plain JSON.

        UnknownOperationError for one that is not there; CrownError, ValueError or TypeError if it cannot be done.
        """
        if op not in _OPERATIONS:
            raise UnknownOperationError(f"Crown has no operation {op!r}; it has {', '.join(_OPERATIONS)}.")
        if op in _ASIDE:
            return await asyncio.to_thread(getattr(self._desk, op), **args)
        async with self._turn:
            return await asyncio.to_thread(getattr(self._desk, op), **args)

    async def stop(self) -> None:
        """Nothing is held: a log is on disk when its session goes on."""


def build(context: Context) -> CrownService:
    """The crown component for this context; KeyError for a fault that it does not have."""
    if STUB in context.faults:
        return CrownService(Stub())
    context.folder.mkdir(parents=True, exist_ok=True)
    disturbance = disturbance_of(context.faults)
    return CrownService(Desk(context.folder, context.seed, disturbance, sorted(context.faults)))
