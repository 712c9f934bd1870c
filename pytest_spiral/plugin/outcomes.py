"""Outcomes of their own: environment-limited, hardware-required and blocked, where pytest would say skipped.

pytest asks three times a test what to show, so whoever answers is there only from the first such outcome on.
"""

import pytest

_LETTERS = {"environment-limited": "l", "hardware-required": "h", "blocked": "b"}
_NAME = "spiral-outcomes"


def show_as(report: pytest.TestReport, outcome: str, config: pytest.Config) -> None:
    """Give the report an outcome of its own; a plain attribute crosses xdist unchanged."""
    report.spiral_outcome = outcome  # type: ignore[attr-defined]
    if not config.pluginmanager.has_plugin(_NAME):
        show_outcomes(config)


def show_outcomes(config: pytest.Config) -> None:
    """From now on show such outcomes; a controller of workers does so from the start."""
    config.pluginmanager.register(_Outcomes(), _NAME)


class _Outcomes:
    def pytest_report_teststatus(
        self, report: pytest.TestReport
    ) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
        outcome = getattr(report, "spiral_outcome", None)
        if outcome is None:
            return None
        return outcome, _LETTERS[outcome], (outcome.upper(), {"yellow": True})
