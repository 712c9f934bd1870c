"""What looking at a target found: what can be reached, how real it showed itself to be, in which versions."""

from typing import Literal

from pytest_spiral.model.base import Value
from pytest_spiral.model.fidelity import Fidelity

Trouble = Literal["", "unreachable", "tls", "credential", "unset", "unanswered"]


class EndpointSeen(Value, frozen=True, kw_only=True):
    """One endpoint. `ms` is how long connecting took; `sentence` says what is wrong, with its remedy, where `trouble` is."""

    name: str
    address: str
    trouble: Trouble = ""
    sentence: str = ""
    ms: float | None = None
    tls: str = ""
    version: str = ""


class ComponentLook(Value, frozen=True, kw_only=True):
    """One component: its endpoints, and the level that its challenge showed; `shortfall` says why it is not more."""

    name: str
    endpoints: tuple[EndpointSeen, ...]
    observed: Fidelity
    version: str = ""
    shortfall: str = ""


class TargetLook(Value, frozen=True, kw_only=True):
    """A whole target; `sound` where every endpoint answers and every component showed at least its registered level."""

    name: str
    registered: Fidelity
    components: tuple[ComponentLook, ...]
    sound: bool
    format: Literal["spiral-target-check/1"] = "spiral-target-check/1"
