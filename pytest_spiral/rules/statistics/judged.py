"""What judging one limit on one population gives: a verdict, its reason, and the figures beside it."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

from pytest_spiral.model.verdict import Verdict

Number = Fraction | float | int


class Direction(StrEnum):
    """Which side of the limit is the good one. Values are the comparison as it is written."""

    AT_LEAST = ">="
    AT_MOST = "<="


class Reason(StrEnum):
    """Why a limit is not simply passed or failed. Values are stable codes."""

    # inconclusive
    POINT_ONLY = "point-only"  # the estimate clears the limit, its bound does not
    POINT_SHORT = "point-short"  # the estimate misses the limit, its opposite bound does not
    INCOMPLETE = "incomplete"  # the plan is not full, and a completion can still pass
    CANNOT_PASS = "cannot-pass"  # the plan is not full, and no completion can pass
    TOO_FEW = "too-few-for-any-bound"  # with so few samples no result could pass
    TOO_FEW_INDEPENDENT = "too-few-independent"  # enough samples, too few independent ones
    TOO_FEW_BLOCKS = "too-few-blocks"  # dependence cannot be estimated from so few blocks
    LOST_SAMPLES = "lost-samples"  # announced samples never reported, and they could decide
    RESOLUTION = "resolution"  # the clock is too coarse to tell
    RUN_NOT_PROVEN = "run-not-proven"  # a run of the row does not pass alone
    RUN_BELOW_BAR = "run-below-bar"  # a run's plain figure misses the limit
    ROW_SHORT = "row-short"  # too few unbroken runs
    ROW_HUNTED = "row-hunted"  # so many runs that such a row comes by chance
    PLAN_SPENT = "plan-spent"  # the fixed plan was judged once and has not passed
    ATTEMPT_MISSING = "attempt-missing"  # an earlier attempt of the plan is not here, so nobody knows what it measured
    ATTEMPTS_DISAGREE = "attempts-disagree"  # a pass that later attempts do not bear out
    CONTINUE = "continue"  # a sequential plan that has not decided yet
    MARGIN_NOT_PROVEN = "margin-not-proven"  # the interval reaches over the margin
    CONTROL = "control"  # a comparison whose own controls do not come out as they must
    # fail, or invalid
    WORST_ATTEMPT = "worst-attempt"  # an earlier attempt on the same subject failed, or was invalid
    # fail
    STRATA_JUDGED_APART = "strata-judged-apart"  # one stratum fails, whatever the pool says
    # not-run and environment-limited
    MISSING_PART = "missing-part"  # a listed item was never tried
    VIRTUAL_CLOCK = "virtual-clock"  # time passed on a clock that can be set
    # invalid
    EMPTY = "empty"  # nothing to judge
    NOT_A_NUMBER = "not-a-number"  # NaN, or minus infinity
    OUT_OF_RANGE = "out-of-range"  # a score outside the range that its bound rests on
    MORE_THAN_PLANNED = "more-than-planned"  # more samples than were declared
    COARSE_TIMER = "coarse-timer"  # the timer's resolution is over a tenth of the limit
    CLOSED_LOOP = "closed-loop"  # a response time taken by a client that waits


class Qualifier(StrEnum):
    """What a reader must know beside the verdict."""

    SIMPLE_ACCEPTANCE = "simple-acceptance"  # compared plainly, without confidence
    DEPENDENT = "dependent"  # judged at the effective number of samples
    FLAKY = "flaky"  # attempts disagree
    BAR_MOVED = "bar moved"  # an attempt by another bar did not pass on this subject
    STALE = "stale"  # a declared input changed since
    INDEPENDENCE_ASSUMED = "independence assumed"  # too few failures to see dependence, or two sides compared


class Ranks(NamedTuple):
    """Ranks, counted from 1, of the order statistics that estimate and bound a quantile; None: no such rank."""

    estimate: int
    lower: int | None
    upper: int | None


@dataclass(frozen=True, slots=True)
class Judged:
    """One limit judged on one population.

    `value` is the statistic's point value; `lower` and `upper` are its one-sided bounds in the same unit, rounded
    outwards, and None where the kind has none. A failed call is `math.inf`. `limit` and `direction` are what was
    judged against. `more_needed` is how many samples (or how much exposure) fill the plan. `ranks` belongs to
    quantiles, `row` to consecutive runs (a word a run). `shown` holds the kind's further figures by name, in the
    order in which they are displayed.

    A pass has no reason; whatever is neither pass nor fail has one. ValueError where that is broken, or a bound is
    NaN.
    """

    verdict: Verdict
    reason: str | None = None
    qualifiers: tuple[str, ...] = ()
    value: Number | None = None
    lower: float | None = None
    upper: float | None = None
    limit: Fraction | None = None
    direction: Direction | None = None
    samples: int | None = None
    planned: int | None = None
    more_needed: Number | None = None
    ranks: Ranks | None = None
    row: tuple[str, ...] = ()
    shown: tuple[tuple[str, Number | None], ...] = ()

    def __post_init__(self) -> None:
        if self.verdict is Verdict.PASS and self.reason is not None:
            raise ValueError(f"a pass needs no reason, got {self.reason!r}")
        if self.verdict not in {Verdict.PASS, Verdict.FAIL} and not self.reason:
            raise ValueError(f"{self.verdict} without a reason")
        if any(figure is not None and math.isnan(figure) for figure in (self.value, self.lower, self.upper)):
            raise ValueError("a figure that is not a number cannot be shown")

    @property
    def adverse_bound(self) -> float | None:
        """The bound that has to clear the limit: the lower one of `>=`, the upper one of `<=`."""
        return {Direction.AT_LEAST: self.lower, Direction.AT_MOST: self.upper, None: None}[self.direction]

    def figure(self, name: str) -> Number | None:
        """The further figure of that name; KeyError where this kind has none such."""
        return dict(self.shown)[name]


# A fail first, as in a gate's decision. What cannot be trusted stands before what is missing or open, since a
# waiver may cover an open result and must not cover an untrusted one beside it.
WORST_FIRST = (
    Verdict.FAIL,
    Verdict.INVALID,
    Verdict.NOT_RUN,
    Verdict.INCONCLUSIVE,
    Verdict.ENVIRONMENT_LIMITED,
    Verdict.PASS,
    Verdict.INAPPLICABLE,
)


def worst_of(results: Iterable[Judged]) -> Judged:
    """The result that counts where all of several must hold: the first of the worst verdict.

    ValueError where there is none.
    """
    listed = list(results)
    if not listed:
        raise ValueError("there is no worst of nothing")
    return min(listed, key=lambda one: WORST_FIRST.index(one.verdict))


def merged_qualifiers(results: Iterable[Judged]) -> tuple[str, ...]:
    """All qualifiers of several results, each once, in order of first appearance."""
    return tuple(dict.fromkeys(qualifier for one in results for qualifier in one.qualifiers))
