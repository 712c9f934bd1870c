"""A run with evidence, from the first file to the seal, without pytest."""

import json

import msgspec
import pytest

from pytest_spiral.errors import EvidenceError
from pytest_spiral.evidence.read import read_evidence
from pytest_spiral.rules.canonical import canonical_bytes, digest
from pytest_spiral.rules.judge import judge
from pytest_spiral.run.gate_run import end_of, seal_run, slug_of, summary_bytes


def test_opening_registers_the_bar_before_anything_runs(session):
    begun = session()
    plan = (begun.folder / "plan.json").read_bytes()
    start = (begun.folder / "bundle.json").read_bytes()
    assert plan == canonical_bytes(begun.plan)
    assert begun.opened.start.plan == digest(plan)
    assert begun.opened.first_prev == digest(start)
    assert json.loads(start)["run"] == begun.folder.name
    assert begun.folder.parent.name == "s1"


def test_two_runs_never_share_a_folder_or_a_nonce(session, tmp_path):
    one, two = session(reports=tmp_path), session(reports=tmp_path)
    assert one.folder != two.folder
    assert one.opened.start.nonce != two.opened.start.nonce


def test_a_sealed_run_is_judged_from_what_is_on_disk(session):
    sealed = session().run().seal()
    assert str(sealed.judgement.decision) == "GO"
    assert sealed.judgement == judge(read_evidence(sealed.folder))
    assert (sealed.folder / "summary.json").read_bytes() == summary_bytes(sealed.judgement)
    assert [one.count for one in sealed.evidence.measurements] == [3, 2, 2, 3]
    written = {path.name for path in sealed.folder.iterdir()}
    assert {"plan.json", "bundle.json", "inventory.json", "summary.md", "change_notes.md", "manifest.json"} <= written


@pytest.mark.parametrize(
    ("flaw", "verdicts", "decision"),
    [
        ({"misses": 1}, {"S1.works": "fail", "S1.row": "pass", "S1.control": "pass"}, "NO-GO"),
        ({"runs": ("good", "bad")}, {"S1.works": "pass", "S1.row": "fail", "S1.control": "pass"}, "NO-GO"),
        ({"runs": ("good",)}, {"S1.works": "pass", "S1.row": "inconclusive", "S1.control": "pass"}, "NO-GO"),
        ({"finds_out": False}, {"S1.works": "invalid", "S1.row": "pass", "S1.control": "fail"}, "NO-GO"),
        ({"found": ()}, {"S1.works": "invalid", "S1.row": "invalid", "S1.control": "pass"}, "NOT-EVALUABLE"),
    ],
)
def test_a_flaw_comes_through_to_the_decision(session, flaw, verdicts, decision):
    judged = session().run(**flaw).seal().judgement
    assert {one.id: str(one.verdict) for one in judged.criteria} == verdicts
    assert str(judged.decision) == decision


def test_a_run_is_sealed_once(session):
    begun = session().run()
    begun.seal()
    with pytest.raises(EvidenceError):
        seal_run(begun.opened)


def test_a_run_whose_journal_has_no_end_is_not_sealed(session):
    begun = session().run()
    with pytest.raises(EvidenceError):
        seal_run(begun.opened)
    assert not (begun.folder / "manifest.json").exists()


def test_an_interrupted_run_says_so(session):
    sealed = session().run().seal("interrupted")
    assert sealed.evidence.status == "interrupted"


def test_a_summary_is_canonical_with_one_line_end(session):
    sealed = session().run().seal()
    data = summary_bytes(sealed.judgement)
    assert data.endswith(b"}\n")
    assert canonical_bytes(msgspec.json.decode(data)) + b"\n" == data


def test_an_end_names_the_workers():
    assert end_of("crashed", 3, {}).status == "crashed"
    assert end_of("finished", 1, {}).exit_status == 1


@pytest.mark.parametrize(
    ("stages", "gates", "slug"),
    [
        (["stage_b"], [], "stage_b"),
        (["stage_a", "stage_b"], ["B1"], "stage_a-stage_b"),
        ([], ["B1", "B2"], "b1-b2"),
        ([], [], "run"),
        (["stage_" + "x" * 80], [], "stage_" + "x" * 54),
    ],
)
def test_a_run_is_named_by_its_stages_else_its_gates(stages, gates, slug):
    assert slug_of(stages, gates) == slug
