"""Screens of one criterion and of why a gate is not GO."""

import msgspec
import pytest

from pytest_spiral.errors import UseError
from pytest_spiral.model.gate import Plan
from pytest_spiral.model.verdict import Verdict
from pytest_spiral.render.layout import cells, plain
from pytest_spiral.render.show import render_criterion, render_why

WHY_B1 = """\
──────────────────────────────── why B1 on sandbox ─────────────────────────────────
 B1 Memory fabric load proof   NO-GO
   promise    Show that the subsystem holds its promise under load.
   owner      @memory-squad
   criteria   3 pass, 1 fail, 1 invalid, 1 inconclusive, 1 environment-limited, 1
              advisory not-run
   before it  A1 not in this run   A2 not in this run
   target     sandbox, fidelity sandbox, seed 7, no faults

 B1.query-failures   fail
   promise    No query fails.
   limit      failures(retrieval) <= 0   fail   10 of 1,000 failed, limit 0
              margin -10
   test       suites/stage_b/test_B1.query-failures.py::test_it
   text       suites/stage_b/gates.toml:17

 B1.ingestion-audit   invalid
   why        the samples on disk are not those that the journal bound
              [digest-mismatch]
   limit      equal(audit, store)   pass   0 of 10,000 differ, limit 0   margin 0
   test       suites/stage_b/test_B1.ingestion-audit.py::test_it
   text       suites/stage_b/gates.toml:31

 B1.recall   inconclusive
   why        the figure clears the limit and its bound does not [point-only]
   limit      mean(recall) >= 95 %   inconclusive [point-only]
              mean 95.8 %, bound 94.99996 % < 95 %   n=200 of 1000
              margin -0.00004 %   at 95 % confidence
   test       suites/stage_b/test_B1.recall.py::test_it
   text       suites/stage_b/gates.toml:24

 B1.native-bundle   environment-limited
   why        module neoabzu_memory not installed
   requires   module.neoabzu_memory
   probe      probe said no
   owed by    @memory-squad, due C1
   test       suites/stage_b/test_B1.native-bundle.py::test_it
   text       suites/stage_b/gates.toml:52

 B1.scale   advisory not-run
   why        runs only with --spiral-items [deselected]
   test       suites/stage_b/test_B1.scale.py::test_it
   text       suites/stage_b/gates.toml:45

   next       mend what it measures, then run:
              pytest -m stage_b --spiral-evidence --spiral-gates B1
   check it   spiral verify reports/x
"""


def why(run, selector, **changes):
    changes = {"start": run.start, "path": "reports/x", "width": 84, **changes}
    return render_why(run.judgement, run.plan, run.cards, selector, **changes)


def criterion(run, name, **changes):
    changes = {"start": run.start, "path": "reports/x", "width": 84, **changes}
    return render_criterion(run.judgement, run.plan, run.cards, name, **changes)


def headings(lines):
    """Ids of the criteria that a screen speaks of, in its order."""
    return [line.split()[0] for line in plain(lines).splitlines() if line.startswith(" B") and "." in line.split()[0]]


def test_why_a_gate_is_no_go_reads_so(broken_b1):
    assert plain(why(broken_b1, "B1")) == WHY_B1


def test_what_stands_in_the_way_comes_worst_first_and_advisory_last(broken_b1):
    assert headings(why(broken_b1, "B1")) == [
        "B1.query-failures",
        "B1.ingestion-audit",
        "B1.recall",
        "B1.native-bundle",
        "B1.scale",
    ]


def test_a_stage_shows_all_its_gates(broken_b1):
    text = plain(why(broken_b1, "stage_b"))
    assert all(f" {gate} " in text for gate in ("B1", "B2", "B3"))
    assert headings(why(broken_b1, "stage_b"))[0] == "B1.query-failures"


def test_a_debt_shows_its_requirement_its_probe_and_who_owes_it(stage_b):
    text = plain(why(stage_b, "B2"))
    assert "requires   audio.playback" in text
    assert "probe      probe: aplay -l: no soundcards found" in text
    assert "owed by    @audio-lab, due C1" in text


@pytest.mark.parametrize(
    ("gate", "step"),
    [("B2", "on a live target, run:"), ("B3", "where it is met, run:"), ("B1", "where it is met, run:")],
)
def test_the_next_step_is_the_one_that_helps(stage_b, gate, step):
    text = plain(why(stage_b, gate))
    assert f"next       {step}" in text
    assert f"pytest -m stage_b --spiral-evidence --spiral-gates {gate}" in text


def test_a_gate_that_is_go_says_that_nothing_stands_in_the_way(stage_b):
    passed = tuple(msgspec.structs.replace(one, verdict=Verdict.PASS) for one in stage_b.judgement.criteria)
    text = plain(why(stage_b.judged(criteria=passed, debts=()), "B1"))
    assert "Nothing stands in the way." in text
    assert "next" not in text


def test_a_missing_verdict_stands_in_the_way(stage_b):
    kept = tuple(
        msgspec.structs.replace(one, verdict=Verdict.PASS)
        for one in stage_b.judgement.criteria
        if one.id != "B1.recall"
    )
    text = plain(why(stage_b.judged(criteria=kept), "B1"))
    assert "no verdict registered in the bar and missing from the judgement: B1.recall" in text
    assert "Nothing stands in the way." not in text


def test_a_criterion_shows_limits_samples_tests_and_its_text(stage_b):
    files = {"B1.retrieval-latency": ("samples/B1.retrieval-latency/main-0.jsonl",)}
    text = plain(criterion(stage_b, "B1.retrieval-latency", files=files))
    assert "promise    95 % of retrievals on 10,000 items answer within 120 ms." in text
    assert "p95 4.8 ms, bound 5.1 ms <= 120 ms" in text
    assert "50 warm-up samples left out" in text
    assert "samples    reports/x/samples/B1.retrieval-latency/main-0.jsonl" in text
    assert "text       suites/stage_b/gates.toml:10" in text
    assert "to repeat it, run:" in text


def test_a_control_says_what_it_must_find_out(stage_b):
    assert "control    must fail under memory.fail-1-in-100" in plain(criterion(stage_b, "B1.control"))


def test_a_criterion_is_also_a_selector_of_why(stage_b):
    assert why(stage_b, "B1.recall") == criterion(stage_b, "B1.recall")


def test_gates_before_it_are_shown_with_their_decision(stage_b):
    cards = tuple(msgspec.structs.replace(one, entry=("B1", "A9")) for one in stage_b.cards)
    lines = render_why(stage_b.judgement, stage_b.plan, cards, "B2", width=84)
    assert "before it  B1 CONDITIONAL GO   A9 not in this run" in plain(lines)


@pytest.mark.parametrize("selector", ["Z9", "stage_z", "B1.nothing", ""])
def test_an_unknown_selector_is_wrong_use_and_says_what_there_is(stage_b, selector):
    with pytest.raises(UseError, match=r"this bundle (decides no gate|judges no criterion)"):
        why(stage_b, selector)


def test_faults_of_the_target_are_said(stage_b):
    target = msgspec.structs.replace(stage_b.start.target, faults=("boot.dead",))
    assert "started with faults: boot.dead" in plain(why(stage_b.started(target=target), "B1"))


def test_many_tests_are_counted_and_not_all_listed(stage_b):
    run = stage_b.but("B1.recall", tests=tuple(f"t.py::test_{at}" for at in range(9)))
    text = plain(criterion(run, "B1.recall"))
    assert "t.py::test_4" in text
    assert "t.py::test_5" not in text
    assert "and 4 more" in text


@pytest.mark.parametrize("width", [60, 80, 100])
def test_no_line_is_wider_than_the_screen_unless_one_word_is(broken_b1, width):
    wide = [line.text for line in why(broken_b1, "stage_b", width=width) if cells(line.text) > width]
    assert all(max(map(cells, text.split())) > width - 20 for text in wide)


def test_hostile_text_cannot_act(stage_b, hostile):
    debts = tuple(msgspec.structs.replace(one, evidence=hostile, owner=hostile) for one in stage_b.judgement.debts)
    run = stage_b.but("B1.native-bundle", sentence=hostile, tests=(hostile,)).judged(debts=debts, target=hostile)
    text = plain(why(run, "B1"))
    assert not {"\x1b", "\x07", "\u202e", "\r"} & set(text)
    assert not any(line.lstrip().startswith("::") or "##[" in line for line in text.splitlines())


def test_a_bundle_without_a_plan_or_cards_is_shown_all_the_same(stage_b):
    lines = render_why(stage_b.judgement, Plan(gates=()), (), "B1", colour=False)
    assert "B1.native-bundle" in plain(lines)
    assert all(span.style == "" for line in lines for span in line)
