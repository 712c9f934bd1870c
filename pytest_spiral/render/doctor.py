"""What a machine can prove, as lines: its facts, then each criterion that something stands in the way of."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from pytest_spiral.model.profile import Fact
from pytest_spiral.render.layout import Line, Piece, cells, padded, row, rule, shortened
from pytest_spiral.rules.figures import round_down
from pytest_spiral.rules.requirements import Outcome
from pytest_spiral.rules.units import convert

_STYLES = {"present": "green", "absent": "yellow", "unknown": "red"}
_STATE_WIDTH = max(map(len, _STYLES))
_TOLD_WIDTH = 160
_BINARY = ("KiB", "MiB", "GiB", "TiB")


@dataclass(frozen=True, slots=True)
class Need:
    """A criterion and what stands between it and a proof here: an unmet requirement, a level, a missing test, or nothing.

    `outcome` is what its requirement comes to, None without one; `level` is the fidelity that the target is short of.
    `waiting` is what a document that a person examines waits for.
    """

    criterion: str
    requirement: str = ""
    outcome: Outcome | None = None
    level: str = ""
    planned: bool = False
    waiting: str = ""

    @property
    def short(self) -> bool:
        """Whether something is missing here."""
        return bool(self.level or self.waiting) or (self.outcome is not None and self.outcome.state != "met")


def render_doctor(facts: Sequence[Fact], needs: Sequence[Need], target: str, width: int) -> list[Line]:
    """Render the examination of a machine: its facts, what each criterion lacks here, and how many lack nothing."""
    lines = [rule("this machine", width)]
    names = max((cells(fact.name) for fact in facts), default=0)
    for fact in facts:
        lead = [Piece(f" {padded(fact.name, names)}  "), Piece(fact.state.ljust(_STATE_WIDTH), _STYLES[fact.state])]
        lines += row(lead, [Piece(_told(fact))], width, names + _STATE_WIDTH + 5)
    lines.append(rule(f"what it can prove{' with target ' + target if target else ''}", width))
    short = [one for one in needs if one.short]
    column = max((cells(one.criterion) for one in short), default=0) + 3
    for one in short:
        lines += row([Piece(f" {one.criterion}", "yellow")], _pieces(one), width, column)
    return [*lines, *_totals(needs, len(short), width)]


def _totals(needs: Sequence[Need], short: int, width: int) -> list[Line]:
    lead = [Piece(f" {len(needs) - short} of {len(needs)} criteria", "green bold")]
    planned = sum(one.planned for one in needs if not one.short)
    waiting = f", {planned} of them planned and without tests" if planned else ""
    return row(lead, [Piece(f"need nothing that is missing here{waiting}")], width, 4)


def _pieces(need: Need) -> list[Piece]:
    """The need, once, with the probe's own words; the level; and whether there is a test at all."""
    pieces = []
    if need.outcome is not None and need.outcome.state != "met":
        pieces.append(Piece(f"needs {need.requirement}{_found(need.requirement, need.outcome)}"))
    if need.level:
        pieces.append(Piece(f"needs a {need.level} target; on a lesser one a pass is a condition"))
    if need.waiting:
        pieces.append(Piece(f"{need.waiting}: spiral examine {need.criterion}"))
    if need.planned:
        pieces.append(Piece("[planned]"))
    return pieces


def _found(requirement: str, outcome: Outcome) -> str:
    """What the probes found, fact by fact; a name is not said again where the need was nothing but that."""
    named = [(fact.name, _found_of(fact)) for fact in outcome.facts]
    named += [(name, "was not probed") for name in outcome.missing]
    if [name for name, _ in named] == [requirement]:
        return f", which {named[0][1]}"
    return f"; here {', '.join(f'{name} {what}' for name, what in named)}"


def _found_of(fact: Fact) -> str:
    if isinstance(fact.value, bool):
        return f"is {str(fact.value).lower()} ({' '.join(fact.command.split())})"
    return f"is {_told(fact)}" if fact.state == "present" else f"is {fact.state}: {_told(fact)}"


def _told(fact: Fact) -> str:
    """A present fact's value, any other's evidence on one line."""
    if fact.state != "present":
        return shortened(" ".join(fact.evidence.split()), _TOLD_WIDTH)
    if isinstance(fact.value, bool):
        return "yes" if fact.value else "no"
    unit = f" {fact.unit}" if fact.unit else ""
    return shortened(f"{fact.value}{unit}{_readable(fact)}", _TOLD_WIDTH)


def _readable(fact: Fact) -> str:
    """A large number of bytes once more in the largest binary unit of which there is one, rounded down."""
    if fact.unit != "B" or isinstance(fact.value, bool | str) or fact.value is None:
        return ""
    number = Fraction(Decimal(str(fact.value)))
    fitting = [(unit, inside) for unit in _BINARY if (inside := convert(number, "B", unit)) >= 1]
    return f" ({round_down(fitting[-1][1], 1)} {fitting[-1][0]})" if fitting else ""
