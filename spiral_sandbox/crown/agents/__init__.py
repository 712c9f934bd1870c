"""The agents: each a small piece of logic that works on what it is given, and may ask the others."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from spiral_sandbox.crown.agents.air_star import validate
from spiral_sandbox.crown.agents.glm import reflect
from spiral_sandbox.crown.agents.kimi_k2 import revise
from spiral_sandbox.crown.agents.kimicho import guide
from spiral_sandbox.crown.agents.rstar import finalise
from spiral_sandbox.crown.agents.turn import Answer, Turn

AGENTS: Mapping[str, Callable[[Turn], Answer]] = MappingProxyType(
    {"glm": reflect, "kimicho": guide, "kimi_k2": revise, "air_star": validate, "rstar": finalise}
)
"""What each agent does, by its name."""
