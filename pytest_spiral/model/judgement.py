"""What judging gives: verdicts of limits and criteria, decisions of gates and stages, debts."""

from typing import Final, Literal

from pytest_spiral.model.base import Value
from pytest_spiral.model.verdict import Decision, Verdict

SUMMARY_FORMAT: Final = "spiral-summary/1"


class LimitVerdict(Value, frozen=True, kw_only=True):
    """How one limit came out on one population of samples.

    Numbers are in `unit`. `value` is the statistic itself, `lower` and `upper` are its bounds at the confidence
    asked for (None where the kind has none). `margin` is the distance of the figure that had to hold (`bound` for
    a statistical limit, else `value`) from the limit, negative where it does not hold. `where` says which
    population: test, and run where there are several. An infinite figure (a failed call) is None with
    `reason` or `note` saying so. `runs` are the verdicts of a row's runs, oldest first, `broken` for one without.
    """

    limit: str
    statistic: str
    verdict: Verdict
    reason: str = ""
    sentence: str = ""
    value: float | int | None = None
    lower: float | None = None
    upper: float | None = None
    bound: float | int | None = None
    unit: str = ""
    samples: int = 0
    planned: int | None = None
    warm_up: int = 0
    failed: int = 0
    margin: float | int | None = None
    confidence: str = ""
    note: str = ""
    where: str = ""
    qualifiers: tuple[str, ...] = ()
    picture: tuple[float, ...] = ()
    runs: tuple[str, ...] = ()


class CriterionVerdict(Value, frozen=True, kw_only=True):
    """A criterion's verdict: `verdict` is effective, `original` what the evidence alone says.

    `reason` is a stable code, `sentence` plain words. `cause` (`environment` or `hardware`) is set on
    environment-limited ones, with the `requirement` that is not met or the `fidelity` that is asked for.
    `runs` is how each run of this session came out by itself, before other attempts were looked at; `attempts` counts
    all that the ledger has, as in `attempts 3 of 3: 1 passed, 2 failed` (empty: no ledger).
    """

    id: str
    gate: str
    level: Literal["blocker", "advisory"]
    verdict: Verdict
    original: Verdict
    reason: str = ""
    sentence: str = ""
    cause: Literal["", "environment", "hardware"] = ""
    requirement: str = ""
    fidelity: str = ""
    qualifiers: tuple[str, ...] = ()
    limits: tuple[LimitVerdict, ...] = ()
    tests: tuple[str, ...] = ()
    ran: bool = False
    runs: tuple[str, ...] = ()
    attempts: str = ""


class GateDecision(Value, frozen=True, kw_only=True):
    """What a gate's verdicts add up to; `decision` is None for a partial run, which decides nothing."""

    id: str
    title: str
    owner: str
    stage: str
    decision: Decision | None
    capped: tuple[str, ...] = ()


class StageDecision(Value, frozen=True, kw_only=True):
    """What a stage's gates add up to; `weakest` is the criterion that stands most in the way (empty: none)."""

    id: str
    decision: Decision | None
    weakest: str = ""


class Debt(Value, frozen=True, kw_only=True):
    """A blocker not judged for lack of environment: what it needs, who owes it, by which gate."""

    criterion: str
    requirement: str
    cause: Literal["environment", "hardware"]
    evidence: str
    owner: str
    due: str
    since: int


class Judgement(Value, frozen=True, kw_only=True):
    """`summary.json`: derived from the plan and the raw records, never trusted, always recomputed.

    `partial` is true where tests were kept out by `-k`, `--deselect` or paths: then nothing is decided.
    `permission` is 2 for GO, 1 for CONDITIONAL GO, 0 else. `recovered` says of a killed run that was recovered what
    was running then; such a run decides NO-GO at best.
    """

    format: Literal["spiral-summary/1"] = SUMMARY_FORMAT
    run: str
    plan: str
    rules: str
    target: str
    partial: bool
    decision: Decision | None
    permission: int
    criteria: tuple[CriterionVerdict, ...]
    gates: tuple[GateDecision, ...]
    stages: tuple[StageDecision, ...]
    debts: tuple[Debt, ...]
    counts: dict[str, int]
    tests: dict[str, int]
    signed: Literal["none", "job", "recorder"] = "none"
    log: Literal["none", "local", "witnessed"] = "none"
    watermark: str = ""
    recovered: str = ""
