"""Recompute a bundle's verdicts and decisions from its records: the part of `verify_bundle.py` for steps 7 to 10.

Written from docs/writing-a-gate.md and docs/limits.md, shares no code with the product, standard library only. What it
does not do is `not checked`: then the summary's verdict is taken if it is no better than what was seen. Left to others
are more than 20,000 samples where tails are summed, events too many to sum, attempts in a ledger, the selftest of the bar,
requirements beyond comparisons joined by `and`, and every figure and sentence beside a verdict.
"""

import base64
import hashlib
import json
import math
import re
from collections import Counter
from datetime import datetime
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import chain, pairwise

WORST = ["fail", "invalid", "not-run", "inconclusive", "environment-limited", "pass", "inapplicable"]
DECISIONS = ["NO-GO", "NOT-EVALUABLE", "CONDITIONAL GO", "GO"]
LEVELS = ["undeclared", "recorded", "stub", "simulated", "sandbox", "staging", "live"]
ENDS = {"skip": "skipped", "xfail": "skipped", "blocked": "blocked", "lost": "target-lost"}
ENDS |= {"crash": "crashed", "exit": "interrupted"}
THIN = {"incomplete", "cannot-pass", "empty", "one-sided", "warm-up-differs", "no-single-duration"}
UNITS = {  # what a unit measures, and how many base units it is
    unit: (base, Fraction(factor))
    for base, row in {
        "time": "ns 1/1000000000 us 1/1000000 ms 1/1000 s 1 min 60 h 3600 d 86400",
        "bytes": "B 1 kB 1e3 MB 1e6 GB 1e9 TB 1e12 KiB 1024 MiB 1048576 GiB 1073741824 TiB 1099511627776",
        "ratio": "1 1 % 1/100",
        "frequency": "Hz 1 kHz 1000",
    }.items()
    for unit, factor in zip(row.split()[::2], row.split()[1::2], strict=True)
}


class Invalid(Exception):
    """A population that cannot be judged; its reason code."""


class Left(Exception):
    """Something that this program does not judge; what it is."""


def exact(number):
    """The number as it is written: 0.1 is a tenth."""
    return Fraction(repr(number)) if isinstance(number, float) else Fraction(number)


def unit_of(word):
    """What it measures and its factor; a word that is not in the table is something counted."""
    if word.startswith("per "):
        kind, factor = unit_of(word[4:])
        return f"events per {kind}", 1 / factor
    return UNITS.get(word, (f"count of {word}", Fraction(1)))


# Statistics


def tail(samples, share, rank):
    """P(Bin(samples, share) >= rank), exactly."""
    if samples > 20_000:
        raise Left("more than 20,000 samples")
    hit, miss, total = share.numerator, share.denominator - share.numerator, 0
    if rank <= 0 or rank > samples or not miss:
        return Fraction(rank <= samples)
    weight = math.comb(samples, rank) * hit**rank * miss ** (samples - rank)
    for at in range(rank, samples + 1):
        total += weight
        weight = weight * (samples - at) * hit // ((at + 1) * miss)
    return Fraction(total, share.denominator**samples)


def zone(bar, good, best, samples, planned=None):
    """Pass, fail or inconclusive by Clopper and Pearson (1934): (verdict, reason).

    `bar` is the share that must be good, the risk (None: plain comparison), and whether to be above it. `good` are
    surely good, `best` at best. A plan that is not full is completed at its best.
    """
    (share, risk, strict), whole = bar, max(planned or 0, samples)
    good, best = good + whole - samples, best + whole - samples
    if risk is None:
        proven, below = (one > share * whole if strict else one >= share * whole for one in (good, best))
        refuted = not below
    else:
        proven, refuted = tail(whole, share, good) <= risk, 1 - tail(whole, share, best + 1) < risk
    if whole > samples:
        return ("fail", "") if refuted and not proven else ("inconclusive", "incomplete")
    return ("inconclusive" if proven == refuted else "pass" if proven else "fail"), ""


def few_events(count, mean):
    """P(Poisson(mean) <= count), to fifty digits."""
    if mean > 20_000 or count > 60_000:
        raise Left("more events than are summed")
    with localcontext(prec=60):
        expected = Decimal(mean.numerator) / Decimal(mean.denominator)
        total = weight = (-expected).exp()
        for number in range(1, count + 1):
            weight = weight * expected / number
            total += weight
    return Fraction(total) if count >= 0 else Fraction(0)


def surely_below(number, risk):
    """Whether a sum of fifty digits is below the risk; Left where that does not tell."""
    if abs(number - risk) < Fraction(1, 10**45):
        raise Left("a tail that is the risk but for rounding")
    return number < risk


def design_effect(values, quantile, sizes):
    """How many samples in a row are worth one, of the exceedances of the estimated quantile.

    The larger of Geyer's (1992) initial positive sequence and of the spread between blocks of these sizes.
    """
    samples, cut = len(values), sorted(values)[math.ceil(quantile * len(values)) - 1]
    marks = [value > cut for value in values]
    marks = marks if any(marks) else [value >= cut for value in values]
    total, bits = sum(marks), sum(1 << at for at, mark in enumerate(marks) if mark)
    if total == samples:
        return Fraction(1)

    def covariance(lag):
        first, last = bits & ((1 << (samples - lag)) - 1), bits >> lag
        ends = first.bit_count() + last.bit_count()
        both = samples * (first & last).bit_count()
        return samples * both - samples * total * ends + (samples - lag) * total * total

    pairs, lag, at, share, spread = 0, 0, 0, Fraction(total, samples), Fraction(0)
    while lag < samples - 1 and (pair := covariance(lag) + covariance(lag + 1)) > 0:
        pairs, lag = pairs + pair, lag + 2
    for size in sizes:
        spread, at = spread + (sum(marks[at : at + size]) - share * size) ** 2 / size, at + size
    block = spread / (len(sizes) - 1) / (share * (1 - share)) if len(sizes) > 1 else 1
    return max(Fraction(1), Fraction(2 * pairs, covariance(0)) - 1, block)


# Limits


def check_counts(samples, planned):
    """Refuse an empty population, and one that is larger than its plan."""
    if not samples:
        raise Invalid("empty")
    if planned is not None and samples > planned:
        raise Invalid("more-than-planned")


def counted(measure, criterion, limit):
    """The samples without warm-up, which is as long as declared and comes first."""
    samples, begun = measure["samples"], set()
    declared = criterion["warm_up"] if limit["samples"] is None else 0
    if samples and sum(one["warm"] for one in samples) != declared:
        raise Invalid("warm-up-differs")
    for one in samples:
        if one["warm"] and one["block"] in begun:
            raise Invalid("warm-up-late")
        begun |= set() if one["warm"] else {one["block"]}
    return [one for one in samples if not one["warm"]]


def planned_of(criterion, limit):
    """How many samples the limit's fixed plan has."""
    return criterion["samples"] if limit["samples"] is None else limit["samples"]


def expected(criterion, limit, measure, taken):
    """(samples announced beyond the plan that never came, all samples with those, how many there must be).

    Lost ones are bad where a pass is in question, and good where a fail is. Raises Invalid for an empty population and
    for one that is larger than its plan.
    """
    planned, samples = planned_of(criterion, limit), len(taken)
    lost = max(0, measure["planned"] - max(samples, planned or 0))
    planned = max(planned or 0, samples + lost) if criterion["census"] or lost else planned
    check_counts(samples + lost, planned)
    return lost, samples + lost, planned


def numbers(samples, measure, unit):
    """Numbers in that unit, in the order taken; a failed call is infinite."""
    found = []
    for one in samples:
        times, took = [one[name] for name in ("intended", "sent", "done")], one["ns"]
        own, wanted = unit_of("ns" if took is not None else measure["unit"]), unit_of(unit)
        if one["failed"] is not None:
            found.append(math.inf)
            continue
        if took is None and one["value"] is None:
            raise Invalid("wrong-kind")
        marks = times[1:] if times[0] is None else times
        if took is not None and None in times[1:] and took < 0:
            raise Invalid("time-order")
        if took is not None and None not in times[1:] and (marks != sorted(marks) or took != marks[-1] - marks[0]):
            raise Invalid("time-order")
        if own[0] != wanted[0]:
            raise Invalid("wrong-unit")
        found.append(exact(one["value"] if took is None else took) * own[1] / wanted[1])
    return found


def judge_limit(criterion, limit, group):
    """(verdict, reason) of one limit on the measurements of one test and run block, in the limit's order."""
    judges = {"quantile": _values, "min": _values, "max": _values, "rate": _rate, "failures": _failures}
    judges |= {"count": _count, "count-rate": _count_rate, "equal": _equal, "mean": _mean, "duration": _duration}
    judges |= {"equivalence": _equivalence, "regression": _regression}
    if limit["statistic"] not in judges:
        raise Left(limit["statistic"])
    try:
        samples = [counted(one, criterion, limit) for one in group]
        return judges[limit["statistic"]](criterion, limit, group, samples)
    except Invalid as reason:
        return "invalid", str(reason)


def _risk(criterion):
    return None if criterion["confidence"] in (None, "none") else 1 - Fraction(criterion["confidence"])


def _rate(criterion, limit, group, samples):
    (taken,) = samples
    if any(one["ok"] is None and one["failed"] is None for one in taken):
        raise Invalid("wrong-kind")
    lost, whole, planned = expected(criterion, limit, group[0], taken)
    hits, bound = sum(one["ok"] is True for one in taken), Fraction(limit["bound"]) * unit_of(limit["unit"] or "1")[1]
    if criterion["sequential"]:
        return _sequential(criterion, bound, taken, lost, whole >= planned)
    below = limit["comparison"] == "<="
    good, share = (len(taken) - hits, 1 - bound) if below else (hits, bound)
    return zone((share, _risk(criterion), False), good, good + lost, whole, planned)


def _sequential(criterion, bar, taken, lost, full):
    """Wald (1947), Ville (1939): a fail as soon as it is reached, a pass where it holds at the end."""
    if len(taken) > 20_000:
        raise Left("more than 20,000 samples")
    number, _, unit = criterion["sequential"].partition(" ")
    design = Fraction(number) * unit_of(unit or "1")[1]
    with localcontext(prec=60):
        logs = [_log(one / bar) for one in (design, 2 * bar - design)]
        losses = [_log((1 - one) / (1 - bar)) for one in (design, 2 * bar - design)]
        wanted, passing, failing, worst = -_log(_risk(criterion)), Decimal(0), Decimal(0), Decimal(0)
        for one in taken:
            passing += logs[0] if one["ok"] is True else losses[0]
            failing += logs[1] if one["ok"] is True else losses[1]
            worst = max(worst, failing)
        passing += lost * losses[0]
    if min(abs(passing - wanted), abs(worst - wanted)) < Decimal("1e-45"):
        raise Left("an E value that is the threshold but for rounding")
    if worst > wanted:
        return "fail", ""
    return (
        "pass" if passing > wanted else "inconclusive"
    ), "plan-spent" if full and passing < wanted and not lost else ""


def _log(number):
    return (Decimal(number.numerator) / Decimal(number.denominator)).ln()


def _failures(criterion, limit, group, samples):
    (taken,) = samples
    lost, whole, planned = expected(criterion, limit, group[0], taken)
    failed = sum(one["failed"] is not None or one["ok"] is False for one in taken)
    if failed > Fraction(limit["bound"]):
        return "fail", ""
    if planned is not None and whole < planned:
        return "inconclusive", "incomplete"
    return ("pass", "") if failed + lost <= Fraction(limit["bound"]) else ("inconclusive", "lost-samples")


def _count(criterion, limit, group, samples):  # noqa: ARG001 - the judges of limits have one form
    (taken,) = samples
    if any(one["count"] is None or one["exposure"] is None for one in taken):
        raise Invalid("wrong-kind")
    total, exposure = sum(one["count"] for one in taken), sum(exact(one["exposure"]) for one in taken)
    if total < 0 or exposure < 0:
        raise Left("negative counts")
    check_counts(exposure, None)
    declared = Fraction(criterion["exposure"].split()[0])
    if total > Fraction(limit["bound"]):
        return "fail", ""
    return ("pass", "") if exposure >= declared else ("inconclusive", "incomplete")


def _count_rate(criterion, limit, group, samples):  # noqa: ARG001
    """Garwood (1936): a pass over what was declared and no more, a fail over all that was counted."""
    (taken,) = samples
    if any(one["count"] is None or one["exposure"] is None or min(one["count"], one["exposure"]) < 0 for one in taken):
        raise Invalid("wrong-kind")
    number, _, unit = criterion["exposure"].partition(" ")
    kind, each = unit_of(f"per {unit or '1'}")
    if kind != unit_of(limit["unit"])[0]:
        raise Left("an exposure of another kind")
    total, over = sum(one["count"] for one in taken), sum(exact(one["exposure"]) for one in taken)
    check_counts(over, None)
    rate, risk = Fraction(limit["bound"]) * unit_of(limit["unit"])[1] / each, _risk(criterion)
    declared, counted_over = rate * Fraction(number), rate * max(over, Fraction(number))
    if risk is None:
        proven, refuted = total <= declared, total > counted_over
    else:
        proven = surely_below(few_events(total, declared), risk)
        refuted = surely_below(1 - few_events(total - 1, counted_over), risk)
    if over < Fraction(number):
        return ("fail", "") if refuted and not proven else ("inconclusive", "incomplete")
    return ("inconclusive" if proven == refuted else "pass" if proven else "fail"), ""


def _mean(criterion, limit, group, samples):
    """Maurer and Pontil (2009), theorem 4, for scores from 0 to 1; 60 digits, and 10^-40 against every claim."""
    (taken,), (measure,) = samples, group
    values, below = numbers(taken, measure, "1"), limit["comparison"] == "<="
    lost, whole, planned = expected(criterion, limit, measure, taken)
    if any(one == math.inf or not 0 <= one <= 1 for one in values):
        raise Invalid("out-of-range")
    if planned is not None and whole < planned:
        return "inconclusive", "incomplete"
    bound, risk = Fraction(limit["bound"]) * unit_of(limit["unit"] or "1")[1], _risk(criterion)
    depths = [_depth([*values, *[score] * lost], bound, risk) for score in ((1, 0) if below else (0, 1))]
    (worst, wide), (best, broad) = depths if not below else [(-depth, width) for depth, width in depths]
    if risk is None:
        return ("pass" if worst >= 0 else "inconclusive" if best >= 0 else "fail"), ""
    if whole < 2:
        return "inconclusive", ""
    return ("pass" if worst >= wide else "fail" if -best > broad else "inconclusive"), ""


def _depth(values, bound, risk):
    """How far the mean is above the bound, and how far it must be to prove it."""
    mean, width = Fraction(sum(values)) / len(values), Fraction(0)
    if risk is not None and len(values) > 1:
        with localcontext(prec=60):
            log = Fraction((Decimal(2 * risk.denominator) / Decimal(risk.numerator)).ln())
            variance = sum((one - mean) ** 2 for one in values) / (len(values) - 1)
            inner = 2 * variance * log / len(values)
            root = Fraction((Decimal(inner.numerator) / Decimal(inner.denominator)).sqrt())
        width = root + 7 * log / (3 * (len(values) - 1)) + Fraction(1, 10**40)
    return mean - bound, width


def _duration(criterion, limit, group, samples):  # noqa: ARG001
    (taken,), (measure,) = samples, group
    values, factor = numbers(taken, measure, limit["unit"]), unit_of(limit["unit"])
    if len(values) != 1 or values[0] == math.inf:
        raise Invalid("no-single-duration")
    if factor[0] != "time" or measure["resolution_ns"] < 0:
        raise Left("duration")
    spread, bound = Fraction(measure["resolution_ns"], 10**9) / factor[1], Fraction(limit["bound"])
    low, high, below = values[0] - spread, values[0] + spread, limit["comparison"] == "<="
    if low > bound if below else high < bound:
        return "fail", ""
    if not (high <= bound if below else low >= bound):
        return "inconclusive", ""
    return ("pass", "") if measure["trusted"] else ("environment-limited", "virtual-clock")


def _equal(criterion, limit, group, samples):
    if len(group) != 2:
        raise Invalid("one-sided")
    sides, planned = [], planned_of(criterion, limit)
    for taken in samples:
        if any(one["item"] is None for one in taken):
            raise Invalid("wrong-kind")
        sides.append({one["item"]: one["seen"] for one in taken})
        if len(sides[-1]) != len(taken):
            raise Invalid("item-twice")
    left, right = sides
    names = left.keys() | right.keys()
    if not names:
        raise Invalid("empty")
    if planned is not None and len(names) > planned and not criterion["census"]:
        raise Invalid("more-than-planned")
    both, listed = left.keys() & right.keys(), max(len(names), planned or 0, *(one["planned"] for one in group))
    if not all(same(left[name], right[name]) for name in both):
        return "fail", ""
    return ("not-run", "missing-part") if listed > len(both) else ("pass", "")


def _equivalence(criterion, limit, group, samples):
    """Schuirmann (1987) by order statistics of the differences of pairs, each one-sided; lost pairs may be anything."""
    (left, right), planned, spread = _apart(criterion, limit, group, samples)
    if planned is not None and max(map(len, samples)) > planned_of(criterion, limit):
        raise Invalid("more-than-planned")
    pairs, margin = list(zip(left, right, strict=False)), Fraction(limit["bound"])
    check_counts(len(pairs), planned)
    if spread * 10 > margin:
        raise Invalid("coarse-timer")
    if unit_of(limit["unit"])[0] == "time":
        calls = zip(*(_when(taken) for taken in samples), strict=False)
        if not _paired([pair for pair in calls if None not in pair]):
            raise Invalid("not-interleaved")
    apart = [one - other for one, other in pairs if math.inf not in (one, other)]
    low, high, found = bounds(apart, planned - len(apart), Fraction(1, 2), _risk(criterion))
    return _inside((low, high), (-margin, margin), spread, None not in found, planned > len(pairs))


def _regression(criterion, limit, group, samples):
    """The quantile's growth, either bound at half the risk; a pass stands beside A/A and A/A + twice the margin."""
    (left, right), planned, spread = _apart(criterion, limit, group, samples)
    margin = Fraction(limit["bound"])
    check_counts(min(map(len, samples)), None)
    check_counts(max(map(len, samples)), planned)
    if spread * 10 > margin:
        raise Invalid("coarse-timer")
    marks = [(one["intended"], one["sent"], one["done"]) for taken in samples for one in taken]
    if criterion["sampling"] == "open-loop" and any(None in one for one in marks):
        raise Invalid("closed-loop")
    if unit_of(limit["unit"])[0] == "time":
        sent = [[call[0] for call in _when(taken) if call] for taken in samples]
        order = [side for _, side in sorted((at, side) for side in (0, 1) for at in sent[side])]
        edges = [len(order) * quarter // 4 for quarter in range(5)]
        for part in (order[start:end] for start, end in pairwise(edges)):
            if set(part) != {0, 1} or min(part.count(0), part.count(1)) * 3 < len(part) - 1:
                raise Invalid("not-interleaved")

    def grown(new, old, plan):
        answered = [one for one in old if one != math.inf]
        terms = Fraction(limit["quantile"]), _risk(criterion) / 2
        low, high, above = bounds(new, (plan or len(new)) - len(new), *terms)
        least, most, below = bounds(answered, (plan or len(old)) - len(answered), *terms)
        ends = (-math.inf if low == most == math.inf else low - most), high - least
        return _inside(
            ends, (-math.inf, margin), spread, None not in (above[1], below[0]), (plan or 0) > min(len(new), len(old))
        )

    found = grown(left, right, planned)
    if found[0] == "pass":
        one, other = right[::2], right[1::2]
        shifted = [at + 2 * margin for at in one]
        if grown(one, other, None)[0] != "pass" or grown(shifted, other, None)[0] == "pass":
            return "inconclusive", "control"
    return found


def _apart(criterion, limit, group, samples):
    """Both sides' figures, how many each owes, and how far off a difference of two times may be."""
    if len(group) != 2:
        raise Invalid("one-sided")
    if _risk(criterion) is None or limit["comparison"] != "<=":
        raise Left(f"{limit['text']} without a confidence")
    plan, told = planned_of(criterion, limit), [one["planned"] for one in group]
    values = [numbers(taken, measure, limit["unit"]) for taken, measure in zip(samples, group, strict=True)]
    timed = [any(one["ns"] is not None for one in taken) for taken in samples]
    spread = sum(Fraction(one["resolution_ns"], 10**9) for one, is_timed in zip(group, timed, strict=True) if is_timed)
    if plan is None or spread < 0:
        raise Left("a comparison without a plan")
    over = max(map(len, samples)) > plan
    return values, plan if over else max(plan, *told), Fraction(spread) / unit_of(limit["unit"])[1]


def bounds(values, unknown, share, risk):
    """The order statistics that bound a quantile where so many values are unknown, and whether there are such."""
    count, ordered = len(values) + unknown, sorted(values)
    low, high = found = ranks(count, share, risk)
    lower = -math.inf if low is None or low <= unknown else ordered[low - unknown - 1]
    upper = math.inf if high is None or high > len(ordered) else ordered[high - 1]
    return lower, upper, found


def ranks(count, share, risk):
    """max{s: P(Bin(count, share) <= s - 1) < risk} and min{r: P(Bin(count, share) >= r) <= risk}; None for none."""
    if count > 20_000:
        raise Left("more than 20,000 samples")
    hit, miss, whole = share.numerator, share.denominator - share.numerator, share.denominator**count
    below, weight, lower = 0, miss**count, None
    for rank in range(1, count + 1):
        below, weight = below + weight, weight * (count - rank + 1) * hit // (rank * miss)
        if below * risk.denominator < risk.numerator * whole:
            lower = rank
        if (whole - below) * risk.denominator <= risk.numerator * whole:
            return lower, rank
    return lower, None


def _inside(ends, room, spread, bounded, short):
    """Whether an interval lies in its room, wholly outside, or neither."""
    (low, high), (least, most) = ends, room
    if low > most + spread or high < least - spread:
        return "fail", ""
    if short:
        return "inconclusive", "incomplete"
    if not bounded:
        return "inconclusive", "too-few-for-any-bound"
    return ("pass" if least <= low - spread and high + spread <= most else "inconclusive"), ""


def _when(samples):
    """(sent, done) of each call; None for one that failed untimed."""
    for one in samples:
        told = one["sent"] is not None and one["done"] is not None
        if not told and one["failed"] is None:
            raise Invalid("no-times")
        yield (one["sent"], one["done"]) if told else None


def _paired(pairs):
    """Whether no call overlaps another or stands between the two of a pair, and both sides often go first."""
    calls = [call for pair in pairs for call in sorted(pair)]
    first = sum(left < right for left, right in pairs)
    apart = all(before[1] <= after[0] for before, after in pairwise(calls)) and all(
        sent <= done for sent, done in calls
    )
    return apart and min(first, len(pairs) - first) * 3 >= len(pairs) - 1


def same(one, other):
    """Whether two sides say the same, as JSON means it: 1 is 1.0 and is not true."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def _values(criterion, limit, group, samples):
    (taken,), (measure,) = samples, group
    timed = any(one["ns"] is not None for one in taken)
    if timed and unit_of(limit["unit"])[0] != "time":
        raise Invalid("wrong-unit")
    coarse = Fraction(measure["resolution_ns"], 10**9) / unit_of(limit["unit"])[1] if timed else Fraction(0)
    values, bound = numbers(taken, measure, limit["unit"]), Fraction(limit["bound"])
    quantile, below = limit["statistic"] == "quantile", limit["comparison"] == "<="
    lost, whole, planned = expected(criterion, limit, measure, taken)
    if coarse < 0:
        raise Left("a negative resolution")
    open_loop = all(None not in (one["intended"], one["sent"], one["done"]) for one in taken)
    if quantile and criterion["sampling"] == "open-loop" and not open_loop:
        raise Invalid("closed-loop")
    if coarse * 10 > abs(bound):
        raise Invalid("coarse-timer")
    finite = [one for one in values if one != math.inf]
    good, best = (
        sum(one + shift <= bound if below else one - shift >= bound for one in finite) for shift in (coarse, -coarse)
    )
    if quantile:
        return _quantile(criterion, limit, taken, values, (good, best + lost, whole, planned))
    if best < len(taken):
        return "fail", ""
    if planned is not None and whole < planned:
        return "inconclusive", "incomplete"
    if good < len(taken):
        return "inconclusive", ""
    return ("inconclusive", "lost-samples") if lost else ("pass", "")


def _quantile(criterion, limit, taken, values, within):
    (good, best, samples, planned), share = within, Fraction(limit["quantile"])
    bar = (share, _risk(criterion), False) if limit["comparison"] == "<=" else (1 - share, _risk(criterion), True)
    found = zone(bar, good, best, samples, planned)
    blocks, before = [], object()
    for one in taken if criterion["blocks"] else ():
        if one["block"] != before and one["block"] in {block for block, _ in blocks}:
            raise Invalid("blocks-mixed")
        blocks = [*blocks, [one["block"], 0]] if one["block"] != before else blocks
        before, blocks[-1][1] = one["block"], blocks[-1][1] + 1
    decided = found[0] in ("pass", "fail") and not (planned and samples < planned)
    if blocks and bar[1] is not None and decided:
        effect = design_effect(values, share, [size for _, size in blocks])
        worth = math.floor(samples / effect)
        over, least = samples - good, samples - best
        fewer = worth - math.ceil(Fraction(over * worth, samples)), worth - math.floor(Fraction(least * worth, samples))
        can_decide = worth > 0 and tail(worth, bar[0], worth) <= bar[1]
        if effect > 1 and not (can_decide and zone(bar, *fewer, worth)[0] == found[0]):
            found = "inconclusive", ""
    known = {one["block"] for one in taken if one["block"] is not None}
    if found[0] == "pass" and criterion["blocks"] and (len(blocks) < 20 or len(known) < criterion["blocks"]):
        found = "inconclusive", ""
    return found


# Subjects, requirements


def meets(challenge):
    """Whether the answers prove a subject real: a nonce found again, frames at pace, the run's certificates."""
    nonce, said = challenge["nonce"], challenge["answers"]
    try:
        if challenge["kind"] == "nonce-item":
            item, seen = said.get("item"), any(nonce in str(text) for text in said.get("found", ()))
            return bool(nonce) and seen and isinstance(item, str) and nonce in item and item in said.get("audited", ())
        if challenge["kind"] == "run-certificate":
            services, authority = said.get("services", {}), said.get("authority")
            return bool(services and authority) and all(one == authority for one in services.values())
        if challenge["kind"] == "boot-nonce":
            started, written = said.get("started", {}), said.get("written", {})
            apart = bool(nonce and started) and len(set(started.values())) == len(started)
            return apart and all(wrote(written.get(name, ""), nonce, pid) for name, pid in started.items())
        if challenge["kind"] == "nonce-session":
            logged = [said.get("logged", {}).get(kind, ()) for kind in ("request", "answer")]
            told = all(any(nonce in str(one) for one in ones) for ones in logged)
            return bool(nonce) and nonce in str(said.get("said", "")) and told
        if challenge["kind"] == "frame-pace":
            readings, rate, period = said.get("readings", ()), said.get("rate", 0), said.get("period", 0)
            frames, ns = (readings[-1][at] - readings[0][at] for at in (0, 1))
            due = ns / 1e9 * rate
            moving = all(late[0] > early[0] for early, late in pairwise(readings))
            fine = len(readings) > 1 and period > 0 and period * 5 <= rate and ns >= 200_000_000 and moving
            return fine and abs(frames - due) <= due * 0.05 + 2 * period
    except (TypeError, AttributeError, LookupError, ValueError, ArithmeticError):
        return False
    return False


def wrote(text, nonce, pid):
    """Whether a log has a line of JSON with this nonce and this process id."""
    for line in str(text).splitlines():
        try:
            said = json.loads(line)
        except ValueError:
            continue
        if isinstance(said, dict) and (said.get("nonce"), said.get("pid")) == (nonce, pid):
            return True
    return False


def observed(seen):
    """The rank of the level that a subject showed."""
    if seen["challenge"] is None:
        return 0
    if seen["challenge"]["kind"] == "recorded":
        return 1 if isinstance(traces := seen["challenge"]["answers"].get("traces"), dict) and traces else 0
    return LEVELS.index(seen["registered"]) if meets(seen["challenge"]) else LEVELS.index("stub")


def met(text, facts):
    """Whether a requirement holds on the facts: True, False, or None where nobody knows."""
    leaf = r"([a-z][\w.+-]*)(?: (>=|<=|>|<|==|!=) (-?\d+(?:\.\d+)?)(?: ([A-Za-z%]+))?)?"
    found = []
    for part in re.sub(r'secret\("(\w+)"\)', r"secret.\1", text).split(" and "):
        read = re.fullmatch(leaf, part)
        if read is None or read[1] in ("not", "or", "and") or " or " in part:
            raise Left(f"requirement {text}")
        fact = facts.get(read[1], {"state": "unknown"})
        if fact["state"] != "present" or fact["value"] is None:
            found.append(False if fact["state"] == "absent" else None)
        elif read[2] is None:
            found.append(bool(fact["value"]))
        elif isinstance(fact["value"], str | bool) or unit_of(fact["unit"] or "1")[0] != unit_of(read[4] or "1")[0]:
            found.append(None)
        else:
            left, right = exact(fact["value"]) * unit_of(fact["unit"] or "1")[1], Fraction(read[3])
            order, right = read[2], right * unit_of(read[4] or "1")[1]
            holds = {">": left > right, "<": left < right, "=": left == right, "!": left != right}
            found.append(holds[order[0]] or (order in (">=", "<=") and left == right))
    return False if False in found else None if None in found else True


# Criteria


class Evidence:
    """The records of a run, as criteria need them."""

    def __init__(self, read, records, measures, end):
        self.start, self.plan, self.end = read["Bundle"], read["Plan"], end
        self.items, self.errors = read["Inventory"]["items"], read["Inventory"]["errors"]
        target = self.start["target"]
        trusted = not target["name"] or target["facts"].get("clock.trusted") is True
        self.records = records
        self.measures = [{**one, "trusted": trusted and one["clock"] != "virtual"} for one in measures.values()]
        self.criteria = {one["id"]: one for gate in self.plan["gates"] for one in gate["criteria"]}
        self.limits, self.blind, self.rehearsed = {name: [] for name in self.criteria}, set(), set()
        self.by = read.get("by")  # parsing and signatures, which the other part does
        self.crashed = {one["test"] for one in self.of("crash")}
        self.facts = {one["name"]: one for one in reversed([body["fact"] for body in self.of("fact")])}
        self.facts |= {one["name"]: one for one in self.start["profile"]["facts"]}
        stated = self.start["target"]["facts"].items()
        self.facts |= {name: {"state": "present", "value": value, "unit": None} for name, value in stated}

    def of(self, *kinds):
        """Records of these kinds."""
        return [body for kind in kinds for body in self.records.get(kind, ())]

    def own(self, criterion):
        """What was measured for a criterion; for a control, under its fault."""
        name = criterion["id"]
        if criterion["control"]:
            return [one for one in self.measures if one["control"] == name]
        return [one for one in self.measures if not one["control"] and name in one["criteria"]]

    def ended(self, test):
        """Whether a test came to its end."""
        found = [one for one in self.of("test") if one["id"] == test]
        return bool(found) and not any(one["raised"] for one in found)

    def selected(self, criterion):
        """The tests that were collected for it, and selected."""
        return [one for one in self.items if criterion["id"] in one["criteria"] and one["selected"]]

    def told(self):
        """(criterion, test) of every record that ties the two."""
        for body in self.of("test", "run-opened"):
            yield from ((name, body.get("id") or body.get("test")) for name in body["criteria"])
        for one in self.measures:
            yield from ((name, one["test"]) for name in ([one["control"]] if one["control"] else one["criteria"]))
        yield from ((body["control"], body["test"]) for body in self.of("control-opened"))

    def scope(self):
        """Gates that the run set out to decide: those named, else those of which the inventory or a record tells."""
        scope = self.start["scope"]
        if scope["gates"] or scope["stages"]:
            inside = (("id", scope["gates"]), ("stage", scope["stages"]))
            return [
                gate for gate in self.plan["gates"] if all(not names or gate[key] in names for key, names in inside)
            ]
        told = {name for one in self.items if one["selected"] for name in one["criteria"]}
        told |= {name for name, _ in self.told()} | {name for one in self.measures for name in one["criteria"]}
        ids = {name.split(".")[0] for name in told}
        ids |= {gate["id"] for gate in self.plan["gates"] if self._testless(gate["criteria"])}
        return [gate for gate in self.plan["gates"] if gate["id"] in ids]

    @staticmethod
    def _testless(criteria):
        """A gate of nothing but documents is in every run that names no other."""
        return {one["method"] for one in criteria} == {"examine"} and not all(one["planned"] for one in criteria)

    def judge(self, criterion):
        """(findings, what is left): verdict and reason of everything that stands against a plain pass, in order."""
        if criterion["planned"]:
            return [("not-run", "planned")], []
        if criterion["method"] == "examine":
            return self._examined(criterion)
        found, left = [], []
        ends = [
            {one["raised"] for one in self.of("test") if one["id"] == item["id"]} for item in self.selected(criterion)
        ]
        by_outcome = [one["statistic"] for one in criterion["limits"]] == ["all-pass"]
        kept_back = ends and all(raised == {"limited"} for raised in ends) and not by_outcome
        parts = (self._tests, self._limits, self._delivered)
        for part in parts[:1] if kept_back and not self.own(criterion) else parts:
            for one in part(criterion, bool({"not-run", "environment-limited"} & {verdict for verdict, _ in found})):
                left, found = ([*left, one[1]], found) if one[0] == "left" else (left, [*found, one])
        return sorted(found, key=lambda one: one[1] != "control-did-not-fail"), left

    def _examined(self, criterion):
        """The first thing that keeps a document from being one that its signer examined; whose key it is, is not asked."""
        found = [one for one in self.of("document") if one["criterion"] == criterion["id"]]
        if len(found) != 1:
            return [("invalid", "examined-twice") if found else ("not-run", "unsigned")], []
        said = self._signed(found[0])
        fault = next(self._document(criterion, found[0], said), None)
        if said:
            self.limits[criterion["id"]] = [(f"examined({found[0]['document']})", fault[0] if fault else "pass")]
            self.rehearsed |= {criterion["id"]} if said["rehearsal"] else set()
        return [fault] if fault else [], []

    def _document(self, criterion, seen, said):
        """What the document, and what was signed of it, come short of."""
        wanted, where = (criterion["document"], seen["bytes"], seen["sha256"]), ("path", "bytes", "sha256")
        if seen["document"] != criterion["document"]:
            yield "invalid", "examined-other"
        if not seen["path"]:
            yield "not-run", "document-missing"
        if not (seen["statement"] and seen["signature"]):
            yield "not-run", "unsigned"
        elif not said:
            yield "invalid", "signature-broken"
        else:
            if (said["criterion"], said["document"]) != (criterion["id"], criterion["document"]):
                yield "invalid", "examined-other"
            if said["signer"] != criterion["signer"]:
                yield "not-run", "other-signer"
            if (said["document"], said["bytes"], said["sha256"]) != wanted:
                yield "not-run", "document-changed"
            if said["wall"] > self.start["opened"] + 300 * 10**6:
                yield "invalid", "examined-later"
            if said["rehearsal"] and LEVELS.index(criterion["fidelity"] or "undeclared") <= LEVELS.index("sandbox"):
                yield "not-run", "rehearsal"
        if not any(all(one[key] == seen[key] for key in where) for one in self.of("attached")):
            yield "invalid", "document-unkept"

    def _signed(self, seen):
        """What a person signed, where an SSH signature of theirs (PROTOCOL.sshsig of OpenSSH) is over exactly that."""
        load, verify_ed25519, key, bad = self.by
        data, (begin, end) = (
            seen["statement"].encode(),
            (f"-----{word} SSH SIGNATURE-----" for word in ("BEGIN", "END")),
        )
        read = re.fullmatch(f"{begin}\n((?:[A-Za-z0-9+/=]+\n)+){end}\n?", seen["signature"])
        try:
            said, inner = load(data, "Examined"), read[1].replace("\n", "")
            moment = re.fullmatch(r"[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}Z", said["examined"])
            said["wall"] = int(datetime.fromisoformat(moment[0]).timestamp()) * 10**6
            blob = base64.b64decode(inner, validate=True)
            public, space, reserved, name, signature = strings(blob, b"SSHSIG\0\0\0\1")
            fine = space == b"spiral-signoff" and not reserved and name in (b"sha256", b"sha512") and len(data) <= 2**14
            if not fine or base64.b64encode(blob).decode() != inner or said["wall"] < 0:
                return None
            parts = (space, b"", name, hashlib.new(name.decode(), data).digest())
            signed = b"SSHSIG" + b"".join(len(one).to_bytes(4, "big") + one for one in parts)
            kind, raw = strings(signature)
            if public[:-32] == key and kind == b"ssh-ed25519":
                verify_ed25519(public[-32:], raw, signed)
            elif strings(public)[:1] != [b"ssh-rsa"] or not holds_rsa(*strings(public)[1:], kind, raw, signed):
                return None
        except (bad, ValueError, TypeError):
            return None
        return said

    def _blocks(self, criterion, groups):
        """A run block that no record opens, or one of a test that measured in its others only."""
        opened = {(one["test"], one["run"]) for one in self.of("run-opened") if criterion["id"] in one["criteria"]}
        filled = {key for key in groups if key[1]}
        stray = {one["run"] for one in self.of("run-closed")} - {one["run"] for one in self.of("run-opened")}
        strangers = {run for _, run in filled} - {run for _, run in opened}
        if (filled or (groups and criterion["consecutive"] > 1)) and strangers | stray:
            yield "invalid", "run-unopened"
        measuring = {test for test, _ in filled} if criterion["consecutive"] == 1 else set()
        if any(test in measuring for test, _ in opened - filled):
            yield "not-run", "run-empty"

    def _tests(self, criterion, _kept):
        """What the claiming tests' ends say."""
        items = [one for one in self.items if criterion["id"] in one["criteria"]]
        selected = {one["id"] for one in self.selected(criterion)}
        for test in dict.fromkeys(test for name, test in self.told() if name == criterion["id"]):
            if test not in selected:
                yield "invalid", "uncollected"
        known = {one["id"] for one in chain(self.items, self.of("test"))}
        if any(one["next"] and one["next"] not in known for one in self.of("test")):
            yield "invalid", "uncollected"
        if self.errors:
            yield "not-run", "collection-error"
        if not selected:
            yield "not-run", "deselected" if items else "no-tests"
        for item in self.selected(criterion):
            records = [one for one in self.of("test") if one["id"] == item["id"]]
            if item["id"] in self.crashed:
                yield "not-run", "crashed"
            elif not records:
                yield "not-run", "not-reached"
            for record in records:
                yield from self._end(record["raised"], item, criterion)

    def _end(self, raised, item, criterion):
        if raised == "limited":
            yield self._kept_back(item, criterion)
        elif raised in ENDS:
            yield "not-run", ENDS[raised]
        elif raised and [one["statistic"] for one in criterion["limits"]] == ["all-pass"]:
            yield "fail", "test-failed"
        elif raised and not any(one["test"] == item["id"] for one in self.own(criterion)):
            yield "not-run", "raised-before-measuring"
        elif raised:
            yield "fail" if raised == "assertion" else "invalid", "raised-after-measuring"

    def _kept_back(self, item, criterion):
        others = {one["requires"] for one in self.criteria.values() if one["id"] in item["criteria"]}
        own = [criterion["requires"]] if criterion["requires"] else []
        own += [need for need in item["needs"] if need not in others]
        try:
            found = [met(need, self.facts) for need in own]
            foreign = [met(need, self.facts) for need in item["needs"] if need not in own]
        except Left as what:
            return "left", str(what)
        if not all(found):
            return ("environment-limited", "requirement") if False in found else ("not-run", "requirement-unknown")
        return ("invalid", "limited-without-need") if all(foreign) else ("not-run", "kept-back")

    def _limits(self, criterion, kept):
        """What was measured, or under a control's fault ought to be."""
        if criterion["control"]:
            yield from self._control(criterion)
            return
        judged = []
        for limit in criterion["limits"]:
            try:
                found = self._limit(criterion, limit)
                judged += [one for one in found if one[0] != "pass" and one[1] != "not-delivered"]
                yield from (one for one in found if one[1] == "not-delivered" and not kept)
                if limit["statistic"] != "all-pass":
                    yield from self._blocks(criterion, grouped(limit, self.own(criterion)))
            except Left as what:
                yield "left", str(what)
            except Invalid as reason:
                yield "invalid", str(reason)
        tests = {one["id"] for one in self.selected(criterion)}
        ends = ("", "assertion", "error", "timeout")
        if self.own(criterion) or any(one["id"] in tests and one["raised"] in ends for one in self.of("test")):
            for name in criterion["subjects"]:
                yield from self._subject(name)
        yield from judged

    def _limit(self, criterion, limit):
        groups = {} if limit["statistic"] == "all-pass" else grouped(limit, self.own(criterion))
        if limit["statistic"] == "all-pass":
            found = [self._all_pass(criterion, limit)]
        elif not groups:
            return [("not-run", "not-delivered")]
        elif criterion["consecutive"] > 1:
            found = [self._row(criterion, limit, groups)]
        else:
            found = [judge_limit(criterion, limit, group) for group in groups.values()]
        self.limits[criterion["id"]] += [(limit["text"], verdict) for verdict, _ in found]
        return found

    def _all_pass(self, criterion, limit):
        tests, planned = [one["id"] for one in self.selected(criterion)], planned_of(criterion, limit) or 0
        if len(tests) > planned or not planned:
            return "invalid", "more-than-planned"
        ends = [{one["raised"] for one in self.of("test") if one["id"] == test} for test in tests]
        if any({"assertion", "error", "timeout"} & raised for raised in ends):
            return "fail", ""
        kept = sum(raised == {"limited"} for raised in ends)
        if kept and sum(raised == {""} for raised in ends) + kept == planned:
            return "environment-limited", "requirement"
        return ("pass", "") if sum(raised == {""} for raised in ends) == planned else ("not-run", "missing-part")

    def _row(self, criterion, limit, groups):
        """Each of the last runs must pass alone; a run that was not closed breaks the row."""
        runs, wanted = {}, criterion["consecutive"]
        for (_, run), group in groups.items():
            verdict, _ = judge_limit(criterion, limit, group)
            runs[run] = min(verdict, runs.get(run, verdict), key=WORST.index)
        opened = [one["run"] for one in self.of("run-opened") if criterion["id"] in one["criteria"]]
        closed = {one["run"]: one["outcome"] for one in self.of("run-closed")}
        if criterion["combine"] == "pooled":
            ordered = len({run.rpartition("-")[0] for run in opened}) <= 1 and not (opened and "" in runs)
            keys = [run if closed.get(run) == "closed" else None for run in opened] + [""] * ("" in runs)
            tallies = [self._tally(criterion, limit, groups, run, runs.get(run)) for run in keys]
            return self._pooled(criterion, limit, tallies, ordered=ordered)
        row = [runs.get(run, "") if closed.get(run) == "closed" else "" for run in opened]
        row += [runs[""]] if "" in runs else []
        if len({run.rpartition("-")[0] for run in opened}) > 1 or (opened and "" in runs):
            row.sort(key=lambda verdict: -WORST.index(verdict or "invalid"))
        last, risk = row[-wanted:], _risk(criterion)
        if "fail" in last:
            return "fail", ""
        hunted = risk is not None and max(0, len(row) - wanted + 1) * risk**wanted > risk
        return ("pass" if last == ["pass"] * wanted and not hunted else "inconclusive"), "row"

    def _tally(self, criterion, limit, groups, run, verdict):
        """(hits, samples) of a run that was closed, is whole and can be judged; None for any other."""
        found = [group for (_, own), group in groups.items() if own == run]
        if verdict not in ("pass", "fail", "inconclusive") or len(found) != 1:
            return None
        taken = counted(found[0][0], criterion, limit)
        lost, _, planned = expected(criterion, limit, found[0][0], taken)
        return None if lost or len(taken) != planned else (sum(one["ok"] is True for one in taken), len(taken))

    def _pooled(self, criterion, limit, tallies, *, ordered):
        """The first runs together, each plain figure at the bar; later ones only worsen it."""
        wanted, bar = criterion["consecutive"], Fraction(limit["bound"]) * unit_of(limit["unit"] or "1")[1]
        tallies = tallies if ordered or len(tallies) == wanted else [None] * len(tallies)
        first, every = tallies[:wanted], [one for one in tallies if one is not None]

        def together(part):
            good, samples = (sum(one[at] for one in part) for at in (0, 1))
            return zone((bar, _risk(criterion), False), good, good, samples)[0], Fraction(good, samples)

        if len(first) < wanted or None in first:
            return "inconclusive", "row"
        verdict, _ = together(first)
        if verdict == "pass" and any(Fraction(*one) < bar for one in first):
            verdict = "inconclusive"
        if verdict == "pass" and len(tallies) > wanted:
            later, figure = together(every)
            verdict = "fail" if later == "fail" else "inconclusive" if figure < bar else "pass"
        return verdict, "row"

    def _control(self, criterion):
        """Under its fault, a limit of the guarded criterion must come out as declared."""
        rule, own = criterion["control"], self.own(criterion)
        guarded = self.criteria.get(rule["of"], {"limits": []})
        blocks = [one for one in self.of("control-opened") if one["control"] == criterion["id"]]
        fed = [one for one in guarded["limits"] if any(each["name"] in one["measurements"] for each in own)]
        if not blocks or not fed:
            yield "not-run", "control-not-run"
            return
        try:
            groups = [(limit, group) for limit in fed for group in grouped(limit, own).values()]
            found = [judge_limit(guarded, limit, group) for limit, group in groups]
        except (Invalid, Left) as what:
            yield "invalid" if isinstance(what, Invalid) else "left", str(what)
            return
        texts = [limit["text"] for limit, _ in groups]
        self.limits[criterion["id"]] = [(text, verdict) for text, (verdict, _) in zip(texts, found, strict=True)]
        if any((one["fault"], one["of"]) != (rule["fault"], rule["of"]) for one in blocks):
            yield "invalid", "control-differs"
        if any(one["test"] not in {block["test"] for block in blocks} for one in own):
            yield "invalid", "control-unopened"
        for test in {block["test"] for block in blocks if self.ended(block["test"])}:
            ends = [
                one for one in self.of("control-closed") if (one["control"], one["test"]) == (criterion["id"], test)
            ]
            if len(ends) < sum(one["test"] == test for one in blocks) or any(one["raised"] for one in ends):
                yield "invalid", "control-broken"
        if not any(verdict == rule["verdict"] and reason not in THIN for verdict, reason in found):
            self.blind.add(criterion["id"])
            yield "fail", "control-did-not-fail"

    def _subject(self, name):
        """Seen at the start, what it was registered as, the same to the end."""
        seen = [one for one in self.of("subject") if one["subject"] == name and not one["control"]]
        starts, ends = ({one["identity"] for one in seen if one["when"] == when} for when in ("start", "end"))
        if not starts or ends - starts:
            yield "invalid", "subject-unseen"
        if any(observed(one) < LEVELS.index(one["registered"]) for one in seen):
            yield "invalid", "fidelity-below-registered"
        if len({one["digest"] for one in seen}) > 1:
            yield "invalid", "subject-changed"
        if any(one["subject"] == name for one in self.of("target-lost")):
            yield "not-run", "target-lost"
        elif not {one["identity"] for one in seen} <= ends:
            excuse = "crashed" if self.of("crash") else "interrupted" if self.end["status"] != "finished" else ""
            yield ("not-run", excuse) if excuse else ("invalid", "subject-gone")

    def _delivered(self, criterion, _kept):
        """Each test that came to its end has delivered, and left nothing half done."""
        own = self.own(criterion)
        for one in own:
            if (not one["closed"] or one["closed"]["raised"]) and self.ended(one["test"]):
                yield "invalid", "measurement-broken"
        if [one["statistic"] for one in criterion["limits"]] != ["all-pass"]:
            for item in self.selected(criterion):
                if self.ended(item["id"]) and not any(one["test"] == item["id"] for one in own):
                    yield "not-run", "not-delivered"

    def verdict(self, criterion):
        """(verdict, what the evidence alone says, reason, what is left) of one criterion."""
        found, left = self.judge(criterion)
        verdict, reason = min(found, key=lambda one: WORST.index(one[0]), default=("pass", ""))
        if verdict == "pass" and criterion["requires"]:
            try:
                holds = met(criterion["requires"], self.facts)
                verdict = "pass" if holds else "environment-limited" if holds is False else "not-run"
                reason = "" if holds else "requirement" if holds is False else "requirement-unknown"
            except Left as what:
                left.append(str(what))
        if verdict == "pass" and criterion["method"] == "examine":  # no trust root is at hand when it is written
            reason = "fidelity" if criterion["id"] in self.rehearsed else "signer-unproven"
            return "environment-limited", "pass", reason, left
        seen = [
            observed(one)
            for one in self.of("subject")
            if one["subject"] in criterion["subjects"] and not one["control"]
        ]
        declared = min(LEVELS.index(self.start["target"]["fidelity"]), LEVELS.index("simulated"))
        wanted = LEVELS.index(criterion["fidelity"]) if criterion["fidelity"] else 0
        if verdict == "pass" and min(seen, default=declared) < wanted:
            return "environment-limited", "pass", "fidelity", left
        if verdict == "pass" and criterion["assurance"]:  # the summary is written before anybody signs
            return "environment-limited", "pass", "assurance", left
        return verdict, verdict, reason, left


def holds_rsa(exponent, modulus, kind, raw, message):
    """Whether an RSA signature holds, by a key as ssh-keygen makes them (RFC 8332; RFC 8017, section 8.2.2)."""
    prefix = {
        b"rsa-sha2-256": "3031300d060960864801650304020105000420",
        b"rsa-sha2-512": "3051300d060960864801650304020305000440",
    }.get(kind)
    e, n = (int.from_bytes(one, "big") for one in (exponent, modulus))
    plain = all(
        one == number.to_bytes(number.bit_length() // 8 + 1, "big") for one, number in ((exponent, e), (modulus, n))
    )
    size = (n.bit_length() + 7) // 8
    usual = 2048 <= n.bit_length() <= 2**14 and 3 <= e < 2**32 and e & n & 1
    if prefix is None or not plain or not usual or len(raw) != size or int.from_bytes(raw, "big") >= n:
        return False
    end = bytes.fromhex(f"00{prefix}") + hashlib.new(f"sha{kind[-3:].decode()}", message).digest()
    return pow(int.from_bytes(raw, "big"), e, n).to_bytes(size, "big") == b"\0\1".ljust(size - len(end), b"\xff") + end


def strings(data, before=b""):
    """What an SSH string follows an SSH string in, all of it; ValueError for anything else."""
    if not data.startswith(before):
        raise ValueError("no SSH signature")
    found, at = [], len(before)
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        found.append(data[at + 4 : at + 4 + size])
        if len(found[-1]) != size or len(data) < at + 4:
            raise ValueError("cut short")
        at += 4 + size
    return found


def grouped(limit, measures):
    """(test, run) → the measurements that a limit names, in its order."""
    groups = {}
    for one in measures:
        if one["name"] in limit["measurements"]:
            group = groups.setdefault((one["test"], one["run"]), {})
            if one["name"] in group:
                raise Invalid("measured-twice")
            group[one["name"]] = one
    return {key: [group[name] for name in limit["measurements"] if name in group] for key, group in groups.items()}


# Decisions


def combine(standings, *, capped):
    """The decision of a gate, of (verdict, what the evidence alone says) of its blockers."""
    verdicts = {verdict for verdict, _ in standings}
    if verdicts & {"fail", "inconclusive", "not-run"}:
        return "NO-GO"
    passed = any(
        verdict == "pass" or (verdict == "environment-limited" and alone == "pass") for verdict, alone in standings
    )
    if "invalid" in verdicts or not passed:
        return "NOT-EVALUABLE"
    return "CONDITIONAL GO" if capped or "environment-limited" in verdicts else "GO"


def provable(criterion, limit):
    """Whether samples as good as can be prove a rate, a quantile or a difference."""
    risk, samples, below = _risk(criterion), planned_of(criterion, limit), limit["comparison"] == "<="
    samples = samples * criterion["consecutive"] if samples and criterion["combine"] == "pooled" else samples
    if limit["statistic"] in ("equivalence", "regression") and risk and samples and samples <= 20_000:
        halves, terms = (samples, samples), (Fraction(1, 2), risk)
        if limit["statistic"] == "regression":
            halves, terms = ((samples + 1) // 2, samples // 2), (Fraction(limit["quantile"]), risk / 2)
        bounded = None not in (ranks(halves[0], *terms)[1], ranks(halves[1], *terms)[0])
        return bounded and limit["comparison"] == "<=" and Fraction(limit["bound"]) > 0
    if limit["statistic"] not in ("rate", "quantile") or risk is None or samples is None or samples > 20_000:
        return True
    if criterion["sequential"]:
        return True  # that a plan can decide shows when it does
    quantile = limit["statistic"] == "quantile"
    named = Fraction(limit["quantile"]) if quantile else Fraction(limit["bound"]) * unit_of(limit["unit"] or "1")[1]
    return tail(samples, named if quantile is below else 1 - named, samples) <= risk


def unread(criterion):
    """Limits that do not mean what their text says, or that nothing can prove."""
    for one in criterion["limits"] if criterion["sequential"] or criterion["combine"] == "pooled" else ():
        bar = Fraction(one["bound"] or 0) * unit_of(one["unit"] or "1")[1]
        number, _, unit = (criterion["sequential"] or "1").partition(" ")
        design = Fraction(number) * unit_of(unit or "1")[1] if criterion["sequential"] else bar * 3 / 2
        kind = (one["statistic"], one["comparison"]) == ("rate", ">=") and _risk(criterion) is not None
        if not kind or not 0 < bar <= 1 or (criterion["sequential"] and not bar < design < min(1, 2 * bar)):
            yield f"{criterion['id']}: {one['text']} cannot be judged after every sample, or over all runs together"
    for one in criterion["limits"]:
        word, unit = one["statistic"], f" {one['unit']}" if one["unit"] else ""
        if word in ("quantile", "regression"):
            share = Fraction(one["quantile"]) * 100
            word = f"p{share.numerator if share.denominator == 1 else float(share)}{'-regression' * (word == 'regression')}"
        names = ", ".join(one["measurements"])
        bound = f" {one['comparison']} {one['bound']}{unit}" if one["comparison"] else ""
        text = word if word == "all-pass" else f"{word}({names}){bound}"
        if not provable(criterion, one):
            yield f"{criterion['id']}: its samples can never prove {one['text']}"
        if text != one["text"]:
            yield f"{criterion['id']}: the limit {one['text']} does not mean what its text says ({text})"


def judge(read, records, measures, end, walls):
    """States and notes of steps 7 to 10 of a bundle that is sound, and what is wrong as (code, path, sentence)."""
    evidence, said = Evidence(read, records, measures, end), read["Summary"]
    faults = [sentence for one in evidence.criteria.values() for sentence in unread(one)]
    if faults:
        return {}, [("plan-unjudgeable", "plan.json", sentence) for sentence in faults]
    gates, start = evidence.scope(), evidence.start
    found = {one["id"]: evidence.verdict(one) for gate in gates for one in gate["criteria"]}
    for name in list(found):
        one, rule = evidence.criteria[name], evidence.criteria[name]["control"]
        guarded = rule and rule["of"] in found and evidence.criteria[rule["of"]]
        advisory = guarded and one["level"] == "advisory" and guarded["level"] == "blocker"
        if guarded and (found[name][0] != "pass" if advisory else name in evidence.blind):
            found[rule["of"]] = ("invalid", found[rule["of"]][1], "control-did-not-fail", found[rule["of"]][3])
    for name, (verdict, alone, _, why) in found.items() if evidence.of("recovered") else ():
        if verdict in ("pass", "inapplicable", "environment-limited"):  # nobody saw how such a run would have ended
            found[name] = ("not-run", alone, "recovered", why)
    logged, together = bool(start.get("ledger")), any(path.startswith("earlier/") for path in read.get("files", ()))
    wrong, left = compare_verdicts(evidence, found, said, logged=logged, together=together)
    taken = {one["id"]: (one["verdict"], one["original"]) for one in said["criteria"]}
    standing = {name: taken.get(name, found[name][:2]) if name in left else found[name][:2] for name in found}
    moved = {one["id"] for one in said["criteria"] if one["id"] in left and "bar moved" in one["qualifiers"]}
    wrong += compare_decisions(evidence, gates, standing, said, moved=moved)
    controls = [name for name in found if evidence.criteria[name]["control"]]
    ran = [name for name in controls if standing[name][1] not in ("not-run", "environment-limited", "inapplicable")]
    held = f"{sum(standing[name][0] == 'pass' for name in ran)} of {len(ran)} controls failed as they must"
    held += f", {len(controls) - len(ran)} did not run" if len(controls) > len(ran) else ""
    seen = {one["subject"] for one in evidence.of("subject") if not one["control"]}
    whole = f"{len(found) - len(left)} of {len(found)} criteria from their samples; figures and sentences not checked"
    rest = "".join(f"; {name} not checked ({why})" for name, why in left.items())
    if any(one["path"].startswith("traces/") and one["path"].endswith("_diff.json") for one in evidence.of("attached")):
        rest += "; comparisons in traces/ not checked"
    notes = {
        7: f"{len(seen)} subjects",
        9: whole + rest,
        10: f"{held}; selftest not checked",
    }
    steps = {step: ["held", note] for step, note in notes.items()}
    steps[8] = ["cannot-tell", "nothing is read here that tells of ledger, attestation and publishing"]
    registered = "what its ledger says of it" if start.get("ledger") else "a draft that was registered in no ledger"
    steps[11] = ["not-checked", registered]
    late = [("moment-order", "", sentence) for sentence in order(start, walls)]
    return steps, late + [("summary-mismatch", "summary.json", sentence) for sentence in wrong]


def compare_verdicts(evidence, found, said, *, logged, together):
    """What of the summary's verdicts is not so, and what was not checked: criterion → why.

    Other attempts in a ledger count for a release; a draft is judged alone, unless its ledger does not hold. Where the
    bundle carries what earlier attempts measured (`together`), a plan that this one leaves open may be full with them.
    """
    wrong, left, ids = [], {}, [one["id"] for one in said["criteria"]]
    if ids != list(found):
        wrong.append(f"it judges {', '.join(map(str, ids))}; in scope are {', '.join(found)}")
    for one in said["criteria"]:
        verdict, alone, reason, why = found.get(one["id"], ("", "", "", []))
        claimed, original = one["verdict"], one["original"]
        unproven, bar = one["reason"] == "unproven" and claimed == "invalid", evidence.criteria.get(one["id"])
        others = logged and (evidence.start["mode"] == "release" or one["reason"] == "history-broken")
        if why or others or unproven:
            told = "the selftest of its bar" if unproven else "its ledger has a say"
            left[one["id"]] = ", ".join(why) or told
            if others and bar and bar["consecutive"] > 1:
                continue  # the row of all sessions takes the place of this one's
            kinds = {limit["statistic"] for limit in bar["limits"]} if together and bar else set()
            if others and kinds & {"rate", "quantile", "mean"} and verdict in ("inconclusive", "pass"):
                continue  # the plan is judged on the samples of all attempts, which is not done here
            if claimed in WORST and verdict and WORST.index(claimed) <= WORST.index(verdict):
                continue
        if (claimed, original) != (verdict, alone):
            wrong.append(f"found {claimed} for {one['id']}, expected {verdict}: that is what its samples give")
        elif not why:
            limits, tests = sorted((each["limit"], each["verdict"]) for each in one["limits"]), list(one["tests"])
            if reason in ("row", *THIN):
                reason = ""
            own = [item["id"] for item in evidence.selected(evidence.criteria[one["id"]])]
            if limits != sorted(evidence.limits[one["id"]]) or tests != own or reason not in ("", one["reason"]):
                wrong.append(f"{one['id']}: it names another reason, or other limits or tests, than the evidence gives")
    return wrong, left


def compare_decisions(evidence, gates, standing, said, *, moved):
    """What of the summary is not what the verdicts give; `moved` are those whose bar moved, as a ledger says."""
    start, scope, own = evidence.start, evidence.start["scope"], {}
    partial, whole = bool(scope["narrowed"]), []
    for gate in gates:
        blockers = [one for one in gate["criteria"] if one["level"] == "blocker"]
        capped = any(one["confidence"] == "none" or one["id"] in moved for one in blockers)
        own[gate["id"]] = None if partial else combine([standing[one["id"]] for one in blockers], capped=capped)
        whole.append((gate["stage"], own[gate["id"]]))
    stages = {} if scope["gates"] else {stage: None for stage, _ in whole if stage}
    for stage in stages if not partial else ():
        stages[stage] = min((one for name, one in whole if name == stage), key=DECISIONS.index)
    known = {one["id"] for one in evidence.plan["gates"]}, {one["stage"] for one in evidence.plan["gates"]}
    missing = set(scope["gates"]) - known[0] or set(scope["stages"]) - known[1]
    every = [one for _, one in whole] + ["NOT-EVALUABLE"] * (bool(missing) or not whole)
    decision = None if partial else min(every, key=DECISIONS.index)
    given = {
        "run": start["run"],
        "plan": start["plan"],
        "rules": evidence.plan["rules"],
        "target": start["target"]["name"],
        "partial": partial,
        "decision": decision,
        "permission": {"GO": 2, "CONDITIONAL GO": 1}.get(decision, 0),
        "counts": dict(Counter(verdict for verdict, _ in standing.values())),
        "tests": dict(Counter(one["raised"] or "passed" for one in evidence.of("test"))),
        "watermark": "",
    }
    found = [f"{name}: found {said[name]}, expected {value}" for name, value in given.items() if said[name] != value]
    for name, value in (("gates", own), ("stages", stages)):
        claimed = {one["id"]: one["decision"] for one in said[name]}
        found += [f"{name}: found {claimed}, expected {value}"] if claimed != value else []
    blockers = [name for name in standing if evidence.criteria[name]["level"] == "blocker"]
    debts = [name for name in blockers if standing[name][0] == "environment-limited"]
    claimed = [one["criterion"] for one in said["debts"]]
    return found + ([f"debts: found {claimed}, expected {debts}"] if claimed != debts else [])


def order(start, walls):
    """Sentences for what happened before something that it must follow, clocks 300 s apart at most; step 8."""
    committed, records = start["git"].get("committed"), list(chain(*walls.values()))
    terms = [("tested commit", committed * 10**6, committed * 10**6)] if type(committed) is int else []
    terms += [("opened", start["opened"], start["opened"]), ("records", min(records), max(records))]
    terms.append(("end", walls["main"][-1], walls["main"][-1]))
    for at, (name, first, _) in enumerate(terms):
        late = max((last for _, _, last in terms[:at]), default=first)
        if first + 300 * 10**6 < late:
            yield f"{name} is {(late - first) // 10**6} s before what it follows"
