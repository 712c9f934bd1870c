"""A session with crown that keeps its log in hand."""

import json

import pytest

from spiral_sandbox.crown.clock import GivenClock
from spiral_sandbox.crown.log import Logger
from spiral_sandbox.crown.memory import Notes
from spiral_sandbox.crown.rules import load_rules
from spiral_sandbox.crown.session import Opening, Session, Sources


class Talk:
    """One session on a clock that moves when told, with everything it logs."""

    def __init__(self, seed=1, memory=()):
        self.clock = GivenClock()
        self._lines = []
        opening = Opening(session="talk", seed=seed, rules=load_rules())
        sources = Sources(clock=self.clock.read, memory=Notes(memory).recall)
        self._session = Session(opening, Logger(self._lines.append), sources)

    def ask(self, text, after_ms=0):
        """The answer to a request."""
        self.clock.advance(after_ms)
        return self._session.ask(text)

    def told(self, kind):
        """The bodies of all steps of a kind so far."""
        return [line["body"] for line in map(json.loads, self._lines) if line["kind"] == kind]

    @property
    def route(self):
        """Who answered the last request, by the decision that the log has."""
        return [one["agent"] for one in self.told("decision") if one["by"] == "operator"][-1]

    @property
    def mood(self):
        """The session's mood."""
        return self._session.state.mood

    @property
    def notes(self):
        """What the session keeps in mind."""
        return self._session.state.notes


@pytest.fixture
def talk():
    """Makes a session: `talk(seed=1, memory=())`."""
    return Talk
