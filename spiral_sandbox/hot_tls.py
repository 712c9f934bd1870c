"""A server's TLS credentials, exchanged while it serves: two steps, so that nobody is shut out in between.

`rotate` makes a new authority and new certificates of both parties. Clients of either authority are accepted from
then on, and the client's files trust both; the server still shows its old certificate. `retire` shows the new one,
and accepts nobody of the old authority any more.

What is open when the old authority is retired was let in by it, and must not stay: a REST connection ends with its
next answer, a gRPC one as every one does, within OLDEST_S; see `serving.py`.
"""

import contextlib
import ssl
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc

from spiral_sandbox.tls import Tls, fingerprint, issue_certificates, write_private

OLDEST_S = 2.0
"""Seconds after which a connection of old credentials is ended, where its calls let it."""

_SPARE = "next"
_SERVER = ("ca.pem", "server.pem", "server.key")
_CLIENT = ("client.pem", "client.key")


class RotationOrderError(RuntimeError):
    """A step of a rotation that its order does not allow."""


class HotTls:
    """The credentials of one component's servers. Files keep their names; what is in them changes."""

    def __init__(self, tls: Tls) -> None:
        self._tls = tls
        self._old_ca: bytes | None = None
        self._on_retire: list[Callable[[], None]] = []
        self._current = tls.server_context()
        self._retired = weakref.WeakSet[ssl.SSLContext]()
        self._in_use = [self._current]
        self._configuration = _grpc_configuration(tls)

    @property
    def files(self) -> Tls:
        """The server's own files."""
        return self._tls

    def server_context(self) -> ssl.SSLContext:
        """A context that gives each handshake over to the credentials of its moment.

        Sessions are never resumed: that would let a client in again without its certificate being looked at.
        """
        front = self._tls.server_context()
        front.minimum_version = ssl.TLSVersion.TLSv1_3
        front.num_tickets = 0
        front.sni_callback = self._choose
        return front

    def grpc_credentials(self) -> grpc.ServerCredentials:
        """Credentials that each handshake of gRPC asks for anew."""
        return grpc.dynamic_ssl_server_credentials(
            self._configuration, lambda: self._configuration, require_client_authentication=True
        )

    def is_retired(self, context: ssl.SSLContext) -> bool:
        """Whether a connection with this context was let in by credentials that count no more."""
        return context in self._retired

    def on_retire(self, callback: Callable[[], None]) -> None:
        """Have something called each time that old credentials are retired."""
        self._on_retire.append(callback)

    def rotate(self) -> dict[str, Any]:
        """Accept the clients of a new authority too; gives the fingerprints of both. RotationOrderError in a rotation."""
        if self._old_ca is not None:
            raise RotationOrderError("a rotation is under way; retire the old certificates first")
        old = self._tls.ca.read_bytes()
        fresh = issue_certificates(self._spare)
        both = old + fresh.server.ca.read_bytes()
        said = {"old_authority": fingerprint(old), "new_authority": fingerprint(fresh.server.ca.read_bytes())}
        self._old_ca = old
        write_private(self._tls.ca.with_suffix(".new"), both).replace(self._tls.ca)
        self._load(self._tls)  # before any client shows a certificate of the new authority
        for name in _CLIENT:
            (self._spare / name).replace(self._tls.ca.with_name(name))
        return said

    def retire(self) -> dict[str, Any]:
        """Show the new certificate and accept the new authority's clients alone; RotationOrderError out of order."""
        if self._old_ca is None:
            raise RotationOrderError("there is no rotation under way; rotate first")
        fresh = Tls(*(self._spare / name for name in _SERVER))
        self._retired.update(self._in_use)
        self._in_use.clear()
        self._load(fresh)  # before any client trusts the new authority alone
        for old, new in ((self._tls.ca, fresh.ca), (self._tls.cert, fresh.cert), (self._tls.key, fresh.key)):
            new.replace(old)
        self._spare.rmdir()
        self._old_ca = None
        for callback in self._on_retire:
            callback()
        return {"authority": fingerprint(self._tls.ca.read_bytes()), "oldest_connection_s": OLDEST_S}

    def close(self) -> None:
        """Remove what an unfinished rotation left."""
        for name in _SERVER:
            (self._spare / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self._spare.rmdir()

    @property
    def _spare(self) -> Path:
        return self._tls.ca.with_name(_SPARE)

    def _load(self, tls: Tls) -> None:
        self._current = tls.server_context()
        self._in_use.append(self._current)
        self._configuration = _grpc_configuration(tls)

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _front: ssl.SSLContext) -> None:
        connection.context = self._current


def secured(tls: HotTls | None) -> HotTls:
    """The credentials; RotationOrderError for a server that has none."""
    if tls is None:
        raise RotationOrderError("this server speaks without TLS, and has no certificates to rotate")
    return tls


def _grpc_configuration(tls: Tls) -> Any:
    pair = (tls.key.read_bytes(), tls.cert.read_bytes())
    return grpc.ssl_server_certificate_configuration([pair], root_certificates=tls.ca.read_bytes())
