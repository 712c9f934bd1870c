"""KILL, EIO and ENOSPC at the file-system calls of a run, of its seal and of its recovery: nothing lies, nothing is lost."""

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from pytest_spiral.evidence.state import classify
from pytest_spiral.run.recover import recover
from pytest_spiral.run.verify import judge_bundle, verify_bundle

FAULTS = {"kill": "signal=KILL", "disk-error": "error=EIO", "disk-full": "error=ENOSPC"}


def points(calls: dict[str, int]) -> list[tuple[str, int]]:
    """Which call of which name: the first and one in FAULTS of those that follow."""
    step = int(os.environ.get("FAULTS", "4"))
    return [(name, number) for name, count in sorted(calls.items()) for number in range(1, count + 1, step)]


def tree(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def found_wrong(root: Path, ended) -> str:
    """What is wrong with what a killed or failed run left; empty where nothing is."""
    folders = sorted(root.iterdir()) if root.is_dir() else []
    if not folders:
        return "everything is gone" if ended.samples else ""
    (dead,) = folders
    state, status = classify(dead), verify_bundle(dead).status("conditional")
    if state == "never-opened":
        return "" if (status, ended.samples) == (3, 0) else f"never opened, and verify says {status}"
    if status != (0 if state == "sealed" else 1):
        return f"{state}, and verify says {status}"
    if ended.sealed and state != "sealed":
        return "the seal had returned and is not there"
    return _found_lost(dead, ended, state)


def _found_lost(dead: Path, ended, state: str) -> str:
    before = tree(dead)
    found = recover(dead)
    if tree(dead) != before:
        return "recovery wrote into the dead folder"
    if found.outcome == "abandoned":
        return "everything is gone" if ended.samples else ""
    kept = found.folder if found.folder is not None else dead
    evidence, judgement = judge_bundle(kept)
    samples = sum(len(one.samples) for one in evidence.measurements)
    if len(evidence.tests) < ended.tests or samples < ended.samples:
        return f"{ended.tests} tests and {ended.samples} samples had returned, {len(evidence.tests)} and {samples} are there"
    checked = verify_bundle(kept)
    if state != "sealed" and (checked.report.outcome, judgement.permission) != ("sound", 0):
        return f"recovered, and verify says {checked.report.outcome}, {judgement.decision}"
    return ""


def test_a_run_that_nothing_disturbs_is_a_go(tracer, ground):
    ended = tracer.run("record", ground / "run")
    assert (ended.status, ended.samples, ended.tests, ended.sealed) == (0, 6, 2, True)
    assert found_wrong(ground / "run", ended) == ""


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_at_any_call_of_a_run_loses_nothing_and_never_lies(tracer, ground, tally, fault):
    tried_at = points(tracer.calls("record", ground / "whole"))
    wrong = []
    for name, number in tried_at:
        root = ground / f"{name}-{number}"
        ended = tracer.run("record", root, "-e", f"inject={name}:{FAULTS[fault]}:when={number}")
        assert fault != "kill" or ended.status == -9
        problem = found_wrong(root, ended)
        if problem:
            wrong.append(f"{name} {number}: {problem}")
        else:
            shutil.rmtree(root, ignore_errors=True)
    tally(len(wrong), len(tried_at), f"{fault} points of a run lost or lied")
    assert tried_at
    assert wrong == []


@pytest.fixture
def killed(tracer, ground) -> Path:
    """A run that was killed in its second test."""
    root = ground / "killed"
    assert tracer.run("record", root, "-e", "inject=write:signal=KILL:when=16").tests == 1
    (dead,) = root.iterdir()
    assert classify(dead) == "incomplete"
    return dead


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_at_any_call_of_a_recovery_can_be_recovered_again(tracer, ground, tally, killed, fault):
    def copied(name: str) -> Path:
        return Path(shutil.copytree(killed, ground / name / killed.name))

    before = tree(killed)
    tried_at = points(tracer.calls("recover", copied("whole")))
    wrong = []
    for name, number in tried_at:
        dead = copied(f"{name}-{number}")
        ended = tracer.run("recover", dead, "-e", f"inject={name}:{FAULTS[fault]}:when={number}")
        assert fault != "kill" or ended.status == -9
        problem = _found_half(dead, before)
        if problem:
            wrong.append(f"{name} {number}: {problem}")
        shutil.rmtree(dead.parent)
    tally(len(wrong), len(tried_at), f"{fault} points of a recovery lost or lied")
    assert tried_at
    assert wrong == []


def _found_half(dead: Path, before: dict[str, str]) -> str:
    sibling = dead.with_name(f"{dead.name}-r1")
    if sibling.exists() and verify_bundle(sibling).report.outcome != "sound":
        return "the sibling has its name and is not sound"
    found = recover(dead)
    if tree(dead) != before:
        return "something was written into the dead folder"
    if found.folder is None or verify_bundle(found.folder).report.outcome != "sound":
        return "the second recovery is not sound"
    if (len(found.evidence.tests), found.judgement.permission) != (1, 0):
        return "the second recovery lost something or permits something"
    return (
        ""
        if sorted(one.name for one in dead.parent.iterdir()) == [dead.name, sibling.name]
        else "something is left over"
    )


def test_a_seal_that_is_believed_too_early_would_be_found(tracer, ground):
    """The control of these tests: what is missing or forged is told."""
    root = ground / "run"
    ended = tracer.run("record", root)
    (folder,) = root.iterdir()
    sample = next((folder / "samples").rglob("*.jsonl"))
    sample.write_bytes(sample.read_bytes()[:-14])
    assert found_wrong(root, ended) == "sealed, and verify says 3"
    (folder / "manifest.json").unlink()
    assert found_wrong(root, ended).startswith("ended, and verify says 3")
