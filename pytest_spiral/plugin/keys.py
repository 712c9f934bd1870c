"""Typed keys under which the plugin keeps its state on pytest's objects."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_spiral.plugin.claims import Claim
    from pytest_spiral.plugin.process import Process

PROCESS: "pytest.StashKey[Process]" = pytest.StashKey()
"""On the config: what this process knows and records. Absent where there are no gates and no evidence is asked for."""

CLAIM: "pytest.StashKey[Claim]" = pytest.StashKey()
"""On an item: the criteria it claims and the needs its markers state."""

RAISED: "pytest.StashKey[dict[str, str]]" = pytest.StashKey()
"""On an item: what ended it, by phase."""
