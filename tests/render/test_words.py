"""Words: one phrase for one thing, and none that makes it look better than it is."""

import msgspec
import pytest

from pytest_spiral.model.verdict import Decision, Verdict
from pytest_spiral.render import words


@pytest.mark.parametrize(
    ("stage", "said"), [("stage_b", "stage B"), ("grpc_adoption", "grpc adoption"), ("", ""), ("stage_bb", "stage bb")]
)
def test_a_stage_is_said_by_its_letter(stage, said):
    assert words.stage_words(stage) == said


@pytest.mark.parametrize(
    ("gate", "said"),
    [
        ("B1", "6 pass, 1 environment-limited, 1 advisory not-run"),
        ("B2", "4 pass, 2 need live, 1 hardware-required (audio.playback), 1 advisory pass"),
        ("B3", "4 pass, 1 environment-limited (48 h on a virtual clock)"),
    ],
)
def test_a_gates_verdicts_are_counted_as_the_product_page_does(stage_b, gate, said):
    assert words.count_words(one for one in stage_b.judgement.criteria if one.gate == gate) == said


def test_the_counts_add_up_to_all_criteria(broken_b1):
    said = words.count_words(broken_b1.judgement.criteria)
    numbers = [int(part.split()[0]) for part in said.split(", ")]
    assert sum(numbers) == len(broken_b1.judgement.criteria)


def test_one_that_needs_a_live_target_is_said_in_the_singular(stage_b):
    assert words.count_words([stage_b.verdict("B2.dropouts")]) == "1 needs live"


def test_a_requirement_outweighs_the_fidelity_that_is_declared_beside_it(stage_b):
    both = msgspec.structs.replace(stage_b.verdict("B2.hardware-audio"), fidelity="live")
    assert words.kind_words(both) == "hardware-required"
    assert words.kind_words(stage_b.verdict("B2.dropouts")) == "needs live"


def test_a_pass_that_declares_a_fidelity_is_a_pass(stage_b):
    live = msgspec.structs.replace(stage_b.verdict("B1.recall"), fidelity="live")
    assert words.verdict_words(live, "rack-1") == "pass"


def test_a_waived_fail_is_never_called_a_pass(stage_b):
    waived = msgspec.structs.replace(
        stage_b.verdict("B1.recall"), verdict=Verdict.FAIL, original=Verdict.FAIL, qualifiers=("waived",)
    )
    assert words.verdict_words(waived, "sandbox") == "waived fail"
    assert words.count_words([waived]) == "1 waived fail"


@pytest.mark.parametrize(
    ("decision", "said", "style"),
    [
        (Decision.GO, "GO", "green bold"),
        (Decision.CONDITIONAL_GO, "CONDITIONAL GO", "yellow bold"),
        (Decision.NO_GO, "NO-GO", "red bold"),
        (Decision.NOT_EVALUABLE, "NOT-EVALUABLE", "red bold"),
        (None, "no decision", "yellow bold"),
    ],
)
def test_only_a_go_is_green(decision, said, style):
    assert (words.decision_words(decision), words.decision_style(decision)) == (said, style)


def test_only_a_pass_is_green(stage_b):
    styles = {
        verdict: words.verdict_style(msgspec.structs.replace(stage_b.verdict("B1.recall"), verdict=verdict))
        for verdict in Verdict
    }
    assert [verdict for verdict, style in styles.items() if style == "green"] == [Verdict.PASS]
    assert {styles[one] for one in (Verdict.FAIL, Verdict.INVALID, Verdict.INCONCLUSIVE, Verdict.NOT_RUN)} == {"red"}


def test_a_limit_says_value_bound_limit_samples_and_margin(stage_b):
    (limit,) = stage_b.verdict("B1.retrieval-latency").limits
    assert words.limit_words(limit) == (
        "p95 4.8 ms, bound 5.1 ms <= 120 ms",
        "n=1000",
        "margin 114.9 ms",
        "response time (open loop)",
    )


def test_failures_are_said_out_of_all_samples(broken_b1):
    (limit,) = broken_b1.verdict("B1.query-failures").limits
    assert words.limit_words(limit) == ("10 of 1,000 failed, limit 0", "margin -10")


def test_items_that_were_not_compared_are_said_to_be_missing(make_limit):
    limit = make_limit("equal(audited, stored)", Verdict.NOT_RUN, value=0, bound=0, samples=1, planned=10000)
    assert words.limit_words(limit) == ("0 of 1 differ, limit 0", "9,999 of 10,000 missing")


def test_the_relation_that_is_written_is_the_one_that_holds(make_limit):
    limit = make_limit("max(share) <= 200 %", Verdict.FAIL, value=4.0, bound=2.0, unit="1", margin=-2.0)
    assert words.limit_words(limit)[0] == "max 400 % > 200 %"


def test_a_limit_without_figures_is_said_by_its_text(make_limit):
    assert words.limit_words(make_limit("all-pass")) == ("all-pass",)
    counted = make_limit("all-pass", value=0, bound=0, samples=3, sentence="3 of 3 tests passed, 0 failed, 0 missing")
    assert words.limit_words(counted)[0] == "3 of 3 tests passed, 0 failed, 0 missing"


def test_a_row_of_runs_says_of_how_many(stage_b):
    (limit,) = stage_b.verdict("B2.dropouts").limits
    assert words.limit_words(limit)[0] == "worst of 2 runs: count 0 <= 0"


def test_the_limit_that_matters_most_comes_first(make_limit):
    close = make_limit("min(items) >= 10000 items", value=10000, bound=10000, margin=0)
    bounded = make_limit("p95(x) <= 120 ms", value=4, upper=5, bound=120, unit="ms", margin=115)
    broken = make_limit("failures(x) <= 0", Verdict.FAIL, value=1, bound=0, samples=9, margin=-1)
    assert words.by_concern([close, bounded, broken]) == [broken, bounded, close]


def test_a_reason_does_not_repeat_the_figures_beside_it(broken_b1):
    recall = broken_b1.verdict("B1.recall")
    assert words.reason_words(recall, beside=recall.limits) == (
        "the figure clears the limit and its bound does not [point-only]"
    )
    assert words.reason_words(recall).startswith("0.96 against 0.95: ")


def test_a_reason_that_the_figures_do_not_give_is_kept_whole(broken_b1):
    audit = broken_b1.verdict("B1.ingestion-audit")
    assert words.reason_words(audit, beside=audit.limits) == (
        "the samples on disk are not those that the journal bound [digest-mismatch]"
    )


def test_a_requirement_is_named_unless_the_sentence_does(stage_b):
    native = stage_b.verdict("B1.native-bundle")
    assert words.reason_words(native).endswith("; requires module.neoabzu_memory")
    named = msgspec.structs.replace(native, sentence="module.neoabzu_memory: absent")
    assert words.reason_words(named) == "module.neoabzu_memory: absent"


def test_debts_name_the_nearest_gate(stage_b):
    assert words.debt_words(stage_b.judgement.debts) == "5 debts, nearest due C1"
    assert words.debt_words(()) == "no debts"


def test_the_command_judges_the_gate_and_is_safe_for_a_shell():
    assert words.run_command("B1", "stage_b") == "pytest -m stage_b --spiral-evidence --spiral-gates B1"
    assert words.run_command("S1; rm -r x", "") == "pytest --spiral-evidence --spiral-gates 'S1; rm -r x'"


def test_an_unknown_id_has_an_empty_card(stage_b):
    cards = words.Cards(stage_b.cards)
    assert (cards.gate("Z9").title, cards.criterion("Z9.x").promise, cards.owner("Z9.x")) == ("", "", "")
    assert cards.owner("B1.recall") == "@memory-squad"
    assert cards.due("B1.recall") == "C1"
