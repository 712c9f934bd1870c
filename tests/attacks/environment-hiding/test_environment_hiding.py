"""Failures that want to be conditions."""

import json

import pytest

NEED = "tool.sox"


def works(bench, state="absent", **fields):
    bench.criterion("S1.it", "failures(x) <= 0", samples=2, **{"requires": NEED, **fields})
    return bench.fact(NEED, True if state == "present" else None, state=state)


def kept_back(bench, *needs, test="test_it"):
    return bench.ran(test, "S1.it", raised="limited", needs=needs)


@pytest.mark.parametrize(
    ("state", "needs", "fields", "found"),
    [
        ("present", (NEED,), {}, ("invalid", "limited-without-need")),
        ("unknown", (NEED,), {}, ("not-run", "requirement-unknown")),
        ("absent", (), {"requires": ""}, ("invalid", "limited-without-need")),
        ("present", ("tool.other",), {}, ("not-run", "requirement-unknown")),
        ("absent", (f"{NEED} >=",), {"requires": f"{NEED} >="}, ("invalid", "requirement-unreadable")),
    ],
)
def test_a_need_counts_where_the_facts_do_not_meet_it(bench, state, needs, fields, found):
    assert kept_back(works(bench, state, **fields), *needs).verdict("S1.it") == found


def test_a_need_of_another_criterion_is_no_excuse(bench):
    works(bench, requires="").criterion("S1.other", "failures(y) <= 0", samples=2, requires=NEED)
    bench.ran("test_it", "S1.it", "S1.other", raised="limited", needs=(NEED,))
    assert bench.verdict("S1.it") == ("not-run", "kept-back")


@pytest.mark.parametrize("good", [0, 1])
def test_a_failure_stays_one_whatever_is_missing(bench, good):
    works(bench).measure("S1.it", "x", bench.hits(good, 2 - good))
    assert bench.verdict("S1.it")[0] == "fail"
    assert bench.decision() == "NO-GO"


@pytest.mark.parametrize("ended", ["skip", "assertion", "error"])
def test_a_test_that_ends_by_itself_is_not_limited(bench, ended):
    works(bench).ran("test_it", "S1.it", raised=ended)
    assert bench.verdict("S1.it")[0] in ("not-run", "fail", "invalid")
    assert bench.decision() in ("NO-GO", "NOT-EVALUABLE")


def test_a_test_that_was_kept_back_excuses_no_other(bench):
    kept_back(works(bench), NEED).ran("test_b", "S1.it", raised="skip")
    assert bench.verdict("S1.it")[0] == "not-run"


@pytest.mark.parametrize("word", ["fail", "invalid"])
def test_hiding_it_after_a_failure_leaves_the_failure(desk, make_bench, word):
    bench = kept_back(works(make_bench()), NEED)
    found = desk(bench).other(word).own().judged("S1.it")
    assert (str(found.verdict), found.reason) == (word, "worst-attempt")


def test_a_fact_that_is_edited_afterwards_breaks_every_chain(forger, verify):
    start = json.loads((forger.folder / "bundle.json").read_bytes())
    start["profile"]["facts"][0].update(state="absent", value=None)
    (forger.folder / "bundle.json").write_text(json.dumps(start, separators=(",", ":")))
    forger.seal()
    answer = verify(forger.folder)
    assert answer.refused
    assert "journal-chain" in answer.codes & answer.second_codes


@pytest.mark.parametrize(
    "last", ["pytest.skip('no sox here')", "import shutil; shutil.which('sox') or pytest.skip('no')"]
)
def test_a_real_test_that_skips_itself_is_not_limited(play, last):
    ran = play(last=last)
    assert (ran.verdict, ran.status) == ("not-run", 1)


def test_a_condition_is_never_a_go(bench):
    kept_back(works(bench), NEED)
    assert bench.verdict("S1.it") == ("environment-limited", "requirement")
    assert bench.decision() == "NOT-EVALUABLE"
    bench.criterion("S1.other", "failures(y) <= 0", samples=2).measure("S1.other", "y", bench.hits(2), test="test_y")
    assert bench.decision() == "CONDITIONAL GO"


@pytest.mark.sound
def test_what_is_there_and_works_passes(bench):
    works(bench, "present").measure("S1.it", "x", bench.hits(2))
    assert bench.verdict("S1.it") == ("pass", "")
