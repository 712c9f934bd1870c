"""The summary of a run on a terminal: its exact layout, everything in it, nothing that acts on its own."""

import msgspec
import pytest

from pytest_spiral.model.gate import Plan
from pytest_spiral.model.judgement import StageDecision
from pytest_spiral.model.verdict import Verdict
from pytest_spiral.render.layout import cells, plain
from pytest_spiral.render.terminal import render_summary

AT_100 = """\
──────────────────────────────────── spiral: stage B on sandbox ────────────────────────────────────
 B1 Memory fabric load proof        CONDITIONAL GO
    6 pass, 1 environment-limited, 1 advisory not-run
      retrieval-latency   pass   p95 4.8 ms, bound 5.1 ms <= 120 ms   n=1000   margin 114.9 ms
                          response time (open loop)
      query-failures      pass   0 of 1,000 failed, limit 0   margin 0
      recall              pass   mean 99.6 %, bound 98.1 % >= 95 %   n=1000   margin 3.1 %
      ingestion-audit     pass   0 of 10,000 differ, limit 0   margin 0
      sharding            pass   0 of 200 differ, limit 0   margin 0   1 more limit holds
      scale               advisory not-run: runs only with --spiral-items [deselected]
      native-bundle       environment-limited: module neoabzu_memory not installed; requires
                          module.neoabzu_memory
      control             pass   under memory.fail-1-in-100: 10 of 1,000 failed, limit 0
                          margin -10
 B2 Sonic core rehearsal lock       CONDITIONAL GO
    4 pass, 2 need live, 1 hardware-required (audio.playback), 1 advisory pass
      dropouts            pass on sandbox, needs live   worst of 2 runs: count 0 <= 0   margin 0
                          0 in 20 s shows at most 539 an hour
      end-to-end          pass on sandbox, needs live
      av-sync             pass   max 11.6 ms <= 45 ms   n=240   margin 33.4 ms   marginal
      loudness            advisory pass
      presets             pass
      components          pass
      control             pass
      hardware-audio      hardware-required: no playback device was found; requires audio.playback
 B3 Connector credential rotation   CONDITIONAL GO
    4 pass, 1 environment-limited (48 h on a virtual clock)
      smoke               pass
      rotation            pass   0 of 640 failed, limit 0   margin 0
      windows             pass
      elapsed             environment-limited: 48 h on a virtual clock; requires clock.trusted
      control             pass
 stage B on sandbox                 CONDITIONAL GO
    5 debts, nearest due C1; weakest link B1.native-bundle
 target    sandbox, fidelity sandbox, seed 7, no faults
 evidence  reports/stage_b/20261122T093000Z-stage_b-3f9c1a   sealed, E0: hashes only
 standing  draft, enters no packet   signed: none   log: none
 check it  spiral verify reports/stage_b/20261122T093000Z-stage_b-3f9c1a
"""

BROKEN_B1_AT_80 = """\
 B1 Memory fabric load proof        NO-GO
    3 pass, 1 fail, 1 invalid, 1 inconclusive, 1 environment-limited, 1 advisory
    not-run
      retrieval-latency   pass   p95 4.8 ms, bound 5.1 ms <= 120 ms   n=1000
                          margin 114.9 ms   response time (open loop)
      query-failures      fail   10 of 1,000 failed, limit 0   margin -10
      recall              inconclusive   mean 95.8 %, bound 94.99996 % < 95 %
                          n=200 of 1000   margin -0.00004 %
                          the figure clears the limit and its bound does not
                          [point-only]
      ingestion-audit     invalid: the samples on disk are not those that the
                          journal bound [digest-mismatch]
      sharding            pass   0 of 200 differ, limit 0   margin 0
                          1 more limit holds
      scale               advisory not-run: runs only with --spiral-items
                          [deselected]
      native-bundle       environment-limited: module neoabzu_memory not
                          installed; requires module.neoabzu_memory
      control             pass   under memory.fail-1-in-100: 10 of 1,000 failed,
                          limit 0   margin -10
"""


@pytest.fixture
def show(path, sealed):
    def shown(run, width=100, colour=False):
        return render_summary(run.judgement, run.plan, run.cards, run.start, path, sealed, width, colour)

    return shown


def test_a_conditional_stage_at_100_columns_reads_so(show, stage_b):
    assert plain(show(stage_b)) == AT_100


def test_a_broken_gate_at_80_columns_reads_so(show, broken_b1):
    text = plain(show(broken_b1, 80))
    assert text[text.index(" B1 ") : text.index(" B2 ")] == BROKEN_B1_AT_80


def test_a_wide_terminal_has_decision_and_counts_in_one_line(show, stage_b):
    wide = plain(show(stage_b, 140)).splitlines()
    assert wide[1] == (
        " B1 Memory fabric load proof        CONDITIONAL GO   6 pass, 1 environment-limited, 1 advisory not-run"
    )


@pytest.mark.parametrize("width", [60, 80, 100, 120, 140])
def test_no_line_is_wider_than_the_terminal_unless_one_word_is(show, broken_b1, width):
    wide = [line.text for line in show(broken_b1, width) if cells(line.text) > width]
    assert all(max(map(cells, text.split())) > width - 30 for text in wide)


@pytest.mark.parametrize("width", [80, 100, 140])
def test_the_longest_sentences_stay_inside(show, stage_b, width):
    run = stage_b.but("B1.native-bundle", sentence="a reason that goes on and on " * 20)
    assert [line.text for line in show(run, width) if cells(line.text) > width] == []


def test_every_criterion_is_listed_once(show, broken_b1):
    lines = plain(show(broken_b1)).splitlines()
    named = [line.split()[0] for line in lines if line.startswith("      ") and line[6] != " "]
    assert named == [one.id.partition(".")[2] for one in broken_b1.judgement.criteria]


def test_a_criterion_that_drops_out_of_the_judgement_is_missed(show, stage_b):
    kept = tuple(one for one in stage_b.judgement.criteria if one.id != "B1.recall")
    text = plain(show(stage_b.judged(criteria=kept)))
    assert "recall              no verdict: registered in the bar and missing from the judgement" in text
    assert "no verdict" not in plain(show(stage_b))


def test_gates_of_the_bar_that_are_out_of_scope_are_not_missed(show, stage_b):
    run = stage_b.judged(
        gates=stage_b.judgement.gates[:1],
        criteria=tuple(one for one in stage_b.judgement.criteria if one.gate == "B1"),
    )
    assert " B2 " not in plain(show(run))


def test_every_condition_has_its_reason(show, broken_b1):
    text = " ".join(plain(show(broken_b1)).split())
    for verdict in broken_b1.judgement.criteria:
        if verdict.verdict in {Verdict.INVALID, Verdict.NOT_RUN} or verdict.requirement:
            assert verdict.sentence in text


def test_a_partial_run_decides_nothing(show, stage_b):
    criteria = tuple(msgspec.structs.replace(one, ran=one.id.endswith("recall")) for one in stage_b.judgement.criteria)
    gates = tuple(msgspec.structs.replace(one, decision=None) for one in stage_b.judgement.gates)
    stages = (StageDecision(id="stage_b", decision=None),)
    run = stage_b.judged(partial=True, decision=None, permission=0, criteria=criteria, gates=gates, stages=stages)
    text = plain(show(run))
    assert " stage B on sandbox                 PARTIAL: 1 of 21 criteria, no decision\n" in text
    assert "standing  draft, partial, enters no packet" in text
    assert "GO" not in text


def test_faults_of_the_target_are_said_and_stand_out(show, stage_b):
    target = msgspec.structs.replace(stage_b.start.target, faults=("memory.fail-1-in-100",))
    lines = show(stage_b.started(target=target), colour=True)
    (line,) = [line for line in lines if line.text.startswith(" target")]
    assert line.text == " target    sandbox, fidelity sandbox, seed 7, started with faults: memory.fail-1-in-100"
    assert line.spans[-1].style == "red bold"


def test_a_what_if_judgement_says_so_first(show, stage_b):
    lines = plain(show(stage_b.judged(watermark="limits of other.toml"))).splitlines()
    assert lines[1] == " WHAT-IF: limits of other.toml"
    assert "what-if, can never be signed" in lines[-2]


def test_a_gate_without_a_control_and_one_that_is_capped_say_why(show, stage_b):
    capped = tuple(msgspec.structs.replace(one, capped=("simple-acceptance",)) for one in stage_b.judgement.gates)
    cards = tuple(msgspec.structs.replace(one, no_control="first steps") for one in stage_b.cards)
    run = stage_b.judged(gates=capped)
    text = plain(show(type(run)(run.judgement, run.plan, cards, run.start)))
    assert "    capped at CONDITIONAL GO: simple-acceptance\n    no control: first steps\n" in text


def test_gates_without_a_stage_get_a_line_for_all_of_them(show, stage_b):
    text = plain(show(stage_b.judged(stages=())))
    assert text.splitlines()[0].strip("─") == " spiral: B1, B2, B3 on sandbox "
    assert " all gates on sandbox               CONDITIONAL GO\n    5 debts, nearest due C1\n" in text


def test_one_gate_without_a_stage_is_named(show, stage_b):
    text = plain(show(stage_b.judged(stages=(), gates=stage_b.judgement.gates[:1])))
    assert " gate B1 on sandbox" in text
    assert "all gates" not in text


def test_a_run_without_a_gate_says_how_to_get_one(show, stage_b):
    text = plain(show(stage_b.judged(stages=(), gates=(), criteria=())))
    assert "no gate in scope: no selected test claims a criterion" in text
    assert " all gates on sandbox" in text


def test_several_stages_are_decided_apart_and_together(show, stage_b):
    two = (*stage_b.judgement.stages, StageDecision(id="stage_c", decision=stage_b.judgement.decision))
    text = plain(show(stage_b.judged(stages=two)))
    assert " spiral: stages B and C on sandbox " in text
    assert " stage C on sandbox                 CONDITIONAL GO\n    no debts\n" in text
    assert " all gates on sandbox" in text


def test_colours_are_styles_and_nothing_is_styled_without(show, broken_b1):
    assert all(span.style == "" for line in show(broken_b1) for span in line)
    styles = {span.text: span.style for line in show(broken_b1, colour=True) for span in line}
    assert styles["NO-GO"] == "red bold"
    assert styles["CONDITIONAL GO"] == "yellow bold"
    assert styles["fail"] == "red"
    assert styles["pass"] == "green"
    assert plain(show(broken_b1, colour=True)) == plain(show(broken_b1))


def test_an_advisory_fail_does_not_look_like_an_alarm(show, stage_b):
    run = stage_b.but("B2.loudness", verdict=Verdict.FAIL, original=Verdict.FAIL, sentence="clipped")
    styles = {span.text: span.style for line in show(run, colour=True) for span in line}
    assert styles["advisory"] == "yellow"


def test_hostile_names_and_reasons_cannot_act_on_the_terminal(show, stage_b, hostile):
    run = stage_b.but("B1.native-bundle", sentence=hostile).judged(target=hostile)
    text = plain(show(run))
    assert not {"\x1b", "\x07", "\u202e", "\u2066", "\r"} & set(text)
    assert not any(line.lstrip().startswith("::") or "##[" in line for line in text.splitlines())


def test_a_plan_without_criteria_and_a_judgement_without_gates_are_shown_all_the_same(show, stage_b):
    empty = stage_b.judged(gates=(), criteria=(), stages=(), debts=())
    run = type(empty)(empty.judgement, Plan(gates=()), (), empty.start)
    assert "no debts" in plain(show(run))
