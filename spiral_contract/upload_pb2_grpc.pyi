# Types of what the generator writes into upload_pb2_grpc.py, kept by hand since it writes none.
# ruff: noqa: N802  the names are the generator's
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import grpc

from spiral_contract import upload_pb2

class UploadStub:
    Put: grpc.StreamUnaryMultiCallable[upload_pb2.PutRequest, upload_pb2.PutReply]
    def __init__(self, channel: grpc.Channel) -> None: ...

class UploadServicer:
    def Put(
        self, request_iterator: AsyncIterator[upload_pb2.PutRequest], context: Any
    ) -> Awaitable[upload_pb2.PutReply]: ...

def add_UploadServicer_to_server(servicer: UploadServicer, server: grpc.Server | grpc.aio.Server) -> None: ...
