"""What can go wrong with a boot on purpose: each fault, and the way it is put into a component.

dies-at-start      the program ends with status 3 before it is up
exits-0            the program ends with status 0 before it is up: no error, and no component
hangs              the program never comes up, and does not listen to SIGTERM
unhealthy          the program is up and says that it is unhealthy
slow               the program takes longer than it may
dies-after-ready   the program ends with status 4 once it has answered healthy
port-taken         a stranger listens on the component's port, and answers healthy
dead-but-healthy   the program dies at start, and its health check is `exit 0`
"""

from dataclasses import dataclass

from spiral_sandbox.boot.manifest import Check

IN_PROGRAM = ("dies-at-start", "exits-0", "hangs", "unhealthy", "slow", "dies-after-ready")
"""Faults that the program itself has, by the environment variable SPIRAL_FLAW."""

FLAWS = (*IN_PROGRAM, "port-taken", "dead-but-healthy")

ALWAYS = 1000
"""More attempts than any policy has."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """A fault in one component, in its first `attempts` attempts; ValueError for a fault that there is not."""

    kind: str
    component: str
    attempts: int = ALWAYS

    def __post_init__(self) -> None:
        """Refuse a fault that nothing would come of."""
        if self.kind not in FLAWS:
            raise ValueError(f"there is no fault {self.kind!r} of a boot; there are {', '.join(FLAWS)}")
        if self.attempts < 1:
            raise ValueError(f"a fault is in at least one attempt, not in {self.attempts}")

    def strikes(self, component: str, attempt: int) -> bool:
        """Whether it is in that attempt (from 1) of that component."""
        return component == self.component and attempt <= self.attempts

    @property
    def in_program(self) -> str:
        """What the program is told."""
        return "dies-at-start" if self.kind == "dead-but-healthy" else self.kind if self.kind in IN_PROGRAM else ""

    @property
    def takes_port(self) -> bool:
        """Whether a stranger is to listen."""
        return self.kind == "port-taken"

    def check(self, check: Check) -> Check:
        """The component's health check under this fault."""
        if self.kind != "dead-but-healthy":
            return check
        return Check(kind="exit", run=("/bin/sh", "-c", "exit 0"), within_s=check.within_s)
