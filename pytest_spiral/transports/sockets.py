"""HTTP connections whose socket another thread can cut while a call is stuck in it."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from pytest_spiral.transports.base import EXCHANGED_AFTER_S
from pytest_spiral.transports.patience import pause

_CLOSED = -1  # the descriptor of a closed socket


class Grip:
    """A hold on the socket of one call, from the moment that there is one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._cut = False

    def hold(self, wire: socket.socket) -> None:
        """Take hold of the socket; raises ConnectionAbortedError if the call was cut before it had one."""
        with self._lock:
            if self._cut:
                raise ConnectionAbortedError("the call was given up before it was sent")
            self._socket = wire

    def cut(self) -> None:
        """End the call's connection: whoever reads from it or writes to it wakes up, now or as soon as it tries."""
        with self._lock:
            self._cut = True
            if self._socket is not None:
                # The plain socket's own method: a TLS socket's would take away what the other thread is reading with.
                with contextlib.suppress(OSError):  # the connection has ended by itself
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def drop(self) -> None:
        """Close the socket of a call that failed, whoever still refers to it; only for the thread of the call.

        After some failures the HTTP library leaves a socket to the garbage collector.
        """
        with self._lock:
            wire, self._socket = self._socket, None
            if wire is not None and (descriptor := wire.detach()) != _CLOSED:
                socket.close(descriptor)


class _Calls(threading.local):
    """The call that each thread is in."""

    grip: Grip | None = None


_CALLS = _Calls()


@contextlib.contextmanager
def gripped(grip: Grip) -> Iterator[None]:
    """Let `grip` hold the socket of the call that this thread makes in the block."""
    _CALLS.grip = grip
    try:
        yield
    finally:
        _CALLS.grip = None


class _Plain(HTTPConnection):
    def connect(self) -> None:
        super().connect()
        self._show()

    def request(self, *arguments: Any, **named: Any) -> None:
        # A connection that was kept open is not connected again, so its socket is shown here.
        self._show()
        super().request(*arguments, **named)

    def _show(self) -> None:
        if self.sock is not None and _CALLS.grip is not None:
            _CALLS.grip.hold(self.sock)


class _Secure(_Plain, HTTPSConnection):
    def connect(self) -> None:
        for seconds in EXCHANGED_AFTER_S:
            try:
                super().connect()
            except ssl.SSLError as error:
                if error.reason != "KEY_VALUES_MISMATCH":
                    raise
                self.close()
                pause(seconds)
            else:
                return
        super().connect()


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


class GripAdapter(HTTPAdapter):
    """Opens connections that a Grip can hold. Never retries."""

    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
        """Make the pool manager, with pools of our own connections."""
        super().init_poolmanager(*arguments, **named)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}
