"""How `spiral record` tells pytest of itself. A module of its own, since the plugin reads it before anything heavy is imported."""

from typing import Final

LAUNCHER: Final = "SPIRAL_LAUNCHER"
"""The variable that names the launcher's socket to pytest; an xdist worker gets it by this name from its controller."""
