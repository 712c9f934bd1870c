"""The demo script: named steps in order, each with a mood, a wished preset and its share of the time."""

import itertools
from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from spiral_sandbox import tables


class Step(tables.Row, frozen=True):
    """One step of the script; `seconds` is its length in the script's own total."""

    name: tables.Text
    mood: tables.Text
    preset: tables.Text
    seconds: Annotated[float, Meta(gt=0, le=600)]


class _File(tables.Document, frozen=True):
    step: Annotated[tuple[Step, ...], Meta(min_length=1)]


def load_demo() -> tuple[Step, ...]:
    """The demo script of this package."""
    return parse_demo(tables.packaged(__package__, "demo.toml"))


def parse_demo(text: str) -> tuple[Step, ...]:
    """The steps in order; ValueError for a missing figure or a name that is there twice."""
    steps = tables.read(text, _File, "demo.toml").step
    tables.demand_unique((step.name for step in steps), "demo.toml")
    return steps


def lengths(steps: Sequence[Step], seconds: float, rate: int) -> tuple[int, ...]:
    """Frames of each step when the whole script lasts `seconds`; they add up to round(seconds x rate)."""
    elapsed = list(itertools.accumulate((step.seconds for step in steps), initial=0.0))
    edges = [round(moment / elapsed[-1] * seconds * rate) for moment in elapsed]
    return tuple(end - start for start, end in itertools.pairwise(edges))
