"""Release runs that fill one plan: what the bundle carries, what the verifier makes of it, and what is missing."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_spiral.evidence.seal import write_manifest
from pytest_spiral.ledger.book import Book
from pytest_spiral.rules.entries import read_entries
from pytest_spiral.run import clock
from pytest_spiral.run.gate_run import summary_bytes
from pytest_spiral.run.recover import recover
from pytest_spiral.run.verify import judge_bundle, verify_bundle

LEDGER = "--spiral-ledger=reports/ledger.jsonl"
SECOND = Path(__file__).parents[2] / "tools" / "verify_bundle.py"
TEST = """
from pathlib import Path

@pytest.mark.criterion("S1.rate", "S1.lost")
def test_boots(spiral):
    good, bad = map(int, Path("take").read_text().split())
    with spiral.measure("boot") as m:
        for _ in range(good):
            m.hit()
        for _ in range(bad):
            m.miss("bad")
    if Path("leave").exists():
        os._exit(7)
"""


@pytest.fixture
def project(lab):
    """A rate over 59 boots, of which a night does some; the files `take` and `leave` say how it goes."""
    lab.gates(
        'rate\nlimit = "rate(boot) >= 95 %"\nsamples = 59\nconfidence = 0.95',
        'lost\nlimit = "failures(boot) <= 0"\nsamples = 20\nlevel = "advisory"',
    )
    lab.test(TEST)
    lab.write(".gitignore", "take\nleave\n__pycache__/\n.pytest_cache/\n")
    who = ("-c", "user.name=a", "-c", "user.email=a@b.invalid")
    for arguments in (("init", "-q"), ("add", "-A"), (*who, "commit", "-qm", "it")):
        subprocess.run(["git", "-C", lab.path, *arguments], check=True)
    return lab


def night(lab, good, bad=0, *, leave=False, **said):
    (lab.path / "leave").unlink(missing_ok=True)
    if leave:
        lab.write("leave", "")
    lab.write("take", f"{good} {bad}")
    return lab.run("--spiral-release", LEDGER, apart=leave, **said)


def rate(ran):
    found = ran.criterion("S1.rate")
    return str(found.verdict), found.reason


def second(bundle):
    asked = [sys.executable, "-I", str(SECOND), str(bundle)]
    return subprocess.run(asked, capture_output=True, text=True, check=False)


def test_three_nights_fill_one_plan_and_anyone_can_repeat_it(project):
    runs = [night(project, number) for number in (20, 20, 19)]
    assert [rate(one) for one in runs] == [("inconclusive", "incomplete")] * 2 + [("pass", "")]
    assert [one.status for one in runs] == [1, 1, 0]
    last = runs[-1]
    assert (last.decision, last.verified) == ("GO", 0)
    assert last.criterion("S1.rate").limits[0].note.endswith("3 attempts: 20 + 20 + 19 samples for a plan of 59")
    assert "20 + 20 + 19 samples for a plan of 59" in " ".join((last.bundle / "summary.md").read_text().split())
    evidence, judgement = judge_bundle(last.bundle)
    assert summary_bytes(judgement) == (last.bundle / "summary.json").read_bytes()
    assert {one.evidence.bundle.run for one in evidence.earlier} == {one.bundle.name for one in runs[:2]}
    told = second(last.bundle)
    assert (told.returncode, "not checked (its ledger has a say)" in told.stdout) == (0, True), told.stdout


def test_a_fourth_night_finds_the_plan_spent(project):
    for number in (30, 29):
        night(project, number - 1, 1)
    assert rate(night(project, 59)) == ("inconclusive", "plan-spent")


def test_a_bundle_that_is_gone_counts_against_a_pass(project):
    first = night(project, 30)
    shutil.rmtree(first.bundle)
    ran = night(project, 59)
    assert (rate(ran), ran.decision) == (("inconclusive", "attempt-missing"), "NO-GO")
    assert first.bundle.name in ran.criterion("S1.rate").sentence
    assert ran.verified == 1


def test_a_bundle_that_was_changed_is_not_taken(project):
    first = night(project, 20, 10)
    sample = next((first.bundle / "samples").rglob("*.jsonl"))
    sample.write_bytes(sample.read_bytes().replace(b'"ok":false', b'"ok":true'))
    assert not (night(project, 59).bundle / "earlier").exists()
    (first.bundle / "manifest.json").unlink()
    write_manifest(first.bundle)
    assert rate(night(project, 59))[1] in ("attempt-missing", "worst-attempt")


def test_a_killed_night_counts_when_it_is_recovered_with_the_call_that_was_under_way(project):
    dead = night(project, 58, leave=True).bundle
    assert rate(night(project, 1)) == ("inconclusive", "attempt-missing")
    recover(dead, Book(project.path / "reports" / "ledger.jsonl", clock.wall_us))
    ran = night(project, 60 - 2)
    limit = ran.criterion("S1.rate").limits[0]
    assert rate(ran)[0] == "inconclusive"
    assert "58 + 1 + 58 samples for a plan of 59, 1 lost" in limit.note
    assert ran.verified == 1


def test_drafts_are_judged_alone(project):
    night(project, 30)
    project.write("take", "29 0")
    ran = project.run(LEDGER)
    assert (rate(ran), (ran.bundle / "earlier").exists()) == (("inconclusive", "incomplete"), False)


# what is carried is held against what was sealed


def resealed(bundle, change):
    change(bundle)
    (bundle / "manifest.json").unlink()
    write_manifest(bundle)
    return verify_bundle(bundle)


def a_sample(bundle):
    sample = next((bundle / "earlier").rglob("samples/**/*.jsonl"))
    sample.write_bytes(sample.read_bytes().replace(b'"ok":false', b'"ok":true', 1))


def a_manifest(bundle):
    """The earlier attempt, changed and sealed again: the ledger knows its first manifest."""
    a_sample(bundle)
    (carried,) = (bundle / "earlier").iterdir()
    path = next(carried.rglob("samples/**/*.jsonl"))
    journal = carried / "journal" / "main.jsonl"
    assert path.exists()
    assert journal.exists()
    (carried / "manifest.json").unlink()
    write_manifest(carried)


def the_file(bundle):
    next((bundle / "earlier").rglob("samples/**/*.jsonl")).unlink()


def the_whole(bundle):
    shutil.rmtree(bundle / "earlier")


def test_what_is_carried_cannot_be_changed_or_left_out(project, tmp_path_factory):
    night(project, 29, 1)
    ran = night(project, 29)
    assert verify_bundle(ran.bundle).report.outcome == "sound"
    expected = {
        a_sample: "earlier-broken",
        a_manifest: "earlier-broken",
        the_file: "summary-mismatch",
        the_whole: "summary-mismatch",
    }
    for change, code in expected.items():
        copy = shutil.copytree(ran.bundle, tmp_path_factory.mktemp("copy") / ran.bundle.name)
        checked = resealed(copy, change)
        assert (checked.report.outcome, code in {one.code for one in checked.report.findings}) == ("untrusted", True)
        assert checked.judgement is None or checked.judgement.criteria[0].verdict != "pass"


def test_an_attempt_of_another_commit_is_not_carried(project):
    night(project, 30)
    project.write("more.txt", "x")
    who = ("-c", "user.name=a", "-c", "user.email=a@b.invalid")
    for arguments in (("add", "-A"), (*who, "commit", "-qm", "more")):
        subprocess.run(["git", "-C", project.path, *arguments], check=True)
    ran = night(project, 29)
    assert (rate(ran), (ran.bundle / "earlier").exists()) == (("inconclusive", "incomplete"), False)
    assert ran.criterion("S1.rate").attempts == "attempts 2 of 2: 2 inconclusive; 1 on this subject"


def test_the_ledger_has_what_each_session_said_alone(project):
    for number in (30, 29):
        night(project, number)
    entries = read_entries(Book(project.path / "reports" / "ledger.jsonl", lambda: 0).lines())
    sealed = [one.record for one in entries if one.kind == "sealed"]
    assert [one.runs["S1.rate"] for one in sealed] == [("inconclusive",)] * 2
    assert [str(one.verdicts["S1.rate"]) for one in sealed] == ["inconclusive", "pass"]
