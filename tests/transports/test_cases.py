"""Drawn requests: what is drawn as good is good by the document, what is spoilt is not, and a seed names its cases."""

import base64
import json
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from pytest_spiral.transports.cases import draw_case, drawn_operations
from pytest_spiral.transports.messages import encode, message_class
from pytest_spiral.transports.uploads import Upload
from spiral_contract import operations
from spiral_contract.operations import OPERATIONS

DOCUMENT = json.loads(Path(operations.__file__).with_name("openapi.json").read_text(encoding="utf-8"))
CHANCE = st.randoms(use_true_random=False)
SETTLED = settings(max_examples=150, derandomize=True, database=None)


def drawn(operation, number=300, known=None):
    chance = Random(f"these {operation}")
    return [draw_case(chance, operation, known or {}) for _ in range(number)]


def validator(operation):
    row = OPERATIONS[operation]
    described = DOCUMENT["paths"][row.rest_path][row.rest_method.lower()]
    if "requestBody" in described:
        (content,) = described["requestBody"]["content"].values()
        schema = content["schema"]
    else:
        schema = {
            "properties": {one["name"]: one["schema"] for one in described["parameters"] if one.get("in") == "query"}
        }
    return Draft202012Validator({**schema, "components": DOCUMENT["components"]})


def fields(case):
    """The case as the document describes it: files of a form are their contents."""
    if case.operation != "upload":
        return case.payload
    return {**case.payload, "files": [base64.b64decode(one["content"]).decode() for one in case.payload["files"]]}


# Words that are no instant and no JSON, and names of files: the schema has no rule for them.
IN_WORDS = ("something else", "a name that is a path or worse")


@pytest.mark.parametrize("operation", drawn_operations())
def test_a_case_is_good_by_the_document_unless_it_was_spoilt(operation):
    @SETTLED
    @given(CHANCE)
    def check(chance):
        case = draw_case(chance, operation, {})
        if not case.flaw.endswith(IN_WORDS):
            assert validator(operation).is_valid(fields(case)) == (not case.flaw), case

    check()


@pytest.mark.parametrize("operation", drawn_operations())
def test_both_transports_can_carry_every_case(operation):
    kind = message_class(OPERATIONS[operation].request)
    for case in drawn(operation):
        json.dumps(case.payload, ensure_ascii=False).encode()
        wired = Upload.of(case.payload).messages() if operation == "upload" else [case.payload]
        for one in wired:
            encode(one, kind)  # raises where there is no such message


def test_every_call_with_fields_on_both_transports_is_drawn():
    both = {row.name for row in OPERATIONS.values() if row.grpc_method and row.form != "websocket"}
    assert both - set(drawn_operations()) == {"status", "vector_init"}  # which have no fields


@pytest.mark.parametrize("operation", [name for name in drawn_operations() if name != "health"])
def test_about_half_of_the_cases_are_spoilt_in_many_ways(operation):
    flaws = Counter(case.flaw for case in drawn(operation))
    assert 0.3 < 1 - flaws[""] / 300 < 0.7
    assert len(flaws) > 4


def test_a_seed_names_its_cases_and_another_seed_names_others():
    one, again, other = (
        [draw_case(chance, name, {}) for name in drawn_operations() for _ in range(5)]
        for chance in (Random(7), Random(7), Random(8))
    )
    assert one == again
    assert one != other


def test_what_the_system_knows_is_asked_for_by_the_name_of_its_field():
    known = {"operator": ("somebody",), "agent": ("someone",)}
    good = [case.payload for case in drawn("dispatch_command", known=known) if not case.flaw]
    assert sum(one["operator"] == "somebody" and one["agent"] == "someone" for one in good) > len(good) / 3


def test_an_operation_that_does_not_exist_is_an_error():
    with pytest.raises(KeyError):
        draw_case(Random(1), "nothing", {})
