"""A ledger that has fewer entries than it had."""

import json

import pytest

from pytest_spiral.ledger.fsck import fsck
from pytest_spiral.rules.canonical import digest
from pytest_spiral.rules.entries import NOTHING, head_of, read_entries


def rechained(lines):
    """The lines with good sequences and digests."""
    made, prev = [], NOTHING
    for seq, line in enumerate(lines):
        made.append(json.dumps({**json.loads(line), "seq": seq, "prev": prev}, separators=(",", ":")).encode() + b"\n")
        prev = digest(made[-1])
    return made


def codes(lines, heads):
    return {one.code for one in fsck(lines, heads).findings}


@pytest.mark.parametrize("length", range(1, 10))
def test_any_later_head_finds_a_ledger_cut_back(released, length):
    lines = released.lines
    assert fsck(lines[:length]).findings == ()  # by itself it looks whole
    for seq in range(length, len(lines)):
        assert codes(lines[:length], [head_of(read_entries(lines[: seq + 1]))]) == {"ledger-head"}


@pytest.mark.parametrize("without", ["sealed", "collected", "opened"])
def test_a_ledger_written_anew_without_the_failures_is_found_by_a_head(released, without):
    fewer = rechained([line for line in released.lines[:7] if json.loads(line)["kind"] != without])
    assert codes(fewer, [head_of(read_entries(released.lines))]) & {"ledger-head", "ledger-order"}


@pytest.mark.parametrize("length", [1, 4, 7])
def test_a_bundle_knows_more_than_a_kept_ledger_that_was_cut_back(released, hold, tmp_path, length):
    (tmp_path / "short").write_bytes(b"".join(released.lines[:length]))
    answer = hold(released.copy(tmp_path), kept=released.kept(tmp_path / "short"))
    assert answer.status == 3
    assert "ledger-head" in answer.codes


CUTS = {
    "the end": (lambda lines: lines[:-1], "ledger-unregistered"),
    "all but the first": (lambda lines: lines[:1], "ledger-rewritten"),
    "the failed attempts": (lambda lines: lines[:1] + lines[7:], "ledger-sequence"),
    "the failed attempts, chained anew": (lambda lines: rechained(lines[:1] + lines[7:]), "ledger-rewritten"),
    "the beginning": (lambda lines: lines[1:], "ledger-start"),
    "half a line": (lambda lines: [*lines[:-1], lines[-1][:-9]], "json-syntax"),
    "the last line end": (lambda lines: [*lines[:-1], lines[-1][:-1]], "ledger-torn"),
    "all of it": (lambda _: [], "ledger-start"),
}


@pytest.mark.parametrize("name", CUTS)
def test_a_copy_that_was_cut_back_is_found_though_it_is_sealed_anew(released, hold, seal, tmp_path, name):
    change, code = CUTS[name]
    folder = released.copy(tmp_path)
    lines = (folder / "ledger.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "ledger.jsonl").write_bytes(b"".join(change(lines)))
    seal(folder)
    answer = hold(folder)
    assert answer.status == 3
    assert code in answer.codes


def test_a_run_that_is_registered_in_another_ledger_is_found(released, hold, seal, tmp_path, entries):
    folder = released.copy(tmp_path)
    anew = [json.loads(line) for line in (folder / "ledger.jsonl").read_bytes().splitlines()]
    anew[0]["body"]["nonce"] = "0" * 32
    (folder / "ledger.jsonl").write_bytes(b"".join(rechained([json.dumps(one) for one in anew])))
    seal(folder)
    assert "ledger-other" in hold(folder).codes
    assert hold(folder).status == 3


@pytest.mark.sound
@pytest.mark.parametrize("seq", [0, 4, 9])
def test_a_ledger_that_went_on_has_every_earlier_head(released, seq):
    assert codes(released.lines, [head_of(read_entries(released.lines[: seq + 1]))]) == set()


@pytest.mark.sound
def test_an_older_head_does_not_speak_against_a_bundle(released, hold, tmp_path):
    (tmp_path / "old").write_bytes(b"".join(released.lines))
    answer = hold(released.copy(tmp_path), kept=released.kept(tmp_path / "old"))
    assert (answer.status, answer.codes) == (1, set())
