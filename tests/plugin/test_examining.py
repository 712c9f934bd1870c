"""A document that a person examines: kept and judged in each way to run, and no test's to prove."""

import json
import subprocess

import pytest

from pytest_spiral.evidence.keys import load_key, make_key, write_key
from pytest_spiral.rules.trust import parse_trust
from pytest_spiral.run.examination import asked_for, look_at, rehearse_examination, sign_examination
from pytest_spiral.run.grounds import Grounds
from pytest_spiral.run.registered import load_kept
from pytest_spiral.run.verify import judge_now, verify_bundle

WAYS = {"plain": (), "without-xdist": ("-p", "no:xdist"), "two-workers": ("-n", "2")}
WORKS = 'works\nlimit = "all-pass"\nsamples = 1'
CHARTER = 'charter\nmethod = "examine"\ndocument = "docs/charter.md"\nsigner = "ada"'
NO_CONTROL = 'no_control = "a test of the tool"'
PASSING = '@pytest.mark.criterion("S1.works")\ndef test_it():\n    pass\n'


@pytest.fixture
def project(lab):
    """A gate with a test that passes and a charter to examine."""
    lab.gates(WORKS, CHARTER)
    lab.test(PASSING)
    lab.write("docs/charter.md", "# Charter\n")
    lab.apart = True
    return lab


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """A folder with the keys `ada` and `job`."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("ada", "job"):
        write_key(folder / name, make_key())
    return folder


def trust(keys):
    roles = {"ada": "spiral-signoff", "job": "spiral-job"}
    lines = [f'{name} namespaces="{role}" {load_key(keys / name).public}' for name, role in roles.items()]
    return parse_trust("\n".join(lines), "trust")


def committed(project):
    who = ("-c", "user.name=a", "-c", "user.email=a@b.invalid")
    for arguments in (("init", "-q"), ("add", "-A", "--", ":!reports"), (*who, "commit", "-qm", "it")):
        subprocess.run(["git", "-C", project.path, *arguments], check=True)


def charter(project):
    (found,) = asked_for(project.path)
    return found


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_what_nobody_examined_keeps_the_gate_shut(project, way):
    ran = project.run(*way)
    assert (ran.status, ran.decision) == (1, "NO-GO")
    assert ran.criterion("S1.charter").reason == "unsigned"
    assert "waits for ada to examine and sign it [unsigned]" in " ".join(ran.out.split())
    assert ran.verified == 1


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_what_its_signer_examined_is_a_go_for_whoever_knows_their_key(project, keys, way):
    sign_examination(charter(project), keys / "ada", "read it")
    ran = project.run(f"--spiral-key={keys / 'job'}", *way)
    assert (ran.status, ran.decision) == (0, "CONDITIONAL GO")
    assert "10 bytes signed by ada on" in " ".join(ran.out.split())
    (kept,) = [one for one in ran.evidence.attached if one.criteria == ("S1.charter",)]
    assert (ran.bundle / kept.path).read_text() == "# Charter\n"
    results = [json.loads(path.read_text()) for path in (ran.bundle / "allure-results").glob("*-result.json")]
    (page,) = [one for one in results if one["fullName"] == "S1.charter"]
    shown = {one["name"]: (ran.bundle / "allure-results" / one["source"]).read_text() for one in page["attachments"]}
    assert shown["docs/charter.md"] == "# Charter\n"
    assert json.loads(shown["what was signed"])["note"] == "read it"
    checked = verify_bundle(ran.bundle, Grounds(trust=trust(keys)))
    assert (checked.report.findings, checked.status("go"), str(checked.proven.decision)) == ((), 0, "GO")
    assert checked.judgement.permission == 1


def test_the_document_is_read_when_the_run_begins(project, keys):
    """Whatever a test makes of it later."""
    sign_examination(charter(project), keys / "ada")
    project.test(PASSING.replace("pass", 'open("docs/charter.md", "a").write("more")'))
    assert project.run().criterion("S1.charter").original == "pass"
    assert project.run().criterion("S1.charter").reason == "document-changed"


def test_a_rehearsal_is_a_condition(project):
    project.gates(WORKS, CHARTER + '\nfidelity = "live"')
    rehearse_examination(charter(project))
    ran = project.run()
    assert (ran.decision, ran.criterion("S1.charter").reason) == ("CONDITIONAL GO", "fidelity")
    assert "signed in rehearsal as ada" in " ".join(ran.out.split())


def test_a_changed_document_makes_a_sealed_verdict_stale(project, keys):
    sign_examination(charter(project), keys / "ada")
    ran = project.run()
    assert judge_now(ran.bundle, project.path)[2] == ()
    project.write("docs/charter.md", "# Another\n")
    _, judgement, changes = judge_now(ran.bundle, project.path)
    assert [(one.criterion, one.path) for one in changes] == [("S1.charter", "docs/charter.md")]
    assert next(one for one in judgement.criteria if one.id == "S1.charter").reason == "stale"
    project.write("docs/other.md", "x")
    assert len(judge_now(ran.bundle, project.path)[2]) == 1


def test_a_test_cannot_claim_it(project):
    project.test(PASSING.replace("S1.works", "S1.charter"))
    ran = project.run()
    assert ran.status == 4
    assert (
        "S1.charter is a document that a person examines, so no test proves it: spiral examine S1.charter"
        in " ".join(ran.out.split())
    )
    assert ran.judgement is None


def test_what_lies_beside_it_and_is_no_text_is_wrong_use(project):
    project.write("examined/S1.charter.json", b"\xff")
    ran = project.run()
    assert (ran.status, "Remedy: write it with spiral examine." in ran.out) == (4, True)


CLAIMS = """\
from pytest_spiral.model.record import DocumentSeen
from pytest_spiral.plugin.keys import PROCESS

@pytest.mark.criterion("S1.works")
def test_it(request):
    seen = DocumentSeen(criterion="CRITERION", document="docs/charter.md", path="PATH", bytes=1, sha256="x")
    request.config.stash[PROCESS].writer.append(seen)
"""


@pytest.mark.parametrize("criterion", ["S1.works", "S1.charter"])
@pytest.mark.parametrize("path", ["{root}/outside.txt", "../../../outside.txt"])
def test_a_path_that_a_record_names_is_not_read_unless_the_bundle_keeps_it(project, criterion, path):
    """Tests can write records, and whoever seals may read what they cannot."""
    project.write("outside.txt", "not for the bundle")
    project.test(CLAIMS.replace("CRITERION", criterion).replace("PATH", path.format(root=project.path)))
    ran = project.run()
    assert ran.status == 1
    assert [one for one in ran.bundle.rglob("*") if one.is_file() and b"not for the bundle" in one.read_bytes()] == []


def test_words_of_the_signer_cannot_paint_the_terminal(project, keys):
    """A statement may come with the change under test, and be written by hand."""
    said = charter(project)
    sign_examination(said, keys / "ada", "a\x1b[2Jb\u202ec\nd")
    assert look_at(said).faults == ()
    ran = project.run("--color=no")
    assert "signed by ada" in ran.out
    assert not {"\x1b", "\u202e"} & set(ran.out)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize(("signed", "status"), [(True, 0), (False, 1)])
def test_a_gate_of_nothing_but_documents_needs_no_test(project, keys, signed, status, way):
    project.gates(CHARTER)
    (project.path / "test_gate.py").unlink()
    if signed:
        sign_examination(charter(project), keys / "ada")
    ran = project.run("--spiral-gates=S1", *way)
    assert (ran.status, ran.decision) == (status, "CONDITIONAL GO" if signed else "NO-GO")


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_gate_of_nothing_but_documents_is_in_every_run_that_names_no_other(project, toml, way):
    """No test tells of it, so that it would be left out, and what nobody examined with it."""
    project.write("gates.toml", "format = 1\n" + toml("S1", NO_CONTROL, [WORKS]) + toml("S2", NO_CONTROL, [CHARTER]))
    ran = project.run(*way)
    assert (ran.status, ran.decision) == (1, "NO-GO")
    assert ran.verdicts == {"S1.works": "pass", "S2.charter": "not-run"}
    assert project.run("--spiral-gates=S1", *way).verdicts == {"S1.works": "pass"}


def test_a_gate_of_nothing_but_documents_is_released_without_a_test(project, keys):
    project.gates(CHARTER)
    (project.path / "test_gate.py").unlink()
    project.write(".gitignore", "__pycache__/\n.pytest_cache/\n")
    committed(project)
    release = ("--spiral-release", "--spiral-ledger=reports/ledger.jsonl", f"--spiral-key={keys / 'job'}")
    assert project.run(*release, "--spiral-gates=S1").decision == "NO-GO"
    sign_examination(charter(project), keys / "ada")
    committed(project)
    for scope in ((), ("--spiral-gates=S1",)):
        ran = project.run(*release, "--spiral-require=conditional", *scope)
        assert (ran.status, ran.decision) == (0, "CONDITIONAL GO"), ran.out
        checked = verify_bundle(ran.bundle, Grounds(trust=trust(keys)))
        assert (checked.report.findings, str(checked.proven.decision)) == ((), "GO")
        assert checked.proven.criteria[0].attempts.startswith("attempts ")


@pytest.mark.parametrize("signed", [True, False])
def test_among_all_attempts_too_a_signature_counts_in_a_signed_bundle_only(project, keys, signed):
    sign_examination(charter(project), keys / "ada")
    key = [f"--spiral-key={keys / 'job'}"] if signed else []
    ran = project.run("--spiral-ledger=reports/ledger.jsonl", *key)
    grounds = Grounds(trust=trust(keys), kept=load_kept(project.path / "reports" / "ledger.jsonl"))
    checked = verify_bundle(ran.bundle, grounds)
    assert checked.status("go") == (0 if signed else 3)
    assert str(checked.standing.decision) == ("GO" if signed else "CONDITIONAL GO")


def test_without_evidence_nothing_is_looked_at(project):
    project.write("examined/S1.charter.json", b"\xff")
    assert project.run(evidence=False).status == 0


def test_a_document_in_which_a_secret_stands_is_not_kept(project, monkeypatch):
    monkeypatch.setenv("CHARTER_TOKEN", "hush-hush-hush-1234")
    project.write("pytest.ini", "[pytest]\nspiral_secrets = CHARTER_TOKEN\n")
    project.write("docs/charter.md", "the token is hush-hush-hush-1234\n")
    ran = project.run()
    assert (ran.status, ran.judgement) == (4, None)
    assert "docs/charter.md, or what was signed of it, holds a declared secret" in " ".join(ran.out.split())
    for path in project.path.glob("reports/**/*"):
        assert not path.is_file() or b"hush-hush" not in path.read_bytes()


WRONG = {
    "no text": (lambda one: one.write("examined/S1.charter.json", b"\xff"), "is not UTF-8"),
    "too large": (lambda one: one.write("examined/S1.charter.json", b"x" * 20_000), "has more than 16384 bytes"),
    "too large once escaped": (
        lambda one: [one.write(f"examined/S1.charter.json{end}", "\n" * 2**14) for end in ("", ".sig")],
        "takes more than 64512 bytes in a record",
    ),
    "a secret": (lambda one: one.write("docs/charter.md", "hush-hush-hush-1234"), "holds a declared secret"),
    "a secret beside it": (
        lambda one: one.write("examined/S1.charter.json.sig", "hush-hush-hush-1234"),
        "a declared secret",
    ),
    "a link out": (lambda one: link(one, "/proc/self/environ"), "Remedy: keep the document itself there, and no link."),
}


def link(project, aim):
    (project.path / "docs/charter.md").unlink()
    (project.path / "docs/charter.md").symlink_to(aim)


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_kept_is_wrong_use_and_no_attempt(project, monkeypatch, name):
    monkeypatch.setenv("CHARTER_TOKEN", "hush-hush-hush-1234")
    project.write("pytest.ini", "[pytest]\nspiral_secrets = CHARTER_TOKEN\n")
    make, sentence = WRONG[name]
    make(project)
    ran = project.run("--spiral-ledger=reports/ledger.jsonl")
    assert (ran.status, ran.bundle) == (4, None)
    assert sentence in " ".join(ran.out.split())
    assert not (project.path / "reports").exists()


def test_a_link_to_another_document_of_the_project_is_that_document(project, keys):
    project.write("docs/other.md", "# Other\n")
    link(project, "other.md")
    sign_examination(charter(project), keys / "ada")
    ran = project.run()
    assert (ran.decision, ran.verified) == ("CONDITIONAL GO", 0)
    assert [(ran.bundle / one.path).read_text() for one in ran.evidence.attached if one.criteria] == ["# Other\n"]


def test_documents_whose_names_come_out_alike_are_both_kept(project, keys):
    """`S1.a-b` with `c.md`, and `S1.a` with `b-c.md`."""
    names = {"a-b": "c.md", "a": "b-c.md"}
    asked = [CHARTER.replace("charter", word, 1).replace("charter.md", name) for word, name in names.items()]
    project.gates(WORKS, *asked)
    for name in names.values():
        project.write(f"docs/{name}", name)
    for one in asked_for(project.path):
        sign_examination(one, keys / "ada")
    ran = project.run()
    assert (ran.decision, ran.verified) == ("CONDITIONAL GO", 0)
    kept = [one.path for one in ran.evidence.attached if one.criteria]
    assert [(ran.bundle / one).read_text() for one in kept] == list(names.values())


def test_a_document_that_looks_like_a_secret_is_quarantined_and_unproven(project, keys):
    project.write("docs/charter.md", "AKIA" + "ABCDEFGHIJKLMNOP" + "\n" + "-----BEGIN RSA PRIVATE KEY-----\n")
    sign_examination(charter(project), keys / "ada")
    assert project.run().criterion("S1.charter").reason == "document-unkept"
