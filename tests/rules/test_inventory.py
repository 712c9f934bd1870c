"""The inventory's bytes: one test a line, one JSON document."""

import json
from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_spiral.errors import UntrustedError
from pytest_spiral.model.evidence import Inventory, InventoryItem
from pytest_spiral.rules.integrity import Limits
from pytest_spiral.rules.inventory import encode_inventory, parse_inventory

texts = st.text(max_size=12)
items = st.builds(
    InventoryItem,
    id=texts,
    criteria=st.lists(texts, max_size=2).map(tuple),
    needs=st.lists(texts, max_size=2).map(tuple),
    selected=st.booleans(),
)
inventories = st.builds(
    Inventory, items=st.lists(items, max_size=4).map(tuple), errors=st.lists(texts, max_size=2).map(tuple)
)
TWO = Inventory(items=(InventoryItem(id="a", criteria=("B1.x",)), InventoryItem(id="b")), errors=("boom",))
WRITTEN = encode_inventory(TWO)


def read(data: bytes, limits: Limits | None = None) -> Inventory:
    parts: Iterable[object] = parse_inventory(iter(data.splitlines(keepends=True)), limits or Limits())
    *found, errors = parts
    return Inventory(items=tuple(found), errors=errors)


def refused(data: bytes, limits: Limits | None = None) -> str | None:
    try:
        read(data, limits)
    except UntrustedError as problem:
        return problem.code
    return None


@given(inventories)
@settings(deadline=None)
def test_an_inventory_reads_back_as_it_was_written(inventory):
    data = encode_inventory(inventory)
    parts = list(parse_inventory(iter(line + b"\n" for line in data[:-1].split(b"\n")), Limits()))
    assert parts == [*inventory.items, inventory.errors]
    assert msgspec.convert(json.loads(data), Inventory) == inventory
    assert data.count(b"\n") == len(inventory.items) + 2


@given(inventories)
@settings(deadline=None)
def test_an_inventory_on_one_line_reads_as_the_same(inventory):
    data = msgspec.json.encode(inventory) + b"\n"
    assert list(parse_inventory(iter([data]), Limits())) == [*inventory.items, inventory.errors]


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (b"", b"", None),
        (b"spiral-inventory/1", b"spiral-inventory/2", "format-unknown"),
        (b'"items":[\n', b'"items":[\n\n', "json-syntax"),
        (b'"selected":true},\n', b'"selected":true}\n', "inventory-form"),
        (b'"selected":true}\n', b'"selected":true},\n', "inventory-form"),
        (b'],"errors":["boom"]}\n', b"", "inventory-form"),
        (b"]}\n", b"]}\n{}\n", "inventory-form"),
        (b'"boom"', b"5", "field-wrong"),
        (b'"errors":["boom"]', b'"errors":["boom"],"errors":[]', "json-duplicate-key"),
        (b'"id":"a"', b'"id":"a","id":"c"', "json-duplicate-key"),
        (b'"id":"a"', b'"ident":"a"', "field-wrong"),
        (b'"id":"a"', rb'"id":"\ud800"', "json-surrogate"),
        (b'{"id":"a"', b' {"id":"a"', None),
        (b'{"id":"a"', b'x{"id":"a"', "json-syntax"),
    ],
)
def test_a_file_is_refused_for_the_right_reason_or_not_at_all(old, new, code):
    assert refused(WRITTEN.replace(old, new, 1)) == code


def test_an_empty_file_is_no_inventory():
    assert refused(b"") == "json-syntax"


def test_another_form_is_held_to_the_limit_for_documents():
    data = msgspec.json.encode(TWO)
    assert refused(data, Limits(json=len(data))) is None
    assert refused(data, Limits(json=len(data) - 1)) == "file-too-large"


def test_half_a_pair_in_a_name_is_written_as_its_escape():
    odd = Inventory(items=(InventoryItem(id="t[\udce9]"),), errors=("\ud800",))
    assert read(encode_inventory(odd)) == Inventory(items=(InventoryItem(id="t[\\udce9]"),), errors=("\\ud800",))
