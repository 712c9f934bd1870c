"""Servers of the sandbox: REST and gRPC on free loopback ports, with client certificates required."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import grpc
import uvicorn

from spiral_sandbox.hot_tls import OLDEST_S, HotTls
from spiral_sandbox.patience import PATIENCE_S, PatientProtocol
from spiral_sandbox.tls import Tls

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = "127.0.0.1"
"""The only interface anything in the sandbox listens on."""

_GRACE_SECONDS = 0.5

# gRPC can say a connection's goodbye in a way that loses no call, but not that of a chosen one. So each that may
# outlive its credentials has an age, and time for the calls that are under way then.
_AGED = (("grpc.max_connection_age_ms", int(OLDEST_S * 1000)), ("grpc.max_connection_age_grace_ms", 10_000))


class RestServer:
    """A REST server that is answering; `address` is its base URL."""

    def __init__(self, server: uvicorn.Server, listener: socket.socket) -> None:
        self._server = server
        self._listener = listener
        self._serving = asyncio.create_task(server.main_loop())
        scheme = "https" if server.config.is_ssl else "http"
        self.address = f"{scheme}://{LOOPBACK}:{listener.getsockname()[1]}"

    async def stop(self) -> None:
        """Take no new connection, give open requests a moment to end, then close."""
        self._server.should_exit = True
        await self._serving
        closing = asyncio.create_task(self._server.shutdown(sockets=[self._listener]))
        # A kept-alive TLS connection stays until its idle client says goodbye; nobody waits for that.
        await asyncio.wait({closing}, timeout=_GRACE_SECONDS)
        self._server.force_exit = True
        await closing


class GrpcServer:
    """A gRPC server that is answering; `address` is `host:port`."""

    def __init__(self, server: grpc.aio.Server, port: int) -> None:
        self._server = server
        self.port = port
        self.address = f"{LOOPBACK}:{port}"

    async def stop(self, grace_s: float = _GRACE_SECONDS) -> None:
        """Take no new call, give open calls a moment to end, then cancel them."""
        await self._server.stop(grace_s)


class _Rotation:
    """Ends REST connections that were let in by credentials that are retired: with their next answer, or when idle."""

    def __init__(self, tls: HotTls) -> None:
        self._tls = tls
        self._server: uvicorn.Server | None = None

    def watch(self, server: uvicorn.Server) -> None:
        """Look after this server's connections."""
        self._server = server
        self._tls.on_retire(lambda: self._end_later(asyncio.get_running_loop()))

    def ending(self, app: "ASGIApp") -> "ASGIApp":
        """The application, whose answers on a stale connection end that connection."""

        async def wrapped(scope: "Scope", receive: "Receive", send: "Send") -> None:
            await app(scope, receive, self._closing(send) if self._is_stale(scope) else send)

        return wrapped

    def _is_stale(self, scope: "Scope") -> bool:
        return scope["type"] == "http" and any(one.client == scope["client"] for one in self._stale())

    def _stale(self) -> list[Any]:
        connections: list[Any] = [] if self._server is None else list(self._server.server_state.connections)
        return [one for one in connections if self._tls.is_retired(_context_of(one))]

    def _end_later(self, loop: asyncio.AbstractEventLoop) -> None:
        """Whoever has not asked for anything until then is idle, and is hung up on."""
        retired = self._stale()
        loop.call_later(OLDEST_S, lambda: [one.shutdown() for one in self._stale() if one in retired])

    @staticmethod
    def _closing(send: "Send") -> "Send":
        async def closing(message: "Message") -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
            await send(message)

        return closing


def _context_of(connection: Any) -> Any:
    return connection.transport.get_extra_info("ssl_object").context


async def serve_rest(
    app: "ASGIApp", tls: Tls | HotTls | None, *, websockets: bool = False, patience_s: float = PATIENCE_S
) -> RestServer:
    """Serve an ASGI application on a free loopback port of the running loop, WebSockets too if wanted.

    With `tls`, a client without a certificate of the same authority is refused at the handshake; without
    it the server speaks plain HTTP. A client that is waited for longer than `patience_s` is hung up on.
    """
    rotation = _Rotation(tls) if isinstance(tls, HotTls) else None
    config = uvicorn.Config(
        app if rotation is None else rotation.ending(app),
        http=cast("type[asyncio.Protocol]", partial(PatientProtocol, patience_s=patience_s)),  # it is only called
        lifespan="off",
        ws="websockets-sansio" if websockets else "none",
        log_config=None,
        access_log=False,
        ssl_context_factory=None if tls is None else lambda _config, _default: tls.server_context(),
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    listener = _listener()
    if rotation is not None:
        rotation.watch(server)
    await server.startup(sockets=[listener])
    return RestServer(server, listener)


def _listener() -> socket.socket:
    # asyncio sets TCP_NODELAY only on sockets whose protocol is spelled out. Left at 0, Nagle's algorithm
    # waits for the peer's delayed acknowledgement and every small reply takes some 44 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind((LOOPBACK, 0))
    return listener


async def serve_grpc(
    add: Callable[[grpc.aio.Server], None],
    tls: Tls | HotTls | None,
    options: Sequence[tuple[str, int | str]] = (),
    port: int = 0,
) -> GrpcServer:
    """Serve what `add` registers on a loopback port of the running loop: the one given, or a free one.

    `options` are further channel arguments of gRPC. With `tls`, a client without a certificate of the same
    authority is refused at the handshake; without it the server speaks plain HTTP/2.
    """
    aged = _AGED if isinstance(tls, HotTls) else ()
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0), *aged, *options])
    add(server)
    address = f"{LOOPBACK}:{port}"
    bound = (
        server.add_insecure_port(address) if tls is None else server.add_secure_port(address, tls.grpc_credentials())
    )
    await server.start()
    return GrpcServer(server, bound)
