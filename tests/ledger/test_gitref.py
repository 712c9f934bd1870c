"""The ledger under a git ref: two clones at once, refusals, and nothing else of the repository touched."""

import subprocess
import sys
import threading

import pytest

from pytest_spiral.errors import EvidenceError, UntrustedError, UseError
from pytest_spiral.ledger.fsck import fsck
from pytest_spiral.ledger.gitref import PER_FILE, GitPlace, parse_place
from pytest_spiral.model.entry import AttemptCollected
from pytest_spiral.rules.canonical import digest
from pytest_spiral.rules.entries import read_entries

WRITER = """\
import sys
from pathlib import Path
from pytest_spiral.ledger.gitref import GitLedger, parse_place
from pytest_spiral.model.entry import AttemptCollected

ledger = GitLedger(Path(sys.argv[1]), parse_place("git:origin:refs/spiral/ledger"), lambda: 1_795_339_800_000_000)
sys.stdin.readline()
for number in range(5):
    ledger.append(AttemptCollected(nonce=f"{sys.argv[2]}-{number}", inventory="sha256:" + "a" * 64))
"""


def read(ledger):
    return list(read_entries(ledger.lines()))


def test_two_clones_that_push_at_once_are_both_in(clones):
    folders = [clones.clone(name) for name in ("one", "two")]
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, folder, folder.name], stdin=subprocess.PIPE, text=True)
        for folder in folders
    ]
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=120)
        assert writer.returncode == 0
    ledger = clones.ledger(folders[0])
    found = read(ledger)
    assert {one.record.nonce for one in found[1:]} == {f"{name}-{n}" for name in ("one", "two") for n in range(5)}
    assert len(found) == 11
    assert fsck(clones.ledger(clones.clone("third")).lines()).head.seq == 10


def test_writers_in_one_clone_are_all_in(clones, entries):
    clone = clones.clone("one")
    place = "git:refs/spiral/ledger"
    threads = [
        threading.Thread(target=lambda n=n: clones.ledger(clone, place).append(entries.opened(n))) for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.record.run for one in read(clones.ledger(clone, place))[1:]) == [f"run-{n}" for n in range(4)]


@pytest.mark.parametrize("place", ["git:refs/spiral/ledger", "git:origin:refs/spiral/ledger"])
def test_work_tree_index_and_branches_stay_as_they_are(clones, entries, run_git, place):
    clone = clones.clone("one")
    hook = clone / ".git" / "hooks" / "pre-push"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\ntouch hook-ran\nexit 1\n")
    hook.chmod(0o755)
    asked = (("status", "--porcelain"), ("diff",), ("diff", "--cached"), ("branch", "-a", "-v"), ("reflog",))
    before = [run_git(clone, *one) for one in asked]
    index = (clone / ".git" / "index").read_bytes()
    clones.ledger(clone, place).append(*entries.run(1))
    assert [run_git(clone, *one) for one in asked] == before
    assert (clone / ".git" / "index").read_bytes() == index
    assert not (clone / "hook-ran").exists()
    assert not (clone / ".git" / "FETCH_HEAD").exists()


def test_appending_a_record_again_changes_nothing(clones, entries, run_git):
    first, second = clones.clone("one"), clones.clone("two")
    before = clones.ledger(first).append(*entries.run(1))
    tip = run_git(clones.remote, "rev-parse", "refs/spiral/ledger")
    assert clones.ledger(second).append(*entries.run(1)) == before
    assert run_git(clones.remote, "rev-parse", "refs/spiral/ledger") == tip


def test_a_long_ledger_lies_in_several_files(clones, run_git):
    clone = clones.clone("one")
    ledger = clones.ledger(clone, "git:refs/spiral/ledger")
    many = [AttemptCollected(nonce=str(number), inventory=digest(b"")) for number in range(2 * PER_FILE)]
    ledger.append(*many[:300])
    ledger.append(*many[300:])
    names = run_git(clone, "ls-tree", "--name-only", "refs/spiral/ledger").split()
    assert names == [f"{number:08}.jsonl" for number in range(3)]
    assert [one.record for one in read(ledger)[1:]] == many


def test_nothing_is_read_where_there_is_no_ref(clones):
    assert list(clones.ledger(clones.clone("one")).lines()) == []
    assert list(clones.ledger(clones.clone("two"), "git:refs/spiral/ledger").lines()) == []


def test_a_remote_that_refuses_is_told_with_its_own_words(clones, entries):
    clone = clones.clone("one")
    hook = clones.remote / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'ledgers are closed' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(EvidenceError, match="ledgers are closed"):
        clones.ledger(clone).append(entries.opened())


def test_a_remote_that_is_not_there_is_an_error(clones, entries):
    clone = clones.clone("one")
    with pytest.raises(EvidenceError, match="git:nowhere:refs/spiral/ledger cannot be used"):
        clones.ledger(clone, "git:nowhere:refs/spiral/ledger").append(entries.opened())


def test_a_folder_without_git_is_an_error(clones, tmp_path, entries):
    (tmp_path / "bare").mkdir()
    with pytest.raises(EvidenceError, match="not a git repository"):
        clones.ledger(tmp_path / "bare", "git:refs/spiral/ledger").append(entries.opened())


def test_a_ref_that_holds_something_else_is_not_written_to(clones, entries, run_git):
    clone = clones.clone("one")
    run_git(clone, "update-ref", "refs/spiral/ledger", "HEAD")
    with pytest.raises(UntrustedError, match="something else"):
        clones.ledger(clone, "git:refs/spiral/ledger").append(entries.opened())


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("git:refs/spiral/ledger", GitPlace("", "refs/spiral/ledger")),
        ("git:origin:refs/spiral/ledger", GitPlace("origin", "refs/spiral/ledger")),
        ("git:git@host:team/x.git:refs/spiral/v1.2", GitPlace("git@host:team/x.git", "refs/spiral/v1.2")),
        ("git:https://host/x.git:refs/spiral/ledger", GitPlace("https://host/x.git", "refs/spiral/ledger")),
    ],
)
def test_places_that_can_be_named(text, place):
    assert parse_place(text) == place


@pytest.mark.parametrize(
    "text",
    ["git:", "git:ledger", "git:refs/heads/main", "git:origin:refs/heads/main", "git:refs/tags/v1", "git::refs/spiral/x",
     "git:refs/remotes/origin/main", "git:--upload-pack=x:refs/spiral/x", "git:refs/spiral/..", "git:refs/spiral/a b",
     "git:refs/spiral/x.lock/../y", "git:refs/", "refs/spiral/ledger"],
)  # fmt: skip
def test_places_that_are_refused(text):
    with pytest.raises(UseError, match="git:refs/spiral/ledger"):
        parse_place(text)
