"""Gates and criteria: the bar (judging fields) apart from what only describes it."""

from typing import Final, Literal

from pytest_spiral.model.base import Value

PLAN_FORMAT: Final = "spiral-plan/1"
RULES: Final = "spiral-rules/1"

Statistic = Literal[
    "quantile",
    "rate",
    "count",
    "failures",
    "count-rate",
    "min",
    "max",
    "mean",
    "duration",
    "equal",
    "equivalence",
    "regression",
    "all-pass",
]


class Limit(Value, frozen=True, kw_only=True):
    """One limit of a criterion, parsed.

    `text` is its canonical spelling; `quantile` and `bound` are exact decimals as text, `bound` in `unit`
    (a rate's bound is in `%` or `1`, as written). `equal(a, b)`, `equivalence(a, b)` and `p95-regression(a, b)` name two
    measurements, `all-pass` none.
    `samples` is this limit's own plan where it differs from its criterion's.
    """

    text: str
    statistic: Statistic
    measurements: tuple[str, ...] = ()
    quantile: str | None = None
    comparison: Literal["<=", ">="] | None = None
    bound: str | None = None
    unit: str | None = None
    samples: int | None = None


class Control(Value, frozen=True, kw_only=True):
    """A negative control: under `fault`, criterion `of` must get `verdict`."""

    of: str
    fault: str
    verdict: Literal["fail", "invalid", "inconclusive", "not-run"] = "fail"


class Criterion(Value, frozen=True, kw_only=True):
    """The judging fields of one exit criterion, defaults filled in; these and no others make the bar's digest.

    `confidence` is an exact decimal below 1, the word `none` (with `confidence_reason`), or None where the
    statistic needs none. `exposure` and `margin` are quantities such as `20 s`. `samples` is the size of the
    fixed plan, per run where `consecutive` is more than 1. `sequential` is the design rate of a plan that is judged
    after every sample, of which `samples` are the most. `combine` says whether each of the consecutive runs has to pass
    alone, or all of them together. `assurance` is the level below which a pass is a condition. `document` (a path below the
    root folder) and `signer` (a principal of the trust root) belong to the method `examine`.
    """

    id: str
    limits: tuple[Limit, ...] = ()
    level: Literal["blocker", "advisory"] = "blocker"
    method: Literal["measure", "examine"] = "measure"
    document: str | None = None
    signer: str | None = None
    samples: int | None = None
    exposure: str | None = None
    warm_up: int = 0
    blocks: int = 0
    confidence: str | None = None
    confidence_reason: str | None = None
    consecutive: int = 1
    combine: Literal["each", "pooled"] = "each"
    sequential: str | None = None
    census: bool = False
    sampling: Literal["closed-loop", "open-loop"] = "closed-loop"
    margin: str | None = None
    seed: int | None = None
    requires: str | None = None
    fidelity: str | None = None
    assurance: Literal["E1", "E2", "E3"] | None = None
    subjects: tuple[str, ...] = ()
    control: Control | None = None
    tests: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    planned: bool = False

    def plan_of(self, limit: Limit) -> int | None:
        """How many samples the fixed plan of that limit has."""
        return limit.samples if limit.samples is not None else self.samples

    @property
    def gate(self) -> str:
        """The gate's id: what stands before the first dot."""
        return self.id.partition(".")[0]

    @property
    def word(self) -> str:
        """What stands after the first dot: how the criterion is called beside its gate."""
        return self.id.partition(".")[2]


class Gate(Value, frozen=True, kw_only=True):
    """One gate of the bar: its stage (empty where it belongs to none) and its criteria in the file's order."""

    id: str
    stage: str
    criteria: tuple[Criterion, ...]
    planned: bool = False


class Plan(Value, frozen=True, kw_only=True):
    """The registered bar: `plan.json`. Its RFC 8785 bytes' SHA-256 is the bar's digest."""

    format: Literal["spiral-plan/1"] = PLAN_FORMAT
    rules: Literal["spiral-rules/1"] = RULES
    gates: tuple[Gate, ...]

    def criteria(self) -> tuple[Criterion, ...]:
        """All criteria, gate by gate."""
        return tuple(criterion for gate in self.gates for criterion in gate.criteria)

    def criterion(self, name: str) -> Criterion:
        """The criterion with that id; KeyError where there is none."""
        for criterion in self.criteria():
            if criterion.id == name:
                return criterion
        raise KeyError(name)


class CriterionCard(Value, frozen=True, kw_only=True):
    """What describes a criterion and judges nothing. `line` is 1-based in the gates file."""

    id: str
    promise: str = ""
    owner: str = ""
    due: str = ""
    line: int = 0


class GateCard(Value, frozen=True, kw_only=True):
    """What describes a gate and judges nothing. `source` is the gates file, relative to the root folder."""

    id: str
    title: str
    owner: str
    objective: str = ""
    entry: tuple[str, ...] = ()
    due: str = ""
    no_control: str = ""
    source: str = ""
    line: int = 0
    criteria: tuple[CriterionCard, ...] = ()
