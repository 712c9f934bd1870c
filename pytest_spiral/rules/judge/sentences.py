"""Plain sentences for judged limits: what was found, against what, and what it does not show."""

from typing import Any

from pytest_spiral.model.gate import Criterion, Limit
from pytest_spiral.model.judgement import LimitVerdict
from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.figures import format_number
from pytest_spiral.rules.judge.population import Population, items, same
from pytest_spiral.rules.statistics import Judged, Qualifier, Reason
from pytest_spiral.rules.units import parse_quantity

_NAMED = 3
_REASONS = {
    Reason.POINT_ONLY: "the figure clears the limit and its bound does not",
    Reason.POINT_SHORT: "the figure misses the limit and its bound does not rule it out",
    Reason.CANNOT_PASS: "no completion of the plan can pass",
    Reason.TOO_FEW: "so few samples can prove nothing",
    Reason.TOO_FEW_INDEPENDENT: "samples hang together so much that they are worth too few independent ones",
    Reason.TOO_FEW_BLOCKS: "fewer blocks of fresh connections than declared",
    Reason.RESOLUTION: "the clock is too coarse to tell",
    Reason.RUN_NOT_PROVEN: "a run of the row does not pass alone",
    Reason.ROW_SHORT: "too few unbroken runs in a row",
    Reason.RUN_BELOW_BAR: "the plain figure of a run misses the limit",
    Reason.CONTINUE: "the sequential plan has not decided yet, so that it may go on",
    Reason.ROW_HUNTED: "so many runs were tried that such a row comes by chance",
    Reason.LOST_SAMPLES: "announced samples never came, and they could decide",
    Reason.MISSING_PART: "a listed item was not compared",
    Reason.PLAN_SPENT: "the plan is full, and has not decided for this subject",
    Reason.MARGIN_NOT_PROVEN: "the interval of the difference reaches over the limit",
    Reason.CONTROL: "the baseline against itself does not come out as it must, so that nothing is shown",
    Reason.ATTEMPTS_DISAGREE: "the plan was full and passed, and all attempts together miss the limit",
    Reason.VIRTUAL_CLOCK: "the time passed on a clock that can be set",
    Reason.EMPTY: "there are no samples",
    Reason.NOT_A_NUMBER: "a sample is not a number",
    Reason.OUT_OF_RANGE: "a score lies outside 0 to 1",
    Reason.MORE_THAN_PLANNED: "more samples than were declared",
    Reason.COARSE_TIMER: "the timer's resolution is over a tenth of the limit",
    Reason.CLOSED_LOOP: "a promise of response time needs an open loop, and these calls waited for each other",
}


def limit_sentence(shown: LimitVerdict, judged: Judged) -> str:
    """Why the limit is neither plainly held nor plainly broken; empty where it is. The figures stand beside it."""
    if shown.verdict is Verdict.PASS or not judged.reason:
        return ""
    if judged.reason == Reason.INCOMPLETE:
        more = format_number(judged.more_needed) if judged.more_needed is not None else "some"
        return f"inconclusive (incomplete), {more} more"
    return _REASONS.get(Reason(judged.reason), str(judged.reason))


def limit_note(criterion: Criterion, limit: Limit, judged: Judged, population: Population) -> str:
    """What stands beside the verdict: what a clean count shows, how calls were sent, which items differ."""
    notes: list[str] = []
    if limit.statistic == "count":
        notes.append(_shows(criterion, judged))
    if limit.statistic == "count-rate":
        notes.append(_counted(criterion, judged))
    if criterion.sequential is not None and limit.statistic == "rate":
        notes.append(_evidence(judged))
    if limit.statistic == "quantile" and any(one.ns is not None for one in population.first.samples):
        notes.append("response time (open loop)" if criterion.sampling == "open-loop" else "service time (closed loop)")
    if limit.statistic == "equal":
        notes.append(_differing(population))
    if limit.statistic == "equivalence":
        notes.append(_signed(limit, judged))
    if limit.statistic == "regression":
        notes.append(_controls(judged))
    worth = dict(judged.shown).get("samples_effective")
    if Qualifier.DEPENDENT in judged.qualifiers and worth is not None:
        notes.append(f"worth {worth} independent samples")
    if Qualifier.INDEPENDENCE_ASSUMED in judged.qualifiers:
        notes.append("independence assumed")
    return "; ".join(note for note in notes if note)


def _shows(criterion: Criterion, judged: Judged) -> str:
    """`0 in 20 s shows at most 539 an hour` (statistics.md, rule 10)."""
    figures: dict[str, Any] = dict(judged.shown)
    upper, exposure = figures.get("upper_rate"), criterion.exposure
    if upper is None or exposure is None or judged.value is None:
        return ""
    hourly = parse_quantity(exposure).unit in ("ms", "s", "min", "h")
    per = "an hour" if hourly else f"per {parse_quantity(exposure).unit}"
    shown = f"{upper:.0f}" if upper >= 10 else f"{upper:.3g}"
    return f"{judged.value} in {exposure} shows at most {shown} {per}"


def _counted(criterion: Criterion, judged: Judged) -> str:
    """What the rate was figured from: `3 in 10.5 h, judged over 10 h`."""
    figures: dict[str, Any] = dict(judged.shown)
    if judged.value is None or "count" not in figures:
        return ""
    unit = parse_quantity(criterion.exposure or "").unit
    return f"{figures['count']} in {format_number(figures['exposure'])} {unit}, judged over {criterion.exposure}"


def _evidence(judged: Judged) -> str:
    """How far a sequential plan has come: its E values against what decides."""
    figures: dict[str, Any] = dict(judged.shown)
    if "e_pass" not in figures:
        return ""
    return f"E {figures['e_pass']:.3g} for a pass, {figures['e_fail']:.3g} for a fail, {float(figures['threshold']):.3g} decides"


def _signed(limit: Limit, judged: Judged) -> str:
    """Which way the two sides are apart: `grpc less rest: median -1.2 ms, from -3.1 to 0.4 ms`."""
    figures: dict[str, Any] = dict(judged.shown)
    if figures.get("median") is None:
        return ""
    median, low, high = (
        "unbounded" if one is None else format_number(one)
        for one in (figures[name] for name in ("median", "low", "high"))
    )
    first, second = limit.measurements
    return f"{first} less {second}: median {median} {limit.unit}, from {low} to {high} {limit.unit}"


def _controls(judged: Judged) -> str:
    """How the baseline came out against itself, and with twice the margin added (statistics.md, rule 15)."""
    figures: dict[str, Any] = dict(judged.shown)
    if "same_passes" not in figures:
        return ""
    said = ["passes" if figures[name] else "does not pass" for name in ("same_passes", "shifted_passes")]
    return f"A/A {said[0]}, A/A + 2\u0394 {said[1]}"


def _differing(population: Population) -> str:
    left, right = (items((sample for sample in one.samples if not sample.warm), one) for one in population.measurements)
    both = left.keys() & right.keys()
    names = sorted(name for name in {**left, **right} if name not in both or not same(left[name], right[name]))
    if not names:
        return ""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"differing: {', '.join(names[:_NAMED])}{more}"


def row_sentence(criterion: Criterion, judged: Judged, runs: "list[LimitVerdict | None]") -> str:
    """How a row of runs came out, with its denominator."""
    passed = sum(one is not None and one.verdict is Verdict.PASS for one in runs)
    tally = f"{passed} of {len(runs)} runs pass, {criterion.consecutive} in a row are needed"
    if criterion.combine == "pooled":
        tally = f"{len(runs)} runs, of which the first {criterion.consecutive} are judged together"
    reason = _REASONS.get(Reason(judged.reason), "") if judged.reason else ""
    return f"{tally}: {reason}" if reason else tally
