"""The operations, behind both surfaces: who may call, what is asked, what is done, what is answered."""

import asyncio
import hashlib
import logging
import uuid
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from spiral_sandbox.connectors.clock import VirtualClock, stamp
from spiral_sandbox.connectors.core import DETAILS
from spiral_sandbox.connectors.credentials import Credential, Flaw, Register
from spiral_sandbox.connectors.refusal import Code, Refusal, unreadable
from spiral_sandbox.connectors.served import Served, ServedLog
from spiral_sandbox.operator.agents import Agent
from spiral_sandbox.operator.call import REPLAYED, REQUEST_ID, Answer, Call, Header
from spiral_sandbox.operator.commands import CommandLog
from spiral_sandbox.operator.conduct import Conduct
from spiral_sandbox.operator.events import Hub
from spiral_sandbox.operator.gateway import Gateway
from spiral_sandbox.operator.idempotency import Do, Keys, Work
from spiral_sandbox.operator.messages import (
    DispatchCommand,
    Handover,
    MemoryQuery,
    Nothing,
    UploadHeader,
    decoded,
    parse_metadata,
)
from spiral_sandbox.operator.permissions import Permissions
from spiral_sandbox.operator.recollection import Recollection
from spiral_sandbox.operator.telemetry import Observed, Telemetry
from spiral_sandbox.operator.uploads import Intake, Uploads

VERSION: Final = "0.1.0"
LONGEST_S: Final = 10.0
"""Seconds that a call may take here, unless the rig says otherwise."""

_ERRORS_KEPT = 20
_log = logging.getLogger(__name__)
_Method = Callable[[Call, Credential, Observed], Awaitable[tuple[dict[str, Any], bool]]]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the operations work with."""

    clock: VirtualClock
    register: Register
    permissions: Permissions
    agents: dict[str, Agent]
    commands: CommandLog
    served: ServedLog
    uploads: Uploads
    recollection: Recollection
    gateway: Gateway
    hub: Hub
    keys: Keys
    conduct: Conduct
    telemetry: Telemetry


class Operator:
    """The one layer of handlers; `answer` is all that the surfaces call."""

    def __init__(self, parts: Parts) -> None:
        self.longest_s = LONGEST_S
        self._with = parts
        self._errors: deque[dict[str, str]] = deque(maxlen=_ERRORS_KEPT)
        self._operations: dict[str, _Method] = {
            "dispatch_command": self._dispatch,
            "memory_query": self._query,
            "handover": self._handover,
            "upload": self._upload,
            "status": self._status,
        }

    async def answer(self, call: Call) -> Answer:
        """Answer a call and write it down; raises `Refusal`, and `CancelledError` where its caller has gone."""
        code, told = (
            Code.CANCELLED,
            self._with.telemetry.observed(call.operation, call.transport, fallback=call.is_fallback),
        )
        with told as seen:
            try:
                answer = await self._in_time(call, seen)
                code = Code.OK
            except Refusal as refusal:
                code = refusal.code
                self._note(call, refusal)
                raise
            finally:
                done = Served("operator", call.operation, call.transport, code, call.request_id, seen.executed)
                self._with.served.add(done)
        return answer

    def identify(self, authorization: Any) -> Credential:
        """Whose credential was shown; raises `Refusal`, UNAUTHENTICATED."""
        found = self._with.register.identify(authorization, self._with.clock.now())
        if isinstance(found, Flaw):
            raise Refusal(Code.UNAUTHENTICATED, found, DETAILS[found])
        return found

    async def _in_time(self, call: Call, seen: Observed) -> Answer:
        try:
            credential = self.identify(call.values("authorization"))
            call.check()
            async with asyncio.timeout(call.deadline_s(self.longest_s)):
                fields, replayed = await self._operations[call.operation](call, credential, seen)
        except TimeoutError as error:
            raise Refusal(Code.DEADLINE_EXCEEDED, "deadline", "the call took longer than it may") from error
        except Refusal:
            raise
        except Exception as error:
            _log.exception("%s over %s failed", call.operation, call.transport)
            raise Refusal(Code.INTERNAL, "internal", "the call could not be answered") from error
        said = {} if call.request_id is None else {REQUEST_ID: call.request_id}
        return Answer(fields, {**said, REPLAYED: "true"} if replayed else said)

    async def _dispatch(self, call: Call, credential: Credential, seen: Observed) -> tuple[dict[str, Any], bool]:
        request = decoded(await call.read(), DispatchCommand)
        seen.tell(operator=request.operator, agent=request.agent, command=request.command)
        self._with.permissions.check_agent(credential.service, request.operator, request.agent)
        await self._with.gateway.ensure()

        async def do(work: Work) -> dict[str, Any]:
            return await self._execute(request, call, seen, work)

        return await self._once(call, credential, msgspec.json.encode(request), seen, do)

    async def _execute(self, request: DispatchCommand, call: Call, seen: Observed, work: Work) -> dict[str, Any]:
        command_id = uuid.uuid4().hex

        ack = await self._with.agents[request.agent].carry_out(command_id, request.command, work.begin)
        # Nothing is awaited between the agent's log and ours, and nothing that comes now may fail the command: its
        # caller would believe that it was not done, and have it done again.
        self._record(call, command_id, operator=request.operator, agent=request.agent, command=request.command)
        seen.executed = True
        self._tell("command-ack", request.command, command_id, 0, seen)
        self._tell("command-progress", request.command, command_id, 50, seen)
        self._with.recollection.remember(command_id, f"{request.agent} {request.command}")
        self._tell("command-progress", request.command, command_id, 100, seen)
        return {"command_id": command_id, "result": {"ack": ack}}

    async def _query(self, call: Call, _: Credential, seen: Observed) -> tuple[dict[str, Any], bool]:
        request = decoded(await call.read(), MemoryQuery)
        results = await self._with.recollection.query(request.query)
        seen.executed = True
        return {"results": results}, False

    async def _handover(self, call: Call, credential: Credential, seen: Observed) -> tuple[dict[str, Any], bool]:
        request = decoded(await call.read(), Handover)
        component = request.component or self._last_failed()

        async def do(work: Work) -> dict[str, Any]:
            work.begin()
            taken = component in self._with.permissions.components
            self._record(call, uuid.uuid4().hex, component=component, error=request.error or "", taken=taken)
            seen.executed = True
            return {"handover": taken}

        return await self._once(call, credential, msgspec.json.encode(request), seen, do)

    async def _upload(self, call: Call, credential: Credential, seen: Observed) -> tuple[dict[str, Any], bool]:
        if call.parts is None:
            raise unreadable("an upload has parts")
        parts = call.parts()
        header = await anext(parts, None)
        if not isinstance(header, Header):
            raise unreadable("an upload begins with its header: operator, and metadata if there is any")
        decoded({"operator": header.operator}, UploadHeader)
        seen.tell(operator=header.operator)
        metadata = parse_metadata(header.metadata)
        self._with.permissions.check_upload(credential.service, header.operator)
        await self._with.gateway.ensure()
        intake = self._with.uploads.intake()
        try:
            async for part in parts:
                intake.take(part)
            intake.finish()
            return await self._once(
                call, credential, _print_of(metadata, intake), seen, self._storing(call, header, metadata, intake, seen)
            )
        finally:
            intake.discard()

    def _storing(self, call: Call, header: Header, metadata: dict[str, Any], intake: Intake, seen: Observed) -> Do:
        async def do(work: Work) -> dict[str, Any]:
            command_id = uuid.uuid4().hex
            work.begin()
            stored = self._with.uploads.keep(intake, command_id)
            files = [one.record() for one in intake.taken]
            self._record(call, command_id, operator=header.operator, files=files)
            seen.executed = True
            self._tell("command-ack", "upload", command_id, 100, seen)
            return {"command_id": command_id, "stored": stored, "metadata": metadata}

        return do

    async def _status(self, call: Call, _: Credential, seen: Observed) -> tuple[dict[str, Any], bool]:
        decoded(await call.read(), Nothing)
        seen.executed = True
        memory = await self._with.recollection.status()
        agents = [
            {"name": agent.name, "status": "busy" if agent.state()["busy"] else "ready"}
            for agent in self._with.agents.values()
        ]
        gateway = {"name": "mcp-gateway", "status": self._with.gateway.state}
        return {"components": [*agents, gateway], "errors": list(self._errors), "memory": memory}, False

    async def _once(
        self, call: Call, credential: Credential, fingerprint: bytes, seen: Observed, do: Do
    ) -> tuple[dict[str, Any], bool]:
        key = None if self._with.conduct.forgets_keys else call.key()
        name = None if key is None else (credential.service, call.operation, key)
        fields, replayed = await self._with.keys.once(name, hashlib.sha256(fingerprint).digest(), do)
        if "command_id" in fields:
            seen.tell(command_id=fields["command_id"])
        return fields, replayed

    def _record(self, call: Call, command_id: str, **what: Any) -> None:
        keys = call.values("idempotency-key")
        self._with.commands.add(
            operation=call.operation,
            transport=call.transport,
            command_id=command_id,
            request_id=call.request_id,
            key=keys[0] if keys else None,
            **what,
        )

    def _tell(self, event: str, command: str, command_id: str, percent: int, seen: Observed) -> None:
        self._with.hub.tell(event, command, command_id, percent)
        seen.event(event, command=command, command_id=command_id, percent=percent)

    def _note(self, call: Call, refusal: Refusal) -> None:
        self._errors.append(
            {
                "operation": call.operation,
                "transport": call.transport,
                "code": refusal.code.name,
                "reason": str(refusal.reason),
                "at": stamp(self._with.clock.now()),
            }
        )

    def _last_failed(self) -> str:
        return "operator" if self._errors else ""


def _print_of(metadata: dict[str, Any], intake: Intake) -> bytes:
    return msgspec.json.encode([metadata, [one.record() for one in intake.taken]], order="sorted")
