"""Operating characteristics: the chance that a system of a given quality gets through a rule."""

from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise
from math import log, prod
from typing import Final, NamedTuple

from pytest_spiral.rules.statistics.arguments import check_counts, exact
from pytest_spiral.rules.statistics.judged import Number
from pytest_spiral.rules.statistics.plan import most_failures, smallest_samples
from pytest_spiral.rules.statistics.tails import Binomial, lower_tail

_NOTHING: Final = 1e-18  # paths less likely than this are let go


def chance_of_passing(samples: int, most_failed: int, true_rate: Number) -> float:
    """The chance that at most `most_failed` of the samples fail where `true_rate` of them succeed.

    ValueError without samples, for negative failures, and for a rate outside 0 … 1.
    """
    check_counts(most_failed=most_failed)
    if samples < 1:
        raise ValueError(f"a run has at least one sample, got {samples}")
    return lower_tail(Binomial(samples, 1 - _rate(true_rate)), most_failed)


def chance_of_row(chance: float, consecutive: int, attempts: int | None = None) -> float:
    """The chance of so many passing runs in a row, somewhere in `attempts` (None: at the first try).

    By a Markov chain over the length of the current row. ValueError unless `consecutive` is at least 1.
    """
    if consecutive < 1:
        raise ValueError(f"a row has at least one run, got {consecutive}")
    state = [1.0] + [0.0] * (consecutive - 1)
    done = 0.0
    for _ in range(consecutive if attempts is None else attempts):
        done += state[-1] * chance
        state = [sum(state) * (1 - chance)] + [weight * chance for weight in state[:-1]]
    return done


def chance_of_best(chance: float, runs: int) -> float:
    """The chance that the best of so many runs passes: what keeping the best run makes of a risk."""
    return 1 - (1 - chance) ** runs


def chance_of_all(chances: Iterable[float]) -> float:
    """The chance that all of several independent criteria pass."""
    return prod(chances, start=1.0)


def chance_of_missing(defect_rate: Number, samples: int) -> float:
    """The chance that a defect of that rate shows in none of the samples: (1 - rate)^n."""
    return float((1 - _rate(defect_rate)) ** samples)


def chance_when_peeking(at_least: Fraction, confidence: Fraction, true_rate: Number, most_samples: int) -> float:
    """The chance that somebody who looks after every sample, and stops at the first nominal pass, gets one.

    With `true_rate` at the bar this is the real risk of adding samples until it passes. By dynamic programming over
    the number of failures. ValueError as for `most_failures`.
    """
    allowed = most_failures(at_least, confidence, most_samples)
    if allowed is None:
        return 0.0
    success = float(_rate(true_rate))
    passes_at = {smallest_samples(at_least, confidence, failures=number): number for number in range(allowed + 1)}
    weights = [1.0] + [0.0] * allowed  # by number of failures; more than `allowed` never pass again
    passed, cleared = 0.0, -1
    for samples in range(1, most_samples + 1):
        failed = [0.0, *weights[:-1]]
        weights = [kept * success + more * (1 - success) for kept, more in zip(weights, failed, strict=True)]
        cleared = passes_at.get(samples, cleared)
        for number in range(cleared + 1):
            passed += weights[number]
            weights[number] = 0.0
    return passed


def chance_of_pooled(samples: int, runs: int, each: int, together: int, true_rate: Number) -> float:
    """The chance that so many runs have at most `each` failures alone, and at most `together` of them in all.

    By convolution of the runs' numbers of failures. ValueError as for `chance_of_passing`.
    """
    check_counts(each=each, together=together)
    most = min(each, together, samples)
    steps = [chance_of_passing(samples, number, true_rate) for number in range(most + 1)]
    alone = [one - before for before, one in pairwise([0.0, *steps])]
    weights = [1.0]
    for _ in range(runs):
        size = min(together + 1, len(weights) + most)
        weights = [
            sum(weights[at - bad] * alone[bad] for bad in range(max(0, at - len(weights) + 1), min(at, most) + 1))
            for at in range(size)
        ]
    return sum(weights)


class Course(NamedTuple):
    """How a sequential plan goes: the chances of a pass and of a fail, and how many samples it takes on average."""

    passes: float
    fails: float
    samples: float


def sequential_course(
    at_least: Fraction, design: Fraction, confidence: Fraction, true_rate: Number, most_samples: int
) -> Course:
    """How a sequential plan goes that is looked at after every sample and stops as soon as it decides.

    By dynamic programming over the number of failures; boundaries by logarithms in floats, so that a tie may be off by
    one sample. ValueError for a rate outside 0 … 1.
    """
    hit, mirror, wanted = float(_rate(true_rate)), 2 * at_least - design, -log(1 - confidence)
    gain, loss = log(design / at_least), log((1 - design) / (1 - at_least))
    down, up = log(mirror / at_least), log((1 - mirror) / (1 - at_least))
    weights, passed, failed, taken = {0: 1.0}, 0.0, 0.0, 0.0
    for number in range(1, most_samples + 1):
        taken += sum(weights.values())
        alive: dict[int, float] = {}
        for bad, weight in weights.items():
            alive[bad] = alive.get(bad, 0.0) + weight * hit
            alive[bad + 1] = alive.get(bad + 1, 0.0) + weight * (1 - hit)
        weights = {}
        for bad, weight in alive.items():
            if weight < _NOTHING:
                continue
            if (number - bad) * gain + bad * loss >= wanted:
                passed += weight
            elif (number - bad) * down + bad * up >= wanted:
                failed += weight
            else:
                weights[bad] = weight
    return Course(passed, failed, taken)


def _rate(number: Number) -> Fraction:
    rate = exact(number)
    if not 0 <= rate <= 1:
        raise ValueError(f"a rate lies between 0 and 1, got {number}")
    return rate
