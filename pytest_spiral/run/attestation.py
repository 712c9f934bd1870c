"""Step 4 of the verifier: who vouches for a bundle, for exactly these bytes, and for what it really gives."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from pytest_spiral.errors import UntrustedError
from pytest_spiral.evidence.envelope import open_envelope, parse_statement, verify_signature
from pytest_spiral.evidence.findings import noted
from pytest_spiral.evidence.folder import Folder
from pytest_spiral.evidence.read import read_bundle
from pytest_spiral.evidence.report import Report, StepState
from pytest_spiral.model.attestation import (
    BundleRole,
    DecisionPredicate,
    DecisionStatement,
    Envelope,
    ResultStatement,
    Signed,
    Signer,
)
from pytest_spiral.model.evidence import BundleStart, Evidence
from pytest_spiral.model.judgement import Judgement
from pytest_spiral.model.trust import ED25519
from pytest_spiral.rules.attestation import decision_predicate, predicate_faults, result_statement, subject_faults
from pytest_spiral.rules.canonical import digest
from pytest_spiral.rules.confinement import confinement_faults
from pytest_spiral.rules.integrity import Finding, finding, shown
from pytest_spiral.rules.paths import ATTESTATION, TEST_RESULT
from pytest_spiral.rules.trust import key_faults
from pytest_spiral.run.grounds import Grounds

_STEP = 4
_NO_ROOT = "no trust root given"


@dataclass(slots=True)
class Attested:
    """How step 4 came out, as what the bundle is proven to be signed, by which key, and what that signed.

    Key and statement are what the envelope says; they are proven where `signed` is not `none`.
    """

    state: StepState = "held"
    note: str = ""
    signed: Signed = "none"
    keyid: str = ""
    statement: DecisionStatement | None = None
    findings: list[Finding] = field(default_factory=list)

    @property
    def predicate(self) -> DecisionPredicate | None:
        """What the statement says was decided."""
        return self.statement.predicate if self.statement is not None else None

    def add(self, code: str, path: str, sentence: str) -> None:
        """Take a finding."""
        self.findings.append(finding(code, path, sentence))


@dataclass(frozen=True, slots=True)
class _Case:
    """What both envelopes of a bundle are held against."""

    start: BundleStart
    start_digest: str
    report: Report
    judged: tuple[Evidence, Judgement] | None
    grounds: Grounds
    attestation: str = ""


def check_attestation(
    folder: Path, report: Report, judged: tuple[Evidence, Judgement] | None, grounds: Grounds
) -> Attested:
    """Check the attestation and the test result of a bundle.

    Envelope canonical, payload type, one signature; subject is this manifest; predicate is what the bundle gives;
    the key is in the trust root for its role, was valid, and signed exactly these bytes. `judged` is None where the
    evidence cannot be judged: the rest is checked all the same. Without a trust root nobody vouches.
    """
    with Folder(folder) as opened:
        try:
            start, data = read_bundle(opened, grounds.limits)
        except UntrustedError:
            return Attested("not-checked", "bundle.json cannot be read, and it names who signs")
        case = _Case(start, digest(data), report, judged, grounds)
        if not report.manifest or not opened.has(ATTESTATION):
            return _unsigned(case, opened)
        done = _signed(case, opened)
    if done.findings and not any(one.step == _STEP for one in done.findings):
        done.state, done.note = "not-checked", "an envelope cannot be read"
    return done


def _unsigned(case: _Case, folder: Folder) -> Attested:
    done = Attested("not-checked", "the bundle is not signed")
    if case.report.state == "unattested" or not case.report.manifest:
        done.note = "there is no attestation yet"
        return done
    if folder.has(TEST_RESULT):
        done.add("test-result-unexpected", TEST_RESULT, "the bundle is not signed.")
    if case.grounds.trust is not None:
        done.add("attestation-missing", ATTESTATION, "a trust root was given, and nobody has signed this bundle.")
    return done


def _signed(case: _Case, folder: Folder) -> Attested:
    done = Attested()
    with noted(done.findings.append, ATTESTATION):
        data = folder.read(ATTESTATION, case.grounds.limits.json)
        case = replace(case, attestation=digest(data))
        envelope = open_envelope(data, case.grounds.limits)
        statement = parse_statement(envelope.payload, DecisionStatement, case.grounds.limits)
        done.keyid, done.statement = envelope.keyid, statement
        signer = _signer(case, envelope, statement, done)
        _check_statement(case, statement, done)
        known = case.grounds.trust and case.grounds.trust.key(envelope.keyid)
        done.findings += _vouched(case, envelope, signer.role, ATTESTATION)
        _check_result(case, folder, done)
        if case.grounds.trust is None:
            done.state, done.note = "cannot-tell", f"{_NO_ROOT}; {shown(envelope.keyid, 60)} says it is {signer.role}"
        elif known and not done.findings:
            kept = statement.predicate.isolation != "none"
            done.signed = known.signs if kept else "job"
            done.note = f"{envelope.keyid} as {signer.role}" + ("" if kept else _unkept(case.start, signer))
    return done


def _signer(case: _Case, envelope: Envelope, statement: DecisionStatement, done: Attested) -> Signer:
    """Who signed in which role: the one announced, or a recorder that signs after having verified."""
    announced, isolation = case.start.signer, statement.predicate.isolation
    if announced is not None and announced.keyid == envelope.keyid and isolation != "countersign":
        if isolation == "launcher" and announced.role != "spiral-recorder":
            said = f"a {announced.role} signs, and isolation is {isolation!r}."
            done.add("attestation-statement", ATTESTATION, said)
        if isolation == "launcher":
            for sentence in confinement_faults(case.start.confinement):
                said = f"isolation is {isolation!r}, and {shown(sentence)}."
                done.add("attestation-statement", ATTESTATION, said)
        return announced
    if isolation != "countersign":
        said = f"{shown(envelope.keyid, 60)} signed it, announced was {_name(announced)}."
        done.add("attestation-signer", ATTESTATION, said)
    return Signer(keyid=envelope.keyid, role="spiral-recorder")


def _unkept(start: BundleStart, signer: Signer) -> str:
    """Why a recorder's signature proves no more than a job's."""
    if signer.role != "spiral-recorder":
        return ""
    why = next(confinement_faults(start.confinement), "the launcher did not confine the tests")
    return f", which could not keep its key from the tests: {shown(why)}"


def _name(signer: Signer | None) -> str:
    return "nobody" if signer is None else shown(signer.keyid, 60)


def _check_statement(case: _Case, statement: DecisionStatement, done: Attested) -> None:
    for sentence in subject_faults(statement, case.report.manifest):
        done.add("attestation-subject", ATTESTATION, sentence)
    if case.judged is None:
        return
    given = decision_predicate(*case.judged, case.start_digest)
    for sentence in predicate_faults(statement.predicate, given):
        done.add("attestation-statement", ATTESTATION, sentence)


def _vouched(case: _Case, envelope: Envelope, role: BundleRole, path: str) -> Iterator[Finding]:
    """What keeps the key that an envelope names from vouching for it; nothing where no trust root is given."""
    root = case.grounds.trust
    if root is None:
        return
    key = root.key(envelope.keyid)
    if key is None:
        yield finding("attestation-key-unknown", path, f"{shown(envelope.keyid, 60)} is not in the trust root.")
        return
    faults = list(key_faults(root, key, role, times_of(case.start, case.report), _position(case, path)))
    yield from (finding(code, path, sentence) for code, sentence in faults)
    if key.kind == ED25519:
        found: list[Finding] = []
        with noted(found.append, path):
            verify_signature(envelope, key.raw)
        yield from found


def _position(case: _Case, path: str) -> int | None:
    """Where the ledger has what was signed; a countersignature stands nowhere in it, whenever it was made."""
    logged = case.grounds.logged
    if logged is None or (path == ATTESTATION and logged.attestation != case.attestation):
        return None
    return logged.position


def times_of(start: BundleStart, report: Report) -> tuple[int, int]:
    """First and last moment of a run, as its records say, in microseconds since 1970-01-01 UTC."""
    walls = [start.opened, *(wall for pair in report.walls.values() for wall in pair)]
    return min(walls), max(walls)


def _check_result(case: _Case, folder: Folder, done: Attested) -> None:
    """Hold the test result against what the bundle gives; the announced key signs it, with the attestation's rules."""
    there, announced = folder.has(TEST_RESULT), case.start.signer
    if case.judged is None:
        return
    wanted = result_statement(*case.judged) if announced is not None else None
    if wanted is None or announced is None:
        if there:
            done.add("test-result-unexpected", TEST_RESULT, "the run names nobody who signs, or no artifact tested.")
        return
    if not there:
        done.add("test-result-missing", TEST_RESULT, "the run was signed and names the commit that it tested.")
        return
    with noted(done.findings.append, TEST_RESULT):
        envelope = open_envelope(folder.read(TEST_RESULT, case.grounds.limits.json), case.grounds.limits)
        if parse_statement(envelope.payload, ResultStatement, case.grounds.limits) != wanted:
            raise UntrustedError("test-result-mismatch", "it says something else than the verdicts give.")
        if envelope.keyid != announced.keyid:
            said = f"{shown(envelope.keyid, 60)} signed it, announced was {_name(announced)}."
            raise UntrustedError("attestation-signer", said)
        done.findings += _vouched(case, envelope, announced.role, TEST_RESULT)
