"""What a machine can prove, as lines: its facts, then each criterion that something stands in the way of."""

from pytest_spiral.model.profile import Fact
from pytest_spiral.render.layout import Line, Piece, row, rule
from pytest_spiral.rules.requirements import Outcome

_STYLES = {"present": "green", "absent": "yellow", "unknown": "red"}
_VALUE_WIDTH = 60


def render_doctor(  # noqa: PLR0913, PLR0917 - facts and criteria, each with its columns
    facts: tuple[Fact, ...],
    needs: tuple[tuple[str, str, Outcome | None, str], ...],
    target: str,
    width: int,
) -> list[Line]:
    """Render the examination of a machine.

    `needs` are (criterion, its requirement, what that comes to or None, the fidelity that the target is short of).
    """
    lines = [rule("this machine", width)]
    column = max((len(fact.name) for fact in facts), default=0) + 12
    for fact in facts:
        lead = [Piece(f" {fact.name.ljust(column - 12)} "), Piece(fact.state, _STYLES[fact.state])]
        lines += row(lead, [Piece(_told(fact))], width, column)
    lines.append(rule(f"what it can prove{' with target ' + target if target else ''}", width))
    free = [one for one in needs if not _stands(one[2], one[3])]
    for name, requirement, outcome, level in needs:
        if _stands(outcome, level):
            lines += _need(name, requirement, outcome, level, width)
    lines += row([Piece(f" {len(free)} of {len(needs)} criteria", "green bold")], [Piece("need nothing that is missing here")], width, 4)
    return lines


def _stands(outcome: Outcome | None, level: str) -> bool:
    return bool(level) or (outcome is not None and outcome.state != "met")


def _need(name: str, requirement: str, outcome: Outcome | None, level: str, width: int) -> list[Line]:
    lead = [Piece(f" {name.ljust(26)} ", "yellow")]
    if outcome is not None and outcome.state != "met":
        return row(lead, [Piece(f"needs {requirement}:"), Piece(outcome.reason)], width, 28)
    return row(lead, [Piece(f"needs a {level} target; judged all the same, and shown as a condition")], width, 28)


def _told(fact: Fact) -> str:
    if fact.state != "present":
        return " ".join(fact.evidence.split())[:_VALUE_WIDTH * 2]
    unit = f" {fact.unit}" if fact.unit else ""
    return f"{fact.value}{unit}"
