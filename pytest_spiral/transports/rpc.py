"""gRPC: one call per exchange, by method path; the only module of the product that imports grpc."""

import base64
import ssl
import threading
from pathlib import Path
from typing import Any, cast

import grpc
from grpc_health.v1 import health_pb2  # noqa: F401 - makes the health messages known by name

from pytest_spiral.errors import ExchangeError, UseError
from pytest_spiral.model.exchange import Code, Reply, Request
from pytest_spiral.rules.statuses import code_of_grpc
from pytest_spiral.transports.base import (
    EXCHANGED_AFTER_S,
    LONGEST_S,
    MOST_BYTES,
    AnsweredError,
    Endpoint,
    Transport,
    one_line,
    prepared,
)
from pytest_spiral.transports.messages import decode, encode, message_class
from pytest_spiral.transports.patience import pause
from pytest_spiral.transports.plain_json import json_bytes, json_object
from pytest_spiral.transports.uploads import Upload
from spiral_contract.operations import OPERATIONS, Operation

_OPTIONS = (
    # A connection of our own: a shared one would hide that a new handshake is refused.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_receive_message_length", MOST_BYTES),
    ("grpc.max_send_message_length", MOST_BYTES),
    # Nothing is sent twice, and nothing is sent elsewhere because an environment variable says so.
    ("grpc.enable_retries", 0),
    ("grpc.enable_http_proxy", 0),
    # A server that is back is found as soon as REST would find it, not after a back-off of up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)


class GrpcTransport(Transport):
    """One gRPC endpoint, `host:port`, over one channel. No stubs: paths and messages are those of the contract.

    Where its PEM files are exchanged under the same names, the next call goes over a channel of the new ones, as REST's
    next connection does.

    An upload is streamed. Operations that the contract calls loose travel as JSON bytes where the endpoint says so.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.name = "grpc"
        self.address = endpoint.address
        if "/" in endpoint.address or ":" not in endpoint.address:
            raise UseError(f"{endpoint.address!r} is no address of a gRPC endpoint, such as 127.0.0.1:8444.")
        self._json = endpoint.codec == "json"
        self._channels = _Channels(endpoint)

    def exchange(self, request: Request) -> Reply:
        """Send the request and wait for its reply; raises ExchangeError and nothing else."""
        sent = prepared(request)
        operation = _operation(sent)
        wire = self._wire(sent, operation)
        try:
            answer, call = self._send(operation, wire, sent)
        except grpc.RpcError as error:
            raise self._failed(sent, error) from error
        except ValueError as error:  # how grpc says that the channel is closed, or that it cannot take the call
            closed = self._channels.closed
            code = Code.CANCELLED if closed else Code.INVALID_ARGUMENT
            said = "was closed before this call" if closed else f"cannot be called like this: {error}"
            raise ExchangeError(code, f"gRPC at {self.address} {said}.") from error
        return self._read(operation, answer, _metadata(call))

    def close(self) -> None:
        """Close the channel; calls that are under way end as CANCELLED."""
        self._channels.close()

    def _send(self, operation: Operation, wire: list[bytes], request: Request) -> tuple[bytes, grpc.Call]:
        path = f"/{operation.grpc_service}/{operation.grpc_method}"
        channel = self._channels.current()
        timeout, metadata = min(request.deadline_s, LONGEST_S), tuple(request.metadata.items())
        if operation.streamed:
            stream = channel.stream_unary(path, request_serializer=None, response_deserializer=None)
            return stream.with_call(iter(wire), timeout=timeout, metadata=metadata)
        unary = channel.unary_unary(path, request_serializer=None, response_deserializer=None)
        return unary.with_call(wire[0], timeout=timeout, metadata=metadata)

    def _wire(self, request: Request, operation: Operation) -> list[bytes]:
        """The messages to send: one, unless the operation is streamed."""
        if operation.loose and self._json:
            return [json_bytes(request.payload, f"the payload of {request.operation}")]
        kind = message_class(operation.request)
        payloads = Upload.of(request.payload).messages() if operation.streamed else (request.payload,)
        return [encode(payload, kind) for payload in payloads]

    def _payload(self, operation: Operation, answer: bytes) -> dict[str, Any]:
        if not (operation.loose and self._json):
            return decode(answer, message_class(operation.reply))
        payload = json_object(answer)
        if payload is None:
            raise ExchangeError(Code.MALFORMED_REPLY, "the reply is no JSON object.")
        return payload

    def _read(self, operation: Operation, answer: bytes, metadata: dict[str, str]) -> Reply:
        status = grpc.StatusCode.OK.name
        try:
            payload = self._payload(operation, answer)
        except ExchangeError as error:
            reply = Reply(code=Code.MALFORMED_REPLY, metadata=metadata, wire_status=status)
            raise AnsweredError(f"gRPC at {self.address} answered {operation.name}; {error}", reply) from error
        return Reply(code=Code.OK, payload=payload, metadata=metadata, wire_status=status)

    def _failed(self, request: Request, error: grpc.RpcError) -> ExchangeError:
        call = cast("grpc.Call", error)  # the error of a call that has ended is that call
        name = call.code().name
        code = code_of_grpc(name)
        said = one_line(call.details() or "no details")
        sentence = f"gRPC at {self.address} ended {request.operation} with {name}: {said}"
        metadata = _metadata(call)
        if name in _OWN and not metadata:
            return ExchangeError(code, sentence)
        # gRPC's details are what REST says in the body of an error.
        payload = {"detail": call.details()} if call.details() else {}
        return AnsweredError(sentence, Reply(code=code, payload=payload, metadata=metadata, wire_status=name))


# Statuses that gRPC's own library makes too. Without metadata nobody can tell whether the server said them.
# Source: grpc.github.io, "Status codes and their use in gRPC".
_OWN = frozenset({"CANCELLED", "UNKNOWN", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "INTERNAL", "UNAVAILABLE"})


def _operation(request: Request) -> Operation:
    operation = OPERATIONS.get(request.operation)
    if operation is None or not operation.grpc_method:
        raise ExchangeError(Code.UNIMPLEMENTED, f"the contract has no operation {request.operation!r} over gRPC.")
    return operation


def _metadata(call: grpc.Call) -> dict[str, str]:
    """Header and trailing metadata; values of the same key are joined as HTTP joins them."""
    found: dict[str, list[str]] = {}
    for part in (call.initial_metadata(), call.trailing_metadata()):
        for key, value in part or ():
            found.setdefault(key, []).append(value if isinstance(value, str) else base64.b64encode(value).decode())
    return {key: ", ".join(values) for key, values in found.items()}


_Marks = tuple[tuple[int, int], ...]
_Pems = tuple[bytes | None, bytes | None, bytes | None]
"""What is in the files of the authority, the certificate and the key; None where the endpoint has none."""


class _Channels:
    """The channels to an endpoint: one, and another each time that its PEM files have changed."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._files = tuple(Path(path) for path in (endpoint.ca, endpoint.cert, endpoint.key) if path)
        self._lock = threading.Lock()
        self._marks: _Marks = ()
        self._marks, pems = self._settled() or (self._look(), _pems(endpoint))
        self._open = [_channel(endpoint.address, pems)]
        self.closed = False

    def current(self) -> grpc.Channel:
        """The channel of the files as they are now; after `close` one that is closed."""
        with self._lock:
            if not self.closed and self._look() != self._marks and (found := self._read()):
                self._marks, pems = found
                # The one before stays open for the calls that other threads have on it.
                self._open.append(_channel(self._endpoint.address, pems))
            return self._open[-1]

    def close(self) -> None:
        """Close them all, and open no other."""
        with self._lock:
            self.closed = True
        for channel in self._open:
            channel.close()

    def _settled(self) -> tuple[_Marks, _Pems] | None:
        """The files, if they settle in a moment; None for what is no pair, and is its owner's matter."""
        for seconds in EXCHANGED_AFTER_S:
            if found := self._read():
                return found
            pause(seconds)
        return self._read()

    def _read(self) -> tuple[_Marks, _Pems] | None:
        """The files, where certificate and key belong together and nothing was exchanged while they were read."""
        marks = self._look()
        try:
            if self._endpoint.cert:
                ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(self._endpoint.cert, self._endpoint.key)
            pems = _pems(self._endpoint)
        except OSError:  # ssl.SSLError is one
            return None
        return (marks, pems) if marks == self._look() else None

    def _look(self) -> _Marks:
        try:
            return tuple((found.st_ino, found.st_mtime_ns) for found in (path.stat() for path in self._files))
        except OSError:  # they are being exchanged, or the target is gone: its address will tell
            return self._marks


def _pems(endpoint: Endpoint) -> _Pems:
    ca, cert, key = (Path(path).read_bytes() if path else None for path in (endpoint.ca, endpoint.cert, endpoint.key))
    return ca, cert, key


def _channel(address: str, pems: _Pems) -> grpc.Channel:
    ca, cert, key = pems
    if ca is None and cert is None:  # an empty file is no reason to speak in the open
        return grpc.insecure_channel(address, _OPTIONS)
    credentials = grpc.ssl_channel_credentials(root_certificates=ca, private_key=key, certificate_chain=cert)
    return grpc.secure_channel(address, credentials, _OPTIONS)
