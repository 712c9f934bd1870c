"""Pass, fail or neither: where a number of good samples stands against the share that must be good.

Rates and quantiles are one question. A rate of at least 95 % asks that 95 % of samples are hits; a P95 of at most
120 ms asks that 95 % of samples are within 120 ms. Both are decided by the binomial tails at that share.
"""

from dataclasses import dataclass
from fractions import Fraction

from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.statistics.arguments import alpha_of
from pytest_spiral.rules.statistics.judged import Judged, Number, Qualifier, Reason
from pytest_spiral.rules.statistics.tails import Binomial, compare_lower_tail, compare_upper_tail

Shown = tuple[tuple[str, Number | None], ...]
"""Further figures by name, in the order in which they are displayed."""


@dataclass(frozen=True, slots=True)
class Bar:
    """The share of good samples that must be shown.

    `confidence` None compares plainly: what is not at the bar is below it. `strict` makes the plain figure clear
    the bar only from above it, which is how `ceil(q n)` counts from the other side.
    """

    share: Fraction
    confidence: Fraction | None
    strict: bool = False

    def cleared_by(self, good: int, samples: int) -> bool:
        """Whether the plain figure is at the bar."""
        needed = self.share * samples
        return good > needed if self.strict else good >= needed

    def proven_by(self, good: int, samples: int) -> bool:
        """Whether the lower bound is at or above the bar: P(Bin(n, bar) >= good) <= alpha."""
        if self.confidence is None:
            return self.cleared_by(good, samples)
        return compare_upper_tail(Binomial(samples, self.share), good, alpha_of(self.confidence)) <= 0

    def refuted_by(self, good: int, samples: int) -> bool:
        """Whether the upper bound is below the bar: P(Bin(n, bar) <= good) < alpha."""
        if self.confidence is None:
            return not self.cleared_by(good, samples)
        return compare_lower_tail(Binomial(samples, self.share), good, alpha_of(self.confidence)) < 0

    @property
    def qualifiers(self) -> tuple[str, ...]:
        """What every result against this bar carries."""
        return () if self.confidence is not None else (Qualifier.SIMPLE_ACCEPTANCE,)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many of the samples are good: surely (`good`), and at best (`best`), lost ones then taken as good.

    ValueError unless 0 <= good <= best <= samples.
    """

    good: int
    best: int
    samples: int

    def __post_init__(self) -> None:
        if not 0 <= self.good <= self.best <= self.samples:
            raise ValueError(f"{self.good} to {self.best} good ones among {self.samples} samples make no sense")


@dataclass(frozen=True, slots=True)
class Zone:
    """Where the counts stand: the verdict, its reason, its qualifiers, and how many samples fill the plan."""

    verdict: Verdict
    reason: str | None = None
    qualifiers: tuple[str, ...] = ()
    more_needed: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether all samples are there, and they do not decide."""
        return self.verdict is Verdict.INCONCLUSIVE and self.more_needed is None


def find_zone(bar: Bar, counts: Counts, planned: int | None = None) -> Zone:
    """The zone of the counts in a plan of so many samples; None: there will be no more than these.

    Lost samples count as bad for a pass and as good for a fail. A plan that is not full is inconclusive, unless no
    completion of it can avoid a fail, or none can give a pass. A pass is given by a full plan only.
    """
    missing = 0 if planned is None else planned - counts.samples
    if missing == 0:
        return find_full_zone(bar, counts)
    whole = counts.samples + missing
    can_pass = bar.proven_by(counts.good + missing, whole)
    if not can_pass and bar.refuted_by(counts.best + missing, whole):
        return Zone(Verdict.FAIL, None, bar.qualifiers)
    if not can_pass:
        return Zone(Verdict.INCONCLUSIVE, Reason.CANNOT_PASS, bar.qualifiers, missing)
    so_far = () if bar.proven_by(counts.good, counts.samples) else (_point(bar, counts),)
    return Zone(Verdict.INCONCLUSIVE, Reason.INCOMPLETE, (*bar.qualifiers, *so_far), missing)


def find_full_zone(bar: Bar, counts: Counts) -> Zone:
    """The zone of counts that are all there will be."""
    proven = bar.proven_by(counts.good, counts.samples)
    refuted = bar.refuted_by(counts.best, counts.samples)
    # Below a confidence of one half both tails can be small at once; then neither is a proof.
    if proven and not refuted:
        return Zone(Verdict.PASS, None, bar.qualifiers)
    if refuted and not proven:
        return Zone(Verdict.FAIL, None, bar.qualifiers)
    reason = Reason.LOST_SAMPLES if bar.confidence is None else _point(bar, counts)
    return Zone(Verdict.INCONCLUSIVE, reason, bar.qualifiers)


def _point(bar: Bar, counts: Counts) -> Reason:
    return Reason.POINT_ONLY if bar.cleared_by(counts.good, counts.samples) else Reason.POINT_SHORT


def refuse_population(samples: int, planned: int | None) -> Judged | None:
    """The invalid result of a population that is empty or larger than declared, or None where it is neither."""
    if planned is not None and planned < 1:
        raise ValueError(f"a plan has at least one sample, got {planned}")
    if samples == 0:
        return Judged(Verdict.INVALID, Reason.EMPTY, samples=0, planned=planned, more_needed=planned)
    if planned is not None and samples > planned:
        return Judged(Verdict.INVALID, Reason.MORE_THAN_PLANNED, samples=samples, planned=planned)
    return None
