"""A sound bundle of something else than what was expected."""

import json

import pytest

from pytest_spiral.errors import UseError

CRITERION, TEST = "B1.latency", "suites/test_b1.py::test_search"
COMMIT = "3f9c1a0000000000000000000000000000000001"
OTHER = "sha256:" + "0" * 64

DIFFERENT = {
    "another bar": (f'plan = "{OTHER}"', "expected-plan"),
    "another run": ('run = "20261122T093000Z-stage_b-000000"', "expected-run"),
    "another commit": (f'commit = "{"0" * 40}"', "expected-commit"),
    "a criterion less": (f'criteria = ["{CRITERION}", "B1.recall"]', "expected-criterion"),
    "a criterion more": ('criteria = ["B1.recall"]', "expected-criterion"),
    "a test less": (f'tests = ["{TEST}", "suites/test_b1.py::test_recall"]', "expected-test"),
    "another test": ('tests = ["suites/test_b1.py::test_recall"]', "expected-test"),
    "a test in other letters": (f'tests = ["{TEST.upper()}"]', "expected-test"),
    "nobody who vouches": ('level = "E1"', "expected-level"),
    "less isolation": ('level = "E3"', "expected-level"),
}


@pytest.mark.parametrize("name", DIFFERENT)
@pytest.mark.parametrize("among", ["", "level = 'E0'\n"])
def test_what_was_not_expected_is_found(signed, hold, name, among):
    line, code = DIFFERENT[name]
    among = "" if line.startswith("level") else among
    answer = hold(signed, expect=f"format = 1\n{among}{line}\n")
    assert answer.status == 3
    assert answer.codes == {code}


@pytest.mark.parametrize(
    "git", [{}, {"commit": COMMIT}, {"commit": COMMIT, "dirty": True}, {"commit": None, "dirty": False}]
)
def test_a_commit_with_changes_beside_it_is_not_that_commit(signing, hold, git):
    answer = hold(signing.run(git=git), expect=f'format = 1\ncommit = "{COMMIT}"\n')
    assert answer.status == 3
    assert answer.codes == {"expected-commit"}


@pytest.mark.parametrize(
    "text",
    [
        "", "format = 1\n", "format = 2\nlevel = 'E0'\n", "format = 1\ntests = []\n", "format = 1\ncriteria = []\n",
        "format = 1\nlevel = 'E9'\n", "format = 1\nlevels = 'E1'\n", "format = 1\ncommit = '3f9c1a'\n",
        "format = 1\ntests = ['a', 'a']\n", "format = 1\nplan = 'sha256:*'\n", "format = 1\ncriteria = ['']\n",
        "format = 1\npublished = 2026-11-22T10:00:00\n", "format = true\nlevel = 'E0'\n",
    ],
)  # fmt: skip
def test_an_expectation_that_expects_nothing_or_anything_is_wrong_use(signed, hold, text):
    with pytest.raises(UseError, match=r"Remedy|Known keys"):
        hold(signed, expect=text)


def test_a_lower_bar_that_was_registered_is_another_bar(signing, hold):
    """Sound by itself: only the reviewer's digest of the bar tells."""
    before, after = signing.run(), signing.run(packages={"x": "1"})
    plan = json.loads((before / "bundle.json").read_bytes())["plan"]
    assert hold(after, expect=f'format = 1\nplan = "{plan}"\n').status == 0  # the same bar
    lower = f'format = 1\nplan = "{plan[:-1]}{"0" if plan[-1] != "0" else "1"}"\n'
    assert hold(after, expect=lower).codes == {"expected-plan"}


@pytest.mark.sound
def test_what_was_expected_is_sound(signing, signed, hold):
    plan = json.loads((signed / "bundle.json").read_bytes())["plan"]
    whole = (
        f'format = 1\nplan = "{plan}"\ncommit = "{COMMIT}"\ncriteria = ["{CRITERION}"]\ntests = ["{TEST}"]\n'
        'level = "E1"\n'
    )
    answer = hold(signed, trust=signing.line(signing.job), expect=whole)
    assert (answer.codes, answer.status) == (set(), 0)
