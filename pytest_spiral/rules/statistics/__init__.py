"""How a limit is judged: pure functions from counts and values to a verdict with its figures.

Limits and confidences are exact fractions; verdicts come from exact tails and never from a printed bound. Nothing here
reads a clock, a file or a random number, and every result is the same on every machine.
"""

from pytest_spiral.rules.statistics.campaign import judge_campaign, settle_campaign
from pytest_spiral.rules.statistics.census import judge_equality, judge_extreme
from pytest_spiral.rules.statistics.comparison import (
    Controlled,
    comparable,
    judge_equivalence,
    judge_no_regression,
    judge_no_regression_controlled,
)
from pytest_spiral.rules.statistics.consecutive import judge_consecutive_each, judge_consecutive_pooled
from pytest_spiral.rules.statistics.count import judge_count, judge_count_rate, judge_failures
from pytest_spiral.rules.statistics.dependence import Dependence, estimate_dependence, judge_quantile_dependent
from pytest_spiral.rules.statistics.elapsed import judge_elapsed
from pytest_spiral.rules.statistics.judged import (
    WORST_FIRST,
    Direction,
    Judged,
    Number,
    Qualifier,
    Ranks,
    Reason,
    worst_of,
)
from pytest_spiral.rules.statistics.mean import Span, judge_mean
from pytest_spiral.rules.statistics.quantile import Timing, judge_quantile, judge_quantile_values
from pytest_spiral.rules.statistics.ranks import quantile_ranks
from pytest_spiral.rules.statistics.rate import Tally, independence_note, judge_rate
from pytest_spiral.rules.statistics.sequential import judge_rate_sequential, judge_sequence
from pytest_spiral.rules.statistics.strata import judge_strata
from pytest_spiral.rules.statistics.waiver import Coverage, WaivedFigures, cover

__all__ = [
    "WORST_FIRST",
    "Controlled",
    "Coverage",
    "Dependence",
    "Direction",
    "Judged",
    "Number",
    "Qualifier",
    "Ranks",
    "Reason",
    "Span",
    "Tally",
    "Timing",
    "WaivedFigures",
    "comparable",
    "cover",
    "estimate_dependence",
    "independence_note",
    "judge_campaign",
    "judge_consecutive_each",
    "judge_consecutive_pooled",
    "judge_count",
    "judge_count_rate",
    "judge_elapsed",
    "judge_equality",
    "judge_equivalence",
    "judge_extreme",
    "judge_failures",
    "judge_mean",
    "judge_no_regression",
    "judge_no_regression_controlled",
    "judge_quantile",
    "judge_quantile_dependent",
    "judge_quantile_values",
    "judge_rate",
    "judge_rate_sequential",
    "judge_sequence",
    "judge_strata",
    "quantile_ranks",
    "settle_campaign",
    "worst_of",
]
