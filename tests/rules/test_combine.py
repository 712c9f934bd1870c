"""Verdicts into decisions: every rule of the order, and that removing evidence never helps."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_spiral.model.verdict import Decision, Verdict
from pytest_spiral.rules.combine import Standing, combine, combine_stage

PASS, FAIL, OPEN = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
LIMITED, MISSING, INVALID = Verdict.ENVIRONMENT_LIMITED, Verdict.NOT_RUN, Verdict.INVALID
NOT_APPLICABLE = Verdict.INAPPLICABLE


@pytest.mark.parametrize(
    ("blockers", "facts", "decision"),
    [
        ([PASS, PASS], {}, "GO"),
        ([PASS, NOT_APPLICABLE], {}, "GO"),
        ([PASS, LIMITED], {}, "CONDITIONAL GO"),
        ([PASS, Standing(FAIL, waived=True)], {}, "CONDITIONAL GO"),
        ([PASS, Standing(OPEN, waived=True)], {}, "CONDITIONAL GO"),
        ([PASS, LIMITED], {"debt_overdue": True}, "NO-GO"),
        ([PASS], {"debt_overdue": True}, "NO-GO"),
        ([PASS, MISSING], {}, "NO-GO"),
        ([PASS, OPEN], {}, "NO-GO"),
        ([PASS, FAIL], {}, "NO-GO"),
        ([PASS, INVALID], {}, "NOT-EVALUABLE"),
        ([PASS, INVALID, LIMITED], {}, "NOT-EVALUABLE"),
        ([INVALID, FAIL], {}, "NO-GO"),
        ([INVALID, OPEN], {}, "NO-GO"),
        ([INVALID, MISSING], {}, "NO-GO"),
        ([PASS, FAIL], {"integrity": False}, "NOT-EVALUABLE"),
        ([PASS, PASS], {"integrity": False}, "NOT-EVALUABLE"),
        ([], {}, "NOT-EVALUABLE"),
        ([NOT_APPLICABLE] * 2, {}, "NOT-EVALUABLE"),
        ([LIMITED] * 2, {}, "NOT-EVALUABLE"),
        ([Standing(FAIL, waived=True)], {}, "NOT-EVALUABLE"),
        ([PASS], {"capped": True}, "CONDITIONAL GO"),
        ([Standing(PASS, below_fidelity=True)], {}, "CONDITIONAL GO"),
        ([Standing(FAIL, below_fidelity=True)], {}, "NO-GO"),
        ([Standing(PASS, stale=True), PASS], {}, "NO-GO"),
        ([Standing(FAIL, waived=True, stale=True), PASS], {}, "NO-GO"),
        ([Standing(INVALID, stale=True), PASS], {}, "NOT-EVALUABLE"),
        ([PASS, Standing(FAIL, waived=True), INVALID], {}, "NOT-EVALUABLE"),
        ([PASS, Standing(FAIL, waived=True), FAIL], {}, "NO-GO"),
    ],
)
def test_blockers_add_up_in_the_declared_order(blockers, facts, decision):
    for order in permutations(blockers):
        assert combine(order, **facts) == decision


@pytest.mark.parametrize("verdict", [PASS, NOT_APPLICABLE, LIMITED, MISSING, INVALID])
def test_only_an_observed_shortfall_can_be_waived(verdict):
    with pytest.raises(ValueError, match="cannot be waived"):
        Standing(verdict, waived=True)


STANDINGS = st.builds(
    Standing,
    st.sampled_from(Verdict),
    below_fidelity=st.booleans(),
    stale=st.booleans(),
) | st.builds(Standing, st.sampled_from([FAIL, OPEN]), waived=st.just(True))  # fmt: skip
FACTS = st.fixed_dictionaries({"integrity": st.booleans(), "capped": st.booleans(), "debt_overdue": st.booleans()})


@given(st.lists(STANDINGS, max_size=5), FACTS)
def test_a_blocker_whose_evidence_is_removed_never_raises_the_permission(blockers, facts):
    before = combine(blockers, **facts).permission
    for number in range(len(blockers)):
        without = [*blockers[:number], Standing(MISSING), *blockers[number + 1 :]]
        assert combine(without, **facts).permission <= before


@given(st.lists(STANDINGS, max_size=5), FACTS)
def test_a_go_rests_on_a_pass_and_on_nothing_below_it(blockers, facts):
    decision = combine(blockers, **facts)
    if decision is Decision.GO:
        assert facts == {"integrity": True, "capped": False, "debt_overdue": False}
        assert {one.effective for one in blockers} <= {PASS, NOT_APPLICABLE}
    if decision.permission:
        assert any(one.original is PASS for one in blockers)
        assert not any(one.effective in {FAIL, OPEN, MISSING, INVALID} and not one.waived for one in blockers)


@given(st.lists(STANDINGS, max_size=5), STANDINGS, FACTS)
def test_a_worse_fact_never_raises_the_permission(blockers, more, facts):
    permission = combine([*blockers, more], **facts).permission
    for fact, bad in (("integrity", False), ("capped", True), ("debt_overdue", True)):
        assert combine([*blockers, more], **{**facts, fact: bad}).permission <= permission


@pytest.mark.parametrize(
    ("decisions", "expected"),
    [
        (["GO", "GO"], "GO"),
        (["GO", "CONDITIONAL GO"], "CONDITIONAL GO"),
        (["GO", "CONDITIONAL GO", "NOT-EVALUABLE"], "NOT-EVALUABLE"),
        (["GO", "NOT-EVALUABLE", "NO-GO"], "NO-GO"),
        ([], "NOT-EVALUABLE"),
    ],
)
def test_a_stage_is_as_good_as_its_worst_gate(decisions, expected):
    for order in permutations([Decision(word) for word in decisions]):
        assert combine_stage(order) == expected
