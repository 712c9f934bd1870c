"""Connecting to an endpoint and no more: how long it takes, who answers, and what is wrong where nobody does."""

import contextlib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from pytest_spiral.rules.canonical import digest
from pytest_spiral.transports.base import Endpoint

Trouble = Literal["unreachable", "tls"]
_BLOCK = 16_384


class DialError(OSError):
    """Nobody answered as they should; `trouble` says at which step, the text is a sentence with its remedy."""

    def __init__(self, trouble: Trouble, sentence: str) -> None:
        self.trouble = trouble
        super().__init__(sentence)


@dataclass(frozen=True, slots=True)
class Dialled:
    """A connection that was made and closed: nanoseconds it took, and over TLS the version and the certificate's digest."""

    ns: int
    tls: str = ""
    certificate: str = ""


def dial(
    kind: str, endpoint: Endpoint, timeout_s: float, clock_ns: Callable[[], int], *, peek_s: float = 0.0
) -> Dialled:
    """Connect to a REST or gRPC endpoint, shake hands where it speaks TLS, and hang up; raises DialError.

    With TLS 1.3 a server refuses a client's certificate after the handshake: `peek_s` is how long it may take for that.
    """
    host, port, secured = _where(kind, endpoint)
    began = clock_ns()
    try:
        plain = socket.create_connection((host, port), timeout=timeout_s)
    except TimeoutError as error:
        raise DialError(
            "unreachable",
            f"{endpoint.address} did not answer within {timeout_s:g} s. Remedy: check the address, the network and the "
            "firewall, or raise `timeout`.",
        ) from error
    except OSError as error:
        why = error.strerror or str(error)
        raise DialError(
            "unreachable",
            f"{endpoint.address} cannot be reached ({why}). Remedy: check the address, and that it is up.",
        ) from error
    with plain:
        if not secured:
            return Dialled(clock_ns() - began)
        made = _Handshake(plain, _context(kind, endpoint), host)
        return _shake_hands(made, endpoint, peek_s, lambda: clock_ns() - began)


def _where(kind: str, endpoint: Endpoint) -> tuple[str, int, bool]:
    if kind == "rest":
        parts = urlsplit(endpoint.address)
        secured = parts.scheme == "https"
        return parts.hostname or "", parts.port or (443 if secured else 80), secured
    host, _, port = endpoint.address.rpartition(":")
    return host.strip("[]"), int(port), bool(endpoint.ca or endpoint.cert)


def _context(kind: str, endpoint: Endpoint) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=endpoint.ca or None)
        if endpoint.cert:
            context.load_cert_chain(endpoint.cert, endpoint.key)
    except (ssl.SSLError, OSError) as error:
        raise DialError("tls", f"the files for TLS of {endpoint.address} cannot be used ({error}).") from error
    context.set_alpn_protocols(["h2"] if kind == "grpc" else ["http/1.1"])
    return context


def _shake_hands(made: "_Handshake", endpoint: Endpoint, peek_s: float, spent: Callable[[], int]) -> Dialled:
    try:
        made.shake()
        took = spent()
        if peek_s:
            made.listen(peek_s)
    except ssl.SSLCertVerificationError as error:
        why = f"{endpoint.address} shows a certificate that is not trusted ({error.verify_message})"
        raise DialError(
            "tls", f"{why}. Remedy: name its authority as `ca`, and call it by the name that it shows."
        ) from error
    except ssl.SSLError as error:
        reason = (error.reason or "unknown reason").lower().replace("_", " ")
        raise DialError(
            "tls",
            f"{endpoint.address} does not shake hands over TLS ({reason}). Remedy: check that it speaks TLS there, and that "
            "`cert` and `key` are of an authority that it trusts.",
        ) from error
    except OSError as error:
        raise DialError(
            "tls",
            f"{endpoint.address} hung up during the TLS handshake. Remedy: check that it speaks TLS there, and which client "
            "certificates it wants.",
        ) from error
    certificate = made.tls.getpeercert(binary_form=True) or b""
    return Dialled(took, made.tls.version() or "", digest(certificate))


class _Handshake:
    """TLS over a plain socket that stays ours: an `SSLSocket` whose peer hangs up while it is made is never closed."""

    def __init__(self, plain: socket.socket, context: ssl.SSLContext, host: str) -> None:
        self._plain = plain
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)

    def listen(self, seconds: float) -> None:
        """Give the server a moment to refuse our certificate; one that waits for a request says nothing, and that is well."""
        self._plain.settimeout(seconds)
        try:
            while True:
                self._receive()
                with contextlib.suppress(ssl.SSLWantReadError):  # a session ticket is no refusal
                    self.tls.read(1)
        except TimeoutError:
            return

    def shake(self) -> None:
        """Shake hands, to the last byte that we have to say."""
        done = False
        while not done:
            try:
                self.tls.do_handshake()
                done = True
            except ssl.SSLWantReadError:
                pass  # it has something to say, or wants to hear something
            self._plain.sendall(self._outgoing.read())
            if not done:
                self._receive()

    def _receive(self) -> None:
        data = self._plain.recv(_BLOCK)
        if not data:
            raise ConnectionResetError("it hung up")
        self._incoming.write(data)
