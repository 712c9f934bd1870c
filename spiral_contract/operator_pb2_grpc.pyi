# Types of what the generator writes into operator_pb2_grpc.py, kept by hand since it writes none.
# ruff: noqa: N802  the names are the generator's
from collections.abc import Awaitable
from typing import Any

import grpc

from spiral_contract import operator_pb2

class OperatorApiStub:
    DispatchCommand: grpc.UnaryUnaryMultiCallable[
        operator_pb2.DispatchCommandRequest, operator_pb2.DispatchCommandResponse
    ]
    MemoryQuery: grpc.UnaryUnaryMultiCallable[operator_pb2.MemoryQueryRequest, operator_pb2.MemoryQueryResponse]
    Handover: grpc.UnaryUnaryMultiCallable[operator_pb2.HandoverRequest, operator_pb2.HandoverResponse]
    def __init__(self, channel: grpc.Channel) -> None: ...

class OperatorApiServicer:
    def DispatchCommand(
        self, request: operator_pb2.DispatchCommandRequest, context: Any
    ) -> Awaitable[operator_pb2.DispatchCommandResponse]: ...
    def MemoryQuery(
        self, request: operator_pb2.MemoryQueryRequest, context: Any
    ) -> Awaitable[operator_pb2.MemoryQueryResponse]: ...
    def Handover(
        self, request: operator_pb2.HandoverRequest, context: Any
    ) -> Awaitable[operator_pb2.HandoverResponse]: ...

def add_OperatorApiServicer_to_server(
    servicer: OperatorApiServicer, server: grpc.Server | grpc.aio.Server
) -> None: ...
