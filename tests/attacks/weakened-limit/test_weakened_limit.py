"""The bar moves after the samples."""

import json

import pytest

from pytest_spiral.rules.canonical import canonical_bytes, digest


def lower(folder, change):
    """Write another plan, in canonical bytes."""
    plan = json.loads((folder / "plan.json").read_bytes())
    change(plan["gates"][0]["criteria"][0])
    (folder / "plan.json").write_bytes(canonical_bytes(plan))


LOWERED = {
    "a higher bound": lambda one: one["limits"][0].update(bound="999"),
    "a higher bound, in the text too": lambda one: one["limits"][0].update(bound="999", text="max(latency) <= 999 ms"),
    "fewer samples": lambda one: one.update(samples=1),
    "an advisory": lambda one: one.update(level="advisory"),
    "no limit": lambda one: one.update(limits=[], planned=True),
}


@pytest.mark.parametrize("name", LOWERED)
def test_another_plan_is_not_the_one_that_was_registered(forger, verify, name):
    lower(forger.folder, LOWERED[name])
    forger.seal()
    answer = verify(forger.folder)
    assert answer.refused
    assert "plan-mismatch" in answer.codes & answer.second_codes


def registered(forger, change):
    """Register the lower bar too, and mend all chains: as if it had been the bar from the start."""
    records = {name: forger.records(name) for name in ("main", "gw0", "gw1")}
    lower(forger.folder, change)
    start = json.loads((forger.folder / "bundle.json").read_bytes())
    start["plan"] = digest((forger.folder / "plan.json").read_bytes())
    (forger.folder / "bundle.json").write_text(json.dumps(start, separators=(",", ":")))
    for name, kept in records.items():
        forger.rechain(name, kept)
    forger.seal()


def test_a_limit_means_what_its_text_says(forger, verify):
    registered(forger, LOWERED["a higher bound"])
    answer = verify(forger.folder)
    assert answer.refused
    assert answer.codes == answer.second_codes == {"plan-unjudgeable"}


def test_with_text_and_all_the_summary_is_of_another_bar(forger, verify):
    registered(forger, LOWERED["a higher bound, in the text too"])
    answer = verify(forger.folder)
    assert answer.refused
    assert "summary-mismatch" in answer.codes & answer.second_codes
