"""`spiral recover` and the ledger: a killed run is told there once, and a seal that was not logged is logged."""

import json
import shutil

import pytest

from pytest_spiral.ledger.book import Book
from pytest_spiral.model.entry import AttemptCollected, AttemptOpened, AttemptRecovered, AttemptSealed
from pytest_spiral.rules.attempts import attempts_of
from pytest_spiral.rules.canonical import digest
from pytest_spiral.rules.entries import read_entries

LEDGER = "--spiral-ledger=reports/ledger.jsonl"


@pytest.fixture(scope="module")
def kept_folders(tmp_path_factory, make_run, keys):
    """Folders of registered runs, killed from inside or sealed; never changed, only copied."""
    folder = tmp_path_factory.mktemp("registered")
    key = f"--spiral-key={keys / 'job.key'}"
    return {
        "killed": make_run(folder / "killed", broken=False, seal=False, options=[LEDGER]),
        "killed-failing": make_run(folder / "killed-failing", broken=True, seal=False, options=[LEDGER]),
        "killed-signing": make_run(folder / "killed-signing", broken=False, seal=False, options=[LEDGER, key]),
        "sealed": make_run(folder / "sealed", broken=False, options=[LEDGER, key]),
    }


@pytest.fixture
def registered(kept_folders, tmp_path):
    """A copy of such a folder's reports where the command runs; gives the run's folder."""

    def copied(name):
        kept = kept_folders[name]
        shutil.copytree(kept.parents[1], tmp_path / "reports")
        return tmp_path / "reports" / "run" / kept.name

    return copied


def book(folder):
    return Book(folder.parents[1] / "ledger.jsonl", lambda: 0)


def entries(folder):
    return list(read_entries(book(folder).lines()))


def kinds(folder):
    return [one.kind for one in entries(folder)]


def cut(folder, keep):
    """The ledger as it was when it had so many entries."""
    path = folder.parents[1] / "ledger.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:keep]))


@pytest.mark.parametrize("name", ["killed", "killed-failing", "killed-signing"])
def test_a_killed_run_is_told_once_and_verifies_with_the_ledger(registered, spiral_command, name):
    dead = registered(name)
    sibling = dead.with_name(f"{dead.name}-r1")
    for _ in range(2):
        said = spiral_command("recover", dead)
        assert (said.status, said.err) == (0, "")
        assert kinds(dead) == ["ledger", "opened", "collected", "recovered"]
    told = entries(dead)[-1].record
    assert told.manifest == digest((sibling / "manifest.json").read_bytes())
    assert told.draft is True
    assert told.runs["S1.failures"] == ("fail" if name == "killed-failing" else "pass",)
    verified = spiral_command("verify", sibling, "--ledger", "reports/ledger.jsonl")
    assert verified.status == 1
    assert "NO-GO" in verified.out
    assert "recovered at 3" in " ".join(verified.out.split())


def test_a_failure_that_was_recovered_stands(registered, spiral_command):
    dead = registered("killed-failing")
    assert spiral_command("recover", dead).status == 0
    (attempt,) = attempts_of(entries(dead))
    assert (attempt.runs("S1.failures"), attempt.runs("S1.latency")) == (("fail",), ("broken",))


def test_another_sibling_than_the_one_that_was_told_is_found(registered, spiral_command):
    dead = registered("killed")
    assert spiral_command("recover", dead).status == 0
    sibling = dead.with_name(f"{dead.name}-r1")
    shutil.rmtree(sibling)
    again = spiral_command("recover", dead)
    assert (again.status, "has it recovered, and" in again.err) == (2, True)
    cut(dead, 3)
    assert spiral_command("recover", dead).status == 0
    cut(dead, 3)
    book(dead).append(AttemptRecovered(nonce=entries(dead)[1].record.nonce, manifest=digest(b"x"), draft=True))
    verified = spiral_command("verify", sibling, "--ledger", "reports/ledger.jsonl")
    assert (verified.status, "ledger-sealed" in verified.out) == (3, True)
    assert spiral_command("recover", dead).status == 3


def test_a_seal_that_was_not_logged_is_logged_and_nothing_else_is_written(registered, spiral_command):
    folder = registered("sealed")
    whole = entries(folder)
    assert kinds(folder) == ["ledger", "opened", "collected", "sealed"]
    cut(folder, 3)
    before = spiral_command("verify", folder, "--ledger", "reports/ledger.jsonl")
    assert "does not have it sealed" in " ".join(before.out.split())
    said = spiral_command("recover", folder)
    assert (said.status, said.out) == (0, f"{folder} is sealed, and its ledger did not have that: it has now.\n")
    assert [one.record for one in entries(folder)] == [one.record for one in whole]
    verified = spiral_command("verify", folder, "--ledger", "reports/ledger.jsonl")
    assert (verified.status, "sealed at 3" in " ".join(verified.out.split())) == (before.status, True)
    assert spiral_command("recover", folder).out == f"{folder} is sealed: there is nothing to recover.\n"
    assert len(entries(folder)) == 4
    assert [one.name for one in folder.parent.iterdir()] == [folder.name]


def test_a_seal_that_does_not_verify_is_not_logged(registered, spiral_command):
    folder = registered("sealed")
    cut(folder, 3)
    sample = next((folder / "samples").rglob("*.jsonl"))
    sample.write_bytes(sample.read_bytes().replace(b"4.5", b"4.4", 1))
    said = spiral_command("recover", folder)
    assert (said.status, "does not verify" in said.err) == (3, True)
    assert len(entries(folder)) == 3


def test_another_seal_than_the_one_in_the_ledger_is_told(registered, spiral_command):
    folder = registered("sealed")
    nonce = entries(folder)[1].record.nonce
    cut(folder, 3)
    book(folder).append(AttemptSealed(nonce=nonce, manifest=digest(b"x")))
    said = spiral_command("recover", folder)
    assert (said.status, said.err.startswith("spiral: ledger-sealed: entry 3")) == (3, True)


def test_a_run_killed_before_its_tests_were_collected_is_told_as_over(registered, spiral_command):
    folder = registered("killed")
    cut(folder, 2)
    said = spiral_command("recover", folder)
    assert (said.status, "was abandoned before its tests were collected" in said.out) == (0, True)
    assert kinds(folder) == ["ledger", "opened", "recovered"]
    assert (entries(folder)[-1].record.manifest, entries(folder)[-1].record.runs) == (None, {})
    assert spiral_command("recover", folder).status == 0
    assert len(entries(folder)) == 3


@pytest.mark.parametrize("name", ["killed", "sealed"])
def test_a_registered_run_needs_its_ledger(registered, spiral_command, name):
    folder = registered(name)
    ledger = folder.parents[1] / "ledger.jsonl"
    ledger.rename(folder.parents[2] / "kept.jsonl")
    said = spiral_command("recover", folder)
    assert (said.status, "Remedy: --ledger WHERE" in said.err) == (2, True)
    other = Book(folder.parents[2] / "other.jsonl", lambda: 0)
    other.append(AttemptCollected(nonce="0", inventory=digest(b"")))
    assert spiral_command("recover", folder, "--ledger", "other.jsonl").status == 3
    assert [one.name for one in folder.parent.iterdir()] == [folder.name]
    assert spiral_command("recover", folder, "--ledger", "kept.jsonl").status == 0


def test_a_ledger_that_registered_another_run_by_this_nonce_is_refused(registered, spiral_command):
    folder = registered("killed")
    opened = entries(folder)[1].record
    cut(folder, 1)
    start = json.loads((folder / "bundle.json").read_bytes())
    assert start["options"]["ledger"] == "reports/ledger.jsonl"
    fields = {name: getattr(opened, name) for name in opened.__struct_fields__}
    book(folder).append(AttemptOpened(**{**fields, "bundle": digest(b"x")}))
    said = spiral_command("recover", folder)
    assert (said.status, said.err.startswith("spiral: ledger-differs")) == (3, True)
