"""One reason why a criterion is not simply passed, with its place in the order of reasons."""

from dataclasses import dataclass
from typing import Literal

from pytest_spiral.model.verdict import Verdict
from pytest_spiral.rules.statistics import WORST_FIRST


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict with its stable reason code and a sentence for people. `requirement` and `cause` where one is unmet."""

    verdict: Verdict
    reason: str
    sentence: str
    requirement: str = ""
    cause: Literal["", "environment", "hardware"] = ""


def worst(findings: list[Finding]) -> Finding | None:
    """The finding that counts: the first of the worst verdict; None of none."""
    return min(findings, key=lambda one: WORST_FIRST.index(one.verdict), default=None)
