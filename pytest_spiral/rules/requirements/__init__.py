"""Requirement expressions over a machine's facts, such as `memory >= 64 GiB and audio.playback`."""

from pytest_spiral.rules.requirements.judge import Met, Outcome, evaluate
from pytest_spiral.rules.requirements.names import check_names, secret_names
from pytest_spiral.rules.requirements.reader import RequirementError, parse_requirement
from pytest_spiral.rules.requirements.terms import Requirement

__all__ = [
    "Met",
    "Outcome",
    "Requirement",
    "RequirementError",
    "check_names",
    "evaluate",
    "parse_requirement",
    "secret_names",
]
