"""A session: requests come in, are routed, answered by agents that may call each other, and every step is told.

The tape is what a session tells its steps to, and what it hears from: the log of a first run, or the log that a replay
follows. These are the kinds of steps; those marked `<` come from outside, all others follow from what came before.

    opened      format, session, seed, rules, live
    request   < number, text
    clock     < told                                 milliseconds of the session's own clock
    recall    < for, words, told                     what long-term memory answered
    heard     < agent, told                          what a live agent answered, or why it did not
    draw        for, of, drawn
    decision    by, agent, model, rules, reasons
    call        by, to, text                         one agent asks another
    refusal     by, to, why                          such a call, refused: agents may not call without end
    answer      agent, model, answer, result         result: the digest of the answer
    modulation  step, mood, preset, reasons
    closed      turns
"""

from collections.abc import Callable, Mapping
from typing import Literal, Protocol

import msgspec

from spiral_sandbox.crown import decider
from spiral_sandbox.crown.agents import AGENTS
from spiral_sandbox.crown.agents.turn import Answer, Turn
from spiral_sandbox.crown.canonical import Plain, digest_of, plain
from spiral_sandbox.crown.chance import draw
from spiral_sandbox.crown.decider import Decision, Wish
from spiral_sandbox.crown.disturbance import HONEST, Disturbance
from spiral_sandbox.crown.errors import CrownError
from spiral_sandbox.crown.rules import Model, Rules
from spiral_sandbox.crown.state import State

LONGEST_TEXT = 10_000
YOU = "operator"
"""Who asks where no agent does."""


class Opening(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a session begins with; `live` names the agents that answer elsewhere, each with its address."""

    session: str
    seed: int
    rules: Rules
    live: dict[str, str] = {}
    format: Literal["crown-session/1"] = "crown-session/1"

    def __post_init__(self) -> None:
        """Refuse a live agent that nobody knows."""
        if strangers := sorted(set(self.live) - set(AGENTS)):
            raise ValueError(f"{', '.join(strangers)} is no agent; agents are {', '.join(AGENTS)}")
        if strangers := sorted(set(self.rules.agents) - set(AGENTS)):
            raise ValueError(f"the rules name {', '.join(strangers)}, and there is no such agent")


class Tape(Protocol):
    """What a session is told by, and tells to."""

    def hear(self, kind: str, source: Callable[[], Plain]) -> Plain:
        """What comes from outside at this step: from `source` in a first run, from the log in a replay."""
        ...

    def tell(self, kind: str, body: Plain, state: str) -> None:
        """Take note of a finished step."""
        ...


class Sources(msgspec.Struct, frozen=True, kw_only=True):
    """Where things come from in a first run: a clock in milliseconds, a long-term memory, agents that are live.

    `hidden` are kinds of steps that go past the log. An honest crown has none (`disturbance.HiddenInput`).
    """

    clock: Callable[[], int]
    memory: Callable[[list[str]], list[str]]
    live: Mapping[str, Callable[[Plain], Plain]] = {}
    hidden: frozenset[str] = frozenset()


class Session:
    """One session with crown. Not for several threads at once."""

    def __init__(self, opening: Opening, tape: Tape, sources: Sources, disturbance: Disturbance = HONEST) -> None:
        self._opening, self._tape, self._sources, self._disturbance = opening, tape, sources, disturbance
        self._rules = opening.rules
        self._draws = 0
        self._calls = 0
        body = plain(opening)
        self._state = State(steps=-1, heard=digest_of(body), mood=opening.rules.mood[0].name)
        self._step("opened", body)

    @property
    def state(self) -> State:
        """What the session knows now."""
        return self._state

    def ask(self, text: str) -> Answer:
        """Route a request and give its answer; CrownError for a text that is none."""
        request = {"number": self._state.turns + 1, "text": checked_text(text)}
        self._calls = 0
        self._state = msgspec.structs.replace(self._state, turns=self._state.turns + 1)
        self._hears("request", request)
        at_ms = self._tape.hear("clock", self._sources.clock)
        self._state = self._state.read_clock(at_ms)
        self._hears("clock", {"told": at_ms})
        self._state = msgspec.structs.replace(self._state, mood=decider.mood_after(text, self._state.mood, self._rules))
        chosen = decider.route(text, self._state, self._rules, self._pick)
        return self._answer(YOU, chosen, text, 0)

    def modulate(self, wish: Wish) -> Decision:
        """Choose the modulation preset of one step of a script; ValueError for a mood that is not known."""
        self._rules.mood_named(wish.mood)
        self._hears("request", {"number": self._state.turns + 1, "wish": plain(wish)})
        self._state = msgspec.structs.replace(self._state, turns=self._state.turns + 1)
        decision = decider.modulate(self._opening.seed, wish, self._rules, self._disturbance)
        self._step("modulation", plain(decision))
        return decision

    def close(self) -> None:
        """Say that no further request comes."""
        self._step("closed", {"turns": self._state.turns})

    def _answer(self, by: str, chosen: decider.Route, text: str, depth: int) -> Answer:
        model = decider.model_for(chosen.agent, self._rules, self._pick)
        reasons = [*chosen.reasons, *model.reasons]
        body = {"by": by, "agent": chosen.agent, "model": model.name, "rules": chosen.rules, "reasons": reasons}
        self._step("decision", body)
        answer = self._given(chosen.agent, self._rules.models_of(chosen.agent)[model.name], text, depth)
        self._state = self._state.keeping(tuple(answer.keep), self._rules.remembered)
        said = plain(answer)
        told = {"agent": chosen.agent, "model": model.name, "answer": said, "result": digest_of(said)}
        self._step("answer", told)
        return answer

    def _given(self, agent: str, model: Model, text: str, depth: int) -> Answer:
        if agent in self._opening.live:
            asked = {"agent": agent, "model": model.name, "figures": model.figures, "text": text}
            return self._heard(agent, asked)
        turn = Turn(
            text=text,
            figures=model.figures,
            notes=self._state.notes,
            pick=self._pick,
            recall=lambda terms: self._recall(agent, terms),
            call=lambda other, question: self._call(agent, other, question, depth),
        )
        return AGENTS[agent](turn)

    def _call(self, by: str, to: str, text: str, depth: int) -> Answer:
        self._step("call", {"by": by, "to": to, "text": text})
        self._calls += 1
        if self._calls > self._rules.most_calls or depth >= self._rules.deepest:
            why = f"call {self._calls} at depth {depth + 1}, of {self._rules.most_calls} and {self._rules.deepest}"
            self._step("refusal", {"by": by, "to": to, "why": why})
            return Answer(text="", accepted=False, failed=why)
        chosen = decider.Route(agent=to, rules=[], reasons=[f"{by} called {to}"])
        return self._answer(by, chosen, text, depth + 1)

    def _heard(self, agent: str, asked: Plain) -> Answer:
        """What a live agent answered; one that failed has answered that."""
        told = self._tape.hear("heard", lambda: self._sources.live[agent](asked))
        answer = msgspec.convert(told, Answer)
        self._hears("heard", {"agent": agent, "told": told})
        return answer

    def _recall(self, agent: str, terms: list[str]) -> list[str]:
        if "recall" in self._sources.hidden:
            return self._sources.memory(terms)
        told: list[str] = self._tape.hear("recall", lambda: self._sources.memory(terms))
        self._hears("recall", {"for": agent, "words": terms, "told": told})
        return told

    def _pick(self, purpose: str, weights: Mapping[str, int]) -> decider.Pick:
        """Draw one of several by weight, and tell of the draw."""
        self._draws += 1
        order = self._disturbance.order(sorted(weights), self._draws)
        of = sum(weights.values())
        material = self._disturbance.material((str(self._draws), purpose))
        drawn = draw(self._opening.seed, material, of)
        self._step("draw", {"for": purpose, "of": of, "drawn": drawn})
        return decider.pick(purpose, weights, order, drawn)

    def _hears(self, kind: str, body: Plain) -> None:
        self._state = self._state.hearing(kind, body)
        self._step(kind, body)

    def _step(self, kind: str, body: Plain) -> None:
        self._state = self._state.stepped()
        self._tape.tell(kind, body, self._state.digest)


def checked_text(text: object) -> str:
    """A request's text; CrownError where it is no text, is empty or too long, or holds half a character."""
    if not isinstance(text, str) or not text.strip():
        raise CrownError("A request is a text with something in it.")
    if len(text) > LONGEST_TEXT:
        raise CrownError(f"A request has at most {LONGEST_TEXT} characters, not {len(text)}.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise CrownError("A request is made of whole characters; this one holds half of one.") from error
    return text
