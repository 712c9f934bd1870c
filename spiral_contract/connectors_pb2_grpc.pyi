# Types of what the generator writes into connectors_pb2_grpc.py, kept by hand since it writes none.
# ruff: noqa: N802  the names are the generator's
from collections.abc import Awaitable
from typing import Any

import grpc

from spiral_contract import connectors_pb2

class ConnectorStub:
    Handshake: grpc.UnaryUnaryMultiCallable[connectors_pb2.HandshakeRequest, connectors_pb2.HandshakeReply]
    Heartbeat: grpc.UnaryUnaryMultiCallable[connectors_pb2.HeartbeatRequest, connectors_pb2.HeartbeatReply]
    def __init__(self, channel: grpc.Channel) -> None: ...

class ConnectorServicer:
    def Handshake(
        self, request: connectors_pb2.HandshakeRequest, context: Any
    ) -> Awaitable[connectors_pb2.HandshakeReply]: ...
    def Heartbeat(
        self, request: connectors_pb2.HeartbeatRequest, context: Any
    ) -> Awaitable[connectors_pb2.HeartbeatReply]: ...

def add_ConnectorServicer_to_server(servicer: ConnectorServicer, server: grpc.Server | grpc.aio.Server) -> None: ...
