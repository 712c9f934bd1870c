"""What the selftest of a bar gives: for each criterion, which made-up defects its judging caught."""

from typing import Final, Literal

from pytest_spiral.model.base import Value

SELFTEST_FORMAT: Final = "spiral-selftest/1"
CATALOGUE: Final = 3
"""Which list of defects was tried; a later version may know more."""


class DefectCard(Value, frozen=True, kw_only=True):
    """One kind of defect: what it does to sound evidence, and which criteria it applies to."""

    id: str
    makes: str
    applies: str


class Miss(Value, frozen=True, kw_only=True):
    """A defect that was not caught: where it was put, and how the criterion came out with it."""

    defect: str
    where: str
    verdict: str


class CriterionProof(Value, frozen=True, kw_only=True):
    """How one criterion stood the selftest.

    `proven`: made-up sound evidence passes, and no defect that applies does. `blind`: a defect came through (`missed`).
    `unsound`: no evidence could be made that passes. `waits`: planned, so that no evidence is judged. `untried`: too
    large to be tried, and said so. `tried` counts the pieces of defective evidence; `caught` are defects by id; those of
    the catalogue in neither list do not apply. `scaled` says how a large plan was made smaller for it (empty: it was
    tried as it is).
    """

    id: str
    state: Literal["proven", "blind", "unsound", "waits", "untried"]
    sentence: str = ""
    scaled: str = ""
    tried: int = 0
    caught: tuple[str, ...] = ()
    missed: tuple[Miss, ...] = ()


class Certificate(Value, frozen=True, kw_only=True):
    """`selftest.json`: criteria by defects, for the plan with that digest. A pure function of the plan."""

    format: Literal["spiral-selftest/1"] = SELFTEST_FORMAT
    catalogue: int = CATALOGUE
    plan: str
    rules: str
    defects: tuple[DefectCard, ...]
    criteria: tuple[CriterionProof, ...]

    @property
    def unproven(self) -> tuple[CriterionProof, ...]:
        """Criteria that cannot be proven, or cannot be made to fail."""
        return tuple(one for one in self.criteria if one.state in ("blind", "unsound"))
