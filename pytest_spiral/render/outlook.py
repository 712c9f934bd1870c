"""The outlook as lines: what each criterion needs, who gets through, and the picture of that."""

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Final

from pytest_spiral.model.outlook import CriterionOutlook, LimitOutlook, Outlook, PlanOffer, Point
from pytest_spiral.render.figures import counted, grouped
from pytest_spiral.render.layout import Line, Piece, cells, row, rule
from pytest_spiral.rules.figures import format_number

_WIDE: Final = 40
_INDENT: Final = 13
_SHY: Final = 0.8
"""A good system that gets through less often than this is sent back too often; shown in yellow."""


def render_outlook(outlook: Outlook, width: int) -> list[Line]:
    """Render the criteria, with pictures where there is one of them, and what their chances add up to."""
    rate = _percent(Decimal(outlook.true_rate))
    lines = [
        rule(
            f"plan of {outlook.selector or 'all gates'}, for a system whose samples are good {rate} of the time", width
        )
    ]
    names = max((cells(one.id) for one in outlook.criteria), default=0)
    alone = len(outlook.criteria) == 1
    for one in outlook.criteria:
        lines += _criterion(one, names, width)
        for limit in one.limits if alone else ():
            lines += _picture(limit, width) + _offers(limit, width)
    return lines if alone else lines + _total(outlook, width)


def _criterion(one: CriterionOutlook, names: int, width: int) -> list[Line]:
    chance = one.chance
    style = "" if chance is None else "yellow" if chance < _SHY else "green"
    word = "" if chance is None else _share(chance)
    lead = [Piece(f" {one.id.ljust(names)}  "), Piece(word.rjust(8) + "  ", style)]
    mark = "advisory, " if one.level == "advisory" else ""
    lines = [] if one.limits else row(lead, [Piece(f"{mark}not counted: {one.left_out}")], width, names + 13)
    for at, limit in enumerate(one.limits):
        first = lead if at == 0 else [Piece(" " * (names + 13))]
        body = [f"{mark}{limit.limit}", *_asks(limit)]
        body += [f"not counted: {limit.left_out}"] if limit.left_out else []
        lines += row(first, [Piece(text) for text in body], width, names + 13)
    return lines


def _asks(one: LimitOutlook) -> Iterator[str]:
    """What a limit asks for, in a few words each."""
    if one.sequential is not None:
        yield f"sequential, built for {one.sequential}: at most {grouped(one.samples or 0)} samples"
        yield f"{grouped(one.least or 0)} without a failure decide"
        if one.expected is not None:
            yield f"{one.expected:.0f} on average"
    elif one.exposure is not None:
        events = "no event" if one.allowed == 0 else f"at most {one.allowed}"
        yield f"{one.exposure}, {events}" + (f" (at least {grouped(one.least)} units)" if one.least else "")
    elif one.samples is not None:
        yield counted(one.samples, "sample") + (" a run" if one.runs > 1 else "")
        if one.allowed is not None:
            yield f"at most {grouped(one.allowed)} failed" + (" in all runs together" if one.pooled else "")
        if one.least is not None:
            yield f"{grouped(one.least)} at least" + (", in all runs together" if one.pooled else "")
    if one.runs > 1:
        once = "" if one.pooled or one.once is None else f", one run {_share(one.once)}"
        yield f"{one.runs} runs {'together' if one.pooled else 'in a row'}{once}"
    if one.at_the_limit is not None and one.chance is not None:
        yield f"at the limit itself {_share(one.at_the_limit)}"


def _picture(one: LimitOutlook, width: int) -> list[Line]:
    """The operating characteristic: the chance of a pass by how good the system is in truth."""
    if not one.curve:
        return []
    over = "events expected" if one.exposure is not None else "good in truth"
    lines = row([Piece(f" {over:>16}   chance of a pass")], [], width, 1)
    for point in one.curve:
        lines += row(
            [Piece(f" {_quality(one, point):>16}   {_share(point.chance):>8}  {_bar(point.chance)}")], [], width, 1
        )
    return lines


def _quality(one: LimitOutlook, point: Point) -> str:
    return f"{point.quality:.4g}" if one.exposure is not None else _percent(Decimal(repr(point.quality)))


def _bar(chance: float) -> str:
    filled = round(chance * _WIDE)
    return "|" + "#" * filled + " " * (_WIDE - filled) + "|"


def _offers(one: LimitOutlook, width: int) -> list[Line]:
    """Other plans for the limit: each is the smallest with so many failures allowed."""
    if not one.offers:
        return []
    head = "samples a run   failed at most   one run passes" + (f"   {one.runs} in a row" if one.runs > 1 else "")
    lines = row([Piece(f" {head}")], [], width, 1)
    for offer in one.offers:
        lines += row([Piece(_offer(offer, one))], [], width, 1)
    return lines


def _offer(offer: PlanOffer, one: LimitOutlook) -> str:
    mark = "  <- as many failed as here" if offer.failures == one.allowed else ""
    row_chance = f"{_share(offer.row):>12}" if one.runs > 1 else ""
    return f" {grouped(offer.samples):>13}{offer.failures:>17}{_share(offer.chance):>17}{row_chance}{mark}"


def _total(outlook: Outlook, width: int) -> list[Line]:
    """Rule 11: GO needs every blocker, so that the chances of a good system multiply."""
    lines: list[Line] = []
    if outlook.chance is not None:
        count = len(outlook.counted)
        each = _share(outlook.chance ** (1 / count))
        style = "yellow" if outlook.chance < _SHY else "green"
        told = [
            f"all {count} criteria on a share: GO needs every blocker, so chances multiply, taken as independent",
            f"as {count} of {each} each",
            "the risk that a bad system passes does not add up",
        ]
        lead = [Piece(f" {_share(outlook.chance)} ", f"bold {style}")]
        lines += row(lead, [Piece(text) for text in told[0 if count > 1 else 2 :]], width, _INDENT)
    if outlook.chance_strict is not None:
        told = [
            f"with {', '.join(outlook.strict)} too, which want a number of bad samples at most, whatever their share"
        ]
        lines += row([Piece(f" {_share(outlook.chance_strict)} ", "bold")], [Piece(told[0])], width, _INDENT)
    if outlook.left_out:
        names = ", ".join(outlook.left_out)
        lines += row([Piece(" not counted ")], [Piece(f"{names}: what they send back comes on top")], width, _INDENT)
    return lines


def _share(chance: float) -> str:
    """A chance in percent; never 0 % or 100 %, which no chance here is."""
    if chance < 0.0005:
        return "< 0.1 %"
    if chance >= 0.9995:
        return "> 99.9 %"
    return f"{chance * 100:.1f} %"


def _percent(rate: Decimal) -> str:
    return f"{format_number(Fraction(rate) * 100)} %"
