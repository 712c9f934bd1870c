"""How real a subject is, from a recording to the live system."""

from enum import StrEnum


class Fidelity(StrEnum):
    """Levels of the glossary; `UNDECLARED` is what a subject without a challenge reads."""

    UNDECLARED = "undeclared"
    RECORDED = "recorded"
    STUB = "stub"
    SIMULATED = "simulated"
    SANDBOX = "sandbox"
    STAGING = "staging"
    LIVE = "live"

    @property
    def rank(self) -> int:
        """Place in the order, 0 for undeclared up to 6 for live."""
        return list(Fidelity).index(self)
