"""Decisions by declared rules, state and seed: which agent answers, by which model, and which preset sounds.

Each says how it came about, in sentences. Draws are made by whoever calls, so that they can be told and replayed.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from spiral_sandbox.crown.chance import draw, share_at
from spiral_sandbox.crown.disturbance import HONEST, Disturbance
from spiral_sandbox.crown.rules import Rule, Rules
from spiral_sandbox.crown.state import State
from spiral_sandbox.crown.words import sentences, words


class Pick(msgspec.Struct, frozen=True, kw_only=True):
    """What a draw chose, and how."""

    name: str
    reasons: list[str]


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """The agent that answers, the rules that spoke, and the reasons."""

    agent: str
    rules: list[str]
    reasons: list[str]


class Wish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A step of a script: its name, its mood, and the preset that its author wishes, if any."""

    name: str
    mood: str
    preset: str | None = None


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """The modulation preset chosen for a step, and why, in sentences."""

    step: str
    mood: str
    preset: str
    reasons: list[str]


Draw = Callable[[str, Mapping[str, int]], Pick]
"""Draws one of several by weight: what it is for, and the weights by name."""


def pick(purpose: str, weights: Mapping[str, int], order: Sequence[str], drawn: int) -> Pick:
    """What `drawn` chooses of the candidates as they stand in `order`."""
    allowed = ", ".join(f"{name} {weights[name]}" for name in order)
    name = share_at(weights, order, drawn)
    return Pick(name=name, reasons=[f"{purpose}: {allowed}; {drawn} of 0 to {sum(weights.values()) - 1} is {name}"])


def mood_after(text: str, mood: str, rules: Rules) -> str:
    """The mood that a request brings: the one with most of its words in the text, else the mood as it was."""
    there = words(text)
    found = {one.name: sum(there.count(word) for word in one.words) for one in rules.mood}
    best = max(found.values())
    return mood if best == 0 or found.get(mood) == best else next(name for name in found if found[name] == best)


def route(text: str, state: State, rules: Rules, draw_one: Draw) -> Route:
    """Who answers a request: the agent with most votes of the rules that speak; a tie is drawn."""
    there = set(words(text))
    asks = any(one.endswith("?") for one in sentences(text))
    spoke = [one for one in rules.rule if _speaks(one, there, state, asks=asks)]
    votes: dict[str, int] = {}
    for rule in spoke:
        for agent, given in rule.votes.items():
            votes[agent] = votes.get(agent, 0) + given
    if not votes:
        return Route(agent=rules.otherwise, rules=[], reasons=[f"no rule speaks: {rules.otherwise}"])
    most = max(votes.values())
    first = {agent: 1 for agent in sorted(votes) if votes[agent] == most}
    counted = ", ".join(f"{agent} {votes[agent]}" for agent in sorted(votes))
    reasons = [f"votes: {counted}"]
    names = [one.name for one in spoke]
    if len(first) == 1:
        return Route(agent=next(iter(first)), rules=names, reasons=reasons)
    drawn = draw_one("agents with as many votes", first)
    return Route(agent=drawn.name, rules=names, reasons=[*reasons, *drawn.reasons])


def _speaks(rule: Rule, there: set[str], state: State, *, asks: bool) -> bool:
    when = rule.when
    return (
        (not when.words or any(word in there for word in when.words))
        and (not when.moods or state.mood in when.moods)
        and (asks or not when.question)
        and state.pause_ms >= when.pause_ms
        and state.turns >= when.turn
    )


def model_for(agent: str, rules: Rules, draw_one: Draw) -> Pick:
    """The model by which an agent works: drawn by weight, also where there is only one."""
    return draw_one(f"models of {agent}", {name: model.weight for name, model in rules.models_of(agent).items()})


def modulate(seed: int, wish: Wish, rules: Rules, disturbance: Disturbance = HONEST) -> Decision:
    """Choose a preset for a step in a mood: drawn over seed, step and mood. ValueError for an unknown mood."""
    weights = dict(rules.mood_named(wish.mood).presets)
    order = disturbance.order(sorted(weights), 0)
    reasons = [f"mood {wish.mood} allows " + ", ".join(f"{name} {weights[name]}" for name in order)]
    if wish.preset in weights:
        weights[wish.preset] += rules.script_bonus
        reasons.append(f"the script wishes {wish.preset}: + {rules.script_bonus}")
    elif wish.preset is not None:
        reasons.append(f"the script wishes {wish.preset}, which mood {wish.mood} does not allow")
    of = sum(weights.values())
    drawn = draw(seed, disturbance.material((wish.name, wish.mood)), of)
    preset = share_at(weights, order, drawn)
    reasons.append(f"seed {seed} draws {drawn} of 0 to {of - 1}: {preset}")
    return Decision(step=wish.name, mood=wish.mood, preset=preset, reasons=reasons)
