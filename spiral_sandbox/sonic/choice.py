"""Which preset each step of the script plays: what Crown chose, handed in, or the script's own wish where nobody chose."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from spiral_sandbox.sonic.demo import Step


@dataclass(frozen=True, slots=True)
class Choice:
    """The preset of a step, and why, in sentences."""

    step: str
    mood: str
    preset: str
    reasons: tuple[str, ...]


def as_wished(steps: Sequence[Step]) -> tuple[Choice, ...]:
    """What the script wishes."""
    return tuple(Choice(step.name, step.mood, step.preset, ("as the script wishes",)) for step in steps)


def handed_in(steps: Sequence[Step], chosen: Mapping[str, str], presets: Collection[str]) -> tuple[Choice, ...]:
    """What was chosen outside, step by step; ValueError where a step is missing or unknown, or a preset is."""
    if set(chosen) != {step.name for step in steps}:
        raise ValueError("a choice from outside names every step of the script and no other")
    if unknown := sorted(set(chosen.values()) - set(presets)):
        raise ValueError(f"{', '.join(unknown)} is no preset")
    return tuple(Choice(step.name, step.mood, chosen[step.name], ("handed in from outside",)) for step in steps)
