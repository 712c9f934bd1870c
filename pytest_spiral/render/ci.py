"""Annotations for a CI runner: one workflow command for each criterion that stands in the way of a GO.

Format: GitHub's workflow commands, `::error file=…,line=…,title=…::MESSAGE`, which runners of the same kind read too.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from pytest_spiral.model.gate import GateCard
from pytest_spiral.model.judgement import CriterionVerdict, Judgement
from pytest_spiral.model.verdict import Verdict
from pytest_spiral.render import words
from pytest_spiral.render.escape import ci_message, ci_property, visible

_HOLDS: Final = (Verdict.PASS, Verdict.INAPPLICABLE)


def render_annotations(judgement: Judgement, cards: Sequence[GateCard]) -> list[str]:
    """Render a line for each blocker that is no pass, worst first; one that only lacks its environment is a warning.

    A partial run decides nothing: there, only what ran is annotated.
    """
    found = words.Cards(tuple(cards))
    standing = [one for one in judgement.criteria if one.level == "blocker" and one.verdict not in _HOLDS]
    if judgement.partial:
        standing = [one for one in standing if one.ran]
    ordered = sorted(standing, key=lambda one: words.WORST_FIRST.index(one.verdict))
    return [_annotation(one, judgement.target, found) for one in ordered]


def render_trouble(what: str, why: str) -> str:
    """Render one line that says why there is no evidence at all."""
    return _command("error", (("title", what),), why)


def _annotation(one: CriterionVerdict, target: str, cards: words.Cards) -> str:
    limited = one.verdict is Verdict.ENVIRONMENT_LIMITED
    gate, card = cards.gate(one.gate), cards.criterion(one.id)
    properties = [("file", gate.source), ("line", str(card.line) if card.line else "")]
    title = f"{one.id} {words.verdict_words(one, target)}"
    figures = [" ".join(words.limit_words(limit)) for limit in words.by_concern(one.limits)[:1]]
    said = "; ".join(text for text in (words.reason_words(one), *figures) if text)
    return _command("warning" if limited else "error", (*properties, ("title", title)), said or card.promise or title)


def _command(kind: str, properties: Iterable[tuple[str, str]], message: str) -> str:
    """One line: line ends in the message are shown as such, so that no runner can take what follows for a command."""
    said = ",".join(f"{name}={ci_property(value)}" for name, value in properties if value)
    return f"::{kind} {said}::{ci_message(visible(message))}"
