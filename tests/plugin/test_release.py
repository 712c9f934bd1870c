"""Runs that are registered: what the ledger gets, what a release run refuses, and the best of many."""

import json
import shutil
import subprocess
import sys

import pytest

from pytest_spiral.ledger.book import Book
from pytest_spiral.ledger.fsck import fsck
from pytest_spiral.ledger.gitref import GitLedger, parse_place
from pytest_spiral.model.entry import Artefact
from pytest_spiral.model.manifest import Manifest, ManifestFile
from pytest_spiral.rules.canonical import canonical_bytes, digest
from pytest_spiral.rules.entries import head_of, read_entries, render_head
from pytest_spiral.run.grounds import Grounds
from pytest_spiral.run.registered import load_kept
from pytest_spiral.run.verify import verify_bundle

GATE = [
    'works\nlimit = "failures(work) <= 0"\nsamples = 3',
    'row\nlimit = "failures(row) <= 0"\nsamples = 3\nconsecutive = 3',
]
TEST = """
from pathlib import Path

def take(spiral, name):
    with spiral.measure(name) as m:
        m.hit(), m.hit()
        m.miss("bad") if Path("bad").exists() else m.hit()

@pytest.mark.criterion("S1.works")
def test_works(spiral):
    take(spiral, "work")

@pytest.mark.criterion("S1.row")
def test_row(spiral):
    take(spiral, "row")
"""
LEDGER = "--spiral-ledger=reports/ledger.jsonl"


@pytest.fixture
def project(lab):
    """A gate with two criteria in a clean repository; the file `bad` makes them fail, and git ignores it."""
    lab.gates(*GATE)
    lab.test(TEST)
    lab.write(".gitignore", "bad\n__pycache__/\n.pytest_cache/\ninstalled/\n")
    commit(lab)
    return lab


def commit(lab):
    who = ("-c", "user.name=a", "-c", "user.email=a@b.invalid")
    for arguments in (("init", "-q"), ("add", "-A"), (*who, "commit", "-qm", "it")):
        subprocess.run(["git", "-C", lab.path, *arguments], check=True)


def release(lab, *arguments, good=True, **said):
    (lab.path / "bad").unlink(missing_ok=True)
    if not good:
        lab.write("bad", "")
    return lab.run("--spiral-release", LEDGER, *arguments, **said)


def book(lab):
    return Book(lab.path / "reports" / "ledger.jsonl", lambda: 0)


def entries(lab):
    return list(read_entries(book(lab).lines()))


def test_the_best_of_three_is_found(project, way):
    runs = [release(project, *way, good=good) for good in (False, False, True)]
    best = runs[-1]
    assert best.criterion("S1.works").attempts == "attempts 3 of 3: 1 passed, 2 failed"
    assert best.verdicts == {"S1.works": "fail", "S1.row": "fail"}
    assert best.criterion("S1.works").reason == "worst-attempt"
    assert (best.decision, best.status, best.verified) == ("NO-GO", 1, 1)
    assert "attempts 3 of 3: 1 passed, 2 failed" in best.out
    assert "attempts 3 of 3: 1 passed, 2 failed" in (best.bundle / "summary.md").read_text()
    assert fsck(book(project).lines()).findings == ()


def test_three_good_release_runs_are_a_row(project):
    runs = [release(project) for _ in range(3)]
    assert [one.verdicts["S1.row"] for one in runs] == ["inconclusive", "inconclusive", "pass"]
    assert [one.status for one in runs] == [1, 1, 0]
    assert runs[-1].decision == "GO"
    assert runs[-1].judgement.log == "local"


def test_what_the_ledger_has_of_a_run(project, way):
    ran = release(project, *way)
    start = json.loads((ran.bundle / "bundle.json").read_bytes())
    _, opened, collected, sealed = entries(project)
    assert (opened.record.run, opened.record.nonce, opened.record.plan) == (start["run"], start["nonce"], start["plan"])
    assert opened.record.bundle == digest((ran.bundle / "bundle.json").read_bytes())
    assert set(opened.record.criteria) == {"S1.works", "S1.row"}
    assert opened.record.subjects["git"].startswith("gitCommit:")
    assert opened.record.deadline > opened.wall
    assert collected.record.inventory == digest((ran.bundle / "inventory.json").read_bytes())
    assert sealed.record.manifest == digest((ran.bundle / "manifest.json").read_bytes())
    assert sealed.record.verdicts == {"S1.works": "pass", "S1.row": "inconclusive"}
    assert sealed.record.runs == {"S1.works": ("pass",), "S1.row": ("pass",)}
    assert (start["mode"], start["require"], start["ledger"]["seq"]) == ("release", "go", 0)


def test_the_bundle_has_the_ledger_up_to_what_it_collected(project):
    release(project)
    ran = release(project)
    copy = (ran.bundle / "ledger.jsonl").read_bytes()
    assert list(read_entries(copy.splitlines(keepends=True))) == entries(project)[:6]


def test_a_draft_is_registered_as_one_and_judged_alone(project):
    release(project, good=False)
    (project.path / "bad").unlink()
    ran = project.run(LEDGER)
    assert (ran.verdicts["S1.works"], ran.verdicts["S1.row"]) == ("pass", "inconclusive")
    assert [one.record.draft for one in entries(project)[4:]] == [True, True, True]
    assert release(project).criterion("S1.works").attempts == "attempts 2 of 2: 1 passed, 1 failed; 1 draft beside"


def test_without_a_ledger_nothing_is_registered(project):
    ran = project.run()
    assert not (project.path / "reports" / "ledger.jsonl").exists()
    assert ran.evidence.ledger is None
    assert ran.judgement.log == "none"
    assert ran.checked.report.checked(11).state == "not-checked"


def test_the_ini_names_a_ledger(project):
    project.write("pytest.ini", f"[pytest]\nspiral_ledger = {LEDGER.partition('=')[2]}\n")
    project.run()
    assert len(entries(project)) == 4


def test_a_ledger_in_git_is_written_to(project):
    ran = project.run("--spiral-ledger=git:refs/spiral/ledger")
    ledger = GitLedger(project.path, parse_place("git:refs/spiral/ledger"), lambda: 0)
    assert [one.kind for one in read_entries(ledger.lines())] == ["ledger", "opened", "collected", "sealed"]
    assert ran.checked.report.checked(11).state == "held"


def test_a_run_that_ended_by_a_back_door_is_an_attempt_that_did_not_end(project):
    project.write(
        "conftest.py", "import os\n\ndef pytest_sessionfinish():\n    os.path.exists('leave') and os._exit(7)\n"
    )
    project.write(".gitignore", "bad\nleave\n__pycache__/\n.pytest_cache/\n")
    commit(project)
    release(project)
    release(project)
    project.write("leave", "")
    project.run("--spiral-release", LEDGER, apart=True)
    (project.path / "leave").unlink()
    ran = release(project)
    assert ran.criterion("S1.works").attempts == "attempts 4 of 4: 3 passed, 1 not ended"
    assert ran.criterion("S1.row").reason == "row-short"


# what a release run refuses


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--spiral-release",), "no ledger is named"),
        (("--spiral-release", LEDGER, "-k", "works"), "kept out by -k works"),
        (("--spiral-release", LEDGER, "--deselect", "test_gate.py::test_row"), "kept out by --deselect"),
        (("--spiral-release", LEDGER, "test_gate.py::test_row"), "kept out by test_gate.py::test_row"),
        (("--spiral-release", "--spiral-ledger=git:refs/heads/main"), "branches and tags are for code"),
    ],
)
def test_wrong_use_is_refused_before_anything_is_written(project, arguments, said):
    ran = project.run(*arguments, evidence=False)
    assert (ran.status, said in ran.out) == (4, True), ran.out
    assert not (project.path / "reports").exists()


@pytest.mark.parametrize("change", ["test_gate.py", "new.py"])
def test_a_changed_tree_is_refused(project, change):
    project.write(change, "x = 1\n")
    ran = release(project, evidence=False)
    assert (ran.status, f"changes beside it: {change}" in ran.out) == (4, True), ran.out
    assert not (project.path / "reports").exists()


def test_what_runs_write_is_no_change(project):
    release(project)
    assert release(project).bundle is not None


def test_a_folder_without_git_is_refused(lab):
    lab.gates(*GATE)
    lab.test(TEST)
    lab.monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(lab.path.parent))
    ran = release(lab, evidence=False)
    assert (ran.status, "git does not say" in ran.out) == (4, True), ran.out


def test_a_gate_without_tests_is_refused(project, toml, way):
    more = toml("S2", 'no_control = "x"', ['other\nlimit = "failures(x) <= 0"\nsamples = 1'])
    project.write("gates.toml", (project.path / "gates.toml").read_text() + more.replace("format = 1\n", ""))
    commit(project)
    assert release(project, *way).bundle is not None
    ran = project.run("--spiral-release", LEDGER, "--spiral-gates=S1,S2", *way)
    assert (ran.status, "gate S2 is in scope and no test proves" in ran.out) == (4, True), ran.out
    assert ran.judgement is None


def test_a_release_asks_for_go_unless_told_else(project):
    gates = (project.path / "gates.toml").read_text()
    project.write("gates.toml", gates.replace("consecutive = 3", 'fidelity = "staging"'))
    commit(project)
    assert release(project).status == 1
    assert release(project, "--spiral-require=conditional").status == 0


def test_a_ledger_that_cannot_be_written_to_is_wrong_use(project):
    ran = project.run("--spiral-ledger=gates.toml/ledger.jsonl", evidence=True)
    assert (ran.status, "gates.toml" in ran.out, ran.bundle) == (4, True, None), ran.out


# step 11


def test_a_kept_ledger_tells_of_later_attempts(project, tmp_path):
    gates = (project.path / "gates.toml").read_text()
    project.write("gates.toml", gates.replace("consecutive = 3", ""))
    commit(project)
    first = release(project)
    release(project, good=False)
    assert verify_bundle(first.bundle).status("go") == 0
    checked = verify_bundle(first.bundle, Grounds(kept=load_kept(project.path / "reports" / "ledger.jsonl")))
    assert (checked.report.outcome, checked.status("conditional")) == ("sound", 1)
    assert checked.standing.criteria[0].attempts == "attempts 1 of 2: 1 passed, 1 failed"


@pytest.fixture
def registered(project):
    """A release run's bundle after a failed one, and the ledger."""
    release(project, good=False)
    return release(project).bundle, project.path / "reports" / "ledger.jsonl"


def reseal(bundle):
    """A manifest for whatever lies there."""
    (bundle / "manifest.json").unlink()
    paths = sorted(path for path in bundle.rglob("*") if path.is_file())
    files = [
        ManifestFile(
            path=path.relative_to(bundle).as_posix(), bytes=path.stat().st_size, sha256=digest(path.read_bytes())
        )
        for path in paths
    ]
    manifest = Manifest(files=tuple(sorted(files, key=lambda one: one.path)))
    (bundle / "manifest.json").write_bytes(canonical_bytes(manifest))


def codes(bundle, kept=None):
    checked = verify_bundle(bundle, Grounds(kept=kept))
    return {one.code for one in checked.report.findings if one.step == 11}


def test_a_whole_registration_holds(registered):
    bundle, ledger = registered
    checked = verify_bundle(bundle, Grounds(kept=load_kept(ledger)))
    assert checked.report.checked(11).state == "held"
    assert "opened at 4, collected at 5" in checked.report.checked(11).note
    assert "sealed at 6" in checked.report.checked(11).note


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda lines: lines[:-1], "ledger-unregistered"),
        (lambda lines: lines[:2] + lines[3:], "ledger-sequence"),
        (lambda lines: [*lines[:3], lines[3].replace(b'"fail"', b'"pass"'), *lines[4:]], "ledger-chain"),
        (lambda lines: lines[1:], "ledger-start"),
        (lambda lines: [*lines[:-1], lines[-1][:-1]], "ledger-torn"),
        (lambda lines: [*lines, *again(lines)], "ledger-copy"),
    ],
)
def test_a_changed_copy_is_found_although_it_is_sealed_again(registered, change, code):
    bundle, _ = registered
    lines = (bundle / "ledger.jsonl").read_bytes().splitlines(keepends=True)
    (bundle / "ledger.jsonl").write_bytes(b"".join(change(lines)))
    reseal(bundle)
    assert code in codes(bundle)
    assert verify_bundle(bundle).status("conditional") == 3


def again(lines):
    """One more entry, well chained."""
    whole = json.loads(lines[-1])
    whole |= {"seq": whole["seq"] + 1, "prev": digest(lines[-1]), "kind": "artefact"}
    whole["body"] = {"name": "x", "sha256": digest(b""), "bytes": 0}
    return [json.dumps(whole).encode() + b"\n"]


def test_a_copy_that_was_taken_away_is_found(registered):
    bundle, ledger = registered
    (bundle / "ledger.jsonl").unlink()
    reseal(bundle)
    assert codes(bundle) == {"ledger-missing"}
    assert codes(bundle, load_kept(ledger)) == {"ledger-sealed"}


def test_a_large_ledger_stays_outside_and_must_be_given(project, tmp_path):
    book(project).append(*[Artefact(name=f"{n}-" + "x" * 60_000, sha256=digest(b""), bytes=0) for n in range(290)])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--spiral-release", LEDGER, "-q", "-p", "no:cacheprovider"],
        cwd=project.path, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout
    (bundle,) = (project.path / "reports" / "run").iterdir()
    ledger = project.path / "reports" / "ledger.jsonl"
    assert ledger.stat().st_size > 16 * 1024 * 1024
    assert not (bundle / "ledger.jsonl").exists()
    assert codes(bundle) == {"ledger-missing"}
    checked = verify_bundle(bundle, Grounds(kept=load_kept(ledger)))
    assert (checked.report.outcome, checked.report.findings) == ("sound", ())
    assert {one.id: str(one.verdict) for one in checked.judgement.criteria} == {
        "S1.works": "pass",
        "S1.row": "inconclusive",
    }


def test_a_release_run_takes_evidence_unasked_so_that_a_key_is_for_something(project, tmp_path):
    project.pytester.runpytest_inprocess("--spiral-release", LEDGER, f"--spiral-key={new_key(tmp_path)}")
    assert len(list(project.path.glob("reports/run/*/attestation.dsse.json"))) == 1


def test_a_signed_release_run_is_registered_with_its_attestation(project, tmp_path):
    """The attestation names the run's place in the ledger, and the ledger names the attestation."""
    key = new_key(tmp_path)
    ran = release(project, f"--spiral-key={key}")
    sealed = entries(project)[-1].record
    assert sealed.attestation == digest((ran.bundle / "attestation.dsse.json").read_bytes())
    kept = Grounds(kept=load_kept(project.path / "reports" / "ledger.jsonl"))
    checked = verify_bundle(ran.bundle, kept)
    assert checked.report.findings == ()
    assert checked.report.checked(8).note == "nothing tells when: attestation, publishing commit"
    (ran.bundle / "attestation.dsse.json").write_bytes(b"{}")
    assert "ledger-sealed" in codes(ran.bundle, kept.kept)


def new_key(folder):
    subprocess.run(
        [sys.executable, "-m", "pytest_spiral.cli.main", "key", "new", folder / "key"], check=True, capture_output=True
    )
    return folder / "key"


def test_a_kept_head_finds_a_rollback(registered, tmp_path, project):
    bundle, ledger = registered
    head = tmp_path / "head"
    head.write_text(render_head(head_of(read_entries(book(project).lines()))) + "\n")
    assert codes(bundle, load_kept(head)) == set()
    shutil.copy(ledger, tmp_path / "short")
    lines = ledger.read_bytes().splitlines(keepends=True)
    (tmp_path / "short").write_bytes(b"".join(lines[:4]))
    assert codes(bundle, load_kept(tmp_path / "short")) == {"ledger-head"}


def test_another_ledger_is_found(registered, tmp_path):
    bundle, _ = registered
    other = Book(tmp_path / "other.jsonl", lambda: 3)
    other.append()
    assert codes(bundle, load_kept(tmp_path / "other.jsonl")) == {"ledger-other"}


def test_a_ledger_that_names_another_manifest_is_found(registered):
    bundle, ledger = registered
    (bundle / "change_notes.md").write_text("nothing changed\n")
    reseal(bundle)
    assert codes(bundle) == set()
    assert codes(bundle, load_kept(ledger)) == {"ledger-sealed"}


def test_a_bundle_that_another_one_was_registered_for_is_found(registered):
    """What began the run is not the file whose digest was registered."""
    bundle, _ = registered
    start = (bundle / "bundle.json").read_bytes()
    (bundle / "bundle.json").write_bytes(start.replace(b'"require":"go"', b'"require":"conditional"'))
    reseal(bundle)
    assert verify_bundle(bundle).report.outcome == "untrusted"
