"""The surface and its OpenAPI document say the same: what is accepted, what is answered, with which status."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from pytest_spiral.model.exchange import Code
from spiral_contract import operations

KINDS = ("rest", "grpc")
DOCUMENT = json.loads(Path(operations.__file__).with_name("openapi.json").read_text(encoding="utf-8"))
ROWS = {row["operationId"]: row for methods in DOCUMENT["paths"].values() for row in methods.values()}


def schema_of(place):
    """A validator for a place in the document that holds a schema."""
    return Draft202012Validator({**place, "components": DOCUMENT["components"]})


def response_schema(operation, status):
    response = ROWS[operation]["responses"][status]
    if "$ref" in response:
        response = DOCUMENT["components"]["responses"][response["$ref"].rpartition("/")[2]]
    return schema_of(response["content"]["application/json"]["schema"])


def request_schema(operation):
    (content,) = ROWS[operation]["requestBody"]["content"].values()
    return schema_of(content["schema"])


CASES = [
    ("dispatch_command", {"operator": "overseer", "agent": "crown", "command": "x"}, {}),
    ("dispatch_command", {}, {}),
    ("dispatch_command", {"operator": "overseer", "agent": "nobody", "command": "x"}, {}),
    ("dispatch_command", {}, {"token": None}),
    ("memory_query", {"query": "crown"}, {}),
    ("memory_query", {"query": "x" * (1 << 20)}, {}),
    ("handover", {"component": "memory"}, {}),
    ("upload", {"operator": "overseer", "metadata": {"a": [1, None]}, "files": [{"name": "a", "content": "eA=="}]}, {}),
    ("upload", {"operator": "auditor"}, {}),
    ("status", {}, {}),
    ("status", {}, {"token": None}),
]


@pytest.mark.parametrize(("operation", "payload", "more"), CASES)
def test_a_reply_is_what_the_document_says(surface, operation, payload, more):
    reply = surface.call("rest", operation, payload, **more)
    response_schema(operation, reply.wire_status).validate(reply.payload)
    assert not response_schema(operation, "200").is_valid({**reply.payload, "more": 1})  # the control


texts = st.one_of(
    st.sampled_from(["overseer", "crown", "razar", "release-ops", "Crown", "", " ", "a b", "x\x00y", "n" * 65]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12).filter(lambda text: not text.endswith("\n")),
)
commands = st.fixed_dictionaries({}, optional=dict.fromkeys(("operator", "agent", "command"), texts))


@pytest.mark.parametrize("kind", KINDS)
@settings(
    max_examples=60, deadline=None, database=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(payload=commands)
def test_a_command_is_acceptable_to_the_server_if_it_is_to_the_document(surface, kind, payload):
    valid = request_schema("dispatch_command").is_valid(payload)
    code = surface.call(kind, "dispatch_command", payload).code
    assert (code is not Code.INVALID_ARGUMENT) == valid


@pytest.mark.parametrize("kind", KINDS)
@settings(
    max_examples=40, deadline=None, database=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(payload=st.fixed_dictionaries({}, optional={"query": texts}))
def test_a_query_is_acceptable_to_the_server_if_it_is_to_the_document(surface, kind, payload):
    valid = request_schema("memory_query").is_valid(payload)
    code = surface.call(kind, "memory_query", payload).code
    assert (code is not Code.INVALID_ARGUMENT) == valid
