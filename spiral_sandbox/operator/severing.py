"""Cutting one peer's TCP connection, as a network does: no goodbye, nothing more in either direction."""

import contextlib
import os
import socket
import stat
from pathlib import Path

_DESCRIPTORS = Path("/proc/self/fd")


def sever(peer: str) -> bool:
    """Cut the connection to a peer as gRPC names it, such as `ipv4:127.0.0.1:40000`; False where there is none.

    gRPC keeps its sockets to itself, so they are looked for among the open files of this process (Linux).
    """
    port = int(peer.rpartition(":")[2])
    return any(_cut(int(entry.name), port) for entry in _DESCRIPTORS.iterdir())


def _cut(descriptor: int, port: int) -> bool:
    with contextlib.suppress(OSError):  # it was closed meanwhile, is not connected, or is no internet socket
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            return False
        with socket.socket(fileno=os.dup(descriptor)) as wire:
            name = wire.getpeername()
            if isinstance(name, tuple) and name[1] == port:
                wire.shutdown(socket.SHUT_RDWR)
                return True
    return False
