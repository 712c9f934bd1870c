"""What a bundle's attestation has to say, made from what was recomputed; and what differs from it."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from pytest_spiral.model.attestation import (
    PRODUCER,
    DecisionPredicate,
    DecisionStatement,
    Isolation,
    LedgerPlace,
    Producer,
    Resource,
    ResultPredicate,
    ResultStatement,
)
from pytest_spiral.model.evidence import Evidence
from pytest_spiral.model.judgement import CriterionVerdict, Judgement
from pytest_spiral.model.verdict import Decision, Verdict
from pytest_spiral.rules.integrity import shown
from pytest_spiral.rules.paths import MANIFEST, PLAN

_RESULTS: Final = {Decision.GO: "PASSED", Decision.CONDITIONAL_GO: "WARNED"}
_STATED: Final = ("ledger", "isolation")
"""What only the attestation says; other steps hold it against the ledger and the key's role."""


def decision_predicate(
    evidence: Evidence,
    judgement: Judgement,
    bundle: str,
    *,
    ledger: LedgerPlace | None = None,
    isolation: Isolation = "none",
) -> DecisionPredicate:
    """What the attestation of this run says; `bundle` is the digest of bundle.json."""
    start = evidence.bundle
    return DecisionPredicate(
        run=start.run,
        status=evidence.status,
        plan=start.plan,
        bundle=bundle,
        rules=judgement.rules,
        target=judgement.target,
        profile=start.profile.name,
        decision=judgement.decision,
        stages={one.id: one.decision for one in judgement.stages},
        gates={one.id: one.decision for one in judgement.gates},
        verdicts={one.id: one.verdict for one in judgement.criteria},
        ledger=ledger,
        isolation=isolation,
        producer=Producer(name=PRODUCER, version=start.packages.get(PRODUCER, "")),
    )


def decision_statement(predicate: DecisionPredicate, manifest: str) -> DecisionStatement:
    """The statement over a manifest, given by its digest `sha256:…`."""
    return DecisionStatement(subject=(_hashed(MANIFEST, manifest),), predicate=predicate)


def result_statement(evidence: Evidence, judgement: Judgement) -> ResultStatement | None:
    """The test-result statement, or None where no tested artifact can be named: a dirty tree, or none known."""
    subjects = _subjects(evidence.bundle.git)
    if not subjects:
        return None
    decision = judgement.decision
    result: Any = _RESULTS.get(decision, "FAILED") if decision is not None else "FAILED"
    told: dict[str, list[str]] = {"passed": [], "warned": [], "failed": []}
    for one in judgement.criteria:
        if one.verdict is not Verdict.INAPPLICABLE:
            told[_standing(one)].append(one.id)
    return ResultStatement(
        subject=subjects,
        predicate=ResultPredicate(
            result=result,
            configuration=(_hashed(PLAN, evidence.bundle.plan),),
            passed_tests=tuple(told["passed"]),
            warned_tests=tuple(told["warned"]),
            failed_tests=tuple(told["failed"]),
        ),
    )


def subject_faults(statement: DecisionStatement, manifest: str) -> Iterator[str]:
    """What is wrong with the statement's subject, which must be this manifest and nothing else."""
    found = statement.subject
    if len(found) != 1:
        yield f"it has {len(found)} subjects; an attestation has one, the manifest."
    elif found[0] != _hashed(MANIFEST, manifest):
        said = shown(found[0].digest.get("sha256", "no SHA-256"), 80)
        yield f"its subject is {shown(found[0].name, 40)} with {said}; this manifest's digest is {manifest}."


def predicate_faults(said: DecisionPredicate, given: DecisionPredicate) -> Iterator[str]:
    """Each thing in which an attestation differs from what the bundle gives; `said` is the attestation's."""
    for name in said.__struct_fields__:
        claimed, own = getattr(said, name), getattr(given, name)
        if name in _STATED or claimed == own:
            continue
        if isinstance(claimed, dict):
            yield from (f"{name}: {sentence}" for sentence in _map_faults(claimed, own))
        else:
            yield f"{name}: found {_told(claimed)}, expected {_told(own)}: that is what the bundle gives."


def _map_faults(claimed: dict[str, Any], own: dict[str, Any]) -> Iterator[str]:
    for key in sorted(claimed.keys() | own.keys()):
        if key not in own:
            yield f"{shown(key, 80)} is not in this run."
        elif key not in claimed:
            yield f"{key} is missing."
        elif claimed[key] != own[key]:
            yield f"found {_told(claimed[key])} for {key}, expected {_told(own[key])}: that is what the bundle gives."


def _told(value: Any) -> str:
    return "nothing" if value is None else shown(msgspec.to_builtins(value), 100)


def _hashed(name: str, digest: str) -> Resource:
    return Resource(name=name, digest={"sha256": digest.removeprefix("sha256:")})


def _subjects(git: dict[str, Any]) -> tuple[Resource, ...]:
    commit = git.get("commit")
    if not isinstance(commit, str) or git.get("dirty") is not False:
        return ()
    return (Resource(name=f"git+{commit}", digest={"gitCommit": commit}),)


def _standing(one: CriterionVerdict) -> str:
    """How a criterion is listed. What does not pass and cannot block is a warning, like what was not proven here."""
    if one.verdict is Verdict.PASS:
        return "passed"
    return "warned" if one.verdict is Verdict.ENVIRONMENT_LIMITED or one.level == "advisory" else "failed"
