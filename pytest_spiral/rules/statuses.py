"""The one table of statuses: HTTP ↔ our codes ↔ names of gRPC's codes.

The first status of a row is the one that a code is written as; the others are only read. Sources: the operator
surface's own pairs (400, 401, 403, 413, 500, 503, 504); for the rest the HTTP mapping in `google/rpc/code.proto`,
and RFC 9110 for the meaning of a status.
"""

from typing import NamedTuple

from pytest_spiral.model.exchange import Code


class Row(NamedTuple):
    """One of our codes with the statuses that mean it, the usual one first."""

    code: Code
    http: tuple[int, ...]
    grpc: tuple[str, ...]


TABLE = (
    Row(Code.OK, (200,), ("OK",)),
    Row(
        Code.INVALID_ARGUMENT,
        (400, 411, 414, 415, 422, 431),
        ("INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE"),
    ),
    Row(Code.UNAUTHENTICATED, (401, 407), ("UNAUTHENTICATED",)),
    Row(Code.PERMISSION_DENIED, (403,), ("PERMISSION_DENIED",)),
    Row(Code.NOT_FOUND, (404, 410), ("NOT_FOUND",)),
    Row(Code.CONFLICT, (409, 412, 423), ("ABORTED", "ALREADY_EXISTS")),
    Row(Code.RESOURCE_EXHAUSTED, (413, 429, 507), ("RESOURCE_EXHAUSTED",)),
    Row(Code.UNIMPLEMENTED, (501, 405, 505), ("UNIMPLEMENTED",)),
    Row(Code.INTERNAL, (500,), ("INTERNAL", "UNKNOWN", "DATA_LOSS")),
    Row(Code.UNAVAILABLE, (503, 502), ("UNAVAILABLE",)),
    Row(Code.DEADLINE_EXCEEDED, (504, 408), ("DEADLINE_EXCEEDED",)),
    Row(Code.CANCELLED, (499,), ("CANCELLED",)),
)
"""`Code.MALFORMED_REPLY` has no row: no server says it, a transport finds it."""

_BY_HTTP = {status: row.code for row in TABLE for status in row.http}
_BY_GRPC = {name: row.code for row in TABLE for name in row.grpc}
_BY_CODE = {row.code: row for row in TABLE}


def code_of_http(status: int) -> Code:
    """What an HTTP status means.

    A status without a row counts as its class: 2xx is success, 4xx the caller's mistake, 5xx the server's. Any other
    is no answer to a call: a redirect is not followed, and 1xx is not final.
    """
    if status in _BY_HTTP:
        return _BY_HTTP[status]
    by_class = {2: Code.OK, 4: Code.INVALID_ARGUMENT, 5: Code.INTERNAL}
    return by_class.get(status // 100, Code.MALFORMED_REPLY)


def code_of_grpc(name: str) -> Code:
    """What a gRPC status, given by name, means; raises ValueError for a name that gRPC does not have."""
    if name not in _BY_GRPC:
        raise ValueError(f"{name!r} is no gRPC status")
    return _BY_GRPC[name]


def http_of(code: Code) -> int:
    """The HTTP status that says a code; raises ValueError for a code that no server says."""
    return _row(code).http[0]


def grpc_of(code: Code) -> str:
    """The name of the gRPC status that says a code; raises ValueError for a code that no server says."""
    return _row(code).grpc[0]


def _row(code: Code) -> Row:
    if code not in _BY_CODE:
        raise ValueError(f"no server says {code.value!r}")
    return _BY_CODE[code]
