"""A registered run, killed around the entries that its ledger gets at the end: `spiral recover` says what is owed, once."""

import shutil
from pathlib import Path

import pytest

from pytest_spiral.evidence.state import classify
from pytest_spiral.ledger.book import Book
from pytest_spiral.model.entry import AttemptRecovered, AttemptSealed
from pytest_spiral.rules.entries import read_entries
from pytest_spiral.run import clock
from pytest_spiral.run.grounds import Grounds
from pytest_spiral.run.recover import recover
from pytest_spiral.run.registered import load_kept
from pytest_spiral.run.verify import verify_bundle

CALLS = ("openat", "flock", "write", "fsync")


def ledger_of(root: Path) -> Path:
    return root.with_name(f"{root.name}.ledger")


def ends(root: Path) -> list:
    """The entries that say how the run ended."""
    entries = read_entries(Book(ledger_of(root), lambda: 0).lines())
    return [one.record for one in entries if isinstance(one.record, AttemptRecovered | AttemptSealed)]


def found_wrong(root: Path) -> str:
    """What is wrong after recovering twice what a kill left; empty where nothing is."""
    (dead,) = (one for one in root.iterdir() if not one.name.endswith(("-r1", ".part")))
    sealed = classify(dead) == "sealed"
    for _ in range(2):
        found = recover(dead, Book(ledger_of(root), clock.wall_us))
    told = ends(root)
    if [type(one) for one in told] != [AttemptSealed if sealed else AttemptRecovered]:
        return f"sealed {sealed}, and the ledger has {told}"
    if found.outcome in ("abandoned", "never-opened"):  # no test had begun
        return "samples were left behind" if told[0].manifest or any((dead / "samples").rglob("*.jsonl")) else ""
    checked = verify_bundle(found.folder or dead, Grounds(kept=load_kept(ledger_of(root))))
    step = checked.report.checked(11)
    if (checked.report.outcome, step.state) != ("sound", "held") or "does not have it" in step.note:
        return f"verify says {checked.report.outcome}, {checked.report.findings}, {step.note}"
    return "" if checked.status("conditional") == (0 if sealed else 1) else "the status is another"


def last(calls: dict[str, int], how_many: int) -> list[tuple[str, int]]:
    """The last calls of each name that an append to a ledger makes."""
    return [(name, calls[name] - back) for name in CALLS for back in range(min(how_many, calls[name]))]


def test_a_kill_around_the_last_entry_leaves_a_run_that_is_logged_once(tracer, ground, tally):
    calls = tracer.calls("register", ground / "whole")
    assert found_wrong(ground / "whole") == ""
    wrong, states = [], set()
    tried_at = last(calls, 3)
    for name, number in tried_at:
        root = ground / f"{name}-{number}"
        ended = tracer.run("register", root, "-e", f"inject={name}:signal=KILL:when={number}")
        assert ended.status == -9
        (dead,) = root.iterdir()
        states.add((classify(dead), len(ends(root))))
        wrong += [f"{name} {number}: {problem}" for problem in [found_wrong(root)] if problem]
    tally(len(wrong), len(tried_at), "kills around `sealed` lied or left it out")
    assert ("sealed", 0) in states  # killed between the seal and its entry
    assert wrong == []


def test_a_kill_around_the_entry_of_a_recovery_is_made_good_by_the_next(tracer, ground, tally):
    calls = tracer.calls("register", ground / "whole")
    root = ground / "killed"
    tracer.run("register", root, "-e", f"inject=write:signal=KILL:when={calls['write'] // 2}")
    (dead,) = root.iterdir()
    assert classify(dead) == "incomplete"

    def copied(name: str) -> Path:
        shutil.copytree(root, ground / name)
        shutil.copy(ledger_of(root), ledger_of(ground / name))
        return ground / name / dead.name

    tried_at = last(tracer.calls("catch-up", copied("undisturbed")), 2)
    wrong, owed = [], 0
    for name, number in tried_at:
        where = copied(f"{name}-{number}")
        ended = tracer.run("catch-up", where, "-e", f"inject={name}:signal=KILL:when={number}")
        assert ended.status == -9
        owed += where.with_name(f"{where.name}-r1").exists() and not ends(where.parent)
        wrong += [f"{name} {number}: {problem}" for problem in [found_wrong(where.parent)] if problem]
    tally(len(wrong), len(tried_at), "kills around `recovered` lied or left it out")
    assert owed  # killed between the sibling's name and its entry
    assert wrong == []


def test_a_sibling_that_the_ledger_does_not_know_would_be_found(tracer, ground):
    """The control: a seal of another run in the ledger's place."""
    root = ground / "run"
    tracer.run("register", root)
    path = ledger_of(root)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    nonce = next(read_entries(Book(path, lambda: 0).lines())).record.nonce
    Book(path, lambda: 0).append(AttemptSealed(nonce=nonce, manifest=f"sha256:{'0' * 64}"))
    with pytest.raises(AssertionError):
        assert found_wrong(root) == ""
