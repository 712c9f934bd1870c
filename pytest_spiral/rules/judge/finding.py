"""One reason why a criterion is not simply passed, with its place in the order of reasons."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from pytest_spiral.model.judgement import CriterionVerdict, LimitVerdict
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


PASSED: Final = Finding(Verdict.PASS, "", "")
"""Stands where there is none."""


def worst(findings: list[Finding]) -> Finding | None:
    """The finding that counts: the first of the worst verdict; None of none."""
    return min(findings, key=lambda one: WORST_FIRST.index(one.verdict), default=None)


def broken_limits(limits: Iterable[LimitVerdict]) -> list[Finding]:
    """A finding for each limit that was not kept."""
    return [
        Finding(one.verdict, one.reason or str(one.verdict), one.sentence)
        for one in limits
        if one.verdict is not Verdict.PASS
    ]


def overruled(shown: CriterionVerdict, by: Finding, *, original: bool = False) -> CriterionVerdict:
    """The verdict with a finding in the place of its own; figures and tests stay, and so does what it was originally.

    `original`: there is nothing beneath it that could be told apart.
    """
    return msgspec.structs.replace(
        shown,
        verdict=by.verdict,
        original=by.verdict if original else shown.original,
        reason=by.reason,
        sentence=by.sentence,
        requirement=by.requirement,
        cause=by.cause,
    )
