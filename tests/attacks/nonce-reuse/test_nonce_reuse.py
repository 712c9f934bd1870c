"""One run that wants to be two."""

import json
import shutil

import pytest

from pytest_spiral.ledger.book import Book
from pytest_spiral.ledger.fsck import fsck
from pytest_spiral.model.entry import AttemptSealed
from pytest_spiral.rules.attempts import attempts_of
from pytest_spiral.rules.canonical import digest
from pytest_spiral.rules.entries import read_entries

BEGAN = 1_795_339_800_000_000


@pytest.fixture
def book(tmp_path, entries):
    made = Book(tmp_path / "ledger.jsonl", lambda: BEGAN)
    made.append(*entries.run(1, "fail"))
    return made


@pytest.mark.parametrize("kind", ["opened", "collected", "sealed"])
def test_a_ledger_tells_each_thing_of_a_run_once(book, entries, kind):
    again = {
        "opened": entries.opened(1, run="again"),
        "collected": entries.collected(1, draft=True),
        "sealed": entries.sealed(1, "pass"),
    }
    book.append(again[kind])
    assert {one.code for one in fsck(book.lines()).findings} == {"ledger-doubled"}


def test_of_two_seals_of_one_run_the_first_counts(book, entries):
    book.append(entries.sealed(1, "pass"))
    (attempt,) = attempts_of(read_entries(book.lines()))
    assert attempt.word("S1.works") == "fail"


def test_a_second_seal_does_not_better_an_earlier_attempt(desk, make_bench):
    bench = make_bench().criterion("S1.works", "failures(work) <= 0", samples=3)
    tries = desk(bench.measure("S1.works", "work", bench.hits(3))).other("fail")
    tries.add(AttemptSealed(nonce="other-1", manifest=digest(b"x"), runs={"S1.works": ("pass",)}))
    found = tries.own().judged("S1.works")
    assert (str(found.verdict), found.reason) == ("fail", "worst-attempt")


def test_a_run_that_is_opened_twice_is_not_registered(desk, make_bench, hold):
    bench = make_bench().criterion("S1.works", "failures(work) <= 0", samples=3)
    tries = desk(bench.measure("S1.works", "work", bench.hits(3)))
    found = tries.own().own().judged("S1.works")
    assert (str(found.verdict), found.reason) == ("invalid", "history-broken")


@pytest.mark.parametrize(("name", "code"), [("gw2", "journal-foreign"), ("gw9", "journal-foreign")])
def test_a_journal_under_a_second_name_is_found(forger, verify, name, code):
    shutil.copy(forger.folder / "journal/gw0.jsonl", forger.folder / f"journal/{name}.jsonl")
    forger.seal()
    answer = verify(forger.folder)
    assert answer.refused
    assert code in answer.codes & answer.second_codes


def test_a_journal_that_names_its_second_process_is_not_listed(forger, verify):
    records = json.loads(json.dumps(forger.records("gw0")))
    records[0][1]["process"] = "gw2"
    forger.rechain("gw2", records)
    forger.end(lambda end: end["workers"].pop("gw2"))
    forger.seal()
    answer = verify(forger.folder)
    assert answer.refused
    assert "journal-unlisted" in answer.codes & answer.second_codes


def test_a_journal_that_is_listed_too_ran_what_has_run_already(forger, verify):
    """Its samples belong to the process that wrote them."""
    records = json.loads(json.dumps(forger.records("gw0")))
    records[0][1]["process"] = "gw2"
    forger.rechain("gw2", records)
    forger.seal()
    answer = verify(forger.folder)
    assert answer.refused
    assert answer.codes & {"samples-foreign", "record-order", "inventory-doubled"}


def test_samples_under_a_second_name_are_named_by_no_record(forger, verify):
    samples = forger.folder / "samples/B1.latency"
    shutil.copy(samples / "gw0-1.jsonl", samples / "gw0-2.jsonl")
    forger.seal()
    answer = verify(forger.folder)
    assert answer.refused
    assert "samples-unlisted" in answer.codes & answer.second_codes


def test_a_record_that_is_there_twice_is_found(forger, verify):
    line = (forger.folder / "journal/gw0.jsonl").read_bytes().splitlines(keepends=True)[1]
    forger.edit("journal/gw0.jsonl", lambda data: data + line)
    forger.seal()
    answer = verify(forger.folder)
    assert answer.refused
    assert "journal-sequence" in answer.codes & answer.second_codes


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("measure-opened", {}),
        ("measure-opened", {"criteria": ["B1.other"]}),
        ("measure-closed", {"count": 8}),
        ("measure-closed", {"raised": "AssertionError"}),
        ("range", {"count": 8}),
    ],
)
def test_a_record_that_is_told_twice_and_otherwise_is_found(forger, verify, kind, change):
    """An exact twin of a range or a close is what an interrupted writer leaves, and counts once."""

    def twice(records):
        at, body = next((at, body) for at, (name, body) in enumerate(records) if name == kind)
        records.insert(at + 1, (kind, {**body, **change}))

    forger.change("gw0", twice)
    answer = verify(forger.folder)
    assert answer.refused
    assert answer.codes & answer.second_codes & {"record-order", "samples-tiling", "samples-count"}


@pytest.mark.sound
def test_each_thing_once_is_whole(book, entries):
    book.append(*entries.run(2), *entries.run(2))  # an entry that is there already is not written again
    assert fsck(book.lines()).findings == ()
    assert [one.word("S1.works") for one in attempts_of(read_entries(book.lines()))] == ["fail", "pass"]
