"""The schema that ships says what a ledger's lines are, and the manual's sample is one."""

import json
import re
from pathlib import Path

import jsonschema
import pytest

from pytest_spiral.model.entry import Adopted, Artefact, KeyRevoked, Noted, Waived
from pytest_spiral.rules.canonical import digest
from pytest_spiral.rules.entries import parse_entry

ROOT = Path(__file__).parents[2]
ANY = digest(b"")


@pytest.fixture
def check():
    schema = json.loads((ROOT / "pytest_spiral" / "schemas" / "spiral-ledger-1.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_every_line_keeps_to_the_schema_and_a_changed_one_does_not(book, entries, check):
    book.append(
        *entries.run(1),
        Artefact(name="a", sha256=ANY, bytes=1),
        KeyRevoked(keyid="SHA256:x", status="compromised", since=3),
        Noted(what="torn", bytes=3),
        Adopted(fork=0, head=ANY, part=1, parts=1, text="x"),
        Waived(criterion="S1.x", subject="s", environment="e", verdict="fail", reason="r", requester="a", approver="b",
               until=5, signature="s"),
    )  # fmt: skip
    lines = [json.loads(line) for line in book.lines()]
    assert len(lines) == 9
    for line in lines:
        check.validate(line)
        for wrong in (
            {**line, "seq": -1},
            {**line, "kind": "verdict"},
            {**line, "more": 1},
            {**line, "prev": "sha256:1"},
        ):
            with pytest.raises(jsonschema.ValidationError):
                check.validate(wrong)


def test_the_sample_in_the_manual_is_a_line(check):
    (sample,) = re.findall(r"```json\n(.*?)```", (ROOT / "docs" / "ledger.md").read_text(), re.DOTALL)
    check.validate(json.loads(sample))
    assert parse_entry(sample.encode()).kind == "collected"


def test_the_manual_lists_every_kind():
    from pytest_spiral.model.entry import ENTRIES

    part = (ROOT / "docs" / "ledger.md").read_text().partition("## A line")[2]
    listed = {
        word for row in part.splitlines() if row.startswith("|") for word in re.findall(r"`(\w+)`", row.split("|")[1])
    }
    assert listed == set(ENTRIES)
