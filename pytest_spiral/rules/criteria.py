"""What a criterion must state so that it can be judged at all, and so that it can both pass and fail.

The gates reader tells these faults with file and line. The verifier holds a bundle's plan against them too: a plan
that no reader would have taken is not a bar.
"""

import math
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Final, NamedTuple

import msgspec

from pytest_spiral.model.fidelity import Fidelity
from pytest_spiral.model.gate import Criterion, Gate, Limit, Plan
from pytest_spiral.rules.examination import DOCUMENT_SHAPE, document_fault
from pytest_spiral.rules.freshness import INPUT_SHAPE, input_fault
from pytest_spiral.rules.limits import COMPARED, LimitError, bound_of, parse_limit
from pytest_spiral.rules.requirements import RequirementError, parse_requirement
from pytest_spiral.rules.statistics.comparison import comparable
from pytest_spiral.rules.statistics.plan import smallest_exposure
from pytest_spiral.rules.statistics.quantile import LEAST_BLOCKS
from pytest_spiral.rules.statistics.sequential import smallest_sequential
from pytest_spiral.rules.statistics.tails import Poisson, compare_lower_tail
from pytest_spiral.rules.statistics.zones import Bar
from pytest_spiral.rules.trust import PRINCIPAL
from pytest_spiral.rules.units import UnitError, convert, dimension, parse_quantity

CONFIDENT: Final = ("rate", "quantile", "mean", "count-rate", *COMPARED)
"""Statistics whose verdict rests on a confidence."""

_COUNTING: Final = {"count", "count-rate"}
_PLANNED: Final = ("rate", "quantile", "mean", "failures", "min", "max", "equal", *COMPARED, "all-pass")
_SCHEDULED: Final = {"quantile", "regression"}
_LISTED: Final = ("failures", "min", "max", "equal")
_MOST_SAMPLES: Final = 10_000_000


class Fault(NamedTuple):
    """What is wrong with a criterion: at which key (empty: as a whole), in a sentence, and what to write instead."""

    key: str
    problem: str
    remedy: str


def confidence_of(criterion: Criterion) -> Fraction | None:
    """The declared confidence as an exact number; None for `none` and where the limits need none."""
    return None if criterion.confidence in (None, "none") else Fraction(Decimal(criterion.confidence))


def criterion_faults(criterion: Criterion) -> Iterator[Fault]:
    """Everything that keeps a criterion from being judged, in the order in which it should be mended."""
    yield from _kind(criterion)
    yield from _examined(criterion)
    yield from _plan(criterion)
    yield from _confidence(criterion)
    yield from _sequential(criterion)
    yield from _pooled(criterion)
    yield from _idle(criterion)
    yield from _inputs(criterion)
    for limit in criterion.limits:
        yield from _margin(criterion, limit)
        yield from _provable(criterion, limit)


def control_faults(gate: Gate) -> Iterator[tuple[int, Fault]]:
    """(position, fault) of controls that guard nothing which they could show to be blind."""
    known = {one.id: one for one in gate.criteria}
    measured = [one.id for one in gate.criteria if any(limit.measurements for limit in one.limits)]
    for at, one in enumerate(gate.criteria):
        if one.control is None:
            continue
        guarded = known.get(one.control.of)
        if guarded is None or guarded.id not in measured:
            what = f"which is no criterion of {gate.id} with a limit on a measurement"
            names = ", ".join(measured) or "a criterion with a limit"
            yield at, Fault("control", f"{one.id} controls {one.control.of!r}, {what}.", f"name one of {names}")
        elif one.level == "advisory" and guarded.level == "blocker":
            problem = f"{one.id} is advisory, and {guarded.id}, which it controls, is a blocker."
            yield at, Fault("level", problem, 'remove `level = "advisory"` from the control')


def plan_faults(plan: Plan) -> tuple[str, ...]:
    """Why a plan is no bar, each as a sentence; empty where the gates reader would have taken it."""
    found = []
    names = [one.id for one in plan.criteria()]
    found += [f"{name} stands twice." for name in sorted({name for name in names if names.count(name) > 1})]
    for gate in plan.gates:
        found += [f"{one.id} does not belong to gate {gate.id}." for one in gate.criteria if one.gate != gate.id]
        found += [fault.problem for _, fault in control_faults(gate)]
        for criterion in gate.criteria:
            unread = list(_unread(criterion))
            found += unread or [fault.problem for fault in criterion_faults(criterion)]
    return tuple(found)


def _kind(criterion: Criterion) -> Iterator[Fault]:
    """A criterion is proven in exactly one way: by limits, as a control, by examination; planned ones may wait."""
    ways = [bool(criterion.limits), criterion.control is not None, criterion.method == "examine"]
    if sum(ways) > 1 or (sum(ways) == 0 and not criterion.planned):
        yield Fault(
            "",
            f'{criterion.id} must have exactly one of `limit`, `control` and `method = "examine"`.',
            'write for instance `limit = "p95(search) <= 120 ms"`',
        )
    if criterion.tests and [limit.statistic for limit in criterion.limits] != ["all-pass"]:
        yield Fault("tests", f"{criterion.id} binds tests, so its limit is all-pass.", 'write `limit = "all-pass"`')


def _examined(criterion: Criterion) -> Iterator[Fault]:
    """A document and who is to sign it: both, or neither."""
    if criterion.method != "examine":
        return
    name = criterion.id
    if criterion.document is None and not criterion.planned:
        yield Fault("method", f"{name} is examined, and names no document.", f"add `document`: {DOCUMENT_SHAPE}")
    if criterion.document is not None and (fault := document_fault(criterion.document)):
        yield Fault("document", f"{name}: the document {criterion.document!r} {fault}.", DOCUMENT_SHAPE)
    if criterion.signer is None and not criterion.planned:
        yield Fault("method", f"{name} is examined, and says not by whom.", 'add `signer = "owner@example.org"`')
    if criterion.signer is not None and not PRINCIPAL.fullmatch(criterion.signer):
        problem = f"{name}: the signer {criterion.signer!r} is no plain name, as trust roots have them."
        yield Fault("signer", problem, 'write it like `signer = "owner@example.org"`')


def _plan(criterion: Criterion) -> Iterator[Fault]:
    for limit in criterion.limits:
        samples = criterion.plan_of(limit)
        if samples is None and limit.statistic in _PLANNED:
            yield Fault("limit", f"{criterion.id} says not how many samples.", "add `samples = 100`")
        if samples is not None and not 1 <= samples <= _MOST_SAMPLES:
            yield Fault(_planned_at(limit), f"{criterion.id} plans {samples} samples.", f"plan 1 to {_MOST_SAMPLES}")
    if _COUNTING & _statistics(criterion) and criterion.exposure is None:
        yield Fault("limit", f"{criterion.id} counts, and says not over how much.", 'add `exposure = "20 s"`')
    if 0 < criterion.blocks < LEAST_BLOCKS:
        problem = f"{criterion.id} has {criterion.blocks} blocks, and dependence shows in {LEAST_BLOCKS} at the least."
        yield Fault("blocks", problem, f"take at least {LEAST_BLOCKS}")


def _confidence(criterion: Criterion) -> Iterator[Fault]:
    wants = bool(_statistics(criterion) & set(CONFIDENT))
    if wants and criterion.confidence is None:
        yield Fault("limit", f"{criterion.id} declares no confidence.", "add `confidence = 0.95`")
    if not wants and criterion.confidence is not None:
        yield Fault("confidence", f"{criterion.id} has a confidence, and none of its limits uses one.", "remove it")
    if criterion.confidence == "none" and _statistics(criterion) & set(COMPARED):
        problem = f"{criterion.id} compares two measurements by an interval, and has no confidence to draw it at."
        yield Fault("confidence", problem, "declare one, as in `confidence = 0.95`")
    if criterion.confidence == "none" and not criterion.confidence_reason:
        yield Fault("confidence", f"{criterion.id} has no confidence, and says not why.", "add `confidence_reason`")
    if criterion.confidence != "none" and criterion.confidence_reason:
        problem = f"{criterion.id} gives a reason for no confidence, and has one."
        yield Fault("confidence_reason", problem, 'remove it, or write `confidence = "none"`')


def _sequential(criterion: Criterion) -> Iterator[Fault]:
    """A plan that is judged after every sample: for rates bounded from below, with a design rate beyond the limit."""
    if criterion.sequential is None:
        return
    name, design = criterion.id, _share(criterion.sequential)
    if design is None or not design < 1:
        problem = f"{name} has the design rate {criterion.sequential}, which is no share below 100 %."
        yield Fault("sequential", problem, 'write the rate that the system is built for, as in `sequential = "99 %"`')
        return
    if not criterion.limits or not all(map(_is_floor, criterion.limits)):
        problem = f"{name} is sequential, and has a limit that is no rate bounded from below."
        yield Fault("sequential", problem, "keep limits such as `rate(boot) >= 95 %` in it, and put others elsewhere")
        return
    if criterion.confidence in (None, "none") or criterion.consecutive > 1 or criterion.census:
        problem = f"{name} is sequential, so that it has a confidence, and neither consecutive runs nor a census."
        yield Fault("sequential", problem, "declare `confidence`, and remove `consecutive` and `census`")
    if criterion.margin is not None:
        problem = f"{name} is sequential, and has no bound that could be inside its limit by a margin."
        yield Fault("margin", problem, "remove it")
    for limit in criterion.limits:
        bar = bound_of(limit, "1")
        if not bar < design < 2 * bar:
            problem = f"{name}: a design rate of {criterion.sequential} does not fit {limit.text}."
            yield Fault("sequential", problem, "name a rate above the limit, and less than twice as high")


def _pooled(criterion: Criterion) -> Iterator[Fault]:
    """Runs that are judged together: rates bounded from below, whose lower bound is that of all of them."""
    if criterion.combine == "each" or criterion.consecutive == 1:
        return
    if not all(map(_is_floor, criterion.limits)) or criterion.confidence in (None, "none") or criterion.census:
        problem = f"{criterion.id} pools its runs, which is for rates bounded from below, with a confidence."
        yield Fault("combine", problem, 'write `combine = "each"`, or limits such as `rate(boot) >= 95 %` only')


def _idle(criterion: Criterion) -> Iterator[Fault]:
    """A key that changes nothing reads as if it did."""
    found = _statistics(criterion)
    whole = criterion.control is None and criterion.method == "measure"
    idle = {
        "exposure": criterion.exposure is not None and not _COUNTING & found,
        "blocks": criterion.blocks > 0 and "quantile" not in found,
        "sampling": criterion.sampling == "open-loop" and not _SCHEDULED & found,
        "census": criterion.census and not found & set(_LISTED),
        "warm_up": criterion.warm_up > 0 and not found - {"all-pass"},
        "consecutive": criterion.consecutive > 1 and not found - {"all-pass"},
        "combine": criterion.combine != "each" and criterion.consecutive == 1,
        "samples": criterion.samples is not None and not whole,
        "document": criterion.document is not None and criterion.method != "examine",
        "signer": criterion.signer is not None and criterion.method != "examine",
        "subjects": bool(criterion.subjects) and criterion.method == "examine",
        "margin": criterion.margin is not None and not any(limit.unit for limit in criterion.limits),
        "fidelity": criterion.fidelity is not None and criterion.control is not None,
        "assurance": criterion.assurance is not None and criterion.control is not None,
    }
    for key, is_idle in idle.items():
        if is_idle and not (criterion.planned and whole and not criterion.limits):
            yield Fault(key, f"{criterion.id} has `{key}`, and nothing of it uses that.", "remove it")


def _inputs(criterion: Criterion) -> Iterator[Fault]:
    for name in criterion.inputs:
        problem = input_fault(name)
        if problem:
            yield Fault("inputs", f"{criterion.id}: the input {name!r} {problem}.", INPUT_SHAPE)
    if len(set(criterion.inputs)) < len(criterion.inputs):
        yield Fault("inputs", f"{criterion.id} names an input twice.", "name each once")


def _margin(criterion: Criterion, limit: Limit) -> Iterator[Fault]:
    if criterion.margin is None or limit.unit is None:
        return
    margin = parse_quantity(criterion.margin)
    try:
        convert(margin.number, margin.unit, limit.unit)
    except UnitError as error:
        yield Fault("margin", f"{criterion.id}: {error}.", f"give the margin in {limit.unit}")


def _provable(criterion: Criterion, limit: Limit) -> Iterator[Fault]:
    """The best samples that there can be, as many as planned, must give a pass."""
    if limit.statistic == "count-rate":
        yield from _countable(criterion, limit)
        return
    samples = criterion.plan_of(limit)
    if samples is not None and criterion.combine == "pooled":
        samples *= criterion.consecutive
    confidence = confidence_of(criterion) if limit.statistic in CONFIDENT else None
    if samples is None or confidence is None:
        return
    if criterion.sequential is not None:
        yield from _decidable(criterion, limit, samples, confidence)
        return
    if samples > _MOST_SAMPLES or _proves(limit, samples, confidence):
        return
    problem = f"{criterion.id}: {samples} samples can never prove {limit.text} at {criterion.confidence}."
    least = _least(limit, samples, confidence)
    per_run = -(-(least or 0) // criterion.consecutive) if criterion.combine == "pooled" else least
    remedy = f"take at least {per_run}" if least else "lower the limit; no number of samples can"
    yield Fault(_planned_at(limit), problem, remedy)


def _decidable(criterion: Criterion, limit: Limit, samples: int, confidence: Fraction) -> Iterator[Fault]:
    """A sequential plan must be able to pass before it is full."""
    if not _is_floor(limit):
        return  # which is a fault of its own
    bar, design = bound_of(limit, "1"), _share(criterion.sequential or "")
    if design is None or not bar < design < min(2 * bar, Fraction(1)):
        return  # which is a fault of its own
    least = smallest_sequential(bar, design, confidence)
    if samples < least:
        problem = f"{criterion.id}: {samples} samples can never decide {limit.text} at {criterion.confidence}."
        yield Fault(_planned_at(limit), problem, f"allow for at least {least}")


def _countable(criterion: Criterion, limit: Limit) -> Iterator[Fault]:
    """The exposure is of the kind that the limit is per, and no event in all of it proves the limit."""
    exposure, unit = parse_quantity(criterion.exposure or "1"), limit.unit or ""
    if criterion.exposure is None:
        return
    try:
        bound = convert(bound_of(limit), unit, f"per {exposure.unit}")
    except UnitError as error:
        yield Fault("exposure", f"{criterion.id}: {error}.", f"give the exposure in {unit.removeprefix('per ')}")
        return
    confidence = confidence_of(criterion)
    if confidence is None:
        return
    least = smallest_exposure(bound, confidence)
    if exposure.number < least and not _no_event_proves(bound * exposure.number, confidence):
        problem = f"{criterion.id}: {criterion.exposure} without an event can never prove {limit.text}."
        yield Fault("exposure", problem, f"count over at least {least} {exposure.unit}")


def _no_event_proves(expected: Fraction, confidence: Fraction) -> bool:
    return compare_lower_tail(Poisson(expected), 0, 1 - confidence) <= 0


def _is_floor(limit: Limit) -> bool:
    """Whether it bounds a rate from below."""
    return (limit.statistic, limit.comparison) == ("rate", ">=")


def _share(text: str) -> Fraction | None:
    """A share of 1 that is written in % or as a plain number; None for anything else."""
    quantity = parse_quantity(text)
    return convert(quantity.number, quantity.unit, "1") if dimension(quantity.unit) == dimension("%") else None


def _planned_at(limit: Limit) -> str:
    """The key at which the limit's number of samples stands: its own plan is part of the limit."""
    return "samples" if limit.samples is None else "limit"


def _least(limit: Limit, samples: int, confidence: Fraction) -> int | None:
    """The least number of samples that can prove the limit; None where ten million cannot."""
    if not _proves(limit, _MOST_SAMPLES, confidence):
        return None
    low, high = samples, _MOST_SAMPLES
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _proves(limit, middle, confidence) else (middle, high)
    return high


def _proves(limit: Limit, samples: int, confidence: Fraction) -> bool:
    """Whether so many samples, all of them as good as can be, prove the limit."""
    if limit.statistic in COMPARED:
        return comparable(samples, None if limit.quantile is None else Fraction(Decimal(limit.quantile)), confidence)
    quantile = limit.statistic == "quantile"
    named = Fraction(Decimal(limit.quantile or "0")) if quantile else bound_of(limit, "1")
    share = named if quantile is (limit.comparison == "<=") else 1 - named  # how many of the samples have to be good
    if limit.statistic == "mean":
        # The bound of scores that do not vary (Maurer and Pontil 2009, theorem 4): 1 - 7 ln(2 / alpha) / (3 (n - 1)).
        return 7 * math.log(2 / (1 - confidence)) <= 3 * (samples - 1) * (1 - share)
    return 0 < share <= 1 and Bar(share, confidence).proven_by(samples, samples)


def _statistics(criterion: Criterion) -> set[str]:
    return {limit.statistic for limit in criterion.limits}


def _unread(criterion: Criterion) -> Iterator[str]:
    """Fields that are not as the gates reader writes them."""
    yield from (f"{criterion.id}: {problem}." for limit in criterion.limits if (problem := _misread(limit)))
    for key in ("exposure", "margin", "sequential"):
        text: str | None = getattr(criterion, key)
        if text is not None and not _is_positive(text):
            yield f"{criterion.id}: `{key}` {text!r} is no quantity above zero."
    if criterion.confidence not in (None, "none") and not _is_confidence(criterion.confidence):
        yield f"{criterion.id}: {criterion.confidence!r} is no confidence."
    if criterion.fidelity is not None and criterion.fidelity not in set(Fidelity):
        yield f"{criterion.id}: {criterion.fidelity!r} is no fidelity."
    if criterion.warm_up < 0 or criterion.blocks < 0 or criterion.consecutive < 1:
        yield f"{criterion.id}: `warm_up`, `blocks` or `consecutive` is below what there can be."
    if criterion.requires is not None and not _is_requirement(criterion.requires):
        yield f"{criterion.id}: {criterion.requires!r} is no requirement."


def _misread(limit: Limit) -> str:
    try:
        read = msgspec.structs.replace(parse_limit(limit.text), samples=limit.samples)
    except LimitError as error:
        return str(error)
    return "" if read == limit else f"the limit {limit.text!r} does not mean what its text says"


def _is_requirement(text: str) -> bool:
    try:
        parse_requirement(text)
    except RequirementError:
        return False
    return True


def _is_positive(text: str) -> bool:
    try:
        return parse_quantity(text).number > 0
    except UnitError:
        return False


def _is_confidence(text: str) -> bool:
    try:
        return Decimal("0.5") <= Decimal(text) < 1
    except InvalidOperation:
        return False
