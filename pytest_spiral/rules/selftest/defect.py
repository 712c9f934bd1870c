"""A defect: what turns sound evidence into evidence that must not pass."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from pytest_spiral.model.evidence import Evidence
from pytest_spiral.model.selftest import DefectCard
from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.selftest.scene import Scene


class Broken(NamedTuple):
    """Evidence with a defect in it, and where it was put (a limit's text, or empty: the criterion as a whole)."""

    where: str
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Defect:
    """One kind of defect. `make` gives every variant of it that applies to a scene; none where it does not apply.

    `leaves` is the most that may be left of a GO. `nothing`: the criterion is neither passed nor limited by the
    environment, and nothing is permitted. `condition`: what lacks the environment is no pass, and no failure either.
    `verdict` is what the rules name for it, where they name one. `no-decision` and `cap`: the criterion passes, and nothing, or not more than a condition, is permitted.
    """

    id: str
    makes: str
    applies: str
    make: Callable[[Scene], Iterator[Broken]]
    leaves: Literal["nothing", "condition", "no-decision", "cap"] = "nothing"
    verdict: Verdict | None = None

    @property
    def card(self) -> DefectCard:
        """How the certificate describes it."""
        return DefectCard(id=self.id, makes=self.makes, applies=self.applies)
