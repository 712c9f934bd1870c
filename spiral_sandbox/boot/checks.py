"""Health checks: asking a component whether it is ready, over HTTP, gRPC, a file, or a program's exit status.

A check is believed only if it could have said otherwise. So each is asked before its component is started too, where
it must not say healthy; and where the answer can carry it, it must name this boot's nonce and this component's
process, so that nobody else on the port can answer in its place.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from spiral_sandbox.boot.manifest import Check
from spiral_sandbox.boot.starting import NotStartedError, Warden

_REPLY_BYTES = 1 << 16
_STATUS = {number: name for name, number in health_pb2.HealthCheckResponse.ServingStatus.items()}
_CHANNEL = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_retries", 0),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom a check asks: the check with its places filled in, the address, and who should answer."""

    check: Check
    address: str
    component: str
    nonce: str
    environment: Mapping[str, str]
    log: Path


async def look(asked: Asked, pid: int | None, warden: Warden) -> str:
    """Ask once; empty for healthy, else what the check saw. `pid` None is for before the start: anybody may answer."""
    try:
        async with asyncio.timeout(asked.check.within_s):
            return await _KINDS[asked.check.kind](asked, pid, warden)
    except TimeoutError:
        return f"no answer within {asked.check.within_s:g} s"


async def _dial(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | str:
    """A connection, or why there is none."""
    host, _, port = address.rpartition(":")
    try:
        return await asyncio.open_connection(host, int(port))
    except OSError as error:
        return f"nothing listens ({error.strerror})"


async def _http(asked: Asked, pid: int | None, warden: Warden) -> str:  # noqa: ARG001
    found = await _dial(asked.address)
    if isinstance(found, str):
        return found
    reader, writer = found
    if pid is None:  # whatever it would say: somebody listens where the component should
        writer.close()
        return ""
    try:
        writer.write(f"GET /health HTTP/1.1\r\nHost: {asked.address}\r\nConnection: close\r\n\r\n".encode())
        reply = await reader.read(_REPLY_BYTES)
        while reply and not reader.at_eof() and len(reply) < _REPLY_BYTES:
            reply += await reader.read(_REPLY_BYTES)
    except OSError as error:
        return f"the connection broke ({error.strerror})"
    finally:
        writer.close()
    head, _, body = reply.partition(b"\r\n\r\n")
    first = head.split(b"\r\n")[0].decode(errors="replace")
    if first.split()[1:2] != ["200"]:
        return f"unhealthy: {first or 'an empty reply'}"
    try:
        said = json.loads(body)
        return _stranger(asked, pid, said["nonce"], said["pid"])
    except (ValueError, KeyError, TypeError):
        return "unhealthy: the reply does not say whose it is"


async def _grpc(asked: Asked, pid: int | None, warden: Warden) -> str:  # noqa: ARG001
    # A channel that is refused once waits before it tries again, so the port is tried first.
    found = await _dial(asked.address)
    if isinstance(found, str):
        return found
    found[1].close()
    if pid is None:
        return ""
    async with grpc.aio.insecure_channel(asked.address, options=_CHANNEL) as channel:
        call = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=asked.component))
        try:
            reply = await call
            said: dict[str, Any] = dict(await call.initial_metadata() or ())
        except grpc.RpcError as error:
            return f"unhealthy: {error.code().name}"
    if reply.status != health_pb2.HealthCheckResponse.SERVING:
        return f"unhealthy: {_STATUS.get(reply.status, reply.status)}"
    return _stranger(asked, pid, said.get("boot-nonce"), said.get("boot-pid"))


def _stranger(asked: Asked, pid: int, nonce: object, answered: object) -> str:
    if (nonce, str(answered)) == (asked.nonce, str(pid)):
        return ""
    return f"answered by somebody else: process {answered!r} with the nonce {nonce!r}"


async def _file(asked: Asked, pid: int | None, warden: Warden) -> str:  # noqa: ARG001
    try:
        text = _text(asked.check.path)
    except OSError as error:
        return f"no file ({error.strerror})"
    if pid is None:
        return ""
    return "" if text.split() == [asked.nonce, str(pid)] else f"unhealthy: the file says {text.strip()[:80]!r}"


def _text(path: str) -> str:
    return Path(path).read_text(encoding="utf-8", errors="replace")


async def _exit(asked: Asked, pid: int | None, warden: Warden) -> str:  # noqa: ARG001
    try:
        child = await warden.start(asked.check.run, asked.environment, asked.log)
    except NotStartedError as error:
        return f"the check cannot be run: {error}"
    try:
        status = await asyncio.shield(child.ended)
    finally:
        if child.alive:
            child.signal(9)
    return "" if status == 0 else f"unhealthy: the check ended with status {status}"


_KINDS = {"http": _http, "grpc": _grpc, "file": _file, "exit": _exit}
