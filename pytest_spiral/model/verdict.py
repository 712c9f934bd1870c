"""Verdicts of criteria, decisions of gates and stages, and the permission each gives."""

from enum import StrEnum


class Verdict(StrEnum):
    """What a criterion's evidence says. Values are the glossary's words."""

    PASS = "pass"
    INAPPLICABLE = "inapplicable"
    ENVIRONMENT_LIMITED = "environment-limited"
    NOT_RUN = "not-run"
    INCONCLUSIVE = "inconclusive"
    FAIL = "fail"
    INVALID = "invalid"


class Decision(StrEnum):
    """What verdicts add up to for a gate or a stage."""

    GO = "GO"
    CONDITIONAL_GO = "CONDITIONAL GO"
    NO_GO = "NO-GO"
    NOT_EVALUABLE = "NOT-EVALUABLE"

    @property
    def permission(self) -> int:
        """2 for GO, 1 for CONDITIONAL GO, 0 for anything else."""
        return {Decision.GO: 2, Decision.CONDITIONAL_GO: 1}.get(self, 0)
