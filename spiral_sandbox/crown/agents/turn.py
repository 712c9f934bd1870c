"""What an agent has in hand while it answers, and the form of an answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import msgspec

if TYPE_CHECKING:
    from spiral_sandbox.crown.decider import Pick


class Correction(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Words that are wrong, and what should stand there."""

    said: str
    due: str


class Answer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An agent's answer: the text, and what other agents can work with.

    `points` are what it found, one sentence each. `keep` is what the session shall keep in mind. `accepted` is a
    validation's judgement. `failed` says why a live agent did not answer; then nothing else is in it.
    """

    text: str
    points: list[str] = []
    corrections: list[Correction] = []
    keep: Annotated[list[str], msgspec.Meta(max_length=20)] = []
    accepted: bool = True
    failed: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of one agent: the text it is asked, its model's figures, and all it may reach.

    `pick(purpose, weights)` draws, `recall(words)` asks long-term memory, `call(agent, text)` asks another agent.
    There is no clock here, and nothing else either: what an agent uses goes through this, and so into the log.
    """

    text: str
    figures: Mapping[str, int]
    notes: tuple[str, ...]
    pick: "Callable[[str, Mapping[str, int]], Pick]" = field(repr=False)
    recall: Callable[[list[str]], list[str]] = field(repr=False)
    call: Callable[[str, str], Answer] = field(repr=False)


def subject_of(text: str) -> str:
    """What a request is about: what stands after its first colon, or all of it."""
    head, colon, rest = text.partition(":")
    return rest.strip() if colon and rest.strip() and len(head.split()) <= _LONGEST_HEAD else text.strip()


_LONGEST_HEAD = 8
