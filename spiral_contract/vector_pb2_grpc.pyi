# Types of what the generator writes into vector_pb2_grpc.py, kept by hand since it writes none.
# ruff: noqa: N802  the names are the generator's
from collections.abc import Awaitable
from typing import Any

import grpc

from spiral_contract import vector_pb2

class VectorServiceStub:
    Init: grpc.UnaryUnaryMultiCallable[vector_pb2.InitRequest, vector_pb2.InitResponse]
    Search: grpc.UnaryUnaryMultiCallable[vector_pb2.SearchRequest, vector_pb2.SearchResponse]
    def __init__(self, channel: grpc.Channel) -> None: ...

class VectorServiceServicer:
    def Init(self, request: vector_pb2.InitRequest, context: Any) -> Awaitable[vector_pb2.InitResponse]: ...
    def Search(self, request: vector_pb2.SearchRequest, context: Any) -> Awaitable[vector_pb2.SearchResponse]: ...

def add_VectorServiceServicer_to_server(
    servicer: VectorServiceServicer, server: grpc.Server | grpc.aio.Server
) -> None: ...
