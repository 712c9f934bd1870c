"""JSON values ↔ protobuf messages of the contract.

A request is read by protobuf's own JSON mapping. A reply is written by rules of ours, so that it can be compared with
what REST says: field names as in the .proto file, fields at their default written out, 64-bit integers as numbers
(protobuf's mapping makes texts of them). A `float` has 32 bits: it comes out as the double that is equal to it, 0.1
as 0.10000000149011612, and is to be compared after both sides are rounded to 32 bits.
Source: protobuf.dev, "ProtoJSON Format".
"""

import base64
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from math import isfinite
from pkgutil import iter_modules
from typing import Any, cast

from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message

import spiral_contract
from pytest_spiral.errors import ExchangeError
from pytest_spiral.model.exchange import Code

_FRACTIONS = (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE)


@cache
def message_class(name: str) -> type[Message]:
    """The class of a message by its full name; raises KeyError where neither the contract nor gRPC's health has it."""
    for module in iter_modules(spiral_contract.__path__):
        if module.name.endswith("_pb2"):
            import_module(f"{spiral_contract.__name__}.{module.name}")
    return message_factory.GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(name))


def encode(payload: Mapping[str, Any], kind: type[Message]) -> bytes:
    """The payload as a message on the wire; raises ExchangeError, INVALID_ARGUMENT, where it is no such message."""
    try:
        return json_format.ParseDict(dict(payload), kind()).SerializeToString()
    # A SystemError is how protobuf's C code answers to the name of a field without UTF-8.
    except (json_format.Error, TypeError, ValueError, RecursionError, SystemError) as error:
        raise ExchangeError(Code.INVALID_ARGUMENT, f"the payload is no {_name(kind)}: {error}.") from error


def decode(wire: bytes, kind: type[Message]) -> dict[str, Any]:
    """The message on the wire as JSON values; raises ExchangeError, MALFORMED_REPLY, where it has none."""
    try:
        return _object(kind.FromString(wire))
    except (DecodeError, json_format.Error, ValueError) as error:
        raise ExchangeError(Code.MALFORMED_REPLY, f"the reply is no {_name(kind)}: {error}.") from error


def _name(kind: type[Message]) -> str:
    return kind.DESCRIPTOR.full_name


def _object(message: Message) -> dict[str, Any]:
    return {
        field.name: _field(cast("FieldDescriptor", field), getattr(message, field.name))
        for field in message.DESCRIPTOR.fields
        if not field.has_presence or message.HasField(field.name)
    }


def _field(field: FieldDescriptor, value: Any) -> Any:
    kind = field.message_type
    if kind is not None and kind.GetOptions().map_entry:
        convert = _converter(kind.fields_by_name["value"])
        return {_key(key): convert(value[key]) for key in value}
    if field.is_repeated:
        if field.cpp_type in _FRACTIONS:  # an embedding has hundreds of them
            return _finite(list(value))
        return [_converter(field)(item) for item in value]
    return _converter(field)(value)


def _key(key: str | int | bool) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


def _converter(field: FieldDescriptor) -> Callable[[Any], Any]:
    if field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
        return _message
    if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        names = cast("EnumDescriptor", field.enum_type).values_by_number
        return lambda number: names[number].name if number in names else number
    if field.cpp_type in _FRACTIONS:
        return lambda number: _finite([number])[0]
    if field.type == FieldDescriptor.TYPE_BYTES:
        return lambda data: base64.b64encode(data).decode("ascii")
    return lambda value: value


def _message(message: Message) -> Any:
    if message.DESCRIPTOR.file.package == "google.protobuf":  # well-known types have JSON forms of their own
        return json_format.MessageToDict(message, preserving_proto_field_name=True)
    return _object(message)


def _finite(numbers: list[float]) -> list[float]:
    if not all(map(isfinite, numbers)):
        raise ValueError("it holds a number that is not finite")
    return numbers
