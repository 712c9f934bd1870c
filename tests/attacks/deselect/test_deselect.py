"""A failing test is left out of the run."""

import json

import pytest

MANY = """\
import pytest

@pytest.mark.criterion("S1.failures")
def test_good(spiral):
    with spiral.measure("search") as m:
        for _ in range(3):
            m.hit()

@pytest.mark.criterion("S1.failures")
def test_bad(spiral):
    with spiral.measure("search") as m:
        for _ in range(3):
            m.miss("no answer")
"""


@pytest.mark.parametrize(
    "arguments",
    [("-k", "good"), ("--deselect", "test_search.py::test_bad"), ("test_search.py::test_good",)],
    ids=["-k", "--deselect", "path"],
)
def test_a_run_without_its_failing_test_decides_nothing(play, verify, arguments):
    ran = play(*arguments, tests=MANY.replace("{", "{{").replace("}", "}}"))
    assert "PARTIAL" in ran.out
    assert ran.summary["decision"] is None
    answer = verify(ran.folder)
    assert (answer.status, answer.second_status, answer.codes) == (1, 1, set())


def test_the_whole_run_fails(play, verify):
    ran = play(tests=MANY.replace("{", "{{").replace("}", "}}"))
    assert (ran.status, ran.verdict) == (1, "fail")
    assert verify(ran.folder).status == 1


@pytest.mark.parametrize("claim", [{"decision": "GO", "permission": 2}, {"partial": False}])
def test_a_decision_claimed_for_it_is_found(play, verify, seal, claim):
    folder = play("-k", "good", tests=MANY.replace("{", "{{").replace("}", "}}")).folder
    summary = json.loads((folder / "summary.json").read_bytes())
    (folder / "summary.json").write_text(json.dumps({**summary, **claim}))
    seal(folder)
    answer = verify(folder)
    assert answer.refused
    assert "summary-mismatch" in answer.codes & answer.second_codes
