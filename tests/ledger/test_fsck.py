"""Checking a ledger: each way of changing one is found, by the chain or by a head that was kept."""

import json

import pytest

from pytest_spiral.errors import UntrustedError, UseError
from pytest_spiral.ledger.adopt import adopt
from pytest_spiral.ledger.book import Book
from pytest_spiral.ledger.fsck import fsck
from pytest_spiral.rules.canonical import digest
from pytest_spiral.rules.entries import head_of, parse_head, read_entries, render_head, with_branches


@pytest.fixture
def lines(book, entries):
    book.append(*entries.run(1), *entries.run(2, "fail"), *entries.run(3))
    return list(book.lines())


def rechained(lines):
    """The lines with good sequences and digests, as somebody would write them who knows the format."""
    made, prev = [], f"sha256:{'0' * 64}"
    for seq, line in enumerate(lines):
        whole = {**json.loads(line), "seq": seq, "prev": prev}
        made.append(json.dumps(whole, separators=(",", ":")).encode() + b"\n")
        prev = digest(made[-1])
    return made


def codes(found):
    return sorted({one.code for one in found.findings})


def kept_head(lines, seq):
    return head_of(read_entries(lines[: seq + 1]))


def test_a_whole_ledger_is_whole(lines):
    found = fsck(lines, [kept_head(lines, at) for at in range(len(lines))])
    assert found.findings == ()
    assert found.head == kept_head(lines, 9)
    assert found.kinds == {"collected": 3, "ledger": 1, "opened": 3, "sealed": 3}


def test_every_edit_of_any_line_is_found(lines):
    for at in range(len(lines) - 1):
        word = b"fail" if b"fail" in lines[at] else b"17953398"
        edited = [*lines]
        edited[at] = lines[at].replace(word, b"pass" if word == b"fail" else b"17953397", 1)
        assert edited[at] != lines[at]
        assert codes(fsck(edited)) == ["ledger-chain"], at


def test_every_dropped_line_is_found(lines):
    for at in range(len(lines) - 1):
        wanted = "ledger-start" if at == 0 else "ledger-sequence"
        assert codes(fsck(lines[:at] + lines[at + 1 :])) == [wanted], at


def test_every_swap_of_neighbours_is_found(lines):
    for at in range(len(lines) - 1):
        swapped = [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]]
        assert codes(fsck(swapped)) in (["ledger-sequence"], ["ledger-start"]), at


def test_a_rollback_is_whole_by_itself_and_found_by_any_later_head(lines):
    for length in range(1, len(lines)):
        assert fsck(lines[:length]).findings == ()
        for seq in range(length, len(lines)):
            assert codes(fsck(lines[:length], [kept_head(lines, seq)])) == ["ledger-head"]


def test_a_ledger_written_anew_is_found_by_a_head(lines):
    without = rechained([line for line in lines if b'"fail"' not in line])
    assert fsck(without).findings == ()
    assert codes(fsck(without, [kept_head(lines, 9)])) == ["ledger-head"]
    same_id = [lines[0], *rechained(lines)[1:]]
    assert codes(fsck(rechained(lines), [kept_head(same_id[:1], 0)])) == []


def test_another_ledger_is_found_by_a_head(lines, tmp_path, entries):
    other = Book(tmp_path / "other.jsonl", lambda: 7)
    other.append(*entries.run(1))
    assert codes(fsck(list(other.lines()), [kept_head(lines, 3)])) == ["ledger-other"]


@pytest.mark.parametrize("seq", [1, 2, 3])
def test_an_entry_twice_is_found_even_with_a_good_chain(lines, seq):
    again = json.loads(lines[seq])
    again["wall"] += 1
    doubled = rechained([*lines, json.dumps(again).encode()])
    assert codes(fsck(doubled)) == ["ledger-doubled"]


def test_an_end_without_a_beginning_is_found(lines):
    assert codes(fsck(rechained([lines[0], lines[2]]))) == ["ledger-order"]


def test_an_unknown_kind_is_found(lines):
    assert codes(fsck([*lines[:-1], lines[-1].replace(b'"sealed"', b'"blessed"')])) == ["entry-unknown"]


def test_an_unknown_field_is_found(lines):
    assert codes(fsck([*lines[:-1], lines[-1].replace(b'"nonce"', b'"score":1,"nonce"')])) == ["field-wrong"]


def test_a_cut_last_line_is_found_where_lines_must_be_whole(lines):
    assert codes(fsck([*lines[:-1], lines[-1][:-1]])) == ["ledger-torn"]


def test_an_empty_ledger_is_none():
    assert codes(fsck([])) == ["ledger-start"]


def test_a_clock_that_runs_back_is_told_and_no_fault(book, entries, lines, file):
    back = Book(file, lambda: 5)
    back.append(*entries.run(4))
    found = fsck(back.lines())
    assert (found.findings, found.backward) == ((), 1)


def test_a_head_is_one_line_of_text(lines):
    head = kept_head(lines, 4)
    assert parse_head(render_head(head) + "\n") == head


@pytest.mark.parametrize(
    "text", ["", "spiral-head/1", "spiral-head/2 {id} 4 {id}", "spiral-head/1 {id} -4 {id}", "spiral-head/1 x 4 {id}",
             "spiral-head/1 {id} 4 {id} more", "spiral-head/1 {id} \u0664 {id}"]
)  # fmt: skip
def test_what_is_no_head_is_refused(text):
    with pytest.raises(UntrustedError) as refused:
        parse_head(text.format(id=digest(b"")))
    assert refused.value.code == "ledger-head-form"


# forks


@pytest.fixture
def fork(tmp_path, entries):
    """Two branches of one ledger: (winner, loser)."""
    winner = Book(tmp_path / "winner.jsonl", lambda: 10)
    winner.append(*entries.run(1))
    (tmp_path / "loser.jsonl").write_bytes((tmp_path / "winner.jsonl").read_bytes())
    loser = Book(tmp_path / "loser.jsonl", lambda: 20)
    winner.append(*entries.run(2))
    loser.append(*entries.run(3, "fail"), *entries.run(4))
    return winner, loser


def runs(book):
    return [one.record.run for one in with_branches(read_entries(book.lines())) if one.kind == "opened"]


def test_a_fork_is_found_by_the_head_of_the_other_branch(fork):
    winner, loser = fork
    assert codes(fsck(winner.lines(), [head_of(read_entries(loser.lines()))])) == ["ledger-head"]


def test_adopting_a_branch_makes_both_count_and_heals_its_heads(fork):
    winner, loser = fork
    healed = adopt(winner, loser.lines())
    assert (healed.fork, healed.taken) == (3, 6)
    assert runs(winner) == ["run-1", "run-2", "run-3", "run-4"]
    heads = [head_of(read_entries(list(loser.lines())[: at + 1])) for at in range(10)]
    found = fsck(winner.lines(), heads)
    assert found.findings == ()
    assert found.kinds["sealed"] == 4


def test_adopting_again_changes_nothing(fork, tmp_path):
    winner, loser = fork
    adopt(winner, loser.lines())
    data = (tmp_path / "winner.jsonl").read_bytes()
    adopt(winner, loser.lines())
    assert (tmp_path / "winner.jsonl").read_bytes() == data


def test_adopting_the_other_way_too_counts_the_same_runs(fork):
    winner, loser = fork
    adopt(winner, list(loser.lines()))
    adopt(loser, list(winner.lines()))
    assert set(runs(loser)) == set(runs(winner))
    assert fsck(winner.lines()).findings == ()
    assert fsck(loser.lines()).findings == ()


def test_of_many_findings_alike_five_are_told(lines):
    many = [lines[0], *(lines[2].replace(b'01","inv', b'%02x","inv' % number) for number in range(2, 40))]
    found = fsck(rechained(many)).findings
    assert [one.code for one in found] == ["ledger-order"] * 6
    assert found[-1].sentence == "33 more findings of this kind."


def test_what_is_there_already_is_not_adopted(fork):
    winner, _ = fork
    assert adopt(winner, list(winner.lines())[:3]).taken == 0


def test_a_long_branch_takes_several_entries(fork, entries):
    winner, loser = fork
    loser.append(*[entries.opened(number, run=f"{number}é" * 50) for number in range(10, 200)])
    healed = adopt(winner, loser.lines())
    assert len(healed.entries) > 5
    assert len(runs(winner)) == 194
    assert fsck(winner.lines()).findings == ()


def test_a_branch_of_a_branch_counts(fork, entries, tmp_path):
    winner, loser = fork
    (tmp_path / "third.jsonl").write_bytes(b"".join(list(loser.lines())[:7]))
    third = Book(tmp_path / "third.jsonl", lambda: 30)
    third.append(*entries.run(5))
    adopt(loser, third.lines())
    adopt(winner, loser.lines())
    assert sorted(runs(winner)) == [f"run-{n}" for n in range(1, 6)]
    assert fsck(winner.lines(), [head_of(read_entries(third.lines()))]).findings == ()


def test_two_ledgers_that_were_begun_apart_are_not_joined(fork, tmp_path, entries):
    winner, _ = fork
    other = Book(tmp_path / "other.jsonl", lambda: 10)
    other.append(*entries.run(9))
    with pytest.raises(UseError, match="begun apart"):
        adopt(winner, other.lines())


def test_a_broken_branch_is_not_adopted(fork, tmp_path):
    winner, loser = fork
    before = (tmp_path / "winner.jsonl").read_bytes()
    broken = list(loser.lines())
    with pytest.raises(UntrustedError, match="the other ledger does not hold"):
        adopt(winner, [*broken[:5], *broken[6:]])
    assert (tmp_path / "winner.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.update(fork=2),
        lambda body: body.update(fork=500),
        lambda body: body.update(head=digest(b"x")),
        lambda body: body.update(parts=2),
        lambda body: body.update(part=2),
        lambda body: body.update(text=body["text"].replace('"fail"', '"pass"')),
        lambda body: body.update(text=""),
    ],
)
def test_a_branch_that_was_tampered_with_is_found(fork, change):
    winner, loser = fork
    adopt(winner, loser.lines())
    tampered = [json.loads(line) for line in winner.lines()]
    change(tampered[-1]["body"])
    assert codes(fsck(rechained([json.dumps(line) for line in tampered]))) == ["ledger-adopted"]
