"""The OpenAPI document: valid by a library of its own, and about the operations of the table, no more and no less."""

import copy
import json
from pathlib import Path

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from spiral_contract.operations import OPERATIONS
from spiral_sandbox.connectors.refusal import Code

PATH = Path(__file__).parents[2] / "spiral_contract" / "openapi.json"


@pytest.fixture(scope="module")
def document():
    return json.loads(PATH.read_text(encoding="utf-8"))


def operations(document):
    return {
        row["operationId"]: (method.upper(), path, row)
        for path, methods in document["paths"].items() for method, row in methods.items()
    }  # fmt: skip


def test_the_document_is_openapi(document):
    assert document["openapi"].startswith("3.1")
    validate(document, cls=OpenAPIV31SpecValidator)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda document: document.pop("info"),
        lambda document: document["paths"]["/handover"]["post"].update(operationId="upload"),
        lambda document: document["paths"]["/handover"]["post"]["responses"].update({"200": {}}),
        lambda document: document["components"]["schemas"]["Command"].update(type="objekt"),
    ],
)
def test_a_document_that_is_spoilt_is_found_out(document, spoil):
    spoilt = copy.deepcopy(document)
    spoil(spoilt)
    assert list(OpenAPIV31SpecValidator(spoilt).iter_errors())


def references(value):
    if isinstance(value, dict):
        own = [value["$ref"]] if "$ref" in value else []
        return own + [one for item in value.values() for one in references(item)]
    return [one for item in value for one in references(item)] if isinstance(value, list) else []


def test_every_reference_leads_to_something_and_everything_is_referred_to(document):
    """The library does not look into every reference."""
    parts = document["components"]
    kinds = ("schemas", "responses", "parameters")
    there = {f"#/components/{kind}/{name}" for kind in kinds for name in parts[kind]}
    assert there - set(references(document)) == {"#/components/schemas/Event"}  # what the WebSocket's messages hold
    assert set(references(document)) <= there


def test_it_describes_every_operation_of_the_table_at_its_path(document):
    rows = {row.name: (row.rest_method, row.rest_path) for row in OPERATIONS.values() if row.rest_path}
    assert {name: place[:2] for name, place in operations(document).items()} == rows


def test_every_status_it_names_is_one_that_a_server_says(document):
    usual = {code.value: code.name for code in Code}
    for name, (_, _, row) in operations(document).items():
        statuses = {int(status) for status in row["responses"]} - {101}
        assert statuses <= set(usual), name
    for status, response in {"400": "InvalidArgument", "504": "DeadlineExceeded", "413": "ResourceExhausted"}.items():
        assert usual[int(status)] in document["components"]["responses"][response]["description"]


def test_a_form_is_described_where_the_table_has_one(document):
    for name, (_, _, row) in operations(document).items():
        kinds = set(row.get("requestBody", {}).get("content", {}))
        assert kinds == {"multipart": {"multipart/form-data"}, "websocket": set()}.get(
            OPERATIONS[name].form, {"application/json"} if OPERATIONS[name].rest_method == "POST" else set()
        )


def test_the_real_systems_loose_operations_are_those_without_field_numbers_of_its_own():
    assert {row.name for row in OPERATIONS.values() if row.loose} == {"dispatch_command", "memory_query", "handover"}
