"""Tails of the binomial and the Poisson distribution, compared with a risk without rounding error.

A tail is the weight on one side of a rank, divided by the weight of all ranks. Weights are taken relative to the mode
and follow from each other by rational factors, so whole numbers do: each weight is kept as a multiple of 2^-128,
rounded down, and the sum of all that was rounded off or left out is bounded. That gives an interval which
surely holds the tail. Where the risk lies inside it the same is done with 512 bits, and where that does not tell
either, the binomial tail is summed exactly. Results are the same on every machine, and the cost grows with the root
of the number of samples: there is no logarithm of a factorial here whose rounding error would grow with it.

A rank so far from the mode that a plain bound of its tail tells is found out first, at no cost: a plan may be on
billions of events, and whether none of them proves its limit is no question for a sum.

The exact sum is the last step for up to 20,000 samples. Above that a tail within 2^-400 of the risk counts as
above it, which is against every claim: neither a pass nor a fail is given. Such a case is a tie, of which
only the symmetric one (a median at confidence 0.5) is known.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import comb

MOST_EXACT_SAMPLES = 20_000

_MOST_BITS = 4096
"""A tail that is known to be less than 2^-4096 is not said to be less than that."""

_Step = Callable[[int], tuple[int, int]]
"""For a rank: numerator and denominator of the factor to the next weight outwards."""


@dataclass(frozen=True, slots=True)
class Binomial:
    """The number of successes among `samples`, each with the chance `share` in [0, 1]."""

    samples: int
    share: Fraction

    @property
    def mode(self) -> int:
        """A most likely number of successes."""
        return min(self.samples, int((self.samples + 1) * self.share))

    def steps(self) -> tuple[_Step, _Step]:
        """The factors upwards and downwards from a rank."""
        samples, hit = self.samples, self.share.numerator
        miss = self.share.denominator - hit

        def up(rank: int) -> tuple[int, int]:
            return (samples - rank) * hit, (rank + 1) * miss

        def down(rank: int) -> tuple[int, int]:
            return rank * miss, (samples - rank + 1) * hit

        return up, down

    def certain_tail(self, rank: int) -> int | None:
        """P(X >= rank) where it is 0 or 1, else None."""
        if rank <= 0 or (self.share == 1 and rank <= self.samples):
            return 1
        return 0 if rank > self.samples or self.share == 0 else None

    def exact_tail(self, rank: int) -> Fraction | None:
        """P(X >= rank) as a fraction, or None for too many samples."""
        if self.samples > MOST_EXACT_SAMPLES:
            return None
        hit, whole = self.share.numerator, self.share.denominator
        miss = whole - hit
        weight = comb(self.samples, rank) * hit**rank * miss ** (self.samples - rank)
        total = weight
        for at in range(rank, self.samples):
            weight = weight * (self.samples - at) * hit // ((at + 1) * miss)
            total += weight
        return Fraction(total, whole**self.samples)


@dataclass(frozen=True, slots=True)
class Poisson:
    """The number of events where `mean` (not negative) are expected."""

    mean: Fraction

    @property
    def mode(self) -> int:
        """A most likely number of events."""
        return int(self.mean)

    def steps(self) -> tuple[_Step, _Step]:
        """The factors upwards and downwards from a rank."""
        top, bottom = self.mean.numerator, self.mean.denominator

        def up(rank: int) -> tuple[int, int]:
            return top, (rank + 1) * bottom

        def down(rank: int) -> tuple[int, int]:
            return rank * bottom, top

        return up, down

    def certain_tail(self, rank: int) -> int | None:
        """P(X >= rank) where it is 0 or 1, else None."""
        if rank <= 0:
            return 1
        return 0 if self.mean == 0 else None

    def exact_tail(self, rank: int) -> None:  # noqa: ARG002 - same form as the binomial's
        """No Poisson tail is rational unless it is certain, so none ties with a risk."""
        return


Distribution = Binomial | Poisson


def compare_upper_tail(distribution: Distribution, rank: int, risk: Fraction) -> int:
    """The sign of P(X >= rank) - risk; 1 where it cannot be told (see the module)."""
    sign = _sign(distribution, rank, risk)
    return 1 if sign is None else sign


def compare_lower_tail(distribution: Distribution, rank: int, risk: Fraction) -> int:
    """The sign of P(X <= rank) - risk; 1 where it cannot be told (see the module)."""
    sign = _sign(distribution, rank + 1, 1 - risk)
    return 1 if sign is None else -sign


def upper_tail(distribution: Distribution, rank: int) -> float:
    """P(X >= rank), within 2^-100 of the truth and then rounded to a float."""
    certain = distribution.certain_tail(rank)
    if certain is not None:
        return float(certain)
    low, high = _interval(distribution, rank, bits=128)
    return float((low + high) / 2)


def lower_tail(distribution: Distribution, rank: int) -> float:
    """P(X <= rank), within 2^-100 of the truth and then rounded to a float."""
    certain = distribution.certain_tail(rank + 1)
    if certain is not None:
        return float(1 - certain)
    low, high = _interval(distribution, rank + 1, bits=128)
    return float(1 - (low + high) / 2)


def _sign(distribution: Distribution, rank: int, threshold: Fraction) -> int | None:
    certain = distribution.certain_tail(rank)
    if certain is not None:
        return (certain > threshold) - (certain < threshold)
    far = _far_out(distribution, rank, threshold)
    if far is not None:
        return far
    for bits in (128, 512):
        above, below, slack = _masses(distribution, rank, bits)
        top, bottom = threshold.numerator, threshold.denominator
        if above * bottom > top * (above + below + slack):
            return 1
        if (above + slack) * bottom < top * (above + slack + below):
            return -1
    tail = distribution.exact_tail(rank)
    return None if tail is None else (tail > threshold) - (tail < threshold)


def _far_out(distribution: Distribution, rank: int, threshold: Fraction) -> int | None:
    """The sign of P(X >= rank) - threshold where the tail on the rank's side of the mode is clearly the smaller one.

    Outwards of the mode each weight is a factor of the one before, and the factors fall. So the weight of the rank at
    the tail's edge is at most f^n, with the factor f that is n steps nearer to the mode, and the whole tail at most that
    over 1 - g, with the edge's own factor g. And f^n <= e^(-n (1 - f)) <= 2^(-1.44 n (1 - f)).
    """
    mode, (up, down) = distribution.mode, distribution.steps()
    outwards, edge, sign = (up, rank, -1) if rank > mode else (down, rank - 1, 1)
    allowed = threshold if rank > mode else 1 - threshold
    steps = abs(edge - mode) // 2
    top, bottom = outwards(edge + sign * steps)
    bits = min(_MOST_BITS, 36 * steps * (bottom - top) // (25 * bottom))
    top, bottom = outwards(edge)
    return sign if bottom * allowed.denominator < (allowed.numerator * (bottom - top)) << bits else None


def _interval(distribution: Distribution, rank: int, bits: int) -> tuple[Fraction, Fraction]:
    above, below, slack = _masses(distribution, rank, bits)
    return Fraction(above, above + below + slack), Fraction(above + slack, above + slack + below)


def _masses(distribution: Distribution, rank: int, bits: int) -> tuple[int, int, int]:
    """Weight at or above the rank, weight below it, and how much either may be too small; the mode weighs 2^bits."""
    mode, (up, down) = distribution.mode, distribution.steps()
    up_near, up_far, up_slack = _walk(up, mode, 1, far_from=rank, bits=bits)
    down_near, down_far, down_slack = _walk(down, mode, -1, far_from=rank - 1, bits=bits)
    slack = up_slack + down_slack
    if rank > mode:
        return up_far, (1 << bits) + up_near + down_near + down_far, slack
    return (1 << bits) + down_near + up_near + up_far, down_far, slack


def _walk(step: _Step, start: int, stride: int, *, far_from: int, bits: int) -> tuple[int, int, int]:
    """Sum the weights outwards of `start`: those before `far_from`, those from it on, and what may be missing.

    No factor is above 1, so the weight after `count` steps is at most `count` too small, and all of them together at
    most count (count + 1) / 2. Once a weight is rounded to 0, it and the rest are less than a geometric series.
    """
    weight, rank, near, far, count = 1 << bits, start, 0, 0, 0
    while True:
        top, bottom = step(rank)
        if top == 0:
            return near, far, count * (count + 1) // 2
        weight = weight * top // bottom
        rank += stride
        count += 1
        if weight == 0:
            return near, far, count * (count + 1) // 2 + count * bottom // (bottom - top) + 1
        if (rank - far_from) * stride >= 0:
            far += weight
        else:
            near += weight
