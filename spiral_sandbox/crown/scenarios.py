"""The five recorded scenarios, as data: how to run one, and where its log is."""

from typing import Annotated

from msgspec import Meta

from spiral_sandbox import tables
from spiral_sandbox.crown.clock import GivenClock
from spiral_sandbox.crown.disturbance import HONEST, Disturbance
from spiral_sandbox.crown.log import Logger
from spiral_sandbox.crown.memory import Notes
from spiral_sandbox.crown.rules import Count, Rules, load_rules
from spiral_sandbox.crown.session import Opening, Session, Sources


class Ask(tables.Row, frozen=True):
    """One request: its text, and how long after the one before it comes."""

    text: tables.Text
    after_ms: Count


class Scenario(tables.Row, frozen=True):
    """A scenario: the agent it is about, its seed, what memory holds, and its requests in order."""

    name: tables.Text
    title: tables.Text
    agent: tables.Text
    seed: Count
    memory: tuple[tables.Text, ...]
    turn: Annotated[tuple[Ask, ...], Meta(min_length=1)]


class _File(tables.Document, frozen=True):
    scenario: Annotated[tuple[Scenario, ...], Meta(min_length=1)]


def load_scenarios() -> dict[str, Scenario]:
    """The scenarios of this package by name."""
    return parse_scenarios(tables.packaged(__package__, "scenarios.toml"))


def parse_scenarios(text: str) -> dict[str, Scenario]:
    """Scenarios by name, in the order of the file; ValueError where they cannot be read."""
    scenarios = tables.read(text, _File, "scenarios.toml").scenario
    tables.demand_unique((one.name for one in scenarios), "scenarios.toml")
    return {one.name: one for one in scenarios}


def run_scenario(scenario: Scenario, rules: Rules | None = None, disturbance: Disturbance = HONEST) -> bytes:
    """Run a scenario from its first request to its last; gives its log as the bytes of a file."""
    lines: list[bytes] = []
    clock = GivenClock()
    sources = Sources(clock=clock.read, memory=Notes(scenario.memory).recall, hidden=disturbance.hidden)
    opening = Opening(session=scenario.name, seed=scenario.seed, rules=rules or load_rules())
    session = Session(opening, Logger(lines.append), sources, disturbance)
    for turn in scenario.turn:
        clock.advance(turn.after_ms)
        session.ask(turn.text)
    session.close()
    return b"".join(lines)


def recorded(name: str) -> bytes:
    """The recorded log of a scenario."""
    return tables.packaged(__package__, f"recorded/{name}.jsonl").encode()
