"""Whether a mixed load is no slower than REST alone: no regression of a quantile, with controls made of the baseline."""

import math
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import NamedTuple

from pytest_spiral.model.parity import Arm, LoadParity
from pytest_spiral.rules.statistics import judge_no_regression_controlled
from pytest_spiral.rules.statistics.judged import Number
from pytest_spiral.rules.units import decimal_text


class LoadTerms(NamedTuple):
    """What a load is judged by: the margin in nanoseconds, the quantile, the confidence."""

    margin_ns: Fraction
    quantile: Fraction
    confidence: Fraction


def judge_load(item: str, terms: LoadTerms, *, every_ns: int, baseline: Arm, candidate: Arm) -> LoadParity:
    """Judge that the candidate's quantile is at most the margin above the baseline's, with both controls.

    See `judge_no_regression_controlled`. A call that failed is infinitely slow for the candidate, and says nothing for
    the baseline. ValueError for terms that are none.
    """
    judged, same, shifted = judge_no_regression_controlled(
        _times(candidate),
        _times(baseline),
        margin=terms.margin_ns,
        quantile=terms.quantile,
        confidence=terms.confidence,
    )
    return LoadParity(
        item=item,
        margin_ns=decimal_text(terms.margin_ns),
        quantile=decimal_text(terms.quantile),
        confidence=decimal_text(terms.confidence),
        every_ns=every_ns,
        baseline=baseline,
        candidate=candidate,
        verdict=str(judged.verdict),
        reason=str(judged.reason or ""),
        same=str(same),
        shifted=str(shifted),
        value=_figure(judged.value),
        lower=_figure(judged.lower),
        upper=_figure(judged.upper),
    )


def judge_load_again(said: LoadParity) -> LoadParity:
    """The same from its own times; ValueError where its terms cannot be read."""
    try:
        terms = LoadTerms(*(Fraction(Decimal(one)) for one in (said.margin_ns, said.quantile, said.confidence)))
    except (InvalidOperation, OverflowError) as error:
        raise ValueError("its terms are no decimals") from error
    return judge_load(said.item, terms, every_ns=said.every_ns, baseline=said.baseline, candidate=said.candidate)


def _times(arm: Arm) -> list[Number]:
    return [math.inf if one is None else Fraction(one) for one in arm.times]


def _figure(number: Number | None) -> float | None:
    return float(number) if number is not None and math.isfinite(number) else None
