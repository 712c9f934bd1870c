"""What a run decides: whole gates, or nothing. `-k`, `--deselect` and paths leave it partial; planned gates wait."""

import pytest

LATENCY = 'latency\nlimit = "max(search) <= 120 ms"\nsamples = 1'
TEST = """
@pytest.mark.criterion("{gate}.{word}")
def test_{word}(spiral):
    with spiral.measure("search", unit="ms") as m:
        m.value({value})
"""


def claiming(word, gate="S1", value=1):
    return TEST.format(word=word, gate=gate, value=value)


@pytest.fixture
def two(lab):
    """A gate of two criteria: `fast` holds, `slow` does not."""
    lab.gates(LATENCY.replace("latency", "fast"), LATENCY.replace("latency", "slow"))
    lab.test(claiming("fast"), "fast/test_fast.py")
    lab.test(claiming("slow", value=121), "slow/test_slow.py")
    return lab


@pytest.mark.parametrize(
    ("options", "status"),
    [
        (["-k", "fast"], 0),
        (["-k", "test_slow"], 1),
        (["--deselect", "slow/test_slow.py::test_slow"], 0),
        (["--deselect", "fast/test_fast.py"], 1),
        (["fast"], 0),
        (["slow"], 1),
        (["fast/test_fast.py::test_fast"], 0),
        (["--ignore=slow"], 0),
        (["--ignore-glob=*slow*"], 0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_narrows_the_tests_and_not_the_scope_decides_nothing(two, options, status):
    ran = two.run(*options)
    assert ran.decision == "none"
    assert "PARTIAL: 1 of 2 criteria, no decision" in ran.out
    assert ran.status == status
    assert ran.verified == 1
    assert ran.judgement.partial
    assert ran.judgement.permission == 0


def test_a_partial_run_is_partial_in_every_way_to_run(two, way):
    ran = two.run("-k", "fast", *way)
    assert ran.decision == "none"
    assert ran.verdicts == {"S1.fast": "pass", "S1.slow": "not-run"}
    assert ran.status == 0
    assert ran.verified == 1


@pytest.mark.parametrize("words", ["S1.slow", "slow and not fast", "S1"])
def test_a_criterion_is_selected_by_its_id(lab, words):
    lab.gates(LATENCY.replace("latency", "fast"), LATENCY.replace("latency", "slow"))
    lab.test(claiming("fast"), "test_one.py")
    lab.test(claiming("slow").replace("test_slow", "test_other"), "test_two.py")
    ran = lab.run("-k", words)
    both = words == "S1"
    assert ran.verdicts == {"S1.fast": "pass" if both else "not-run", "S1.slow": "pass"}
    assert ("deselected: fast" in ran.out) is not both


def test_a_partial_run_in_which_nothing_ran_is_not_fine(two):
    ran = two.run("-k", "no_such_test")
    assert ran.status == 1
    assert ran.verified == 1


@pytest.mark.parametrize("option", ["--lf", "--sw"])
def test_rerunning_failures_only_is_partial(two, option):
    assert two.run().decision == "NO-GO"
    ran = two.run(option)
    assert ran.decision == "none"
    assert "PARTIAL" in ran.out


@pytest.mark.parametrize("paths", [["."], ["fast", "slow", "."], []], ids=" ".join)
def test_paths_that_leave_nothing_out_narrow_nothing(two, paths):
    assert two.run(*paths).decision == "NO-GO"


@pytest.fixture
def suites(lab, toml):
    """Stage x with gates X1 and X2, stage y planned, gate S1 outside of stages; the tests of each beside its file."""
    for stage, head, names in (("x", 'no_control = "a test of the tool"', "X1 X2"), ("y", "planned = true", "Y1 Y2")):
        gates = "".join(toml(name, head, [LATENCY]) for name in names.split())
        lab.write(f"suites/stage_{stage}/gates.toml", "format = 1\n" + gates)
    lab.test(claiming("latency", "X1"), "suites/stage_x/test_x1.py")
    lab.test(claiming("latency", "X2", 121), "suites/stage_x/test_x2.py")
    lab.gates(LATENCY)
    lab.test(claiming("latency"), "suites/test_s1.py")
    return lab


def test_a_stage_is_decided_by_its_name(suites, way):
    ran = suites.run("--strict-markers", "-m", "stage_x", *way)
    assert ran.verdicts == {"X1.latency": "pass", "X2.latency": "fail"}
    assert {gate.id: str(gate.decision) for gate in ran.judgement.gates} == {"X1": "GO", "X2": "NO-GO"}
    assert [(stage.id, str(stage.decision), stage.weakest) for stage in ran.judgement.stages] == [
        ("stage_x", "NO-GO", "X2.latency")
    ]
    assert ran.bundle.parent.name == "stage_x"
    assert ran.status == 1


def test_planned_gates_are_no_go_and_say_that_there_are_no_tests(suites, way):
    ran = suites.run("--strict-markers", "-m", "stage_y", *way)
    assert ran.status == 1
    assert ran.verified == 1
    assert ran.decision == "NO-GO"
    assert ran.verdicts == {"Y1.latency": "not-run", "Y2.latency": "not-run"}
    assert ran.out.count("planned, no tests") == 2


def test_gates_narrow_scope_and_tests_and_still_decide(suites):
    ran = suites.run("-m", "stage_x", "--spiral-gates=X1")
    assert ran.verdicts == {"X1.latency": "pass"}
    assert ran.decision == "GO"
    assert ran.status == 0
    assert ran.outcomes == {"passed": 1, "deselected": 2}


def test_gates_alone_narrow_too(suites):
    ran = suites.run("--spiral-gates=X1,S1")
    assert set(ran.verdicts) == {"X1.latency", "S1.latency"}
    assert ran.decision == "GO"


def test_plain_pytest_is_narrowed_by_gates_too(suites):
    assert suites.run("--spiral-gates=X1", evidence=False).outcomes == {"passed": 1, "deselected": 2}


@pytest.mark.parametrize(
    ("expression", "criteria", "stages"),
    [
        ("stage_x or stage_y", {"X1.latency", "X2.latency", "Y1.latency", "Y2.latency"}, ("stage_x", "stage_y")),
        ("stage_x and not X2", {"X1.latency", "X2.latency"}, ("stage_x",)),
        ("X1", {"X1.latency"}, ()),
        ("X1 or X2", {"X1.latency", "X2.latency"}, ()),
        ("not stage_x", {"S1.latency"}, ()),
        ("", {"S1.latency", "X1.latency", "X2.latency"}, ()),
    ],
)
def test_the_scope_is_the_stages_named_else_the_gates_of_the_selected_tests(suites, expression, criteria, stages):
    ran = suites.run(*(["-m", expression] if expression else []))
    assert set(ran.verdicts) == criteria
    assert ran.evidence.bundle.scope.stages == stages


def test_a_marker_that_leaves_a_test_out_leaves_its_criterion_not_run(suites):
    ran = suites.run("-m", "stage_x and not X2")
    assert ran.criterion("X2.latency").reason == "deselected"
    assert ran.decision == "NO-GO"


def test_every_test_of_a_stage_carries_its_gate_and_stage_marks(suites):
    suites.write(
        "conftest.py",
        """
def pytest_collection_finish(session):
    for item in session.items:
        print("MARKS", item.name, *sorted({mark.name for mark in item.iter_markers()}))
""",
    )
    ran = suites.run("-s", "-m", "X1", evidence=False)
    assert "MARKS test_latency X1 criterion gate stage_x" in ran.out


def test_a_path_inside_a_named_stage_is_partial(suites):
    ran = suites.run("-m", "stage_x", "suites/stage_x/test_x1.py")
    assert ran.decision == "none"
    assert ran.status == 0


def test_a_stage_whose_tests_are_not_collected_is_no_go(suites):
    (suites.path / "suites/stage_x/test_x1.py").unlink()
    ran = suites.run("-m", "stage_x")
    assert ran.criterion("X1.latency").reason == "no-tests"
    assert ran.decision == "NO-GO"


# bound tests

BOUND = 'regression\nlimit = "all-pass"\nsamples = 3\ntests = ["old/regression"]'


@pytest.mark.parametrize(
    ("third", "verdict", "reason"),
    [
        ("assert True", "pass", ""),
        ("assert False", "fail", "test-failed"),
        ("1 / 0", "fail", "test-failed"),
        ("pytest.skip('no time')", "not-run", "skipped"),
        ("pytest.xfail('known')", "not-run", "skipped"),
        (None, "not-run", "missing-part"),
        ("pass\n\ndef test_fourth(): pass", "invalid", "more-than-planned"),
    ],
)
def test_tests_that_exist_already_are_bound_by_path(lab, way, third, verdict, reason):
    lab.gates(BOUND)
    lab.test("def test_first(): pass\n", "old/regression/test_first.py")
    rest = f"def test_third(): {third}\n" if third else ""
    lab.test(f"class TestIt:\n    def test_second(self): pass\n\n{rest}", "old/regression/deep/test_rest.py")
    lab.test("def test_unbound(): pass\n", "old/test_unbound.py")
    ran = lab.run(*way)
    found = ran.criterion("S1.regression")
    assert str(found.verdict) == verdict
    assert found.reason == reason or verdict in ("inconclusive", "invalid")
    assert ran.status == (0 if verdict == "pass" else 1)
    assert "old/test_unbound.py::test_unbound" not in found.tests


@pytest.mark.parametrize(
    ("binding", "count"),
    [
        ("old/test_a.py", 3),
        ("old/test_a.py::test_one", 2),
        ("old/test_a.py::test_one[1]", 1),
        ("old/", 3),
        ("old/test_a", 0),
        ("ol", 0),
    ],
)
def test_a_binding_is_a_folder_a_file_or_a_test(lab, binding, count):
    lab.gates(f'bound\nlimit = "all-pass"\nsamples = {count or 1}\ntests = ["{binding}"]')
    lab.test(
        "@pytest.mark.parametrize('n', [1, 2])\ndef test_one(n): pass\ndef test_one_more(): pass\n", "old/test_a.py"
    )
    ran = lab.run("--spiral-gates=S1")
    assert len(ran.criterion("S1.bound").tests) == count
    assert ran.verdicts == {"S1.bound": "pass" if count else "not-run"}
