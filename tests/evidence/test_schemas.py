"""The schemas that ship say what is written, and the manual's samples are what is read."""

import base64
import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from pytest_spiral.rules.chain import parse_line
from pytest_spiral.rules.integrity import Limits
from pytest_spiral.rules.inventory import parse_inventory
from pytest_spiral.rules.sampling import parse_samples

ROOT = Path(__file__).parents[2]
DOCUMENTS = ["plan", "bundle", "inventory", "summary", "manifest"]


def validator(name):
    schema = json.loads((ROOT / "pytest_spiral" / "schemas" / f"spiral-{name}-1.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_schemas_are_those_of_the_types():
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "write_schemas.py", "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_written_document_keeps_to_its_schema_and_a_changed_one_does_not(sealed, name):
    document = json.loads((sealed / f"{name}.json").read_bytes())
    check = validator(name)
    check.validate(document)
    for wrong in ({**document, "score": 1}, {**document, "format": f"spiral-{name}/2"}, {}):
        with pytest.raises(jsonschema.ValidationError):
            check.validate(wrong)


@pytest.mark.parametrize(("file", "name"), [("attestation", "decision"), ("test-result", "result")])
def test_a_signed_statement_keeps_to_its_schema_and_a_changed_one_does_not(signed, file, name):
    envelope = json.loads((signed / f"{file}.dsse.json").read_bytes())
    statement = json.loads(base64.b64decode(envelope["payload"]))
    for check, document in ((validator("envelope"), envelope), (validator(name), statement)):
        check.validate(document)
        for key in document:
            with pytest.raises(jsonschema.ValidationError):
                check.validate({**document, key: 1})
        with pytest.raises(jsonschema.ValidationError):
            check.validate({**document, "score": 1})


def test_every_journal_line_keeps_to_the_schema(sealed):
    check, kinds = validator("journal"), set()
    for path in (sealed / "journal").iterdir():
        for line in map(json.loads, path.read_bytes().splitlines()):
            check.validate(line)
            kinds.add(line["kind"])
            for wrong in ({**line, "kind": "verdict"}, {**line, "n": -1}, {**line, "body": {"outcome": "pass"}}):
                with pytest.raises(jsonschema.ValidationError):
                    check.validate(wrong)
    assert kinds >= {"start", "end", "test", "range", "subject", "fact", "attached", "crash"}


def test_every_sample_keeps_to_the_schema(sealed):
    check = validator("sample")
    for path in (sealed / "samples").rglob("*.jsonl"):
        for line in map(json.loads, path.read_bytes().splitlines()):
            check.validate(line)
            with pytest.raises(jsonschema.ValidationError):
                check.validate({**line, "value": "4.25"})


def test_the_samples_in_the_manual_are_read():
    manual = (ROOT / "docs" / "evidence-format.md").read_text()
    inventory, line, sample = (block.encode() for block in re.findall(r"```json\n(.*?)```", manual, re.DOTALL))
    items = list(parse_inventory(iter(inventory.splitlines(keepends=True)), Limits()))
    assert [item.id for item in items[:-1]] == ["suites/test_b1.py::test_search", "suites/test_b1.py::test_slow"]
    assert parse_line(line)[0].kind == "start"
    assert parse_samples(sample, 0)[0].value == 4.25
