"""Pages of Markdown: the decision first, everything listed, tables that hostile text cannot break."""

import msgspec
import pytest

from pytest_spiral.model.verdict import Verdict
from pytest_spiral.render.markdown import render_change_notes, render_summary_markdown, table

B1 = """\
## B1 Memory fabric load proof: NO-GO

3 pass, 1 fail, 1 invalid, 1 inconclusive, 1 environment-limited, 1 advisory not-run; owner @memory-squad; \
criteria in suites/stage_b/gates.toml

| criterion | verdict | figure | limit | n | margin | reason |
| --- | --- | --- | --- | --- | --- | --- |
| B1.retrieval-latency | pass | 4.8 ms, bound 5.1 ms | `p95(retrieval) <= 120 ms` | 1000 + 50 warm-up | 114.9 ms \
| test_load; response time (open loop) |
| B1.query-failures | **fail** | 10 of 1,000 failed | `failures(retrieval) <= 0` | 1000 | -10 | test_control |
| B1.recall | **inconclusive** | 95.8 %, bound 94.99996 % | `mean(recall) >= 95 %` | 200 of 1000 | -0.00004 % \
| the figure clears the limit and its bound does not \\[point-only\\] |
| B1.ingestion-audit | **invalid** | 0 of 10,000 differ | `equal(audit, store)` | 10000 | 0 \
| the samples on disk are not those that the journal bound \\[digest-mismatch\\] |
| B1.sharding | pass | 0 of 200 differ | `equal(one-shard, many)` | 200 | 0 |   |
|   | pass | 0 of 1,000 failed | `failures(retrieval) <= 0` | 1000 | 0 | test_load |
| B1.scale | **advisory not-run** |   |   |   |   | runs only with --spiral-items \\[deselected\\] |
| B1.native-bundle | **environment-limited** |   |   |   |   \
| module neoabzu_memory not installed; requires module.neoabzu_memory |
| B1.control | pass | 10 of 1,000 failed | `failures(retrieval) <= 0` | 1000 | -10 \
| under memory.fail-1-in-100, where it must fail; test_control |
"""


@pytest.fixture
def page(path):
    def rendered(run):
        return render_summary_markdown(run.judgement, run.plan, run.cards, run.start, path)

    return rendered


def broken_rows(text):
    """Rows of tables whose number of cells differs from their head's."""
    broken, width = [], 0
    for line in text.splitlines():
        if not line.startswith("|"):
            width = 0
            continue
        bars = line.replace("\\\\", "").replace("\\|", "").count("|")
        width = width or bars
        broken += [line] if bars != width else []
    return broken


def test_the_decision_comes_first(page, broken_b1, stage_b):
    assert page(broken_b1).startswith("# NO-GO: stage B on sandbox\n")
    assert page(stage_b).startswith("# CONDITIONAL GO: stage B on sandbox\n")


def test_a_gate_is_a_table_of_its_criteria(page, broken_b1):
    text = page(broken_b1)
    assert text[text.index("## B1") : text.index("\n## B2")] == B1


def test_a_debt_says_who_owes_what_by_when_and_what_to_run(page, stage_b):
    assert (
        "| B2.hardware-audio | @audio-lab | C1 | `audio.playback` (hardware) | probe: aplay -l: no soundcards found "
        "| `pytest -m stage_b --spiral-evidence --spiral-gates B2` where it is met |"
    ) in page(stage_b)


def test_what_the_run_does_not_prove_is_listed(page, broken_b1):
    told = page(broken_b1).partition("## What this run does not prove")[2].partition("## How")[0]
    listed = [line.split(":")[0].removeprefix("- ") for line in told.splitlines() if line.startswith("- ")]
    weak = {Verdict.NOT_RUN, Verdict.ENVIRONMENT_LIMITED, Verdict.INVALID, Verdict.INCONCLUSIVE}
    assert listed == [one.id for one in broken_b1.judgement.criteria if one.verdict in weak]


def test_a_clean_run_says_that_nothing_is_owed(page, stage_b):
    passed = tuple(
        msgspec.structs.replace(one, verdict=Verdict.PASS, original=Verdict.PASS) for one in stage_b.judgement.criteria
    )
    text = page(stage_b.judged(criteria=passed, debts=()))
    assert "None: nothing was left unjudged" in text
    assert "Everything in scope was judged." in text


def test_the_page_says_how_to_check_it(page, stage_b, path):
    text = page(stage_b)
    assert f"    spiral verify {path} --require conditional\n    spiral judge {path}\n" in text
    assert text.endswith("Signed: none; log: none.\n")


def test_a_partial_run_says_so_in_its_title(page, stage_b):
    run = stage_b.judged(partial=True, decision=None, permission=0)
    assert page(run).startswith("# PARTIAL: 17 of 21 criteria, no decision: stage B on sandbox\n")


def test_a_what_if_page_is_marked(page, stage_b):
    assert "> **What-if:** other.toml. It can never be signed." in page(stage_b.judged(watermark="other.toml"))


def test_a_missing_verdict_is_shown_as_missing(page, stage_b):
    kept = tuple(one for one in stage_b.judgement.criteria if one.id != "B1.recall")
    text = page(stage_b.judged(criteria=kept))
    assert "| B1.recall | **no verdict** |" in text
    assert "- B1.recall: no verdict" in text


def test_hostile_text_breaks_no_table_and_brings_no_markup(page, stage_b, hostile):
    debts = tuple(msgspec.structs.replace(one, evidence=hostile, owner=hostile) for one in stage_b.judgement.debts)
    run = stage_b.but("B1.native-bundle", sentence=hostile).judged(debts=debts, target=hostile)
    text = page(run)
    assert broken_rows(text) == []
    assert not {"\x1b", "\u202e", "\r"} & set(text)
    assert "<script" not in text
    assert "<img" not in text
    assert "[go](" not in text


def test_the_check_of_tables_sees_a_broken_row():
    assert broken_rows(table(("a", "b"), [("1", "2 | 3")])) == ["| 1 | 2 | 3 |"]


def test_change_notes_set_the_bar_and_claim_no_comparison(stage_b):
    text = render_change_notes(stage_b.judgement, stage_b.plan, stage_b.start)
    assert stage_b.judgement.plan in text
    assert "There is no earlier gate to compare with." in text
    assert "| B1.retrieval-latency | blocker | `p95(retrieval) <= 120 ms` |" in text
    assert "| B1.control | blocker | `failures(retrieval) <= 0`; must fail under `memory.fail-1-in-100` |" in text
    assert all(f"| {one.id} |" in text for one in stage_b.plan.criteria())
