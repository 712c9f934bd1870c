"""Messages become JSON values that REST could have said, and back."""

import json
import math
import struct

import pytest
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    json_format,
    message_factory,
    struct_pb2,
    wrappers_pb2,
)
from grpc_health.v1 import health_pb2
from hypothesis import given
from hypothesis import strategies as st

from pytest_spiral.errors import ExchangeError
from pytest_spiral.model.exchange import Code
from pytest_spiral.transports.messages import decode, encode, message_class
from spiral_contract import connectors_pb2, vector_pb2
from spiral_contract.operations import OPERATIONS

floats = st.floats(width=32, allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
results = st.builds(vector_pb2.SearchResult, text=texts, score=floats, embedding=st.lists(floats, max_size=4))
responses = st.builds(vector_pb2.SearchResponse, results=st.lists(results, max_size=3))
heartbeats = st.builds(
    connectors_pb2.HeartbeatRequest,
    chakra=texts,
    cycle_count=st.none() | st.integers(-(2**63), 2**63 - 1),
    context=texts,
)


def through(message):
    return decode(message.SerializeToString(), type(message))


def by_the_book(message):
    """Protobuf's own JSON mapping, with its texts of 64-bit integers as numbers."""
    said = json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return {key: int(value) if key == "cycle_count" else value for key, value in said.items()}


def rounded(value):
    """Every float as 32 bits hold it."""
    if isinstance(value, float):
        return struct.unpack("f", struct.pack("f", value))[0]
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list) else value


@given(responses | heartbeats)
def test_a_reply_is_what_the_json_mapping_says(message):
    assert rounded(through(message)) == rounded(by_the_book(message))


@given(responses | heartbeats)
def test_a_message_survives_the_way_to_json_and_back(message):
    text = json.dumps(through(message), allow_nan=False)
    assert encode(json.loads(text), type(message)) == message.SerializeToString()


def test_fields_at_their_default_are_written_out():
    assert through(vector_pb2.SearchResult()) == {"text": "", "score": 0.0, "embedding": []}


def test_a_field_with_presence_is_left_out_where_it_is_not_set():
    assert "cycle_count" not in through(connectors_pb2.HeartbeatRequest())
    assert through(connectors_pb2.HeartbeatRequest(cycle_count=0))["cycle_count"] == 0


def test_a_message_in_a_message_is_left_out_where_it_is_not_set():
    assert through(connectors_pb2.HandshakeReply(authenticated=True)) == {
        "authenticated": True,
        "accepted_contexts": [],
    }


def test_integers_of_64_bits_are_numbers():
    assert through(connectors_pb2.HeartbeatReply(cycle_count=2**62))["cycle_count"] == 2**62


def test_a_float_is_the_double_that_equals_its_32_bits():
    assert through(vector_pb2.SearchResult(score=0.1))["score"] == 0.10000000149011612


def test_an_enumeration_is_its_name_or_an_unknown_number():
    assert through(health_pb2.HealthCheckResponse(status=1)) == {"status": "SERVING"}
    assert through(health_pb2.HealthCheckResponse(status=99)) == {"status": 99}


def test_bytes_are_base64():
    assert through(wrappers_pb2.BytesValue(value=b"\xff\xfe")) == {"value": "//4="}


def test_a_well_known_message_has_the_form_that_json_gives_it():
    held = struct_pb2.Struct()
    held.update({"a": [1, "x", None]})
    assert through(held) == {"fields": {"a": [1, "x", None]}}


@pytest.mark.parametrize(("kind", "key", "text"), [(8, True, "true"), (3, -5, "-5"), (9, "k", "k")])
def test_keys_of_a_map_are_texts(kind, key, text):
    file = descriptor_pb2.FileDescriptorProto(name=f"map_{kind}.proto", package=f"map{kind}", syntax="proto3")
    held = file.message_type.add(name="Held")
    held.field.add(name="m", number=1, label=3, type=11, type_name=f".map{kind}.Held.MEntry")
    entry = held.nested_type.add(name="MEntry", options=descriptor_pb2.MessageOptions(map_entry=True))
    entry.field.add(name="key", number=1, label=1, type=kind)
    entry.field.add(name="value", number=2, label=1, type=3)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    message = message_factory.GetMessageClass(pool.FindMessageTypeByName(f"map{kind}.Held"))()
    message.m[key] = 2**60
    assert through(message) == {"m": {text: 2**60}}


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("field", ["score", "embedding"])
def test_a_number_that_json_cannot_say_is_a_malformed_reply(number, field):
    result = vector_pb2.SearchResult(**{field: [number] if field == "embedding" else number})
    with pytest.raises(ExchangeError, match="not finite") as refused:
        through(vector_pb2.SearchResponse(results=[result]))
    assert refused.value.code is Code.MALFORMED_REPLY


def test_bytes_that_are_no_message_are_a_malformed_reply():
    with pytest.raises(ExchangeError, match=r"no neoabzu\.vector\.SearchResponse") as refused:
        decode(b"\xff\xff", vector_pb2.SearchResponse)
    assert refused.value.code is Code.MALFORMED_REPLY


@pytest.mark.parametrize(
    "payload",
    [
        {"text": 5},
        {"txt": "misspelled"},
        {"top_n": -1},
        {"top_n": 1.5},
        {"top_n": 2**32},
        {"text": {"a": 1}},
        {"\ud800": 1},
        {"text": "\ud800"},
    ],
)
def test_a_payload_that_is_no_such_message_is_an_invalid_argument(payload):
    with pytest.raises(ExchangeError) as refused:
        encode(payload, vector_pb2.SearchRequest)
    assert refused.value.code is Code.INVALID_ARGUMENT


def test_a_payload_of_nothing_is_the_empty_message():
    assert encode({}, vector_pb2.SearchRequest) == b""


@pytest.mark.parametrize(
    "name",
    sorted({name for row in OPERATIONS.values() if row.grpc_method for name in (row.request, row.reply)}),
)
def test_every_message_of_the_table_is_known(name):
    assert message_class(name).DESCRIPTOR.full_name == name


def test_a_message_that_nobody_defines_is_noticed():
    with pytest.raises(KeyError):
        message_class("neoabzu.vector.Nothing")
