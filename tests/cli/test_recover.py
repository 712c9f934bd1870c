"""`spiral recover`: what it says of a killed run, and its exit statuses."""

import shutil

import pytest


@pytest.fixture
def told(spiral_command, bundle):
    """A run that was ended from inside after its tests, recovered by the command."""
    dead = bundle("unsealed")
    return dead, spiral_command("recover", dead)


def test_a_killed_run_is_sealed_beside_its_folder(told, spiral_command):
    dead, said = told
    sibling = dead.with_name(f"{dead.name}-r1")
    assert said.status == 0
    assert said.out.splitlines() == [
        f"recovered {sibling}",
        "  kept     2 tests, 100 samples",
        "  killed   the run was killed before its end",
        f"  decision NO-GO   check it: spiral verify {sibling}",
    ]
    verified = spiral_command("verify", sibling)
    assert verified.status == 1
    assert "recovered after a kill" in verified.out
    assert spiral_command("verify", dead).status == 1


def test_what_passed_is_shown_and_permits_nothing(told, spiral_command):
    dead, _ = told
    out = spiral_command("show", dead.with_name(f"{dead.name}-r1")).out
    assert "NO-GO" in out
    assert "pass by what was recovered; the run was killed, so it decides nothing [recovered]" in " ".join(out.split())
    assert "recovered  the run was killed before its end" in out


def test_the_newest_bundle_is_the_recovered_one(told, spiral_command):
    dead, _ = told
    assert f"{dead.name}-r1" in spiral_command("show").out


def test_a_second_time_says_so_and_changes_nothing(told, spiral_command):
    dead, _ = told
    said = spiral_command("recover", dead)
    assert said.status == 0
    assert said.out.splitlines()[0].endswith("-r1 (by an earlier recovery)")


def test_a_sealed_run_has_nothing_to_recover(spiral_command, bundle):
    folder = bundle("no-go")
    said = spiral_command("recover", folder)
    assert (said.status, said.out) == (0, f"{folder} is sealed: there is nothing to recover.\n")


def test_a_run_that_never_recorded_anything_says_so(spiral_command, bundle):
    folder = bundle("unsealed")
    shutil.rmtree(folder / "journal")
    said = spiral_command("recover", folder)
    assert (said.status, said.out) == (0, f"{folder} holds no record: there is nothing to recover.\n")


def test_a_run_killed_before_collection_says_so(spiral_command, bundle):
    folder = bundle("unsealed")
    journal = folder / "journal/main.jsonl"
    journal.write_bytes(journal.read_bytes().splitlines(keepends=True)[0])
    (folder / "inventory.json").unlink()
    shutil.rmtree(folder / "samples")
    said = spiral_command("recover", folder)
    assert (said.status, said.out.split(": ")[0]) == (0, f"{folder} was abandoned before its tests were collected")


def test_a_whole_line_that_cannot_be_read_is_not_to_be_trusted(spiral_command, bundle):
    folder = bundle("unsealed")
    with (folder / "journal/main.jsonl").open("ab") as journal:
        journal.write(b"half a rec\n")
    said = spiral_command("recover", folder)
    assert (said.status, said.out) == (3, "")
    assert said.err.startswith("spiral: json-syntax: journal/main.jsonl: not JSON")
    assert [one.name for one in folder.parent.iterdir()] == [folder.name]


def test_a_folder_that_is_no_bundle_is_wrong_use(spiral_command, tmp_path):
    assert spiral_command("recover", tmp_path / "nothing").status == 2
