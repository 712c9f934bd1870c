"""Judging runs in a row: each of the last ones must pass alone, and nobody chooses which ones are the last."""

import pytest

NOT_RUN, INVALID, FAIL, PASS, OPEN = "not-run", "invalid", "fail", "pass", "inconclusive"


@pytest.fixture
def row(bench):
    """A criterion that wants two clean runs of three pieces of work in a row."""
    return bench.criterion("S1.row", "failures(work) <= 0", samples=3, consecutive=2)


def rehearse(bench, *words, process="main", test="test_it"):
    """Run blocks by what becomes of them."""
    for number, word in enumerate(words, start=1):
        run = f"{process}-{number}"
        outcome = {"abandoned": "abandoned", "open": None}.get(word, "closed")
        bench.run(run, "S1.row", test=test, outcome=outcome)
        if word != "empty":
            taken = {"bad": bench.hits(2, 1), "short": bench.hits(2), "long": bench.hits(4)}.get(word, bench.hits(3))
            bench.measure("S1.row", "work", taken, run=run, test=test)
    return bench


@pytest.mark.parametrize(
    ("words", "verdict", "reason"),
    [
        (["good", "good"], PASS, ""),
        (["bad", "good", "good"], PASS, ""),
        (["good", "good", "bad"], FAIL, "fail"),
        (["good", "bad"], FAIL, "fail"),
        (["bad", "good"], FAIL, "fail"),
        (["good"], OPEN, "row-short"),
        (["good", "short"], OPEN, "run-not-proven"),
        (["good", "abandoned"], OPEN, "row-short"),
        (["good", "abandoned", "good"], OPEN, "row-short"),
        (["abandoned", "good", "good"], PASS, ""),
        (["good", "open"], OPEN, "row-short"),
        (["good", "open", "good"], OPEN, "row-short"),
        (["good", "empty"], OPEN, "row-short"),
        (["good", "long"], OPEN, "row-short"),
        (["long", "good", "good"], PASS, ""),
    ],
)
def test_each_of_the_last_runs_must_pass_alone(row, words, verdict, reason):
    rehearse(row, *words)
    assert row.verdict("S1.row") == (verdict, reason)


def test_a_row_says_how_many_runs_there_were(row):
    rehearse(row, "bad", "good", "abandoned", "good")
    figures = row.figures("S1.row")
    assert figures.sentence == "2 of 4 runs pass, 2 in a row are needed: too few unbroken runs in a row"
    assert figures.where == "4 runs"


def test_three_loops_in_no_block_are_one_run(row):
    row.measure("S1.row", "work", row.hits(3))
    assert row.verdict("S1.row") == (OPEN, "row-short")


def test_what_stands_in_no_block_is_one_more_run_and_may_have_been_the_last(row):
    rehearse(row, "good", "good").measure("S1.row", "work", row.hits(2, 1))
    assert row.verdict("S1.row")[0] == FAIL


def test_a_good_run_outside_of_the_blocks_leaves_the_worst_ones_for_the_last(row):
    rehearse(row, "bad", "good", "good").measure("S1.row", "work", row.hits(3))
    assert row.verdict("S1.row")[0] == FAIL


def test_runs_of_two_processes_have_no_order_so_the_worst_count_as_last(row):
    rehearse(row, "bad", "good", process="gw0", test="test_a")
    rehearse(row, "good", process="gw1", test="test_b")
    assert row.verdict("S1.row")[0] == FAIL


def test_a_broken_run_of_another_process_breaks_the_row(row):
    rehearse(row, "abandoned", "good", process="gw0", test="test_a")
    rehearse(row, "good", process="gw1", test="test_b")
    assert row.verdict("S1.row") == (OPEN, "row-short")


def test_good_runs_of_two_processes_are_a_row(row):
    rehearse(row, "good", process="gw0", test="test_a")
    rehearse(row, "good", process="gw1", test="test_b")
    assert row.verdict("S1.row") == (PASS, "")


def test_a_run_that_nothing_opens_stands_nowhere_in_the_row(row):
    rehearse(row, "good", "good").measure("S1.row", "work", row.hits(3), run="main-9")
    assert row.verdict("S1.row") == (INVALID, "run-unopened")
    assert "main-9" in row.judged("S1.row").sentence


def test_a_run_that_was_closed_and_never_opened_could_have_been_the_last(row):
    rehearse(row, "good", "good", "bad")
    del row.records["runs_opened"][-1], row.records["measurements"][-1]
    assert row.verdict("S1.row") == (INVALID, "run-unopened")


@pytest.mark.parametrize(("first", "second"), [("good", (2, 1)), ("bad", (3, 0))])
def test_the_worst_population_of_a_run_is_the_run(row, first, second):
    rehearse(row, "good", first)
    row.measure("S1.row", "work", row.hits(*second), run="main-2", test="test_b")
    assert row.verdict("S1.row")[0] == FAIL


def test_a_run_that_nothing_opens_is_found_though_no_row_is_asked_for(bench):
    bench.criterion("S1.row", "failures(work) <= 0", samples=3)
    rehearse(bench, "good", "good", "bad")
    del bench.records["runs_opened"][-1], bench.records["measurements"][-1]
    assert bench.verdict("S1.row") == (INVALID, "run-unopened")


def test_a_row_that_chance_gives_is_hunted(bench):
    bench.criterion("S1.row", "rate(work) >= 50 %", samples=1, confidence="0.5", consecutive=2)
    for number in range(1, 5):
        bench.run(f"main-{number}", "S1.row").measure("S1.row", "work", bench.hits(1), run=f"main-{number}")
    assert bench.verdict("S1.row") == (OPEN, "row-hunted")


def test_a_row_without_anything_measured_is_not_delivered(row):
    rehearse(row, "empty", "empty")
    row.ran("test_it", "S1.row")
    assert row.verdict("S1.row") == (NOT_RUN, "not-delivered")


def test_a_row_of_confident_runs_has_the_worst_figures(bench):
    bench.criterion("S1.row", "rate(boot) >= 95 %", samples=208, confidence="0.95", consecutive=3)
    for number, bad in enumerate((0, 5, 1), start=1):
        bench.run(f"main-{number}", "S1.row")
        bench.measure("S1.row", "boot", bench.hits(208 - bad, bad), run=f"main-{number}")
    assert bench.verdict("S1.row") == (PASS, "")


def test_a_run_judged_alone_is_called_by_its_number(bench):
    bench.criterion("S1.row", "failures(work) <= 0", samples=3)
    rehearse(bench, "good", "bad")
    assert [(one.where, one.verdict) for one in bench.judged("S1.row").limits] == [("run 1", PASS), ("run 2", FAIL)]
