"""What a criterion asks for before anything is measured: samples needed, failures allowed, and who gets through.

Quality is the share of samples that are good in truth: hits for a rate, values within the limit for a quantile, calls
that do not fail. What it does not describe (a mean, a comparison, a duration) is left out, and said to be. Samples are
taken as independent; what hangs together passes less often or more often than is said here.
"""

import math
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Final

import msgspec

from pytest_spiral.model.gate import Criterion, Limit
from pytest_spiral.model.outlook import CriterionOutlook, LimitOutlook, Outlook, PlanOffer, Point
from pytest_spiral.rules.criteria import confidence_of
from pytest_spiral.rules.limits import bound_of
from pytest_spiral.rules.statistics.characteristic import (
    Course,
    chance_of_all,
    chance_of_passing,
    chance_of_pooled,
    chance_of_row,
    sequential_course,
)
from pytest_spiral.rules.statistics.plan import (
    most_events,
    most_failures,
    smallest_exposure,
    smallest_samples,
)
from pytest_spiral.rules.statistics.sequential import smallest_sequential
from pytest_spiral.rules.statistics.tails import Poisson, lower_tail
from pytest_spiral.rules.units import convert, decimal_text, parse_quantity

MOST_COURSE: Final = 20_000
"""A sequential plan of more samples is not figured through: it would take longer than anybody waits."""

_WITHIN: Final = {"min": 0, "max": 0}
_LEFT_OUT: Final = {
    "mean": "a mean: its chance depends on how scores spread",
    "equal": "a comparison of every item: it passes where all agree",
    "equivalence": "pairs that are compared: its chance depends on how far they spread",
    "regression": "two series that are compared: its chance depends on how far they spread",
    "all-pass": "tests that all have to pass",
    "duration": "one duration",
    "count": "a count of events: see its picture",
    "count-rate": "a rate of events: see its picture",
}
_TOWARDS_ONE: Final = ("-1", "-0.5", "0", "0.2", "0.4", "0.6", "0.8", "0.9", "0.98")
_RATES: Final = ("0.9", "0.95", "0.99", "0.995", "0.999", "0.9999", "0.99999")
_EVENTS: Final = ("0.1", "0.25", "0.5", "0.75", "1", "1.25", "1.5", "2")
_OFFERS: Final = 9


def outlook_of(selector: str, criteria: Iterable[Criterion], true_rate: Fraction) -> Outlook:
    """The outlook of several criteria for a system whose samples are good at that rate.

    GO needs every blocker, so their chances multiply. Limits on a number of bad samples want a system that is better than
    any share, and are told apart. ValueError for a rate outside 0 … 1.
    """
    found = tuple(criterion_outlook(one, true_rate) for one in criteria)
    blockers = [one for one in found if one.level == "blocker"]
    chances = {one.id: one.chance for one in blockers if one.chance is not None and not one.strict}
    strict = {one.id: one.chance for one in blockers if one.chance is not None and one.strict}
    return Outlook(
        selector=selector,
        true_rate=decimal_text(true_rate),
        criteria=found,
        counted=tuple(chances),
        strict=tuple(strict),
        left_out=tuple(one.id for one in blockers if one.chance is None),
        chance=chance_of_all(chances.values()) if chances else None,
        chance_strict=chance_of_all([*chances.values(), *strict.values()]) if strict else None,
    )


def criterion_outlook(criterion: Criterion, true_rate: Fraction) -> CriterionOutlook:
    """One criterion; ValueError as for `outlook_of`."""
    if not 0 <= true_rate <= 1:
        raise ValueError(f"a rate lies between 0 and 1, got {true_rate}")
    limits = tuple(_limit(criterion, limit, true_rate) for limit in criterion.limits)
    known = [one.chance for one in limits if one.chance is not None]
    why = "; ".join(dict.fromkeys(one.left_out for one in limits if one.left_out)) or _other_way(criterion)
    return CriterionOutlook(
        id=criterion.id,
        level=criterion.level,
        limits=limits,
        chance=chance_of_all(known) if limits and len(known) == len(limits) else None,
        strict=bool(limits) and all(_share_of(limit) is None for limit in criterion.limits),
        left_out=why,
    )


def _other_way(criterion: Criterion) -> str:
    if criterion.control is not None:
        return "a control: it has to fail under its fault"
    if criterion.method == "examine":
        return "a document that a person examines"
    return "" if criterion.limits else "planned: nothing is asked for yet"


def _limit(criterion: Criterion, limit: Limit, true_rate: Fraction) -> LimitOutlook:
    if limit.statistic in ("count", "count-rate"):
        return _events(criterion, limit)
    samples = criterion.plan_of(limit)
    if limit.statistic in _LEFT_OUT or samples is None:
        why = _LEFT_OUT.get(limit.statistic, "no plan")
        return LimitOutlook(limit=limit.text, statistic=limit.statistic, samples=samples, left_out=why)
    if criterion.sequential is not None:
        return _sequential(criterion, limit, samples, true_rate)
    return _Fixed(criterion, limit, samples).outlook(true_rate)


class _Fixed:
    """A limit on a fixed plan that passes with at most so many bad samples."""

    def __init__(self, criterion: Criterion, limit: Limit, samples: int) -> None:
        self.criterion, self.limit, self.samples = criterion, limit, samples
        self.runs, self.pooled = criterion.consecutive, criterion.combine == "pooled"
        self.share = _share_of(limit)
        self.confidence = confidence_of(criterion)
        self.allowed = self._allowed()

    def _allowed(self) -> int | None:
        if self.share is None:
            return _WITHIN.get(self.limit.statistic, int(bound_of(self.limit)))
        whole = self.samples * self.runs if self.pooled else self.samples
        if self.confidence is None or self.share == 1:
            return math.floor((1 - self.share) * whole)
        return most_failures(self.share, self.confidence, whole)

    def once(self, rate: Fraction) -> float:
        """The chance of one run (of all runs together where they are pooled)."""
        if self.allowed is None:
            return 0.0
        if self.pooled and self.share is not None:
            each = math.floor((1 - self.share) * self.samples)
            return chance_of_pooled(self.samples, self.runs, each, self.allowed, rate)
        return chance_of_passing(self.samples, self.allowed, rate)

    def chance(self, rate: Fraction) -> float:
        """The chance of the row."""
        return self.once(rate) if self.pooled else chance_of_row(self.once(rate), self.runs)

    def outlook(self, rate: Fraction) -> LimitOutlook:
        proving = self.share is not None and self.share < 1 and self.confidence is not None
        least = smallest_samples(self.share or Fraction(1, 2), self.confidence or Fraction(1, 2)) if proving else None
        qualities = _qualities(self.share)
        return LimitOutlook(
            limit=self.limit.text,
            statistic=self.limit.statistic,
            samples=self.samples,
            confidence=self.criterion.confidence or "",
            runs=self.runs,
            pooled=self.pooled,
            least=least,
            allowed=self.allowed,
            once=self.once(rate),
            chance=self.chance(rate),
            at_the_limit=self.chance(self.share) if self.share is not None else None,
            curve=tuple(Point(quality=float(one), chance=self.chance(one)) for one in qualities),
            offers=tuple(self._offers(rate)) if proving and not self.pooled else (),
        )

    def _offers(self, rate: Fraction) -> Iterable[PlanOffer]:
        """The smallest plans with none, one, two … failures allowed."""
        for failures in range(_OFFERS):
            samples = smallest_samples(
                self.share or Fraction(1, 2), self.confidence or Fraction(1, 2), failures=failures
            )
            once = chance_of_passing(samples, failures, rate)
            yield PlanOffer(samples=samples, failures=failures, chance=once, row=chance_of_row(once, self.runs))


def _share_of(limit: Limit) -> Fraction | None:
    """The share of samples that must be good; None where a number of bad ones is limited."""
    if limit.statistic == "quantile":
        quantile = Fraction(Decimal(limit.quantile or "0"))
        return quantile if limit.comparison == "<=" else 1 - quantile
    if limit.statistic == "rate":
        bound = bound_of(limit, "1")
        return bound if limit.comparison == ">=" else 1 - bound
    return None


def _qualities(share: Fraction | None) -> list[Fraction]:
    if share is None or share == 1:
        return [Fraction(one) for one in _RATES]
    room = min(1 - share, share)
    return [share + Fraction(one) * (1 - share if Fraction(one) > 0 else room) for one in _TOWARDS_ONE]


def _sequential(criterion: Criterion, limit: Limit, samples: int, rate: Fraction) -> LimitOutlook:
    bar, design = bound_of(limit, "1"), parse_quantity(criterion.sequential or "")
    built = convert(design.number, design.unit, "1")
    confidence = confidence_of(criterion) or Fraction(0)
    told = LimitOutlook(
        limit=limit.text,
        statistic=limit.statistic,
        samples=samples,
        confidence=criterion.confidence or "",
        sequential=criterion.sequential,
        least=smallest_sequential(bar, built, confidence),
    )
    if samples > MOST_COURSE:
        return _with(told, left_out=f"a sequential plan of more than {MOST_COURSE:,} samples")

    def course(quality: Fraction) -> Course:
        return sequential_course(bar, built, confidence, quality, samples)

    here = course(rate)
    return _with(
        told,
        once=here.passes,
        chance=here.passes,
        at_the_limit=course(bar).passes,
        expected=here.samples,
        curve=tuple(Point(quality=float(one), chance=course(one).passes) for one in _qualities(bar)),
    )


def _events(criterion: Criterion, limit: Limit) -> LimitOutlook:
    """Events: how many are allowed over the exposure, and the chance by how many are expected in truth."""
    exposure = parse_quantity(criterion.exposure or "1")
    told = LimitOutlook(
        limit=limit.text,
        statistic=limit.statistic,
        exposure=criterion.exposure,
        runs=criterion.consecutive,
        left_out=_LEFT_OUT[limit.statistic],
    )
    if limit.statistic == "count":
        allowed, middle = int(bound_of(limit)), max(bound_of(limit), Fraction(1))
    else:
        each = bound_of(limit, f"per {exposure.unit}")
        middle, sure = each * exposure.number, confidence_of(criterion)
        allowed = math.floor(middle) if sure is None else most_events(middle, sure)
        least = None if sure is None else smallest_exposure(each, sure)
        told = _with(told, confidence=criterion.confidence or "", least=least)
    curve = [
        Point(
            quality=float(middle * Fraction(one)),
            chance=chance_of_row(lower_tail(Poisson(middle * Fraction(one)), allowed), criterion.consecutive),
        )
        for one in _EVENTS
    ]
    return _with(told, allowed=allowed, curve=tuple(curve))


def _with(told: LimitOutlook, **changes: object) -> LimitOutlook:
    return msgspec.structs.replace(told, **changes)
