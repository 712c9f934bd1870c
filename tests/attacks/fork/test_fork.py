"""Two branches of one ledger."""

import json

import pytest

from pytest_spiral.errors import UntrustedError, UseError
from pytest_spiral.ledger.adopt import adopt
from pytest_spiral.ledger.book import Book
from pytest_spiral.ledger.fsck import fsck
from pytest_spiral.rules.canonical import digest
from pytest_spiral.rules.entries import NOTHING, head_of, read_entries, with_branches

BEGAN = 1_795_339_900_000_000


def codes(lines, heads=()):
    return {one.code for one in fsck(lines, heads).findings}


@pytest.fixture
def branches(released, tmp_path, entries):
    """(winner, loser): the release runs' ledger up to the first run, led on in two places."""
    made = []
    for name, number in (("winner", 1), ("loser", 2)):
        path = tmp_path / f"{name}.jsonl"
        path.write_bytes(b"".join(released.lines[:4]))
        made.append(Book(path, lambda: BEGAN))
        made[-1].append(*entries.run(number, "fail"))
    return made


def test_the_head_of_one_branch_is_not_in_the_other(branches):
    for one, other in (branches, branches[::-1]):
        assert codes(one.lines(), [head_of(read_entries(other.lines()))]) == {"ledger-head"}


@pytest.mark.parametrize("at", [0, 1])
def test_a_bundle_of_one_branch_is_not_in_the_other(released, branches, hold, tmp_path, at):
    answer = hold(released.copy(tmp_path), kept=released.kept(tmp_path / ("winner.jsonl", "loser.jsonl")[at]))
    assert answer.status == 3
    assert "ledger-head" in answer.codes


TAMPERINGS = {
    "an earlier fork": lambda body: body.update(fork=2),
    "a later fork": lambda body: body.update(fork=4),
    "a fork that never was": lambda body: body.update(fork=500),
    "another head": lambda body: body.update(head=digest(b"x")),
    "a part that is missing": lambda body: body.update(parts=2),
    "a part twice": lambda body: body.update(part=2),
    "a better word": lambda body: body.update(text=body["text"].replace('"fail"', '"pass"')),
    "without its last line": lambda body: body.update(text=body["text"][: body["text"].rstrip().rindex("\n") + 1]),
    "nothing": lambda body: body.update(text=""),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_a_branch_counts_as_it_was_or_not_at_all(branches, name):
    winner, loser = branches
    adopt(winner, loser.lines())
    whole = [json.loads(line) for line in winner.lines()]
    TAMPERINGS[name](whole[-1]["body"])
    prev, lines = NOTHING, []
    for one in whole:
        lines.append(json.dumps({**one, "prev": prev}, separators=(",", ":")).encode() + b"\n")
        prev = digest(lines[-1])
    assert codes(lines) == {"ledger-adopted"}


def test_a_branch_that_does_not_hold_is_not_adopted(branches, tmp_path):
    winner, loser = branches
    before, broken = list(winner.lines()), list(loser.lines())
    with pytest.raises(UntrustedError):
        adopt(winner, [*broken[:5], *broken[6:]])
    assert list(winner.lines()) == before


def test_another_ledger_is_no_branch(branches, tmp_path, entries):
    other = Book(tmp_path / "other.jsonl", lambda: BEGAN)
    other.append(*entries.run(9))
    with pytest.raises(UseError, match="begun apart"):
        adopt(branches[0], other.lines())


def test_a_failure_in_an_adopted_branch_stands(desk, make_bench):
    """The good run is in the winning branch, the failure in the losing one."""
    bench = make_bench().criterion("S1.works", "failures(work) <= 0", samples=3)
    tries = desk(bench.measure("S1.works", "work", bench.hits(3)))
    lost = desk(bench)
    lost.entries = list(tries.entries)
    lost.other("fail")
    tries.adopted(lost).own()
    found = tries.judged("S1.works")
    assert (str(found.verdict), found.reason) == ("fail", "worst-attempt")


@pytest.mark.sound
def test_adopted_both_branches_count_and_every_head_is_found(branches):
    winner, loser = branches
    adopt(winner, loser.lines())
    heads = [head_of(read_entries(list(loser.lines())[: at + 1])) for at in range(7)]
    assert codes(winner.lines(), heads) == set()
    runs = [one.record.run for one in with_branches(read_entries(winner.lines())) if one.kind == "opened"]
    assert runs[1:] == ["run-1", "run-2"]


@pytest.mark.sound
def test_adopted_again_changes_nothing(branches):
    winner, loser = branches
    adopt(winner, loser.lines())
    before = list(winner.lines())
    adopt(winner, loser.lines())
    assert list(winner.lines()) == before
