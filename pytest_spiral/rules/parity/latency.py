"""Whether gRPC is as fast as REST: two one-sided tests on pairs of calls that were made side by side."""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from fractions import Fraction

from pytest_spiral.model.parity import LatencyParity, Pair
from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.statistics import judge_equivalence
from pytest_spiral.rules.turns import Call, pairing_fault
from pytest_spiral.rules.units import decimal_text


def judge_latency(  # noqa: PLR0913 - named parts of one plan
    pairs: Sequence[Pair], *, item: str, margin_ns: Fraction, confidence: Fraction, planned: int, lost: int = 0
) -> LatencyParity:
    """Judge that the median of gRPC less REST lies within ± the margin (Schuirmann 1987, by order statistics).

    The pairs must be interleaved: no two calls overlap, none stands between the two of a pair, and either side is
    first in at least a third of them. Else whatever the machine did in the meantime would be taken for a difference,
    and the verdict is invalid. `lost` pairs, of which a call failed, widen the interval. ValueError for a margin or
    confidence that is none.
    """
    fault = pairing_fault([_calls(one) for one in pairs], "REST")
    judged = judge_equivalence(
        [Fraction((one.grpc_done - one.grpc_sent) - (one.rest_done - one.rest_sent)) for one in pairs],
        margin=margin_ns,
        confidence=confidence,
        planned=planned,
        lost=lost,
    )
    return LatencyParity(
        item=item,
        margin_ns=decimal_text(margin_ns),
        confidence=decimal_text(confidence),
        planned=planned,
        lost=lost,
        pairs=tuple(pairs),
        verdict=str(Verdict.INVALID if fault else judged.verdict),
        reason="not-interleaved" if fault else str(judged.reason or ""),
        sentence=fault,
        value=None if judged.value is None else float(judged.value),
        lower=None if judged.lower is None else float(judged.lower),
        upper=None if judged.upper is None else float(judged.upper),
    )


def judge_again(said: LatencyParity) -> LatencyParity:
    """The same from its own pairs; ValueError where its terms cannot be read."""
    try:
        margin, confidence = Fraction(Decimal(said.margin_ns)), Fraction(Decimal(said.confidence))
    except (InvalidOperation, OverflowError) as error:
        raise ValueError(f"{said.item}: margin or confidence is no decimal") from error
    return judge_latency(
        said.pairs, item=said.item, margin_ns=margin, confidence=confidence, planned=said.planned, lost=said.lost
    )


def _calls(pair: Pair) -> tuple[Call, Call]:
    return Call(pair.rest_sent, pair.rest_done), Call(pair.grpc_sent, pair.grpc_done)
