"""Judging how tests ended: nothing is read from a claim, and nothing softens an end."""

import pytest

from pytest_spiral.model import record

NOT_RUN, INVALID, FAIL, PASS = "not-run", "invalid", "fail", "pass"


@pytest.fixture
def gate(bench):
    """One criterion that wants two clean pieces of work."""
    return bench.criterion("S1.works", "failures(work) <= 0", samples=2)


@pytest.fixture
def bound(bench):
    """A criterion that two tests prove by coming to their end."""
    return bench.criterion("S1.works", "all-pass", samples=2)


@pytest.mark.parametrize(
    ("raised", "reason"),
    [
        ("skip", "skipped"),
        ("xfail", "skipped"),
        ("blocked", "blocked"),
        ("lost", "target-lost"),
        ("crash", "crashed"),
        ("exit", "interrupted"),
        ("assertion", "raised-before-measuring"),
        ("error", "raised-before-measuring"),
        ("timeout", "raised-before-measuring"),
    ],
)
def test_a_test_that_ended_before_it_measured_is_no_evidence(gate, raised, reason):
    gate.ran("test_it", "S1.works", raised=raised, why="no\n luck")
    assert gate.verdict("S1.works") == (NOT_RUN, reason)
    assert gate.judged("S1.works").sentence.startswith("test_it ")
    assert gate.judged("S1.works").sentence.endswith("(no luck)")


@pytest.mark.parametrize(
    ("raised", "verdict", "reason"),
    [
        ("assertion", FAIL, "raised-after-measuring"),
        ("error", INVALID, "raised-after-measuring"),
        ("timeout", INVALID, "raised-after-measuring"),
        ("skip", NOT_RUN, "skipped"),
        ("xfail", NOT_RUN, "skipped"),
        ("blocked", NOT_RUN, "blocked"),
        ("lost", NOT_RUN, "target-lost"),
        ("crash", NOT_RUN, "crashed"),
        ("exit", NOT_RUN, "interrupted"),
    ],
)
def test_good_samples_do_not_make_up_for_a_bad_end(gate, raised, verdict, reason):
    gate.ran("test_it", "S1.works", raised=raised).measure("S1.works", "work", gate.hits(2))
    assert gate.verdict("S1.works") == (verdict, reason)


@pytest.mark.parametrize("raised", ["skip", "xfail", "blocked", "lost", "crash", "exit", "error"])
def test_a_bad_end_does_not_soften_a_fail(gate, raised):
    gate.ran("test_it", "S1.works", raised=raised).measure("S1.works", "work", gate.hits(1, 1))
    assert gate.verdict("S1.works")[0] == FAIL


@pytest.mark.parametrize(("first", "verdict"), [("assertion", FAIL), ("error", INVALID), ("skip", NOT_RUN)])
def test_running_it_again_softens_nothing(gate, first, verdict):
    gate.ran("test_it", "S1.works", raised=first).ran("test_it", "S1.works").measure("S1.works", "work", gate.hits(2))
    assert gate.verdict("S1.works")[0] == verdict


def test_a_test_that_came_to_its_end_and_delivered_nothing_is_not_run(gate):
    gate.ran("test_it", "S1.works")
    assert gate.verdict("S1.works") == (NOT_RUN, "not-delivered")


def test_one_test_of_two_does_not_make_up_for_the_other(gate):
    gate.measure("S1.works", "work", gate.hits(2)).ran("test_other", "S1.works")
    assert gate.verdict("S1.works") == (NOT_RUN, "not-delivered")
    assert gate.judged("S1.works").sentence == "test_other came to its end and delivered nothing"


def test_a_test_that_was_never_reached_is_not_run(gate):
    gate.collect("test_it", "S1.works")
    assert gate.verdict("S1.works") == (NOT_RUN, "not-reached")
    gate.measure("S1.works", "work", gate.hits(2), test="test_other")
    assert gate.verdict("S1.works") == (NOT_RUN, "not-reached")


def test_a_worker_that_died_in_a_test_leaves_it_not_run_however_good_its_samples(gate):
    gate.measure("S1.works", "work", gate.hits(2)).crash("test_it")
    assert gate.verdict("S1.works") == (NOT_RUN, "crashed")


def test_a_crash_without_any_record_of_the_test_is_told_as_one(gate):
    gate.collect("test_it", "S1.works").crash("test_it")
    assert gate.verdict("S1.works") == (NOT_RUN, "crashed")
    assert gate.judged("S1.works").sentence == "test_it was running when its process died"


def test_a_criterion_that_no_test_claims_is_not_run(gate):
    assert not gate.judge().criteria  # nothing tells of the gate, so it is not in scope
    gate.collect("test_it", "S1.other").criterion("S1.other", "failures(work) <= 0", samples=2)
    assert gate.verdict("S1.works") == (NOT_RUN, "no-tests")


@pytest.mark.parametrize(("count", "words"), [(1, "its test was deselected"), (2, "its 2 tests were deselected")])
def test_a_criterion_whose_tests_were_deselected_is_not_run(gate, count, words):
    gate.stage = "stage_x"
    gate.scope = type(gate.scope)(stages=("stage_x",))
    for number in range(count):
        gate.collect(f"test_{number}", "S1.works", selected=False)
    assert gate.verdict("S1.works") == (NOT_RUN, "deselected")
    assert gate.judged("S1.works").sentence == words


def test_one_deselected_test_of_two_is_left_out(gate):
    gate.measure("S1.works", "work", gate.hits(2)).collect("test_b", "S1.works", selected=False)
    assert gate.verdict("S1.works") == (PASS, "")


def test_tests_that_could_not_be_collected_keep_everything_from_passing(gate):
    gate.measure("S1.works", "work", gate.hits(2))
    gate.errors = ("tests/test_b.py", "tests/test_c.py", "tests/test_d.py", "tests/test_e.py")
    assert gate.verdict("S1.works") == (NOT_RUN, "collection-error")
    assert gate.judged("S1.works").sentence.endswith("tests/test_b.py, tests/test_c.py, tests/test_d.py")


# what was taken away


def test_a_record_of_a_test_that_was_not_collected_is_invalid(gate):
    gate.measure("S1.works", "work", gate.hits(2))
    gate.add("tests", record.Test(id=gate.node("test_gone"), criteria=("S1.works",)))
    assert gate.verdict("S1.works") == (INVALID, "uncollected")


@pytest.mark.parametrize("kind", ["measurement", "run"])
def test_any_record_tells_of_a_test_that_was_not_collected(gate, kind):
    gate.measure("S1.works", "work", gate.hits(2))
    if kind == "run":
        gate.run("main-1", "S1.works", test="test_gone")
    else:
        gate.measure("S1.works", "work", gate.hits(2), test="test_gone")
        gate.collected = [item for item in gate.collected if "gone" not in item.id]
        gate.records["tests"] = [test for test in gate.records["tests"] if "gone" not in test.id]
    assert gate.verdict("S1.works") == (INVALID, "uncollected")


def test_a_test_that_ran_though_deselected_is_invalid(gate):
    gate.measure("S1.works", "work", gate.hits(2))
    gate.collect("test_b", "S1.works", selected=False).ran("test_b", "S1.works")
    assert gate.verdict("S1.works") == (INVALID, "uncollected")


# measurements left half done


@pytest.mark.parametrize(
    ("said", "words"),
    [({"closed": False}, "it was never closed"), ({"raised": "KeyError"}, "an exception left it (KeyError)")],
)
def test_a_measurement_left_half_done_is_invalid_though_the_test_ended_well(gate, said, words):
    gate.measure("S1.works", "work", gate.hits(2), **said)
    assert gate.verdict("S1.works") == (INVALID, "measurement-broken")
    assert gate.judged("S1.works").sentence == f"work of test_it: {words}"


@pytest.mark.parametrize("raised", ["skip", "crash", "exit"])
def test_a_measurement_left_half_done_is_explained_by_its_tests_end(gate, raised):
    gate.ran("test_it", "S1.works", raised=raised).measure("S1.works", "work", gate.hits(2), closed=False)
    assert gate.judged("S1.works").verdict == NOT_RUN


# bound by outcome


@pytest.mark.parametrize(
    ("ends", "verdict", "reason"),
    [
        (("", ""), PASS, ""),
        (("", "assertion"), FAIL, "fail"),
        (("", "error"), FAIL, "fail"),
        (("", "timeout"), FAIL, "fail"),
        (("", "skip"), NOT_RUN, "skipped"),
        (("", "xfail"), NOT_RUN, "skipped"),
        (("", None), NOT_RUN, "not-reached"),
        (("",), NOT_RUN, "missing-part"),
        (("", "", ""), INVALID, "more-than-planned"),
        (("assertion", "skip"), FAIL, "fail"),
    ],
)
def test_all_declared_tests_must_come_to_their_end(bound, ends, verdict, reason):
    for number, raised in enumerate(ends):
        name = f"test_{number}"
        if raised is None:
            bound.collect(name, "S1.works")
        else:
            bound.ran(name, "S1.works", raised=raised)
    found = bound.verdict("S1.works")
    assert found[0] == verdict
    assert found[1] in {reason, "test-failed"} if verdict == FAIL else found[1] == reason


def test_tests_that_passed_and_failed_are_told_apart(bound):
    bound.ran("test_a", "S1.works").ran("test_b", "S1.works", raised="assertion", why="1 != 2")
    figures = bound.figures("S1.works")
    assert figures.sentence == "1 of 2 tests passed, 1 failed, 0 missing"
    assert (figures.failed, figures.value, figures.bound, figures.samples) == (1, 1, 0, 2)
    assert "test-failed" in bound.judged("S1.works").reason


def test_a_bound_test_that_failed_once_has_failed(bound):
    bound.ran("test_a", "S1.works", raised="assertion").ran("test_a", "S1.works").ran("test_b", "S1.works")
    assert bound.verdict("S1.works")[0] == FAIL


# what ran


@pytest.mark.parametrize(("raised", "ran"), [("", True), ("assertion", True), ("skip", False), ("blocked", False)])
def test_a_bound_criterion_ran_where_one_of_its_tests_came_to_an_end(bound, raised, ran):
    bound.ran("test_a", "S1.works", raised=raised)
    assert bound.judged("S1.works").ran is ran


def test_a_measured_criterion_ran_where_something_was_judged(gate, make_bench):
    gate.measure("S1.works", "work", gate.hits(1, 1))
    assert gate.judged("S1.works").ran
    skipped = make_bench().criterion("S1.works", "failures(work) <= 0", samples=2)
    assert not skipped.ran("test_it", "S1.works", raised="skip").judged("S1.works").ran


# other ways to prove


def test_a_planned_criterion_is_not_run_whatever_there_is(bench):
    bench.criterion("S1.works", "failures(work) <= 0", samples=2, planned=True)
    bench.measure("S1.works", "work", bench.hits(2))
    assert bench.verdict("S1.works") == (NOT_RUN, "planned")
    assert bench.judged("S1.works").sentence == "planned, no tests"


# what was to run next


@pytest.mark.parametrize(("following", "found"), [("test_b", (INVALID, "uncollected")), ("test_it", (PASS, ""))])
def test_a_test_that_was_to_run_next_and_is_not_listed_was_taken_away(gate, following, found):
    gate.ran("test_it", "S1.works", next=gate.node(following)).measure("S1.works", "work", gate.hits(2))
    assert gate.verdict("S1.works") == found


@pytest.mark.parametrize("backwards", [False, True])
def test_a_test_that_was_to_run_next_and_has_run_is_told_by_its_own_record(gate, backwards):
    gate.measure("S1.works", "work", gate.hits(2))
    gate.records["tests"] = [
        record.Test(id=gate.node("test_it"), criteria=("S1.works",), next=gate.node("test_b")),
        record.Test(id=gate.node("test_b"), criteria=("S2.other",)),
    ][:: -1 if backwards else 1]
    assert gate.verdict("S1.works") == (PASS, "")


# run blocks


@pytest.mark.parametrize(
    ("second", "found"), [((2, 0), (PASS, "")), ((1, 1), (FAIL, "fail")), (None, (NOT_RUN, "run-empty"))]
)
def test_what_is_measured_in_one_run_block_is_measured_in_each(gate, second, found):
    gate.run("main-1", "S1.works").run("main-2", "S1.works").measure("S1.works", "work", gate.hits(2), run="main-1")
    if second:
        gate.measure("S1.works", "work", gate.hits(*second), run="main-2")
    assert gate.verdict("S1.works") == found


def test_what_is_measured_in_no_run_block_wants_none(gate):
    gate.run("main-1", "S1.works").measure("S1.works", "work", gate.hits(2))
    assert gate.verdict("S1.works") == (PASS, "")


def test_run_blocks_of_another_test_are_not_this_ones(gate):
    gate.run("main-1", "S1.works").measure("S1.works", "work", gate.hits(2), run="main-1")
    gate.run("main-2", "S1.works", test="test_b").measure("S1.works", "work", gate.hits(2), test="test_b")
    assert gate.verdict("S1.works") == (PASS, "")


@pytest.mark.parametrize(
    ("count", "found"), [(2, (PASS, "")), (3, (INVALID, "samples-order")), (1, (INVALID, "samples-order"))]
)
def test_samples_are_as_many_as_the_closing_record_told_of(gate, count, found):
    gate.measure("S1.works", "work", gate.hits(2), count=count)
    assert gate.verdict("S1.works") == found
