"""Where gates files are looked for. A module of its own, since the plugin reads it before anything heavy is imported."""

from typing import Final

GATE_FILES: Final = ("gates.toml", "suites/*/gates.toml")
"""Globs below the root folder, where nobody names others."""
