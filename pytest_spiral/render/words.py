"""Words for verdicts, decisions, counts and limits: said once, the same on the terminal and on every page."""

import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from pytest_spiral.model.evidence import BundleStart
from pytest_spiral.model.gate import Control, CriterionCard, GateCard, Plan
from pytest_spiral.model.judgement import CriterionVerdict, Debt, Judgement, LimitVerdict
from pytest_spiral.model.verdict import Decision, Verdict
from pytest_spiral.render.figures import counted, counts_of, figures_of, grouped

WORST_FIRST: Final = (
    Verdict.FAIL,
    Verdict.INVALID,
    Verdict.INCONCLUSIVE,
    Verdict.NOT_RUN,
    Verdict.ENVIRONMENT_LIMITED,
    Verdict.PASS,
    Verdict.INAPPLICABLE,
)
"""The order in which a person wants to hear what stands in the way."""

_COUNT_ORDER: Final = (Verdict.PASS, *(verdict for verdict in WORST_FIRST if verdict is not Verdict.PASS))
_SHORT_REASON: Final = 30  # characters of a reason that still fit beside a count
# How the judging rules open a sentence: with the figure, which stands beside it here already.
_FIGURE_SAID: Final = re.compile(r"[\d,]+ of [\d,]+ (failed|compared items differ)|[^:;]+ against [^:;]+")
_NEEDS_SAID: Final = re.compile(r"pass on [^;]*, needs [a-z]+(; |$)")
_LETTERED: Final = re.compile(r"stage_([a-z])")


def stage_words(stage: str) -> str:
    """Say a stage: `stage B` for `stage_b`, `grpc adoption` for `grpc_adoption`."""
    lettered = _LETTERED.fullmatch(stage)
    return f"stage {lettered[1].upper()}" if lettered else stage.replace("_", " ")


def decision_words(decision: Decision | None) -> str:
    """Say a decision; a partial run has none."""
    return "no decision" if decision is None else decision.value


def decision_style(decision: Decision | None) -> str:
    """Style words of a decision."""
    if decision is None:
        return "yellow bold"
    return {2: "green bold", 1: "yellow bold"}.get(decision.permission, "red bold")


def verdict_style(verdict: CriterionVerdict) -> str:
    """Style words of a verdict; an advisory one never reads like an alarm."""
    if verdict.verdict is Verdict.PASS:
        return "green"
    if verdict.verdict in {Verdict.ENVIRONMENT_LIMITED, Verdict.INAPPLICABLE} or verdict.level == "advisory":
        return "yellow"
    return "red"


def needs_fidelity(verdict: CriterionVerdict) -> bool:
    """Say whether what is missing is a more real target, and no requirement on the machine."""
    return verdict.verdict is Verdict.ENVIRONMENT_LIMITED and bool(verdict.fidelity) and not verdict.requirement


def kind_words(verdict: CriterionVerdict) -> str:
    """Say what a verdict comes to, such as `pass`, `needs live`, `hardware-required`, `waived fail`."""
    if needs_fidelity(verdict):
        return f"needs {verdict.fidelity}"
    if verdict.verdict is Verdict.ENVIRONMENT_LIMITED and verdict.cause == "hardware":
        return "hardware-required"
    if "waived" in verdict.qualifiers and verdict.original is not Verdict.PASS:
        return f"waived {verdict.original.value}"
    return verdict.verdict.value


def verdict_words(verdict: CriterionVerdict, target: str) -> str:
    """Say a verdict as a line begins with it: `advisory not-run`, `pass on sandbox, needs live`."""
    words = kind_words(verdict)
    if needs_fidelity(verdict) and verdict.original is not Verdict.ENVIRONMENT_LIMITED:
        words = f"{verdict.original.value} on {target or 'no target'}, {words}"
    return words if verdict.level == "blocker" else f"advisory {words}"


def count_words(verdicts: Iterable[CriterionVerdict]) -> str:
    """Count verdicts in words: `6 pass, 1 environment-limited, 1 advisory not-run`; blockers first."""
    listed = sorted(verdicts, key=lambda one: (one.level != "blocker", _COUNT_ORDER.index(one.verdict)))
    groups: dict[str, list[CriterionVerdict]] = {}
    for verdict in listed:
        prefix = "" if verdict.level == "blocker" else "advisory "
        groups.setdefault(prefix + kind_words(verdict), []).append(verdict)
    return ", ".join(_counted_kind(kind, group) for kind, group in groups.items()) or "no criteria"


def reason_words(verdict: CriterionVerdict, *, beside: Sequence[LimitVerdict] = (), requirement: bool = True) -> str:
    """Say why a verdict is what it is: its sentence or the worst limit's, the requirement, the reason code.

    What the figures of the limits `beside` it say already is left out, and so is what `verdict_words` says.
    """
    sentence = verdict.sentence or next((one.sentence for one in by_concern(verdict.limits) if one.sentence), "")
    if needs_fidelity(verdict) and verdict.original is Verdict.PASS:
        sentence = "" if beside else _NEEDS_SAID.sub("", sentence)
    for limit in beside:
        sentence = _without_figures(sentence, limit)
    parts = [sentence]
    if requirement and verdict.requirement and verdict.requirement not in sentence:
        parts.append(f"requires {verdict.requirement}")
    said = "; ".join(part for part in parts if part)
    plain = verdict.verdict is Verdict.ENVIRONMENT_LIMITED or verdict.reason in {"", "limit-broken", verdict.verdict}
    return " ".join(part for part in (said, "" if plain else f"[{verdict.reason}]") if part)


def attempt_words(verdict: CriterionVerdict) -> str:
    """Say how attempts came out; nothing for the only one there was."""
    return "" if verdict.attempts.startswith("attempts 1 of 1: ") and ";" not in verdict.attempts else verdict.attempts


def by_concern(limits: Iterable[LimitVerdict]) -> list[LimitVerdict]:
    """Sort limits: worst verdict first, then those judged with confidence, then the narrowest margin; stable."""
    return sorted(limits, key=lambda one: (WORST_FIRST.index(one.verdict), not _has_bound(one), _room(one)))


def limit_words(limit: LimitVerdict, *, where: bool = False) -> tuple[str, ...]:
    """Say a limit in pieces: figures with the limit, samples, margin, and what must be known beside them.

    A row of runs always says of how many runs these are the worst figures; any other place only with `where`.
    """
    figures = figures_of(limit)
    place = place_words(limit)
    pieces = (
        (f"{place}: " if place and (where or _is_row(limit)) else "") + _figure_words(limit),
        _samples_beside(limit),
        f"margin {figures.margin}" if figures.margin else "",
        ", ".join(one for one in limit.qualifiers if one not in limit.note),
        limit.note,
    )
    return tuple(piece for piece in pieces if piece)


def place_words(limit: LimitVerdict) -> str:
    """Say which population a limit was judged on: the test without its file, or `worst of 3 runs`."""
    return f"worst of {limit.where}" if _is_row(limit) else limit.where.rpartition("::")[2]


def debt_words(debts: Sequence[Debt]) -> str:
    """Say what is owed: `5 debts, nearest due C1`."""
    if not debts:
        return "no debts"
    dues = sorted(debt.due for debt in debts if debt.due)
    return counted(len(debts), "debt") + (f", nearest due {dues[0]}" if dues else ", none with a due gate")


def scope_words(judgement: Judgement) -> str:
    """Say what was judged and where: `stage B on sandbox`, `stages A and B on sandbox`, `S1`."""
    named = [stage_words(stage.id) for stage in judgement.stages if stage.id]
    if not named:
        named = [gate.id for gate in judgement.gates] or ["nothing"]
    if len(named) > 1 and all(name.startswith("stage ") for name in named):
        letters = [name.removeprefix("stage ") for name in named]
        named = [f"stages {', '.join(letters[:-1])} and {letters[-1]}"]
    return ", ".join(named) + (f" on {judgement.target}" if judgement.target else "")


def partial_words(judgement: Judgement) -> str:
    """Say that a run decides nothing: `PARTIAL: 2 of 8 criteria, no decision`."""
    ran = sum(verdict.ran for verdict in judgement.criteria)
    return f"PARTIAL: {ran} of {counted(len(judgement.criteria), 'criterion', 'criteria')}, no decision"


def target_words(start: BundleStart) -> str:
    """Say what the run was made on: name, registered fidelity, seed, and the faults it was started with."""
    target = start.target
    if not target.name:
        return "none"
    faults = f"started with faults: {', '.join(target.faults)}" if target.faults else "no faults"
    return f"{target.name}, fidelity {target.fidelity.value}, seed {target.seed}, {faults}"


def standing_words(judgement: Judgement, start: BundleStart) -> str:
    """Say what the run counts for: `draft, enters no packet`, `what-if, …`."""
    if judgement.watermark:
        return f"what-if, can never be signed: {judgement.watermark}"
    if judgement.partial:
        return f"{start.mode}, partial, enters no packet"
    return "release" if start.mode == "release" else "draft, enters no packet"


@dataclass(frozen=True, slots=True)
class Cards:
    """Descriptions of gates and criteria, found by id; an id without a card gets an empty one."""

    gates: tuple[GateCard, ...]

    def gate(self, name: str) -> GateCard:
        """The card of a gate."""
        found = (card for card in self.gates if card.id == name)
        return next(found, None) or GateCard(id=name, title="", owner="")

    def criterion(self, name: str) -> CriterionCard:
        """The card of a criterion."""
        found = (card for gate in self.gates for card in gate.criteria if card.id == name)
        return next(found, None) or CriterionCard(id=name)

    def owner(self, name: str) -> str:
        """Who owns a criterion: its own owner, or else its gate's."""
        return self.criterion(name).owner or self.gate(name.partition(".")[0]).owner

    def due(self, name: str) -> str:
        """By which gate a criterion is due: its own due, or else its gate's."""
        return self.criterion(name).due or self.gate(name.partition(".")[0]).due


def criterion_ids(judgement: Judgement, plan: Plan) -> list[str]:
    """List every criterion of the judged gates, in the bar's order: one that was registered never drops out."""
    judged = {gate.id for gate in judgement.gates}
    planned = [criterion.id for criterion in plan.criteria() if criterion.gate in judged]
    return list(dict.fromkeys([*planned, *(verdict.id for verdict in judgement.criteria)]))


def control_of(name: str, plan: Plan) -> Control | None:
    """Return what a control criterion must find out; None for any other criterion."""
    return next((criterion.control for criterion in plan.criteria() if criterion.id == name), None)


def is_examined(name: str, plan: Plan) -> bool:
    """Say whether a criterion is a document that a person examines."""
    return any(one.id == name and one.method == "examine" for one in plan.criteria())


def overall_words(judgement: Judgement) -> str:
    """Say what the whole run comes to: its decision, or that it decides nothing."""
    return partial_words(judgement) if judgement.partial else decision_words(judgement.decision)


def next_command(verdict: CriterionVerdict, plan: Plan, stage: str, path: str = "BUNDLE") -> tuple[str, str]:
    """Return what is to be done before a command that takes a criterion further, and the command; `path` is the bundle."""
    if not is_examined(verdict.id, plan):
        return "", run_command(verdict.gate, stage)
    if verdict.reason == "signer-unproven":
        return "whose key it is, says", shlex.join(["spiral", "verify", path, "--trust", "FILE"])
    return "read the document, then", shlex.join(["spiral", "examine", verdict.id, "--key", "KEY"])


def run_command(gate: str, stage: str) -> str:
    """Return the command that judges one gate."""
    selected = ["-m", stage] if stage else []
    return shlex.join(["pytest", *selected, "--spiral-evidence", "--spiral-gates", gate])


def _counted_kind(kind: str, group: list[CriterionVerdict]) -> str:
    count = len(group)
    words = kind.replace("needs ", "need ", 1) if count > 1 else kind
    beside = _beside(group)
    return f"{grouped(count)} {words}" + (f" ({beside})" if beside else "")


def _beside(group: list[CriterionVerdict]) -> str:
    """A reason short enough to stand beside a count: what the hardware lacks, or one short sentence."""
    first = group[0]
    if first.verdict is not Verdict.ENVIRONMENT_LIMITED or needs_fidelity(first):
        return ""
    if first.cause == "hardware":
        needs = {one.requirement for one in group}
        said = next(iter(needs)) if len(needs) == 1 else ""
    else:
        said = first.sentence if len(group) == 1 else ""
    return said if len(said) <= _SHORT_REASON else ""


def _without_figures(sentence: str, limit: LimitVerdict) -> str:
    if not limit.sentence or not sentence.startswith(limit.sentence):
        return sentence
    head, _, tail = limit.sentence.partition(": ")
    said = _FIGURE_SAID.fullmatch(head) or head == _figure_words(limit)
    return tail if said else limit.sentence


def _is_row(limit: LimitVerdict) -> bool:
    return limit.where.endswith(" runs") and limit.where.removesuffix(" runs").isdecimal()


def _figure_words(limit: LimitVerdict) -> str:
    if limit.statistic == "all-pass" and limit.sentence:
        return limit.sentence
    figures, exceptions = figures_of(limit), counts_of(limit)
    if exceptions:
        return f"{exceptions}, limit {figures.limit or '0'}"
    if not figures.value and not figures.bound:
        return limit.limit
    head = limit.limit.partition("(")[0].strip() or limit.statistic
    against = f" {figures.relation} {figures.limit}" if figures.relation else ""
    value = f"{head} {figures.value or 'unknown'}"
    if not figures.relation and figures.limit:
        return f"{value}, limit {figures.limit}"
    return f"{value}, bound {figures.bound}{against}" if figures.bound else f"{value}{against}"


def _samples_beside(limit: LimitVerdict) -> str:
    """The number of samples, unless the figure says it already; of how many where the plan is not full."""
    if counts_of(limit):
        missing = (limit.planned or 0) - limit.samples
        return f"{grouped(missing)} of {grouped(limit.planned or 0)} missing" if missing > 0 else ""
    failed = f"{grouped(limit.failed)} failed" if limit.failed else ""
    return ", ".join(part for part in (figures_of(limit).samples, failed) if part)


def _has_bound(limit: LimitVerdict) -> bool:
    return limit.lower is not None or limit.upper is not None


def _room(limit: LimitVerdict) -> float:
    if limit.margin is None:
        return float("inf")
    return limit.margin / abs(limit.bound) if limit.bound else float(limit.margin)
