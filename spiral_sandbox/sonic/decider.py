"""A small seeded decider that stands where Crown's will: it chooses the modulation preset of each demo step.

The choice is a weighted draw. Weights are data (decider.toml); the draw is SHA-256 over seed, step and mood, so
the same three give the same preset on every machine, and each decision says how it came about.
"""

import hashlib
import itertools
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from spiral_sandbox import tables

_DRAWS = 1 << 64

Weight = Annotated[int, Meta(ge=1, le=1000)]


class Mood(tables.Row, frozen=True):
    """The presets that a mood allows, with weights."""

    name: tables.Text
    weights: Annotated[dict[str, Weight], Meta(min_length=1)]


class Rules(tables.Document, frozen=True):
    """What each mood allows, and what the script's wish adds to a weight."""

    script_bonus: Annotated[int, Meta(ge=0, le=1000)]
    mood: Annotated[tuple[Mood, ...], Meta(min_length=1)]

    def weights_in(self, mood: str) -> dict[str, int]:
        """Weights by preset; ValueError for a mood that is not known."""
        for one in self.mood:
            if one.name == mood:
                return dict(one.weights)
        raise ValueError(f"mood {mood!r} is not known; known are {', '.join(one.name for one in self.mood)}")


@dataclass(frozen=True, slots=True)
class Decision:
    """The preset chosen for a step, and why, in sentences."""

    step: str
    mood: str
    preset: str
    reasons: tuple[str, ...]


def load_rules(presets: Collection[str]) -> Rules:
    """The rules of this package; ValueError if they name a preset that is not among `presets`."""
    return parse_rules(tables.packaged(__package__, "decider.toml"), presets)


def parse_rules(text: str, presets: Collection[str]) -> Rules:
    """Rules from TOML; ValueError for an unknown preset, an empty mood or a weight that is no count."""
    rules = tables.read(text, Rules, "decider.toml")
    tables.demand_unique((mood.name for mood in rules.mood), "decider.toml")
    unknown = sorted({name for mood in rules.mood for name in mood.weights} - set(presets))
    if unknown:
        raise ValueError(f"decider.toml: {', '.join(unknown)} is no preset")
    return rules


def decide(seed: int, step: str, mood: str, wish: str | None, rules: Rules) -> Decision:
    """Choose a preset for a step in a mood; `wish` is the script's, or None. ValueError for an unknown mood."""
    weights = rules.weights_in(mood)
    allowed = ", ".join(f"{name} {weights[name]}" for name in sorted(weights))
    reasons = [f"mood {mood} allows {allowed}"]
    if wish in weights:
        weights[wish] += rules.script_bonus
        reasons.append(f"the script wishes {wish}: + {rules.script_bonus}")
    elif wish is not None:
        reasons.append(f"the script wishes {wish}, which mood {mood} does not allow")
    total = sum(weights.values())
    drawn = _draw(seed, step, mood) * total // _DRAWS
    preset = _at(weights, drawn)
    reasons.append(f"seed {seed} draws {drawn} of 0 to {total - 1}: {preset}")
    return Decision(step, mood, preset, tuple(reasons))


def _draw(seed: int, step: str, mood: str) -> int:
    material = f"{seed}\n{step}\n{mood}".encode()
    return int.from_bytes(hashlib.sha256(material).digest()[:8], "big")


def _at(weights: Mapping[str, int], drawn: int) -> str:
    """The preset whose share of the line from 0 to the sum of weights holds `drawn`, in the order of names."""
    names = sorted(weights)
    ends = itertools.accumulate(weights[name] for name in names)
    return next(name for name, end in zip(names, ends, strict=True) if drawn < end)
