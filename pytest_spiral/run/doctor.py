"""What this machine can prove: every criterion against the facts, before anything runs."""

from dataclasses import dataclass
from pathlib import Path

from pytest_spiral.model.examination import Standing
from pytest_spiral.model.fidelity import Fidelity
from pytest_spiral.model.profile import Fact
from pytest_spiral.profiles.probe import detect, probe
from pytest_spiral.render.doctor import Need
from pytest_spiral.rules.facts import stated_facts
from pytest_spiral.rules.gate_files import GATE_FILES
from pytest_spiral.rules.requirements import evaluate, parse_requirement
from pytest_spiral.run.examination import asked_in, look_at
from pytest_spiral.run.gates import load_gate_files
from pytest_spiral.run.target import describe_target


@dataclass(frozen=True, slots=True)
class Examination:
    """Facts of this machine, and every criterion's need."""

    facts: tuple[Fact, ...]
    needs: tuple[Need, ...]
    target: str


def examine(root: Path, target: str) -> Examination:
    """Probe this machine and hold every criterion under `root` against it; raises UseError."""
    files = load_gate_files(root, GATE_FILES)
    card = describe_target(target, (), 1, root)
    known = {fact.name: fact for fact in detect().facts} | stated_facts(card)
    waiting = {one.criterion: one for one in map(look_at, asked_in(root, files))}
    needs = []
    for criterion in (one for file in files for gate in file.gates for one in gate.criteria):
        outcome = None
        if criterion.requires:
            requirement = parse_requirement(criterion.requires)
            for name in requirement.names:
                if name not in known:
                    known[name] = probe(name)
            outcome = evaluate(requirement, known)
        wanted = Fidelity(criterion.fidelity) if criterion.fidelity and criterion.method == "measure" else None
        short = str(wanted) if wanted and card.fidelity.rank < wanted.rank else ""
        document = _waiting(waiting[criterion.id]) if criterion.id in waiting else ""
        needs.append(Need(criterion.id, criterion.requires or "", outcome, short, criterion.planned, document))
    return Examination(tuple(known[name] for name in sorted(known)), tuple(needs), card.name)


def _waiting(one: Standing) -> str:
    """What a document waits for: the first thing that stands against it, or the person in whose place a rehearsal stands."""
    if one.faults:
        return one.faults[0][1]
    return f"signed in rehearsal, waits for {one.signer}" if one.examination.rehearsed else ""
