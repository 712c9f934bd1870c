"""Parts of one run in the place of another's."""

import json
import shutil

import pytest


@pytest.fixture
def two(play):
    """A run that passed, and one that failed."""
    return play(name="good").folder, play(name="bad", samples=(0, 0, 0)).folder


def test_the_journals_of_another_run_belong_to_another_run(two, verify, seal):
    good, bad = two
    shutil.rmtree(bad / "journal")
    shutil.copytree(good / "journal", bad / "journal")
    seal(bad)
    answer = verify(bad)
    assert answer.refused
    assert {"journal-foreign", "journal-chain"} <= answer.codes & answer.second_codes


def test_a_new_start_does_not_fit_old_journals(two, verify, seal):
    good, bad = two
    shutil.copy(bad / "bundle.json", good / "bundle.json")
    seal(good)
    answer = verify(good)
    assert answer.refused
    assert {"journal-foreign", "journal-chain"} <= answer.codes & answer.second_codes


def test_the_samples_of_another_run_are_not_those_that_were_recorded(two, verify, seal):
    good, bad = two
    (theirs,), (ours,) = ((folder / "samples").rglob("*.jsonl") for folder in (good, bad))
    shutil.copy(theirs, ours)
    seal(bad)
    answer = verify(bad)
    assert answer.refused
    assert answer.codes & {"samples-tiling", "samples-digest"}
    assert answer.second_codes & {"samples-tiling", "samples-digest"}


@pytest.mark.sound
def test_another_name_makes_no_other_run(two, verify, tmp_path):
    good, _ = two
    renamed = shutil.copytree(good, tmp_path / "20991231T000000Z-stage_b-ffffff")
    assert verify(renamed).status == verify(good).status
    assert json.loads((renamed / "summary.json").read_bytes())["run"] == good.name
