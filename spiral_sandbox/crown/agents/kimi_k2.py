"""kimi_k2 revises: drops what is empty, splits what is long, and lets air_star look until nothing is left to do."""

import re

from spiral_sandbox.crown.agents.turn import Answer, Turn, subject_of
from spiral_sandbox.crown.words import sentences, words

_EMPTY = re.compile(r"\b(?:very|really|quite|basically|actually|somewhat) ", re.IGNORECASE)
_DOUBLED = re.compile(r"\b(\w+) \1\b", re.IGNORECASE)
_SEAM = re.compile(r",? (?:and|but) |; |, ")


def revise(turn: Turn) -> Answer:
    """The revised text, the edits made, and what air_star still has against it."""
    draft = subject_of(turn.text)
    edits: list[str] = []
    left: list[str] = []
    for _ in range(turn.figures["passes"]):
        tidied = _tidy(draft, turn.figures["longest"], edits)
        review = turn.call("air_star", f"check: {tidied}")
        left = [review.failed] if review.failed else review.points
        corrected = tidied
        for one in review.corrections:
            corrected = corrected.replace(one.said, one.due)
            edits.append(f"corrected {one.said}")
        if corrected == draft or review.accepted:
            draft = corrected
            break
        draft = corrected
    points = [*edits, *(f"left: {one}" for one in left)]
    return Answer(text=draft, points=points, keep=[f"revised with {len(edits)} edits"], accepted=not left)


def _tidy(draft: str, longest: int, edits: list[str]) -> str:
    for what, pattern, due in (("empty words", _EMPTY, ""), ("doubled words", _DOUBLED, r"\1")):
        draft, count = pattern.subn(due, draft)
        edits += [f"dropped {count} {what}"] if count else []
    parts = [piece for one in sentences(draft) for piece in _split(one, longest)]
    edits += [f"split into {len(parts)} sentences"] if len(parts) > len(sentences(draft)) else []
    return " ".join(parts)


def _split(sentence: str, longest: int) -> list[str]:
    """A sentence that is too long, cut at the seam that is nearest to its middle; as it was where it has none."""
    if len(words(sentence)) <= longest:
        return [sentence]
    seams = [seam for seam in _SEAM.finditer(sentence) if words(sentence[: seam.start()])]
    if not seams:
        return [sentence]
    seam = min(seams, key=lambda one: (abs(one.start() - len(sentence) // 2), one.start()))
    rest = sentence[seam.end() :]
    return [*_split(f"{sentence[: seam.start()]}.", longest), *_split(rest[:1].upper() + rest[1:], longest)]
