"""Cutting one peer's TCP connection, as a network does: no goodbye, nothing more in either direction."""

import os
import socket

import psutil


def sever(peer: str) -> bool:
    """Cut the connection to a peer as gRPC names it, such as `ipv4:127.0.0.1:40000`; False where there is none.

    gRPC keeps its sockets to itself, so they are looked for among the connections of this process.
    """
    port = int(peer.rpartition(":")[2])
    to_peer = [one.fd for one in psutil.Process().net_connections("tcp") if one.raddr and one.raddr.port == port]
    for descriptor in to_peer:
        with socket.socket(fileno=os.dup(descriptor)) as wire:
            wire.shutdown(socket.SHUT_RDWR)
    return bool(to_peer)
