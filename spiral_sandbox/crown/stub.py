"""A stand-in for crown: canned answers, and logs that were recorded long ago.

It is here to be found out. Its recordings chain, and it says that they replay; only what is asked today is in none of
them.
"""

from typing import Any

from spiral_sandbox.crown.canonical import digest_of, plain
from spiral_sandbox.crown.decider import Decision
from spiral_sandbox.crown.log import read_log
from spiral_sandbox.crown.replay import steps_of
from spiral_sandbox.crown.scenarios import load_scenarios, recorded

_CANNED = "about rest, breath, light"


class Stub:
    """A crown that only pretends; it has the operations of `Desk` and keeps none of their promises."""

    def scenarios(self) -> list[dict[str, Any]]:
        """What an honest crown would list."""
        return [{"name": one.name, "title": one.title, "agent": one.agent, "seed": one.seed} for one in _all()]

    def recorded(self, scenario: str) -> str:
        """The recorded log."""
        return recorded(scenario).decode()

    def run(self, scenario: str) -> str:
        """The recorded log again."""
        return recorded(scenario).decode()

    def configure(self, live: dict[str, str]) -> dict[str, str]:
        """Repeat the addresses."""
        return live

    def note(self, text: str) -> int:
        """Forget the note."""
        del text
        return 1

    def open(self, session: str, seed: int | None = None) -> dict[str, Any]:
        """Open nothing."""
        return {"session": session, "seed": seed or 0}

    def say(self, session: str, text: str) -> dict[str, Any]:
        """The same answer, whatever was asked."""
        del session, text
        return {"text": _CANNED, "points": [_CANNED], "corrections": [], "keep": [], "accepted": True, "failed": ""}

    def presets(self, session: str, steps: list[Any]) -> list[dict[str, Any]]:
        """What the script wishes."""
        del session
        return [
            plain(Decision(step=one["name"], mood=one["mood"], preset=one["preset"], reasons=["as wished"]))
            for one in steps
        ]

    def close(self, session: str) -> str:
        """A log of another session."""
        return self.log(session)

    def log(self, session: str) -> str:
        """A log of another session."""
        del session
        return recorded("glm-reflection").decode()

    def replay(self, log: str) -> dict[str, Any]:
        """The log's own steps, said to be a replay."""
        records, _ = read_log(log.encode())
        steps = plain(steps_of(records))
        return {"steps": steps, "head": digest_of(steps), "divergence": None}

    def drill(self, logs: dict[str, str], workers: int = 1, **around: str) -> dict[str, Any]:
        """The same, without a process."""
        del workers
        return {"surroundings": dict(around), "replays": {name: self.replay(text) for name, text in logs.items()}}


def _all() -> list[Any]:
    return list(load_scenarios().values())
