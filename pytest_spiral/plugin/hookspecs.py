"""Hooks that conftest files and other plugins may implement. No code here: each docstring is the documentation."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # a specification is loaded by every pytest; the model only where something is judged
    from pytest_spiral.model.judgement import Judgement


def pytest_spiral_judged(config: pytest.Config, judgement: "Judgement", bundle: Path) -> None:
    """Called once, in the controller, after a run was judged and sealed, before the summary is printed.

    `judgement` is the value behind `summary.json`; `bundle` is the sealed folder. Nothing may be written into the
    folder: it would no longer verify. What is returned is ignored. For sending a decision on, for instance.
    """
