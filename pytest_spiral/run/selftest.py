"""The selftest of a bar as a use case: made once for each plan, taken into account by judging, written as `selftest.json`."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import msgspec

from pytest_spiral.errors import UseError
from pytest_spiral.model.attestation import Level
from pytest_spiral.model.evidence import Evidence
from pytest_spiral.model.gate import Plan
from pytest_spiral.model.judgement import Judgement
from pytest_spiral.model.selftest import Certificate
from pytest_spiral.model.trust import TrustRoot
from pytest_spiral.rules.canonical import canonical_bytes
from pytest_spiral.rules.gate_files import GATE_FILES
from pytest_spiral.rules.judge import judge
from pytest_spiral.rules.selftest import selftest
from pytest_spiral.rules.selftest.reference import REFERENCE
from pytest_spiral.run.gates import GateFile, load_gate_files, make_plan


@dataclass(frozen=True, slots=True)
class Tried:
    """What `spiral selftest` found: the bar's own criteria, and the judge on a bar that uses all of its rules."""

    bar: Certificate
    judge: Certificate

    @property
    def status(self) -> int:
        """Exit status: 0 all caught, 1 not."""
        return 1 if self.bar.unproven or self.judge.unproven else 0


@lru_cache(maxsize=8)
def certificate_of(plan: Plan) -> Certificate:
    """The certificate of a plan, made once in a process: equal plans have one digest."""
    return selftest(plan)


def certificate_bytes(certificate: Certificate) -> bytes:
    """The canonical bytes of `selftest.json`."""
    return canonical_bytes(msgspec.to_builtins(certificate)) + b"\n"


def judge_proven(
    evidence: Evidence,
    level: Level = "E0",
    stale: Mapping[str, str] | None = None,
    trust: TrustRoot | None = None,
) -> Judgement:
    """Judge evidence by a bar that was tried first: a criterion that cannot be proven, or cannot fail, is invalid.

    `level` is the level of assurance that verifying proved, `stale` what has changed since by criterion, `trust` the
    reviewer's trust root.
    """
    return judge(evidence, unproven_of(certificate_of(evidence.plan)), level, stale or {}, trust)


def unproven_of(certificate: Certificate) -> Mapping[str, str]:
    """Criteria that cannot be proven or cannot be made to fail, each with the reason."""
    return {one.id: one.sentence for one in certificate.unproven}


def try_bar(root: Path, selector: str) -> Tried:
    """Try the criteria under `root` that a selector names (empty: all), and the judge itself; raises UseError."""
    plan, chosen = chosen_plan(root, selector)
    bar = certificate_of(plan) if chosen is None else selftest(plan, chosen)
    return Tried(bar, certificate_of(REFERENCE))


def chosen_plan(root: Path, selector: str) -> tuple[Plan, frozenset[str] | None]:
    """The bar under `root`, and the criteria of it that a selector names (None: all of them); raises UseError."""
    files = load_gate_files(root, GATE_FILES)
    if not files:
        raise UseError(f"no gates file is found under {root}. Remedy: run `spiral init`, or name its folder by --root.")
    plan = make_plan(files, (), ())
    return plan, _chosen_criteria(files, plan, selector)


def _chosen_criteria(files: tuple[GateFile, ...], plan: Plan, selector: str) -> frozenset[str] | None:
    """The criteria of a stage, a gate, or one of them; None for all. Raises UseError for what is none of these."""
    if not selector:
        return None
    stages = {gate.stage for file in files for gate in file.gates if gate.stage}
    found = [one.id for gate in plan.gates for one in gate.criteria if selector in (gate.stage, gate.id, one.id)]
    if not found:
        known = ", ".join([*sorted(stages), *(gate.id for gate in plan.gates)])
        raise UseError(f"{selector!r} is no stage, gate or criterion under these gates files; there are {known}.")
    return frozenset(found)
