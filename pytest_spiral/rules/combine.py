"""Verdicts into decisions: what the blockers of a gate add up to, and the gates of a stage."""

from collections.abc import Iterable
from dataclasses import dataclass

from pytest_spiral.model.verdict import Decision, Verdict

_WAIVABLE = {Verdict.FAIL, Verdict.INCONCLUSIVE}
_NO_GO = {Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.NOT_RUN}


@dataclass(frozen=True, slots=True)
class Standing:
    """A blocker's verdict by its evidence alone, and what has come to it since.

    `waived`: a waiver that is in force covers it. `below_fidelity`: it was judged on a lesser subject than it asks for.
    `stale`: an input that it declared has changed since. ValueError for a waiver of anything but a fail or an
    inconclusive result: missing or untrusted evidence cannot be waived.
    """

    original: Verdict
    waived: bool = False
    below_fidelity: bool = False
    stale: bool = False

    def __post_init__(self) -> None:
        if self.waived and self.original not in _WAIVABLE:
            raise ValueError(f"{self.original} cannot be waived")

    @property
    def effective(self) -> Verdict:
        """What counts: stale evidence is none, and a pass on a lesser subject is limited by the environment."""
        if self.stale and self.original is not Verdict.INVALID:
            return Verdict.NOT_RUN
        if self.below_fidelity and self.original is Verdict.PASS:
            return Verdict.ENVIRONMENT_LIMITED
        return self.original

    @property
    def accepted(self) -> bool:
        """Whether a waiver takes this blocker out of the way of a conditional decision."""
        return self.waived and not self.stale


def combine(
    blockers: Iterable[Verdict | Standing],
    *,
    integrity: bool = True,
    capped: bool = False,
    debt_overdue: bool = False,
) -> Decision:
    """What the verdicts of a gate's blockers add up to; advisory criteria are not given here.

    In this order: broken integrity of the bundle is NOT-EVALUABLE; a fail, an inconclusive, a missing verdict or
    an overdue debt NO-GO; anything invalid, or no blocker that passed on whatever fidelity, NOT-EVALUABLE; anything
    limited by the environment, waived or capped CONDITIONAL GO; else GO.
    """
    standings = [one if isinstance(one, Standing) else Standing(one) for one in blockers]
    counted = [one.effective for one in standings if not one.accepted]
    if not integrity:
        return Decision.NOT_EVALUABLE
    if debt_overdue or any(verdict in _NO_GO for verdict in counted):
        return Decision.NO_GO
    passed = any(one.original is Verdict.PASS and not one.stale for one in standings)
    if Verdict.INVALID in counted or not passed:
        return Decision.NOT_EVALUABLE
    if capped or Verdict.ENVIRONMENT_LIMITED in counted or any(one.accepted for one in standings):
        return Decision.CONDITIONAL_GO
    return Decision.GO


_STAGE_ORDER = (Decision.NO_GO, Decision.NOT_EVALUABLE, Decision.CONDITIONAL_GO, Decision.GO)


def combine_stage(decisions: Iterable[Decision]) -> Decision:
    """What the decisions of a stage's gates add up to: the worst of them; NOT-EVALUABLE where there is none."""
    return min(decisions, key=_STAGE_ORDER.index, default=Decision.NOT_EVALUABLE)
