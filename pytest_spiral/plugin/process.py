"""What one pytest process holds: options, gates, facts, the rig, and (with evidence) its writer."""

import itertools
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_spiral.errors import EvidenceError
from pytest_spiral.model.gate import Plan
from pytest_spiral.model.profile import Fact
from pytest_spiral.model.record import FactSeen, Test
from pytest_spiral.plugin.claims import Book
from pytest_spiral.plugin.options import Options
from pytest_spiral.profiles.probe import probe
from pytest_spiral.rules.redact import Redactor
from pytest_spiral.rules.requirements import Outcome, evaluate, parse_requirement
from pytest_spiral.run.recorder import Forget, Keeper

if TYPE_CHECKING:  # both bring most of the package with them, and plain pytest needs neither
    from pytest_spiral.profiles.declared import Declared
    from pytest_spiral.run.gate_run import Opened
    from pytest_spiral.run.target import Rig
    from pytest_spiral.run.writer import Writer


@dataclass(slots=True)
class Process:
    """One process of a session. `writer` is None where no evidence is asked for.

    `uncollected` names what could not be collected; `ended` counts the tests that came to their end or died, in all
    processes; `running` are those that have begun and are not over; `spent` is how many seconds the running test has
    taken so far; `trouble` says why evidence was lost. `stopped` says why the run was stopped from outside, and
    `watched` whether its own watch did that.
    """

    options: Options
    book: Book
    plan: Plan
    name: str
    redactor: Redactor
    root: Path
    writer: "Writer | None" = None
    opened: "Opened | None" = None
    known: dict[str, Fact] = field(default_factory=dict)
    blocked: set[str] = field(default_factory=set)
    uncollected: list[str] = field(default_factory=list)
    ended: int = 0
    spent: float = 0.0
    trouble: str = ""
    running: dict[str, None] = field(default_factory=dict)
    stopped: str = ""
    watched: bool = False
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _rig: "Rig | None" = None

    @property
    def secret(self) -> bool:
        """Whether there is anything that must not be written."""
        return bool(self.redactor)

    @property
    def keeper(self) -> Keeper:
        """Where records go."""
        return self.writer if self.writer is not None else Forget()

    def number(self) -> int:
        """The next number of this process."""
        return self.writer.number() if self.writer is not None else next(self._numbers)

    @property
    def declared(self) -> "Declared | None":
        """The declared profile by its name; None where none is named. Raises UseError."""
        if not self.options.profile:
            return None
        from pytest_spiral.profiles.declared import load_declared

        return load_declared(self.root / self.options.profiles, self.options.profile)

    @property
    def rig(self) -> "Rig":
        """The system under test as this process holds it."""
        if self._rig is None:
            from pytest_spiral.run.target import Rig

            self._rig = Rig(
                name=self.options.target,
                root=self.root,
                faults=self.options.faults,
                seed=self.options.seed,
                keeper=self.keeper,
                redact=self.redactor.redact,
                nonce=lambda: secrets.token_hex(16),
                files=self.writer,
            )
        return self._rig

    def calls(self) -> dict[str, int]:
        """How many calls the target got so far, by transport; does not start it."""
        return self._rig.traces.calls() if self._rig is not None else {}

    def fact(self, name: str) -> Fact:
        """The fact of that name, asked for once; one that bundle.json does not have yet is recorded."""
        if name not in self.known:
            self.known[name] = probe(name)
            if self.writer is not None:
                self.writer.append(FactSeen(fact=self.known[name]))
        return self.known[name]

    def facts_of(self, declared: "Declared") -> dict[str, Fact]:
        """Every fact that a declared profile speaks of, as it is on this machine, by name."""
        return {name: self.fact(name) for one in declared.facts for name in one.names}

    def judge_requirement(self, text: str) -> Outcome:
        """What a requirement comes to on this machine and target."""
        requirement = parse_requirement(text)
        facts: Mapping[str, Fact] = {name: self.fact(name) for name in requirement.names}
        return evaluate(requirement, facts)

    def unmet(self, requirements: tuple[str, ...]) -> list[tuple[str, Outcome]]:
        """The requirements that do not hold, with what decided each."""
        outcomes = [(text, self.judge_requirement(text)) for text in requirements]
        return [(text, outcome) for text, outcome in outcomes if outcome.state != "met"]

    def newly_lost(self, test: str) -> None:
        """Look whether a component has died; remember it, so that later tests are blocked."""
        if self._rig is not None:
            self.blocked.update(self._rig.newly_lost(test))

    def record(self, record: Test) -> None:
        """Write that a test has run. What cannot be written is lost evidence: `trouble` then says why."""
        if self.writer is None:
            return
        try:
            self.writer.append(record)
        except EvidenceError as error:
            self.trouble = self.trouble or str(error)

    def close_rig(self) -> None:
        """Stop the system under test; keep its traces and logs."""
        rig, self._rig = self._rig, None
        if rig is None:
            return
        rig.close()
        if self.writer is not None:
            self.writer.keep_traces(rig.traces)

    def abandon(self) -> None:
        """Stop writing without an end record: whoever looks sees that the run never came to its end."""
        if self.writer is not None:
            self.writer.journal.release()
