"""The shape of an operation's reply, as the contract types it: what `rules.parity` needs to know of protobuf."""

from functools import cache
from typing import cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from pytest_spiral.model.parity import Field, FieldKind
from pytest_spiral.transports.messages import message_class
from spiral_contract.operations import OPERATIONS

_F = FieldDescriptor
_KINDS: dict[int, FieldKind] = {
    _F.TYPE_STRING: "text",
    _F.TYPE_BOOL: "flag",
    _F.TYPE_INT32: "integer",
    _F.TYPE_UINT32: "integer",
    _F.TYPE_SINT32: "integer",
    _F.TYPE_FIXED32: "integer",
    _F.TYPE_SFIXED32: "integer",
    _F.TYPE_INT64: "long",
    _F.TYPE_UINT64: "long",
    _F.TYPE_SINT64: "long",
    _F.TYPE_FIXED64: "long",
    _F.TYPE_SFIXED64: "long",
    _F.TYPE_FLOAT: "float",
    _F.TYPE_DOUBLE: "double",
    _F.TYPE_BYTES: "bytes",
    _F.TYPE_ENUM: "enum",
}
_WELL_KNOWN: dict[str, FieldKind] = {
    "google.protobuf.Timestamp": "timestamp",
    "google.protobuf.Duration": "duration",
    "google.protobuf.Struct": "struct",
    "google.protobuf.Value": "struct",
    "google.protobuf.ListValue": "struct",
}


@cache
def shape_of(operation: str) -> dict[str, Field]:
    """Field name → how it travels, of the reply; empty for an operation that gRPC does not type."""
    row = OPERATIONS.get(operation)
    if row is None or not row.reply:
        return {}
    return message_shape(cast("Descriptor", message_class(row.reply).DESCRIPTOR))


def message_shape(message: Descriptor, around: tuple[str, ...] = ()) -> dict[str, Field]:
    """The same of any message; where a message holds itself, the inner one is not typed."""
    return {field.name: _field(field, (*around, message.full_name)) for field in message.fields}


def _field(field: FieldDescriptor, around: tuple[str, ...]) -> Field:
    kind = field.message_type
    if kind is not None and kind.GetOptions().map_entry:
        inner = _single(kind.fields_by_name["value"], around)
        return Field(kind=inner.kind, fields=inner.fields, names=inner.names, map=True)
    single = _single(field, around)
    if field.is_repeated:
        return Field(kind=single.kind, fields=single.fields, names=single.names, repeated=True)
    return single


def _single(field: FieldDescriptor, around: tuple[str, ...]) -> Field:
    present = bool(field.has_presence)
    if field.enum_type is not None:
        values = field.enum_type.values_by_number
        return Field(kind="enum", present=present, names={str(number): one.name for number, one in values.items()})
    if field.message_type is None:
        return Field(kind=_KINDS[field.type], present=present)
    message = field.message_type
    if message.file.package == "google.protobuf":
        return Field(kind=_WELL_KNOWN.get(message.full_name, "any"), present=present)
    if message.full_name in around:
        return Field(kind="any", present=present)
    return Field(kind="message", present=present, fields=message_shape(message, around))
