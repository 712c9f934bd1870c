"""What a job can make of a document that Ada has, or has not, examined."""

import subprocess

import msgspec
import pytest

from pytest_spiral.evidence.keys import make_key, write_key
from pytest_spiral.evidence.read import read_evidence
from pytest_spiral.evidence.seal import write_manifest
from pytest_spiral.evidence.store import write_once
from pytest_spiral.model import record
from pytest_spiral.model.attestation import Signer
from pytest_spiral.model.examination import ExaminationStatement
from pytest_spiral.model.gate import Criterion, Plan
from pytest_spiral.rules.canonical import digest
from pytest_spiral.rules.examination import render_statement
from pytest_spiral.rules.inventory import encode_inventory
from pytest_spiral.rules.trust import parse_trust, render_mark
from pytest_spiral.run.gate_run import summary_bytes
from pytest_spiral.run.grounds import Grounds
from pytest_spiral.run.selftest import certificate_bytes, certificate_of, judge_proven
from pytest_spiral.run.verify import verify_bundle

CRITERION, DOCUMENT, PATH = "B1.charter", "docs/charter.md", "attachments/examined-B1.charter-charter.md"
CHARTER, OTHER = b"# Charter\n\nWe roll back.\n", b"# Charter\n\nWe never roll back.\n"
ADA = "ada@example.org"


class People:
    """Ada, Bob and a stranger, each with an SSH key, and whoever signs with it."""

    def __init__(self, folder):
        self.folder = folder
        self.keys = {name: make_key() for name in ("ada", "bob", "stranger")}
        for name, key in self.keys.items():
            write_key(folder / name, key)

    def sign(self, who, data, space="spiral-signoff"):
        command = ["ssh-keygen", "-q", "-Y", "sign", "-n", space, "-f", self.folder / who]
        return subprocess.run(command, input=data, capture_output=True, check=True).stdout.decode()

    def line(self, who, principal, roles="spiral-signoff", options=""):
        return f'{principal} namespaces="{roles}"{options} {self.keys[who].public}'

    def trust(self, job, *lines):
        own = lines or (self.line("ada", ADA), self.line("bob", "bob@example.org"))
        return "\n".join((f'ci@example.org namespaces="spiral-job" {job.public}', *own))


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    return People(tmp_path_factory.mktemp("people"))


def stated(document=CHARTER, **changes):
    """The bytes of what somebody signs."""
    said = {
        "criterion": CRITERION,
        "document": DOCUMENT,
        "bytes": len(document),
        "sha256": digest(document),
        "signer": ADA,
        "examined": "2026-11-20T08:00:00Z",
    }
    return render_statement(ExaminationStatement(**{**said, **changes}))


def looked(statement=b"", signature="", document=CHARTER, **changes):
    """The record of a document as it lay there."""
    said = {"path": PATH, "bytes": len(document), "sha256": digest(document)}
    texts = {"statement": statement.decode(), "signature": signature}
    return record.DocumentSeen(**{"criterion": CRITERION, "document": DOCUMENT, **said, **texts, **changes})


@pytest.fixture
def job(signing, tmp_path, evidence_kit):
    """A run by a job that has its own key: these records, this document, a sound seal. Gives the bundle's folder."""

    def run(*records, document=CHARTER, fidelity=None):
        plan = evidence_kit.plan_of("max", "max(latency) <= 120 ms")
        charter = Criterion(id=CRITERION, method="examine", document=DOCUMENT, signer=ADA, fidelity=fidelity)
        gate = msgspec.structs.replace(plan.gates[0], criteria=(*plan.gates[0].criteria, charter))
        signer = Signer(keyid=signing.job.keyid, role="spiral-job")
        run = evidence_kit.Run(tmp_path / "reports", Plan(gates=(gate,)), signer=signer)
        item = evidence_kit.InventoryItem(id=evidence_kit.TESTS[0], criteria=(evidence_kit.CRITERION,))
        write_once(run.folder / "inventory.json", encode_inventory(evidence_kit.Inventory(items=(item,))))
        main = run.journal("main")
        if document is not None:
            (run.folder / "attachments").mkdir()
            write_once(run.folder / PATH, document)
            kept = {"name": "charter.md", "media_type": "text/markdown"}
            main.append(record.Attached(path=PATH, bytes=len(document), sha256=digest(document), **kept))
        for one in records:
            main.append(one)
        samples = run.samples(main, "main")
        for number in range(4):
            samples.add(evidence_kit.Sample(n=number, value=4.25))
        samples.close()
        main.append(record.Test(id=evidence_kit.TESTS[0], criteria=(evidence_kit.CRITERION,)))
        run.end(main)
        evidence = read_evidence(run.folder)
        write_once(run.folder / "selftest.json", certificate_bytes(certificate_of(evidence.plan)))
        write_once(run.folder / "summary.json", summary_bytes(judge_proven(evidence)))
        write_manifest(run.folder)
        return signing.sign(run.folder, signing.job)

    return run


@pytest.fixture
def ask(signing, people, seen_by_second):
    """Exit status for GO, and for a condition, and how the document came out: by a trust root, by both verifiers."""

    def verify(folder, *lines):
        trust = parse_trust(people.trust(signing.job, *lines), "trust")
        checked = verify_bundle(folder, Grounds(trust=trust))
        assert checked.report.findings == (), checked.report.findings
        assert seen_by_second(folder, 9) == (set(), "held"), "the second verifier judges it otherwise"
        judged = checked.proven or checked.judgement
        one = next(one for one in judged.criteria if one.id == CRITERION)
        return checked.status("go"), checked.status("conditional"), f"{one.verdict} {one.reason}".rstrip()

    return verify


def by_ada(people, statement=None, *, who="ada", space="spiral-signoff", **changes):
    """What the run found where somebody has signed."""
    statement = stated() if statement is None else statement
    return looked(statement, people.sign(who, statement, space), **changes)


SIGNATURES = {
    "nobody": lambda _: (looked(), "not-run unsigned"),
    "no-signature": lambda _: (looked(stated()), "not-run unsigned"),
    "no-statement": lambda people: (looked(signature=people.sign("ada", stated())), "not-run unsigned"),
    "another-criterion": lambda people: (by_ada(people, stated(criterion="B1.other")), "invalid examined-other"),
    "another-document": lambda people: (by_ada(people, stated(document=b"x")), "not-run document-changed"),
    "another-name": lambda people: (by_ada(people, stated(signer="bob@example.org")), "not-run other-signer"),
    "edited": lambda people: (
        looked(stated(note="yes"), people.sign("ada", stated(note="no"))),
        "invalid signature-broken",
    ),
    "for-git": lambda people: (by_ada(people, space="git"), "invalid signature-broken"),
    "for-waivers": lambda people: (by_ada(people, space="spiral-waiver"), "invalid signature-broken"),
    "bob-in-her-name": lambda people: (by_ada(people, who="bob"), "invalid signer-untrusted"),
    "a-stranger": lambda people: (by_ada(people, who="stranger"), "invalid signer-untrusted"),
    "later": lambda people: (by_ada(people, stated(examined="2026-11-23T08:00:00Z")), "invalid examined-later"),
    "rehearsed": lambda people: (by_ada(people, stated(rehearsal=True), who="stranger"), "not-run rehearsal"),
    "rehearsal-denied": lambda people: (
        looked(stated(), people.sign("stranger", stated(rehearsal=True))),
        "invalid signature-broken",
    ),
    "no-json": lambda people: (by_ada(people, b"Ada has examined it\n"), "invalid signature-broken"),
    "said-twice": lambda people: (
        by_ada(people, stated().replace(b'"note": ""', b'"note": "", "signer": "ada"')),
        "invalid signature-broken",
    ),
    "looked-elsewhere": lambda people: (
        by_ada(people, document=CHARTER, path="attachments/x"),
        "invalid document-unkept",
    ),
    "not-there": lambda people: (by_ada(people, path=""), "not-run document-missing"),
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_what_ada_did_not_sign_opens_no_gate(people, job, ask, name):
    one, expected = SIGNATURES[name](people)
    assert ask(job(one)) == (1, 1, expected)


def test_what_ada_signed_is_no_signature_of_another_document(people, job, ask):
    changed = by_ada(people)
    changed = msgspec.structs.replace(changed, bytes=len(OTHER), sha256=digest(OTHER))
    assert ask(job(changed, document=OTHER)) == (1, 1, "not-run document-changed")


def test_the_record_says_of_the_document_what_lies_in_the_bundle(people, job, ask):
    assert ask(job(by_ada(people), document=OTHER)) == (1, 1, "invalid document-unkept")


def test_the_document_itself_must_be_kept(people, job, ask):
    assert ask(job(by_ada(people), document=None)) == (1, 1, "invalid document-unkept")


def test_a_record_that_is_left_out_is_missed(job, ask):
    assert ask(job()) == (1, 1, "not-run unsigned")


@pytest.mark.parametrize("first", [0, 1])
def test_a_good_record_beside_a_bad_one_is_one_too_many(people, job, ask, first):
    both = [by_ada(people), looked()]
    assert ask(job(both[first], both[1 - first])) == (1, 1, "invalid examined-twice")


TRUSTS = {
    "no-key-of-hers": lambda people: (people.line("bob", ADA),),
    "another-role": lambda people: (people.line("ada", ADA, "spiral-waiver,spiral-revoke"),),
    "another-name": lambda people: (people.line("ada", "ada@example.net"),),
    "expired": lambda people: (people.line("ada", ADA, options=',valid-before="20261119Z"'),),
    "not-yet": lambda people: (people.line("ada", ADA, options=',valid-after="20261121Z"'),),
    "stolen": lambda people: (people.line("ada", ADA), render_mark("compromised", people.keys["ada"].keyid, 0)),
    "superseded": lambda people: (people.line("ada", ADA), render_mark("superseded", people.keys["ada"].keyid, 9)),
}


@pytest.mark.parametrize("name", TRUSTS)
def test_a_key_counts_as_the_trust_root_says(people, job, ask, name):
    assert ask(job(by_ada(people)), *TRUSTS[name](people)) == (1, 1, "invalid signer-untrusted")


def test_an_unsigned_bundle_is_not_believed_what_ada_signed(people, job, signing):
    folder = job(by_ada(people))
    (folder / "attestation.dsse.json").unlink()
    checked = verify_bundle(folder, Grounds(trust=parse_trust(people.trust(signing.job), "trust")))
    assert checked.status("conditional") != 0
    assert checked.proven is None


@pytest.mark.sound
def test_what_ada_signed_opens_the_gate_for_whoever_knows_her_key(people, job, ask):
    assert ask(job(by_ada(people))) == (0, 0, "pass")


@pytest.mark.sound
@pytest.mark.parametrize("who", ["ada", "stranger"])
def test_a_rehearsal_is_a_condition_whoever_signed_it(people, job, ask, who):
    rehearsed = by_ada(people, stated(rehearsal=True), who=who)
    assert ask(job(rehearsed, fidelity="live")) == (1, 0, "environment-limited fidelity")


@pytest.mark.sound
def test_without_a_trust_root_it_is_a_condition(people, job):
    checked = verify_bundle(job(by_ada(people)))
    assert (checked.status("go"), checked.status("conditional")) == (1, 0)
