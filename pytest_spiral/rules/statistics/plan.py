"""Plans: how many samples a limit needs before it can be shown to hold, or a defect to be there."""

from collections.abc import Callable
from fractions import Fraction

from pytest_spiral.rules.statistics.arguments import alpha_of, check_counts, check_inside
from pytest_spiral.rules.statistics.tails import Binomial, Poisson, compare_lower_tail, compare_upper_tail


def smallest_samples(at_least: Fraction, confidence: Fraction, *, failures: int = 0) -> int:
    """The smallest plan in which that many failures still prove the rate: P(Bin(n, bar) >= n - f) <= alpha.

    ValueError unless bar and confidence lie between 0 and 1, and for negative failures.
    """
    bar, alpha = check_inside("at_least", at_least), alpha_of(confidence)
    check_counts(failures=failures)

    def proves(samples: int) -> bool:
        return compare_upper_tail(Binomial(samples, bar), samples - failures, alpha) <= 0

    return first_holding(proves, failures + 1)


def smallest_samples_for_quantile(quantile: Fraction, confidence: Fraction) -> int:
    """The smallest plan that can bound a quantile from above at all: q^n <= alpha."""
    return smallest_samples(quantile, confidence)


def most_failures(at_least: Fraction, confidence: Fraction, samples: int) -> int | None:
    """How many failures a plan allows for, or None where not even none proves the rate.

    ValueError unless bar and confidence lie between 0 and 1, and without samples.
    """
    bar, alpha = check_inside("at_least", at_least), alpha_of(confidence)
    if samples < 1:
        raise ValueError(f"a plan has at least one sample, got {samples}")

    def too_many(failures: int) -> bool:
        return compare_upper_tail(Binomial(samples, bar), samples - failures, alpha) > 0

    allowed = first_holding(too_many, 0) - 1
    return None if allowed < 0 else allowed


def smallest_spot_check(samples: int, altered: int, chance_of_finding: Fraction) -> int:
    """How many of the samples to take again to find one of the altered ones with that chance.

    The smallest n with hypergeometric P(0 altered in n) <= 1 - chance, exactly. ValueError unless
    1 <= altered <= samples and the chance lies between 0 and 1.
    """
    if not 1 <= altered <= samples:
        raise ValueError(f"{altered} altered of {samples} samples cannot be looked for")
    missed, allowed = Fraction(1), 1 - check_inside("chance_of_finding", chance_of_finding)
    for taken in range(samples):
        if missed <= allowed:
            return taken
        missed *= Fraction(samples - altered - taken, samples - taken)
    return samples


def smallest_samples_to_see(defect_rate: Fraction, chance_of_missing: Fraction) -> int:
    """How many samples show a defect of that rate at least once, but for that chance: (1 - rate)^n <= chance."""
    return smallest_samples(1 - check_inside("defect_rate", defect_rate), 1 - chance_of_missing)


def most_false_passes(campaigns: int, alpha: Fraction, certainty: Fraction) -> int:
    """The most false passes that so many simulated campaigns of risk alpha may show, at that certainty.

    The smallest c with P(Bin(campaigns, alpha) <= c) >= certainty. ValueError without campaigns, and unless both
    numbers lie between 0 and 1.
    """
    if campaigns < 1:
        raise ValueError(f"a simulation has at least one campaign, got {campaigns}")
    passes, certainty = Binomial(campaigns, check_inside("alpha", alpha)), check_inside("certainty", certainty)
    return first_holding(lambda count: compare_lower_tail(passes, count, certainty) >= 0, 0)


def smallest_exposure(at_most: Fraction, confidence: Fraction, *, count: int = 0) -> int:
    """How much exposure, in whole units, proves a rate of events with that many events in it.

    The smallest T with P(Poisson(rate T) <= count) <= alpha (Garwood 1936). ValueError unless the rate is positive.
    """
    if at_most <= 0:
        raise ValueError(f"a rate of events is limited by a positive number, got {at_most}")
    check_counts(count=count)
    alpha = alpha_of(confidence)
    return first_holding(lambda units: compare_lower_tail(Poisson(at_most * units), count, alpha) <= 0, 1)


def most_events(expected: Fraction, confidence: Fraction) -> int:
    """How many events prove a rate of them, where `expected` would come at the limit; -1 where not even none does.

    The largest c with P(Poisson(expected) <= c) <= alpha. ValueError unless that many are expected.
    """
    if expected <= 0:
        raise ValueError(f"a rate of events is limited by a positive number, got {expected}")
    alpha, at_limit = alpha_of(confidence), Poisson(expected)
    return first_holding(lambda count: compare_lower_tail(at_limit, count, alpha) > 0, 0) - 1


def first_holding(holds: Callable[[int], bool], start: int) -> int:
    """The first number from `start` on for which the condition holds; once true, it stays true."""
    step = 1
    low = start
    while not holds(low + step - 1):
        low += step
        step *= 2
    high = low + step - 1
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low
