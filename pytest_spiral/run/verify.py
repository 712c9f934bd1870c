"""Verifying a bundle whole: its integrity, then its verdicts again from the raw samples.

The steps have the numbers of the verifier's checklist (`docs/evidence-format.md`); the body below has them too.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from pytest_spiral.errors import UntrustedError, UseError
from pytest_spiral.evidence.read import read_evidence
from pytest_spiral.evidence.report import Report
from pytest_spiral.evidence.traces import check_traces, unbacked
from pytest_spiral.evidence.verify import examine
from pytest_spiral.model.attestation import DecisionStatement, Level, Signed
from pytest_spiral.model.entry import Entry
from pytest_spiral.model.evidence import Evidence
from pytest_spiral.model.expectation import Expectation
from pytest_spiral.model.freshness import InputChange
from pytest_spiral.model.gate import Plan
from pytest_spiral.model.judgement import Judgement
from pytest_spiral.model.selftest import Certificate
from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.criteria import plan_faults
from pytest_spiral.rules.enough import enough
from pytest_spiral.rules.expectation import expectation_faults, level_fault
from pytest_spiral.rules.freshness import stale_of
from pytest_spiral.rules.integrity import Finding, finding, shown
from pytest_spiral.rules.paths import MAIN, PLAN, SELFTEST, SUMMARY
from pytest_spiral.rules.times import Moment, moment, order_faults, unknown
from pytest_spiral.rules.trust import with_revoked
from pytest_spiral.run.attestation import Attested, check_attestation, times_of
from pytest_spiral.run.gate_run import summary_bytes
from pytest_spiral.run.gates import read_gate_file
from pytest_spiral.run.grounds import Grounds
from pytest_spiral.run.inputs import changed_since
from pytest_spiral.run.registered import Registered, check_registered, logged_of, revoked_in, with_kept
from pytest_spiral.run.selftest import certificate_bytes, certificate_of, judge_proven

_LEVELS: dict[Signed, Level] = {"none": "E0", "job": "E1", "recorder": "E2"}
_SUBJECT_REASONS = ("fidelity-below-registered", "subject-unseen", "subject-gone", "subject-changed")
_NEVER_RAN = (Verdict.NOT_RUN, Verdict.ENVIRONMENT_LIMITED, Verdict.INAPPLICABLE)
_NAMED = 5
_SENTENCE = 400


@dataclass(frozen=True, slots=True)
class Checked:
    """A verified bundle: the report of all steps, and the judgement where the evidence could be read.

    `signed` is what was proven against a trust root; the judgement says the same. `standing` is the judgement among all
    attempts that a kept ledger has, later ones too; None without such a ledger. `proven` is the judgement at the level
    that was proven, by that trust root: a sealed one is always at E0, since it is written before anybody signs. None
    where that is the same. `attested` is what step 4 read, `times` the run's first and last moment.
    `witnessed` is whether somebody else is proven to have had the ledger's head before collection.
    """

    report: Report
    judgement: Judgement | None
    signed: Signed = "none"
    standing: Judgement | None = None
    proven: Judgement | None = None
    attested: Attested = field(default_factory=Attested)
    times: tuple[int, int] = (0, 0)
    witnessed: bool = False

    @property
    def statement(self) -> DecisionStatement | None:
        """What the attestation says; proven where `signed` is not `none`."""
        return self.attested.statement

    @property
    def keyid(self) -> str:
        """The key that the attestation names; empty: none."""
        return self.attested.keyid

    @property
    def level(self) -> Level:
        """The level of assurance that was proven."""
        return level_of(self.signed, witnessed=self.witnessed)

    def status(self, require: str) -> int:
        """Exit status: 0 at least what is required, 1 authentic but below it or not sealed, 3 not to be trusted."""
        if self.report.outcome == "untrusted":
            return 3
        if self.report.outcome == "unsealed" or self.judgement is None or self.judgement.partial:
            return 1
        judged = [one for one in (self.proven or self.judgement, self.standing) if one is not None]
        return 0 if all(enough(one, require) for one in judged) else 1

    def as_json(self, require: str) -> dict[str, Any]:
        """Everything that was found, as plain JSON values."""
        judged = self.judgement
        return {
            "format": "spiral-verification/1",
            "outcome": self.report.outcome,
            "require": require,
            "status": self.status(require),
            "decision": judged.decision if judged else None,
            "partial": judged.partial if judged else None,
            "proven": self.proven.decision if self.proven else None,
            "standing": self.standing.decision if self.standing else None,
            "signed": self.signed,
            "level": self.level,
            "report": msgspec.to_builtins(self.report),
        }


def verify_bundle(folder: Path, grounds: Grounds | None = None) -> Checked:
    """Verify a bundle; never raises for what is in it. Raises UseError where there is no folder.

    1 layout, 2 strict parsing, 3 digests, 5 journals, 6 inventory: `evidence.verify`.
    4 attestation: `run.attestation`; who vouches for these bytes, and for what was recomputed from them.
    7 provenance: the subjects' fidelity is what their challenges prove; run, bar and commit are those expected.
    8 time: things happened in an order in which they can have happened.
    9 verdicts from samples, decisions from verdicts, both equal to the summary; comparisons from their traces.
    10 controls ran, and failed as they must; the bar's selftest, made again, is the one in the bundle.
    11 ledger: the run was registered before it began, in the ledger that it says, and that is the one that was kept.
    """
    grounds = grounds or Grounds()
    # 1, 2, 3, 5, 6
    report, evidence = examine(folder, grounds.limits)
    if evidence is not None:
        evidence = with_kept(evidence, grounds.kept)
        grounds = replace(grounds, logged=grounds.logged or logged_of(evidence, grounds.kept))
        if grounds.trust is not None:
            grounds = replace(grounds, trust=with_revoked(grounds.trust, revoked_in(evidence, grounds.kept)))
    faults = plan_faults(evidence.plan) if evidence is not None else []
    judged = (evidence, judge_proven(evidence)) if evidence is not None and not faults else None
    # 4
    attested = check_attestation(folder, report, judged, grounds)
    report = report.with_step(4, attested.findings, state=attested.state, note=attested.note)
    if judged is None:
        report = report.with_step(9, [_no_bar(sentence) for sentence in faults[:_NAMED]]) if faults else report
        return Checked(report, None)
    evidence, judgement = judged
    # 7
    report = report.with_step(7, note=_provenance(evidence, judgement))
    # 8
    report = _check_time(report, evidence, grounds)
    # 9
    if report.manifest:
        traced = check_traces(folder, grounds.limits)
        compared = [*traced.findings, *unbacked(evidence.measurements, traced)]
        report = report.with_step(9, [*_compare_summary(folder, judgement), *compared], note=traced.note)
    # 10
    found = _compare_selftest(folder, evidence.plan) if report.manifest else []
    report = report.with_step(10, found, note=_controls(evidence, judgement))
    # 11
    report, witness = check_registered(Registered(folder, evidence, grounds.kept, attested.predicate), report)
    # 4, 6, 7: what was expected
    signed = attested.signed if report.outcome == "sound" else "none"
    witnessed = report.outcome == "sound" and witness.holds(signed)
    level = level_of(signed, witnessed=witnessed)
    if grounds.expectation is not None and report.state == "sealed":
        report = _compare_expectation(report, grounds.expectation, judged, level)
    marked = _marked(judgement, signed, witnessed)
    return Checked(
        report,
        marked,
        signed,
        _standing(evidence, grounds, level),
        _proven(evidence, grounds, level, judgement, marked),
        attested,
        times_of(evidence.bundle, report),
        witnessed,
    )


def level_of(signed: Signed, *, witnessed: bool) -> Level:
    """The level of assurance that a proven signature, and a proven witness, come to."""
    return "E3" if witnessed and signed == "recorder" else _LEVELS[signed]


def _marked(judgement: Judgement, signed: Signed, witnessed: bool) -> Judgement:
    """The judgement with what was proven of who signed it, and of the ledger."""
    return msgspec.structs.replace(judgement, signed=signed, log="witnessed" if witnessed else judgement.log)


def _proven(
    evidence: Evidence, grounds: Grounds, level: Level, judgement: Judgement, marked: Judgement
) -> Judgement | None:
    """The judgement by what was proven of who signed, where a criterion of the bar asks for that and it makes a difference."""
    asking = any(one.assurance or one.method == "examine" for one in evidence.plan.criteria())
    if level == "E0" or not asking:
        return None
    proven = judge_proven(evidence, level, trust=grounds.trust)
    return None if proven == judgement else msgspec.structs.replace(proven, signed=marked.signed, log=marked.log)


def _standing(evidence: Evidence, grounds: Grounds, level: Level) -> Judgement | None:
    """The judgement among all attempts of a kept ledger; in a bundle that nobody signed nothing that people signed counts."""
    if grounds.kept is None or grounds.kept.entries is None or evidence.bundle.ledger is None:
        return None
    trust = grounds.trust if level != "E0" else None
    return judge_proven(msgspec.structs.replace(evidence, ledger=grounds.kept.entries), level, trust=trust)


def _check_time(report: Report, evidence: Evidence, grounds: Grounds) -> Report:
    """Hold the moments that the bundle records against each other; what nothing tells is said."""
    expected, logged = grounds.expectation, grounds.logged
    committed, start = evidence.bundle.git.get("committed"), evidence.bundle
    firsts = [first for first, _ in report.walls.values()]
    lasts = [last for _, last in report.walls.values()]
    moments = (
        moment("tested commit", committed * 1_000_000 if type(committed) is int else None),
        moment("opened", start.opened),
        moment("collected", logged.collected if logged is not None else None),
        Moment(name="records", first=min(firsts, default=None), last=max(lasts, default=None)),
        moment("end", report.walls.get(MAIN, (None, None))[1]),
        moment("attestation", None),
        moment("sealed", logged.sealed if logged is not None else None),
        moment("publishing commit", expected.published if expected is not None else None),
    )
    found = [finding("moment-order", "", sentence) for sentence in order_faults(moments)]
    missing = unknown(moments)
    note = f"nothing tells when: {', '.join(missing)}" if missing else ""
    return report.with_step(8, found, state="cannot-tell" if missing else "held", note=note)


def _compare_expectation(
    report: Report, expected: Expectation, judged: tuple[Evidence, Judgement], level: Level
) -> Report:
    found = [*expectation_faults(expected, *judged), *level_fault(expected, level)]
    for step in sorted({one.step for one in found}):
        known = report.checked(step)
        report = report.with_step(step, [one for one in found if one.step == step], state=known.state, note=known.note)
    return report


def _no_bar(sentence: str) -> Finding:
    return Finding(step=9, code="plan-unjudgeable", path=PLAN, sentence=shown(sentence, _SENTENCE))


def _provenance(evidence: Evidence, judgement: Judgement) -> str:
    """Subjects are judged with the criteria, where a false one makes them invalid; here it is told how many there were."""
    seen = {one.subject for one in evidence.subjects if not one.control}
    false = [one.id for one in judgement.criteria if one.reason in _SUBJECT_REASONS]
    told = f"{len(seen)} subjects challenged" if seen else "no subject was challenged"
    return told + (f", invalid for it: {', '.join(false[:_NAMED])}" if false else "")


def _controls(evidence: Evidence, judgement: Judgement) -> str:
    """Controls are judged with their criteria; a check that could not fail is invalid there."""
    declared = {one.id for one in evidence.plan.criteria() if one.control is not None}
    judged = [one for one in judgement.criteria if one.id in declared]
    ran = [one for one in judged if one.original not in _NEVER_RAN]
    told = f"{sum(one.verdict is Verdict.PASS for one in ran)} of {len(ran)} controls failed as they must"
    told += f", {len(judged) - len(ran)} did not run" if len(judged) > len(ran) else ""
    tried = certificate_of(evidence.plan).criteria
    caught = sum(one.tried - len(one.missed) for one in tried)
    selftest = f"selftest: {caught:,} of {sum(one.tried for one in tried):,} pieces of defective evidence caught"
    return f"{told}; {selftest}"


def _compare_selftest(folder: Path, plan: Plan) -> list[Finding]:
    """The certificate is derived from the plan; one that was made with another catalogue of defects is not compared."""
    try:
        said = (folder / SELFTEST).read_bytes()
    except OSError as error:
        sentence = f"it cannot be read ({error.strerror})."
        return [Finding(step=10, code="selftest-missing", path=SELFTEST, sentence=sentence)]
    own = certificate_of(plan)
    if said == certificate_bytes(own):
        return []
    try:
        claimed = msgspec.json.decode(said, type=Certificate)
    except msgspec.MsgspecError as error:
        sentence = shown(f"it is no certificate ({error}).", _SENTENCE)
        return [Finding(step=10, code="selftest-mismatch", path=SELFTEST, sentence=sentence)]
    if claimed.catalogue != own.catalogue and claimed.plan == own.plan:
        return []
    return [Finding(step=10, code="selftest-mismatch", path=SELFTEST, sentence=_other_certificate(claimed, own))]


def _other_certificate(claimed: Certificate, own: Certificate) -> str:
    if claimed.plan != own.plan:
        return f"it is of the plan {shown(claimed.plan, 80)}, not of this one, {own.plan}."
    known = {one.id: one for one in own.criteria}
    for one in claimed.criteria:
        if one != known.get(one.id):
            return f"what it says of {shown(one.id)} is not what trying it again gives."
    return "its bytes are not those that trying the plan again gives."


def _compare_summary(folder: Path, judgement: Judgement) -> list[Finding]:
    try:
        said = (folder / SUMMARY).read_bytes()
    except OSError as error:
        return [
            Finding(step=9, code="summary-missing", path=SUMMARY, sentence=f"it cannot be read ({error.strerror}).")
        ]
    if said == summary_bytes(judgement):
        return []
    return [Finding(step=9, code="summary-mismatch", path=SUMMARY, sentence=_difference(said, judgement))]


def _difference(said: bytes, judgement: Judgement) -> str:
    """What the summary says, and what the samples give: the first difference that a reader can act on."""
    try:
        claimed = msgspec.json.decode(said, type=Judgement)
    except msgspec.MsgspecError as error:
        return f"it is no summary ({error})."
    if claimed.criteria != judgement.criteria:
        return _criteria_difference(claimed, judgement)
    if claimed.decision != judgement.decision:
        return f"found {claimed.decision}, expected {judgement.decision}: that is what the verdicts give."
    return "its bytes are not those that the evidence gives."


def _criteria_difference(claimed: Judgement, judgement: Judgement) -> str:
    found = {one.id: one for one in judgement.criteria}
    for one in claimed.criteria:
        own, name = found.pop(one.id, None), shown(one.id)
        if own is None:
            return f"it judges {name}, which is not in scope, or judges it twice."
        if one.verdict != own.verdict:
            return f"found {one.verdict} for {name}, expected {own.verdict}: that is what its samples give."
        if one != own:
            return f"the figures of {name} are not those that its samples give."
    left = next(iter(found), None)
    return f"it does not judge {left}." if left else "its criteria are not in the plan's order."


def judge_bundle(folder: Path, ledger: tuple[Entry, ...] | None = None) -> tuple[Evidence, Judgement]:
    """Read a bundle's evidence and judge it again; raises UntrustedError or UseError.

    `ledger` are the entries to judge by where the bundle has no copy of its ledger.
    """
    evidence = read_evidence(folder, ledger=ledger)
    for sentence in plan_faults(evidence.plan):
        raise UntrustedError("plan-unjudgeable", f"{PLAN}: {sentence}")
    return evidence, judge_proven(evidence)


def judge_now(folder: Path, root: Path) -> tuple[Evidence, Judgement, tuple[InputChange, ...]]:
    """As `judge_bundle`, with what has changed below `root` since: criteria whose inputs did are stale.

    Raises UntrustedError or UseError.
    """
    evidence, judgement = judge_bundle(folder)
    changes = changed_since(evidence.plan, evidence.bundle, root, folder.resolve().parents[1])
    stale = stale_of(changes)
    if stale:
        changed = judge_proven(evidence, stale=stale)
        judgement = msgspec.structs.replace(changed, watermark="held against what is below the root folder now")
    return evidence, judgement, changes


def what_if(folder: Path, limits: Path) -> Judgement:
    """Judge a bundle's samples by another gates file; the judgement carries a watermark and can never be signed."""
    evidence = read_evidence(folder)
    file = read_gate_file(limits, limits.parent)
    stages = {gate.id: gate.stage for gate in evidence.plan.gates}
    gates = tuple(msgspec.structs.replace(gate, stage=stages[gate.id]) for gate in file.gates if gate.id in stages)
    if not gates:
        raise UseError(f"{limits} has none of the gates of this bundle: {', '.join(sorted(stages))}.")
    alone = msgspec.structs.replace(evidence.bundle, mode="draft", ledger=None)  # attempts were by another bar
    changed = msgspec.structs.replace(evidence, plan=Plan(gates=gates), bundle=alone, ledger=None)
    return msgspec.structs.replace(
        judge_proven(changed), watermark=f"WHAT-IF: judged by {limits.name}, not by the registered bar"
    )


__all__ = ["Checked", "UntrustedError", "judge_bundle", "judge_now", "verify_bundle", "what_if"]
