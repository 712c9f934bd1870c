"""Crown as its operator knows it: sessions that are open, logs on the shelf, notes that outlive a session."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from spiral_sandbox.crown import drill, scenarios
from spiral_sandbox.crown.agents import AGENTS
from spiral_sandbox.crown.agents.remote import checked_address, remote
from spiral_sandbox.crown.canonical import plain
from spiral_sandbox.crown.clock import RunningClock
from spiral_sandbox.crown.decider import Wish
from spiral_sandbox.crown.disturbance import Disturbance
from spiral_sandbox.crown.errors import CrownError
from spiral_sandbox.crown.log import Logger, read_log, written
from spiral_sandbox.crown.memory import Notes
from spiral_sandbox.crown.replay import replay_log
from spiral_sandbox.crown.rules import load_rules
from spiral_sandbox.crown.scenarios import Scenario
from spiral_sandbox.crown.session import Opening, Session, Sources

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_AT_ONCE = 16
_SURROUNDINGS = {"hash_seed": "PYTHONHASHSEED", "locale": "LC_ALL", "zone": "TZ"}


class Desk:
    """What an operator asks of crown. Logs are files of `folder`, written line by line while a session runs."""

    def __init__(self, folder: Path, seed: int, disturbance: Disturbance, faults: Sequence[str] = ()) -> None:
        self._folder, self._seed, self._disturbance, self._faults = folder, seed, disturbance, list(faults)
        self._notes = Notes()
        self._rules = load_rules()
        self._scenarios = scenarios.load_scenarios()
        self._live: dict[str, str] = {}
        self._open: dict[str, Session] = {}

    def scenarios(self) -> list[dict[str, Any]]:
        """The recorded scenarios: name, title, agent, seed."""
        return [
            {"name": one.name, "title": one.title, "agent": one.agent, "seed": one.seed}
            for one in self._scenarios.values()
        ]

    def recorded(self, scenario: str) -> str:
        """The recorded log of a scenario, as it is taken from the shelf."""
        records, _ = read_log(scenarios.recorded(self._scenario(scenario).name))
        return written(self._disturbance.shelved(scenario, records)).decode()

    def run(self, scenario: str) -> str:
        """Run a scenario anew; gives the log."""
        return scenarios.run_scenario(self._scenario(scenario), self._rules, self._disturbance).decode()

    def configure(self, live: dict[str, str]) -> dict[str, str]:
        """Say which agents answer elsewhere, and where, in sessions opened from now on; gives who does."""
        if strangers := sorted(set(live) - set(AGENTS)):
            raise CrownError(f"There is no agent {', '.join(strangers)}; there are {', '.join(AGENTS)}.")
        self._live = {agent: checked_address(address) for agent, address in sorted(live.items())}
        return self._live

    def note(self, text: str) -> int:
        """Keep a note in long-term memory; gives how many there are."""
        return self._notes.add(text)

    def open(self, session: str, seed: int | None = None) -> dict[str, Any]:
        """Open a session of its own name, with the sandbox's seed unless another is given."""
        if not _NAME.fullmatch(session):
            raise CrownError(f"A session is named with a to z, 0 to 9 and dashes, not {session!r}.")
        if self._path(session).exists():
            raise CrownError(f"There has been a session {session!r} already; its log is kept.")
        path = self._path(session)

        def sink(line: bytes) -> None:
            with path.open("ab") as file:
                file.write(line)

        live = {agent: remote(address) for agent, address in self._live.items()}
        sources = Sources(
            clock=RunningClock().read, memory=self._notes.recall, live=live, hidden=self._disturbance.hidden
        )
        seed = self._seed if seed is None else seed
        opening = Opening(session=session, seed=seed, rules=self._rules, live=self._live)
        self._open[session] = Session(opening, Logger(sink), sources, self._disturbance)
        return {"session": session, "seed": seed}

    def say(self, session: str, text: str) -> dict[str, Any]:
        """Ask in an open session; gives the answer."""
        answer: dict[str, Any] = plain(self._session(session).ask(text))
        return answer

    def presets(self, session: str, steps: list[Any]) -> list[dict[str, Any]]:
        """Choose the modulation preset of each step of a script, in an open session; gives the decisions."""
        wishes = msgspec.convert(steps, list[Wish])
        return [plain(self._session(session).modulate(wish)) for wish in wishes]

    def close(self, session: str) -> str:
        """Close a session; gives its log."""
        self._session(session).close()
        del self._open[session]
        return self.log(session)

    def log(self, session: str) -> str:
        """The log of a session, open or closed."""
        if not _NAME.fullmatch(session) or not self._path(session).exists():
            raise CrownError(f"There is no session {session!r}.")
        return self._path(session).read_text(encoding="utf-8")

    def replay(self, log: str) -> dict[str, Any]:
        """Replay a log; gives the steps, their digest, and the first divergence."""
        return drill.told_replay(replay_log(log.encode(), self._disturbance))

    def drill(self, logs: dict[str, str], workers: int = 1, **around: str) -> dict[str, Any]:
        """Replay logs in a fresh process: `hash_seed`, `locale` and `zone` are its surroundings."""
        if strangers := sorted(set(around) - set(_SURROUNDINGS)):
            raise CrownError(f"A drill knows no {', '.join(strangers)}; it knows {', '.join(_SURROUNDINGS)}.")
        if not 1 <= workers <= _AT_ONCE:
            raise CrownError(f"A drill has 1 to {_AT_ONCE} workers, not {workers}.")
        job = {"logs": logs, "workers": workers, "faults": self._faults}
        return drill.drill_elsewhere(job, {_SURROUNDINGS[name]: value for name, value in around.items()})

    def _scenario(self, name: str) -> Scenario:
        if name not in self._scenarios:
            raise CrownError(f"There is no scenario {name!r}; there are {', '.join(self._scenarios)}.")
        return self._scenarios[name]

    def _session(self, name: str) -> Session:
        if name not in self._open:
            raise CrownError(f"No session {name!r} is open; open are {', '.join(self._open) or 'none'}.")
        return self._open[name]

    def _path(self, session: str) -> Path:
        return self._folder / f"{session}.jsonl"
