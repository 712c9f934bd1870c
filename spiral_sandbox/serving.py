"""Servers of the sandbox: REST and gRPC on free loopback ports, with client certificates required."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import grpc
import uvicorn

from spiral_sandbox.tls import Tls

if TYPE_CHECKING:
    from starlette.types import ASGIApp

LOOPBACK = "127.0.0.1"
"""The only interface anything in the sandbox listens on."""

_GRACE_SECONDS = 0.5


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


async def serve_rest(app: "ASGIApp", tls: Tls | None, *, websockets: bool = False) -> RestServer:
    """Serve an ASGI application on a free loopback port of the running loop, WebSockets too if wanted.

    With `tls`, a client without a certificate of the same authority is refused at the handshake; without
    it the server speaks plain HTTP.
    """
    config = uvicorn.Config(
        app,
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
    tls: Tls | None,
    options: Sequence[tuple[str, int | str]] = (),
    port: int = 0,
) -> GrpcServer:
    """Serve what `add` registers on a loopback port of the running loop: the one given, or a free one.

    `options` are further channel arguments of gRPC. With `tls`, a client without a certificate of the same
    authority is refused at the handshake; without it the server speaks plain HTTP/2.
    """
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0), *options])
    add(server)
    address = f"{LOOPBACK}:{port}"
    bound = server.add_insecure_port(address) if tls is None else server.add_secure_port(address, _secured(tls))
    await server.start()
    return GrpcServer(server, bound)


def _secured(tls: Tls) -> grpc.ServerCredentials:
    return grpc.ssl_server_credentials(
        [(tls.key.read_bytes(), tls.cert.read_bytes())],
        root_certificates=tls.ca.read_bytes(),
        require_client_auth=True,
    )
