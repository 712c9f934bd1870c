"""The attempts at a criterion over time, as values to show."""

from typing import Final, Literal

from pytest_spiral.model.base import Value
from pytest_spiral.model.judgement import LimitVerdict

CHRONICLE_FORMAT: Final = "spiral-history/1"


class ChronicleRow(Value, frozen=True, kw_only=True):
    """One run of a criterion.

    `number` counts release runs from 1, 0 for a draft. `seq` and `wall` (microseconds since 1970 UTC) are those of its
    `opened`. `word` is how it came out by itself, or how it was left; `verdict` what stood after other attempts were
    looked at, empty for a run that was not sealed. `bar` is the digest of the criterion's bar, `limits` are the figures
    as its bundle gives them again; where they are not there, `missing` says why.
    """

    number: int
    seq: int
    wall: int
    run: str
    draft: bool
    word: str
    verdict: str
    bar: str
    limits: tuple[LimitVerdict, ...] = ()
    missing: str = ""


class CriterionChronicle(Value, frozen=True, kw_only=True):
    """The runs of one criterion on one target, in the ledger's order; `attempts` is their tally with its denominator."""

    criterion: str
    target: str
    attempts: str
    rows: tuple[ChronicleRow, ...]


class Chronicle(Value, frozen=True, kw_only=True):
    """A gate's criteria over time."""

    format: Literal["spiral-history/1"] = CHRONICLE_FORMAT
    gate: str
    criteria: tuple[CriterionChronicle, ...]
