"""Who vouches for a bundle: each way of tampering with that has its code, and every changed byte is found."""

import base64
import itertools
import json
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from pytest_spiral.errors import EvidenceError
from pytest_spiral.evidence.attest import write_attestation
from pytest_spiral.evidence.envelope import sign_payload
from pytest_spiral.evidence.read import read_evidence
from pytest_spiral.evidence.state import classify
from pytest_spiral.model.attestation import DecisionStatement, LedgerPlace
from pytest_spiral.model.launcher import Escape
from pytest_spiral.model.verdict import Decision, Verdict
from pytest_spiral.rules.attestation import result_statement
from pytest_spiral.rules.canonical import canonical_bytes, digest
from pytest_spiral.rules.expectation import parse_expectation
from pytest_spiral.rules.integrity import REASONS
from pytest_spiral.rules.judge import judge
from pytest_spiral.run.grounds import Grounds, Logged
from pytest_spiral.run.verify import verify_bundle

ATTESTATION = "attestation.dsse.json"
RESULT = "test-result.dsse.json"
OTHER_DIGEST = "0" * 64
MUTATIONS = "mutations of a signed bundle found"
SECOND = Path(__file__).parents[2] / "tools" / "verify_bundle.py"


def changed(**fields):
    """A confinement, but for these fields; each may be a function of the field's own value."""

    def change(confined):
        new = {name: made(getattr(confined, name)) if callable(made) else made for name, made in fields.items()}
        return msgspec.structs.replace(confined, **new)

    return change


@pytest.fixture
def check(signing):
    """Verify a bundle against a trust root; without one: each role's key."""

    def checked(folder, trust=None, **grounds):
        return verify_bundle(folder, Grounds(trust=trust or signing.trust(), **grounds))

    return checked


def codes(checked):
    return {one.code for one in checked.report.findings}


def envelope_of(folder, name=ATTESTATION):
    return json.loads((folder / name).read_bytes())


def payload_of(folder, name=ATTESTATION):
    return json.loads(base64.b64decode(envelope_of(folder, name)["payload"]))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def put(folder, envelope, name=ATTESTATION):
    (folder / name).write_bytes(canonical_bytes(envelope))


def change_envelope(change):
    """Change the envelope, and spell it as it must be."""

    def tamper(folder, _):
        envelope = envelope_of(folder)
        change(envelope)
        put(folder, envelope)

    return tamper


def respell(spell):
    """Spell the envelope in another way that means the same."""

    def tamper(folder, _):
        (folder / ATTESTATION).write_bytes(spell(envelope_of(folder)))

    return tamper


def signing_anew(change, key="job"):
    """Change the statement, and sign it: somebody who holds the key says something else."""

    def tamper(folder, signing):
        statement = payload_of(folder)
        change(statement)
        (folder / ATTESTATION).write_bytes(sign_payload(canonical_bytes(statement), getattr(signing, key)))

    return tamper


def set_in(*path, to):
    def change(document):
        *way, last = path
        for step in way:
            document = document[step]
        document[last] = to

    return change


def flipped(text):
    data = bytearray(base64.b64decode(text))
    data[-1] ^= 1
    return base64.b64encode(data).decode()


def double_signature(envelope):
    envelope["signatures"] *= 2


def other_payload(envelope):
    payload = json.loads(base64.b64decode(envelope["payload"]))
    payload["predicate"]["decision"] = "NO-GO"
    envelope["payload"] = base64.b64encode(canonical_bytes(payload)).decode()


def other_signature(envelope):
    envelope["signatures"][0]["sig"] = flipped(envelope["signatures"][0]["sig"])


def unused_bits(text):
    """The same bytes in base64, with a bit set where the padding ends."""
    assert text.endswith("==")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return text[:-3] + alphabet[alphabet.index(text[-3]) + 1] + "=="


def loose_signature(envelope):
    envelope["signatures"][0]["sig"] = unused_bits(envelope["signatures"][0]["sig"])


def short_signature(envelope):
    envelope["signatures"][0]["sig"] = base64.b64encode(bytes(63)).decode()


def reordered(envelope):
    return json.dumps(dict(reversed(envelope.items())), separators=(",", ":")).encode()


TAMPERINGS = {
    "a byte of the payload": (change_envelope(other_payload), "attestation-signature"),
    "a bit of the signature": (change_envelope(other_signature), "attestation-signature"),
    "spacing": (respell(lambda one: json.dumps(one, sort_keys=True).encode()), "not-canonical"),
    "order of keys": (respell(reordered), "not-canonical"),
    "a line end": (respell(lambda one: canonical_bytes(one) + b"\n"), "not-canonical"),
    "no JSON": (respell(lambda _: b"{"), "json-syntax"),
    "nothing": (respell(lambda _: b""), "json-syntax"),
    "a field more": (change_envelope(set_in("note", to="x")), "field-wrong"),
    "a second signature": (change_envelope(double_signature), "attestation-form"),
    "no signature": (change_envelope(set_in("signatures", to=[])), "attestation-form"),
    "unused bits of base64": (change_envelope(loose_signature), "attestation-form"),
    "a short signature": (change_envelope(short_signature), "attestation-form"),
    "base64 of URLs": (change_envelope(set_in("payload", to="_-_-")), "attestation-form"),
    "payload type": (change_envelope(set_in("payloadType", to="application/json")), "attestation-type"),
    "statement type": (signing_anew(set_in("_type", to="https://in-toto.io/Statement/v0.1")), "attestation-type"),
    "predicate type": (signing_anew(set_in("predicateType", to="https://slsa.dev/provenance/v1")), "attestation-type"),
    "a statement with a field more": (signing_anew(set_in("note", to="x")), "field-wrong"),
    "another manifest": (signing_anew(set_in("subject", 0, "digest", "sha256", to=OTHER_DIGEST)), "attestation-subject"),
    "another subject": (signing_anew(set_in("subject", 0, "name", to="plan.json")), "attestation-subject"),
    "no subject": (signing_anew(set_in("subject", to=[])), "attestation-subject"),
    "run": (signing_anew(set_in("predicate", "run", to="other")), "attestation-statement"),
    "status": (signing_anew(set_in("predicate", "status", to="interrupted")), "attestation-statement"),
    "plan": (signing_anew(set_in("predicate", "plan", to=f"sha256:{OTHER_DIGEST}")), "attestation-statement"),
    "bundle": (signing_anew(set_in("predicate", "bundle", to=f"sha256:{OTHER_DIGEST}")), "attestation-statement"),
    "rules": (signing_anew(set_in("predicate", "rules", to="spiral-rules/2")), "attestation-statement"),
    "target": (signing_anew(set_in("predicate", "target", to="live")), "attestation-statement"),
    "profile": (signing_anew(set_in("predicate", "profile", to="rack")), "attestation-statement"),
    "decision": (signing_anew(set_in("predicate", "decision", to="CONDITIONAL GO")), "attestation-statement"),
    "stage": (signing_anew(set_in("predicate", "stages", "stage_b", to="NO-GO")), "attestation-statement"),
    "a gate more": (signing_anew(set_in("predicate", "gates", "B2", to="GO")), "attestation-statement"),
    "no gates": (signing_anew(set_in("predicate", "gates", to={})), "attestation-statement"),
    "verdict": (signing_anew(set_in("predicate", "verdicts", "B1.latency", to="fail")), "attestation-statement"),
    "producer": (signing_anew(set_in("predicate", "producer", "version", to="9")), "attestation-statement"),
    "isolation that a job has not": (signing_anew(set_in("predicate", "isolation", to="launcher")), "attestation-statement"),
    "countersigned by the job": (signing_anew(set_in("predicate", "isolation", to="countersign")), "attestation-role"),
    "another key of the trust root": (signing_anew(lambda _: None, "recorder"), "attestation-signer"),
    "a key of nobody": (signing_anew(lambda _: None, "stranger"), "attestation-key-unknown"),
    "the name of another key": (change_envelope(set_in("signatures", 0, "keyid", to="SHA256:x")), "attestation-key-unknown"),
}  # fmt: skip


def test_a_signed_bundle_is_proven_signed_by_the_trust_root_alone(signed, check):
    checked = check(signed)
    assert (codes(checked), checked.signed, checked.level, checked.judgement.signed) == (set(), "job", "E1", "job")
    assert (checked.report.checked(4).state, checked.status("go")) == ("held", 0)
    alone = verify_bundle(signed)
    assert (codes(alone), alone.signed, alone.level, alone.judgement.signed) == (set(), "none", "E0", "none")
    assert alone.report.checked(4).state == "cannot-tell"
    assert alone.report.checked(4).note.startswith("no trust root given")


@pytest.mark.parametrize(("tamper", "code"), TAMPERINGS.values(), ids=TAMPERINGS)
def test_each_tampering_has_its_code(signed, signing, check, tamper, code):
    tamper(signed, signing)
    checked = check(signed)
    assert code in codes(checked)
    assert (checked.report.outcome, checked.signed, checked.status("conditional")) == ("untrusted", "none", 3)


@pytest.mark.parametrize("name", [name for name, (_, code) in TAMPERINGS.items() if "key" not in code])
def test_what_needs_no_key_is_found_without_a_trust_root(signed, signing, name):
    tamper, code = TAMPERINGS[name]
    tamper(signed, signing)
    needs_root = code in ("attestation-signature", "attestation-role")
    assert (code in codes(verify_bundle(signed))) is (not needs_root)


def test_an_attestation_of_another_bundle_is_about_another_manifest(signed, signing, check):
    other = signing.sign(signing.run(signing.job, argv=("pytest",)), signing.job)
    (signed / ATTESTATION).write_bytes((other / ATTESTATION).read_bytes())
    assert {"attestation-subject", "attestation-statement"} <= codes(check(signed))


def test_an_edit_that_mends_the_manifest_is_found(signed, check, forger_of):
    forger = forger_of(signed)
    forger.edit("summary.json", lambda data: data + b" ")
    forger.seal()
    assert "attestation-subject" in codes(check(signed))


def test_a_bundle_that_was_to_be_signed_and_is_not_decides_nothing(signing, check):
    folder = signing.run(signing.job)
    checked = check(folder)
    assert (classify(folder), checked.report.state) == ("unattested", "unattested")
    assert (codes(checked), checked.report.outcome, checked.status("conditional")) == (
        {"unsealed-unattested"},
        "unsealed",
        1,
    )
    signing.sign(folder, signing.job)
    assert (classify(folder), check(folder).status("go")) == ("sealed", 0)


def test_an_unsigned_bundle_is_refused_where_a_trust_root_is_given(signing, check):
    folder = signing.run()
    assert (classify(folder), verify_bundle(folder).status("go")) == ("sealed", 0)
    assert verify_bundle(folder).report.checked(4).state == "not-checked"
    checked = check(folder)
    assert (codes(checked), checked.status("conditional")) == ({"attestation-missing"}, 3)


# The trust root decides


def test_the_trust_root_sets_the_level_and_never_the_bundle(signing, check):
    recorder = signing.run(signing.recorder, "spiral-recorder", confinement=signing.CONFINED)
    signing.sign(recorder, signing.recorder, isolation="launcher")
    assert (codes(check(recorder)), check(recorder).signed, check(recorder).level) == (set(), "recorder", "E2")
    both = signing.trust(signing.line(signing.recorder, "spiral-job,spiral-recorder"))
    assert (check(recorder, both).signed, check(recorder, both).level) == ("job", "E1"), (
        "a job's key can be read by tests"
    )
    claimed = signing.run(signing.job, "spiral-recorder", confinement=signing.CONFINED)
    signing.sign(claimed, signing.job, isolation="launcher")
    assert codes(check(claimed)) == {"attestation-role"}


def test_a_recorder_that_could_not_keep_its_key_proves_no_more_than_a_job(signing, check):
    folder = signing.sign(signing.run(signing.recorder, "spiral-recorder"), signing.recorder)
    checked = check(folder)
    assert (codes(checked), checked.signed, checked.level) == (set(), "job", "E1")
    assert "could not keep its key from the tests" in checked.report.checked(4).note


UNCONFINED = {
    "nothing said": lambda _: None,
    "root": changed(uid=0, gid=0),
    "the launcher's own user": changed(launcher=65534),
    "an attempt that went through": changed(escapes=lambda kept: (Escape(aim="key", refused=""), *kept[1:])),
    "an attempt that nobody made": changed(escapes=lambda kept: kept[1:]),
    "a ledger that could be written to": changed(escapes=lambda kept: (*kept, Escape(aim="ledger", refused=""))),
    "a capability": changed(state=lambda kept: {**kept, "CapBnd": "0000000000000001"}),
    "a group": changed(state=lambda kept: {**kept, "Groups": "4"}),
    "new rights": changed(state=lambda kept: {**kept, "NoNewPrivs": "0"}),
    "no state": changed(state={}),
    "a reason": changed(why="the launcher is no root user here"),
}


@pytest.mark.parametrize("change", UNCONFINED.values(), ids=list(UNCONFINED))
def test_isolation_by_a_launcher_that_did_not_confine_is_found(signing, check, change):
    folder = signing.run(signing.recorder, "spiral-recorder", confinement=change(signing.CONFINED))
    signing.sign(folder, signing.recorder, isolation="launcher")
    checked = check(folder)
    assert (codes(checked), checked.level) == ({"attestation-statement"}, "E0")
    second = subprocess.run(
        [sys.executable, "-I", str(SECOND), str(folder), "--json"], capture_output=True, text=True, check=False
    )
    assert {one["code"] for one in json.loads(second.stdout)["report"]["findings"]} == {"attestation-statement"}


@pytest.mark.parametrize("announced", [False, True])
def test_a_recorder_may_countersign_what_it_verified(signing, check, announced):
    folder = signing.run(signing.job if announced else None)
    signing.sign(folder, signing.recorder, isolation="countersign")
    checked = check(folder)
    assert (codes(checked), checked.signed) == (set(), "recorder")


def test_nobody_signs_in_place_of_nobody_without_having_verified(signing, check):
    folder = signing.sign(signing.run(), signing.job)
    assert "attestation-signer" in codes(check(folder))
    assert codes(verify_bundle(folder)) == {"attestation-signer"}


def test_a_run_that_was_interrupted_is_signed_as_such(signing, check):
    folder = signing.sign(signing.run(signing.job, status="interrupted"), signing.job)
    checked = check(folder)
    assert (codes(checked), checked.signed) == (set(), "job")
    assert payload_of(folder)["predicate"]["status"] == "interrupted"


def test_a_key_that_is_not_there_vouches_for_nothing(signed, signing, check):
    checked = check(signed, signing.trust(signing.line(signing.stranger)))
    assert codes(checked) == {"attestation-key-unknown"}
    assert {one.path for one in checked.report.findings} == {ATTESTATION, RESULT}


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (',valid-after="20261123Z"', "attestation-key-time"),
        (',valid-before="20261121Z"', "attestation-key-time"),
        (',valid-before="20261122092959Z"', "attestation-key-time"),
        (',valid-after="20261122Z",valid-before="20261123Z"', ""),
    ],
)
def test_a_key_counts_while_it_is_valid(signed, signing, check, options, code):
    checked = check(signed, signing.trust(signing.line(signing.job, options=options)))
    assert codes(checked) == ({code} if code else set())


@pytest.mark.parametrize("word", ["superseded", "compromised"])
def test_a_revoked_key_counts_only_before_its_end_in_a_ledger(signed, signing, check, word):
    mark = f"# spiral: {word} {signing.job.keyid} {'at' if word == 'superseded' else 'since'} 7"
    trust = signing.trust(signing.line(signing.job), mark)
    code = f"attestation-key-{word}"
    assert codes(check(signed, trust)) == {code}, "no ledger shows where it stands"
    seal = digest((signed / ATTESTATION).read_bytes())
    assert codes(check(signed, trust, logged=Logged(7, seal))) == {code}
    assert codes(check(signed, trust, logged=Logged(8, seal))) == {code}
    assert codes(check(signed, trust, logged=Logged(6))) == {code}, "the ledger names no attestation"
    assert codes(check(signed, trust, logged=Logged(6, digest(b"another")))) == {code}, "it names another one"
    assert check(signed, trust, logged=Logged(6, seal)).signed == "job"


# Test result


def result_anew(change, key="job"):
    """Change the test result, sign it, and sign the whole bundle again."""

    def tamper(folder, signing):
        statement = payload_of(folder, RESULT)
        change(statement)
        (folder / RESULT).write_bytes(sign_payload(canonical_bytes(statement), getattr(signing, key)))

    return tamper


@pytest.mark.parametrize(
    ("tamper", "code"),
    [
        (result_anew(set_in("predicate", "result", to="FAILED")), "test-result-mismatch"),
        (result_anew(set_in("predicate", "passedTests", to=[])), "test-result-mismatch"),
        (result_anew(set_in("subject", 0, "digest", "gitCommit", to="0" * 40)), "test-result-mismatch"),
        (result_anew(lambda _: None, "recorder"), "attestation-signer"),
        (lambda folder, _: (folder / RESULT).unlink(), "test-result-missing"),
        (lambda folder, _: (folder / RESULT).write_bytes(b"{}"), "field-wrong"),
    ],
)
def test_a_false_test_result_is_found_however_it_is_sealed(signing, check, forger_of, tamper, code):
    folder = signing.sign(signing.run(signing.job), signing.job)
    assert codes(check(folder)) == set()
    (folder / ATTESTATION).unlink()
    tamper(folder, signing)
    forger_of(folder).seal()
    signing.sign(folder, signing.job)
    assert codes(check(folder)) == {code}


@pytest.mark.parametrize("git", [{}, {"commit": "3f9c" * 10, "dirty": True}])
def test_no_test_result_is_written_where_no_artifact_can_be_named(signing, check, git):
    folder = signing.sign(signing.run(signing.job, git=git), signing.job)
    assert not (folder / RESULT).exists()
    assert codes(check(folder)) == set()


def test_a_test_result_in_an_unsigned_bundle_is_found(signed, signing, forger_of):
    folder = signing.run()
    (folder / RESULT).write_bytes((signed / RESULT).read_bytes())
    forger_of(folder).seal()
    assert codes(verify_bundle(folder)) == {"test-result-unexpected"}


def test_the_test_result_is_what_in_toto_says(signed):
    statement = payload_of(signed, RESULT)
    plan = json.loads((signed / "manifest.json").read_bytes())["files"]
    (digest,) = [one["sha256"].removeprefix("sha256:") for one in plan if one["path"] == "plan.json"]
    commit = "3f9c1a0000000000000000000000000000000001"
    assert statement == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": f"git+{commit}", "digest": {"gitCommit": commit}}],
        "predicateType": "https://in-toto.io/attestation/test-result/v0.1",
        "predicate": {
            "result": "PASSED",
            "configuration": [{"name": "plan.json", "digest": {"sha256": digest}}],
            "passedTests": ["B1.latency"],
            "warnedTests": [],
            "failedTests": [],
        },
    }


@pytest.mark.parametrize(
    ("verdict", "level", "listed"),
    [
        ("pass", "blocker", "passed_tests"),
        ("pass", "advisory", "passed_tests"),
        ("environment-limited", "blocker", "warned_tests"),
        ("not-run", "blocker", "failed_tests"),
        ("inconclusive", "blocker", "failed_tests"),
        ("fail", "blocker", "failed_tests"),
        ("invalid", "blocker", "failed_tests"),
        ("fail", "advisory", "warned_tests"),
        ("inapplicable", "blocker", None),
    ],
)
def test_each_verdict_has_its_list(signed, verdict, level, listed):
    evidence = read_evidence(signed)
    judgement = judge(evidence)
    (one,) = judgement.criteria
    changed = msgspec.structs.replace(one, verdict=Verdict(verdict), level=level)
    predicate = result_statement(evidence, msgspec.structs.replace(judgement, criteria=(changed,))).predicate
    lists = ("passed_tests", "warned_tests", "failed_tests")
    assert [name for name in lists if getattr(predicate, name)] == ([listed] if listed else [])


@pytest.mark.parametrize(
    ("decision", "result"),
    [
        ("GO", "PASSED"),
        ("CONDITIONAL GO", "WARNED"),
        ("NO-GO", "FAILED"),
        ("NOT-EVALUABLE", "FAILED"),
        (None, "FAILED"),
    ],
)
def test_each_decision_has_its_result(signed, decision, result):
    evidence = read_evidence(signed)
    judgement = msgspec.structs.replace(judge(evidence), decision=Decision(decision) if decision else None)
    assert result_statement(evidence, judgement).predicate.result == result


# Expectations and time


def expecting(**stated):
    lines = [f"{key} = {json.dumps(value) if key != 'published' else value}" for key, value in stated.items()]
    return parse_expectation("\n".join(["format = 1", *lines]), "expect.toml")


TEST = "suites/test_b1.py::test_search"
COMMIT = "3f9c1a0000000000000000000000000000000001"


@pytest.mark.parametrize(
    ("stated", "code"),
    [
        ({"run": "20261122T093000Z-stage_b-3f9c1a"}, None),
        ({"run": "20261122T093000Z-stage_b-3f9c1b"}, "expected-run"),
        ({"plan": f"sha256:{OTHER_DIGEST}"}, "expected-plan"),
        ({"commit": COMMIT}, None),
        ({"commit": "0" * 40}, "expected-commit"),
        ({"criteria": ["B1.latency"]}, None),
        ({"criteria": ["B1.latency", "B1.recall"]}, "expected-criterion"),
        ({"criteria": ["B1.recall"]}, "expected-criterion"),
        ({"tests": [TEST]}, None),
        ({"tests": [TEST, "suites/test_b1.py::test_recall"]}, "expected-test"),
        ({"tests": ["suites/test_b1.py::test_recall"]}, "expected-test"),
        ({"level": "E0"}, None),
        ({"level": "E1"}, None),
        ({"level": "E2"}, "expected-level"),
        ({"published": "2026-11-22T10:00:00Z"}, None),
        ({"published": "2026-11-22T10:30:00+01:00"}, None),
        ({"published": "2026-11-22T09:20:00Z"}, "moment-order"),
    ],
)
def test_a_bundle_is_held_against_what_is_expected(signed, check, stated, code):
    checked = check(signed, expectation=expecting(**stated))
    assert codes(checked) == ({code} if code else set())
    assert checked.status("go") == (3 if code else 0)


def test_many_differences_are_counted(signed, check):
    found = check(signed, expectation=expecting(tests=[TEST, *map(str, range(9))])).report.findings
    assert [one.sentence for one in found][-2:] == [
        "4 is expected and was not selected.",
        "4 more differences of this kind.",
    ]


def test_a_tested_tree_with_changes_is_not_the_commit(signing, check):
    folder = signing.sign(signing.run(signing.job, git={"commit": COMMIT, "dirty": True}), signing.job)
    assert codes(check(folder, expectation=expecting(commit=COMMIT))) == {"expected-commit"}


def test_an_unsealed_run_is_not_held_against_expectations(signing, check):
    folder = signing.run(signing.job)
    assert check(folder, expectation=expecting(level="E1", run="other")).status("go") == 1


def test_without_a_trust_root_a_level_is_not_reached(signed):
    checked = verify_bundle(signed, Grounds(expectation=expecting(level="E1")))
    assert codes(checked) == {"expected-level"}
    assert checked.report.checked(4).note.startswith("no trust root given")


def test_what_nothing_tells_of_time_cannot_be_told(signed, check):
    step = check(signed).report.checked(8)
    assert (step.state, step.note) == (
        "cannot-tell",
        "nothing tells when: collected, attestation, sealed, publishing commit",
    )


@pytest.mark.parametrize(("late", "found"), [(299, set()), (302, {"moment-order"})])
def test_a_commit_after_the_run_that_tested_it_is_found(signing, check, late, found):
    git = {"commit": COMMIT, "committed": 1_795_339_800 + late, "dirty": False}
    assert codes(check(signing.sign(signing.run(signing.job, git=git), signing.job))) == found


@pytest.mark.parametrize(("at", "found"), [(-301, {"moment-order"}), (-299, set()), (1, set())])
def test_a_ledger_that_sealed_before_the_end_is_found(signed, check, at, found):
    checked = check(signed, logged=Logged(9, sealed=1_795_339_800_000_000 + at * 1_000_000))
    assert codes(checked) == found
    assert "sealed" not in checked.report.checked(8).note


# Writing


def test_the_attestation_is_never_overwritten_and_leaves_nothing_behind(signed, signing):
    before = names(signed), names(signed.parent)
    statement = msgspec.convert(payload_of(signed), DecisionStatement)
    with pytest.raises(EvidenceError, match="never overwritten"):
        write_attestation(signed, statement, signing.job)
    assert (names(signed), names(signed.parent)) == before


def test_an_attestation_names_its_place_in_the_ledger(signing, check):
    place = LedgerPlace(id=f"sha256:{OTHER_DIGEST}", opened=4, collected=5)
    folder = signing.sign(signing.run(signing.job), signing.job, ledger=place)
    assert payload_of(folder)["predicate"]["ledger"] == {"id": f"sha256:{OTHER_DIGEST}", "opened": 4, "collected": 5}
    assert codes(check(folder)) == {"ledger-differs"}, "a run that was registered nowhere stands nowhere"


# Every byte, every field


def mutations(data):
    """Every byte changed, removed or doubled, in turn."""
    for at in range(len(data)):
        kind = at % 3
        if kind == 0:
            yield data[:at] + bytes([data[at] ^ (1 + at % 255)]) + data[at + 1 :]
        else:
            yield data[:at] + data[at : at + 1] * (0 if kind == 1 else 2) + data[at + 1 :]


def test_every_changed_byte_of_a_signed_bundle_is_found(signed, check, tally):
    files = {path: path.read_bytes() for path in sorted(signed.rglob("*")) if path.is_file()}
    found = 0
    for path, data in files.items():
        for changed in mutations(data):
            path.write_bytes(changed)
            found += check(signed).status("conditional") == 3
        path.write_bytes(data)
    total = sum(map(len, files.values()))
    tally(found, total, MUTATIONS)
    assert found == total > 5000
    assert check(signed).status("go") == 0


class Pairs(list):
    """An object as its pairs, so that a key can be doubled."""


def spelled(value):
    if isinstance(value, Pairs):
        return "{" + ",".join(f"{json.dumps(key)}:{spelled(one)}" for key, one in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(spelled, value)) + "]"
    return json.dumps(value)


def retyped(value):
    return {str: 0, int: "x", float: "x", bool: None, type(None): 0, Pairs: [], list: Pairs()}[type(value)]


def containers(value):
    if isinstance(value, list):
        yield value
        for one in value:
            yield from containers(one[1] if isinstance(value, Pairs) else one)


def changed_fields(text):
    """The document with each field removed, doubled, retyped, and swapped with the next one."""
    whole = json.loads(text, object_pairs_hook=Pairs)
    for held in list(containers(whole)):
        before = list(held)
        for at, one in enumerate(before):
            value = one[1] if isinstance(held, Pairs) else one
            named = (one[0], retyped(value)) if isinstance(held, Pairs) else retyped(value)
            ways = [[], [one, one], [named]]
            for way in ways:
                held[:] = [*before[:at], *way, *before[at + 1 :]]
                yield spelled(whole)
            if at + 1 < len(before):
                held[:] = [*before[:at], before[at + 1], one, *before[at + 2 :]]
                if spelled(before) != spelled(held):
                    yield spelled(whole)
            held[:] = before


def test_every_changed_field_of_a_signed_bundle_is_found_though_the_manifest_is_mended(signed, check, forger_of, tally):
    forger, total, found = forger_of(signed), 0, 0
    files = {path: path.read_bytes() for path in sorted(signed.rglob("*.json*")) if path.is_file()}
    manifest = signed / "manifest.json"
    for path, data in files.items():
        lines = data.splitlines() if path.suffix == ".jsonl" else [data]
        for number, line in enumerate(lines):
            for changed in changed_fields(line.decode()):
                ending = b"\n" if path.suffix == ".jsonl" else b""
                told = [*lines[:number], changed.encode(), *lines[number + 1 :]]
                path.write_bytes(b"".join(one + ending for one in told))
                if path not in (manifest, signed / ATTESTATION):
                    forger.seal()
                total += 1
                found += check(signed).status("conditional") == 3
        path.write_bytes(data)
        manifest.write_bytes(files[manifest])
    tally(found, total, MUTATIONS)
    assert found == total > 1000
    assert check(signed).status("go") == 0


def test_every_changed_field_of_a_statement_is_found(signed, check, tally):
    total = found = 0
    envelope = envelope_of(signed)
    for changed in changed_fields(base64.b64decode(envelope["payload"]).decode()):
        put(signed, {**envelope, "payload": base64.b64encode(changed.encode()).decode()})
        total += 1
        found += check(signed).status("conditional") == 3
    tally(found, total, MUTATIONS)
    assert found == total > 50


def test_every_file_swapped_with_another_is_found(signed, check, tally):
    files = {path: path.read_bytes() for path in sorted(signed.rglob("*")) if path.is_file()}
    pairs = list(itertools.combinations(files, 2))
    found = 0
    for one, other in pairs:
        one.write_bytes(files[other])
        other.write_bytes(files[one])
        found += check(signed).status("conditional") == 3
        one.write_bytes(files[one])
        other.write_bytes(files[other])
    tally(found, len(pairs), MUTATIONS)
    assert found == len(pairs) > 20


def test_every_code_of_these_steps_is_provoked_here():
    own = {one.code for one in REASONS.values() if one.step in (4, 7, 8) or one.code.startswith("expected-")}
    own -= {"launcher-start"}  # `spiral record` finds it before it signs
    own -= {one for one in own if one.startswith("parity-")}  # test_traces.py
    told = set(re.findall(r'"([a-z-]+)"', Path(__file__).read_text()))
    built = {f"attestation-key-{word}" for word in ("superseded", "compromised")}
    assert own - told - built == set()
    assert own >= {code for _, code in TAMPERINGS.values() if REASONS[code].step == 4}
