"""Dependence of samples taken one after another: how many independent ones they are worth.

Latencies come in bursts: one slow second makes many slow calls. Taken as independent, they would prove too much. The
design effect D says how many samples in a row are worth one, and they are judged as n / D samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import accumulate, pairwise
from math import ceil, floor

from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.statistics.arguments import alpha_of, check_counts, check_inside, place_of
from pytest_spiral.rules.statistics.bounds import lower_share
from pytest_spiral.rules.statistics.judged import Judged, Number, Qualifier, Reason
from pytest_spiral.rules.statistics.zones import Bar, Counts, Shown, Zone, find_full_zone, refuse_population


@dataclass(frozen=True, slots=True)
class Dependence:
    """The design effect `value` >= 1, the larger of two estimates.

    `acf` comes from the autocorrelation, `block` from the spread of the blocks' means (None: fewer than two blocks).
    `estimated` is False where no sample stands out, so that nothing could be estimated.
    """

    value: Fraction
    acf: Fraction = Fraction(1)
    block: Fraction | None = None
    estimated: bool = True

    def __post_init__(self) -> None:
        if self.value < 1:
            raise ValueError(f"a design effect is at least 1, got {self.value}")


def estimate_dependence(values: Sequence[Number], quantile: Fraction, blocks: Sequence[int]) -> Dependence:
    """The design effect of the exceedances of the estimated quantile, values in the order taken.

    y is 1 where x > x_(ceil(q n)), less its mean (where ties leave none above, x >= x_(ceil(q n))). From the
    autocorrelation: 2 (G_0 + G_1 + …) - 1 with G_m = rho_2m + rho_(2m + 1), summed while positive (Geyer 1992, initial
    positive sequence). From blocks of m samples: m s^2(block means) / (p (1 - p)). All in whole numbers.

    ValueError without values, or where the blocks do not add up to them.
    """
    samples, quantile = len(values), check_inside("quantile", quantile)
    if samples == 0 or sum(blocks) != samples:
        raise ValueError(f"blocks of {sum(blocks)} samples in all do not fit {samples} values")
    places = [place_of(value) for value in values]
    cut = sorted(places)[ceil(quantile * samples) - 1]
    marks = [place > cut for place in places]
    if not any(marks):
        marks = [place >= cut for place in places]
    if all(marks):
        return Dependence(Fraction(1), estimated=False)
    acf, block = max(Fraction(1), _autocorrelation_effect(marks)), _block_effect(marks, blocks)
    return Dependence(max(Fraction(1), acf, block or acf), acf, block)


def find_dependent_zone(bar: Bar, counts: Counts, dependence: Dependence) -> tuple[Zone, Shown]:
    """The zone at n_eff = floor(n / D) samples, of which ceil(over n_eff / n) are not good, and what to show of it.

    For a fail the samples that are surely not good are rounded down, so that rounding helps neither side. What is
    open with independent samples stays open. With D = 1 that is the zone of independent samples.
    """
    alone = find_full_zone(bar, counts)
    worth = floor(counts.samples / dependence.value)
    share = Fraction(worth, counts.samples)
    over, least_over = counts.samples - counts.good, counts.samples - counts.best
    fewer = Counts(worth - ceil(over * share), worth - floor(least_over * share), worth)
    shown = _figures(bar, dependence, fewer)
    if not dependence.estimated:
        return replace(alone, qualifiers=(*alone.qualifiers, Qualifier.INDEPENDENCE_ASSUMED)), shown
    if dependence.value == 1:
        return alone, shown
    qualifiers = (*alone.qualifiers, Qualifier.DEPENDENT)
    can_decide = worth > 0 and bar.proven_by(worth, worth)
    if can_decide and (alone.is_open or find_full_zone(bar, fewer).verdict is alone.verdict):
        return replace(alone, qualifiers=qualifiers), shown
    return Zone(Verdict.INCONCLUSIVE, Reason.TOO_FEW_INDEPENDENT, qualifiers), shown


def judge_quantile_dependent(
    over: int, samples: int, quantile: Fraction, *, confidence: Fraction, dependence: Dependence
) -> Judged:
    """Judge a quantile by how many samples are over its limit, where samples depend on each other.

    ValueError for negative or impossible counts.
    """
    check_counts(over=over, samples=samples)
    if over > samples:
        raise ValueError(f"{over} samples over the limit are more than {samples}")
    refused = refuse_population(samples, None)
    if refused is not None:
        return refused
    bar = Bar(check_inside("quantile", quantile), confidence)
    good = samples - over
    zone, shown = find_dependent_zone(bar, Counts(good, good, samples), dependence)
    return Judged(zone.verdict, zone.reason, zone.qualifiers, samples=samples, shown=shown)


def _figures(bar: Bar, dependence: Dependence, fewer: Counts) -> Shown:
    lower = None
    if fewer.samples > 0 and bar.confidence is not None:
        lower = lower_share(fewer.good, fewer.samples, alpha_of(bar.confidence))
    return (
        ("design_effect", dependence.value),
        ("design_effect_acf", dependence.acf),
        ("design_effect_block", dependence.block),
        ("samples_effective", fewer.samples),
        ("over_limit_effective", fewer.samples - fewer.good),
        ("lower_share_effective", lower),
    )


def _autocorrelation_effect(marks: Sequence[bool]) -> Fraction:
    samples, total = len(marks), sum(marks)
    bits = int("".join("1" if mark else "0" for mark in reversed(marks)), 2)

    def covariance(lag: int) -> int:
        """n^2 times the sum of y_i y_(i + lag); bit i of `bits` is mark i."""
        first = bits & ((1 << (samples - lag)) - 1)
        last = bits >> lag
        both = (first & last).bit_count()
        ends = first.bit_count() + last.bit_count()
        return samples * samples * both - samples * total * ends + (samples - lag) * total * total

    pairs = 0
    for lag in range(0, samples - 1, 2):
        pair = covariance(lag) + covariance(lag + 1)
        if pair <= 0:
            break
        pairs += pair
    return Fraction(2 * pairs, covariance(0)) - 1


def _block_effect(marks: Sequence[bool], blocks: Sequence[int]) -> Fraction | None:
    """The spread between blocks over what independent samples would show; blocks may differ in size."""
    if len(blocks) < 2:
        return None
    share = Fraction(sum(marks), len(marks))
    edges = pairwise(accumulate(blocks, initial=0))
    spread = sum(
        ((sum(marks[start:end]) - share * (end - start)) ** 2 / (end - start) for start, end in edges),
        start=Fraction(0),
    )
    return spread / (len(blocks) - 1) / (share * (1 - share))
