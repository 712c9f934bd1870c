"""air_star validates: sums that do not add up, statements that contradict each other or what is remembered."""

import re
from collections.abc import Iterator
from itertools import pairwise

from spiral_sandbox.crown.agents.turn import Answer, Correction, Turn, subject_of
from spiral_sandbox.crown.words import sentences, words

_SUM = re.compile(r"(?<![\w.])(\d{1,6}(?: ?[+*-] ?\d{1,6}){1,9}) ?= ?(-?\d{1,12})(?![\w])")
_TERM = re.compile(r"([+-]?)\s*(\d+(?:\s*\*\s*\d+)*)")
_STATEMENT = re.compile(r"\b(\w+) (?:is|are) (not )?(\w+)\b")


def validate(turn: Turn) -> Answer:
    """What does not hold in a text, each as a sentence, and corrections for what can be corrected."""
    text = subject_of(turn.text)
    corrections = list(_sums(text))
    points = [f"{one.said} is wrong, it is {one.due}" for one in corrections]
    contested = _contested(turn, list(_statements(text)))
    points += contested
    points += [f"doubled: {one}" for one, other in pairwise(words(text)) if one == other and one.isalpha()]
    longest = turn.figures["longest"]
    points += [f"{len(words(one))} words in one sentence" for one in sentences(text) if len(words(one)) > longest]
    points += [] if text.count("(") == text.count(")") else ["brackets that do not match"]
    summary = f"{len(points)} found: {'; '.join(points)}" if points else "nothing found against it"
    if contested:  # glm is asked without question marks, or it would ask on
        reading = turn.call("glm", f"reflect: {text.replace('?', '.')}")
        summary += f"; glm reads it {reading.failed or reading.points[0]}"
    return Answer(text=summary, points=points, corrections=corrections, accepted=not points)


def _sums(text: str) -> Iterator[Correction]:
    for found in _SUM.finditer(text):
        value = sum(_value(sign, term) for sign, term in _TERM.findall(found[1]))
        if value != int(found[2]):
            yield Correction(said=found[0], due=f"{found[1]} = {value}")


def _value(sign: str, term: str) -> int:
    product = 1
    for factor in re.findall(r"\d+", term):
        product *= int(factor)
    return -product if sign == "-" else product


def _statements(text: str) -> Iterator[tuple[str, str, bool]]:
    """Subject, what is said of it, and whether it is said to be so."""
    for subject, denial, what in _STATEMENT.findall(text.casefold()):
        yield subject, what, not denial


def _contested(turn: Turn, said: list[tuple[str, str, bool]]) -> list[str]:
    """What is said both ways, in the text or by text and memory."""
    if not said:
        return []
    denied = {(subject, what) for subject, what, so in said if not so}
    torn = dict.fromkeys((subject, what) for subject, what, so in said if so and (subject, what) in denied)
    points = [f"contradicts itself: {subject} is and is not {what}" for subject, what in torn]
    notes = turn.recall(list(dict.fromkeys(subject for subject, _, _ in said)))
    known = {(subject, what): so for note in notes for subject, what, so in _statements(note)}
    against = dict.fromkeys((subject, what) for subject, what, so in said if known.get((subject, what), so) != so)
    return [
        *points,
        *(f"memory says that {one} is {'' if known[one, what] else 'not '}{what}" for one, what in against),
    ]
