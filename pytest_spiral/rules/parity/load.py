"""Whether a mixed load is no slower than REST alone: no regression of a quantile, with controls made of the baseline."""

import math
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import NamedTuple

from msgspec.structs import replace

from pytest_spiral.model.parity import Arm, LoadParity
from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.statistics import Judged, judge_no_regression
from pytest_spiral.rules.statistics.judged import Number
from pytest_spiral.rules.units import decimal_text


class LoadTerms(NamedTuple):
    """What a load is judged by: the margin in nanoseconds, the quantile, the confidence."""

    margin_ns: Fraction
    quantile: Fraction
    confidence: Fraction


def judge_load(item: str, terms: LoadTerms, *, every_ns: int, baseline: Arm, candidate: Arm) -> LoadParity:
    """Judge that the candidate's quantile is at most the margin above the baseline's (`judge_no_regression`).

    A call that failed is infinitely slow. The controls (`statistics.md`, rule 15): the baseline's even calls against
    its odd ones must pass, and with twice the margin added must not. Without them a pass says nothing, so the verdict
    is then inconclusive; a fail stays one. ValueError for terms that are none.
    """
    base = _times(baseline)
    judged = _judged(_times(candidate), base, terms)
    same = _judged(base[::2], base[1::2], terms).verdict
    shifted = _judged([one + 2 * terms.margin_ns for one in base[::2]], base[1::2], terms).verdict
    made = LoadParity(
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
    controlled = same is Verdict.PASS and shifted is not Verdict.PASS
    if judged.verdict is Verdict.PASS and not controlled:
        return replace(made, verdict=str(Verdict.INCONCLUSIVE), reason="control")
    return made


def judge_load_again(said: LoadParity) -> LoadParity:
    """The same from its own times; ValueError where its terms cannot be read."""
    try:
        terms = LoadTerms(*(Fraction(Decimal(one)) for one in (said.margin_ns, said.quantile, said.confidence)))
    except (InvalidOperation, OverflowError) as error:
        raise ValueError("its terms are no decimals") from error
    return judge_load(said.item, terms, every_ns=said.every_ns, baseline=said.baseline, candidate=said.candidate)


def _judged(candidate: Sequence[Number], baseline: Sequence[Number], terms: LoadTerms) -> Judged:
    return judge_no_regression(
        candidate, baseline, margin=terms.margin_ns, quantile=terms.quantile, confidence=terms.confidence
    )


def _times(arm: Arm) -> list[Number]:
    return [math.inf if one is None else Fraction(one) for one in arm.times]


def _figure(number: Number | None) -> float | None:
    return float(number) if number is not None and math.isfinite(number) else None
